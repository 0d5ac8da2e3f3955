"""What became of an earlier write, by its state, its age and what a look shows."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from connector.attempt import Attempt
from connector.domain.deadline import Deadline
from connector.domain.errors import OutcomeUnknown, PaymentBusy
from connector.domain.operation import Lease, RefundRequest
from connector.domain.payment import Effect, Look, Payment, PaymentKey, Standing
from connector.domain.write import Write, WriteState
from connector.operations import writes

LEASE_SECONDS = 23.0
KEY = PaymentKey("P1")
CLAIM = RefundRequest(1, KEY, "request-1", Decimal(10)).claim_id
OPEN, ACCEPTED, LOST = WriteState.OPEN, WriteState.ACCEPTED, WriteState.LOST
DONE, FAILED, REFUSED = WriteState.DONE, WriteState.FAILED, WriteState.REFUSED
CAPTURED = Look(Standing.CAPTURED)
PARTLY = Look(Standing.PARTLY_REFUNDED, refunded=Decimal(10))


def refund(state: WriteState = OPEN, number: int = 1, **values: Any) -> Write:
    known = {"claim_id": CLAIM, "amount": Decimal(10), "refunded_before": Decimal()} | values
    return Write("asked-refund", number, f"reference-{number}", state, **known)


def attempt_with(*sent: Write, **payment: Any) -> Attempt:
    known = replace(Payment(KEY), **payment)
    lease = Lease(CLAIM, "token", LEASE_SECONDS, 1, known, sent)
    return Attempt(cast("Any", None), lease, Deadline.after(10))


@pytest.mark.parametrize("state", list(WriteState))
@pytest.mark.parametrize("age", [0.0, LEASE_SECONDS - 0.1, LEASE_SECONDS, 9999.0])
def test_only_a_write_that_was_never_answered_ends_with_time(state: WriteState, age: float) -> None:
    write = refund(state, age=age)
    expected = state is OPEN and age >= LEASE_SECONDS
    assert expected == writes.has_surely_ended(write, attempt_with(write))


@pytest.mark.parametrize(
    ("write", "is_idempotent", "may"),
    [
        (refund(), False, False),
        (refund(age=LEASE_SECONDS), False, True),
        (refund(ACCEPTED, age=LEASE_SECONDS), False, False),
        (refund(), True, True),
        (refund(ACCEPTED), True, True),
    ],
)
def test_a_repeat_is_no_second_effect_where_the_company_knows_it_or_the_first_has_ended(
    write: Write, is_idempotent: bool, may: bool
) -> None:
    attempt = attempt_with(write)
    assert may == writes.may_be_repeated(write, attempt, is_idempotent=is_idempotent)


LOOKS = [
    (CAPTURED, None),
    (replace(CAPTURED, write_effect=Effect.ACCEPTED), Effect.ACCEPTED),
    (replace(PARTLY, write_effect=Effect.FAILED), Effect.FAILED),
    (PARTLY, Effect.DONE),
    (replace(PARTLY, refunded=Decimal("9.99")), None),
    (replace(PARTLY, refunded=Decimal("9.99"), failures=1), Effect.FAILED),
    (Look(Standing.UNDONE), Effect.DONE),
    (Look(Standing.UNDONE, refunded=Decimal(5)), None),
    (Look(Standing.WORKING), Effect.ACCEPTED),
    (replace(CAPTURED, failures=1), Effect.FAILED),
]


@pytest.mark.parametrize(("look", "effect"), LOOKS)
def test_a_look_shows_the_effect_of_a_refund(look: Look, effect: Effect | None) -> None:
    assert effect == writes.effect_of(refund(), look)


@pytest.mark.parametrize("look", [look for look, _ in LOOKS])
def test_a_look_shows_nothing_of_a_refund_that_was_not_sent(look: Look) -> None:
    assert writes.effect_of(None, look) is None


def test_the_failures_that_a_look_showed_before_are_not_the_writes() -> None:
    look = replace(CAPTURED, failures=2)
    assert writes.has_failed(refund(failures_before=1), look)
    assert not writes.has_failed(refund(failures_before=2), look)
    assert not writes.has_failed(None, look)


@pytest.mark.parametrize(
    ("look", "may"),
    [(CAPTURED, True), (Look(Standing.WORKING), True), (PARTLY, False)],
)
def test_a_refund_without_a_trace_may_come_as_one_that_is_worked_on(look: Look, may: bool) -> None:
    assert may == writes.may_take_effect_later(refund(), look)


@pytest.mark.parametrize(
    ("amount", "failures", "nothing"), [(10, 0, False), (9, 0, True), (10, 1, True)]
)
def test_a_settlement_of_another_amount_took_nothing_where_all_is_held(
    amount: int, failures: int, nothing: bool
) -> None:
    write = Write("settle", 1, "r", amount=Decimal(amount))
    look = Look(Standing.HELD, failures=failures)
    assert nothing == writes.took_nothing(write, look, Decimal(10))
    assert not writes.took_nothing(None, look, Decimal(10))


@pytest.mark.parametrize(
    ("age", "is_new_write", "is_idempotent", "is_ended"),
    [
        (LEASE_SECONDS, False, True, True),
        (LEASE_SECONDS, False, False, False),
        (LEASE_SECONDS, True, True, False),
        (0.0, False, True, False),
    ],
)
def test_a_refused_repeat_ends_a_refund_that_does_not_run_any_more(
    age: float, is_new_write: bool, is_idempotent: bool, is_ended: bool
) -> None:
    write = refund(age=age)
    attempt = attempt_with(write)
    attempt.is_new_write = is_new_write
    ended = writes.is_repeat_refused_for_good(write, attempt, is_idempotent=is_idempotent)
    assert is_ended == ended


def test_only_the_earlier_ends_of_a_kind_are_counted() -> None:
    earlier = [Write("release", n, "r", s) for n, s in enumerate([FAILED, REFUSED, FAILED])]
    attempt = attempt_with(*earlier, Write("cancel", 1, "r"))
    attempt.move(earlier[0], FAILED)
    attempt.move(attempt.writes[-1], FAILED)

    counted = [writes.earlier_ends(attempt, "release", state) for state in (FAILED, REFUSED)]
    assert ([2, 1], 0) == (counted, writes.earlier_ends(attempt, "cancel", FAILED))


def test_a_request_is_refunded_by_its_own_refund_only() -> None:
    assert writes.is_refunded(attempt_with(refund(DONE)))
    assert not writes.is_refunded(attempt_with(refund(DONE, claim_id="another")))
    assert not writes.is_refunded(attempt_with(refund(ACCEPTED)))


def test_a_requests_refunds_that_failed_or_were_refused_are_counted() -> None:
    states = [FAILED, REFUSED, DONE, LOST, OPEN]
    own = [refund(state, number) for number, state in enumerate(states)]
    another = refund(FAILED, 9, claim_id="another")
    assert 2 == writes.refund_failures(attempt_with(*own, another))


CREATES = [
    ([], None, False),
    ([OPEN], 0, False),
    ([DONE], 0, True),
    ([OPEN, REFUSED], 0, False),
    ([FAILED, OPEN, WriteState.WITHDRAWN], 1, False),
    ([REFUSED, FAILED], None, False),
]


@pytest.mark.parametrize(("states", "latest", "has_created"), CREATES)
def test_the_latest_create_is_the_one_that_may_have_reached_the_company(
    states: list[WriteState], latest: int | None, has_created: bool
) -> None:
    creates = [Write("create", number, "r", state) for number, state in enumerate(states)]
    attempt = attempt_with(*creates)
    expected = None if latest is None else creates[latest]
    assert (expected, has_created) == (writes.latest_create(attempt), writes.has_created(attempt))


@pytest.mark.parametrize(
    ("write", "is_shown"),
    [
        (Write("create", 1, "r"), True),
        (Write("create", 1, "r", age=LEASE_SECONDS), False),
        (Write("create", 1, "r", DONE, age=LEASE_SECONDS), True),
        (Write("create", 1, "r", REFUSED), False),
        (Write("release", 1, "r", REFUSED), True),
        (Write("settle", 1, "r", age=LEASE_SECONDS), True),
    ],
)
def test_a_write_shows_that_the_payment_is_there_but_for_a_create_without_an_answer(
    write: Write, is_shown: bool
) -> None:
    assert is_shown == writes.payment_may_exist(attempt_with(write))


@pytest.mark.parametrize("state", [OPEN, ACCEPTED, LOST])
def test_what_may_be_our_refund_is_not_a_persons(state: WriteState) -> None:
    done, maybe = refund(DONE, 1), refund(state, 2)
    look = replace(PARTLY, refunded=Decimal(25))
    assert 15 == writes.refunded_by_a_person(look, attempt_with(done))
    assert 0 == writes.refunded_by_a_person(look, attempt_with(done, maybe))


def test_what_went_back_is_what_is_recorded_or_what_is_shown() -> None:
    attempt = attempt_with(refund(DONE, 1), refund(DONE, 2, amount=Decimal(5)), refund(OPEN, 3))
    assert 15 == writes.refunded_by_vtex(attempt)
    shown = [replace(PARTLY, refunded=Decimal(amount)) for amount in (10, 20)]
    assert [15, 15, 20] == [writes.refunded(look, attempt) for look in (CAPTURED, *shown)]


def test_where_no_amount_is_shown_a_payment_that_is_undone_is_all_refunded() -> None:
    attempt = attempt_with(refund(DONE), settled=Decimal(100))
    assert 90 == writes.refunded_beyond_vtex(Look(Standing.UNDONE), attempt)


@pytest.mark.parametrize(
    ("write", "look", "state"),
    [
        (refund(), PARTLY, DONE),
        (refund(), replace(CAPTURED, failures=1), FAILED),
        # It is repeated under its reference, or given up by reconcile.
        (refund(age=LEASE_SECONDS), CAPTURED, OPEN),
        (refund(age=LEASE_SECONDS, claim_id="another"), CAPTURED, LOST),
        (refund(claim_id="another"), PARTLY, DONE),
    ],
)
def test_an_open_refund_is_found_out(write: Write, look: Look, state: WriteState) -> None:
    attempt = attempt_with(write)
    writes.record_refund_end(write, look, attempt, is_idempotent=False)
    assert [state] == [one.state for one in attempt.writes]


@pytest.mark.parametrize(
    ("write", "look", "is_idempotent", "error"),
    [
        (refund(), CAPTURED, False, OutcomeUnknown),
        (refund(ACCEPTED, age=LEASE_SECONDS), CAPTURED, False, OutcomeUnknown),
        (refund(claim_id="another"), CAPTURED, False, PaymentBusy),
        (refund(claim_id="another"), CAPTURED, True, PaymentBusy),
        (refund(claim_id="another"), Look(Standing.WORKING), True, PaymentBusy),
    ],
)
def test_while_a_refund_may_come_no_other_one_begins(
    write: Write, look: Look, is_idempotent: bool, error: type[Exception]
) -> None:
    attempt = attempt_with(write)
    with pytest.raises(error):
        writes.record_refund_end(write, look, attempt, is_idempotent=is_idempotent)
    assert {} == attempt.write_states


def test_a_repeat_that_the_company_knows_need_not_wait() -> None:
    attempt = attempt_with(refund())
    writes.record_refund_end(refund(), CAPTURED, attempt, is_idempotent=True)
    assert {} == attempt.write_states


@pytest.mark.parametrize(
    ("write", "look", "state"),
    [
        (refund(), replace(CAPTURED, failures=1), FAILED),
        (refund(age=LEASE_SECONDS), CAPTURED, LOST),
    ],
)
def test_a_refund_that_is_over_returns_no_money_beside_a_cancellation(
    write: Write, look: Look, state: WriteState
) -> None:
    attempt = attempt_with(write)
    writes.rule_out_a_refund(write, look, attempt)
    assert [state] == [one.state for one in attempt.writes]


@pytest.mark.parametrize(
    ("write", "look"),
    [(refund(), CAPTURED), (refund(), PARTLY), (refund(age=99.0), Look(Standing.WORKING))],
)
def test_a_refund_that_may_return_money_holds_a_cancellation_back(write: Write, look: Look) -> None:
    with pytest.raises(OutcomeUnknown):
        writes.rule_out_a_refund(write, look, attempt_with(write))


def test_a_cancellation_that_returns_money_holds_a_refund_back() -> None:
    young, old = (Write("refund", 1, "r", age=age) for age in (0.0, LEASE_SECONDS))
    with pytest.raises(OutcomeUnknown):
        writes.rule_out_a_cancellation(attempt_with(young))
    attempt = attempt_with(old, Write("cancel", 1, "r"), Write("release", 1, "r", ACCEPTED))
    writes.rule_out_a_cancellation(attempt)
    assert [LOST] * 3 == [write.state for write in attempt.writes]


@pytest.mark.parametrize(("returned", "state"), [(0, LOST), (10, DONE), (11, DONE)])
def test_a_lost_refund_that_took_effect_is_recognised(returned: int, state: WriteState) -> None:
    attempt = attempt_with(refund(LOST))
    look = replace(PARTLY, refunded=Decimal(returned))
    writes.find_a_lost_refund(look, attempt, Decimal(10))
    assert [state] == [one.state for one in attempt.writes]


def test_beside_a_part_that_a_person_may_have_returned_nothing_is_sent() -> None:
    look = replace(PARTLY, refunded=Decimal(9))
    with pytest.raises(OutcomeUnknown):
        writes.find_a_lost_refund(look, attempt_with(refund(LOST)), Decimal(10))
