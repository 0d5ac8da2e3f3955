import time
from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest

from connector.domain.errors import LeaseLost
from connector.domain.operation import (
    CancelRequest,
    Lease,
    Reply,
    State,
    StoredReply,
)
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.write import Write, WriteState
from tests.storage.store import (
    DONE,
    REPLY,
    SEND,
    TABLES,
    Store,
    as_cancelled,
    asked,
    in_threads,
)

# Claims.


def test_of_fifty_identical_requests_one_gets_the_turn(store: Store) -> None:
    found = in_threads(50, lambda _: store.claim(asked()))
    assert {"Lease": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)
    contents = store.contents()
    assert (1, 1) == (len(contents["requests"]), len(contents["payments"]))


def test_of_fifty_requests_of_one_payment_one_gets_the_turn(store: Store) -> None:
    found = in_threads(50, lambda number: store.claim(asked(f"request-{number}")))
    assert {"Lease": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)
    contents = store.contents()
    assert (1, 1) == (len(contents["requests"]), len(contents["payments"]))


def test_fifty_payments_are_claimed_at_once(store: Store) -> None:
    found = in_threads(50, lambda number: store.claim(asked(payment_id=f"P{number}")))
    assert {"Lease": 50} == Counter(type(one).__name__ for one in found)
    assert 50 == len({one.token for one in found})


def test_of_fifty_that_take_over_an_ended_lease_one_gets_it(store: Store) -> None:
    store.claim(asked(), lease_seconds=-1)
    found = in_threads(50, lambda number: store.claim(asked(f"request-{number}")))
    assert {"Lease": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)


def test_a_claim_that_does_not_get_the_lease_leaves_nothing(store: Store) -> None:
    store.claim(asked())
    before = store.contents()
    assert store.claim(asked("request-2")) is None
    assert store.claim(asked()) is None
    assert before == store.contents()


def test_the_same_payment_of_two_merchants_is_two_payments(store: Store) -> None:
    turns = [store.lease(asked(merchant_id=merchant_id)) for merchant_id in (1, 2)]
    assert turns[0].claim_id != turns[1].claim_id
    store.finish(turns[0])
    assert isinstance(store.claim(asked()), StoredReply)
    assert store.claim(asked(merchant_id=2)) is None


def test_a_claim_of_an_unknown_merchant_is_refused_whole(store: Store) -> None:
    found = in_threads(1, lambda _: store.claim(asked(merchant_id=99)))
    assert "StorageUnavailable" == type(found[0]).__name__
    assert store.contents() == {table: [] for table in TABLES}


def test_the_first_turn_knows_nothing_of_the_payment(store: Store) -> None:
    lease = store.lease(asked())
    assert (Payment(PaymentKey("P1")), ()) == (lease.payment, lease.writes)
    assert (PaymentStatus.PENDING, False) == (lease.payment.status, lease.payment.is_created)


def test_a_lease_lasts_as_long_as_asked(store: Store) -> None:
    store.claim(asked(), lease_seconds=0.5)
    assert store.claim(asked("request-2")) is None
    time.sleep(0.6)
    assert isinstance(store.claim(asked("request-2")), Lease)


# What is kept.


def test_a_final_reply_is_kept_byte_for_byte(store: Store) -> None:
    store.finish(store.lease(asked(value=Decimal("23.00"))))
    kept = store.requests.stored_reply(asked())
    assert kept == StoredReply(REPLY, Decimal("23.00"))
    assert kept == store.claim(asked())


def test_a_reply_that_is_not_final_is_not_kept(store: Store) -> None:
    store.end(store.lease(asked()), next_look=60)
    assert store.requests.stored_reply(asked()) is None
    assert isinstance(store.claim(asked()), Lease)


def test_a_kept_reply_never_changes(store: Store) -> None:
    store.finish(store.lease(asked()), next_look=-1)
    lease = store.requests.claim_due(asked(), lease_seconds=60)
    assert lease
    store.end(lease, DONE, Reply(500, b"another"))
    assert store.requests.stored_reply(asked()) == StoredReply(REPLY, None)


@pytest.mark.parametrize("value", ["0", "0.1", "1E+400", "1E-400", "-0", "12345678901234567890.12"])
def test_a_value_is_kept_exactly(store: Store, value: str) -> None:
    store.finish(store.lease(asked(value=Decimal(value))))
    kept = store.requests.stored_reply(asked())
    assert kept
    assert value == str(kept.value)


def test_the_second_turn_knows_what_the_first_left(store: Store) -> None:
    lease = store.lease(asked())
    store.start(lease)
    store.finish(lease, sandbox=True, write_states={("release", 1): WriteState.DONE})
    later = store.lease(asked("request-2"))
    assert later.payment == as_cancelled(lease, sandbox=True)
    ((action, number, reference, state),) = [
        (send.action, send.number, send.reference, send.state) for send in later.writes
    ]
    assert ("release", 1, "reference-1", "done") == (action, number, reference, state)


def test_a_failure_leaves_the_payment_as_it_was(store: Store) -> None:
    store.finish(store.lease(asked()))
    store.end(store.lease(asked("request-2")), next_look=60)
    later = store.lease(asked("request-3"))
    assert (PaymentStatus.CANCELLED, "cancellation-1") == (
        later.payment.status,
        later.payment.cancellation_id,
    )


def test_what_a_repeat_leaves_out_is_still_known(store: Store) -> None:
    full = CancelRequest(1, PaymentKey("P1", "authorization", "tid"), "request-1")
    store.end(store.lease(full), next_look=-1)
    lease = store.lease(asked("request-2"))
    assert full.payment == lease.payment.key


def test_every_attempt_that_ended_leaves_an_event(store: Store) -> None:
    store.end(store.lease(asked()), next_look=60)
    store.finish(store.lease(asked()))
    ends = store.ends()
    assert [("failed", "provider-unavailable", "Not now"), ("done", None, "Cancelled")] == ends


# Fencing.


def test_who_lost_the_lease_can_neither_send_nor_record(store: Store) -> None:
    old = store.lease(asked())
    store.let_the_lease_end()
    new = store.lease(asked())
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.start(old)
    with pytest.raises(LeaseLost):
        store.end(old, payment=as_cancelled(old), write_states={("release", 1): WriteState.FAILED})
    assert before == store.contents()
    store.start(new)
    store.finish(new)


def test_an_ended_lease_does_not_allow_to_send_even_when_nobody_took_it(store: Store) -> None:
    lease = store.lease(asked())
    store.let_the_lease_end()
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.start(lease)
    assert before == store.contents()


def test_a_turn_ends_once(store: Store) -> None:
    lease = store.lease(asked())
    store.finish(lease)
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.end(lease)
    with pytest.raises(LeaseLost):
        store.start(lease)
    assert before == store.contents()


def test_of_fifty_ends_of_one_turn_one_is_recorded(store: Store) -> None:
    lease = store.lease(asked())
    found = in_threads(50, lambda _: store.finish(lease))
    assert {"NoneType": 1, "LeaseLost": 49} == Counter(type(one).__name__ for one in found)
    assert 1 == len(store.ends())


def test_a_lease_is_of_its_own_payment_only(store: Store) -> None:
    first, second = store.lease(asked()), store.lease(asked(payment_id="P2"))
    mixed = replace(first, token=second.token)
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.start(mixed)
    with pytest.raises(LeaseLost):
        store.finish(mixed)
    assert before == store.contents()


# Writes.


def test_a_repeated_send_is_one_row_with_a_new_time(store: Store) -> None:
    lease = store.lease(asked())
    store.start(lease)
    store.run("UPDATE sends SET sent_at = 1")
    store.start(lease)
    ((sent_at,),) = store.all("SELECT sent_at FROM sends")
    assert sent_at > 1
    store.end(lease)
    (send,) = store.lease(asked()).writes
    assert ("open", "reference-1") == (send.state, send.reference)
    assert 0 <= send.age < 5


def test_a_new_reference_ends_the_one_before_it_and_no_other(store: Store) -> None:
    lease = store.lease(asked())
    store.start(lease)
    store.start(lease, Write("refund", 1, "other"))
    second = Write("release", 2, "reference-2")
    store.requests.start_write(lease, second, lease.payment, {("release", 1): WriteState.FAILED})
    store.end(lease)
    sends = {(send.action, send.number): send.state for send in store.lease(asked()).writes}
    assert {("release", 1): "failed", ("refund", 1): "open", ("release", 2): "open"} == sends


def test_how_a_write_ended_is_said_once(store: Store) -> None:
    lease = store.lease(asked())
    store.start(lease)
    store.end(lease, write_states={("release", 1): WriteState.DONE})
    later = store.lease(asked("request-2"))
    store.end(later, write_states={("release", n): WriteState.FAILED for n in (1, 2)})
    assert ["done"] == [send.state for send in store.lease(asked()).writes]


def test_a_write_is_kept_with_all_that_is_said_of_it(store: Store) -> None:
    lease = store.lease(asked())
    whole = Write("asked-refund", 1, "reference-1", WriteState.OPEN, 0.0, 3, lease.claim_id)
    part = replace(
        whole, number=2, amount=Decimal("0.10"), refunded_before=Decimal("12345678901234.123456")
    )
    for send in (whole, part):
        store.start(lease, send)
    store.end(lease)
    found = [replace(send, age=0.0) for send in store.lease(asked()).writes]
    assert [whole, part] == found
    assert ["0.10", "12345678901234.123456"] == [
        str(found[1].amount),
        str(found[1].refunded_before),
    ]


def test_a_write_and_what_is_known_of_the_payment_are_recorded_together(store: Store) -> None:
    lease = store.lease(asked())
    payment = replace(lease.payment, amount=Decimal("0.10"), currency="EUR", is_cancel_asked=True)
    store.start(lease, SEND, payment)
    assert payment == store.known()
    store.let_the_lease_end()
    later = store.lease(asked("request-2"))
    assert (payment, ["open"]) == (later.payment, [send.state for send in later.writes])


def test_the_request_shows_the_reference_of_its_last_send(store: Store) -> None:
    lease = store.lease(asked())
    for number in (1, 2):
        send = Write("release", number, f"reference-{number}")
        store.start(lease, send)
    assert ["reference-2"] == [row.reference for row in store.requests.rows()]


# Progress.


def test_progress_tells_who_has_the_turn(store: Store) -> None:
    nothing = store.requests.progress(asked())
    assert (False, False, None) == (nothing.is_held, nothing.is_same, nothing.state)
    lease = store.lease(asked())
    same, other = (store.requests.progress(asked(name)) for name in ("request-1", "request-2"))
    assert (True, True, State.RUNNING, 1) == (
        same.is_held,
        same.is_same,
        same.state,
        same.attempts,
    )
    assert (True, False, None, 0) == (other.is_held, other.is_same, other.state, other.attempts)
    store.end(lease)
    ended = store.requests.progress(asked())
    assert (False, State.FAILED, "provider-unavailable", "Not now") == (
        ended.is_held,
        ended.state,
        ended.code,
        ended.message,
    )


def test_an_ended_lease_is_held_by_nobody(store: Store) -> None:
    store.lease(asked())
    store.let_the_lease_end()
    assert not store.requests.progress(asked()).is_held
