"""What is known of a payment, and when VTEX is to be called back for it."""

import time
from collections import Counter
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.errors import LeaseLost
from connector.domain.operation import CallbackChange
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from tests.storage.store import Store, asked, in_threads, told

FULL = Payment(
    key=PaymentKey("P1", "authorization", "tid", '{"any": "memo"}'),
    status=PaymentStatus.SETTLED,
    sandbox=True,
    amount=Decimal("12345678901234.123456"),
    currency="EUR",
    payment_url="https://pay.example/?a=1&b=é",
    code="paid",
    message="Any words",
    cancellation_id="cancellation-1",
    settled=Decimal("0.10"),
    is_cancel_asked=True,
    is_manual=True,
    callback_address="a sealed address",
)
# Of the texts these come from outside; the others are of an alphabet of their own.
TEXTS = ("payment_url", "code", "message", "cancellation_id")
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
any_text = st.text(st.characters(exclude_categories=()), max_size=200).filter(
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == text
)
amounts = st.decimals(allow_nan=False, allow_infinity=False)


def exactly(payment: Payment) -> tuple[Payment, str, str]:
    """Tell apart amounts that are equal and not the same: 0.1 and 0.10."""
    return payment, str(payment.amount), str(payment.settled)


# What is known.


def test_a_payment_never_heard_of_is_not_known(store: Store) -> None:
    store.record("P1")
    assert [None, None] == [store.payments.find(1, "P2"), store.payments.find(2, "P1")]


def test_every_field_survives_the_end_of_a_turn(store: Store) -> None:
    lease = store.lease(asked())
    store.end(lease, payment=FULL)
    later = store.lease(asked("request-2"))
    assert exactly(FULL) == exactly(store.known()) == exactly(later.payment)


def test_every_field_survives_the_start_of_a_write(store: Store) -> None:
    lease = store.lease(asked())
    store.start(lease, payment=FULL)
    assert exactly(FULL) == exactly(store.known())


def test_the_test_above_leaves_no_field_as_it_is_by_default() -> None:
    fresh = Payment(PaymentKey("P1"))
    same = {
        one.name for one in fields(Payment) if getattr(FULL, one.name) == getattr(fresh, one.name)
    }
    assert {"is_callback_due"} == same


@pytest.mark.parametrize("name", [one.name for one in fields(Payment) if one.name != "key"])
def test_each_field_may_be_forgotten_again(store: Store, name: str) -> None:
    store.end(store.lease(asked()), payment=FULL)
    fresh = getattr(Payment(PaymentKey("P1")), name)
    payment = replace(FULL, **{name: fresh})
    store.end(store.lease(asked("request-2")), payment=payment)
    assert payment == store.known()


@pytest.mark.parametrize("sandbox", [None, False, True])
def test_where_a_payment_is_may_not_be_known_yet(store: Store, sandbox: bool | None) -> None:
    assert store.record(sandbox=sandbox).sandbox is sandbox is store.known().sandbox


@pytest.mark.parametrize("status", list(PaymentStatus))
def test_a_payment_has_each_status(store: Store, status: PaymentStatus) -> None:
    store.record(status=status)
    assert status is store.known().status


@FUZZ
@given(amount=amounts, settled=amounts)
def test_amounts_are_kept_digit_by_digit(store: Store, amount: Decimal, settled: Decimal) -> None:
    payment = store.record(amount=amount, settled=settled)
    assert exactly(payment) == exactly(store.known())


@FUZZ
@given(texts=st.tuples(*[any_text] * 7))
def test_texts_from_outside_may_have_any_characters(store: Store, texts: tuple[str, ...]) -> None:
    key = PaymentKey("P1", *texts[:3])
    store.record(key=key, **dict(zip(TEXTS, texts[3:], strict=True)))
    known = store.known()
    assert (key, texts[3:]) == (known.key, tuple(getattr(known, name) for name in TEXTS))


def test_the_same_payment_of_another_merchant_is_left_alone(store: Store) -> None:
    store.record()
    store.end(store.lease(asked(merchant_id=2)), payment=FULL, callback_change=CallbackChange.DUE)
    assert (Payment(PaymentKey("P1")), replace(FULL, is_callback_due=True)) == (
        store.known(),
        store.known(merchant_id=2),
    )


# Who lost the lease changes nothing.


@pytest.mark.parametrize("change", ["", "due", "dropped"])
def test_who_lost_the_lease_changes_neither_payment_nor_callback(store: Store, change: str) -> None:
    approved(store)
    old = store.lease(asked())
    store.let_the_lease_end()
    new = store.lease(asked("request-2"))
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.start(old, payment=FULL)
    with pytest.raises(LeaseLost):
        store.end(old, payment=FULL, callback_change=CallbackChange(change))
    assert before == store.contents()
    store.end(new, payment=FULL)
    assert FULL.status is store.known().status


def test_of_fifty_that_end_one_turn_as_they_like_one_is_believed(store: Store) -> None:
    lease = store.lease(asked())

    def end(number: int) -> int:
        store.end(
            lease, payment=replace(FULL, message=str(number)), callback_change=CallbackChange.DUE
        )
        return number

    found = in_threads(50, end)
    (winner,) = [one for one in found if isinstance(one, int)]
    assert str(winner) == store.known().message
    assert 49 == sum(isinstance(one, LeaseLost) for one in found)


# Callbacks.


def due(store: Store) -> list[str]:
    return [payment_id for _, payment_id in store.payments.due_callbacks(10)]


def make_due(store: Store) -> None:
    """Let as much time pass as a sender may take."""
    store.run("UPDATE payments SET callback_at = 1 WHERE callback_at IS NOT NULL")


def approved(store: Store, payment_id: str = "P1", callback: str | None = "sealed") -> None:
    lease = store.lease(asked(f"approve-{payment_id}", payment_id))
    payment = replace(lease.payment.moved(PaymentStatus.APPROVED), callback_address=callback)
    store.end(lease, payment=payment, callback_change=CallbackChange.DUE)


def test_a_callback_is_due_from_the_moment_the_status_is_recorded(store: Store) -> None:
    approved(store)
    known = store.known()
    assert (PaymentStatus.APPROVED, True) == (known.status, known.is_callback_due)
    assert [(1, "P1")] == store.payments.due_callbacks(10)


def test_nothing_is_due_where_vtex_gave_no_address(store: Store) -> None:
    approved(store, callback=None)
    assert ([], False) == (due(store), store.known().is_callback_due)


def test_the_status_and_its_callback_are_recorded_both_or_neither(store: Store) -> None:
    lease = store.lease(asked())
    # The event of the turn, which is written last, cannot be.
    store.run("DROP TABLE events")
    with pytest.raises(Exception, match="database"):
        store.end(
            lease,
            payment=replace(FULL, status=PaymentStatus.APPROVED),
            callback_change=CallbackChange.DUE,
        )
    known = store.known()
    assert (PaymentStatus.PENDING, None, False) == (
        known.status,
        known.callback_address,
        known.is_callback_due,
    )


def test_a_turn_without_news_leaves_the_callback_as_it_is(store: Store) -> None:
    approved(store)
    store.record()
    assert ["P1"] == due(store)
    store.end(store.lease(asked("drop")), callback_change=CallbackChange.DROPPED)
    store.end(store.lease(asked("later")))
    assert ([], False) == (due(store), store.known().is_callback_due)


def test_a_turn_shows_whether_a_callback_is_due(store: Store) -> None:
    quiet = store.lease(asked())
    store.end(
        quiet,
        payment=replace(quiet.payment, callback_address="sealed"),
        callback_change=CallbackChange.DUE,
    )
    told_of = store.lease(asked("request-2"))
    store.end(told_of, callback_change=CallbackChange.DROPPED)
    dropped = store.lease(asked("request-3"))
    assert [False, True, False] == [
        lease.payment.is_callback_due for lease in (quiet, told_of, dropped)
    ]


def test_of_fifty_senders_one_takes_a_callback(store: Store) -> None:
    approved(store)
    found = in_threads(50, lambda _: store.payments.take_callback(1, "P1", 60))
    taken = [one for one in found if one is not None]
    assert [(store.known(), 1)] == taken
    assert {"tuple": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)
    assert [] == due(store)


def test_the_sender_is_told_all_of_the_payment_and_how_often_it_was_taken(store: Store) -> None:
    store.end(store.lease(asked()), payment=FULL, callback_change=CallbackChange.DUE)
    for times in (1, 2, 3):
        assert (replace(FULL, is_callback_due=True), times) == store.payments.take_callback(
            1, "P1", -1
        )


def test_a_callback_is_due_again_when_its_sender_does_not_end(store: Store) -> None:
    approved(store)
    assert store.payments.take_callback(1, "P1", 0.3)
    assert ([], None) == (due(store), store.payments.take_callback(1, "P1", 60))
    time.sleep(0.4)
    assert ["P1"] == due(store)
    assert store.payments.take_callback(1, "P1", 60)


def test_a_callback_that_vtex_took_is_never_due_again(store: Store) -> None:
    approved(store)
    store.payments.take_callback(1, "P1", 60)
    store.payments.end_callback(1, "P1", None)
    make_due(store)
    assert ([], None) == (due(store), store.payments.take_callback(1, "P1", 60))
    assert not store.known().is_callback_due


def test_a_callback_that_vtex_did_not_take_is_due_later(store: Store) -> None:
    approved(store)
    store.payments.take_callback(1, "P1", -1)
    store.payments.end_callback(1, "P1", 60)
    assert ([], True) == (due(store), store.known().is_callback_due)
    make_due(store)
    assert ["P1"] == due(store)


@pytest.mark.parametrize("again", [None, -1, 60])
def test_a_callback_that_was_dropped_while_it_was_sent_stays_dropped(
    store: Store, again: float | None
) -> None:
    approved(store)
    store.payments.take_callback(1, "P1", 60)
    store.end(store.lease(asked()), callback_change=CallbackChange.DROPPED)
    store.payments.end_callback(1, "P1", again)
    make_due(store)
    assert ([], False) == (due(store), store.known().is_callback_due)


def test_a_sender_ends_the_callback_of_its_own_payment_only(store: Store) -> None:
    for payment_id in ("P1", "P2"):
        approved(store, payment_id)
    store.payments.end_callback(1, "P1", None)
    store.payments.end_callback(2, "P2", None)
    assert ["P2"] == due(store)


def test_a_request_of_the_payment_does_not_wait_for_a_sender(store: Store) -> None:
    approved(store)
    store.payments.take_callback(1, "P1", 60)
    lease = store.lease(asked())
    store.end(lease, payment=lease.payment.moved(PaymentStatus.SETTLED))
    known = store.known()
    assert (PaymentStatus.SETTLED, True) == (known.status, known.is_callback_due)


def test_the_longest_due_callbacks_come_first_and_no_more_than_asked(store: Store) -> None:
    for number in (3, 1, 2):
        approved(store, f"P{number}")
        store.payments.end_callback(1, f"P{number}", -100 + number)
    assert [(1, "P1"), (1, "P2")] == store.payments.due_callbacks(2)


def test_news_that_waits_does_not_make_a_payment(store: Store) -> None:
    store.requests.record_notification(told())
    assert store.payments.find(1, "P1") is None
