"""VTEX's endpoints: whose a request is, what it asks for, and who answers it."""

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

# Seconds of an answer to VTEX's test suite, which waits for 5.
SUITE_SECONDS = 4.5
# The word of an inbound request in logs and metrics.
INBOUND = "inbound"

Answer = Callable[[Merchant, Any, Deadline], Reply]
# Finds what is recorded of a merchant's payment.
FindPayment = Callable[[int, str], Payment | None]


@dataclass(frozen=True)
class Shared:
    """What all endpoints need. The seconds of an answer are counted from a request's arrival."""

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
        """Find whose request it is. From then on its body may be read."""
        try:
            merchant = authenticate(self.directory, request.headers)
        except ConfigurationError:
            # The caller is known, only the settings cannot be read.
            failures.know_caller()
            raise
        failures.know_caller()
        return merchant


@dataclass(frozen=True)
class Endpoint:
    """One kind of request: its word in logs and metrics, its reader, its answer and its failure."""

    name: str
    load: Callable[..., Any]
    answer: Answer
    failure: failures.EchoingFailure
    shared: Shared

    def view(self, **values: str) -> Response:
        """Answer a request; `values` are what its path names."""
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
            asked = self.load(merchant.id, body, **values)
            context.add(**_named(asked))
            is_create = self.name == Operation.CREATE
            merchant = self.shared.fields.apply(merchant, body, is_create=is_create)
            return self.answer(merchant, asked, deadline)


def _named(asked: Request | InboundRequest) -> dict[str, str | None]:
    """Name a request in the lines of the log."""
    its = asked.payment if isinstance(asked, Request) else asked
    return {"payment_id": its.payment_id, "request_id": asked.request_id or None}


def _of_payment(path: str) -> tuple[str, str]:
    """Name a payment's paths: the second takes an id with slashes, to refuse it as an id."""
    return f"/payments/<string:payment_id>/{path}", f"/payments/<path:payment_id>/{path}"


# Of each kind of request: its paths, its reader, and how its failure is written.
_KINDS: Mapping[str, tuple[tuple[str, ...], Callable[..., Any], failures.EchoingFailure]] = {
    Operation.CREATE: (("/payments",), load_creation, failures.NO_CREATION),
    Operation.CANCEL: (
        _of_payment("cancellations"),
        schemas.load_cancellation,
        failures.NO_CANCELLATION,
    ),
    Operation.SETTLE: (
        _of_payment("settlements"),
        schemas.load_settlement,
        failures.NO_SETTLEMENT,
    ),
    Operation.REFUND: (_of_payment("refunds"), schemas.load_refund, failures.NO_REFUND),
    INBOUND: (
        (*_of_payment("inbound/<action>"), *_of_payment("inbound-request/<action>")),
        schemas.load_inbound,
        failures.NO_INBOUND,
    ),
}


def blueprint(shared: Shared, answer: Answer, find: FindPayment, manifest: bytes) -> Blueprint:
    """Mount the endpoints: all but the manifest are opened by a merchant's AppKey and AppToken."""
    routes = Blueprint("vtex", __name__)
    show_manifest = partial(respond, Reply(200, manifest))
    routes.add_url_rule("/manifest", "manifest", show_manifest, methods=["GET"])
    tell: Answer = partial(_tell, find)
    for name, (paths, load, failure) in _KINDS.items():
        view = Endpoint(name, load, tell if name == INBOUND else answer, failure, shared).view
        for path in paths:
            routes.add_url_rule(path, name, view, methods=["POST"], failure=failure)
    return routes


def _tell(find: FindPayment, merchant: Merchant, asked: InboundRequest, _: Deadline) -> Reply:
    return render_inbound(asked, find(merchant.id, asked.payment_id))
