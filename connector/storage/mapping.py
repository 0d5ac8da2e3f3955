"""The mapping between the tables' rows and the domain's values.

A column stands in four places: its table, its migration, the domain value, and here. The
statements take their lists of columns from the functions here that write a row.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.domain.operation import (
    REQUESTS,
    CreateRequest,
    DueRequest,
    ListedRequest,
    NotificationRequest,
    Progress,
    Reply,
    Request,
    State,
    StoredReply,
)
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.story import Kind, Step
from connector.domain.write import Write, WriteState
from connector.storage.columns import Row, decimal, escaped, flag, text, unescaped


def payment_values(payment: Payment) -> dict[str, Any]:
    """Write the columns that every statement sets when it records a payment."""
    return {
        **company_ids(payment.key),
        "memo": escaped(payment.key.memo),
        "status": payment.status.value,
        "sandbox": payment.sandbox,
        "amount": text(payment.amount),
        "currency": payment.currency,
        "payment_url": escaped(payment.payment_url),
        "code": escaped(payment.code),
        "message": escaped(payment.message),
        "cancellation_id": escaped(payment.cancellation_id),
        "settled": text(payment.settled),
        "is_cancel_asked": payment.is_cancel_asked,
        "is_manual": payment.is_manual,
        "callback": payment.callback_address,
    }


def payment_from(payment_id: str, row: Row) -> Payment:
    return Payment(
        key=_key_from(payment_id, row),
        status=PaymentStatus(row["status"]),
        sandbox=flag(row["sandbox"]),
        amount=decimal(row["amount"]),
        currency=row["currency"],
        payment_url=unescaped(row["payment_url"]),
        code=unescaped(row["code"]),
        message=unescaped(row["message"]),
        cancellation_id=unescaped(row["cancellation_id"]),
        settled=decimal(row["settled"]),
        is_cancel_asked=bool(row["is_cancel_asked"]),
        is_manual=bool(row["is_manual"]),
        callback_address=row["callback"],
        is_callback_due=row["callback_at"] is not None,
    )


def price_from(row: Row) -> tuple[Decimal | None, str | None]:
    """Read what the buyer must pay: the amount in units, and its currency."""
    return decimal(row["amount"]), row["currency"]


def _key_from(payment_id: str, row: Row) -> PaymentKey:
    return PaymentKey(
        payment_id,
        authorization_id=unescaped(row["authorization_id"]),
        provider_payment_id=unescaped(row["provider_payment_id"]),
        memo=unescaped(row["memo"]),
        uses_payment_id=bool(row["uses_payment_id"]),
    )


def company_ids(key: PaymentKey) -> dict[str, Any]:
    """Write the company's ids of a payment, for `payments` and `requests`."""
    return {
        "authorization_id": escaped(key.authorization_id),
        "provider_payment_id": escaped(key.provider_payment_id),
    }


def searched_ids(request: Request) -> dict[str, Any]:
    """Write VTEX's ids by which people search a payment."""
    order_id = request.order_id if isinstance(request, CreateRequest) else None
    return {
        "transaction_id": escaped(request.transaction_id),
        "order_id": escaped(order_id),
    }


def request_values(request: Request) -> dict[str, Any]:
    """Write the columns of a new row of `requests`."""
    key = PaymentKey(request.payment.payment_id)
    purchase = request.purchase if isinstance(request, NotificationRequest) else None
    return {
        "id": request.claim_id,
        "merchant_id": request.merchant_id,
        "operation": request.operation.value,
        "payment_id": key.payment_id,
        "request_id": escaped(request.request_id),
        "sandbox": request.sandbox,
        "value": text(request.value),
        **company_ids(purchase or key),
    }


def due_from(row: Row) -> DueRequest:
    key = PaymentKey(row["payment_id"])
    request = REQUESTS[row["operation"]](
        merchant_id=row["merchant_id"],
        payment=key,
        request_id=unescaped(row["request_id"]) or "",
        value=decimal(row["value"]),
        sandbox=bool(row["sandbox"]),
    )
    if isinstance(request, NotificationRequest):
        request = replace(request, purchase=_purchase_from(key, row))
    return DueRequest(request, row["looks"], State(row["state"]), row["next_look_at"])


def _purchase_from(key: PaymentKey, row: Row) -> PaymentKey | None:
    """Read the company's ids in a notification. None: the notification has no ids."""
    authorization_id = unescaped(row["authorization_id"])
    provider_payment_id = unescaped(row["provider_payment_id"])
    purchase = PaymentKey(key.payment_id, authorization_id, provider_payment_id)
    return purchase if purchase.was_authorized else None


def reply_from(row: Row) -> StoredReply:
    reply = Reply(row["reply_status"], bytes(row["reply_body"]), row["code"])
    return StoredReply(reply, decimal(row["value"]))


def progress_from(row: Row) -> Progress:
    return Progress(
        is_held=bool(row["is_held"]),
        is_same=bool(row["is_same"]),
        state=row["state"] and State(row["state"]),
        attempts=row["attempts"] or 0,
        code=row["code"],
        message=row["message"] or "",
    )


def listed_from(row: Row) -> ListedRequest:
    """Read a row of `sql.LISTED_REQUESTS`, whose columns have the names of the fields."""
    request_id = unescaped(row["request_id"]) or ""
    return ListedRequest(**{**row, "request_id": request_id, "state": State(row["state"])})


def write_values(write: Write) -> dict[str, Any]:
    """Write the columns of a new row of `sends`."""
    return {
        "action": write.action,
        "number": write.number,
        "reference": write.reference,
        "state": write.state.value,
        "failures_before": write.failures_before,
        "claim_id": write.claim_id,
        "amount": text(write.amount),
        "refunded_before": text(write.refunded_before),
    }


def write_from(row: Row) -> Write:
    return Write(
        action=row["action"],
        number=row["number"],
        reference=row["reference"],
        state=WriteState(row["state"]),
        age=float(row["age"]),
        failures_before=row["failures_before"],
        claim_id=row["claim_id"],
        amount=decimal(row["amount"]),
        refunded_before=decimal(row["refunded_before"]),
    )


def step_values(step: Step) -> dict[str, Any]:
    """Write the columns of `events`, besides the request and the time."""
    return {
        "kind": step.kind.value,
        "attempt": step.attempt,
        "action": step.action,
        "reference": step.reference,
        "amount": text(step.amount),
        "word": escaped(step.reported_status),
        "http_status": step.http_status,
        "state": step.state,
        "code": step.code,
        "message": step.message,
        "reason": step.reason,
        "who": escaped(step.who),
        "note": escaped(step.note),
    }


def step_from(row: Row) -> Step:
    return Step(
        kind=Kind(row["kind"]),
        attempt=row["attempt"],
        action=row["action"],
        reference=row["reference"],
        amount=decimal(row["amount"]),
        reported_status=unescaped(row["word"]),
        http_status=row["http_status"],
        state=row["state"],
        code=row["code"],
        message=row["message"],
        reason=row["reason"],
        who=unescaped(row["who"]),
        at=float(row["at"]),
        operation=row["operation"],
        request_id=unescaped(row["request_id"]) or "",
        note=unescaped(row["note"]),
    )


# The columns that each function above writes, in its order.
PAYMENT_COLUMNS = tuple(payment_values(Payment(PaymentKey(""))))
WRITE_COLUMNS = tuple(write_values(Write("", 0, "")))
STEP_COLUMNS = tuple(step_values(Step(Kind.ASKED)))
REQUEST_COLUMNS = tuple(request_values(NotificationRequest(0, PaymentKey(""))))
# A payment is read with two more columns. Other statements write these two.
PAYMENT_READ_COLUMNS = (*PAYMENT_COLUMNS, "uses_payment_id", "callback_at")
# The columns of `price_from`.
PRICE_COLUMNS = ("amount", "currency")
