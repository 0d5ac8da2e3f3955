"""Answer a create. Each answer has the same ids, and the payment's status at that time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from connector.domain.merchant import Merchant
from connector.domain.operation import CreateRequest, Outcome, Reply
from connector.domain.payment import Payment, PaymentStatus
from connector.operations.creation import CreatingJob, status_outcome

RenderPayment = Callable[[Merchant, CreateRequest, Outcome, Payment | None], Reply]


class RecordedPayments(Protocol):
    """Finds recorded payments, and drops their callbacks."""

    def find(self, merchant_id: int, payment_id: str) -> Payment | None: ...

    def end_callback(self, merchant_id: int, payment_id: str, again: float | None) -> None: ...


@dataclass(frozen=True, kw_only=True)
class CreateJob(CreatingJob):
    """One create of one merchant. Its answer shows the recorded payment."""

    payments: RecordedPayments
    render_payment: RenderPayment

    def reply_at_once(self) -> Reply | None:
        """Return the reply for a payment that is not PENDING any more, None for other payments.

        Raises InvalidRequest if the provider cannot take the payment, and RequestMismatch if the
        amount is not the same as before.
        """
        payment = self._recorded()
        if payment is None or not payment.is_created:
            self.check()
            return None
        self.check_same(payment)
        if payment.status is PaymentStatus.PENDING:
            return None
        return self._reply(status_outcome(payment), payment)

    def reply(self, outcome: Outcome) -> Reply:
        """Return a reply that shows the payment as recorded after the attempt."""
        payment = self._recorded()
        if payment and payment.is_created:
            # An earlier request may have recorded another amount.
            self.check_same(payment)
        return self._reply(outcome, payment)

    def _recorded(self) -> Payment | None:
        return self.payments.find(self.merchant.id, self.request.payment.payment_id)

    def _reply(self, outcome: Outcome, payment: Payment | None) -> Reply:
        """Return a reply. If the reply shows the decision, sending the reply drops the callback."""
        reply = self.render_payment(self.merchant, self.request, outcome, payment)
        if payment is None or payment.status is PaymentStatus.PENDING:
            return reply
        if not payment.is_callback_due:
            return reply
        payment_id = self.request.payment.payment_id
        drop = partial(self.payments.end_callback, self.merchant.id, payment_id, None)
        return replace(reply, after=drop)
