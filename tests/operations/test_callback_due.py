"""Whether VTEX is to be called back, and what reconcile and the operator are left with."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from connector.attempt import Attempt
from connector.domain.deadline import Deadline
from connector.domain.operation import (
    REQUESTS,
    DueRequest,
    Operation,
    Outcome,
    Reply,
    Request,
    State,
)
from connector.domain.payment import PaymentKey, PaymentStatus
from connector.idempotency import IdempotentRunner
from tests.storage.store import Store

DONE = Outcome(State.DONE, None, "Done", is_final=True)
WAITING = Outcome(State.WAITING, None, "Not yet")
FAILED = Outcome(State.FAILED, "not-done", "It certainly did not happen")
BY_VTEX = [one for one in Operation if one is not Operation.NOTIFICATION]


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    store = Store(migrated_url)
    yield store
    store.database.close()


def asked(operation: Operation, request_id: str = "request-1", payment_id: str = "P1") -> Request:
    return REQUESTS[operation](1, PaymentKey(payment_id), request_id)


# Who is told. VTEX knows what an answer told it; anything else is news to it.


def becomes(status: PaymentStatus, outcome: Outcome = DONE) -> Callable[[Attempt], Outcome]:
    def work(attempt: Attempt) -> Outcome:
        attempt.payment = attempt.payment.moved(status)
        return outcome

    return work


@dataclass(frozen=True)
class Work:
    """A job without a company: its `work` says what comes of it."""

    request: Request
    work: Callable[[Attempt], Outcome]

    def run(self, attempt: Attempt) -> Outcome:
        return self.work(attempt)

    def reply(self, outcome: Outcome) -> Reply:
        return Reply(200 if outcome.state is State.DONE else 500, outcome.message.encode())


def answered(store: Store, request: Request, work: Callable[[Attempt], Outcome]) -> Reply:
    runner, job = IdempotentRunner(store.requests, 60), Work(request, work)
    claimed = runner.claim(job, Deadline.after(10))
    return claimed if isinstance(claimed, Reply) else runner.run(job, claimed)


def reconciled(store: Store, work: Callable[[Attempt], Outcome]) -> DueRequest:
    """Let reconcile look at the one request that is due after a while."""
    store.run("UPDATE requests SET next_look_at = 1 WHERE next_look_at IS NOT NULL")
    (due,) = store.requests.due(10)
    runner, job = IdempotentRunner(store.requests, 60), Work(due.request, work)
    attempt = runner.claim_due(due, Deadline.after(10))
    assert attempt
    runner.run(job, attempt)
    return due


def is_due(store: Store) -> bool:
    return [] != store.payments.due_callbacks(10)


@pytest.fixture
def created(store: Store) -> Store:
    """A payment that waits for its buyer; VTEX gave an address for news of it."""

    def work(attempt: Attempt) -> Outcome:
        attempt.payment = replace(attempt.payment, amount=Decimal(10), callback_address="sealed")
        return WAITING

    answered(store, asked(Operation.CREATE), work)
    assert not is_due(store)
    return store


@pytest.mark.parametrize("status", [PaymentStatus.APPROVED, PaymentStatus.DENIED])
def test_what_reconcile_finds_is_news(created: Store, status: PaymentStatus) -> None:
    reconciled(created, becomes(status))
    assert (True, status) == (is_due(created), created.known().status)


@pytest.mark.parametrize("status", [PaymentStatus.APPROVED, PaymentStatus.DENIED])
def test_what_a_notification_brings_is_news(created: Store, status: PaymentStatus) -> None:
    created.run("UPDATE requests SET next_look_at = NULL")
    created.requests.record_notification(asked(Operation.NOTIFICATION, "message-1"))
    reconciled(created, becomes(status))
    assert is_due(created)


def test_that_the_buyer_still_waits_is_no_news(created: Store) -> None:
    reconciled(created, lambda _: WAITING)
    assert not is_due(created)


def test_that_vtexs_own_cancellation_is_done_is_no_news(created: Store) -> None:
    reconciled(created, becomes(PaymentStatus.CANCELLED))
    assert not is_due(created)


@pytest.mark.parametrize("operation", BY_VTEX)
def test_what_vtex_is_told_in_an_answer_is_no_news(created: Store, operation: Operation) -> None:
    answered(created, asked(operation), becomes(PaymentStatus.APPROVED))
    assert not is_due(created)


@pytest.mark.parametrize(
    ("operation", "becoming"),
    [
        (Operation.CANCEL, PaymentStatus.CANCELLED),
        (Operation.SETTLE, PaymentStatus.SETTLED),
    ],
)
def test_news_that_vtex_knows_by_now_is_dropped(
    created: Store, operation: Operation, becoming: PaymentStatus
) -> None:
    reconciled(created, becomes(PaymentStatus.APPROVED))
    assert is_due(created)
    answered(created, asked(operation, "request-2"), becomes(becoming))
    assert not is_due(created)


def test_what_an_answer_tells_is_due_in_case_it_is_not_sent(created: Store) -> None:
    answered(created, asked(Operation.CREATE), becomes(PaymentStatus.APPROVED))
    assert (False, True) == (is_due(created), created.known().is_callback_due)


@pytest.mark.parametrize("operation", [Operation.CANCEL, Operation.SETTLE, Operation.REFUND])
def test_an_operation_that_came_to_nothing_tells_vtex_nothing(
    created: Store, operation: Operation
) -> None:
    reconciled(created, becomes(PaymentStatus.APPROVED))
    answered(created, asked(operation, "request-2"), lambda _: FAILED)
    assert is_due(created)


def test_news_stays_due_whatever_reconcile_does_next(created: Store) -> None:
    reconciled(created, becomes(PaymentStatus.APPROVED, WAITING))
    reconciled(created, lambda _: WAITING)
    reconciled(created, lambda _: DONE)
    assert is_due(created)


def test_an_answer_that_the_buyer_still_waits_drops_nothing(created: Store) -> None:
    created.run("UPDATE payments SET callback_at = 1")
    answered(created, asked(Operation.CREATE), lambda _: WAITING)
    assert is_due(created)


# What reconcile looks at, and what becomes the operator's.


@pytest.mark.parametrize("operation", list(Operation))
def test_only_what_may_have_happened_is_looked_at_but_for_what_is_wanted_anyway(
    store: Store, operation: Operation
) -> None:
    open_states = {State.UNKNOWN, State.WAITING}
    wanted = {Operation.CANCEL, Operation.NOTIFICATION}
    expected = {State.FAILED, State.MANUAL, *open_states} if operation in wanted else open_states
    for state in set(State) - {State.RUNNING}:
        outcome = Outcome(state, "any", "Any")
        answered(store, asked(operation, payment_id=state), lambda _, one=outcome: one)
    looked_at = store.all("SELECT payment_id FROM requests WHERE next_look_at IS NOT NULL")
    assert expected == {State(payment_id) for (payment_id,) in looked_at}


# After 1, 5 and 15 minutes, 1 and 4 hours, then daily for a week.
LOOKS = 12


def given_up(store: Store, operation: Operation, outcome: Outcome) -> State:
    """Let reconcile look in vain as often as it does; return the state that is left."""
    answered(store, asked(operation), lambda _: WAITING)
    store.run("UPDATE requests SET looks = :looks", looks=LOOKS - 1)
    reconciled(store, lambda _: outcome)
    assert [(None,)] == store.all("SELECT next_look_at FROM requests")
    (row,) = store.requests.rows()
    return row.state


@pytest.mark.parametrize("operation", [one for one in BY_VTEX if one is not Operation.CREATE])
def test_what_reconcile_cannot_find_out_is_the_operators(
    store: Store, operation: Operation
) -> None:
    assert State.MANUAL is given_up(store, operation, WAITING)


def test_a_payment_nobody_pays_is_never_the_operators(store: Store) -> None:
    assert State.WAITING is given_up(store, Operation.CREATE, WAITING)


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.SETTLE, Operation.REFUND])
def test_what_reconcile_finds_certainly_not_done_is_failed_and_vtexs_to_ask_again(
    store: Store, operation: Operation
) -> None:
    answered(store, asked(operation), lambda _: WAITING)
    reconciled(store, lambda _: FAILED)
    (row,) = store.requests.rows()
    assert (State.FAILED, [(None,)]) == (
        row.state,
        store.all("SELECT next_look_at FROM requests"),
    )
    assert b"Done" == answered(store, asked(operation), lambda _: DONE).body


def test_a_cancellation_that_failed_is_wanted_until_it_is_the_operators(store: Store) -> None:
    assert State.MANUAL is given_up(store, Operation.CANCEL, FAILED)


def test_reconcile_does_not_say_that_vtex_waits(store: Store) -> None:
    seen: list[bool] = []

    def work(attempt: Attempt) -> Outcome:
        seen.append(attempt.vtex_waits)
        return WAITING

    answered(store, asked(Operation.SETTLE), work)
    reconciled(store, work)
    assert [True, False] == seen


def test_a_fault_of_ours_is_logged_and_gives_the_payment_free(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def work(_: Attempt) -> Outcome:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        reply = answered(store, asked(Operation.SETTLE), work)

    assert (500, ["operation failed"]) == (reply.status, [one.msg for one in caplog.records])
    assert b"Done" == answered(store, asked(Operation.SETTLE), lambda _: DONE).body
