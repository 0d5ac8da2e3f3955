"""Reads VTEX's JSON. VTEX's word `tid` is read here, and written in `answers`.

A field is required only if its operation needs the field. VTEX's own guides and test suite leave
out many fields that its OpenAPI file calls required.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from connector.domain import exact
from connector.domain.errors import InvalidRequest
from connector.domain.operation import CancelRequest, RefundRequest, SettleRequest
from connector.domain.payment import PAYMENT_ID_FORM, PaymentKey, is_payment_id
from connector.vtex.values import MOST_DIGITS, has_few_digits, read_id, read_number

REQUIRED: dict[str, Any] = {"required": "required"}


class Identifier(fields.String):
    """A text. Some callers write an identifier of digits as a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Number(fields.Decimal):
    """A number, or a text that is a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        number = read_number(value)
        if number is None:
            raise self.make_error("invalid")
        return number


class Amount(Number):
    """An amount of money to move, in units. It is above zero, and its digits are limited."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        number = super()._deserialize(value, attr, data, **kwargs)
        if not number > 0:
            raise ValidationError("must be above zero")
        if not has_few_digits(number):
            raise ValidationError(f"must have at most {MOST_DIGITS} digits on a side of its point")
        return number


def _check_payment_id(text: str) -> None:
    if not is_payment_id(text):
        raise ValidationError(f"must be {PAYMENT_ID_FORM}")


def payment_id_field() -> fields.String:
    return fields.String(
        data_key="paymentId",
        required=True,
        error_messages=REQUIRED,
        validate=_check_payment_id,
    )


def _request_id_field(*, required: bool) -> fields.String:
    return fields.String(
        data_key="requestId",
        required=required,
        error_messages=REQUIRED,
        validate=validate.Length(max=256, error="must be 1 to 256 characters"),
    )


class Tolerant(Schema):
    """A body whose unknown fields are ignored. A field that is empty or null counts as absent."""

    class Meta:  # noqa: D106 - marshmallow's own
        unknown = EXCLUDE

    @pre_load
    def drop_empty(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {name: value for name, value in body.items() if value not in ("", None)}


class OperationSchema(Tolerant):
    """The fields of every operation on a payment (VTEX's OpenAPI file, CancelPaymentRequest).

    `sandboxMode` is a boolean or, in older pages, a text.
    """

    payment_id = payment_id_field()
    request_id = _request_id_field(required=True)
    authorization_id = Identifier(data_key="authorizationId")
    provider_payment_id = Identifier(data_key="tid")
    sandbox = fields.Boolean(data_key="sandboxMode")


class CancelSchema(OperationSchema):
    """The body of a cancellation. Its `value` may be in units or in cents."""

    value = Number(validate=validate.Range(min=0, error="must not be negative"))


class SettleSchema(OperationSchema):
    """The body of a settlement (SettlePayment). The test suite sends no requestId."""

    request_id = _request_id_field(required=False)
    value = Amount()


class RefundSchema(OperationSchema):
    """The body of a refund (RefundPayment)."""

    value = Amount(required=True, error_messages=REQUIRED)


class InboundSchema(Tolerant):
    """The body of an inbound request (InboundRequest_BETA_Request)."""

    payment_id = payment_id_field()
    request_id = _request_id_field(required=True)


@dataclass(frozen=True)
class InboundRequest:
    """A message that VTEX passes on for a sender. `action` stands in the path."""

    merchant_id: int
    payment_id: str
    request_id: str
    action: str


_CANCEL, _SETTLE, _REFUND, _INBOUND = (
    CancelSchema(),
    SettleSchema(),
    RefundSchema(),
    InboundSchema(),
)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object. Its numbers stay exact. Raises InvalidRequest."""
    try:
        value = exact.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidRequest("The body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object")
    return value


def load_cancellation(merchant_id: int, body: Mapping[str, Any], payment_id: str) -> CancelRequest:
    """Read a cancellation. Raises InvalidRequest that names every wrong field."""
    return CancelRequest(merchant_id, **_request_values(_CANCEL, payment_id, body))


def load_settlement(merchant_id: int, body: Mapping[str, Any], payment_id: str) -> SettleRequest:
    return SettleRequest(merchant_id, **_request_values(_SETTLE, payment_id, body))


def load_refund(merchant_id: int, body: Mapping[str, Any], payment_id: str) -> RefundRequest:
    return RefundRequest(merchant_id, **_request_values(_REFUND, payment_id, body))


def load_inbound(
    merchant_id: int, body: Mapping[str, Any], payment_id: str, action: str
) -> InboundRequest:
    values = _load_of_payment(_INBOUND, payment_id, body)
    return InboundRequest(merchant_id, payment_id, values["request_id"], action)


def load(schema: Schema, body: Mapping[str, Any]) -> dict[str, Any]:
    """Read a body. Raises InvalidRequest that names every wrong field."""
    try:
        values: dict[str, Any] = schema.load(dict(body))
    except ValidationError as error:
        raise InvalidRequest(_fault_texts(error)) from error
    return values


def readable(body: Mapping[str, Any], field: str) -> str | None:
    """Return a text field of a body, to repeat it. All other fields may be wrong."""
    text = body.get(field)
    return text if isinstance(text, str) else None


def _load_of_payment(schema: Schema, payment_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    if not is_payment_id(payment_id):
        raise InvalidRequest(f"paymentId in the path must be {PAYMENT_ID_FORM}")
    values = load(schema, body)
    if values["payment_id"] != payment_id:
        raise InvalidRequest("paymentId in the body differs from the one in the path")
    return values


def _request_values(schema: Schema, payment_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    values = _load_of_payment(schema, payment_id, body)
    return {
        "payment": _payment_key(payment_id, values),
        "request_id": values.get("request_id", ""),
        "value": values.get("value"),
        "sandbox": values.get("sandbox", False),
        "transaction_id": read_id(body.get("transactionId")),
    }


def _payment_key(payment_id: str, fields_: Mapping[str, Any]) -> PaymentKey:
    """Read the company's ids.

    An id that is VTEX's own paymentId is no id of the company. But it stood in an answer to a
    create, so the payment once existed.
    """
    names = ("authorization_id", "provider_payment_id")
    present = {name: fields_[name] for name in names if fields_.get(name) is not None}
    ids = {name: id_ for name, id_ in present.items() if id_ != payment_id}
    return PaymentKey(payment_id, **ids, uses_payment_id=payment_id in present.values())


def _fault_texts(error: ValidationError) -> str:
    faults: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return "; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in faults.items())
