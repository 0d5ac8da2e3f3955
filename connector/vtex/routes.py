"""VTEX's endpoints: each finds the merchant of a request, reads the request and answers it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request

from connector import context
from connector.bulkhead import Shares
from connector.domain.deadline import Deadline
from connector.domain.errors import ConfigurationError, ConnectorError
from connector.domain.merchant import Merchant
from connector.domain.operation import Operation, Reply, Request
from connector.domain.payment import Payment
from connector.http_server import ARRIVED, json_body, note_answer, note_failure, respond, status_of
from connector.merchants import Directory
from connector.vtex import failures, schemas
from connector.vtex.answers import render_inbound
from connector.vtex.auth import authenticate, is_of_suite, shown_key
from connector.vtex.orders import load_creation
from connector.vtex.provider_fields import ProviderFields
from connector.vtex.schemas import InboundRequest

# Seconds for an answer to VTEX's test suite, which waits for 5 seconds.
SUITE_SECONDS = 4.5
# The name of an inbound request in logs and metrics.
INBOUND = "inbound"

Answer = Callable[[Merchant, Any, Deadline], Reply]
# Finds a recorded payment, by the merchant's id and the paymentId.
FindPayment = Callable[[int, str], Payment | None]


@dataclass(frozen=True)
class Shared:
    """The parts that all endpoints need. The time of an answer begins when the request arrives."""

    directory: Directory
    fields: ProviderFields
    shares: Shares
    answer_seconds: float
    suite_seconds: float = SUITE_SECONDS

    def deadline(self) -> Deadline:
        seconds = self.answer_seconds
        if is_of_suite(self.directory, request.headers):
            seconds = min(self.suite_seconds, seconds)
        return Deadline.after(seconds, ARRIVED.get())

    def merchant(self) -> Merchant:
        """Find the merchant of the request. After that the body may be read."""
        try:
            merchant = authenticate(self.directory, request.headers)
        except ConfigurationError:
            # The keys are right. Only the merchant's settings cannot be read.
            failures.allow_whole_body()
            raise
        failures.allow_whole_body()
        return merchant


@dataclass(frozen=True)
class Endpoint:
    """One kind of request: its name in logs and metrics, its reader, its answer and its failure."""

    name: str
    load: Callable[..., Any]
    answer: Answer
    failure: failures.EchoingFailure
    shared: Shared

    def view(self, **values: str) -> Response:
        """Answer a request. `values` are the values in its path."""
        started = time.monotonic()
        g.provider = ""
        payment_id, app_key = failures.payment_id_in(values), shown_key(request.headers)
        context.add(operation=self.name, payment_id=payment_id, app_key=app_key)
        try:
            reply = self._reply(values)
        except ConnectorError as error:
            note_failure(error)
            status = status_of(error)
            reply = Reply(status, self.failure(error, status, values), error.code)
        note_answer(self.name, failures.payment_id_of(values), reply, g.provider, started)
        response = respond(reply)
        if self.shared.fields.is_note_due:
            response.call_on_close(self.shared.fields.note)
        return response

    def _reply(self, values: Mapping[str, str]) -> Reply:
        deadline = self.shared.deadline()
        merchant = self.shared.merchant()
        g.provider = merchant.provider
        context.add(merchant=merchant.name, provider=merchant.provider)
        with self.shared.shares.place(merchant.provider):
            body = schemas.read_json(json_body())
            failures.keep_body(body)
            operation_request = self.load(merchant.id, body, **values)
            context.add(**_log_ids(operation_request))
            is_create = self.name == Operation.CREATE
            merchant = self.shared.fields.apply(merchant, body, is_create=is_create)
            return self.answer(merchant, operation_request, deadline)


def _log_ids(operation_request: Request | InboundRequest) -> dict[str, str | None]:
    """Return the ids of a request for the lines of the log."""
    payment_source = (
        operation_request.payment if isinstance(operation_request, Request) else operation_request
    )
    return {
        "payment_id": payment_source.payment_id,
        "request_id": operation_request.request_id or None,
    }


def _payment_paths(path: str) -> tuple[str, str]:
    """Return two paths. The second matches an id with slashes, so that the id is refused."""
    return f"/payments/<string:payment_id>/{path}", f"/payments/<path:payment_id>/{path}"


# Each kind of request has its paths, its reader, and its form of a failure.
_ENDPOINTS: Mapping[str, tuple[tuple[str, ...], Callable[..., Any], failures.EchoingFailure]] = {
    Operation.CREATE: (("/payments",), load_creation, failures.NO_CREATION),
    Operation.CANCEL: (
        _payment_paths("cancellations"),
        schemas.load_cancellation,
        failures.NO_CANCELLATION,
    ),
    Operation.SETTLE: (
        _payment_paths("settlements"),
        schemas.load_settlement,
        failures.NO_SETTLEMENT,
    ),
    Operation.REFUND: (_payment_paths("refunds"), schemas.load_refund, failures.NO_REFUND),
    INBOUND: (
        (*_payment_paths("inbound/<action>"), *_payment_paths("inbound-request/<action>")),
        schemas.load_inbound,
        failures.NO_INBOUND,
    ),
}


def blueprint(shared: Shared, answer: Answer, find: FindPayment, manifest: bytes) -> Blueprint:
    """Register the endpoints. All but the manifest need a merchant's AppKey and AppToken."""
    routes = Blueprint("vtex", __name__)
    show_manifest = partial(respond, Reply(200, manifest))
    routes.add_url_rule("/manifest", "manifest", show_manifest, methods=["GET"])
    tell: Answer = partial(_answer_inbound, find)
    for name, (paths, load, failure) in _ENDPOINTS.items():
        view = Endpoint(name, load, tell if name == INBOUND else answer, failure, shared).view
        for path in paths:
            routes.add_url_rule(path, name, view, methods=["POST"], failure=failure)
    return routes


def _answer_inbound(
    find: FindPayment, merchant: Merchant, operation_request: InboundRequest, _: Deadline
) -> Reply:
    return render_inbound(operation_request, find(merchant.id, operation_request.payment_id))
