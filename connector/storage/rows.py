"""Rows of requests and writes, read."""

from typing import Any

from connector.domain.operation import (
    REQUESTS,
    DueRequest,
    NotificationRequest,
    Row,
    State,
)
from connector.domain.payment import PaymentKey
from connector.domain.write import Write, WriteState
from connector.storage.columns import decimal, plain


def send_from(row: tuple[Any, ...]) -> Write:
    action, number, reference, state, age, failures, claim_id, amount, refunded = row
    return Write(
        action,
        number,
        reference,
        WriteState(state),
        float(age),
        failures_before=failures,
        claim_id=claim_id,
        amount=decimal(amount),
        refunded_before=decimal(refunded),
    )


def row_from(row: tuple[Any, ...]) -> Row:
    """The columns of `sql.LIST` are in a row's own order."""
    values = [*row[:4], plain(row[4]) or "", State(row[5]), *row[6:]]
    return Row(*values)


def due_from(row: tuple[Any, ...]) -> DueRequest:
    operation, merchant_id, payment_id, request_id, sandbox, value = row[:6]
    authorization_id, provider_payment_id, looks, state, at = row[6:]
    values: dict[str, Any] = {
        "merchant_id": merchant_id,
        "payment": PaymentKey(payment_id),
        "request_id": plain(request_id) or "",
        "value": decimal(value),
        "sandbox": bool(sandbox),
    }
    if operation == NotificationRequest.operation and (authorization_id or provider_payment_id):
        values["purchase"] = PaymentKey(
            payment_id, plain(authorization_id), plain(provider_payment_id)
        )
    return DueRequest(REQUESTS[operation](**values), looks, State(state), at)
