"""One attempt at a request: what it may send, and what it leaves."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector.attempt import Attempt
from connector.domain.deadline import Deadline
from connector.domain.errors import LeaseLost
from connector.domain.operation import REQUESTS, Operation, Request, write_reference
from connector.domain.payment import Effect, PaymentKey
from connector.domain.write import Write, WriteState
from tests.storage.store import Store


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    store = Store(migrated_url)
    yield store
    store.database.close()


def asked(operation: Operation, request_id: str = "request-1", **values: Any) -> Request:
    return REQUESTS[operation](1, PaymentKey("P1"), request_id, **values)


def begin(store: Store, request: Request) -> Attempt:
    return Attempt(store.requests, store.lease(request), Deadline.after(10))


def end(store: Store, attempt: Attempt) -> None:
    store.end(attempt.lease, payment=attempt.payment, write_states=attempt.write_states)


def sends(store: Store) -> dict[tuple[str, int], str]:
    return {
        (action, number): state
        for action, number, state in store.all("SELECT action, number, state FROM sends")
    }


CANCEL = asked(Operation.CANCEL)


# Writes.


def test_a_write_is_recorded_when_it_is_started_with_all_that_is_known(store: Store) -> None:
    attempt = begin(store, CANCEL)
    attempt.payment = replace(attempt.payment, sandbox=True)
    amount, refunded = Decimal("0.10"), Decimal("2.50")

    reference = attempt.start_write("refund", 3, amount=amount, refunded=refunded)

    store.let_the_lease_end()
    lease = store.lease(asked(Operation.CANCEL, "request-2"))
    (send,) = lease.writes
    assert send == Write(
        "refund", 1, reference, WriteState.OPEN, send.age, 3, CANCEL.claim_id, amount, refunded
    )
    assert lease.payment.sandbox is True


def test_writes_are_numbered_by_their_kind(store: Store) -> None:
    attempt = begin(store, CANCEL)
    for action in ("cancel", "release", "refund"):
        attempt.start_write(action, 0)
    assert {("cancel", 1), ("release", 1), ("refund", 1)} == set(sends(store))
    assert 3 == len({send.reference for send in attempt.writes})


def test_an_open_write_keeps_its_reference_in_every_later_turn(store: Store) -> None:
    first = begin(store, CANCEL)
    references = [first.start_write("release", 0), first.start_write("release", 0)]
    end(store, first)
    for request in (CANCEL, asked(Operation.CANCEL, "request-2")):
        later = begin(store, request)
        references.append(later.start_write("release", 1))
        assert not later.is_new_write
        end(store, later)
    assert 1 == len(set(references))
    assert {("release", 1): "open"} == sends(store)


@pytest.mark.parametrize("effect", [Effect.FAILED, Effect.REFUSED, Effect.DONE])
def test_after_a_write_that_ended_the_next_one_has_a_reference_of_its_own(
    store: Store, effect: Effect
) -> None:
    first = begin(store, CANCEL)
    references = [first.start_write("release", 0)]
    first.end_write(effect)
    end(store, first)
    later = begin(store, CANCEL)
    references.append(later.start_write("release", 0))
    assert later.is_new_write
    assert 2 == len(set(references))
    assert {("release", 1): effect.name.lower(), ("release", 2): "open"} == sends(store)


def test_a_write_that_was_accepted_is_still_open(store: Store) -> None:
    attempt = begin(store, CANCEL)
    attempt.start_write("release", 0)
    attempt.end_write(Effect.ACCEPTED)
    end(store, attempt)
    assert {("release", 1): "accepted"} == sends(store)
    assert begin(store, CANCEL).open_write("release")


def test_a_failed_write_is_closed_when_a_new_one_is_started_not_before(store: Store) -> None:
    first = begin(store, CANCEL)
    first.start_write("release", 0)
    end(store, first)
    later = begin(store, CANCEL)
    later.start_write("release", 1, is_new=True)
    # As a worker leaves it that is killed now.
    assert {("release", 1): "failed", ("release", 2): "open"} == sends(store)


def test_what_was_not_sent_is_withdrawn_and_its_reference_is_used_by_the_next(
    store: Store,
) -> None:
    first = begin(store, CANCEL)
    references = [first.start_write("release", 0)]
    first.withdraw_write()
    end(store, first)
    assert {("release", 1): "withdrawn"} == sends(store)
    references.append(begin(store, CANCEL).start_write("release", 0))
    assert 1 == len(set(references))
    assert {("release", 1): "withdrawn", ("release", 2): "open"} == sends(store)


def test_a_reference_depends_on_the_own_writes_of_a_request_only(store: Store) -> None:
    first, other = (asked(Operation.REFUND, one, value=Decimal(1)) for one in ("1", "2"))
    alone = next(begin(store, other).references("asked-refund"))
    store.let_the_lease_end()
    for effect in (Effect.DONE, Effect.FAILED):
        attempt = begin(store, first)
        attempt.start_write("asked-refund", 0)
        attempt.end_write(effect)
        end(store, attempt)
    assert alone == begin(store, other).start_write("asked-refund", 0)


def test_a_reference_of_a_version_that_counted_all_of_a_payment_is_not_used_again(
    store: Store,
) -> None:
    attempt = begin(store, CANCEL)
    used = write_reference(CANCEL.claim_id, "release", 2)
    attempt.writes = [Write("release", 2, used, WriteState.FAILED, claim_id=CANCEL.claim_id)]
    references = [attempt.start_write("release", 0), attempt.start_write("release", 0, is_new=True)]
    assert used not in references
    assert 2 == len(set(references))


def test_a_repeat_that_was_not_sent_leaves_the_first_one_open(store: Store) -> None:
    first = begin(store, CANCEL)
    first.start_write("release", 0)
    end(store, first)
    later = begin(store, CANCEL)
    later.start_write("release", 0)
    later.withdraw_write()
    end(store, later)
    assert {("release", 1): "open"} == sends(store)


def test_a_repeat_that_was_not_sent_stays_open_after_a_new_write_of_another_kind(
    store: Store,
) -> None:
    first = begin(store, CANCEL)
    first.start_write("cancel", 0)
    end(store, first)
    later = begin(store, asked(Operation.CREATE))
    later.start_write("create", 0)
    later.end_write(Effect.REFUSED)
    later.start_write("cancel", 0)
    later.withdraw_write()
    end(store, later)
    assert {("cancel", 1): "open", ("create", 1): "refused"} == sends(store)


def test_the_refunds_of_two_requests_have_different_references(store: Store) -> None:
    attempts = []
    for request_id in ("request-1", "request-2"):
        attempt = begin(store, asked(Operation.REFUND, request_id, value=Decimal("1.00")))
        attempt.start_write("asked-refund", 0, amount=Decimal("1.00"))
        attempt.end_write(Effect.DONE)
        end(store, attempt)
        attempts.append(attempt)
    found = begin(store, CANCEL).writes
    assert 2 == len({send.reference for send in found})
    assert [attempt.lease.claim_id for attempt in attempts] == [send.claim_id for send in found]


def test_the_latest_open_write_of_the_kinds_is_found(store: Store) -> None:
    attempt = begin(store, CANCEL)
    for action in ("cancel", "release", "refund"):
        attempt.start_write(action, 0)
    attempt.end_write(Effect.DONE)
    found = attempt.open_write("cancel", "release", "refund")
    assert found
    assert "release" == found.action
    assert attempt.open_write("refund") is None


def test_who_lost_the_turn_gets_no_reference(store: Store) -> None:
    attempt = begin(store, CANCEL)
    store.let_the_lease_end()
    begin(store, asked(Operation.CANCEL, "request-2"))
    with pytest.raises(LeaseLost):
        attempt.start_write("release", 0)
    assert {} == sends(store)
