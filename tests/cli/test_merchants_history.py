"""`connector merchants show` and `restore`: who changed what, and how a takeover is undone."""

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from connector.vtex.manifest import field_name
from tests.cli.shell import SETTINGS, Operator
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig

ATTACKERS = {key: f"attackers-{value}" for key, value in SETTINGS.items()}
ME = pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture(autouse=True)
def no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)


def add(operator: Operator, *arguments: str, settings: Any = SETTINGS) -> Any:
    given = () if settings is None else ("--settings", "-")
    command = ("merchants", "add", "shop", "--provider", "tranzzo", *given, *arguments)
    return operator.json(*command, stdin=json.dumps(settings))


def show(operator: Operator) -> Any:
    return operator.json("merchants", "show", "shop")


def fields(rig: Rig, values: dict[str, str]) -> list[dict[str, str]]:
    provider = rig.connector.providers["tranzzo"]
    names = {one.key: field_name(provider, one) for one in provider.settings}
    return [{"name": names[key], "value": value} for key, value in values.items()]


def send(operator: Operator, made: Any, values: dict[str, str]) -> Any:
    """Send what whoever has the AppToken can send."""
    operator.rig.configure()
    own = {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}
    body = {"paymentId": "P1", "requestId": "1", "merchantSettings": fields(operator.rig, values)}
    path = "/payments/P1/inbound/status"
    return operator.rig.client.post(path, json=body, headers=own, buffered=True)


def test_show_tells_all_but_secrets(operator_on_both: Operator) -> None:
    operator = operator_on_both
    made = add(operator, "--captured", "refund")
    text = operator.run("merchants", "show", "shop")
    assert text.exit_code == 0
    shown = show(operator)
    assert ("shop", "tranzzo", made["appKey"]) == (
        shown["merchant"],
        shown["provider"],
        shown["appKey"],
    )
    assert ("refund", False, False, "connector") == (
        shown["captured"],
        shown["sandbox"],
        shown["disabled"],
        shown["settingsFrom"],
    )
    assert ([], None) == (shown["fieldsDiffer"], shown["fieldsSeenAt"])
    assert 1 == len(shown["tokensCreatedAt"])
    settings = {one["setting"]: one for one in shown["settings"]}
    assert SETTINGS.keys() == settings.keys()
    assert SETTINGS["pos_id"] == settings["pos_id"]["value"]
    assert {None} == {settings[key]["value"] for key in SETTINGS if key != "pos_id"}
    assert {ME} == {one["changedBy"] for one in settings.values()}
    assert 4 == len({one["fingerprint"] for one in settings.values()})
    for secret in (made["appToken"], *list(SETTINGS.values())[1:]):
        assert secret not in text.output + json.dumps(shown)


def test_show_of_nobody_is_said(operator: Operator) -> None:
    for verb in ("show", "restore"):
        assert "no merchant named" in operator.fails("merchants", verb, "nobody")


def test_each_command_is_an_event_of_the_user_who_ran_it(operator_on_both: Operator) -> None:
    operator = operator_on_both
    add(operator)
    before = show(operator)["settings"][1]["fingerprint"]
    update = ("merchants", "update", "shop", "--captured", "refund", "--settings", "-")
    operator.json(*update, stdin=json.dumps({"api_key": "new-key-4714"}))
    for verb in ("rotate-token", "disable", "enable"):
        operator.json("merchants", verb, "shop")
    shown = show(operator)
    events = list(reversed(shown["events"]))
    commands = ["add", "update", "rotate-token", "disable", "enable"]
    assert commands == [event["command"] for event in events]
    assert [ME] * 5 == [event["by"] for event in events]
    after = shown["settings"][1]["fingerprint"]
    assert {"api_key": [before, after]} == events[1]["settings"]
    assert {"captured": "refund"} == events[1]["options"]
    assert [False, True, False, False, False] == [event["isUndoable"] for event in events]
    assert "new-key-4714" not in json.dumps(shown)


def test_sudo_is_told_beside_the_user_and_a_forged_one_is_left_out(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "alice")
    add(operator)
    assert f"{ME} (sudo by alice)" == show(operator)["events"][0]["by"]
    monkeypatch.setenv("SUDO_USER", "root\n2026 admin")
    operator.json("merchants", "disable", "shop")
    assert ME == show(operator)["events"][0]["by"]


def test_a_user_without_a_name_is_a_number(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    add(operator)
    assert "uid 987654" == show(operator)["events"][0]["by"]


def test_closing_a_row_is_an_event(operator: Operator) -> None:
    with TranzzoCompany() as company:
        operator.rig.add(company)
        operator.rig.cancel(company.create("P1", state="captured"))
    operator.json("operations", "close", "shop", "P1")
    newest = show(operator)["events"][0]
    assert (ME, "operations close") == (newest["by"], newest["command"])
    expected = {"payment": "P1", "operation": "cancel", "request": "request-1"}
    assert expected == newest["options"]


def test_a_migration_is_an_event_once(database_url: str, tmp_path: Path) -> None:
    with Rig(database_url, tmp_path) as rig:
        for _ in range(2):
            assert 0 == Operator(rig).run("migrate").exit_code
        assert [(ME, "migrate", None)] == rig.execute(
            "SELECT actor, command, merchant_id FROM admin_events"
        )


# Settings that come from VTEX


def test_a_merchant_whose_settings_come_from_vtex_needs_none(operator: Operator) -> None:
    made = add(operator, "--settings-from", "vtex", settings=None)
    assert ("vtex", []) == (show(operator)["settingsFrom"], show(operator)["settings"])
    checked = operator.run("check", "--merchant", "shop")
    assert checked.exit_code == 0
    assert "warning: settings missing: pos_id, api_key, api_secret, endpoints_key; VTEX's" in (
        checked.stdout
    )
    assert send(operator, made, SETTINGS).status_code == 200
    shown = show(operator)
    assert SETTINGS.keys() == {one["setting"] for one in shown["settings"]}
    assert {"VTEX's Provider Fields"} == {one["changedBy"] for one in shown["settings"]}


def test_check_warns_of_secrets_that_vtex_can_not_bring(operator: Operator) -> None:
    add(operator, "--settings-from", "vtex", settings=None)
    operator.rig.configure(CONNECTOR_PROVIDER_FIELDS="off")
    checked = operator.run("check", "--merchant", "shop")
    assert checked.exit_code == 1
    assert "settings missing: pos_id, api_key, api_secret, endpoints_key; run `connector" in (
        checked.stdout
    )
    assert "warning: CONNECTOR_PROVIDER_FIELDS is off" in checked.stdout


def test_check_is_silent_about_secrets_that_vtex_may_not_bring_nor_need(
    operator: Operator,
) -> None:
    add(operator)
    operator.rig.configure(CONNECTOR_PROVIDER_FIELDS="off")
    assert "CONNECTOR_PROVIDER_FIELDS" not in operator.run("check").stdout


def test_settings_that_are_given_beside_must_still_be_usable(operator: Operator) -> None:
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings-from", "vtex")
    message = operator.fails(*arguments, "--settings", "-", stdin='{"api_key": "a b"}')
    assert "api_key: " in message
    assert "pos_id" not in message


def test_update_changes_where_settings_come_from_once_they_are_whole(operator: Operator) -> None:
    add(operator, "--settings-from", "vtex", settings=None)
    message = operator.fails("merchants", "update", "shop", "--settings-from", "connector")
    assert "pos_id: missing" in message
    whole = ("merchants", "update", "shop", "--settings-from", "connector", "--settings", "-")
    operator.json(*whole, stdin=json.dumps(SETTINGS))
    assert "connector" == show(operator)["settingsFrom"]
    operator.json("merchants", "update", "shop", "--settings-from", "vtex")
    assert "vtex" == show(operator)["settingsFrom"]
    (listed,) = operator.json("merchants", "list")
    assert "vtex" == listed["settingsFrom"]


# A takeover, and how it is undone


def test_show_and_check_tell_that_vtex_sends_other_settings(operator_on_both: Operator) -> None:
    operator = operator_on_both
    with TranzzoCompany() as company:
        operator.rig.use(company)
        made = add(operator, settings=company.settings)
        (row,) = operator.json("check", "--merchant", "shop")[2:]
        assert row["result"] == "ok"
        send(operator, made, {"api_key": ATTACKERS["api_key"]})
        result = operator.run("check", "--json")
    assert result.exit_code == 0
    (told,) = [row for row in json.loads(result.stdout) if "Provider Fields" in row["check"]]
    assert told["result"].startswith("warning: VTEX sends another api_key")
    assert ["api_key"] == show(operator)["fieldsDiffer"]
    assert show(operator)["fieldsSeenAt"]
    assert ATTACKERS["api_key"] not in result.output


def test_what_an_attacker_changed_is_undone(operator_on_both: Operator) -> None:
    operator = operator_on_both
    made = add(operator, "--settings-from", "vtex")
    send(operator, made, {"api_key": "first-of-the-attacker"})
    send(operator, made, ATTACKERS)
    assert ATTACKERS == operator.rig.connector.merchants.find("shop").merchant.settings
    first = show(operator)["events"][1]
    assert first["command"] == "request"
    (restored,) = operator.json("merchants", "restore", "shop", "--event", str(first["event"]))
    assert {"merchant": "shop", "undone": first["event"], "settingsFrom": "connector"} == restored
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings
    # The attacker, whose token still works, goes on.
    send(operator, made, ATTACKERS)
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings
    newest = show(operator)["events"][0]
    assert (ME, "restore") == (newest["by"], newest["command"])


def test_restore_without_an_event_undoes_the_last_change(operator: Operator) -> None:
    add(operator)
    update = ("merchants", "update", "shop", "--settings", "-")
    operator.json(*update, stdin=json.dumps({"api_key": "a-typo-4714"}))
    operator.json("merchants", "disable", "shop")
    for expected in (SETTINGS, SETTINGS | {"api_key": "a-typo-4714"}, SETTINGS):
        operator.json("merchants", "restore", "shop")
        assert expected == operator.rig.connector.merchants.find("shop").merchant.settings


def test_restore_says_what_it_cannot_bring_back(operator: Operator) -> None:
    made = add(operator, "--settings-from", "vtex", settings=None)
    assert "merchants show shop" in operator.fails("merchants", "restore", "shop")
    send(operator, made, SETTINGS)
    operator.rig.add(name="other")
    assert "merchants show other" in operator.fails("merchants", "restore", "other", "--event", "2")
    message = operator.fails("merchants", "restore", "shop")
    assert "there was no pos_id" in message
    assert SETTINGS == operator.rig.connector.merchants.find("shop").merchant.settings
