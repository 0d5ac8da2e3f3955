"""What VTEX sends is read, however little or much of it there is."""

import json
import logging
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.errors import InvalidRequest
from connector.domain.operation import CreateRequest
from connector.domain.order import Buyer, Order
from connector.domain.payment import PaymentKey
from connector.vtex.orders import load_creation
from connector.vtex.schemas import (
    load_cancellation,
    load_inbound,
    load_refund,
    load_settlement,
    read_json,
)

CARD = "4444333322221111"
CALLBACK = "https://shop.vtexpayments.com.br/notify?an=shop&X-VTEX-signature=Rj6tk"
MINIMAL = {"paymentId": "P1", "value": 29.9, "currency": "RUB", "paymentMethod": "Visa"}
ADDRESS = {
    "country": "BRA",
    "street": "Praia de Botafogo St.",
    "number": "300",
    "neighborhood": "Botafogo",
    "postalCode": "22250040",
    "city": "Rio de Janeiro",
    "state": "RJ",
}
# VTEX's own example of a card payment (its OpenAPI file), with the card of its test suite.
WHOLE: dict[str, Any] = {
    "reference": "32478982",
    "orderId": "v967373115140abc",
    "shopperInteraction": "ecommerce",
    "transactionId": "D3AA1FC8372E430E8236649DB5EBD08E",
    "paymentId": "F5C1A4E20D3B4E07B7E871F5B5BC9F91",
    "paymentMethod": "Visa",
    "paymentMethodCustomCode": None,
    "merchantName": "mystore",
    "value": 4307.23,
    "referenceValue": 4000.0,
    "currency": "BRL",
    "installments": 3,
    "deviceFingerprint": "12ade389087fe",
    "card": {
        "holder": "John Doe",
        "number": CARD,
        "csc": "021",
        "expiration": {"month": "06", "year": "2029"},
    },
    "miniCart": {
        "shippingValue": 11.44,
        "taxValue": 10.01,
        "buyer": {
            "id": "c1245228-1c68-11e6-94ac-0afa86a846a5",
            "firstName": "John",
            "lastName": "Doe",
            "document": "01234567890",
            "documentType": "CPF",
            "email": "john.doe@example.com",
            "phone": "+5521987654321",
        },
        "shippingAddress": ADDRESS,
        "billingAddress": ADDRESS,
        "items": [
            {
                "id": "132981",
                "name": "My First Product",
                "price": 2134.9,
                "quantity": 2,
                "discount": 5.0,
            }
        ],
    },
    "url": "https://admin.mystore.example.com/orders/v32478982",
    "callbackUrl": CALLBACK,
    "returnUrl": "https://mystore.example.com/checkout/order/v32478982",
}


def created(body: dict[str, Any] | None = None, **fields: Any) -> CreateRequest:
    whole = {**(MINIMAL if body is None else body), **fields}
    return load_creation(7, read_json(json.dumps(whole).encode()))


def order(body: dict[str, Any] | None = None, **fields: Any) -> Order:
    made = created(body, **fields).order
    assert made
    assert sum(line.total for line in made.lines) == made.amount
    return made


def refusal(**fields: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        created(**fields)
    return str(refused.value)


# Payments.


def test_a_payment_needs_four_fields() -> None:
    request = created()
    assert (7, PaymentKey("P1"), "") == (request.merchant_id, request.payment, request.request_id)
    assert request.callback_url is None
    assert not request.sandbox
    made = order()
    assert (made.payment_id, made.amount, made.currency) == ("P1", Decimal("29.9"), "RUB")
    assert (made.method, made.reference, made.return_url) == ("Visa", "", "")
    assert made.buyer == Buyer()
    assert made.card_number is None


def test_vtexs_own_example_is_read() -> None:
    made = order(WHOLE)
    assert str(made.amount) == "4307.23"
    assert (made.currency, made.reference) == ("BRL", "32478982")
    assert made.card_number == CARD
    assert made.return_url == WHOLE["returnUrl"]
    assert made.buyer == Buyer("john.doe@example.com", "+5521987654321", "John", "Doe")
    assert ("132981", "My First Product", 2) == (
        made.lines[0].id,
        made.lines[0].title,
        made.lines[0].quantity,
    )
    assert created(WHOLE).callback_url == CALLBACK


def test_neither_card_nor_callback_nor_buyer_is_shown() -> None:
    shown = repr(created(WHOLE))
    assert not [word for word in (CARD, "signature", "john.doe") if word in shown]


@pytest.mark.parametrize("field", list(MINIMAL))
@pytest.mark.parametrize("empty", [None, ""])
def test_what_is_required_is_missed(field: str, empty: object) -> None:
    assert refusal(**{field: empty}) == f"{field}: required"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        *[("paymentId", wrong) for wrong in ("P 1", "P" * 129, 7, "../P")],
        *[("value", wrong) for wrong in (0, -1, "0.00", "x", True, [], {}, "1e15", "1e-16")],
        *[("currency", wrong) for wrong in ("R", "рубль", "R B", 643, "X" * 11)],
        *[("paymentMethod", wrong) for wrong in (7, [], {})],
    ],
)
def test_a_wrong_field_is_named(field: str, wrong: Any) -> None:
    assert refusal(**{field: wrong}).startswith(f"{field}: ")


@pytest.mark.parametrize(
    ("written", "amount"),
    [("29,90", "29.90"), ("29.90", "29.90"), (31, "31"), (0.1, "0.1"), (1e-7, "1E-7")],
)
def test_an_amount_is_exact(written: Any, amount: str) -> None:
    assert str(order(value=written).amount) == amount


def test_an_amount_is_never_a_float() -> None:
    body = json.dumps(MINIMAL).replace("29.9", "29.899999999999998")
    request = load_creation(7, read_json(body.encode()))
    assert request.value == Decimal("29.899999999999998")


def test_a_currency_is_written_in_capitals() -> None:
    assert order(currency="rub").currency == "RUB"


def test_without_a_reference_the_order_id_is_one() -> None:
    assert order(orderId="v96").reference == "v96"
    assert order(orderId="v96", reference=618272).reference == "618272"


NO_CARD = {"holder": None, "number": None, "csc": None, "expiration": {"month": None}}


@pytest.mark.parametrize(
    "card", [None, {}, [], "null", "x", NO_CARD, {"number": "null"}, {"number": ""}]
)
def test_a_card_that_is_none_is_none(card: object) -> None:
    assert order(card=card).card_number is None


@pytest.mark.parametrize(
    "card",
    [
        *({name: "x"} for name in ("number", "holder", "csc", "token", "cryptogram", "bin")),
        *({**NO_CARD, name: "#vtex#token#d799bae#"} for name in ("numberToken", "holderToken")),
        {"cscToken": "x"},
        {"number": 4444333322221111},
        {"number": ["4444333322221111"]},
        {"holder": {"name": "John Doe"}},
        CARD,
        int(CARD),
        [CARD],
    ],
)
def test_whatever_is_of_a_card_is_noticed(card: object) -> None:
    assert order(card=card).carries_card
    assert CARD not in repr(order(card=card))


@pytest.mark.parametrize(
    "card",
    [
        None,
        {},
        [],
        "",
        "null",
        " NULL ",
        NO_CARD,
        {"number": "null", "holder": "null", "csc": "null"},
        {"number": "", "holder": " "},
        {"number": 0, "holder": False},
        {"expiration": {"month": "06", "year": "2029"}, "document": "01234567890"},
    ],
)
def test_what_comes_with_other_methods_is_no_card(card: object) -> None:
    assert not order(card=card).carries_card


@pytest.mark.parametrize(
    ("fields", "is_sandbox"),
    [
        ({}, False),
        ({"sandBoxMode": True}, True),
        ({"sandboxMode": True}, True),
        ({"sandBoxMode": "true"}, True),
        ({"sandBoxMode": False, "sandboxMode": "True"}, True),
        ({"sandBoxMode": "false", "sandboxMode": None}, False),
        ({"sandBoxMode": {}}, False),
    ],
)
def test_the_sandbox_mode_has_two_spellings(fields: dict[str, Any], is_sandbox: bool) -> None:
    assert created(**fields).sandbox is is_sandbox


@pytest.mark.parametrize("cart", [None, [], "x", 7, {"buyer": []}, {"items": {}}, {"buyer": "x"}])
def test_a_cart_that_cannot_be_read_loses_no_payment(cart: object) -> None:
    made = order(miniCart=cart)
    assert (1, Buyer()) == (len(made.lines), made.buyer)


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.vtexpayments.com.br/x",
        "ftp://shop.vtexpayments.com.br/x",
        "shop.vtexpayments.com.br",
        "https://user@shop.vtexpayments.com.br/secret",
        "https://shop.vtexpayments.com.br/a b",
        "elsewhere",
    ],
)
def test_a_callback_url_that_is_none_loses_no_payment(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert created(callbackUrl=url).callback_url is None
    assert "callbackUrl" in caplog.text
    assert url not in caplog.text.replace("callbackUrl", "")


@pytest.mark.parametrize("url", [CALLBACK, "http://127.0.0.1:8000/x", "https://any.example/x"])
def test_a_callback_url_is_kept_as_it_came(url: str) -> None:
    assert created(callbackUrl=url).callback_url == url


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "/x", "https://", 7])
def test_a_page_to_return_to_is_one_of_the_web(url: object) -> None:
    assert order(returnUrl=url).return_url == ""


# Settlements, refunds, inbound requests.


def read(**fields: Any) -> dict[str, Any]:
    return read_json(json.dumps({"paymentId": "P1", **fields}).encode())


def test_a_settlement_needs_only_the_payment() -> None:
    asked = load_settlement(7, read(), "P1")
    assert (PaymentKey("P1"), "", None) == (asked.payment, asked.request_id, asked.value)


def test_a_refund_needs_a_request_id_and_a_value() -> None:
    asked = load_refund(7, read(requestId="R1", value=0.3, settleId="S1"), "P1")
    assert ("R1", Decimal("0.3")) == (asked.request_id, asked.value)
    with pytest.raises(InvalidRequest, match=r"^requestId: required; value: required$"):
        load_refund(7, read(), "P1")


@pytest.mark.parametrize("load", [load_settlement, load_refund])
@pytest.mark.parametrize("value", [0, -1, "x", "1e400", True])
def test_what_is_moved_is_above_zero(load: Any, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^value: "):
        load(7, read(requestId="R1", value=value), "P1")


LOADS = [load_cancellation, load_settlement, load_refund]


@pytest.mark.parametrize("load", LOADS)
def test_the_ids_of_the_company_are_taken(load: Any) -> None:
    asked = load(7, read(requestId="R1", value=1, authorizationId=5784589, tid="T1"), "P1")
    assert asked.payment == PaymentKey("P1", "5784589", "T1")


@pytest.mark.parametrize("load", LOADS)
def test_vtexs_own_id_is_not_taken_for_the_companys(load: Any) -> None:
    asked = load(7, read(requestId="R1", value=1, authorizationId="P1", tid="P1"), "P1")
    assert asked.payment == PaymentKey("P1", uses_payment_id=True)
    assert not asked.payment.was_authorized


@pytest.mark.parametrize("load", LOADS)
def test_the_payment_is_that_of_the_path(load: Any) -> None:
    with pytest.raises(InvalidRequest, match="differs from the one in the path"):
        load(7, read(requestId="R1", value=1), "P2")
    with pytest.raises(InvalidRequest, match="paymentId in the path"):
        load(7, read(requestId="R1", value=1), "P 1")


def test_an_inbound_request_needs_a_request_id() -> None:
    asked = load_inbound(7, read(requestId="R1", requestData={"body": "x"}), "P1", "status")
    assert ("P1", "R1", "status") == (asked.payment_id, asked.request_id, asked.action)
    with pytest.raises(InvalidRequest, match=r"^requestId: required$"):
        load_inbound(7, read(), "P1", "status")
