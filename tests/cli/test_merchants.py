"""`connector merchants` adds and lists them."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.shell import CREDENTIALS, SETTINGS, Operator
from tests.companies.registry import BY_NAME, COMPANIES, CompanyEntry

# merchants add


def test_add_prints_credentials_that_work(operator_on_both: Operator) -> None:
    made = operator_on_both.add()
    assert CREDENTIALS == list(made)
    assert ("shop", "sandbox") == (made["merchant"], made["provider"])
    own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
    body = {"paymentId": "P1", "requestId": "request-1"}
    rig = operator_on_both.rig
    answer = rig.client.post("/payments/P1/cancellations", json=body, headers=own)
    assert answer.status_code == 200


def test_add_says_that_the_token_is_shown_once(operator: Operator) -> None:
    result = operator.run("merchants", "add", "shop", "--provider", "sandbox")
    assert result.exit_code == 0
    assert "not shown again" in result.stdout
    assert CREDENTIALS == result.stdout.split("\n")[0].split()


@pytest.mark.parametrize(
    ("arguments", "sandbox", "captured"),
    [
        ([], False, "manual"),
        (["--sandbox"], True, "manual"),
        (["--captured", "refund"], False, "refund"),
        (["--captured", "manual", "--sandbox"], True, "manual"),
    ],
)
def test_add_keeps_its_options(
    operator: Operator, arguments: list[str], sandbox: bool, captured: str
) -> None:
    operator.add("shop", "sandbox", *arguments)
    (listed,) = operator.json("merchants", "list")
    assert (sandbox, captured) == (listed["sandbox"], listed["captured"])


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_the_settings_of_every_company_are_stored(
    operator: Operator, tmp_path: Path, entry: CompanyEntry
) -> None:
    settings, provider = entry.open().settings, entry.name
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    operator.add("from-a-file", provider, "--settings", str(file))
    arguments = ("merchants", "add", "from-input", "--provider", provider, "--settings", "-")
    operator.json(*arguments, stdin=json.dumps(settings))
    for name in ("from-a-file", "from-input"):
        assert settings == operator.rig.connector.merchants.find(name).merchant.settings


def test_a_name_is_given_once(operator: Operator) -> None:
    first = operator.add()
    message = operator.fails("merchants", "add", "shop", "--provider", "sandbox")
    assert "already a merchant named shop" in message
    (listed,) = operator.json("merchants", "list")
    assert first["appKey"] == listed["appKey"]


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "-", "_x", "x" * 65, "й", "a\n", "../a", "é"]
)
def test_a_bad_name_is_refused(operator: Operator, name: str) -> None:
    message = operator.fails("merchants", "add", "--provider", "sandbox", "--", name)
    assert "NAME: use 1 to 64 letters, digits, - and _" in message
    assert [] == operator.json("merchants", "list")


@pytest.mark.parametrize("name", ["a", "x" * 64, "Shop-1_b", "0"])
def test_a_good_name_is_taken(operator: Operator, name: str) -> None:
    assert name == operator.add(name)["merchant"]


def test_an_unknown_provider_is_refused_with_those_there_are(operator: Operator) -> None:
    message = operator.fails("merchants", "add", "shop", "--provider", "no-such")
    for name in ("no-such", "sandbox", *BY_NAME):
        assert name in message


def test_a_provider_that_is_switched_off_is_refused(operator: Operator) -> None:
    message = operator.fails(
        "merchants", "add", "shop", "--provider", "sandbox", CONNECTOR_PROVIDERS="tranzzo"
    )
    assert "--provider sandbox: not in CONNECTOR_PROVIDERS, which has tranzzo" in message


def test_the_sandbox_is_off_unless_it_is_named(operator: Operator) -> None:
    """While the test suite is let in, too, which is played there."""
    asked = ("merchants", "add", "shop", "--provider", "sandbox")
    for suite in ("off", "on"):
        message = operator.fails(*asked, CONNECTOR_PROVIDERS="", CONNECTOR_TEST_SUITE=suite)
        assert f"which has {', '.join(sorted(BY_NAME))}" in message
    assert [] == operator.json("merchants", "list")


def test_the_demo_needs_the_sandbox(operator: Operator) -> None:
    assert "needs sandbox in CONNECTOR_PROVIDERS" in operator.fails("demo", CONNECTOR_PROVIDERS="")


FAULTY: list[tuple[Any, list[str]]] = [
    ({}, ["pos_id: missing", "api_key: ", "api_secret: ", "endpoints_key: "]),
    (SETTINGS | {"colour": "red"}, ["colour: not a setting of tranzzo"]),
    (SETTINGS | {"api_key": ""}, ["api_key: missing"]),
    (SETTINGS | {"api_key": None, "pos_id": "a b"}, ["api_key: missing", "pos_id: "]),
    (SETTINGS | {"api_key": ["x"]}, ["api_key: missing"]),
    ({"apikey": "x"}, ["apikey: not", "pos_id: ", "api_key: ", "api_secret: ", "endpoints_key: "]),
]


@pytest.mark.parametrize(("settings", "named"), FAULTY)
def test_every_fault_in_the_settings_is_named_and_nothing_is_stored(
    operator: Operator, settings: Any, named: list[str]
) -> None:
    result = operator.add_tranzzo(settings)
    assert (1, "") == (result.exit_code, result.stdout)
    assert [name for name in named if name in result.stderr] == named
    assert [] == operator.json("merchants", "list")
    assert not [value for value in SETTINGS.values() if value in result.stderr]


@pytest.mark.parametrize("text", ["", "{", "[]", '"x"', "null", "{}{}", "NaN", "[" * 100_000])
def test_settings_that_are_no_json_object_are_refused(operator: Operator, text: str) -> None:
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings", "-")
    assert "--settings FILE" in operator.fails(*arguments, stdin=text)
    assert [] == operator.json("merchants", "list")


@pytest.mark.parametrize("content", [b"\xff\xfe", b'{"pos_id": "\xff"}'])
def test_settings_that_are_no_utf_8_are_refused(
    operator: Operator, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings", str(file))
    assert "--settings FILE" in operator.fails(*arguments)


def test_a_settings_file_that_is_not_there_is_said(operator: Operator, tmp_path: Path) -> None:
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo")
    result = operator.run(*arguments, "--settings", str(tmp_path / "none.json"))
    assert (2, "") == (result.exit_code, result.stdout)
    assert "none.json" in result.stderr


def test_a_company_without_settings_needs_no_file_and_another_does(operator: Operator) -> None:
    operator.add("first", "sandbox")
    message = operator.fails("merchants", "add", "second", "--provider", "tranzzo")
    assert "pos_id: missing" in message


# merchants list


def test_list_shows_the_merchants_and_nothing_secret(operator_on_both: Operator) -> None:
    operator = operator_on_both
    made = json.loads(
        operator.run(
            "merchants",
            "add",
            "shop",
            "--provider",
            "tranzzo",
            "--settings",
            "-",
            "--json",
            stdin=json.dumps(SETTINGS),
        ).stdout
    )
    operator.add("another")
    operator.json("merchants", "disable", "another")
    result = operator.run("merchants", "list", "--json")
    another, shop = json.loads(result.stdout)
    expected = {
        "merchant": "shop",
        "provider": "tranzzo",
        "appKey": made["appKey"],
        "sandbox": False,
        "captured": "manual",
        "disabled": False,
        "settingsFrom": "connector",
    }
    assert expected == shop
    assert ("another", True) == (another["merchant"], another["disabled"])
    shown = result.output + operator.run("merchants", "list").output
    for secret in (made["appToken"], *list(SETTINGS.values())[1:]):
        assert secret not in shown


def test_list_is_empty_at_first(operator: Operator) -> None:
    assert [] == operator.json("merchants", "list")
    assert "none\n" == operator.run("merchants", "list").stdout
