"""Cancel a payment, as VTEX asks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from connector.attempt import Attempt
from connector.domain.deadline import Deadline
from connector.domain.merchant import Merchant
from connector.domain.money import ValueUnit
from connector.domain.operation import CancelRequest, DueRequest, Outcome, Reply, Request
from connector.domain.payment import PaymentStatus
from connector.idempotency import IdempotentRunner
from connector.operations.cancellation import CancellingJob
from connector.operations.cancellation_value import SeeUnit
from connector.provider import Provider


@dataclass(frozen=True)
class Cancel:
    """Answers cancellations, and finishes what VTEX no longer asks for.

    `render` makes VTEX's answer of an outcome and a request.
    """

    once: IdempotentRunner
    providers: Mapping[str, Provider]
    render: Callable[[CancelRequest, Outcome], Reply]
    value_unit: ValueUnit = ValueUnit.AUTO
    see_unit: SeeUnit | None = None

    def answer(self, merchant: Merchant, request: CancelRequest, deadline: Deadline) -> Reply:
        """Cancel once and answer. Raises what `IdempotentRunner.run` raises."""
        job = self._job(merchant, request)
        return self.once.run(request, deadline, job.work, lambda one: self.render(request, one))

    def reconcile(self, merchant: Merchant, due: DueRequest, deadline: Deadline) -> bool:
        """Finish a cancellation; say whether it was this call's turn. Raises ProviderBusy."""
        request = cast("CancelRequest", due.request)
        job = self._job(merchant, request)
        with job.provider.slot():
            return self.once.reconcile(
                due, deadline, job.work_in_a_slot, lambda one: self.render(request, one)
            )

    def _job(self, merchant: Merchant, request: Request) -> "_CancelJob":
        return _CancelJob(
            self.providers,
            merchant,
            request,
            self.once.lease_seconds,
            self.value_unit,
            self.see_unit,
        )


@dataclass(frozen=True)
class _CancelJob(CancellingJob):
    """One cancellation of one merchant."""

    def work(self, attempt: Attempt) -> Outcome:
        """Do what is still to be done of the cancellation, in a slot unless it is nothing."""
        if attempt.payment.status is PaymentStatus.CANCELLED:
            return self.cancelled(attempt)
        with self.provider.slot():
            return self.work_in_a_slot(attempt)

    def work_in_a_slot(self, attempt: Attempt) -> Outcome:
        return self.redacted(self._work, attempt)

    def _work(self, attempt: Attempt) -> Outcome:
        if attempt.payment.status is PaymentStatus.CANCELLED:
            return self.cancelled(attempt)
        if self._is_known_as_whole(attempt):
            self.want_gone(attempt)
        return self.cancel(attempt)

    def _is_known_as_whole(self, attempt: Attempt) -> bool:
        """Whether VTEX cancels all of it, so that the buyer need not pay: known before a look."""
        value, amount = self.request.value, attempt.payment.amount
        is_known = value is None or amount is not None
        return is_known and self.is_all(value, amount)
