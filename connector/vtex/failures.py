"""How VTEX's endpoints answer a request that came to no outcome: they echo what can be read of it.

A failure has all the fields of its operation's answer, so each endpoint has its own form.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flask import g, has_request_context, request

from connector.domain import exact
from connector.domain.errors import ConnectorError, InvalidRequest
from connector.domain.payment import is_payment_id
from connector.http_server import body
from connector.vtex.answers import inbound_body, no_payment, operation_body
from connector.vtex.schemas import read_json, readable

# Bytes of a stranger's body that is looked into: VTEX's cancellations have some hundred, with all
# settings of a merchant some thousand. That takes a tenth of a millisecond.
MOST_ECHOED = 8 * 1024


@dataclass(frozen=True)
class EchoingFailure:
    """Writes an endpoint's failure; `write` gets the error, the paymentId and the requestId."""

    write: Callable[[ConnectorError, str | None, str | None], bytes]

    def __call__(self, error: ConnectorError, _: int, values: Mapping[str, Any]) -> bytes:
        return self.write(error, payment_id_of(values), readable(_echo(), "requestId"))


def payment_id_of(values: Mapping[str, Any]) -> str | None:
    """Find the payment's id: in the path, or in the body of a payment to be created."""
    return payment_id_in(values if "payment_id" in values else _echo_of_payment())


def payment_id_in(values: Mapping[str, Any]) -> str | None:
    """Find the payment's id in the path's values, if it can be one."""
    payment_id = values.get("payment_id")
    return payment_id if payment_id and is_payment_id(payment_id) else None


def _echo_of_payment() -> Mapping[str, Any]:
    return {"payment_id": readable(_echo(), "paymentId")}


def know_caller() -> None:
    """Allow the whole body to be read: the caller has a merchant's keys."""
    g.is_caller_known = True


def keep_body(given: Mapping[str, Any]) -> None:
    """Keep the body for the echo, so that it is read once."""
    g.given = given


def _echo() -> Mapping[str, Any]:
    """Return the body as far as it may be looked into; nothing of a request that was not read."""
    if not has_request_context():
        return {}
    if "given" not in g:
        g.given = _whole() if "is_caller_known" in g else _glance()
    given: Mapping[str, Any] = g.given
    return given


def _whole() -> Mapping[str, Any]:
    with suppress(InvalidRequest):
        return read_json(body())
    return {}


def _glance() -> Mapping[str, Any]:
    """Read a stranger's body, if it is small and plain, so that the refusal names the request."""
    if not request.content_length or request.content_length > MOST_ECHOED:
        return {}
    try:
        given = body()
        exact.check_members(given)
        return read_json(given)
    except (InvalidRequest, ValueError):
        return {}


def _no_creation(error: ConnectorError, payment_id: str | None, _: str | None) -> bytes:
    return no_payment(payment_id, error.code, str(error))


def _no_cancellation(
    error: ConnectorError, payment_id: str | None, request_id: str | None
) -> bytes:
    return operation_body(payment_id, {"cancellationId": None}, error.code, str(error), request_id)


def _no_settlement(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    own = {"settleId": None, "value": 0}
    # VTEX's schema wants a text, though its test suite sends none.
    return operation_body(payment_id, own, error.code, str(error), request_id or "")


def _no_refund(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    own = {"refundId": None, "value": 0}
    return operation_body(payment_id, own, error.code, str(error), request_id)


def _no_inbound(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    return inbound_body(payment_id, request_id, 500, error.code, str(error), {})


NO_CREATION, NO_CANCELLATION, NO_SETTLEMENT, NO_REFUND, NO_INBOUND = map(
    EchoingFailure, (_no_creation, _no_cancellation, _no_settlement, _no_refund, _no_inbound)
)
