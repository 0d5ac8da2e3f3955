"""Whatever is not done says why: in the log, in the event and in the operator's list."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import main
from connector.domain.errors import Rule
from tests.companies.tranzzo import TranzzoCompany
from tests.operations.lifetime import P
from tests.operations.test_lost_and_late_answers import let_a_lease_time_pass, settled
from tests.rig import Rig

Step = Callable[[Rig, TranzzoCompany], Any]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


def assert_told(rig: Rig, lines: list[dict[str, Any]], operation: str, reason: str) -> None:
    """Find the reason of the latest request of this operation, wherever it is to be found."""
    rows = [row for row in rig.connector.requests.rows() if row.operation == operation]
    assert reason == rows[-1].reason
    assert reason == rig.execute("SELECT reason FROM events ORDER BY id")[-1][0]
    for event in ("not done", "answer"):
        told = [line for line in lines if line["event"] == event]
        assert reason == told[-1]["reason"]
        assert {"operation": operation, "payment_id": P}.items() <= told[-1].items()


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "status_before", "status": 502}, "OutcomeUnknown: HTTP 502"),
    ({"kind": "answer", "body": b"<html>"}, "AnswerNotUnderstood: HTTP 200, not JSON"),
    ({"kind": "reset_before"}, "OutcomeUnknown: ConnectionResetError"),
    ({"kind": "truncated"}, "OutcomeUnknown: IncompleteRead"),
    ({"kind": "slow_after", "seconds": 1}, "OutcomeUnknown: TimeoutError"),
    ({"kind": "status_before", "status": 429}, "ProviderUnavailable: HTTP 429"),
]


@pytest.mark.parametrize(("fault", "reason"), FAULTS, ids=lambda one: str(one)[:40])
def test_a_call_that_failed_is_named(
    rig: Rig,
    company: TranzzoCompany,
    log_lines: list[dict[str, Any]],
    fault: dict[str, Any],
    reason: str,
) -> None:
    rig.configure(CONNECTOR_PROVIDER_SECONDS="0.3")
    rig.add(company)
    company.create(P)
    company.inject(**fault)
    answer = rig.cancel(P).get_json()
    assert_told(rig, log_lines, "cancel", reason)
    calls = [line for line in log_lines if line["event"] == "provider call"]
    failed = [line for line in calls if line["outcome"] != "ok"]
    if not reason.endswith("JSON"):
        assert [reason] == [line["reason"] for line in failed]
    # VTEX is told the company's word, and nothing of how this connector is made.
    assert not any(word in answer["message"] for word in ("Error", "IncompleteRead", "Unknown:"))


def test_a_company_that_is_not_there_is_named(
    rig: Rig, company: TranzzoCompany, log_lines: list[dict[str, Any]]
) -> None:
    rig.add(company)
    rig.configure(CONNECTOR_TRANZZO_URL="http://127.0.0.1:1/api/v1")
    rig.cancel(P)
    assert_told(rig, log_lines, "cancel", "ProviderUnavailable: ConnectionRefusedError")


def test_a_fault_of_ours_is_named_by_its_class(
    rig: Rig,
    company: TranzzoCompany,
    log_lines: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig.add(company)

    def fail(*_: object) -> None:
        raise KeyError("a-secret-word")

    monkeypatch.setattr(rig.connector.providers["tranzzo"], "look", fail)
    assert "internal-error" == rig.cancel(P).get_json()["code"]
    assert_told(rig, log_lines, "cancel", "KeyError")


def create_twice(rig: Rig, company: TranzzoCompany) -> None:
    company.inject("reset_before")
    rig.create(P)
    rig.create(P)


def forget_it(rig: Rig, company: TranzzoCompany) -> None:
    rig.create(P)
    company.orders.clear()
    rig.cancel(P)


def refund_twice(rig: Rig, company: TranzzoCompany) -> None:
    settled(rig, company)
    company.inject("reset_before", "refund")
    rig.refund(P, 30)
    rig.refund(P, 30)


def cancel_twice(rig: Rig, company: TranzzoCompany) -> None:
    """By policy the money is returned."""
    company.create(P, state="captured")
    company.inject("reset_before", "refund")
    rig.cancel(P)
    rig.cancel(P)


def refund_beside_a_cancellation(rig: Rig, company: TranzzoCompany) -> None:
    company.create(P, state="captured")
    company.inject("reset_before", "refund")
    rig.cancel(P)
    rig.refund(P, 10)


def cancel_beside_a_refund(rig: Rig, company: TranzzoCompany) -> None:
    company.create(P, state="captured")
    company.inject("reset_before", "refund")
    rig.refund(P, 10)
    rig.cancel(P)


HELD_BACK: list[tuple[Step, str, str, Rule]] = [
    (create_twice, "create", "OutcomeUnknown", Rule.CREATE_MAY_ARRIVE),
    (forget_it, "cancel", "OutcomeUnknown", Rule.WAS_THERE),
    (refund_twice, "refund", "OutcomeUnknown", Rule.REFUND_MAY_COME),
    (cancel_twice, "cancel", "OutcomeUnknown", Rule.REFUND_MAY_COME),
    (cancel_beside_a_refund, "cancel", "OutcomeUnknown", Rule.REFUND_MAY_COME),
    (refund_beside_a_cancellation, "refund", "OutcomeUnknown", Rule.CANCELLATION_MAY_COME),
]


@pytest.mark.parametrize(("do", "operation", "kind", "rule"), HELD_BACK)
def test_the_rule_that_held_an_operation_back_is_named(
    rig: Rig,
    company: TranzzoCompany,
    log_lines: list[dict[str, Any]],
    do: Step,
    operation: str,
    kind: str,
    rule: Rule,
) -> None:
    rig.add(company, captured="refund")
    do(rig, company)
    assert_told(rig, log_lines, operation, f"{kind}: {rule}")


def test_a_part_that_somebody_returned_holds_the_rest_back(
    rig: Rig, company: TranzzoCompany
) -> None:
    rig.add(company)
    settled(rig, company)
    company.inject("reset_before", "refund")
    rig.refund(P, 30, "first")
    let_a_lease_time_pass(rig)
    assert 200 == rig.refund(P, 20, "second").status_code
    with company.lock:
        company._end("refund", P, Decimal(10))  # a person at the company
    rig.refund(P, 30, "first")
    first = next(row for row in rig.connector.requests.rows() if row.request_id == "first")
    assert f"OutcomeUnknown: {Rule.PART_RETURNED}" == first.reason


def test_another_requests_open_refund_is_named(
    rig: Rig, company: TranzzoCompany, log_lines: list[dict[str, Any]]
) -> None:
    rig.add(company)
    settled(rig, company)
    company.inject("reset_before", "refund")
    rig.refund(P, 30, "first")
    assert "payment-busy" == rig.refund(P, 20, "second").get_json()["code"]
    assert f"PaymentBusy: {Rule.REFUND_MAY_COME}" == log_lines[-1]["reason"]


def test_people_are_shown_the_reason_in_the_list(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    company.create(P)
    company.inject("reset_before")
    rig.cancel(P)
    shown = CliRunner(env=rig.environment).invoke(main, ["operations", "list"]).stdout
    assert shown.rstrip().endswith("OutcomeUnknown: ConnectionResetError")
