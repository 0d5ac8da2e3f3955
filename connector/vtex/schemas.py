"""VTEX's JSON, in and out. VTEX's words `tid`, `nsu` and `acquirer` live only here."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate

from connector.domain import exact
from connector.domain.errors import ConnectorError, InvalidRequest
from connector.domain.operation import CancelRequest, Outcome
from connector.domain.payment import PaymentKey

PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
REQUIRED: dict[str, Any] = {"required": "required"}


class Identifier(fields.String):
    """A text; some callers write an identifier of digits as a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Number(fields.Decimal):
    """A number, or a text that is one; "29,90" appears in a VTEX guide's example."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Decimal:
        if isinstance(value, bool):
            raise self.make_error("invalid")
        if isinstance(value, str):
            value = value.replace(",", ".") if value.count(",") == 1 else value
        number = super()._deserialize(value, attr, data, **kwargs)
        if number is None:
            raise self.make_error("invalid")
        return number


class CancelSchema(Schema):
    """The body of a cancellation (VTEX's OpenAPI file, CancelPaymentRequest).

    Only paymentId and requestId can be relied on: VTEX's own guides and test suite leave out
    the rest.
    """

    class Meta:  # noqa: D106 - marshmallow's own
        unknown = EXCLUDE

    payment_id = fields.String(
        data_key="paymentId",
        required=True,
        error_messages=REQUIRED,
        validate=validate.Regexp(
            rf"^{PAYMENT_ID.pattern}\Z", error="must be 1 to 128 characters of A-Z a-z 0-9 - _"
        ),
    )
    request_id = fields.String(
        data_key="requestId",
        required=True,
        error_messages=REQUIRED,
        validate=validate.Length(max=256, error="must be 1 to 256 characters"),
    )
    authorization_id = Identifier(data_key="authorizationId")
    provider_payment_id = Identifier(data_key="tid")
    value = Number(validate=validate.Range(min=0, error="must not be negative"))
    sandbox = fields.Boolean(data_key="sandboxMode")

    @pre_load
    def drop_empty(self, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        """An empty string, like null, counts as absent."""
        return {name: value for name, value in body.items() if value not in ("", None)}


_CANCEL = CancelSchema()


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object, numbers exact. Raises InvalidRequest."""
    try:
        value = exact.loads(body.decode("utf-8-sig"))
    except ValueError as error:
        raise InvalidRequest("The body is not JSON in UTF-8") from error
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object")
    return value


def load_cancellation(payment_id: str, merchant_id: int, body: Mapping[str, Any]) -> CancelRequest:
    """Read a cancellation. Raises InvalidRequest that names every wrong field."""
    if not PAYMENT_ID.fullmatch(payment_id):
        raise InvalidRequest("paymentId in the path must be 1 to 128 characters of A-Z a-z 0-9 - _")
    try:
        found = _CANCEL.load(dict(body))
    except ValidationError as error:
        raise InvalidRequest(_named(error)) from error
    if found["payment_id"] != payment_id:
        raise InvalidRequest("paymentId in the body differs from the one in the path")
    return CancelRequest(
        merchant_id=merchant_id,
        payment=PaymentKey(
            payment_id, found.get("authorization_id"), found.get("provider_payment_id")
        ),
        request_id=found["request_id"],
        value=found.get("value"),
        sandbox=found.get("sandbox", False),
    )


def _named(error: ValidationError) -> str:
    faults: dict[str, list[str]] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return "; ".join(f"{name}: {' '.join(map(str, texts))}" for name, texts in faults.items())


def dump_cancellation(request: CancelRequest, outcome: Outcome) -> bytes:
    """Write the answer to a cancellation (VTEX's OpenAPI file, Success1 and Fail-GenericError1)."""
    return _body(
        request.payment.payment_id,
        outcome.cancellation_id,
        outcome.code,
        outcome.message,
        request.request_id,
    )


def dump_failure(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    """Write the answer to a request that came to no outcome."""
    return _body(payment_id, None, error.code, str(error), request_id)


def readable_request_id(body: bytes) -> str | None:
    """Find the requestId of a body that may be wrong in any other way, to echo it."""
    try:
        found = read_json(body).get("requestId")
    except InvalidRequest:
        return None
    return found if isinstance(found, str) else None


def _body(
    payment_id: str | None,
    cancellation_id: str | None,
    code: str | None,
    message: str,
    request_id: str | None,
) -> bytes:
    return json.dumps(
        {
            "paymentId": payment_id,
            "cancellationId": cancellation_id,
            "code": code,
            "message": message,
            "requestId": request_id,
        }
    ).encode()
