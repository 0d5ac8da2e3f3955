"""`connector operations` lists what happened."""

import re
from datetime import datetime, timedelta

import pytest

from tests.cli.shell import OPERATION, STATES, Operator, cancel_one_of_each_state
from tests.companies.tranzzo import TranzzoCompany


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


def test_operations_are_narrowed_by_payment(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.rig.add()
    operator.rig.add(name="other")
    for payment_id, merchant in (("P1", "shop"), ("P1", "other"), ("P2", "shop")):
        operator.rig.cancel(payment_id, merchant=merchant)
    listed = operator.json("operations", "list", "--payment", "P1")
    assert ["shop", "other"] == [row["merchant"] for row in listed]
    listed = operator.json("operations", "list", "--payment", "P1", "--merchant", "other")
    assert ["other"] == [row["merchant"] for row in listed]
    assert [] == operator.json("operations", "list", "--payment", "P3")


@pytest.mark.parametrize("payment_id", ["", "a b", "'", "\udcff", "\0", "x" * 129])
def test_what_is_no_payment_id_is_refused(operator: Operator, payment_id: str) -> None:
    message = operator.fails("operations", "list", "--payment", payment_id)
    assert "--payment: VTEX's are 1 to 128 letters" in message


def test_people_are_shown_the_message_too_and_a_reason_once(operator: Operator) -> None:
    with TranzzoCompany() as company:
        operator.rig.add(company)
        message = operator.rig.cancel(company.create("P1", state="captured")).get_json()["message"]
    header, row = operator.run("operations", "list").stdout.splitlines()
    assert [*OPERATION, "message", "reason"] == header.split()
    assert row.endswith(f"  {message}  -")
    assert "captured" in message
    assert [OPERATION] == [list(listed) for listed in operator.json("operations", "list")]


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
