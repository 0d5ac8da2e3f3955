import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.rehearse import rehearse as command
from connector.domain.errors import ConfigurationError
from connector.rehearsal import forms, manifest
from connector.rehearsal.checks import Unmet
from connector.rehearsal.client import Keys
from connector.rehearsal.report import masked
from connector.rehearsal.sink import Sink, target_of
from tests.rehearsed import Rehearsed
from tests.rehearsed_flow import INVITATION, RehearsedFlow

# The manifest.


def listing(*names: object) -> dict[str, Any]:
    return {"paymentMethods": [{"name": name, "allowsSplit": "disabled"} for name in names]}


def custom(**field: Any) -> dict[str, Any]:
    return {**listing("Visa"), "customFields": [{"name": "A", "type": "text", **field}]}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "paymentMethods is missing"),
        (listing(), "paymentMethods is empty"),
        (listing("Elo"), "no 'Visa'"),
        (listing("Visa", "Visa"), "twice"),
        (listing("Visa", "MasterCard"), "VTEX spells 'Mastercard'"),
        (listing("Visa", ""), "name is ''"),
        ({"paymentMethods": "Visa"}, "not a list"),
        ({"paymentMethods": ["Visa"]}, "not an object"),
        ({"paymentMethods": [{"name": "Visa"}]}, "allowsSplit is missing"),
        ({"paymentMethods": [{"name": "Visa", "allowsSplit": "no"}]}, "none of"),
        (custom(type="number"), "none of"),
        (custom(name="App Key"), "for which VTEX has a field"),
        (custom(name="appToken", type="password"), "for which VTEX has a field"),
        (custom(name="API secret"), "must be password"),
        (custom(type="select"), "only for a select"),
        (custom(options=[{"text": "a", "value": "a"}]), "only for a select"),
        (custom(type="select", options=[{"text": "a"}]), "value is missing"),
        (custom(type="select", options=["a"]), "not an object"),
        ({**listing("Visa"), "customFields": custom()["customFields"] * 2}, "twice"),
        ({**listing("Visa"), "customFields": ["A"]}, "not an object"),
        ({**listing("Visa"), "autoSettleDelay": 5}, "not an object"),
        ({**listing("Visa"), "autoSettleDelay": {"minimum": "0"}}, "maximum is None"),
        ({**listing("Visa"), "autoSettleDelay": {"minimum": 0, "maximum": 5}}, "minimum is 0"),
        ({**listing("Visa"), "autoSettleDelay": {"minimum": "6", "maximum": "5"}}, "more than"),
        ({**listing("Visa"), "metadataFields": ["a"] * 4}, "more than 3"),
        ({**listing("Visa"), "metadataFields": ["a" * 21]}, "20 characters"),
        ({**listing("Visa"), "version": "3"}, "version is '3'"),
    ],
)
def test_a_wrong_manifest_fails(body: dict[str, Any], fault: str) -> None:
    with pytest.raises(Unmet, match=fault):
        manifest.check(body, "Visa")


# The report.


def run(*arguments: str, **values: Any) -> Any:
    return CliRunner().invoke(command, list(arguments), **values)


def test_the_command_prints_a_line_for_each_case_and_succeeds(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret-token\n")
    with Rehearsed(tokens=("key", "secret-token")) as connector:
        result = run(
            *(connector.url, "--app-key", "key", "--app-token-file", str(token)),
            *("--method", "Visa", "--case", "denied", "--case", "cancel-again"),
        )
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert ["success", "denied", "bare", "Visa"] == lines[0][:4]
    assert ["beyond", "the", "suite"] == lines[2][-3:]
    assert result.output.endswith("3 of 3 succeeded; 0 of the suite's own failed, 0 beyond it\n")


def test_a_failure_shows_what_was_said_without_card_and_token(tmp_path: Path) -> None:
    echo = {"message": "secret-token 4444333322221111", "settleId": None}
    token = tmp_path / "token"
    token.write_text("secret-token")
    with Rehearsed(changes={"payments": {"tid": None, **echo}}) as connector:
        connector.tokens = ("key", "secret-token")
        arguments = [connector.url, "--app-key", "key", "--app-token-file", str(token)]
        arguments += ["--case", "approved"]
        text = run(*arguments)
        rows = run(*arguments, "--json")
    assert (1, 1) == (text.exit_code, rows.exit_code)
    for output in (text.output, rows.output):
        assert "tid is None" in output
        assert "POST /payments" in output
        assert "444433******1111" in output
        assert "secret-token" not in output
        assert forms.APPROVED not in output
        assert '"021"' not in output
        assert '\\"021\\"' not in output
    assert {False} == {row["success"] for row in json.loads(rows.output)}
    assert "0 of 2 succeeded; 2 of the suite's own failed, 0 beyond it" in text.output


@pytest.mark.parametrize(
    "text",
    [
        f"{INVITATION}\n",
        f"link  https://connector.example/authorization/invitation?invitation={INVITATION}\ncode …",
        json.dumps({"link": f"https://connector.example/?invitation={INVITATION}", "code": "…"}),
    ],
)
def test_an_invitation_is_read_as_it_was_printed(text: str, tmp_path: Path) -> None:
    settings = tmp_path / "acme.json"
    settings.write_text('{"api_key": "a-long-secret"}')
    options = ["--provider", "acme", "--settings", str(settings), "--account", "mystore"]
    with RehearsedFlow() as connector:
        arguments = [connector.url, "--case", "authorization", "--invitation", "-", *options]
        result = run(*arguments, input=text)
        assert ["https://mystore"] == list(connector.app_keys)
    assert result.exit_code == 0, result.output


def test_ids_are_not_taken_for_cards() -> None:
    text = "12345678-1234-1234-1234-123456789012 A1234567890123456 1790000000.123"
    assert text == masked(text, Keys())


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], "URL: give the base URL"),
        (["http://127.0.0.1:1", "--serve"], "URL: give the base URL"),
        (["ftp://127.0.0.1"], "no https or http URL"),
        (["https://connector.invalid"], "--callback-url"),
        (["http://127.0.0.1:1", "--case", "nothing"], "--case nothing: there are manifest,"),
        (["http://127.0.0.1:1", "--callback-bind", "nowhere"], "--callback-bind nowhere"),
        (["http://127.0.0.1:1", "--settings", "-", "--invitation", "-"], "only one option can"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], fault: str) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, ConfigurationError)
    assert fault in str(result.exception)


def test_the_callbacks_can_come_by_another_address() -> None:
    with Sink(url="https://tunnel.example/sink/") as other:
        address = other.address("P1")
    assert address.startswith("https://tunnel.example/sink/api/")
    assert "accountName=rehearsal&X-VTEX-signature=" in address
    assert target_of(address).startswith("/sink/api/")
