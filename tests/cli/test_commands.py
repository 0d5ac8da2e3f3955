"""Every other command, as an operator runs it."""

import json
import os
import shlex
import stat
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.shell import Operator, warnings
from tests.companies.registry import COMPANIES, CompanyEntry, entry_of
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.console.people import stranger
from tests.rig import Rig, Served, free_port

# reconcile


def test_reconcile_once_finishes_what_is_due(operator_on_both: Operator) -> None:
    rig = operator_on_both.rig
    with TranzzoCompany() as company:
        rig.add(company)
        rig.configure(CONNECTOR_ANSWER_SECONDS="2")
        company.hide("void")
        company.inject("reset_after", "void")
        rig.cancel(company.create("P1"))
        assert ["unknown"] == rig.states()
        company.show()
        assert "0 looked at\n" == operator_on_both.run("reconcile", "--once").stdout
        rig.make_due()
        assert "1 looked at\n" == operator_on_both.run("reconcile", "--once").stdout
        assert ["done"] == rig.states()
        assert 1 == sum(company.effects.values())


# check


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_check_tells_good_credentials_from_bad(
    operator_on_both: Operator, entry: CompanyEntry
) -> None:
    with entry.open() as company:
        rig = operator_on_both.rig
        rig.add(company, name="good")
        expected = [
            {"check": "configuration", "result": "ok"},
            {"check": "database", "result": "ok"},
            {"check": f"merchant good ({entry.name})", "result": "ok"},
        ]
        assert expected == operator_on_both.json("check")
        assert expected == operator_on_both.json("check", "--merchant", "good")

        wrong = wrong_settings(company)
        rig.connector.merchants.update("good", wrong)
        result = operator_on_both.run("check", "--json")
        assert result.exit_code == 1
        said = json.loads(result.stdout)[-1]["result"]
        assert "credentials" in said
        assert not [value for value in wrong.values() if len(value) > 9 and value in result.output]
        assert 0 == sum(company.effects.values())


def wrong_settings(company: Any) -> dict[str, str]:
    settings = dict(company.settings)
    name = entry_of(company).credential
    return settings | {name: settings[name][::-1] + "0"}


def test_check_says_that_a_company_cannot_be_reached(operator: Operator) -> None:
    with TranzzoCompany() as company:
        operator.rig.add(company)
    result = operator.run("check", "--json")
    assert result.exit_code == 1
    assert "could not be reached" in json.loads(result.stdout)[-1]["result"]


def test_check_leaves_out_disabled_merchants_and_others(operator: Operator) -> None:
    operator.add("first")
    operator.add("second")
    operator.json("merchants", "disable", "first")
    assert ["configuration", "database", "merchant second (sandbox)"] == [
        row["check"] for row in operator.json("check")
    ]
    operator.add("third")
    assert "merchant third (sandbox)" == operator.json("check", "--merchant", "third")[-1]["check"]
    assert "nobody" in operator.fails("check", "--merchant", "nobody")


def test_check_recommends_refunds_where_some_payments_are_taken_at_once(
    operator: Operator,
) -> None:
    with YandexPayCompany() as company:
        operator.rig.add(company, name="manual")
        operator.rig.add(company, name="refunding", captured="refund")
        operator.rig.add(company, name="gone")
        operator.rig.connector.merchants.disable("gone")
        operator.rig.add(name="sandboxed")
        result = operator.run("check")
        other = operator.run("check", "--merchant", "refunding")

    assert ["merchant manual: payments by SBP are taken at once"] == [
        line.removeprefix("warning: ").split(",")[0]
        for line in warnings(result)
        if "--captured refund" in line
    ]
    assert (0, 0) == (result.exit_code, other.exit_code)
    assert "--captured refund" not in other.stderr


def test_check_says_that_the_database_is_not_migrated(tmp_path: Path) -> None:
    with Rig(f"sqlite:///{tmp_path}/new.db", tmp_path) as rig:
        result = Operator(rig).run("check", "--json")
        assert result.exit_code == 1
        database = {"check": "database", "result": "run `connector migrate`"}
        assert database == json.loads(result.stdout)[-1]


def test_check_says_that_a_provider_is_switched_off(operator: Operator) -> None:
    operator.add()
    result = operator.run("check", CONNECTOR_PROVIDERS="tranzzo")
    assert result.exit_code == 1
    assert "switched off" in result.stdout


# migrate


def test_migrate_makes_the_tables_and_may_be_repeated(database_url: str, tmp_path: Path) -> None:
    with Rig(database_url, tmp_path) as rig:
        for _ in range(2):
            result = Operator(rig).run("migrate")
            assert (0, "migrated\n") == (result.exit_code, result.stdout)
        assert rig.connector.database.is_ready()
        assert "sandbox" == Operator(rig).add()["provider"]


@pytest.mark.parametrize("arguments", [["merchants", "list"], ["operations", "list"], ["demo"]])
def test_a_database_without_tables_is_one_message(tmp_path: Path, arguments: list[str]) -> None:
    with Rig(f"sqlite:///{tmp_path}/new.db", tmp_path) as rig:
        assert "connector migrate" in Operator(rig).fails(*arguments)


# demo


def demo_line(operator: Operator, bind: str = "127.0.0.1:8080") -> list[str]:
    result = operator.run("demo", "--bind", bind)
    assert (0, "") == (result.exit_code, result.stderr)
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("curl ")]
    return shlex.split(line)


@pytest.mark.slow
def test_the_demo_line_really_cancels(operator_on_both: Operator) -> None:
    port = free_port()
    line = demo_line(operator_on_both, f"127.0.0.1:{port}")
    with Served(operator_on_both.rig) as served:
        # The line is for another port than this server's.
        line = [part.replace(str(port), str(served.port)) for part in line]
        answers = [run_curl(line) for _ in range(2)]
    assert answers[0] == answers[1]
    assert '"message": "Cancelled"' in answers[0]


def test_with_the_console_the_demo_prints_a_link_to_it_and_how_to_get_another(
    operator: Operator,
) -> None:
    assert "/console/" not in operator.run("demo").stdout
    operator.rig.configure(CONNECTOR_CONSOLE="on")
    for bind, option in (("127.0.0.1:8080", ""), ("127.0.0.1:8099", " --bind 127.0.0.1:8099")):
        lines = operator.run("demo", "--bind", bind).stdout.splitlines()
        (link,) = [line for line in lines if line.startswith(f"http://{bind}/console/")]
        assert lines[-2].endswith(f"console link{option}")
        person = stranger(operator.rig)
        assert 303 == person.open(link.split("?code=")[1]).status_code
        assert 200 == person.get("/console/").status_code


def run_curl(line: list[str]) -> str:
    """Do what curl does with such a line; the machine need not have it."""
    assert ["curl", "-s"] == line[:2]
    options = list(zip(line[3::2], line[4::2], strict=True))
    sent = dict(value.split(": ", 1) for option, value in options if option == "-H")
    (body,) = [value for option, value in options if option == "-d"]
    answer = requests.post(line[2], data=body, headers=sent, timeout=10)
    assert answer.status_code == 200
    return answer.text


def test_every_start_prints_the_same_credentials_and_another_payment(operator: Operator) -> None:
    first, second = demo_line(operator), demo_line(operator)
    assert [part for part in first if part.startswith("X-VTEX")] == [
        part for part in second if part.startswith("X-VTEX")
    ]
    assert first[2] != second[2]
    assert ["demo"] == [row["merchant"] for row in operator.json("merchants", "list")]


def test_the_demo_file_is_closed_to_others(operator: Operator, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        demo_line(operator)
    finally:
        os.umask(before)
    (file,) = tmp_path.glob("demo*")
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_a_demo_file_that_was_lost_is_made_again(operator: Operator, tmp_path: Path) -> None:
    demo_line(operator)
    (file,) = tmp_path.glob("demo*")
    file.unlink()
    line = demo_line(operator)
    own = dict(part.split(": ") for part in line if part.startswith("X-VTEX"))
    answer = operator.rig.client.post("/payments/P1/cancellations", data=b"[", headers=own)
    assert answer.status_code == 400


def test_a_demo_file_that_is_open_or_a_link_is_refused(operator: Operator, tmp_path: Path) -> None:
    demo_line(operator)
    (file,) = tmp_path.glob("demo*")
    file.chmod(0o644)
    assert f"chmod 600 {file}" in operator.fails("demo")
    kept = file.rename(tmp_path / "elsewhere")
    file.symlink_to(kept)
    assert "it is a link" in operator.fails("demo")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_demo_file_is_made_again(
    operator: Operator, tmp_path: Path, content: str
) -> None:
    demo_line(operator)
    (file,) = tmp_path.glob("demo*")
    file.write_text(content)
    own = dict(part.split(": ") for part in demo_line(operator) if part.startswith("X-VTEX"))
    answer = operator.rig.client.post("/payments/P1/cancellations", data=b"[", headers=own)
    assert answer.status_code == 400


def test_a_shop_that_happens_to_be_named_demo_keeps_its_tokens(operator: Operator) -> None:
    """It moves money: its token may be neither printed nor ended."""
    operator.add_tranzzo(name="demo")
    before = operator.rig.connector.merchants.all()
    operator.run("demo")
    assert before == [
        entry for entry in operator.rig.connector.merchants.all() if entry.merchant.name == "demo"
    ]
