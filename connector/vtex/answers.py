"""Writes VTEX's JSON. Its words `nsu` and `acquirer` stand only here, `tid` in `schemas` too.

Every answer has all the fields of its operation. No answer guesses a status.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from connector.domain import exact
from connector.domain.errors import ConnectorError, ProviderRefused
from connector.domain.merchant import Merchant
from connector.domain.operation import (
    CancelRequest,
    CreateRequest,
    Outcome,
    RefundRequest,
    Reply,
    Request,
    SettleRequest,
    State,
)
from connector.domain.payment import Payment, PaymentStatus
from connector.provider import Provider
from connector.vtex.schemas import InboundRequest

PENDING, APPROVED, DENIED = "undefined", "approved", "denied"
WORDS: Mapping[PaymentStatus, str] = {
    PaymentStatus.PENDING: PENDING,
    PaymentStatus.APPROVED: APPROVED,
    PaymentStatus.SETTLED: APPROVED,
    PaymentStatus.REFUNDED: APPROVED,
    PaymentStatus.DENIED: DENIED,
    PaymentStatus.CANCELLED: DENIED,
}
# VTEX's reserved codes end with this. In the answer to a settlement, such a code makes VTEX refund
# twice.
_MANUALLY = "-manually"
BANK_INVOICE = "BankInvoice"
JSON = "application/json"

Fields = dict[str, Any]


def render_cancellation(manual_status: int) -> Callable[[CancelRequest, Outcome], Reply]:
    """Make VTEX's answer to a cancellation; `manual_status` is 501 or 200."""
    statuses = {State.DONE: 200, State.MANUAL: manual_status}

    def render(request: CancelRequest, outcome: Outcome) -> Reply:
        cancellation_id = outcome.id if outcome.state is State.DONE else None
        body = _operation_answer(
            request, {"cancellationId": cancellation_id}, outcome.code, outcome.message
        )
        return Reply(statuses.get(outcome.state, 500), body, outcome.code)

    return render


def render_settlement() -> Callable[[SettleRequest, Outcome], Reply]:
    """Make VTEX's answer to a settlement. Its code never asks for a person."""

    def render(request: SettleRequest, outcome: Outcome) -> Reply:
        code = outcome.code
        if code and code.endswith(_MANUALLY):
            code = ProviderRefused.code
        is_done = outcome.state is State.DONE
        # The test suite sends no requestId, and VTEX's schema wants a text.
        request_id = request.request_id or ""
        operation_fields = _id_and_value("settleId", outcome)
        payment_id = request.payment.payment_id
        body = operation_body(payment_id, operation_fields, code, outcome.message, request_id)
        return Reply(200 if is_done else 500, body, code)

    return render


def render_refund(manual_status: int) -> Callable[[RefundRequest, Outcome], Reply]:
    """Make VTEX's answer to a refund; `manual_status` is 501 or 200."""
    statuses = {State.DONE: 200, State.MANUAL: manual_status}

    def render(request: RefundRequest, outcome: Outcome) -> Reply:
        body = _operation_answer(
            request, _id_and_value("refundId", outcome), outcome.code, outcome.message
        )
        return Reply(statuses.get(outcome.state, 500), body, outcome.code)

    return render


def render_creation(
    providers: Mapping[str, Provider],
) -> Callable[[Merchant, CreateRequest, Outcome, Payment | None], Reply]:
    """Make VTEX's answer to a create: the payment's status now, or why there is no payment."""

    def render(
        merchant: Merchant, request: CreateRequest, outcome: Outcome, payment: Payment | None
    ) -> Reply:
        if payment is None or outcome.create_status != HTTPStatus.OK:
            payment_id = request.payment.payment_id
            body = no_payment(payment_id, outcome.code or ConnectorError.code, outcome.message)
            return Reply(500, body, outcome.code)
        method = request.order.method if request.order else ""
        body = dump_payment(payment, providers[merchant.provider], method)
        return Reply(200, body, payment.code)

    return render


def render_inbound(request: InboundRequest, payment: Payment | None) -> Reply:
    """Make VTEX's answer to an inbound request. The answer for the sender stands inside it."""
    if request.action != "status":
        return _inbound(request, 404, "unsupported-action", "The only action is status", {})
    if payment is None:
        return _inbound(request, 404, "not-found", "There is no such payment here", {})
    content = {"paymentId": request.payment_id, "status": WORDS[payment.status]}
    return _inbound(request, 200, "ok", "How the payment stands, as it is recorded", content)


def dump_payment(payment: Payment, provider: Provider, method: str = "") -> bytes:
    """Write a payment (VTEX's OpenAPI file, Success-Approved), in an answer or a callback."""
    status, delays = WORDS[payment.status], provider.delays
    body: Fields = {
        "paymentId": payment.key.payment_id,
        "status": status,
        **_id_fields(payment, is_approved=status == APPROVED),
        "acquirer": provider.title,
        "code": payment.code,
        "message": payment.message,
        "delayToAutoSettle": delays.auto_settle,
        "delayToAutoSettleAfterAntifraud": delays.auto_settle_after_antifraud,
        "delayToCancel": delays.cancel,
    }
    return _json(body | _page_fields(payment.payment_url if status == PENDING else None, method))


def _id_fields(payment: Payment, *, is_approved: bool) -> Fields:
    """Write the company's ids, or our own where the company has none.

    No other id of the company stands in for the authorizationId: VTEX sends it back as that id.
    """
    key = payment.key
    company_id = key.provider_payment_id or key.payment_id
    authorization_id = key.authorization_id or key.payment_id
    return {
        "authorizationId": authorization_id if is_approved else None,
        "tid": company_id,
        "nsu": company_id,
    }


def _page_fields(url: str | None, method: str) -> Fields:
    """Write the buyer's page under all names of it: the test suite reads the older names."""
    if url is None:
        return {"paymentUrl": None}
    older_names = {"redirectUrl": url}
    if method == BANK_INVOICE:
        older_names |= {"bankIssueInvoiceUrl": url, "bankIssueInvoiceId": url}
    return {"paymentUrl": url, **older_names}


def _id_and_value(name: str, outcome: Outcome) -> Fields:
    """Write the id of a settlement or refund, and the amount that it moved, in units."""
    if outcome.state is not State.DONE:
        return {name: None, "value": 0}
    return {name: outcome.id, "value": 0 if outcome.value is None else outcome.value}


def _operation_answer(
    request: Request, operation_fields: Fields, code: str | None, message: str
) -> bytes:
    return operation_body(
        request.payment.payment_id, operation_fields, code, message, request.request_id
    )


def operation_body(
    payment_id: str | None,
    operation_fields: Fields,
    code: str | None,
    message: str,
    request_id: str | None,
) -> bytes:
    return _json(
        {
            "paymentId": payment_id,
            **operation_fields,
            "code": code,
            "message": message,
            "requestId": request_id,
        }
    )


def no_payment(payment_id: str | None, code: str, message: str) -> bytes:
    """Write the answer to a create that made no payment."""
    fields = {"status": "error", "code": code, "message": message, "paymentId": payment_id}
    return _json(fields)


def _inbound(
    request: InboundRequest, status: int, code: str, message: str, content: Fields
) -> Reply:
    body = inbound_body(request.payment_id, request.request_id, status, code, message, content)
    return Reply(200, body, code)


def inbound_body(
    payment_id: str | None,
    request_id: str | None,
    status: int,
    code: str,
    message: str,
    content: Fields,
) -> bytes:
    response = {"statusCode": status, "contentType": JSON, "content": exact.dumps(content)}
    return _json(
        {
            "requestId": request_id,
            "paymentId": payment_id,
            "code": code,
            "message": message,
            "responseData": response,
        }
    )


def _json(fields: Fields) -> bytes:
    return exact.dumps(fields).encode()
