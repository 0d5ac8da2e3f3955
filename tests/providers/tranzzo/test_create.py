"""A payment at Tranzzo until it is paid: its settings, its page, its buyer."""

import json
import re
from decimal import Decimal

import pytest

from connector.domain.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.order import Buyer, Line, Order
from connector.domain.payment import CreateResult, PaymentStatus, Standing
from connector.http_client import HttpClient
from connector.provider import Hosts
from connector.providers.tranzzo import Tranzzo
from tests.companies.tranzzo import refusal, wrong_field
from tests.providers.contract import refused_url
from tests.providers.tranzzo.shop import DASHED, ID, ORDER, TranzzoAccount

FULL_ORDER = Order(
    ID,
    Decimal("29.90"),
    "UAH",
    reference="1072430428324",
    lines=(Line("1", "Socks", 2, Decimal("29.90")),),
    buyer=Buyer("tom@shop.example", "+380999999999", 'Ім"я', "Hanks"),
    return_url="https://shop.example/back",
    notification_url="https://connector.example/webhooks/tranzzo/shop",
)


# Settings.


@pytest.mark.parametrize("stage", ["auth", "purchase"])
def test_the_stage_is_what_the_merchant_chose(shop: TranzzoAccount, stage: str) -> None:
    settings = Tranzzo.check_settings({**shop.company.settings, "stage": stage})
    shop.account = Account(settings)
    shop.create()
    assert stage == shop.sent("create")["method"]


def test_money_is_held_first_when_no_stage_was_chosen(shop: TranzzoAccount) -> None:
    shop.create()
    assert shop.sent("create")["method"] == "auth"


def test_there_is_no_third_stage(shop: TranzzoAccount) -> None:
    with pytest.raises(ConfigurationError, match="stage: give one of auth, purchase"):
        Tranzzo.check_settings({**shop.company.settings, "stage": "lookup"})


@pytest.mark.parametrize("currency", ["xts", "XT", "XTSS", "980", "₴"])
def test_a_currency_is_three_capital_letters(shop: TranzzoAccount, currency: str) -> None:
    with pytest.raises(ConfigurationError, match="sandbox_currency: "):
        Tranzzo.check_settings({**shop.company.settings, "sandbox_currency": currency})


# The sandbox's currency.


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, "XTS"), ({"sandbox_currency": "USD"}, "USD")]
)
def test_the_sandbox_has_a_currency_of_its_own(
    shop: TranzzoAccount, settings: dict[str, str], expected: str
) -> None:
    known = Tranzzo.check_settings({**shop.company.settings, **settings})
    shop.account = Account(known, sandbox=True)
    shop.create()
    shop.company.pay(ID)
    held = shop.look()
    assert (expected, None) == (shop.sent("create")["currency"], held.currency)
    shop.settle()
    shop.refund("9.90")
    sent = [shop.sent(operation)["order_currency"] for operation in ("capture", "refund")]
    assert [expected, expected] == sent
    assert ("0.00", "29.90", "9.90") == shop.money()


def test_an_order_that_the_sandbox_has_in_another_currency_keeps_that_one(
    shop: TranzzoAccount,
) -> None:
    shop.create()
    shop.company.pay(ID)
    shop.account = Account(shop.company.settings, sandbox=True)
    held = shop.look()
    assert "UAH" == held.currency
    shop.provider.cancel(shop.call(look=held))
    assert "UAH" == shop.sent("void")["order_currency"]


def test_outside_the_sandbox_its_currency_is_a_foreign_one(shop: TranzzoAccount) -> None:
    settings = Tranzzo.check_settings({**shop.company.settings, "sandbox_currency": "XTS"})
    shop.account = Account(settings, sandbox=True)
    shop.create()
    shop.account = Account(settings)
    assert "XTS" == shop.look().currency


# Create.


def test_an_order_is_created_as_documented(shop: TranzzoAccount) -> None:
    created = shop.create(FULL_ORDER)
    call = shop.company.calls_of("create")[0]
    assert (call.method, call.path) == ("POST", "/api/v1/payment")
    assert call.headers["Accept"] == "application/json"
    assert shop.sent("create") == {
        "pos_id": shop.account.settings["pos_id"],
        "mode": "hosted",
        "method": "auth",
        "amount": "29.90",
        "currency": "UAH",
        "description": "Order 1072430428324",
        "order_id": ID,
        "order_3ds_bypass": "supported",
        "server_url": "https://connector.example/webhooks/tranzzo/shop",
        "result_url": "https://shop.example/back",
        "customer_email": "tom@shop.example",
        "customer_phone": "+380999999999",
        "customer_fname": 'Ім"я',
        "customer_lname": "Hanks",
    }
    (made,) = shop.company.orders[ID]
    page = f"{shop.company.origin}/page/{made['payment_id']}"
    assert created == CreateResult(provider_payment_id=made["payment_id"], payment_url=page)
    assert created.status is PaymentStatus.PENDING
    assert shop.company.effects == {f"create:{ID}": 1}


def test_what_is_not_known_is_left_out(shop: TranzzoAccount) -> None:
    shop.create(Order(ID, Decimal(5), "UAH"))
    keys = shop.sent("create").keys()
    assert not {"server_url", "result_url"} & keys
    assert not [key for key in keys if key.startswith("customer_")]


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (b"29.90", "29.9"),
        (b"100.00", "1E+2"),
        (b"0.01", "0.01"),
        (b"5.00", "5.0000"),
        (b"12345678901234567.89", "12345678901234567.89"),
    ],
)
def test_an_amount_is_sent_digit_by_digit(
    shop: TranzzoAccount, written: bytes, amount: str
) -> None:
    shop.create(Order(ID, Decimal(amount), "UAH"))
    body = shop.company.calls_of("create")[0].body
    assert [written] == re.findall(rb'"amount": ([^,}]+)', body)


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "10.999"])
def test_an_amount_tranzzo_cannot_take_is_not_sent(shop: TranzzoAccount, amount: str) -> None:
    with pytest.raises(ProviderRefused):
        shop.create(Order(ID, Decimal(amount), "UAH"))
    assert not shop.company.calls


def test_a_uuid_is_created_without_its_dashes(shop: TranzzoAccount) -> None:
    shop.create(Order(DASHED, Decimal(5), "UAH"))
    assert shop.sent("create")["order_id"] == DASHED.replace("-", "")
    assert shop.look(DASHED).standing is Standing.UNPAID


def test_an_order_id_too_long_is_refused_unsent(shop: TranzzoAccount) -> None:
    # VTEX is told these words.
    with pytest.raises(ProviderRefused, match=r"^Tranzzo has no such order, or can have none\.$"):
        shop.create(Order("x" * 33, Decimal(5), "UAH"))
    assert not shop.company.calls


@pytest.mark.parametrize("status", [200, 400, 409])
def test_an_order_id_used_before_is_refused(shop: TranzzoAccount, status: int) -> None:
    body = json.dumps(refusal("P-409", "free text")).encode()
    shop.company.inject("status_before", "create", status=status, body=body)
    with pytest.raises(ProviderRefused, match="P-409"):
        shop.create()


def test_one_order_is_created_once(shop: TranzzoAccount) -> None:
    shop.create()
    shop.company.decline(ID)
    with pytest.raises(ProviderRefused, match="P-409"):
        shop.create()
    assert shop.company.effects == {f"create:{ID}": 1}
    assert not Tranzzo.create_is_idempotent


def test_a_wrong_field_is_named(shop: TranzzoAccount) -> None:
    with pytest.raises(ProviderRefused, match="currency"):
        shop.create(Order(ID, Decimal(5), "hryvnia"))


def test_a_list_of_wrong_fields_is_no_absence(shop: TranzzoAccount) -> None:
    body = json.dumps(wrong_field("amount")).encode()
    shop.company.inject("status_before", "look", status=404, body=body)
    with pytest.raises(AnswerNotUnderstood):
        shop.look()


def test_a_create_with_wrong_keys_is_certainly_not_done(shop: TranzzoAccount) -> None:
    shop.account = Account({**shop.company.settings, "pos_id": "another"})
    with pytest.raises(ProviderCredentials):
        shop.create()


def test_a_create_that_was_never_sent_is_certainly_not_done(shop: TranzzoAccount) -> None:
    shop.provider = Tranzzo(HttpClient("tranzzo"), Hosts(refused_url(), ""))
    with pytest.raises(ProviderUnavailable):
        shop.create()


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        17,
        {},
        "/page",
        "https://",
        "http://pay.example/1",
        "http://127.0.0.1.pay.example/1",
        "https://user@pay.example/1",
        "https://pay.example/a b",
        "https://pay.example/\n",
        "javascript:alert(1)",
    ],
)
def test_without_a_safe_page_the_outcome_is_open(shop: TranzzoAccount, url: object) -> None:
    body = json.dumps({"payment_id": "1", "redirect_url": url}).encode()
    shop.company.inject("answer", "create", body=body)
    with pytest.raises(AnswerNotUnderstood):
        shop.create()


@pytest.mark.parametrize("url", ["https://pay.example", "https://pay.example:8443/a?b=c#d"])
def test_a_page_by_https_is_taken(shop: TranzzoAccount, url: str) -> None:
    shop.company.inject("answer", "create", body=json.dumps({"redirect_url": url}).encode())
    assert shop.create() == CreateResult(payment_url=url)


def test_another_orders_page_is_no_answer(shop: TranzzoAccount) -> None:
    body = b'{"order_id": "another", "redirect_url": "https://pay.example/1"}'
    shop.company.inject("answer", "create", body=body)
    with pytest.raises(AnswerNotUnderstood):
        shop.create()


@pytest.mark.parametrize(("kind", "status"), [("reset_after", 0), ("status_after", 302)])
def test_a_lost_create_is_found_by_a_look_with_its_page(
    shop: TranzzoAccount, kind: str, status: int
) -> None:
    shop.company.inject(kind, "create", status=status)
    with pytest.raises(OutcomeUnknown):
        shop.create()
    look = shop.look()
    assert look.standing is Standing.UNPAID
    assert look.payment_url == shop.company.orders[ID][0]["user_action_url"]


# Look: the buyer.


def test_an_unpaid_order_shows_its_page_and_amount(shop: TranzzoAccount) -> None:
    created = shop.create()
    look = shop.look()
    assert (look.standing, look.verdict) == (Standing.UNPAID, PaymentStatus.PENDING)
    assert (look.amount, look.currency) == (ORDER.amount, ORDER.currency)
    assert look.payment_url == created.payment_url
    assert look.provider_payment_id == created.provider_payment_id
    assert (look.authorization_id, look.captured, look.refunded) == (None, 0, 0)


def test_a_company_need_not_show_its_page(shop: TranzzoAccount) -> None:
    shop.company.shows_page = False
    shop.create()
    assert shop.look().payment_url is None


@pytest.mark.parametrize(
    ("page", "status", "url"),
    [
        ("https://pay.example/1", "init", "https://pay.example/1"),
        (None, "pending", "https://pay.example/1"),
        (None, "success", "https://pay.example/1"),
        (None, "init", "pay.example/1"),
        (None, "init", "http://pay.example/1"),
    ],
)
def test_only_an_unpaid_order_has_a_page(
    shop: TranzzoAccount, page: str | None, status: str, url: str
) -> None:
    shop.create()
    shop.company.orders[ID][0].update(status=status, user_action_url=url)
    assert page == shop.look().payment_url


def test_a_buyer_who_pays_is_approved(shop: TranzzoAccount) -> None:
    created = shop.create()
    shop.company.pay(ID)
    look = shop.look()
    assert (look.standing, look.verdict) == (Standing.HELD, PaymentStatus.APPROVED)
    assert (look.amount, look.captured, look.payment_url) == (ORDER.amount, 0, None)
    assert look.authorization_id == look.provider_payment_id == created.provider_payment_id
    assert shop.money() == ("29.90", "0.00", "0.00")


def test_a_purchase_is_taken_when_it_is_paid(shop: TranzzoAccount) -> None:
    shop.account = Account({**shop.company.settings, "stage": "purchase"})
    shop.create()
    shop.company.pay(ID)
    look = shop.look()
    assert (look.standing, look.verdict) == (Standing.CAPTURED, PaymentStatus.APPROVED)
    assert look.captured == ORDER.amount
    assert look.authorization_id == look.provider_payment_id
    assert shop.money() == ("0.00", "29.90", "0.00")


@pytest.mark.parametrize("end", ["decline", "expire"])
def test_a_buyer_who_does_not_pay_is_denied(shop: TranzzoAccount, end: str) -> None:
    shop.create()
    getattr(shop.company, end)(ID)
    shop.company.pay(ID)
    look = shop.look()
    assert (look.verdict, look.authorization_id) == (PaymentStatus.DENIED, None)
    assert shop.money() == ("0.00", "0.00", "0.00")
