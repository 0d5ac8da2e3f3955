"""Record the ids, the page and the verdict that the company shows of a payment."""

from dataclasses import replace

from connector.attempt import Attempt
from connector.domain.payment import CreateResult, Look, Payment, PaymentStatus, WriteResult


def record_ids(attempt: Attempt, answer: Look | CreateResult | WriteResult) -> None:
    """Record the ids, the memo and the page that the company shows."""
    payment = attempt.payment
    key = replace(payment.key, memo=answer.memo or payment.key.memo)
    if isinstance(answer, WriteResult):
        attempt.payment = replace(payment, key=key)
        return
    key = replace(
        key,
        authorization_id=answer.authorization_id or key.authorization_id,
        provider_payment_id=answer.provider_payment_id or key.provider_payment_id,
    )
    url = answer.payment_url or payment.payment_url
    attempt.payment = replace(payment, key=key, payment_url=url)


def take_verdict(attempt: Attempt, look: Look) -> bool:
    """Record the company's verdict on a PENDING payment. Return whether the payment is decided.

    A payment stays PENDING until VTEX asks for it. An approval is not recorded after VTEX asked to
    cancel, nor with another amount than VTEX's.
    """
    payment = attempt.payment
    if payment.status is not PaymentStatus.PENDING:
        return True
    if look.verdict is PaymentStatus.PENDING or not payment.is_created:
        return False
    if look.verdict is PaymentStatus.APPROVED and not _may_approve(attempt, look):
        return False
    attempt.payment = replace(
        payment.moved(look.verdict), code=look.provider_status or payment.code
    )
    return True


def _may_approve(attempt: Attempt, look: Look) -> bool:
    return not (attempt.payment.is_cancel_asked or has_another_amount(attempt.payment, look))


def has_another_amount(payment: Payment, look: Look) -> bool:
    """Whether the company shows another amount or currency than VTEX's create."""
    is_same = look.amount in {None, payment.amount} and look.currency in {None, payment.currency}
    return payment.is_created and not is_same
