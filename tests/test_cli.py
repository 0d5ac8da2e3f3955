"""Every command, as an operator runs it."""

import json
import logging
import os
import re
import shlex
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from connector.cli import main
from connector.domain.operation import CancelRequest
from connector.domain.payment import PaymentKey
from tests.companies.base import Company
from tests.companies.cryptomus import Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.rig import PROVIDERS, SECRET_KEY, Rig, Served, free_port

COMPANIES: list[Any] = [TranzzoCompany, YandexPayCompany, RuStore, Cryptomus]
SETTINGS = {
    "pos_id": "pos-1",
    "api_key": "key-first-4711",
    "api_secret": "secret-second-4712",
    "endpoints_key": "endpoints-third-4713",
}
CREDENTIALS = ["merchant", "provider", "appKey", "appToken"]
OPERATION = [
    "merchant",
    "provider",
    "operation",
    "paymentId",
    "requestId",
    "state",
    "code",
    "reference",
    "attempts",
    "createdAt",
    "updatedAt",
]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The commands set the logs up for their own process."""
    named = {name: logging.getLogger(name) for name in (None, "connector", "gunicorn.error")}
    before = {name: (logger.level, list(logger.handlers)) for name, logger in named.items()}
    yield
    for name, (level, handlers) in before.items():
        named[name].setLevel(level)
        named[name].handlers = handlers


@pytest.fixture(autouse=True)
def no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)


class Operator:
    """Runs commands beside a rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner(env={**self.rig.environment, **environment}).invoke(
            main, list(arguments), input=stdin, catch_exceptions=False
        )

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        result = self.run(*arguments, "--json", stdin=stdin)
        assert (0, []) == (result.exit_code, warnings(result))
        return json.loads(result.stdout)

    def add(self, name: str = "shop", provider: str = "sandbox", *arguments: str) -> Any:
        return self.json("merchants", "add", name, "--provider", provider, *arguments)

    def add_tranzzo(self, settings: Any = SETTINGS, name: str = "shop") -> Result:
        arguments = ("merchants", "add", name, "--provider", "tranzzo", "--settings", "-")
        return self.run(*arguments, stdin=json.dumps(settings))

    def fails(self, *arguments: str, stdin: str | None = None, **environment: str) -> str:
        """Run what fails: one message on standard error, no trace, and status 1."""
        result = self.run(*arguments, stdin=stdin, **environment)
        assert (1, "") == (result.exit_code, result.stdout)
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.stderr
        return result.stderr


def warnings(result: Result) -> list[str]:
    """What stands on standard error besides the lines of the calls to companies."""
    lines = result.stderr.splitlines()
    return [line for line in lines if '"event": "provider call"' not in line]


@pytest.fixture
def operator(rig: Rig) -> Operator:
    return Operator(rig)


@pytest.fixture
def operator_on_both(rig_on_both: Rig) -> Operator:
    return Operator(rig_on_both)


def command(*arguments: str, **options: Any) -> Any:
    """Run the command as a process of its own."""
    whole = [sys.executable, "-m", "connector.cli", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, **options)


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


@pytest.mark.parametrize("company_class", COMPANIES)
def test_the_settings_of_every_company_are_stored(
    operator: Operator, tmp_path: Path, company_class: Any
) -> None:
    settings = company_class().settings
    provider = PROVIDERS[company_class.__name__]
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(settings))
    operator.add("from-a-file", provider, "--settings", str(file))
    arguments = ("merchants", "add", "from-input", "--provider", provider, "--settings", "-")
    operator.json(*arguments, stdin=json.dumps(settings))
    for name in ("from-a-file", "from-input"):
        assert settings == operator.rig.connector.merchants.entry(name).merchant.settings


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
    message = operator.fails("merchants", "add", "shop", "--provider", "acme")
    for name in ("acme", "cryptomus", "rustore", "sandbox", "tranzzo", "yandex_pay"):
        assert name in message


def test_a_provider_that_is_switched_off_is_refused(operator: Operator) -> None:
    message = operator.fails(
        "merchants", "add", "shop", "--provider", "sandbox", CONNECTOR_PROVIDERS="tranzzo"
    )
    assert "there are tranzzo" in message


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
    message = operator.fails("merchants", "add", "second", "--provider", "cryptomus")
    assert "merchant_uuid: missing" in message


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
    }
    assert expected == shop
    assert ("another", True) == (another["merchant"], another["disabled"])
    shown = result.output + operator.run("merchants", "list").output
    for secret in (made["appToken"], *list(SETTINGS.values())[1:]):
        assert secret not in shown


def test_list_is_empty_at_first(operator: Operator) -> None:
    assert [] == operator.json("merchants", "list")
    assert "none\n" == operator.run("merchants", "list").stdout


# merchants update


def test_update_changes_what_is_given_and_leaves_the_rest(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.add_tranzzo()
    arguments = ("merchants", "update", "shop", "--settings", "-")
    shown = operator.json(*arguments, stdin=json.dumps({"api_key": "new-4714"}))
    assert [{"merchant": "shop", "updated": "api_key"}] == shown
    stored = operator.rig.connector.merchants.entry("shop").merchant.settings
    assert SETTINGS | {"api_key": "new-4714"} == stored


@pytest.mark.parametrize(
    "settings", [{"colour": "red"}, {"api_key": ""}, {"api_key": "a b", "pos_id": "new"}, []]
)
def test_an_update_that_is_refused_changes_nothing(operator: Operator, settings: Any) -> None:
    operator.add_tranzzo()
    arguments = ("merchants", "update", "shop", "--settings", "-")
    operator.fails(*arguments, stdin=json.dumps(settings))
    assert SETTINGS == operator.rig.connector.merchants.entry("shop").merchant.settings


def test_an_update_of_nothing_encrypts_anew_with_the_newest_key(operator: Operator) -> None:
    operator.add_tranzzo()
    newest = Fernet.generate_key().decode()
    oldest = operator.rig.environment["CONNECTOR_SECRET_KEYS"]
    operator.rig.configure(CONNECTOR_SECRET_KEYS=f"{newest},{oldest}")
    operator.json("merchants", "update", "shop", "--settings", "-", stdin="{}")
    operator.rig.configure(CONNECTOR_SECRET_KEYS=newest)
    assert SETTINGS == operator.rig.connector.merchants.entry("shop").merchant.settings


def test_update_without_a_file_is_refused(operator: Operator) -> None:
    operator.add()
    assert "--settings FILE" in operator.fails("merchants", "update", "shop")


# merchants rotate-token, disable


def test_rotate_prints_what_add_does_and_both_tokens_work(operator: Operator) -> None:
    first = operator.add()
    second = operator.json("merchants", "rotate-token", "shop")
    assert CREDENTIALS == list(second)
    assert first["appKey"] == second["appKey"]
    client = operator.rig.client
    for made in (first, second):
        own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
        answer = client.post("/payments/P1/cancellations", data=b"[", headers=own)
        assert answer.status_code == 400


def test_a_disabled_merchant_is_refused_by_servers_that_start_then(operator: Operator) -> None:
    made = operator.add()
    assert [{"merchant": "shop", "disabled": True}] == operator.json("merchants", "disable", "shop")
    own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
    answer = operator.rig.client.post("/payments/P1/cancellations", data=b"[", headers=own)
    assert answer.status_code == 401


@pytest.mark.parametrize("verb", ["update", "rotate-token", "disable"])
@pytest.mark.parametrize("name", ["nobody", "", "é", "\udcff", "'; DROP TABLE merchants; --"])
def test_a_merchant_that_is_not_there_is_said(operator: Operator, verb: str, name: str) -> None:
    operator.add()
    arguments = ["--settings", "-"] if verb == "update" else []
    message = operator.fails("merchants", verb, *arguments, "--", name, stdin='{"a": "b"}')
    assert "There is no merchant named" in message


# operations list


def cancel_one_of_each_state(operator: Operator, company: TranzzoCompany) -> None:
    rig = operator.rig
    rig.add(company)
    rig.add(name="other")
    rig.cancel(company.create("done"))
    rig.cancel(company.create("manual", state="captured"))
    rig.cancel(company.create("waiting", state="paying"))
    company.inject("status_before", "look", status=429)
    rig.cancel(company.create("failed"))
    company.inject("reset_after", "void")
    rig.cancel(company.create("unknown"))
    rig.cancel("other", merchant="other")
    running = CancelRequest(1, PaymentKey("running"), "request-1")
    rig.connector.requests.claim(running, lease=60, first_look=60)


STATES = ["running", "unknown", "waiting", "done", "manual", "failed"]


def test_operations_are_listed_with_exactly_these_keys(operator_on_both: Operator) -> None:
    with TranzzoCompany() as company:
        cancel_one_of_each_state(operator_on_both, company)
    listed = operator_on_both.json("operations", "list")
    assert [OPERATION] * 7 == [list(row) for row in listed]
    by_payment = {row["paymentId"]: row for row in listed if row["merchant"] == "shop"}
    assert set(STATES) == set(by_payment)
    for state, row in by_payment.items():
        assert ("tranzzo", "cancel", "request-1", state, 1) == (
            row["provider"],
            row["operation"],
            row["requestId"],
            row["state"],
            row["attempts"],
        )
    codes = {state: row["code"] for state, row in by_payment.items()}
    assert {
        "running": None,
        "done": None,
        "manual": "cancel-manually",
        "waiting": "cancel-pending",
        "failed": "provider-unavailable",
        "unknown": "outcome-unknown",
    } == codes
    sent = {state for state, row in by_payment.items() if row["reference"]}
    assert {"done", "unknown"} == sent
    for row in listed:
        created, updated = (
            datetime.fromisoformat(row[f"{word}At"]) for word in ("created", "updated")
        )
        assert timedelta(0) == created.utcoffset()
        assert timedelta(0) <= updated - created < timedelta(minutes=1)


def test_operations_are_narrowed_by_state_and_merchant(operator: Operator) -> None:
    with TranzzoCompany() as company:
        cancel_one_of_each_state(operator, company)
    for state in STATES:
        listed = operator.json("operations", "list", "--state", state, "--merchant", "shop")
        assert [state] == [row["paymentId"] for row in listed]
    listed = operator.json("operations", "list", "--merchant", "other")
    assert ["other"] == [row["paymentId"] for row in listed]
    assert [] == operator.json("operations", "list", "--merchant", "nobody")


def test_an_unknown_state_is_refused_with_those_there_are(operator: Operator) -> None:
    result = operator.run("operations", "list", "--state", "gone")
    assert (2, "") == (result.exit_code, result.stdout)
    assert STATES == re.findall(r"'(\w+)'", result.stderr.split("one of")[1])


def test_control_characters_are_shown_and_not_obeyed(operator: Operator) -> None:
    operator.rig.add()
    operator.rig.cancel("P1", "\x1b[2J\x07\u202e")
    shown = operator.run("operations", "list").stdout
    assert r"'\x1b[2J\x07\u202e'" in shown
    assert "\x1b" not in shown
    (listed,) = operator.json("operations", "list")
    assert listed["requestId"] == "\x1b[2J\x07\u202e"


def test_any_request_id_can_be_listed(operator: Operator) -> None:
    operator.rig.add()
    for number, request_id in enumerate(["\ud800", "\0", "💳", '"']):
        operator.rig.cancel(f"P{number}", request_id)
    assert ["\ud800", "\0", "💳", '"'] == [
        row["requestId"] for row in operator.json("operations", "list")
    ]
    assert 0 == operator.run("operations", "list").exit_code


# reconcile


def test_reconcile_once_finishes_what_is_due(operator_on_both: Operator) -> None:
    rig = operator_on_both.rig
    with TranzzoCompany() as company:
        rig.add(company)
        company.inject("reset_after", "void")
        rig.cancel(company.create("P1"))
        assert ["unknown"] == rig.states()
        assert "0 looked at\n" == operator_on_both.run("reconcile", "--once").stdout
        rig.make_due()
        assert "1 looked at\n" == operator_on_both.run("reconcile", "--once").stdout
        assert ["done"] == rig.states()
        assert 1 == sum(company.effects.values())


# check


@pytest.mark.parametrize("company_class", COMPANIES)
def test_check_tells_good_credentials_from_bad(
    operator_on_both: Operator, company_class: type[Company]
) -> None:
    with company_class() as company:
        rig = operator_on_both.rig
        rig.add(company, name="good")
        provider = PROVIDERS[company_class.__name__]
        expected = [
            {"check": "configuration", "result": "ok"},
            {"check": "database", "result": "ok"},
            {"check": f"merchant good ({provider})", "result": "ok"},
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
    name = {"RuStore": "key_id", "Cryptomus": "payment_key"}.get(type(company).__name__, "api_key")
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


def test_the_demo_line_really_cancels(operator_on_both: Operator) -> None:
    port = free_port()
    line = demo_line(operator_on_both, f"127.0.0.1:{port}")
    with Served(operator_on_both.rig) as served:
        # The line is for another port than this server's.
        line = [part.replace(str(port), str(served.port)) for part in line]
        answers = [run_curl(line) for _ in range(2)]
    assert answers[0] == answers[1]
    assert '"message": "Cancelled"' in answers[0]


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
    before = operator.rig.connector.merchants.entries()
    operator.run("demo")
    assert before == [
        entry
        for entry in operator.rig.connector.merchants.entries()
        if entry.merchant.name == "demo"
    ]


# As processes of their own.


def test_the_settings_are_never_arguments(operator: Operator) -> None:
    """Whoever lists the processes of the machine must not see a secret."""
    help_texts = [
        operator.run(*command, "--help").stdout
        for command in (["merchants", "add"], ["merchants", "update"], ["serve"], ["check"])
    ]
    for text in help_texts:
        assert not re.search(r"--(api|token|secret|key|password)", text)
    result = operator.run("merchants", "add", "shop", "--provider", "tranzzo", "--api-key", "x")
    assert result.exit_code == 2


def test_a_process_reads_settings_from_its_input(rig: Rig) -> None:
    environment = {**os.environ, **rig.environment}
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings", "-", "--json")
    done = command(*arguments, input=json.dumps(SETTINGS), env=environment)
    assert (0, "") == (done.returncode, done.stderr)
    assert CREDENTIALS == list(json.loads(done.stdout))
    assert SETTINGS == rig.connector.merchants.entry("shop").merchant.settings


def test_a_process_fails_with_a_message_and_status_1(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CONNECTOR_DATA_DIR": str(tmp_path),
        "CONNECTOR_TEST_SUITE": "maybe",
    }
    done = command("merchants", "list", env=environment)
    assert (1, "") == (done.returncode, done.stdout)
    assert "Error: CONNECTOR_TEST_SUITE: give one of on, off\n" == done.stderr


def test_a_misspelt_variable_is_warned_of(rig: Rig) -> None:
    environment = {**os.environ, **rig.environment, "CONNECTOR_ANSWERS_SECONDS": "7"}
    done = command("merchants", "list", "--json", env=environment)
    assert (0, []) == (done.returncode, json.loads(done.stdout))
    assert "warning: CONNECTOR_ANSWERS_SECONDS is not a setting of this connector\n" == done.stderr


def test_the_command_is_installed_by_its_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("connector"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    for name in ("serve", "migrate", "merchants", "operations", "reconcile", "check", "demo"):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)


def test_a_first_start_needs_no_settings_at_all(tmp_path: Path) -> None:
    """Migrate, make the demo merchant, list it: what `make run` does before it serves."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")
    }
    for arguments in (("migrate",), ("demo",)):
        done = command(*arguments, env=environment, cwd=tmp_path)
        assert (0, "") == (done.returncode, done.stderr)
    listed = command("merchants", "list", "--json", env=environment, cwd=tmp_path)
    assert ["demo"] == [row["merchant"] for row in json.loads(listed.stdout)]
    kept = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert 0o700 == stat.S_IMODE((tmp_path / "data").stat().st_mode)
    assert (0o600, 0o600) == (kept["secret.key"], kept["demo.json"])


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONNECTOR_DATABASE_URL": "postgresql://u:p-word-1@[::1/db"}, "CONNECTOR_DATABASE_URL"),
        ({"CONNECTOR_DATABASE_URL": "postgresql://u:p-w/ord-1@h:1/db"}, "database"),
        ({"CONNECTOR_DATABASE_URL": "sqlite:////dev/null/connector.db"}, "/dev/null"),
        ({"CONNECTOR_DATA_DIR": "/dev/null/x"}, "/dev/null/x"),
    ],
)
def test_a_database_that_cannot_be_is_one_message(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    environment = {
        **os.environ,
        "CONNECTOR_DATA_DIR": str(tmp_path),
        "CONNECTOR_SECRET_KEYS": SECRET_KEY,
        **variables,
    }
    done = command("merchants", "list", env=environment, cwd=tmp_path)
    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert "ord-1" not in done.stderr


def test_serve_refuses_a_database_that_is_not_migrated(tmp_path: Path) -> None:
    environment = {**os.environ, "CONNECTOR_DATA_DIR": str(tmp_path)}
    done = command("serve", "--bind", f"127.0.0.1:{free_port()}", env=environment)
    assert (1, "") == (done.returncode, done.stdout)
    assert "run `connector migrate` first" in done.stderr


def test_serve_refuses_a_port_that_is_taken(rig: Rig) -> None:
    rig.add()
    with Served(rig) as served:
        bind = f"127.0.0.1:{served.port}"
        done = command("serve", "--bind", bind, env={**os.environ, **rig.environment})
        assert done.returncode == 1
        assert f"--bind {bind}: cannot be bound" in done.stderr
        assert 200 == served.cancel("P1").status_code


def test_a_served_connector_notices_a_command_within_5_seconds(rig: Rig) -> None:
    rig.add()
    environment = {**os.environ, **rig.environment}
    with Served(rig) as served:
        assert 200 == served.cancel("P1").status_code
        assert 0 == command("merchants", "disable", "shop", env=environment).returncode
        until = time.monotonic() + 5
        while served.cancel("P2").status_code != 401:
            assert time.monotonic() < until
            time.sleep(0.2)
