"""Cancel a payment, as VTEX asks."""

from dataclasses import dataclass, replace

from connector.attempt import Attempt
from connector.domain.operation import Outcome
from connector.domain.payment import PaymentStatus
from connector.operations.cancellation import CancellingJob


@dataclass(frozen=True, kw_only=True)
class CancelJob(CancellingJob):
    """One cancellation of one merchant."""

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        is_cancelled = attempt.payment.status is PaymentStatus.CANCELLED
        return self.cancelled(attempt) if is_cancelled else None

    work = CancellingJob.cancel

    def before_the_look(self, attempt: Attempt) -> None:
        if self._is_known_as_whole(attempt):
            self.forbid_approval(attempt)

    def forbid_approval(self, attempt: Attempt) -> None:
        """Record that VTEX cancels the whole payment. From now on the payment is not approved."""
        attempt.payment = replace(attempt.payment, is_cancel_asked=True)

    def _is_known_as_whole(self, attempt: Attempt) -> bool:
        """Whether the request alone shows, without a look, that VTEX cancels the whole payment."""
        value, amount = self.request.value, attempt.payment.amount
        is_known = value is None or amount is not None
        return is_known and self.is_all(value, amount)
