"""Writes the answer of VTEX's endpoints to a request that failed before it had an outcome.

A failure has all the fields of its operation's answer, so each endpoint has its own form. It
repeats the paymentId and the requestId if they can be read.
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

# Bytes of the largest stranger's body that is read for its ids. A cancellation of VTEX's has some
# hundred bytes; with all settings of a merchant it has some thousand. To read it takes 0.1 ms.
MOST_ECHOED = 8 * 1024


@dataclass(frozen=True)
class EchoingFailure:
    """Writes an endpoint's failure. `write` gets the error, the paymentId and the requestId."""

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


def allow_whole_body() -> None:
    """Allow the echo to read the whole body: the caller has a merchant's keys."""
    g.may_read_whole_body = True


def keep_body(members: Mapping[str, Any]) -> None:
    """Store the body for the echo, so that it is read only once."""
    g.members = members


def _echo() -> Mapping[str, Any]:
    """Return the members of the body that may be repeated. Without a request there are none."""
    if not has_request_context():
        return {}
    if "members" not in g:
        g.members = _caller_body() if "may_read_whole_body" in g else _stranger_body()
    members: Mapping[str, Any] = g.members
    return members


def _caller_body() -> Mapping[str, Any]:
    with suppress(InvalidRequest):
        return read_json(body())
    return {}


def _stranger_body() -> Mapping[str, Any]:
    """Read a stranger's body if it is small and plain. The refusal then names the request."""
    if not request.content_length or request.content_length > MOST_ECHOED:
        return {}
    try:
        content = body()
        exact.check_members(content)
        return read_json(content)
    except (InvalidRequest, ValueError):
        return {}


def _no_creation(error: ConnectorError, payment_id: str | None, _: str | None) -> bytes:
    return no_payment(payment_id, error.code, str(error))


def _no_cancellation(
    error: ConnectorError, payment_id: str | None, request_id: str | None
) -> bytes:
    return operation_body(payment_id, {"cancellationId": None}, error.code, str(error), request_id)


def _no_settlement(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    id_and_value = {"settleId": None, "value": 0}
    # VTEX's schema wants a text, though its test suite sends none.
    return operation_body(payment_id, id_and_value, error.code, str(error), request_id or "")


def _no_refund(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    id_and_value = {"refundId": None, "value": 0}
    return operation_body(payment_id, id_and_value, error.code, str(error), request_id)


def _no_inbound(error: ConnectorError, payment_id: str | None, request_id: str | None) -> bytes:
    return inbound_body(payment_id, request_id, 500, error.code, str(error), {})


NO_CREATION, NO_CANCELLATION, NO_SETTLEMENT, NO_REFUND, NO_INBOUND = map(
    EchoingFailure, (_no_creation, _no_cancellation, _no_settlement, _no_refund, _no_inbound)
)
