"""`connector operations show` tells a payment's story."""

import getpass
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.cli.shell import Operator
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.operations.lifetime import P
from tests.sink import Sink

KEYS = [
    "at",
    "step",
    "operation",
    "requestId",
    "attempt",
    "action",
    "reference",
    "amount",
    "word",
    "httpStatus",
    "state",
    "code",
    "message",
    "reason",
    "who",
    "note",
]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def vtex(operator_on_both: Operator) -> Iterator[Sink]:
    with Sink() as opened:
        operator_on_both.rig.configure(CONNECTOR_CALLBACK_HOSTS=opened.host)
        yield opened


def story(operator: Operator, payment: str = P, *more: str) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = operator.json("operations", "show", payment, *more)
    assert all(KEYS == list(step) for step in told)
    return told


def outline(steps: list[dict[str, Any]]) -> list[str]:
    """Each step in a line: what it is, and what is known of it."""
    names = ("operation", "step", "action", "word", "httpStatus", "code", "message")
    return [" ".join(str(step[name]) for name in names if step[name]) for step in steps]


def test_a_whole_payment_is_told_in_order(
    operator_on_both: Operator, company: TranzzoCompany, vtex: Sink
) -> None:
    rig = operator_on_both.rig
    rig.add(company)
    rig.create(P, callbackUrl=vtex.url)
    company.pay(P)
    rig.notify(company, P)
    rig.settle(P)
    refund_id = rig.refund(P, 30).json["refundId"]

    told = story(operator_on_both)

    assert [
        "create asked",
        "create sent create",
        "create answered create 200 pending",
        "create told PENDING 200 The buyer has not paid yet",
        "notification notified",
        "notification answered look auth success 1002 200 held",
        "notification ended The payment is APPROVED",
        "create called-back APPROVED 200",
        "settle asked",
        "settle answered look auth success 1002 200 held",
        "settle sent settle",
        "settle answered settle capture success 1000 200 done",
        "settle told 200 Settled",
        "refund asked",
        "refund answered look auth success 1002 200 captured",
        "refund sent asked-refund",
        "refund answered asked-refund refund success 1000 200 done",
        "refund told 200 Refunded",
    ] == outline(told)
    asked = {step["operation"]: step for step in told if step["step"] == "asked"}
    assert ["", "settle-1", "refund-1"] == [step["requestId"] for step in asked.values()]
    sent = {step["operation"]: step for step in told if step["step"] == "sent"}
    assert "30" == asked["refund"]["amount"] == sent["refund"]["amount"]
    references = rig.execute("SELECT reference FROM sends ORDER BY sent_at")
    assert [row[0] for row in references] == [step["reference"] for step in sent.values()]
    answers = {step["operation"]: step for step in told if step["step"] == "told"}
    assert refund_id == answers["refund"]["reference"]
    assert ("100.0", "30") == (answers["settle"]["amount"], answers["refund"]["amount"])
    assert {1} == {step["attempt"] for step in told} - {None}
    times = [datetime.fromisoformat(step["at"]) for step in told]
    assert times == sorted(times)


def test_a_lost_answer_and_what_came_of_it_are_told(
    operator: Operator, company: TranzzoCompany
) -> None:
    operator.rig.add(company)
    company.create(P)
    company.inject("reset_after", "void")
    company.inject("status_before", "look", status=502)
    operator.rig.cancel(P)
    operator.rig.cancel(P)
    operator.rig.reconcile()

    told = story(operator)

    lost = next(step for step in told if step["reason"])
    assert ("answered", "look", 502, "OutcomeUnknown: HTTP 502") == (
        lost["step"],
        lost["action"],
        lost["httpStatus"],
        lost["reason"],
    )
    unanswered = next(step for step in told if step["step"] == "unanswered")
    assert ("release", None) == (unanswered["action"], unanswered["httpStatus"])
    assert unanswered["reason"].startswith("OutcomeUnknown: ")
    ends = [(step["attempt"], step["httpStatus"]) for step in told if step["step"] == "told"]
    assert (1, 500) == ends[0]
    (void,) = [step for step in told if step["step"] == "sent"]
    assert void["reference"] in str(company.calls_of("void")[0].body)


def test_what_a_person_closed_names_who_said_so(
    operator_on_both: Operator, company: TranzzoCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = operator_on_both.rig
    rig.add(company)
    company.create(P, state="captured")
    rig.cancel(P)
    user = getpass.getuser()
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")

    operator_on_both.json("operations", "close", "shop", P)

    closed = story(operator_on_both)[-1]
    assert ("closed", "done", "An operator closed it", user) == (
        closed["step"],
        closed["state"],
        closed["message"],
        closed["who"],
    )


def test_people_are_told_it_in_lines(operator: Operator, company: TranzzoCompany) -> None:
    operator.rig.add(company)
    company.create(P, state="captured")
    operator.rig.cancel(P)
    lines = operator.run("operations", "show", P).stdout.splitlines()
    assert ["at", "step", "operation", "requestId", "attempt", "what"] == lines[0].split()
    assert ["asked", "answered", "told"] == [line.split()[1] for line in lines[1:]]
    assert lines[1].endswith("all of it")
    assert lines[2].endswith('look, "auth success 1002", HTTP 200, read as captured')
    assert lines[3].endswith(
        "HTTP 501, code cancel-manually, This payment needs to be cancelled manually: "
        "the money is already captured"
    )


def test_each_thing_in_a_line_has_its_name(
    operator_on_both: Operator, company: TranzzoCompany, vtex: Sink
) -> None:
    rig = operator_on_both.rig
    rig.add(company)
    rig.create(P, callbackUrl=vtex.url)
    company.pay(P)
    rig.notify(company, P)
    company.inject("reset_before", "look")
    rig.configure(CONNECTOR_ANSWER_SECONDS="1.5")
    rig.refund(P, 30)
    table = operator_on_both.run("operations", "show", P).stdout.splitlines()[1:]
    lines = [" ".join(line.split()[1:]) for line in table]
    reference = story(operator_on_both)[1]["reference"]
    assert f"sent create - 1 create, reference {reference}" in lines
    assert "ended notification - 1 The payment is APPROVED" in lines
    assert "called-back create - 1 status APPROVED, HTTP 200" in lines
    assert "asked refund refund-1 1 amount 30" in lines
    assert any(line.startswith("unanswered refund refund-1 1 look, why: ") for line in lines)


def test_a_company_that_was_not_called_did_not_answer(operator: Operator) -> None:
    """RuStore cannot be asked about a purchase that nobody has named yet."""
    with RuStore() as rustore:
        operator.rig.add(rustore)
        operator.rig.create(P)
        assert [] == rustore.calls
        assert ["asked", "told"] == [step["step"] for step in story(operator)]


def test_an_approved_payment_is_called_approved(
    operator: Operator, company: TranzzoCompany
) -> None:
    operator.rig.add(company)
    operator.rig.create(P)
    company.pay(P)
    operator.rig.create(P)
    told = story(operator)[-1]
    assert ("told", "APPROVED", "The payment is APPROVED") == (
        told["step"],
        told["word"],
        told["message"],
    )


def test_a_payment_of_several_merchants_needs_a_merchant(operator: Operator) -> None:
    operator.rig.add()
    operator.rig.add(name="other")
    for name in ("shop", "other"):
        operator.rig.cancel("P1", f"request-of-{name}", merchant=name)
    message = operator.fails("operations", "show", "P1")
    assert "--merchant: several have a payment of this id; give one of 'other', 'shop'" in message
    told = story(operator, "P1", "--merchant", "other")
    assert {"request-of-other"} == {step["requestId"] for step in told}


def test_what_is_not_there_is_said(operator: Operator) -> None:
    operator.rig.add()
    operator.rig.cancel("P1")
    assert "PAYMENT: there is none of the id P2" in operator.fails("operations", "show", "P2")
    message = operator.fails("operations", "show", "P1", "--merchant", "nobody")
    assert "--merchant: 'nobody' has no such payment; those that have: 'shop'" in message
    assert "PAYMENT: VTEX's are" in operator.fails("operations", "show", "a b")


def test_a_clock_that_jumped_does_not_change_the_order(
    operator_on_both: Operator, company: TranzzoCompany
) -> None:
    rig = operator_on_both.rig
    rig.add(company)
    company.create(P)
    rig.cancel(P)
    before = outline(story(operator_on_both))
    rig.execute("UPDATE events SET at = 2000000000 - id")
    assert before == outline(story(operator_on_both))


def test_what_vtex_was_told_is_told_of_a_refund_that_is_on_the_operators_list(
    operator: Operator, company: TranzzoCompany
) -> None:
    """Its row is a person's; VTEX was told that it failed, not that a person must do it."""
    rig = operator.rig
    rig.configure(CONNECTOR_ANSWER_SECONDS="1.5")
    rig.add(company)
    company.create(P, state="captured")
    company.inject("reset_before", "refund")
    answer = rig.refund(P, 10)
    told = story(operator)[-1]
    assert ("told", "manual") == (told["step"], told["state"])
    assert (answer.status_code, answer.get_json()["code"]) == (told["httpStatus"], told["code"])
    assert 500 == answer.status_code
