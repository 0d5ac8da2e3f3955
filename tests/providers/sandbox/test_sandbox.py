import json
import time
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import AnswerNotUnderstood, NotFound, ProviderRefused
from connector.domain.merchant import Account
from connector.domain.order import Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    PaymentKey,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.http_client import HttpClient
from connector.provider import UNSEEN, Call, Hosts, Message
from connector.providers.sandbox import Sandbox

APPROVED = "4444333322221111"
DENIED = "4444333322221112"
APPROVED_LATER = "4222222222222224"
DENIED_LATER = "4222222222222225"
ACCOUNT = Account({})
RETURN_URL = "https://shop.example/checkout"


class Buyer:
    """One payment at the sandbox, with the memo kept as the core keeps it."""

    def __init__(self, card: str | None = APPROVED, method: str = "Visa", **order: Any) -> None:
        http = HttpClient("sandbox")
        self.sandbox = Sandbox(http, Hosts(Sandbox.url, Sandbox.url))
        self.order = Order(
            "P1", Decimal("12.30"), "BRL", method=method, return_url=RETURN_URL, card_number=card
        )
        self.order = replace(self.order, **order)
        self.payment = PaymentKey("P1")

    @property
    def deadline(self) -> Deadline:
        return Deadline.after(5)

    def call(self, reference: str, look: Look = UNSEEN, amount: Decimal | None = None) -> Call:
        return Call(self.payment, ACCOUNT, self.deadline, reference, look, amount)

    def create(self) -> CreateResult:
        created = self.sandbox.create(self.order, self.call("create-1"))
        self.keep(created.memo)
        return created

    def keep(self, memo: str | None) -> None:
        if memo is not None:
            self.payment = replace(self.payment, memo=memo)

    def look(self, reference: str = "") -> Look:
        return self.sandbox.look(self.call(reference))

    def settle(self, amount: str | None = None, reference: str = "s-1") -> WriteResult:
        asked = None if amount is None else Decimal(amount)
        return self.kept(self.sandbox.settle(self.call(reference, self.look(), asked)))

    def refund(self, amount: str | None = None, reference: str = "r-1") -> WriteResult:
        asked = None if amount is None else Decimal(amount)
        return self.kept(self.sandbox.refund(self.call(reference, self.look(), asked)))

    def cancel(self, reference: str = "c-1") -> WriteResult:
        return self.kept(self.sandbox.cancel(self.call(reference, self.look())))

    def kept(self, sent: WriteResult) -> WriteResult:
        self.keep(sent.memo)
        return sent

    def let_time_pass(self) -> None:
        books = json.loads(self.payment.memo or "")
        self.keep(json.dumps({**books, "decided_at": books["decided_at"] - 60}))


def created(*arguments: Any, **order: Any) -> Buyer:
    buyer = Buyer(*arguments, **order)
    buyer.create()
    return buyer


@pytest.mark.parametrize(
    ("card", "status", "standing"),
    [
        (APPROVED, PaymentStatus.APPROVED, Standing.HELD),
        ("4444 3333 2222 1111", PaymentStatus.APPROVED, Standing.HELD),
        ("5555555555554444", PaymentStatus.APPROVED, Standing.HELD),
        (DENIED, PaymentStatus.DENIED, Standing.UNDONE),
        (APPROVED_LATER, PaymentStatus.PENDING, Standing.PAYING),
        (DENIED_LATER, PaymentStatus.PENDING, Standing.PAYING),
    ],
)
def test_a_card_decides_the_payment(card: str, status: PaymentStatus, standing: Standing) -> None:
    buyer = Buyer(card)
    answer = buyer.create()
    assert (status, None) == (answer.status, answer.payment_url)
    assert standing is buyer.look().standing
    assert status is buyer.look().verdict


@pytest.mark.parametrize(
    ("card", "verdict"),
    [(APPROVED_LATER, PaymentStatus.APPROVED), (DENIED_LATER, PaymentStatus.DENIED)],
)
def test_some_cards_decide_a_few_seconds_later(card: str, verdict: PaymentStatus) -> None:
    buyer = Buyer(card)
    again = buyer.create().again
    assert again is not None
    # VTEX's test suite waits 15 seconds for the callback.
    assert 2 < again < 12
    look = buyer.look()
    assert look.again is not None
    assert 0 < look.again <= again
    buyer.let_time_pass()
    assert (verdict, None) == (buyer.look().verdict, buyer.look().again)


@pytest.mark.parametrize("card", [None, "", "null"])
@pytest.mark.parametrize("method", ["Promissories", "Visa"])
def test_without_a_card_the_buyer_is_sent_to_a_page(card: str | None, method: str) -> None:
    buyer = Buyer(card, method)
    answer = buyer.create()
    assert (PaymentStatus.PENDING, RETURN_URL) == (answer.status, answer.payment_url)
    buyer.let_time_pass()
    assert buyer.look().verdict is PaymentStatus.APPROVED


@pytest.mark.parametrize("card", [None, APPROVED])
def test_an_invoice_is_paid_later_card_or_not(card: str | None) -> None:
    answer = Buyer(card, "BankInvoice").create()
    assert (PaymentStatus.PENDING, RETURN_URL) == (answer.status, answer.payment_url)


def test_there_is_a_page_even_without_a_return_address() -> None:
    assert Buyer(None, return_url="").create().payment_url == "https://sandbox.invalid/pay/P1"


def test_a_repeated_create_is_answered_like_the_first() -> None:
    assert Sandbox.create_is_idempotent
    first, again = Buyer().create(), Buyer().create()
    assert replace(first, memo=None) == replace(again, memo=None)


def test_the_authorization_has_an_id_once_there_is_one() -> None:
    assert Buyer().create().authorization_id == "sandbox-auth-P1"
    assert Buyer(DENIED).create().authorization_id is None
    buyer = Buyer(APPROVED_LATER)
    assert buyer.create().authorization_id is None
    buyer.let_time_pass()
    assert buyer.look().authorization_id == "sandbox-auth-P1"


def test_a_look_shows_what_moved() -> None:
    buyer = created()
    look = buyer.look()
    assert (Decimal("12.30"), "BRL", 0, 0) == (
        look.amount,
        look.currency,
        look.captured,
        look.refunded,
    )
    buyer.settle("10")
    buyer.refund("4")
    look = buyer.look()
    assert (Decimal("12.30"), 10, 4) == (look.amount, look.captured, look.refunded)
    assert look.standing is Standing.PARTLY_REFUNDED


def test_all_is_settled_unless_a_part_is_named() -> None:
    buyer = created()
    assert buyer.settle().effect is Effect.DONE
    assert (Standing.CAPTURED, Decimal("12.30")) == (buyer.look().standing, buyer.look().captured)


def test_what_is_wholly_refunded_is_undone() -> None:
    buyer = created()
    buyer.settle("10")
    assert buyer.refund().effect is Effect.DONE
    assert (Standing.UNDONE, 10) == (buyer.look().standing, buyer.look().refunded)


def test_two_equal_refunds_are_two_and_a_repeated_one_is_one() -> None:
    buyer = created()
    buyer.settle()
    first, second = buyer.refund("3", "r-1"), buyer.refund("3", "r-2")
    assert first.id != second.id
    assert buyer.look().refunded == 6
    repeated = buyer.refund("3", "r-2")
    assert (Effect.DONE, second.id) == (repeated.effect, repeated.id)
    assert buyer.look().refunded == 6


@pytest.mark.parametrize("amount", ["12.31", "0", "-1"])
def test_no_other_amount_than_is_there_can_be_moved(amount: str) -> None:
    buyer = created()
    with pytest.raises(ProviderRefused):
        buyer.settle(amount)
    buyer.settle()
    with pytest.raises(ProviderRefused):
        buyer.refund(amount)
    assert (Decimal("12.30"), 0) == (buyer.look().captured, buyer.look().refunded)


def test_nothing_is_refunded_before_it_is_settled() -> None:
    buyer = created()
    with pytest.raises(ProviderRefused):
        buyer.refund("1")


def test_a_payment_is_settled_once() -> None:
    buyer = created()
    first = buyer.settle("5")
    assert first.id == buyer.settle("5").id
    with pytest.raises(ProviderRefused):
        buyer.settle("5", "s-2")
    assert buyer.look().captured == 5


@pytest.mark.parametrize("card", [APPROVED, APPROVED_LATER])
def test_a_cancelled_payment_stays_cancelled(card: str) -> None:
    buyer = created(card)
    assert buyer.cancel().effect is Effect.DONE
    buyer.let_time_pass()
    assert (Standing.UNDONE, PaymentStatus.DENIED) == (buyer.look().standing, buyer.look().verdict)
    with pytest.raises(ProviderRefused):
        buyer.settle()


def test_a_settled_payment_is_not_cancelled() -> None:
    buyer = created()
    buyer.settle()
    assert buyer.look().standing not in Sandbox.cancellable
    with pytest.raises(ProviderRefused):
        buyer.cancel()


def test_a_look_finds_a_write_by_its_reference() -> None:
    buyer = created()
    assert buyer.look("c-1").write_effect is None
    buyer.settle()
    sent = buyer.refund("3")
    assert (Effect.DONE, sent.id) == (buyer.look("r-1").write_effect, buyer.look("r-1").write_id)


def test_a_payment_that_was_not_created_here_is_held_until_it_is_cancelled() -> None:
    buyer = Buyer()
    look = buyer.look()
    assert (Standing.HELD, None, "held") == (look.standing, look.amount, look.provider_status)
    done = buyer.cancel()
    assert (Effect.DONE, None, "released") == (done.effect, done.id, done.provider_status)
    assert Standing.UNDONE is buyer.look().standing
    assert Effect.DONE is buyer.cancel().effect
    with pytest.raises(ProviderRefused):
        buyer.settle()
    with pytest.raises(ProviderRefused):
        buyer.refund()


@pytest.mark.parametrize(
    "memo",
    [
        *("", "?", "[]", "{}"),
        '{"amount": "1", "decided_at": 1}',
        '{"amount": "1", "end": "APPROVED"}',
        '{"decided_at": 1, "end": "APPROVED"}',
    ],
)
def test_a_memo_of_somebody_elses_is_not_understood(memo: str) -> None:
    buyer = Buyer()
    buyer.keep(memo)
    with pytest.raises(AnswerNotUnderstood):
        buyer.look()


def test_the_books_hold_neither_card_nor_buyer() -> None:
    buyer = Buyer("4111111111111111")
    answer = buyer.create()
    assert "4111" not in repr(answer)


def test_it_sends_no_notifications_and_has_no_credentials() -> None:
    buyer = Buyer()
    with pytest.raises(NotFound):
        buyer.sandbox.read_notification(Message(b"{}", {}, ACCOUNT, buyer.deadline))
    buyer.sandbox.probe(Call.about_nobody(ACCOUNT, buyer.deadline))


def test_the_wait_is_counted_from_now() -> None:
    before = time.time()
    books = json.loads(Buyer(APPROVED_LATER).create().memo or "")
    assert before + 3 < books["decided_at"] < before + 10
