"""VTEX's endpoints: read, ask the operation, write."""

import logging
import re
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

from flask import Blueprint, Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    BodyTooLarge,
    ConnectorError,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotJson,
    RequestMismatch,
)
from connector.domain.operation import CancelRequest, Outcome, Reply, State
from connector.metrics import count_answer
from connector.operations.cancel import Cancel
from connector.vtex import schemas
from connector.vtex.auth import Directory

log = logging.getLogger(__name__)

# When the request of this thread arrived, by the deadline's clock; set by a server that knows.
ARRIVED: ContextVar[float | None] = ContextVar("ARRIVED", default=None)

# Bytes of a body. VTEX's largest, a payment with a long cart, is some tens of kilobytes.
MAX_BODY_BYTES = 256 * 1024

# HTTP status of each failure; what is not named here is 500, which VTEX repeats.
_STATUSES: tuple[tuple[type[ConnectorError], int], ...] = (
    (NotAuthenticated, 401),
    (BodyTooLarge, 413),
    (NotJson, 415),
    (NotFound, 404),
    (InvalidRequest, 400),
    (RequestMismatch, 422),
)
_PAYMENT_PATH = re.compile(r"/payments/([A-Za-z0-9_-]{1,128})/cancellations/?")


def render_cancellation(manual_status: int) -> Callable[[CancelRequest, Outcome], Reply]:
    """Make VTEX's answer to a cancellation; `manual_status` is 501 or 200."""
    statuses = {State.DONE: 200, State.MANUAL: manual_status}

    def render(asked: CancelRequest, outcome: Outcome) -> Reply:
        body = schemas.dump_cancellation(asked, outcome)
        return Reply(statuses.get(outcome.state, 500), body, outcome.code)

    return render


@dataclass(frozen=True)
class Endpoints:
    """What the endpoints need. `answer_seconds` is counted from a request's arrival."""

    directory: Directory
    cancel: Cancel
    answer_seconds: float

    def cancel_payment(self, payment_id: str) -> Response:
        """POST /payments/{paymentId}/cancellations."""
        started = time.monotonic()
        deadline = Deadline.after(self.answer_seconds, ARRIVED.get())
        provider = ""
        try:
            merchant = self.directory.authenticate(request.headers)
            provider = merchant.provider
            body = schemas.read_json(_json_body(request))
            asked = schemas.load_cancellation(payment_id, merchant.id, body)
            reply = self.cancel.answer(merchant, asked, deadline)
        except ConnectorError as error:
            reply = failure(error, payment_id)
        count_answer("cancel", provider, reply.status)
        _log_answer(payment_id, reply, provider, started)
        return _response(reply)


def blueprint(endpoints: Endpoints) -> Blueprint:
    """Mount the endpoints that a merchant's AppKey and AppToken open."""
    routes = Blueprint("vtex", __name__)
    # The second takes ids with slashes, so that they are refused as ids, by name.
    for kind in ("string", "path"):
        routes.add_url_rule(
            f"/payments/<{kind}:payment_id>/cancellations",
            view_func=endpoints.cancel_payment,
            methods=["POST"],
            provide_automatic_options=False,
        )
    return routes


def answer_errors(app: Flask) -> None:
    """Give every failure outside an endpoint the same JSON shape."""
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(Exception, _fault)


def _http_failure(error: HTTPException) -> Response:
    """An address or a method that is not there, or a request Flask could not read."""
    fault = NotFound(f"{error.name}: see /openapi.yaml")
    response = _response(Reply(error.code or 500, failure(fault, None).body))
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _fault(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _response(failure(ConnectorError(), None))


def failure(error: ConnectorError, payment_id: str | None) -> Reply:
    """Answer a request that came to no outcome, echoing what of it can be read."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
    if payment_id is None or not schemas.PAYMENT_ID.fullmatch(payment_id):
        match = _PAYMENT_PATH.fullmatch(request.path)
        payment_id = match.group(1) if match else None
    try:
        request_id = schemas.readable_request_id(_body(request))
    except InvalidRequest:
        request_id = None
    return Reply(status, schemas.dump_failure(error, payment_id, request_id), error.code)


def _json_body(incoming: Request) -> bytes:
    body = _body(incoming)
    if incoming.mimetype not in {"", "application/json"}:
        raise NotJson
    return body


def _body(incoming: Request) -> bytes:
    """Read the body, once. Raises BodyTooLarge and InvalidRequest, each time the same."""
    if "body" not in g:
        g.body = _read(incoming)
    if isinstance(g.body, InvalidRequest):
        raise g.body
    body: bytes = g.body
    return body


def _read(incoming: Request) -> bytes | InvalidRequest:
    if (incoming.content_length or 0) > MAX_BODY_BYTES:
        return BodyTooLarge()
    try:
        # A chunked body tells its length only at its end.
        body = incoming.stream.read(MAX_BODY_BYTES + 1)
    except Exception:  # noqa: BLE001 - the server has its own errors for a broken body
        return InvalidRequest("The body could not be read to its end")
    return BodyTooLarge() if len(body) > MAX_BODY_BYTES else body


def _response(reply: Reply) -> Response:
    return Response(reply.body, reply.status, mimetype="application/json")


def _log_answer(payment_id: str, reply: Reply, provider: str, started: float) -> None:
    is_id = schemas.PAYMENT_ID.fullmatch(payment_id)
    log.info(
        "answer",
        extra={
            "operation": "cancel",
            "payment_id": payment_id if is_id else None,
            "provider": provider or None,
            "http_status": reply.status,
            "code": reply.code,
            "ms": round((time.monotonic() - started) * 1000, 1),
        },
    )
