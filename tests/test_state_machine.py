"""A payment's status moves as one table says, whatever is asked for in whatever order."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from itertools import count, product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.deadline import Deadline
from connector.domain.errors import IllegalTransition
from connector.domain.merchant import Merchant
from connector.domain.operation import (
    CancelRequest,
    CreateRequest,
    RefundRequest,
    Reply,
    SettleRequest,
    State,
    write_reference,
)
from connector.domain.order import Order
from connector.domain.payment import TRANSITIONS, Payment, PaymentKey, PaymentStatus
from connector.domain.write import Write
from connector.http_client import HttpClient
from connector.provider import Hosts
from connector.providers.sandbox import Sandbox
from tests.diagrams import diagram, drawn
from tests.operations.assembly import operations_at
from tests.storage.store import Store

LEASE_SECONDS = 23.0
# The cards of VTEX's test suite that are decided at once.
CARDS = {PaymentStatus.APPROVED: "4444333322221111", PaymentStatus.DENIED: "4444333322221112"}


# The table.

# What may become of a payment: VTEX asks for its approval, its end, its money, its money back.
MOVES = {
    ("PENDING", "APPROVED"),
    ("PENDING", "DENIED"),
    ("PENDING", "CANCELLED"),
    ("APPROVED", "SETTLED"),
    ("APPROVED", "CANCELLED"),
    ("SETTLED", "REFUNDED"),
    ("SETTLED", "CANCELLED"),
    ("DENIED", "CANCELLED"),
}


def test_the_documentation_draws_the_table() -> None:
    expected = diagram(TRANSITIONS, PaymentStatus.PENDING)
    update = f"Put this into the block in docs/architecture.md:\n{expected}"
    assert expected == drawn("The state of a payment"), update


def test_every_status_is_in_the_table() -> None:
    assert set(PaymentStatus) == set(TRANSITIONS)


def test_every_status_is_reached_from_the_first_one() -> None:
    reached, left = set(), {PaymentStatus.PENDING}
    while left:
        reached |= left
        left = set().union(*(TRANSITIONS[status] for status in left)) - reached
    assert set(PaymentStatus) == reached


def test_what_is_cancelled_or_wholly_refunded_stays_so() -> None:
    last = {status for status in PaymentStatus if not TRANSITIONS[status]}
    assert {PaymentStatus.CANCELLED, PaymentStatus.REFUNDED} == last


def test_no_status_is_come_back_to() -> None:
    def after(status: PaymentStatus) -> set[PaymentStatus]:
        followers = set(TRANSITIONS[status])
        return followers.union(*map(after, followers))

    assert [] == [status for status in PaymentStatus if status in after(status)]


@pytest.mark.parametrize(("before", "after"), list(product(PaymentStatus, PaymentStatus)))
def test_a_payment_moves_in_these_ways_and_in_no_other(
    before: PaymentStatus, after: PaymentStatus
) -> None:
    payment = Payment(PaymentKey("P1"), before, sandbox=True, message="any")
    if after is before or (before.name, after.name) in MOVES:
        assert replace(payment, status=after) == payment.moved(after)
        return
    with pytest.raises(IllegalTransition, match=f"{before} does not become {after}"):
        payment.moved(after)


# The operations.


class SandboxMerchant:
    """A merchant of the sandbox, whose memo shows every write it took."""

    def __init__(self, url: str) -> None:
        self.store = Store(url)
        hosts = Hosts(Sandbox.url, Sandbox.url)
        providers = {"sandbox": Sandbox(HttpClient("sandbox"), hosts)}
        self.merchant = Merchant(1, "shop", "sandbox", {})
        self.operations = operations_at(self.store, providers, LEASE_SECONDS)
        self._numbers = count()

    def create(self, payment_id: str = "P1", card: str = CARDS[PaymentStatus.APPROVED]) -> Reply:
        order = Order(payment_id, Decimal("10.00"), "EUR", method="Visa", card_number=card)
        asked = CreateRequest(1, PaymentKey(payment_id), order=order)
        return self.operations.answer(self.merchant, asked, Deadline.after(10))

    def cancel(self, payment_id: str = "P1") -> Reply:
        asked = CancelRequest(1, PaymentKey(payment_id), self._fresh())
        return self.operations.answer(self.merchant, asked, Deadline.after(10))

    def settle(self, value: str = "10.00", payment_id: str = "P1") -> Reply:
        asked = SettleRequest(1, PaymentKey(payment_id), self._fresh(), Decimal(value))
        return self.operations.answer(self.merchant, asked, Deadline.after(10))

    def refund(self, value: str = "10.00", payment_id: str = "P1") -> Reply:
        asked = RefundRequest(1, PaymentKey(payment_id), self._fresh(), Decimal(value))
        return self.operations.answer(self.merchant, asked, Deadline.after(10))

    def _fresh(self) -> str:
        return f"request-{next(self._numbers)}"


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[SandboxMerchant]:
    shop = SandboxMerchant(sqlite_url)
    yield shop
    shop.store.database.close()


def as_denied(shop: SandboxMerchant) -> None:
    shop.create(card=CARDS[PaymentStatus.DENIED])


def as_approved(shop: SandboxMerchant) -> None:
    shop.create()


def as_cancelled(shop: SandboxMerchant) -> None:
    shop.create()
    assert 200 == shop.cancel().status


def as_settled(shop: SandboxMerchant) -> None:
    shop.create()
    assert 200 == shop.settle().status


def as_tombstone(shop: SandboxMerchant) -> None:
    shop.store.record(status=PaymentStatus.CANCELLED)


ILLEGAL: list[tuple[Callable[[SandboxMerchant], None], str, str, str]] = [
    (as_cancelled, "settle", "10.00", "illegal-transition"),
    (as_cancelled, "refund", "10.00", "illegal-transition"),
    (as_tombstone, "settle", "10.00", "illegal-transition"),
    (as_denied, "settle", "10.00", "illegal-transition"),
    (as_denied, "refund", "10.00", "illegal-transition"),
    (as_approved, "refund", "10.00", "payment-not-approved"),
    (as_approved, "settle", "10.01", "amount-too-large"),
    (as_settled, "refund", "10.01", "amount-too-large"),
]


@pytest.mark.parametrize(("stands", "verb", "value", "code"), ILLEGAL)
def test_what_the_status_does_not_allow_is_logged_answered_500_and_not_sent(
    shop: SandboxMerchant,
    caplog: pytest.LogCaptureFixture,
    stands: Callable[[SandboxMerchant], None],
    verb: str,
    value: str,
    code: str,
) -> None:
    stands(shop)
    known, sends = shop.store.known(), len(shop.store.contents()["sends"])

    with caplog.at_level(logging.WARNING):
        reply = getattr(shop, verb)(value)

    assert (500, code) == (reply.status, reply.code)
    assert f'"code": "{code}"'.encode() in reply.body
    assert (known, sends) == (shop.store.known(), len(shop.store.contents()["sends"]))
    assert ["illegal transition"] == [record.msg for record in caplog.records]


def test_what_was_not_allowed_is_not_kept_and_not_looked_at_again(shop: SandboxMerchant) -> None:
    shop.create()
    asked = RefundRequest(1, PaymentKey("P1"), "request", Decimal("10.00"))
    answer = shop.operations.answer

    early = answer(shop.merchant, asked, Deadline.after(10))
    shop.store.run("UPDATE requests SET next_look_at = 1 WHERE next_look_at IS NOT NULL")
    due = shop.store.requests.due(10)
    shop.settle()
    late = answer(shop.merchant, asked, Deadline.after(10))

    assert (500, [], 200) == (early.status, due, late.status)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("create"), st.sampled_from(sorted(CARDS.values()))),
        st.tuples(st.just("cancel")),
        st.tuples(st.just("settle"), st.sampled_from(["4.00", "10.00"])),
        st.tuples(st.just("refund"), st.sampled_from(["2.00", "4.00", "8.00", "10.00"])),
    ),
    max_size=8,
)
payment_numbers = count()


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(steps=steps)
def test_whatever_vtex_asks_in_whatever_order_a_status_moves_only_as_the_table_says(
    shop: SandboxMerchant, steps: list[tuple[Any, ...]]
) -> None:
    payment_id = f"P{next(payment_numbers)}"
    before = PaymentStatus.PENDING
    for verb, *value in steps:
        ask = getattr(shop, verb)
        reply = ask(payment_id, *value) if verb == "create" else ask(*value, payment_id)
        assert reply.status in {200, 500, 501}, (verb, reply)
        known = shop.store.payments.find(1, payment_id)
        after = known.status if known else before
        assert after in {before, *_all_after(before)}, (verb, before, after)
        before = after


def _all_after(status: PaymentStatus) -> set[PaymentStatus]:
    """Return what one answer may lead to: money that is taken was approved before."""
    followers = set(TRANSITIONS[status])
    return followers | {PaymentStatus.SETTLED} if status is PaymentStatus.PENDING else followers


# What a killed worker left of a settlement or a refund, reconcile only finds out.


@pytest.mark.parametrize(
    ("stands", "action", "request_kind", "state"),
    [
        (as_approved, "settle", SettleRequest, State.FAILED),
        # Somebody may be told to refund by hand: it is listed, and looked for again.
        (as_settled, "asked-refund", RefundRequest, State.MANUAL),
    ],
)
def test_reconcile_does_not_send_what_certainly_did_not_happen(
    shop: SandboxMerchant,
    stands: Callable[[SandboxMerchant], None],
    action: str,
    request_kind: type[SettleRequest | RefundRequest],
    state: State,
) -> None:
    stands(shop)
    asked = request_kind(1, PaymentKey("P1"), "killed", Decimal("10.00"))
    lease = shop.store.lease(asked, first_look=-1)
    shop.store.start(lease, started(lease.claim_id, action))
    shop.store.let_the_lease_end()
    known, sends = shop.store.known(), len(shop.store.contents()["sends"])

    (due,) = shop.store.requests.due(10)
    taken = shop.operations.reconcile(shop.merchant, due, Deadline.after(10))

    (row,) = [row for row in shop.store.requests.rows() if row.request_id == "killed"]
    assert (True, state) == (taken, row.state)
    assert (known, sends) == (shop.store.known(), len(shop.store.contents()["sends"]))
    assert [] == shop.store.requests.due(10)
    assert 200 == shop.operations.answer(shop.merchant, asked, Deadline.after(10)).status


def started(claim_id: str, action: str) -> Write:
    amount = Decimal("10.00") if action == "asked-refund" else None
    reference = write_reference(claim_id, action, 1)
    return Write(action, 1, reference, claim_id=claim_id, amount=amount)
