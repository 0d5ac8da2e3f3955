"""Writes the bodies of the test suite's requests, in two readings."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

# The suite's public card numbers (VTEX's guide "Payment Provider Homologation").
APPROVED = "4444333322221111"
DENIED = "4444333322221112"
APPROVED_LATER = "4222222222222224"
DENIED_LATER = "4222222222222225"
CARDS = (APPROVED, DENIED, APPROVED_LATER, DENIED_LATER)

# In units. The order has two pieces of one item, and shipping.
VALUE = Decimal("100.25")
_PRICE = Decimal("45.10")
_SHIPPING = Decimal("10.05")
_CENTS = 100

_ADDRESS = {
    "country": "BRA",
    "street": "Praia de Botafogo",
    "number": "300",
    "complement": "",
    "neighborhood": "Botafogo",
    "postalCode": "22250-040",
    "city": "Rio de Janeiro",
    "state": "RJ",
}
_BUYER = {
    "firstName": "Ana",
    "lastName": "Souza",
    "document": "01234567890",
    "documentType": "CPF",
    "email": "ana.souza@example.com",
    "phone": "+5521999999999",
}
_ITEM: Mapping[str, Any] = {
    "id": "1",
    "name": "Coffee",
    "price": _PRICE,
    "quantity": 2,
    "discount": 0,
}
_ORDER: Mapping[str, Any] = {
    "reference": "32478982",
    "orderId": "v32478982abc",
    "shopperInteraction": "ecommerce",
    "paymentMethodCustomCode": None,
    "merchantName": "rehearsal",
    "value": VALUE,
    "currency": "BRL",
    "installments": 1,
    "deviceFingerprint": "12ade389087fe",
    "url": "https://admin.example.com/orders/v32478982",
    "returnUrl": "https://shop.example.com/checkout/order/v32478982",
}
# The OpenAPI file has these; the suite leaves them out (VTEX's PHP sample connector).
_ITEM_IN_FULL = {
    "deliveryType": "Normal",
    "categoryId": "10",
    "sellerId": "1",
    "taxRate": 0,
    "taxValue": 0,
}
_BUYER_IN_FULL = {"id": "buyer-1", "isCorporate": False}
_ORDER_IN_FULL = {
    "verificationOnly": False,
    "referenceValue": VALUE,
    "installmentsInterestRate": 0,
    "installmentsValue": VALUE,
    "ipAddress": "203.0.113.7",
    "recipients": [],
    "merchantSettings": [],
    "sandBoxMode": False,
    "totalCartValue": VALUE,
    "connectorMetadata": [],
    "somethingNew": {"any": ["value"]},
}
_IN_FULL = {"merchantSettings": [], "connectorMetadata": [], "sandboxMode": False}


@dataclass(frozen=True)
class Reading:
    """One way to read VTEX's papers, where they differ.

    If `is_full`, the bodies follow VTEX's OpenAPI file, and ids have 32 hex digits. Otherwise they
    follow the suite's observed requests: without optional fields, and with UUIDs in small letters.
    """

    name: str
    is_full: bool
    marker: str

    def new_id(self) -> str:
        return uuid.uuid4().hex.upper() if self.is_full else str(uuid.uuid4())


# The observed header of the suite has other capitals than the header in VTEX's papers.
BARE = Reading("bare", is_full=False, marker="X-Vtex-Api-Is-Testsuite")
FULL = Reading("full", is_full=True, marker="X-VTEX-API-Is-TestSuite")


def payment(
    reading: Reading, payment_id: str, method: str, number: str | None, callback_url: str
) -> dict[str, Any]:
    """Write a create; without a card number the fields of its card are null, or the text "null"."""
    return {
        **_ORDER,
        "transactionId": reading.new_id(),
        "paymentId": payment_id,
        "paymentMethod": method,
        "card": _card(reading, number),
        "miniCart": _mini_cart(reading),
        "callbackUrl": callback_url,
        **(_ORDER_IN_FULL if reading.is_full else {}),
    }


def _mini_cart(reading: Reading) -> dict[str, Any]:
    return {
        "shippingValue": _SHIPPING,
        "taxValue": 0,
        "buyer": {**_BUYER, **(_BUYER_IN_FULL if reading.is_full else {})},
        "shippingAddress": _ADDRESS,
        "billingAddress": _ADDRESS,
        "items": [{**_ITEM, **(_ITEM_IN_FULL if reading.is_full else {})}],
    }


def _card(reading: Reading, number: str | None) -> dict[str, Any]:
    if number is None:
        nothing = "null" if reading.is_full else None
        names = ("holder", "number", "csc", "document")
        return {
            **dict.fromkeys(names, nothing),
            "expiration": {"month": nothing, "year": nothing},
        }
    document = "01234567890" if reading.is_full else None
    return {
        "holder": "ANA SOUZA",
        "number": number,
        "csc": "021",
        "expiration": {"month": "06", "year": "2031"},
        "document": document,
    }


def cancellation(reading: Reading, payment_id: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Write a cancellation; `answer` is the connector's answer to the create."""
    body = {"paymentId": payment_id, "requestId": reading.new_id()}
    if not reading.is_full:
        return body
    # VTEX's OpenAPI file has this value in cents.
    return {**body, **_ids(reading, answer), "value": int(VALUE * _CENTS), **_IN_FULL}


def settlement(
    reading: Reading, payment_id: str, answer: Mapping[str, Any], value: Decimal
) -> dict[str, Any]:
    """Write a settlement; the suite's has neither authorizationId nor requestId."""
    body = {"paymentId": payment_id, "transactionId": reading.new_id(), "value": value}
    if not reading.is_full:
        return body
    return {**body, "requestId": reading.new_id(), **_ids(reading, answer), **_IN_FULL}


def refund(
    reading: Reading, payment_id: str, answer: Mapping[str, Any], settle_id: str, value: Decimal
) -> dict[str, Any]:
    body = {
        "paymentId": payment_id,
        "requestId": reading.new_id(),
        "transactionId": reading.new_id(),
        "settleId": settle_id,
        "value": value,
    }
    return {**body, **_ids(reading, answer), **_IN_FULL} if reading.is_full else body


def _ids(reading: Reading, answer: Mapping[str, Any]) -> dict[str, Any]:
    ids = {name: answer.get(name) for name in ("authorizationId", "tid", "nsu")}
    return {
        "transactionId": reading.new_id(),
        **{name: id_ for name, id_ in ids.items() if id_ is not None},
    }
