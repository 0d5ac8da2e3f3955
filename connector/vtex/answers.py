"""VTEX's JSON, going out. Its words `nsu` and `acquirer` stand only here, `tid` in `schemas` too.

Every answer has all the fields of its operation. A status that is not known is never invented.
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
# VTEX's reserved codes end so. In the answer to a settlement one makes it refund twice.
_MANUALLY = "-manually"
BANK_INVOICE = "BankInvoice"
JSON = "application/json"

Fields = dict[str, Any]


def render_cancellation(manual_status: int) -> Callable[[CancelRequest, Outcome], Reply]:
    """Make VTEX's answer to a cancellation; `manual_status` is 501 or 200."""
    statuses = {State.DONE: 200, State.MANUAL: manual_status}

    def render(asked: CancelRequest, outcome: Outcome) -> Reply:
        cancellation_id = outcome.id if outcome.state is State.DONE else None
        body = _answered(asked, {"cancellationId": cancellation_id}, outcome.code, outcome.message)
        return Reply(statuses.get(outcome.state, 500), body, outcome.code)

    return render


def render_settlement() -> Callable[[SettleRequest, Outcome], Reply]:
    """Make VTEX's answer to a settlement. It never holds a code that asks for a person."""

    def render(asked: SettleRequest, outcome: Outcome) -> Reply:
        code = outcome.code
        if code and code.endswith(_MANUALLY):
            code = ProviderRefused.code
        is_done = outcome.state is State.DONE
        # The test suite sends no requestId, and VTEX's schema wants a text.
        request_id = asked.request_id or ""
        own = _moved("settleId", outcome)
        payment_id = asked.payment.payment_id
        body = operation_body(payment_id, own, code, outcome.message, request_id)
        return Reply(200 if is_done else 500, body, code)

    return render


def render_refund(manual_status: int) -> Callable[[RefundRequest, Outcome], Reply]:
    """Make VTEX's answer to a refund; `manual_status` is 501 or 200."""
    statuses = {State.DONE: 200, State.MANUAL: manual_status}

    def render(asked: RefundRequest, outcome: Outcome) -> Reply:
        body = _answered(asked, _moved("refundId", outcome), outcome.code, outcome.message)
        return Reply(statuses.get(outcome.state, 500), body, outcome.code)

    return render


def render_creation(
    providers: Mapping[str, Provider],
) -> Callable[[Merchant, CreateRequest, Outcome, Payment | None], Reply]:
    """Make VTEX's answer to a create: how the payment stands by now, or why there is no payment."""

    def render(
        merchant: Merchant, asked: CreateRequest, outcome: Outcome, payment: Payment | None
    ) -> Reply:
        if payment is None or outcome.create_status != HTTPStatus.OK:
            payment_id = asked.payment.payment_id
            body = no_payment(payment_id, outcome.code or ConnectorError.code, outcome.message)
            return Reply(500, body, outcome.code)
        method = asked.order.method if asked.order else ""
        body = dump_payment(payment, providers[merchant.provider], method)
        return Reply(200, body, payment.code)

    return render


def render_inbound(asked: InboundRequest, payment: Payment | None) -> Reply:
    """Make VTEX's answer to an inbound request; it contains the answer for the sender."""
    if asked.action != "status":
        return _inbound(asked, 404, "unsupported-action", "The only action is status", {})
    if payment is None:
        return _inbound(asked, 404, "not-found", "There is no such payment here", {})
    content = {"paymentId": asked.payment_id, "status": WORDS[payment.status]}
    return _inbound(asked, 200, "ok", "How the payment stands, as it is recorded", content)


def dump_payment(payment: Payment, provider: Provider, method: str = "") -> bytes:
    """Write a payment (VTEX's OpenAPI file, Success-Approved), in an answer or a callback."""
    status, delays = WORDS[payment.status], provider.delays
    body: Fields = {
        "paymentId": payment.key.payment_id,
        "status": status,
        **_ids(payment, is_approved=status == APPROVED),
        "acquirer": provider.title,
        "code": payment.code,
        "message": payment.message,
        "delayToAutoSettle": delays.auto_settle,
        "delayToAutoSettleAfterAntifraud": delays.auto_settle_after_antifraud,
        "delayToCancel": delays.cancel,
    }
    return _bytes(body | _pages(payment.payment_url if status == PENDING else None, method))


def _ids(payment: Payment, *, is_approved: bool) -> Fields:
    """Write the company's ids, or our own where the company has none.

    No other id of the company stands in for the authorizationId: VTEX sends it back as that id.
    """
    key = payment.key
    its_id = key.provider_payment_id or key.payment_id
    authorization_id = key.authorization_id or key.payment_id
    return {
        "authorizationId": authorization_id if is_approved else None,
        "tid": its_id,
        "nsu": its_id,
    }


def _pages(url: str | None, method: str) -> Fields:
    """Write where the buyer pays, under all its names: VTEX's test suite reads the older names."""
    if url is None:
        return {"paymentUrl": None}
    older = {"redirectUrl": url}
    if method == BANK_INVOICE:
        older |= {"bankIssueInvoiceUrl": url, "bankIssueInvoiceId": url}
    return {"paymentUrl": url, **older}


def _moved(name: str, outcome: Outcome) -> Fields:
    """Write the id of a settlement or refund, and the amount that was moved, in units."""
    if outcome.state is not State.DONE:
        return {name: None, "value": 0}
    return {name: outcome.id, "value": 0 if outcome.value is None else outcome.value}


def _answered(asked: Request, own: Fields, code: str | None, message: str) -> bytes:
    return operation_body(asked.payment.payment_id, own, code, message, asked.request_id)


def operation_body(
    payment_id: str | None, own: Fields, code: str | None, message: str, request_id: str | None
) -> bytes:
    return _bytes(
        {
            "paymentId": payment_id,
            **own,
            "code": code,
            "message": message,
            "requestId": request_id,
        }
    )


def no_payment(payment_id: str | None, code: str, message: str) -> bytes:
    """Write the answer to a create without a payment to tell of."""
    fields = {"status": "error", "code": code, "message": message, "paymentId": payment_id}
    return _bytes(fields)


def _inbound(asked: InboundRequest, status: int, code: str, message: str, content: Fields) -> Reply:
    body = inbound_body(asked.payment_id, asked.request_id, status, code, message, content)
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
    return _bytes(
        {
            "requestId": request_id,
            "paymentId": payment_id,
            "code": code,
            "message": message,
            "responseData": response,
        }
    )


def _bytes(fields: Fields) -> bytes:
    return exact.dumps(fields).encode()
