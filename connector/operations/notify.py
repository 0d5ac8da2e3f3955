"""Record a company's notification, look at the payment, and act."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from connector.attempt import Attempt
from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError
from connector.domain.merchant import Merchant
from connector.domain.operation import (
    CANCEL_MANUALLY,
    DueRequest,
    NotificationRequest,
    Outcome,
    Request,
    State,
)
from connector.domain.payment import (
    Look,
    Notification,
    Payment,
    PaymentKey,
    PaymentStatus,
    Standing,
    is_payment_id,
)
from connector.operations.cancellation import CancellingJob
from connector.operations.verdict import has_another_amount, take_verdict
from connector.provider import Provider

log = logging.getLogger(__name__)

# So many times reconcile looks again if no look confirms a notification. That takes 15 minutes.
_LOOKS = 3
# In these standings the buyer's money is there.
_MONEY_THERE = {Standing.HELD, Standing.CAPTURED, Standing.PARTLY_REFUNDED, Standing.STUCK}
# In these standings another purchase may replace the payment.
_WITHOUT_MONEY = {Standing.UNDONE, Standing.UNPAID, Standing.ABSENT}


class PaymentFinder(Protocol):
    """Finds a recorded payment."""

    def find(self, merchant_id: int, payment_id: str) -> Payment | None: ...


class NotificationRecorder(Protocol):
    """Records a notification once."""

    def record_notification(self, request: Request, provider_status: str = "") -> bool: ...


@dataclass(frozen=True)
class Notify:
    """Records notifications and acts on them.

    `reconcile` finishes a recorded notification, unless another process finished it.
    """

    providers: Mapping[str, Provider]
    payments: PaymentFinder
    requests: NotificationRecorder
    reconcile: Callable[[Merchant, DueRequest, Deadline], bool]

    def record(self, merchant: Merchant, notification: Notification) -> NotificationRequest | None:
        """Record a notification for `act` or for reconcile; return the request if it is new.

        The company need not repeat a recorded notification. Raises the errors of the storage.
        """
        payment_id = self._payment_id(merchant, notification)
        if payment_id is None:
            return None
        request = NotificationRequest(
            merchant_id=merchant.id,
            payment=PaymentKey(payment_id),
            request_id=notification.id,
            purchase=self._purchase(merchant, payment_id, notification),
        )
        status = merchant.redacted(notification.provider_status)
        return request if self.requests.record_notification(request, status) else None

    def act(self, merchant: Merchant, request: NotificationRequest, deadline: Deadline) -> None:
        """Act on a recorded notification. Raises nothing: after an error reconcile acts."""
        try:
            self.reconcile(merchant, DueRequest(request, 0, State.WAITING, 0.0), deadline)
        except ConnectorError as error:
            fields = {"code": error.code, "reason": error.why}
            log.warning("a notification is left to reconcile", extra=fields)
        except Exception:
            log.exception("a notification is left to reconcile")

    def _payment_id(self, merchant: Merchant, notification: Notification) -> str | None:
        """Return VTEX's id of the payment, None for a payment that is not ours.

        A company's account may serve other shops, too. Where purchases begin without us, the
        notification may come before VTEX's create.
        """
        for payment_id in filter(is_payment_id, notification.payment_ids):
            if self.payments.find(merchant.id, payment_id):
                return payment_id
            if self.providers[merchant.provider].is_adopting:
                return payment_id
        return None

    def _purchase(
        self, merchant: Merchant, payment_id: str, notification: Notification
    ) -> PaymentKey | None:
        has_ids = notification.authorization_id or notification.provider_payment_id
        if not (has_ids and self.providers[merchant.provider].is_adopting):
            return None
        return PaymentKey(
            payment_id, notification.authorization_id, notification.provider_payment_id
        )


@dataclass(frozen=True, kw_only=True)
class NotificationJob(CancellingJob):
    """One notification of one merchant. `deliver` sends the payment's callback, if one is due."""

    request: NotificationRequest
    deliver: Callable[[int, str], object]

    def after_reconcile(self) -> None:
        self.deliver(self.merchant.id, self.request.payment.payment_id)

    def work(self, attempt: Attempt) -> Outcome:
        second = self._bind(attempt)
        if second:
            return second
        is_unwanted = _is_unwanted(attempt.payment)
        if not is_unwanted and attempt.payment.status is not PaymentStatus.PENDING:
            return _done("Nothing new")
        look = self.look(attempt)
        if look.is_another:
            return self._unbind(attempt)
        return (
            self._end_unwanted(look, attempt)
            if is_unwanted
            else self._outcome_of_the_verdict(look, attempt)
        )

    def _outcome_of_the_verdict(self, look: Look, attempt: Attempt) -> Outcome:
        """Record the company's verdict on a payment that VTEX waits for."""
        if take_verdict(attempt, look):
            return _done(f"The payment is {attempt.payment.status}")
        if look.standing in _MONEY_THERE and has_another_amount(attempt.payment, look):
            return _manual("The buyer paid another amount than VTEX asked for; nothing is approved")
        if (
            look.standing in _MONEY_THERE
            and not attempt.payment.is_created
            and attempt.looks < _LOOKS
        ):
            return _waiting("VTEX has not asked for this payment yet")
        return _done("The buyer has not paid yet")

    def _unbind(self, attempt: Attempt) -> Outcome:
        """Forget the purchase of this notification, because the company shows another order."""
        purchase, key = self.request.purchase, attempt.payment.key
        if purchase and _company_ids(purchase) == _company_ids(key):
            key = replace(key, authorization_id=None, provider_payment_id=None)
            attempt.payment = replace(attempt.payment, key=key)
        return _manual("The provider shows this purchase under another order; nothing is approved")

    def _end_unwanted(self, look: Look, attempt: Attempt) -> Outcome:
        """Cancel a payment that VTEX does not want, or leave it to the operator."""
        if look.standing in _MONEY_THERE or attempt.payment.status is PaymentStatus.PENDING:
            return self.cancel(attempt)
        if attempt.looks < _LOOKS:
            # The company may show the payment a moment after it sent the notification.
            return _waiting("No money is left there, so far")
        return _done("No money is left there")

    def _bind(self, attempt: Attempt) -> Outcome | None:
        """Take the purchase of this notification as the payment. There may be a second purchase."""
        purchase = self.request.purchase
        key = attempt.payment.key
        if purchase is None or _company_ids(purchase) == _company_ids(key):
            return None
        if not key.was_authorized:
            self._rebind(attempt, purchase)
            return None
        return self._bind_second(purchase, attempt)

    def _bind_second(self, purchase: PaymentKey, attempt: Attempt) -> Outcome | None:
        second = self.look_at(purchase, attempt)
        if second.is_another:
            return self._unbind(attempt)
        is_paid = second.standing in _MONEY_THERE
        if not is_paid and (attempt.looks < _LOOKS or second.standing not in _WITHOUT_MONEY):
            return _waiting("Another purchase of this payment is not paid")
        if not is_paid:
            return _done("Another purchase of this payment is not paid")
        if self._may_take_its_place(second, attempt):
            self._rebind(attempt, purchase)
            return None
        return _manual("A second purchase was paid for this payment; return it at the provider")

    def _may_take_its_place(self, second: Look, attempt: Attempt) -> bool:
        """Whether a second purchase may replace the first, because the first brings no money.

        A hold of the wrong amount ends by itself. The notification of that hold is on the
        operator's list.
        """
        payment = attempt.payment
        is_open, is_unwanted = payment.status is PaymentStatus.PENDING, _is_unwanted(payment)
        if not (is_open or is_unwanted):
            return False
        first = self.look_at(payment.key, attempt)
        is_wrong = first.standing is Standing.HELD and has_another_amount(payment, first)
        is_better = is_wrong and not is_unwanted and not has_another_amount(payment, second)
        return first.standing in _WITHOUT_MONEY or first.is_another or is_better

    def is_own_order(self, attempt: Attempt) -> bool:
        """A notification always names the order."""
        return True

    def _rebind(self, attempt: Attempt, purchase: PaymentKey) -> None:
        key = replace(
            attempt.payment.key,
            authorization_id=purchase.authorization_id,
            provider_payment_id=purchase.provider_payment_id,
        )
        attempt.payment = replace(attempt.payment, key=key, sandbox=self.is_sandbox(attempt))


def _company_ids(key: PaymentKey) -> tuple[str | None, str | None]:
    return key.authorization_id, key.provider_payment_id


def _is_unwanted(payment: Payment) -> bool:
    """Whether the payment is over for VTEX, or VTEX asked to cancel it."""
    return payment.is_over or (payment.is_cancel_asked and payment.status is PaymentStatus.PENDING)


def _waiting(message: str) -> Outcome:
    return Outcome(State.WAITING, None, message)


def _done(message: str) -> Outcome:
    return Outcome(State.DONE, None, message, is_final=True)


def _manual(message: str) -> Outcome:
    return Outcome(State.MANUAL, CANCEL_MANUALLY, message)
