"""A company is one module, one folder of tests, one stand-in and one entry in the registry."""

import re
from pathlib import Path

import pytest

from connector.providers import discover
from tests.companies.registry import BY_NAME

TESTS = Path(__file__).parents[1]
# As a name is written: in a module's, a class's, a constant's, or a text.
NAMES = {name: re.compile(name.replace("_", "[_ ]?"), re.IGNORECASE) for name in BY_NAME}
# Where two companies or more may be named, because the test is about them by name.
ABOUT_SEVERAL = {
    "bench/hostile.py": "each company's messages have a shape of their own",
    "browser/site.py": "the shops of a busy day, each with what only its company does",
    "browser/test_flow.py": "the form of keys depends on the company",
    "cli/test_commands.py": "what a check says depends on the company",
    "cli/test_show.py": "one of the payments cannot be looked at",
    "companies/registry.py": "the registry",
    "console/test_merchants.py": "what is told of an account depends on the company",
    "console/test_notifications.py": "where a purchase begins without us there may be two",
    "console/test_other_merchants.py": "the merchants that must not see each other",
    "console/test_overview.py": "the overview is by company",
    "console/test_payment_look.py": "what a look shows depends on the company",
    "console/test_work.py": "the work is by company",
    "console/test_work_advice.py": "what a person does depends on the company",
    "operations/test_cancel_each_standing.py": "the states of each company, in its words",
    "operations/test_cancel_manually.py": "the states that a person ends, in each company's words",
    "operations/test_cancel_once.py": "a rollback is confirmed in another way than a void",
    "operations/test_lost_and_late_answers.py": "each case was found at one company",
    "operations/test_reconcile.py": "what is due depends on what the company can do",
    "operations/test_refund_told_failed.py": "each way in which a refund can end late",
    "signup/test_connecting.py": "what the keys prove depends on the company",
    "test_cheap_refusals.py": "each company's messages have a shape of their own",
    "test_config.py": "the variables are named after the companies",
    "test_repository.py": "the longest modules are listed",
    "test_webhooks.py": "messages that only one company sends",
    "vtex/authorization/test_steps.py": "the form of keys depends on the company",
    "vtex/test_ignored_fields.py": "one company has a payout address",
    "vtex/test_provider_fields.py": "one company has a payout address",
}


def own_folder(path: Path) -> str:
    """Return the company whose stand-in, or whose folder of tests, a file is in."""
    parts = path.relative_to(TESTS).with_suffix("").parts
    return parts[1] if parts[0] in {"companies", "providers"} and len(parts) > 1 else ""


def named_in(path: Path) -> set[str]:
    text = path.read_text()
    return {name for name, written in NAMES.items() if written.search(text)}


def test_every_company_has_an_entry() -> None:
    assert {*discover()} - {"sandbox"} == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_an_entry_is_of_the_company_whose_stand_in_and_tests_have_its_name(name: str) -> None:
    assert f"tests.companies.{name}" == BY_NAME[name].stand_in.__module__
    assert f"tests.companies.{name}" == BY_NAME[name].payment.__module__
    assert list((TESTS / "providers" / name).glob("test_*.py"))


def test_no_test_lists_the_companies_beside_the_registry() -> None:
    """One company may be an example anywhere; two are a list that the next company is not in."""
    found = {
        path.relative_to(TESTS).as_posix()
        for path in TESTS.rglob("*.py")
        if len(named_in(path) - {own_folder(path)}) > 1 and path != Path(__file__)
    }
    assert set(ABOUT_SEVERAL) == found


@pytest.mark.parametrize("name", BY_NAME)
def test_a_companys_own_tests_name_no_other_company(name: str) -> None:
    own = [TESTS / "companies" / f"{name}.py", *(TESTS / "providers" / name).rglob("*.py")]
    others = {path.name: named_in(path) - {name} for path in own}
    assert {} == {file: names for file, names in others.items() if names}
