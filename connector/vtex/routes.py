"""VTEX's endpoints: read, ask the operation, write."""

import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from connector import context
from connector.bulkhead import Shares
from connector.domain import exact
from connector.domain.deadline import Deadline
from connector.domain.errors import ConfigurationError, ConnectorError, InvalidRequest, NotFound
from connector.domain.merchant import Merchant
from connector.domain.operation import (
    Operation,
    Reply,
    Request,
)
from connector.domain.payment import Payment
from connector.http_server import (
    ARRIVED,
    body,
    json_body,
    log_answer,
    note_failure,
    respond,
    status_of,
)
from connector.merchants import Directory
from connector.metrics import count_answer
from connector.vtex import answers, schemas
from connector.vtex.auth import authenticate, is_of_suite, shown_key
from connector.vtex.orders import load_creation
from connector.vtex.provider_fields import ProviderFields
from connector.vtex.schemas import PAYMENT_ID, InboundRequest

log = logging.getLogger(__name__)

# Seconds of an answer to VTEX's test suite, which waits for 5.
SUITE_SECONDS = 4.5
# Bytes of a stranger's body that is looked into: VTEX's cancellations have some hundred, with all
# settings of a merchant some thousand. That takes a tenth of a millisecond.
MOST_ECHOED = 8 * 1024
_PAYMENT_PATH = re.compile(rf"/payments/({PAYMENT_ID.pattern})(/.*)?")


class Answers(Protocol):
    """Does once what VTEX asks for, and answers."""

    def answer(self, merchant: Merchant, request: Request, deadline: Deadline) -> Reply: ...


class Known(Protocol):
    """What is recorded of payments."""

    def find(self, merchant_id: int, payment_id: str) -> Payment | None: ...


@dataclass(frozen=True)
class Endpoint:
    """One kind of request: its word in logs and metrics, its reader, and who answers it."""

    name: str
    load: Callable[[int, Mapping[str, Any]], Any]
    answer: Callable[[Merchant, Any, Deadline], Reply]


@dataclass(frozen=True)
class Endpoints:
    """What the endpoints need. The seconds of an answer are counted from a request's arrival."""

    directory: Directory
    fields: ProviderFields
    operations: Answers
    payments: Known
    shares: Shares
    manifest: bytes
    answer_seconds: float
    suite_seconds: float = SUITE_SECONDS

    def create_payment(self) -> Response:
        """POST /payments."""
        return self._answer(Endpoint("create", load_creation, self.operations.answer), None)

    def cancel_payment(self, payment_id: str) -> Response:
        """POST /payments/{paymentId}/cancellations."""
        load = partial(schemas.load_cancellation, payment_id)
        return self._answer(Endpoint("cancel", load, self.operations.answer), payment_id)

    def settle_payment(self, payment_id: str) -> Response:
        """POST /payments/{paymentId}/settlements."""
        load = partial(schemas.load_settlement, payment_id)
        return self._answer(Endpoint("settle", load, self.operations.answer), payment_id)

    def refund_payment(self, payment_id: str) -> Response:
        """POST /payments/{paymentId}/refunds."""
        load = partial(schemas.load_refund, payment_id)
        return self._answer(Endpoint("refund", load, self.operations.answer), payment_id)

    def pass_inbound(self, payment_id: str, action: str) -> Response:
        """POST /payments/{paymentId}/inbound/{action}, in both of its spellings."""
        load = partial(schemas.load_inbound, payment_id, action)
        return self._answer(Endpoint("inbound", load, self._tell), payment_id)

    def show_manifest(self) -> Response:
        """GET /manifest, which VTEX asks for without credentials."""
        return respond(Reply(200, self.manifest))

    def _tell(self, merchant: Merchant, asked: InboundRequest, _: Deadline) -> Reply:
        return answers.render_inbound(asked, self.payments.find(merchant.id, asked.payment_id))

    def _answer(self, endpoint: Endpoint, payment_id: str | None) -> Response:
        started = time.monotonic()
        provider = ""
        app_key = shown_key(request.headers)
        its_id = _readable_id(payment_id)
        context.add(operation=endpoint.name, payment_id=its_id, app_key=app_key)
        try:
            deadline = Deadline.after(self._seconds(), ARRIVED.get())
            merchant = self._merchant()
            provider = merchant.provider
            context.add(merchant=merchant.name, provider=provider)
            with self.shares.place(provider):
                reply = self._done(endpoint, merchant, deadline)
        except ConnectorError as error:
            note_failure(error)
            reply = failure(error, payment_id)
        count_answer(endpoint.name, provider, reply.status)
        log_answer(endpoint.name, _readable_id(payment_id), reply, provider, started)
        response = respond(reply)
        if self.fields.is_note_due:
            response.call_on_close(self.fields.note)
        return response

    def _merchant(self) -> Merchant:
        """Find whose request it is. From then on its body may be read."""
        try:
            merchant = authenticate(self.directory, request.headers)
        except ConfigurationError:
            # Known, only its settings cannot be read.
            g.is_known = True
            raise
        g.is_known = True
        return merchant

    def _done(self, endpoint: Endpoint, merchant: Merchant, deadline: Deadline) -> Reply:
        asked_body = g.given = schemas.read_json(json_body())
        asked = endpoint.load(merchant.id, asked_body)
        context.add(**_named(asked))
        is_create = endpoint.name == Operation.CREATE
        merchant = self.fields.applied(merchant, asked_body, is_create=is_create)
        return endpoint.answer(merchant, asked, deadline)

    def _seconds(self) -> float:
        if is_of_suite(self.directory, request.headers):
            return min(self.suite_seconds, self.answer_seconds)
        return self.answer_seconds


def blueprint(endpoints: Endpoints) -> Blueprint:
    """Mount the endpoints: all but the manifest are opened by a merchant's AppKey and AppToken."""
    routes = Blueprint("vtex", __name__)
    add = partial(routes.add_url_rule, provide_automatic_options=False)
    add("/manifest", view_func=endpoints.show_manifest, methods=["GET"])
    add("/payments", view_func=endpoints.create_payment, methods=["POST"])
    views: dict[str, Callable[..., Response]] = {
        "cancellations": endpoints.cancel_payment,
        "settlements": endpoints.settle_payment,
        "refunds": endpoints.refund_payment,
        "inbound/<action>": endpoints.pass_inbound,
        "inbound-request/<action>": endpoints.pass_inbound,
    }
    for path, view in views.items():
        # The second takes ids with slashes, so that they are refused as ids, by name.
        for kind in ("string", "path"):
            add(f"/payments/<{kind}:payment_id>/{path}", view_func=view, methods=["POST"])
    return routes


def answer_errors(app: Flask) -> None:
    """Give every failure outside an endpoint the shape that its path's answers have."""
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(Exception, _fault)


def _http_failure(error: HTTPException) -> Response:
    """An address or a method that is not there, or a request Flask could not read."""
    fault = NotFound(f"{error.name}: see /openapi.yaml")
    response = respond(Reply(error.code or 500, failure(fault, None).body))
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _fault(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return respond(failure(ConnectorError(), None))


def failure(error: ConnectorError, payment_id: str | None) -> Reply:
    """Answer a request that came to no outcome, echoing what of it can be read."""
    if "is_known" not in g:
        g.given = _glance()
    request_id = schemas.readable(_given(), "requestId")
    shaped = answers.dump_failure(error, request.path, _readable_id(payment_id), request_id)
    return Reply(status_of(error), shaped, error.code)


def _named(asked: Request | InboundRequest) -> dict[str, str | None]:
    """Name a request in the lines of the log."""
    its = asked.payment if isinstance(asked, Request) else asked
    return {"payment_id": its.payment_id, "request_id": asked.request_id or None}


def _glance() -> Mapping[str, Any]:
    """Read a stranger's body, if it is small and plain, so that the refusal names the request."""
    if not request.content_length or request.content_length > MOST_ECHOED:
        return {}
    try:
        given = body()
        exact.check_members(given)
        return schemas.read_json(given)
    except (InvalidRequest, ValueError):
        return {}


def _given() -> Mapping[str, Any]:
    """Return the body of a caller we know; of a stranger, what a glance saw of it."""
    if "given" not in g:
        if "is_known" not in g:
            return {}
        g.given = {}
        with suppress(InvalidRequest):
            g.given = schemas.read_json(body())
    given: Mapping[str, Any] = g.given
    return given


def payment_in(path: str) -> str | None:
    """Find the payment's id in a path."""
    match = _PAYMENT_PATH.fullmatch(path)
    return match.group(1) if match else None


def _readable_id(payment_id: str | None) -> str | None:
    """Find the payment's id in the path, or in the body of one to be created."""
    if payment_id is None:
        payment_id = payment_in(request.path) or schemas.readable(_given(), "paymentId")
    return payment_id if payment_id and PAYMENT_ID.fullmatch(payment_id) else None
