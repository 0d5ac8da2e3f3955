"""Create a payment at the company: look, create once, confirm."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from connector.attempt import Attempt
from connector.domain.errors import (
    ConnectorError,
    LeaseLost,
    NotDone,
    OutcomeUnknown,
    ProviderRefused,
    RequestMismatch,
    Rule,
)
from connector.domain.merchant import notification_url
from connector.domain.operation import CreateRequest, Outcome, State
from connector.domain.order import Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    Payment,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.domain.write import CREATE, WriteState
from connector.operations import writes
from connector.operations.acceptance import check_order
from connector.operations.cancellation import CancellingJob
from connector.operations.verdict import take_verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CreatingJob(CancellingJob):
    """One payment to create. If nobody can pay the payment any more, this job cancels it."""

    request: CreateRequest
    seal: Callable[[str, int, str], str] = lambda url, *_: url
    public_url: str = ""

    @property
    def _order(self) -> Order | None:
        order = self.request.order
        merchant = self.merchant
        url = notification_url(self.public_url, merchant.provider, merchant.name)
        return order and replace(order, notification_url=url)

    def check(self) -> None:
        """Refuse an order that the provider cannot take, before the payment is recorded.

        The settings must be complete, because the proof of a notification needs them.
        """
        self.check_settings()
        if self._order is not None:
            is_sandbox = self.merchant.sandbox or self.request.sandbox
            check_order(self._order, self.provider, is_sandbox=is_sandbox)

    def check_same(self, payment: Payment) -> None:
        """Refuse another amount for the same payment. Raises RequestMismatch."""
        order = self._order
        if order and (order.amount, order.currency) != (payment.amount, payment.currency):
            raise RequestMismatch("This payment was created with another value or currency")

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        is_decided = attempt.payment.status is not PaymentStatus.PENDING
        return self._tombstone(attempt) if is_decided else None

    def outcome_after(self, error: ConnectorError, attempt: Attempt) -> Outcome:
        """Return WAITING if the company has the payment but cannot be asked now. Else raise."""
        is_of_the_company = isinstance(error, NotDone | OutcomeUnknown | ProviderRefused)
        is_lease_lost = isinstance(error, LeaseLost)
        if not attempt.vtex_waits or not is_of_the_company or is_lease_lost:
            raise error
        if not self._is_there(attempt):
            raise error
        log.warning("a payment could not be looked at", extra={"code": error.code})
        return replace(_unpaid_outcome(None), reason=error.why)

    def _is_there(self, attempt: Attempt) -> bool:
        if writes.has_created(attempt):
            # This needs no provider, which may be switched off.
            return True
        return self.provider.is_adopting and attempt.payment.is_created

    def _tombstone(self, attempt: Attempt) -> Outcome:
        """Record the order of a payment that VTEX cancelled before its create."""
        self._record_order(attempt)
        return status_outcome(attempt.payment)

    def _record_order(self, attempt: Attempt) -> None:
        order = self._order
        if order is None or attempt.payment.is_created:
            return
        memo = self.provider.memo(order) or attempt.payment.key.memo
        attempt.payment = replace(
            attempt.payment,
            key=replace(attempt.payment.key, memo=memo),
            amount=order.amount,
            currency=order.currency,
            sandbox=self.is_sandbox(attempt),
            callback_address=self._sealed_callback_url(self.request.callback_url),
        )

    def _sealed_callback_url(self, url: str | None) -> str | None:
        request = self.request
        return self.seal(url, request.merchant_id, request.payment.payment_id) if url else None

    def work(self, attempt: Attempt) -> Outcome:
        self._record_order(attempt)
        if self.provider.is_adopting or writes.latest_create(attempt):
            return self._look_first(attempt)
        return self._create_unless_cancelled(attempt)

    def _create_unless_cancelled(self, attempt: Attempt, *, is_new: bool = False) -> Outcome:
        if attempt.payment.is_cancel_asked:
            return self._deny(attempt, "VTEX cancelled the payment before it was created")
        return self._create(attempt, is_new=is_new)

    def _look_first(self, attempt: Attempt) -> Outcome:
        """Look before a create, because the company may have the payment already."""
        look = self.look(attempt)
        if look.standing is Standing.ABSENT and not self.provider.is_adopting:
            return self._create_after_all(attempt)
        return self._outcome_when_present(look, attempt)

    def _outcome_when_present(self, look: Look, attempt: Attempt) -> Outcome:
        """Return the outcome when the company has the payment. The buyer must have a page."""
        write = attempt.open_write(CREATE)
        is_pageless = look.standing is Standing.UNPAID and not attempt.payment.payment_url
        if is_pageless and self._may_ask_for_the_page(attempt):
            # The write stays open, so that the repeated create has the same reference.
            return self._create(attempt, is_watched=False)
        if write:
            attempt.move(write, WriteState.DONE)
        if take_verdict(attempt, look):
            return status_outcome(attempt.payment)
        # The company's lost answer held the address of the page. So nobody can pay.
        is_unpayable = is_pageless and not self.provider.is_adopting
        return self._cancel_unpayable(attempt) if is_unpayable else _unpaid_outcome(look.again)

    def _may_ask_for_the_page(self, attempt: Attempt) -> bool:
        """Whether a repeated create returns the page again, and VTEX still wants the payment."""
        return self.provider.create_is_idempotent and not attempt.payment.is_cancel_asked

    def _create_after_all(self, attempt: Attempt) -> Outcome:
        """Create an absent payment again, unless our earlier create may still arrive."""
        write, is_idempotent = writes.latest_create(attempt), self.provider.create_is_idempotent
        if write is None or not write.is_open:
            return _unpaid_outcome(None)
        if not writes.may_be_repeated(write, attempt, is_idempotent=is_idempotent):
            raise OutcomeUnknown(reason=Rule.CREATE_MAY_ARRIVE)
        return self._create_unless_cancelled(attempt, is_new=not is_idempotent)

    def _cancel_unpayable(self, attempt: Attempt) -> Outcome:
        """Cancel a payment that nobody can pay. If that fails, the payment stays PENDING."""
        is_cancelled = self.cancel(attempt).state is State.DONE
        return status_outcome(attempt.payment) if is_cancelled else _unpaid_outcome(None)

    def _create(
        self, attempt: Attempt, *, is_new: bool = False, is_watched: bool = True
    ) -> Outcome:
        """Create the payment. With `is_watched` the job looks at once if the answer is lost."""
        order = self._order
        if order is None:
            # VTEX does not wait any more, and the company certainly does not have the payment.
            return Outcome(State.FAILED, "not-created", "The payment was not created")
        attempt.deadline.check_write()
        call = self.call(attempt)
        call = replace(call, reference=attempt.start_write(CREATE, 0, is_new=is_new))
        try:
            return self._outcome_of_a_create(attempt, self.create(attempt, order, call))
        except ProviderRefused as error:
            return self._outcome_of_a_refusal(attempt, error)
        except OutcomeUnknown as lost:
            if not is_watched:
                raise
            return self._look_for_a_lost_create(attempt, lost)

    def _outcome_of_a_create(self, attempt: Attempt, result: CreateResult) -> Outcome:
        attempt.end_write(Effect.DONE)
        if result.status is PaymentStatus.PENDING:
            return _unpaid_outcome(result.again)
        attempt.payment = replace(
            attempt.payment.moved(result.status), code=result.provider_status or None
        )
        return status_outcome(attempt.payment)

    def _look_for_a_lost_create(self, attempt: Attempt, lost: OutcomeUnknown) -> Outcome:
        """Look for a payment whose create got no answer."""
        result = WriteResult(Effect.UNKNOWN, lost=lost)
        look = self.watch(attempt, result, lambda look: look.standing is Standing.ABSENT)
        if look.standing is Standing.ABSENT:
            raise lost
        return self._outcome_when_present(look, attempt)

    def _outcome_of_a_refusal(self, attempt: Attempt, error: ProviderRefused) -> Outcome:
        """Deny a payment whose create was refused, unless the company has the payment."""
        if attempt.is_new_write:
            attempt.end_write(Effect.REFUSED)
        look = self.look(attempt)
        if look.standing is Standing.ABSENT or _is_unpaid_of_another_amount(look, attempt):
            # Nobody must see a page with another amount.
            attempt.payment = replace(attempt.payment, payment_url=None)
            return self._deny(attempt, self.without_secrets(str(error)))
        if take_verdict(attempt, look):
            return status_outcome(attempt.payment)
        if look.standing is Standing.UNPAID and not attempt.payment.payment_url:
            return self._cancel_unpayable(attempt)
        return _unpaid_outcome(look.again)

    def _deny(self, attempt: Attempt, message: str) -> Outcome:
        payment = attempt.payment.moved(PaymentStatus.DENIED)
        attempt.payment = replace(payment, code=ProviderRefused.code, message=message)
        return status_outcome(attempt.payment)


def _is_unpaid_of_another_amount(look: Look, attempt: Attempt) -> bool:
    is_another = look.amount not in {None, attempt.payment.amount}
    return is_another and look.verdict is not PaymentStatus.APPROVED


def status_outcome(payment: Payment) -> Outcome:
    return Outcome(State.DONE, None, f"The payment is {payment.status.value}")


def _unpaid_outcome(again: float | None) -> Outcome:
    message = "The buyer has not paid yet"
    return Outcome(State.WAITING, None, message, again=again)
