"""An invoice from its creation to its refund."""

from collections import Counter
from decimal import Decimal

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
)
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
from connector.provider import Call
from connector.providers.cryptomus import Cryptomus
from tests.companies.cryptomus import ADDRESS
from tests.companies.cryptomus import Cryptomus as Company

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
KEY = PaymentKey(PAYMENT)
RETURN = "https://shop.example/checkout/back?an=1"
CALLBACK = "https://connector.example/webhooks/cryptomus/shop"
ORDER = Order(PAYMENT, Decimal("15.50"), "USDT", return_url=RETURN, notification_url=CALLBACK)
CAPTURED = Look(Standing.CAPTURED, provider_status="paid")
NOTHING = Decimal(0)


def create(provider: Cryptomus, account: Account, order: Order = ORDER) -> CreateResult:
    return provider.create(order, Call(KEY, account, Deadline.after(5), "unused"))


def look(provider: Cryptomus, account: Account) -> Look:
    return provider.look(Call(KEY, account, Deadline.after(5)))


def refund(provider: Cryptomus, account: Account, amount: Decimal | None = None) -> WriteResult:
    return provider.refund(Call(KEY, account, Deadline.after(5), "unused", CAPTURED, amount))


def test_an_invoice_is_followed_through_its_life(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    made = create(provider, account)
    found = look(provider, account)
    assert (Standing.UNPAID, made.payment_url) == (found.standing, found.payment_url)
    assert made.provider_payment_id == found.provider_payment_id
    company.pay(PAYMENT)
    found = look(provider, account)
    assert (PaymentStatus.APPROVED, ORDER.amount, NOTHING) == (
        found.verdict,
        found.captured,
        found.refunded,
    )
    assert (NOTHING, ORDER.amount, NOTHING) == company.money(PAYMENT)
    refund(provider, account)
    found = look(provider, account)
    assert (Standing.WORKING, ORDER.amount, NOTHING) == (
        found.standing,
        found.captured,
        found.refunded,
    )
    company.finish(PAYMENT)
    found = look(provider, account)
    assert (Standing.UNDONE, ORDER.amount, ORDER.amount) == (
        found.standing,
        found.captured,
        found.refunded,
    )
    assert (NOTHING, ORDER.amount, ORDER.amount) == company.money(PAYMENT)
    assert Counter({f"create:{PAYMENT}": 1, f"refund:{PAYMENT}": 1}) == company.effects


def test_a_refund_that_came_to_nothing_is_seen_to_have_failed(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    company.refunds_fail = True
    company.create(PAYMENT, "paid")
    before = look(provider, account)
    refund(provider, account)
    company.finish(PAYMENT)
    after = look(provider, account)
    assert (0, 1) == (before.failures, after.failures)
    assert (Standing.STUCK, Decimal("15.00"), NOTHING) == (
        after.standing,
        after.captured,
        after.refunded,
    )


@pytest.mark.parametrize(("end", "word"), [("expire", "cancel"), ("decline", "fail")])
def test_an_invoice_that_comes_to_nothing_is_denied(
    company: Company, provider: Cryptomus, account: Account, end: str, word: str
) -> None:
    create(provider, account)
    getattr(company, end)(PAYMENT)
    found = look(provider, account)
    assert (PaymentStatus.DENIED, word, None) == (
        found.verdict,
        found.provider_status,
        found.captured,
    )
    assert (NOTHING, NOTHING, NOTHING) == company.money(PAYMENT)


@pytest.mark.parametrize("status", ["wrong_amount", "system_fail", "locked"])
@pytest.mark.parametrize("is_final", [False, True])
def test_what_only_a_person_can_judge_is_neither_approved_nor_denied(
    company: Company, provider: Cryptomus, account: Account, status: str, is_final: bool
) -> None:
    company.create(PAYMENT, status, is_final=is_final)
    found = look(provider, account)
    assert (PaymentStatus.PENDING, None, None) == (found.verdict, found.captured, found.refunded)


@pytest.mark.parametrize("status", ["paid", "paid_over"])
def test_what_may_still_change_is_not_approved(
    company: Company, provider: Cryptomus, account: Account, status: str
) -> None:
    company.create(PAYMENT, status, is_final=False)
    found = look(provider, account)
    assert (PaymentStatus.PENDING, None) == (found.verdict, found.captured)


def test_what_it_sells() -> None:
    assert Cryptomus.payment_methods == ("Cryptomus",)
    assert Cryptomus.currencies is None
    assert not Cryptomus.has_sandbox
    assert Cryptomus.create_is_idempotent
    assert not Cryptomus.refund_is_idempotent
    assert not Cryptomus.can_refund_partly


class TestRefund:
    @pytest.mark.parametrize(
        ("payer", "is_subtract"), [(None, True), ("merchant", True), ("customer", False)]
    )
    def test_everything_that_is_sent(
        self,
        company: Company,
        provider: Cryptomus,
        account: Account,
        payer: str | None,
        is_subtract: bool,
    ) -> None:
        company.create(PAYMENT, "paid")
        settings = {**account.settings, **({"refund_fee": payer} if payer else {})}
        expected = WriteResult(Effect.ACCEPTED)
        assert expected == refund(provider, Account(settings))
        (call,) = company.calls
        sent = {"order_id": PAYMENT, "address": ADDRESS, "is_subtract": is_subtract}
        assert sent == call.json()
        line = "POST /v1/payment/refund"
        assert line == f"{call.method} {call.path}"

    def test_a_part_is_refused_before_anything_is_sent(
        self, company: Company, provider: Cryptomus, account: Account
    ) -> None:
        with pytest.raises(ProviderRefused):
            refund(provider, account, Decimal("15.00"))
        assert not company.calls

    def test_without_a_wallet_nothing_is_sent(
        self, company: Company, provider: Cryptomus, account: Account
    ) -> None:
        bare = Account(company.settings)
        assert provider.may_refund(account)
        assert not provider.may_refund(bare)
        with pytest.raises(ProviderRefused):
            refund(provider, bare)
        assert not company.calls

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("Payment was not found", ProviderRefused),
            ("Undefined merchant wallet", ProviderRefused),
            ("Refunds are made only for completed payments", ProviderRefused),
            ("The refund amount should not be more than the amount paid", ProviderRefused),
            ("You are forbidden", ProviderCredentials),
            ("Server error", OutcomeUnknown),
        ],
    )
    def test_each_documented_refusal_is_named_by_what_may_be_done_next(
        self,
        company: Company,
        provider: Cryptomus,
        account: Account,
        message: str,
        expected: type[ConnectorError],
    ) -> None:
        company.refusal = message
        with pytest.raises(expected) as caught:
            refund(provider, account)
        assert (expected, message) == (type(caught.value), caught.value.evidence)

    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (422, b'{"state":1,"errors":{"address":["validation.required"]}}', ProviderRefused),
            (500, b'{"message":"Server error, #1","code":500,"error":null}', OutcomeUnknown),
            (422, b'{"message":"Server error"}', AnswerNotUnderstood),
            (422, b'{"state":0,"result":[]}', AnswerNotUnderstood),
            (404, b"<html></html>", AnswerNotUnderstood),
        ],
    )
    def test_any_other_answer_is_named_by_what_may_have_happened(
        self,
        company: Company,
        provider: Cryptomus,
        account: Account,
        status: int,
        body: bytes,
        expected: type[ConnectorError],
    ) -> None:
        company.inject("status_before", "refund", status=status, body=body)
        with pytest.raises(expected) as caught:
            refund(provider, account)
        assert expected is type(caught.value)

    @pytest.mark.parametrize(
        ("key", "value"),
        [("refund_address", "short"), ("refund_address", "x" * 256), ("refund_fee", "both")],
    )
    def test_a_wrong_setting_is_named(self, company: Company, key: str, value: str) -> None:
        with pytest.raises(ConfigurationError, match=f"^{key}: "):
            Cryptomus.check_settings({**company.settings, key: value})

    def test_the_optional_settings_are_taken(self, account: Account) -> None:
        settings = {**account.settings, "refund_fee": "customer"}
        assert settings == Cryptomus.check_settings(settings)
