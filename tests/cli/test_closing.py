"""`connector operations close`: a person did what a row asked for."""

import json
from typing import Any

import pytest

from connector.domain.errors import LeaseLost
from connector.domain.operation import CancelRequest, Lease
from connector.domain.payment import PaymentKey
from connector.domain.write import Write
from tests.cli.shell import OPERATION, STATES, Operator, cancel_one_of_each_state
from tests.companies.tranzzo import TranzzoCompany

CLOSE = ("operations", "close")


def listed(operator: Operator) -> list[str]:
    """The requestIds on the operator's list."""
    rows = operator.json("operations", "list", "--state", "manual")
    return [row["requestId"] for row in rows]


def claim(operator: Operator, request_id: str, payment_id: str) -> Any:
    request = CancelRequest(1, PaymentKey(payment_id), request_id)
    lease = operator.rig.connector.requests.claim(request, lease_seconds=60, first_look=60)
    assert isinstance(lease, Lease)
    return lease


def test_a_row_that_a_person_closes_is_done(operator_on_both: Operator) -> None:
    operator, rig = operator_on_both, operator_on_both.rig
    with TranzzoCompany() as company:
        rig.add(company)
        first = rig.cancel(company.create("P1", state="captured"))
        assert 1 == rig.reconcile()
        payment = rig.execute("SELECT * FROM payments")
        (closed,) = operator.json(*CLOSE, "shop", "P1")
        assert (OPERATION, "done") == (list(closed), closed["state"])
        assert [] == listed(operator)
        assert payment == rig.execute("SELECT * FROM payments")
        assert 501 == first.status_code
        assert 0 == rig.reconcile()
    kinds = rig.execute("SELECT kind, state FROM events ORDER BY id")
    ends = [tuple(row) for row in kinds if row[0] in {"told", "ended", "closed"}]
    assert [("told", "manual"), ("ended", "manual"), ("closed", "done")] == ends


def test_people_are_shown_the_row_that_was_closed(operator: Operator) -> None:
    with TranzzoCompany() as company:
        operator.rig.add(company)
        operator.rig.cancel(company.create("P1", state="captured"))
    result = operator.run(*CLOSE, "shop", "P1")
    assert 0 == result.exit_code
    header, row = result.stdout.splitlines()
    assert [*OPERATION, "message", "reason"] == header.split()
    assert ["shop", "tranzzo", "cancel", "P1", "request-1", "done"] == row.split()[:6]


@pytest.mark.parametrize("state", [state for state in STATES if state != "manual"])
def test_only_what_a_person_must_do_is_closed(operator: Operator, state: str) -> None:
    with TranzzoCompany() as company:
        cancel_one_of_each_state(operator, company)
    before = operator.json("operations", "list")
    for more in ([], ["--request", "request-1"]):
        message = operator.fails(*CLOSE, "shop", state, *more)
        assert (
            f"Nothing to close: there is cancel of {state}, request request-1, {state}" in message
        )
    assert before == operator.json("operations", "list")


def test_what_is_not_there_is_answered_with_what_is(operator: Operator) -> None:
    with TranzzoCompany() as company:
        cancel_one_of_each_state(operator, company)
    assert "There is no merchant named 'nobody'" in operator.fails(*CLOSE, "nobody", "manual")
    message = operator.fails(*CLOSE, "shop", "P9")
    assert "shop has no operation of P9" in message
    assert "there is cancel of manual, request request-1, manual" in message
    message = operator.fails(*CLOSE, "other", "manual")
    assert "on the operator's list there is nothing" in message
    message = operator.fails(*CLOSE, "shop", "manual", "--request", "request-2")
    assert "--request: there is cancel of manual, request request-1, manual" in message
    assert "PAYMENT_ID: VTEX's are" in operator.fails(*CLOSE, "shop", "a b")
    assert ["request-1"] == listed(operator)


def test_each_of_several_rows_is_closed_by_its_name(operator_on_both: Operator) -> None:
    operator = operator_on_both
    with TranzzoCompany() as company:
        operator.rig.add(company)
        company.create("P1", state="captured")
        for request_id in ("request-1", "\x1b[2J"):
            operator.rig.cancel("P1", request_id)
    message = operator.fails(*CLOSE, "shop", "P1")
    assert "--request: say which" in message
    assert "request request-1, manual" in message
    assert r"request '\x1b[2J', manual" in message
    assert ["request-1", "\x1b[2J"] == listed(operator)
    (closed,) = operator.json(*CLOSE, "shop", "P1", "--request", "\x1b[2J")
    assert "\x1b[2J" == closed["requestId"]
    assert ["request-1"] == listed(operator)
    (closed,) = operator.json(*CLOSE, "shop", "P1")
    assert "request-1" == closed["requestId"]


def test_nothing_is_closed_while_the_payment_is_worked_on(operator_on_both: Operator) -> None:
    operator, rig = operator_on_both, operator_on_both.rig
    with TranzzoCompany() as company:
        rig.add(company)
        rig.cancel(company.create("P1", state="captured"))
    lease = claim(operator, "request-2", "P1")
    before = [rig.execute(f"SELECT * FROM {table}") for table in ("payments", "requests", "events")]  # noqa: S608
    assert "try again in a minute" in operator.fails(*CLOSE, "shop", "P1")
    assert before == [
        rig.execute(f"SELECT * FROM {table}")  # noqa: S608
        for table in ("payments", "requests", "events")
    ]
    rig.let_leases_end()
    operator.json(*CLOSE, "shop", "P1")
    # Who slept beyond its lease does not write over what the person said.
    with pytest.raises(LeaseLost):
        rig.connector.requests.start_write(lease, Write("refund", 1, "any"), lease.payment, {})


def test_a_row_of_the_test_suites_merchant_can_be_closed(operator: Operator) -> None:
    operator.rig.add(name="(test suite)")
    claim(operator, "request-1", "P1")
    operator.rig.execute("UPDATE requests SET state = 'manual'")
    operator.rig.let_leases_end()
    (closed,) = operator.json(*CLOSE, "(test suite)", "P1")
    assert "done" == closed["state"]


NOTE = "Returned by bank transfer\u202e\x1b[2J"


def test_the_note_stands_in_the_story_and_beside_the_command(operator_on_both: Operator) -> None:
    operator, rig = operator_on_both, operator_on_both.rig
    with TranzzoCompany() as company:
        rig.add(company)
        rig.cancel(company.create("P1", state="captured"))
    operator.json(*CLOSE, "shop", "P1", "--note", NOTE)
    (closed,) = (s for s in operator.json("operations", "show", "P1") if s["step"] == "closed")
    assert NOTE == closed["note"]
    shown = operator.run("operations", "show", "P1").stdout
    assert r"Returned by bank transfer\u202e\x1b[2J" in shown
    assert not {"\u202e", "\x1b"} & set(shown)
    (event,) = rig.execute("SELECT changed FROM admin_events WHERE command = 'operations close'")
    assert NOTE == json.loads(event[0])["options"]["note"]


@pytest.mark.parametrize(
    ("note", "why"),
    [("to 4111 1111 1111 1111", "--note: this looks like a card number"), ("x" * 501, "at most")],
)
def test_a_note_that_is_refused_closes_nothing(operator: Operator, note: str, why: str) -> None:
    with TranzzoCompany() as company:
        operator.rig.add(company)
        operator.rig.cancel(company.create("P1", state="captured"))
    assert why in operator.fails(*CLOSE, "shop", "P1", "--note", note)
    assert ["request-1"] == listed(operator)
    assert "4111" not in str(operator.rig.execute("SELECT * FROM events"))
