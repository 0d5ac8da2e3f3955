"""Reads the body of VTEX's create as an order (VTEX's OpenAPI file, POST /payments).

Four fields are required. Any other field may be missing, null or of another type. Then the order
loses a line of the cart or a name, but the payment is still created.
"""

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import fields, validate

from connector.domain.operation import CreateRequest
from connector.domain.order import Buyer, Order
from connector.domain.payment import PaymentKey
from connector.vtex import addresses
from connector.vtex.cart import lines_of
from connector.vtex.schemas import REQUIRED, Amount, Tolerant, load, payment_id_field
from connector.vtex.values import read_id, read_text

log = logging.getLogger(__name__)

# These card numbers mean that there is no card. Some of VTEX's examples have the text "null".
_NO_CARD = {"", "null"}
# Only a card has these fields. `expiration` and `document` may come with other methods too.
_CARD_FIELDS = (
    *("number", "holder", "csc", "token", "cryptogram", "bin"),
    *("numberToken", "holderToken", "cscToken"),
)


class CreateSchema(Tolerant):
    """The required fields of a payment. VTEX writes currencies as in ISO 4217."""

    payment_id = payment_id_field()
    value = Amount(required=True, error_messages=REQUIRED)
    currency = fields.String(
        required=True,
        error_messages=REQUIRED,
        validate=validate.Regexp(r"^[A-Za-z0-9]{2,10}\Z", error="must be a currency's code"),
    )
    method = fields.String(data_key="paymentMethod", required=True, error_messages=REQUIRED)


_CREATE = CreateSchema()


def load_creation(merchant_id: int, body: Mapping[str, Any]) -> CreateRequest:
    """Read a payment to be created. Raises InvalidRequest that names every wrong field."""
    required_values = load(_CREATE, body)
    payment_id, amount = required_values["payment_id"], required_values["value"]
    return CreateRequest(
        merchant_id,
        PaymentKey(payment_id),
        value=amount,
        sandbox=_is_true(body.get("sandBoxMode")) or _is_true(body.get("sandboxMode")),
        order=_order(payment_id, amount, required_values, body),
        callback_url=_callback_url(body),
        transaction_id=read_id(body.get("transactionId")),
        order_id=read_id(body.get("orderId")),
    )


def _order(
    payment_id: str, amount: Decimal, required_values: Mapping[str, Any], body: Mapping[str, Any]
) -> Order:
    cart = _object(body, "miniCart")
    return Order(
        payment_id=payment_id,
        amount=amount,
        currency=required_values["currency"].upper(),
        reference=_text(body, "reference") or _text(body, "orderId") or "",
        method=required_values["method"],
        lines=lines_of(amount, cart),
        buyer=_buyer(_object(cart, "buyer")),
        return_url=_return_url(body),
        card_number=_card_number(_object(body, "card")),
        carries_card=_carries_card(body.get("card")),
    )


def _buyer(fields_: Mapping[str, Any]) -> Buyer:
    return Buyer(
        email=_text(fields_, "email"),
        phone=_text(fields_, "phone"),
        first_name=_text(fields_, "firstName"),
        last_name=_text(fields_, "lastName"),
    )


def _card_number(card: Mapping[str, Any]) -> str | None:
    number = _text(card, "number") or ""
    return None if number.lower() in _NO_CARD else number


def _carries_card(card: object) -> bool:
    """Whether the body has any part of a card, or a card's token (VTEX's guide "Secure Proxy")."""
    if not isinstance(card, dict):
        return _is_there(card)
    return any(_is_there(card.get(name)) for name in _CARD_FIELDS)


def _is_there(value: object) -> bool:
    return bool(value) and str(value).strip().lower() not in _NO_CARD


def _return_url(body: Mapping[str, Any]) -> str:
    """Read the address that the buyer's browser opens, if it is a page. A browser runs a script."""
    url = _text(body, "returnUrl") or ""
    return url if addresses.is_page(url) else ""


def _callback_url(body: Mapping[str, Any]) -> str | None:
    """Read VTEX's address for callbacks. Without an address VTEX repeats its create instead."""
    url = _text(body, "callbackUrl")
    if url and addresses.read(url) is None:
        # The address itself is never logged: it carries a signature.
        log.warning("callbackUrl is no https URL; no callback will be sent")
        return None
    return url


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _text(body: Mapping[str, Any], name: str) -> str | None:
    return read_text(body.get(name)) or None


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in {"true", "1"}
