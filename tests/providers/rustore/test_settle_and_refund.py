"""A purchase from its start in the app to its refund."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
)
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, Notification, PaymentKey, Standing, WriteResult
from connector.provider import Call, Message
from connector.providers.rustore import RuStore
from tests.companies.rustore import APP_ID, Purchase
from tests.companies.rustore import RuStore as Company

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
HELD = Look(Standing.HELD, provider_status="PAID")
CAPTURED = Look(Standing.CAPTURED, provider_status="CONFIRMED")
NOTHING = Decimal(0)


def key_of(purchase: Purchase) -> PaymentKey:
    return PaymentKey(purchase.order_id, purchase.purchase_id, purchase.invoice_id)


def call(key: PaymentKey, account: Account, look: Look, amount: Decimal | None) -> Call:
    return Call(key, account, Deadline.after(5), "unused", look, amount)


def look(provider: RuStore, key: PaymentKey, account: Account) -> Look:
    return provider.look(Call(key, account, Deadline.after(5)))


def settle(
    provider: RuStore, key: PaymentKey, account: Account, amount: Decimal | None = None
) -> WriteResult:
    return provider.settle(call(key, account, HELD, amount))


def refund(
    provider: RuStore, key: PaymentKey, account: Account, amount: Decimal | None = None
) -> WriteResult:
    return provider.refund(call(key, account, CAPTURED, amount))


def read(provider: RuStore, body: bytes, account: Account) -> Notification | None:
    return provider.read_notification(Message(body, {}, account, Deadline.after(5)))


def test_a_purchase_is_followed_through_its_life(
    company: Company, provider: RuStore, account: Account
) -> None:
    purchase = company.start(PAYMENT, "1499.90")
    amount = purchase.amount
    found = read(provider, company.notification(PAYMENT)[0], account)
    assert found
    key = PaymentKey(PAYMENT, found.authorization_id, found.provider_payment_id)
    assert key == key_of(purchase)
    assert Standing.UNPAID is look(provider, key, account).standing
    company.pay(PAYMENT)
    assert Standing.HELD is look(provider, key, account).standing
    assert (amount, NOTHING, NOTHING) == company.money(PAYMENT)
    settle(provider, key, account)
    assert Standing.CAPTURED is look(provider, key, account).standing
    assert (NOTHING, amount, NOTHING) == company.money(PAYMENT)
    refund(provider, key, account)
    assert Standing.UNDONE is look(provider, key, account).standing
    assert (NOTHING, amount, amount) == company.money(PAYMENT)


@pytest.mark.parametrize(
    ("ends", "status"),
    [(["decline"], "REJECTED"), (["expire"], "EXPIRED"), (["pay", "expire"], "REVERSED")],
)
def test_a_purchase_that_comes_to_nothing_is_undone(
    company: Company, provider: RuStore, account: Account, ends: list[str], status: str
) -> None:
    purchase = company.start(PAYMENT)
    for end in ends:
        getattr(company, end)(PAYMENT)
    found = look(provider, key_of(purchase), account)
    assert (Standing.UNDONE, status) == (found.standing, found.provider_status)
    assert (NOTHING, NOTHING, NOTHING) == company.money(PAYMENT)


def test_what_it_sells() -> None:
    assert RuStore.payment_methods == ("RuStore",)
    assert frozenset({"RUB"}) == RuStore.currencies
    assert RuStore.is_adopting
    assert not RuStore.can_settle_partly
    assert not RuStore.can_refund_partly
    # VTEX takes no less than 600, and asks every 5 minutes up to this.
    assert RuStore.delays.cancel == 3600


class TestSettle:
    def test_a_held_purchase_is_confirmed_in_full_without_a_body(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create(PAYMENT)
        expected = WriteResult(Effect.ACCEPTED, purchase.purchase_id, "OK")
        assert expected == settle(provider, key_of(purchase), account)
        (call,) = company.calls_of("settle")
        line = f"PUT /public/applications/{APP_ID}/purchases/{purchase.purchase_id}:confirm"
        assert line == f"{call.method} {call.path}"
        assert not call.body
        assert Counter({f"settle:{purchase.purchase_id}": 1}) == company.effects

    @pytest.mark.parametrize(
        ("verb", "status", "under_way", "done"),
        [
            (settle, "PAID", "EXECUTING", "CONFIRMED"),
            (refund, "CONFIRMED", "REFUNDING", "REFUNDED"),
        ],
    )
    def test_an_ok_is_not_the_end_which_a_look_shows(
        self,
        company: Company,
        provider: RuStore,
        account: Account,
        verb: Any,
        status: str,
        under_way: str,
        done: str,
    ) -> None:
        company.is_slow = True
        purchase = company.create(PAYMENT, status)
        key = key_of(purchase)
        assert Effect.ACCEPTED is verb(provider, key, account).effect
        found = look(provider, key, account)
        assert (Standing.WORKING, under_way) == (found.standing, found.provider_status)
        assert not company.effects
        company.finish(PAYMENT)
        assert done == look(provider, key, account).provider_status
        assert 1 == sum(company.effects.values())

    @pytest.mark.parametrize("status", ["REFUNDING", "REFUNDED"])
    def test_a_repeated_refund_says_nothing_of_its_end(
        self, company: Company, provider: RuStore, account: Account, status: str
    ) -> None:
        purchase = company.create(PAYMENT, status)
        word = "Invoice has already been refunded"
        expected = WriteResult(Effect.ACCEPTED, purchase.purchase_id, word)
        assert expected == refund(provider, key_of(purchase), account)

    @pytest.mark.parametrize("verb", [settle, refund])
    def test_a_part_is_refused_before_anything_is_sent(
        self, company: Company, provider: RuStore, account: Account, verb: Any
    ) -> None:
        with pytest.raises(ProviderRefused):
            verb(provider, key_of(company.create(PAYMENT)), account, Decimal("0.01"))
        assert not company.calls

    @pytest.mark.parametrize(
        ("status", "standing"),
        [("CONFIRMED", Standing.CAPTURED), ("REVERSED", Standing.UNDONE)],
    )
    def test_a_repeat_is_refused_and_a_look_tells_what_is_true(
        self,
        company: Company,
        provider: RuStore,
        account: Account,
        status: str,
        standing: Standing,
    ) -> None:
        key = key_of(company.create(PAYMENT, status))
        with pytest.raises(ProviderRefused) as caught:
            settle(provider, key, account)
        assert caught.value.evidence == "Purchase status must be PAID"
        assert standing is look(provider, key, account).standing
        assert not company.effects

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("Purchase not found", ProviderRefused),
            ("Forbidden", ProviderCredentials),
            ("Something went wrong", OutcomeUnknown),
            ("Invoice has already been refunded", ProviderRefused),
        ],
    )
    def test_a_refusal_is_named_by_what_may_be_done_next(
        self,
        company: Company,
        provider: RuStore,
        account: Account,
        message: str,
        expected: type[ConnectorError],
    ) -> None:
        body = json.dumps({"code": "ERROR", "message": message, "body": None}).encode()
        company.inject("status_before", "settle", status=400, body=body)
        with pytest.raises(expected) as caught:
            settle(provider, key_of(company.create(PAYMENT)), account)
        assert (expected, message) == (type(caught.value), caught.value.evidence)

    @pytest.mark.parametrize("kind", ["reset_after", "truncated", "status_after"])
    def test_one_whose_answer_was_lost_is_found_by_a_look(
        self, company: Company, provider: RuStore, account: Account, kind: str
    ) -> None:
        key = key_of(company.create(PAYMENT))
        company.inject(kind, "settle")
        with pytest.raises(OutcomeUnknown):
            settle(provider, key, account)
        assert Standing.CAPTURED is look(provider, key, account).standing
        assert sum(company.effects.values()) == 1

    def test_nothing_is_sent_without_a_purchase_id(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        with pytest.raises(ProviderRefused):
            settle(provider, PaymentKey(PAYMENT, "../x", "4567"), account)
        assert not company.calls
