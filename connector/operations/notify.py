"""Take up a company's news of a payment: keep it, look, and do what follows."""

import logging
import re
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
)
from connector.operations.cancellation import CancellingJob
from connector.operations.verdict import has_another_amount, take_verdict
from connector.provider import Provider

log = logging.getLogger(__name__)

# What VTEX calls a payment.
_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
# How often news that a look does not confirm are looked into again: for a quarter of an hour.
_LOOKS = 3
# Standings in which there is money of the buyer's.
_PAID = {Standing.HELD, Standing.CAPTURED, Standing.PARTLY_REFUNDED, Standing.STUCK}
# Standings after which another purchase may take a payment's place.
_UNPAID = {Standing.UNDONE, Standing.UNPAID, Standing.ABSENT}


class PaymentFinder(Protocol):
    """Finds a payment as it is recorded."""

    def find(self, merchant_id: int, payment_id: str) -> Payment | None: ...


class NotificationRecorder(Protocol):
    """Records a notification once."""

    def record_notification(self, request: Request, provider_status: str = "") -> bool: ...


@dataclass(frozen=True)
class Notify:
    """Takes up notifications. `reconcile` finishes a recorded one, or says it is finished."""

    providers: Mapping[str, Provider]
    payments: PaymentFinder
    requests: NotificationRecorder
    reconcile: Callable[[Merchant, DueRequest, Deadline], bool]

    def keep(self, merchant: Merchant, news: Notification) -> NotificationRequest | None:
        """Keep the news, for `act` or for reconcile; return what is new of them.

        After that the company need not repeat them. Raises what the storage raises.
        """
        payment_id = self._payment_id(merchant, news)
        if payment_id is None:
            return None
        request = NotificationRequest(
            merchant_id=merchant.id,
            payment=PaymentKey(payment_id),
            request_id=news.id,
            purchase=self._purchase(merchant, payment_id, news),
        )
        word = merchant.redacted(news.provider_status)
        return request if self.requests.record_notification(request, word) else None

    def act(self, merchant: Merchant, request: NotificationRequest, deadline: Deadline) -> None:
        """Act on a recorded notification. Raises nothing: what fails is left to reconcile."""
        try:
            self.reconcile(merchant, DueRequest(request, 0, State.WAITING, 0.0), deadline)
        except ConnectorError as error:
            named = {"code": error.code, "reason": error.why}
            log.warning("a notification is left to reconcile", extra=named)
        except Exception:
            log.exception("a notification is left to reconcile")

    def _payment_id(self, merchant: Merchant, news: Notification) -> str | None:
        """Return what VTEX calls the payment, None for one that is no payment of ours.

        An account may serve other shops too. A purchase that begins without us may be told of
        before VTEX asks for it.
        """
        for payment_id in filter(_PAYMENT_ID.fullmatch, news.payment_ids):
            if self.payments.find(merchant.id, payment_id):
                return payment_id
            if self.providers[merchant.provider].is_adopting:
                return payment_id
        return None

    def _purchase(
        self, merchant: Merchant, payment_id: str, news: Notification
    ) -> PaymentKey | None:
        is_told = news.authorization_id or news.provider_payment_id
        if not (is_told and self.providers[merchant.provider].is_adopting):
            return None
        return PaymentKey(payment_id, news.authorization_id, news.provider_payment_id)


@dataclass(frozen=True, kw_only=True)
class NotificationJob(CancellingJob):
    """One notification of one merchant. `deliver` calls VTEX back, if that is due."""

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
            return _taken("Nothing new")
        look = self.look(attempt)
        if look.is_another:
            return self._unbound(attempt)
        return self._release(look, attempt) if is_unwanted else self._learned(look, attempt)

    def _learned(self, look: Look, attempt: Attempt) -> Outcome:
        """Take over what the company shows of a payment that VTEX waits for."""
        if take_verdict(attempt, look):
            return _taken(f"The payment is {attempt.payment.status}")
        if look.standing in _PAID and has_another_amount(attempt.payment, look):
            return _manual("The buyer paid another amount than VTEX asked for; nothing is approved")
        if look.standing in _PAID and not attempt.payment.is_created and attempt.looks < _LOOKS:
            return _later("VTEX has not asked for this payment yet")
        return _taken("The buyer has not paid yet")

    def _unbound(self, attempt: Attempt) -> Outcome:
        """Take back what these news bound: the company shows it under another order."""
        purchase, key = self.request.purchase, attempt.payment.key
        if purchase and _ids(purchase) == _ids(key):
            key = replace(key, authorization_id=None, provider_payment_id=None)
            attempt.payment = replace(attempt.payment, key=key)
        return _manual("The provider shows this purchase under another order; nothing is approved")

    def _release(self, look: Look, attempt: Attempt) -> Outcome:
        """End what VTEX was told is over; what only a person can end is the operator's."""
        if look.standing in _PAID or attempt.payment.status is PaymentStatus.PENDING:
            return self.cancel(attempt)
        if attempt.looks < _LOOKS:
            # What the company shows may be a moment behind what it told.
            return _later("No money is left there, so far")
        return _taken("No money is left there")

    def _bind(self, attempt: Attempt) -> Outcome | None:
        """Bind a purchase that the buyer began without us; there may be a second one."""
        purchase = self.request.purchase
        key = attempt.payment.key
        if purchase is None or _ids(purchase) == _ids(key):
            return None
        if not key.was_authorized:
            self._rebind(attempt, purchase)
            return None
        return self._bind_second(purchase, attempt)

    def _bind_second(self, purchase: PaymentKey, attempt: Attempt) -> Outcome | None:
        second = self.look_at(purchase, attempt)
        if second.is_another:
            return self._unbound(attempt)
        is_paid = second.standing in _PAID
        if not is_paid and (attempt.looks < _LOOKS or second.standing not in _UNPAID):
            return _later("Another purchase of this payment is not paid")
        if not is_paid:
            return _taken("Another purchase of this payment is not paid")
        if self._may_take_its_place(second, attempt):
            self._rebind(attempt, purchase)
            return None
        return _manual("A second purchase was paid for this payment; return it at the provider")

    def _may_take_its_place(self, second: Look, attempt: Attempt) -> bool:
        """Whether a second purchase may be the payment: of the first nobody is to be paid.

        The hold of another amount than VTEX asked for ends by itself; its own news list it.
        """
        payment = attempt.payment
        is_open, is_unwanted = payment.status is PaymentStatus.PENDING, _is_unwanted(payment)
        if not (is_open or is_unwanted):
            return False
        first = self.look_at(payment.key, attempt)
        is_wrong = first.standing is Standing.HELD and has_another_amount(payment, first)
        is_better = is_wrong and not is_unwanted and not has_another_amount(payment, second)
        return first.standing in _UNPAID or first.is_another or is_better

    def is_own_order(self, attempt: Attempt) -> bool:
        """News name the order."""
        return True

    def _rebind(self, attempt: Attempt, purchase: PaymentKey) -> None:
        key = replace(
            attempt.payment.key,
            authorization_id=purchase.authorization_id,
            provider_payment_id=purchase.provider_payment_id,
        )
        attempt.payment = replace(attempt.payment, key=key, sandbox=self.is_sandbox(attempt))


def _ids(key: PaymentKey) -> tuple[str | None, str | None]:
    return key.authorization_id, key.provider_payment_id


def _is_unwanted(payment: Payment) -> bool:
    """Whether VTEX was told, or wants, that there is no such payment."""
    is_over = payment.status in {PaymentStatus.CANCELLED, PaymentStatus.DENIED}
    return is_over or (payment.is_cancel_asked and payment.status is PaymentStatus.PENDING)


def _later(message: str) -> Outcome:
    return Outcome(State.WAITING, None, message)


def _taken(message: str) -> Outcome:
    return Outcome(State.DONE, None, message, is_final=True)


def _manual(message: str) -> Outcome:
    return Outcome(State.MANUAL, CANCEL_MANUALLY, message)
