"""What is sent to create an invoice, and what is made of the answer."""

import json
from contextlib import nullcontext
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.order import Order
from connector.domain.payment import CreateResult, Look, PaymentKey
from connector.provider import Call
from connector.providers.cryptomus import Cryptomus
from tests.companies.cryptomus import Cryptomus as Company
from tests.companies.cryptomus import invoice_uuid

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
KEY = PaymentKey(PAYMENT)
RETURN = "https://shop.example/checkout/back?an=1"
CALLBACK = "https://connector.example/webhooks/cryptomus/shop"
ORDER = Order(PAYMENT, Decimal("15.50"), "USDT", return_url=RETURN, notification_url=CALLBACK)


def create(provider: Cryptomus, account: Account, order: Order = ORDER) -> CreateResult:
    return provider.create(order, Call(KEY, account, Deadline.after(5), "unused"))


def look(provider: Cryptomus, account: Account) -> Look:
    return provider.look(Call(KEY, account, Deadline.after(5)))


def test_everything_that_is_sent(company: Company, provider: Cryptomus, account: Account) -> None:
    made = create(provider, account)
    invoice_id = invoice_uuid(company.invoices[PAYMENT])
    expected = CreateResult(
        provider_payment_id=invoice_id,
        payment_url=f"https://pay.cryptomus.com/pay/{invoice_id}",
    )
    assert expected == made
    sent = {
        "amount": "15.50",
        "currency": "USDT",
        "order_id": PAYMENT,
        "url_return": RETURN,
        "url_success": RETURN,
        "url_callback": CALLBACK,
        "lifetime": 3600,
    }
    (call,) = company.calls
    line = "POST /v1/payment"
    assert line == f"{call.method} {call.path}"
    assert sent == call.json()


def test_an_invoice_ends_well_before_vtex_gives_it_up(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    create(provider, account)
    lifetime = company.calls[0].json()["lifetime"]
    assert 300 <= lifetime <= Cryptomus.delays.cancel - 3600


@pytest.mark.parametrize("url", ["", "http:", "https://shop.example/" + "x" * 235, "a\nb.org"])
def test_a_url_the_company_would_not_take_is_left_out(
    company: Company, provider: Cryptomus, account: Account, url: str
) -> None:
    create(provider, account, replace(ORDER, return_url=url, notification_url=None))
    names = {"amount", "currency", "order_id", "lifetime"}
    taken = {"url_return", "url_success"} if 6 <= len(url) <= 255 and "\n" not in url else set()
    assert names | taken == set(company.calls[0].json())


@pytest.mark.parametrize(
    ("amount", "text"),
    [("100", "100"), ("1E+2", "100"), ("15.5", "15.5"), ("1.00000001", "1.00000001")],
)
def test_an_amount_is_written_out(
    company: Company, provider: Cryptomus, account: Account, amount: str, text: str
) -> None:
    create(provider, account, replace(ORDER, amount=Decimal(amount)))
    assert text == company.calls[0].json()["amount"]


def test_a_repeat_gives_the_same_invoice(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    again = replace(ORDER, amount=Decimal("15.5"), return_url="https://other.example/")
    assert create(provider, account) == create(provider, account, again)
    assert company.effects[f"create:{PAYMENT}"] == 1


@pytest.mark.parametrize("other", [{"amount": Decimal("15.51")}, {"currency": "USD"}])
def test_an_invoice_of_another_amount_is_not_taken_for_this_one(
    provider: Cryptomus, account: Account, other: dict[str, Any]
) -> None:
    create(provider, account)
    with pytest.raises(ProviderRefused) as caught:
        create(provider, account, replace(ORDER, **other))
    assert caught.value.evidence == "another amount"


def test_the_longest_payment_id_is_sent_as_it_is(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    create(provider, account, replace(ORDER, payment_id="A-z_" * 32))
    assert company.calls[0].json()["order_id"] == "A-z_" * 32


@pytest.mark.parametrize(
    "changes",
    [{"uuid": None}, {"url": ""}, {"amount": None}, {"currency": None}, {"order_id": "P2"}],
)
def test_an_answer_that_lacks_anything_may_still_be_an_invoice(
    company: Company, provider: Cryptomus, account: Account, changes: dict[str, Any]
) -> None:
    result = {
        "uuid": "u",
        "url": "https://pay.cryptomus.com/pay/u",
        "amount": "15.50",
        "currency": "USDT",
        "order_id": PAYMENT,
    }
    body = json.dumps({"state": 0, "result": result | changes}).encode()
    company.inject("answer", "create", body=body)
    with pytest.raises(AnswerNotUnderstood):
        create(provider, account)


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://pay.cryptomus.com/pay/u?a=1", True),
        ("http://127.0.0.1:8080/pay/u", True),
        ("http://pay.cryptomus.com/pay/u", False),
        ("http://127.0.0.1.evil.example/", False),
        ("http://127.0.0.1@evil.example/", False),
        ("javascript:alert(1)", False),
        ("//pay.cryptomus.com/pay/u", False),
        ("https://", False),
        ("https://pay.cryptomus.com/ x", False),
        ("https://pay.cryptomus.com/pay/u\n", False),
    ],
)
def test_a_page_the_buyer_cannot_be_sent_to_is_none(
    company: Company, provider: Cryptomus, account: Account, url: str, is_good: bool
) -> None:
    told = {"uuid": "u", "url": url, "amount": "15.50", "currency": "USDT", "order_id": PAYMENT}
    body = json.dumps({"state": 0, "result": told | {"payment_status": "check"}}).encode()
    company.inject("answer", "look", body=body)
    assert look(provider, account).payment_url == (url if is_good else None)
    company.inject("answer", "create", body=body)
    with nullcontext() if is_good else pytest.raises(AnswerNotUnderstood):
        assert create(provider, account).payment_url == url


@pytest.mark.parametrize(
    ("message", "evidence", "expected"),
    [
        ("The network was not found", None, ProviderRefused),
        ("The currency was not found", None, ProviderRefused),
        ("Not found service to_currency", None, ProviderRefused),
        ("Error convert to_currency", None, ProviderRefused),
        ("Minimum amount 0.5 USDT", "Minimum amount", ProviderRefused),
        ("Maximum amount 10000000 USDT", "Maximum amount", ProviderRefused),
        ("Wallet not found", None, ProviderRefused),
        ("The terminal was not found", None, ProviderRefused),
        ("You are forbidden", None, ProviderCredentials),
        ("Gateway error", None, ProviderUnavailable),
        ("Server error", None, ProviderUnavailable),
    ],
)
def test_each_documented_refusal_is_named_by_what_may_be_done_next(
    company: Company,
    provider: Cryptomus,
    account: Account,
    message: str,
    evidence: str | None,
    expected: type[ConnectorError],
) -> None:
    company.refusal = message
    with pytest.raises(expected) as caught:
        create(provider, account)
    assert (expected, evidence or message) == (type(caught.value), caught.value.evidence)
    assert not company.effects


def test_the_stand_in_refuses_as_documented(provider: Cryptomus, account: Account) -> None:
    for other in ({"currency": "XTS"}, {"amount": Decimal("0.1")}):
        with pytest.raises(ProviderRefused):
            create(provider, account, replace(ORDER, **other))


@pytest.mark.parametrize("kind", ["reset_after", "truncated", "status_after"])
def test_one_whose_answer_was_lost_is_found_by_a_look(
    company: Company, provider: Cryptomus, account: Account, kind: str
) -> None:
    company.inject(kind, "create")
    with pytest.raises(OutcomeUnknown):
        create(provider, account)
    found = look(provider, account)
    made = create(provider, account)
    assert (made.payment_url, made.provider_payment_id) == (
        found.payment_url,
        found.provider_payment_id,
    )
    assert company.effects[f"create:{PAYMENT}"] == 1
