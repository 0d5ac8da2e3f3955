"""Cancel a payment at the company: look, decide, write once, confirm.

Cancellations, creates and notifications use this job.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.errors import OutcomeUnknown, ProviderRefused, Rule
from connector.domain.merchant import CapturedPolicy
from connector.domain.money import is_within
from connector.domain.operation import (
    CANCEL_MANUALLY,
    Operation,
    Outcome,
    State,
    derive_cancellation_id,
)
from connector.domain.payment import (
    TRANSITIONS,
    Effect,
    Look,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.domain.write import (
    CANCEL,
    CANCEL_BY_REFUND,
    CANCELLATION_WRITES,
    REFUND,
    RELEASE,
    STATE_AFTER,
    WriteState,
)
from connector.operations import writes
from connector.operations.cancellation_value import CancellationValueJob, released_or_returned
from connector.operations.job import MONEY_TAKEN, MOST_WRITES, pending

# The write that cancels a payment in each standing, if the provider can cancel in that standing.
_WRITES = {
    Standing.UNPAID: CANCEL,
    Standing.PAYING: CANCEL,
    Standing.HELD: RELEASE,
    Standing.UNSEEN: RELEASE,
}

# The reason why only a person can cancel a payment, for each standing.
_MANUAL_REASONS: Mapping[Standing, str] = {
    Standing.CAPTURED: "the money is already captured",
    Standing.PARTLY_REFUNDED: "the money is captured and partly refunded",
    Standing.UNPAID: "the provider cannot cancel an unpaid payment; it expires by itself",
}
_UNSUPPORTED = "the provider cannot cancel a payment in this state"
_PENDING = ("payment", "cancel-pending")
# A payment has one of these statuses only after the company showed the payment.
_EXISTS_AT_COMPANY = {PaymentStatus.APPROVED, PaymentStatus.SETTLED, PaymentStatus.REFUNDED}


@dataclass(frozen=True, kw_only=True)
class CancellingJob(CancellationValueJob):
    """A request that may have to cancel the payment at the company."""

    def cancel(self, attempt: Attempt) -> Outcome:
        """Cancel the payment at the company, with one write at most."""
        self.before_the_look(attempt)
        look = self.look(attempt, attempt.open_write(*CANCELLATION_WRITES))
        return self._outcome_without_a_write(look, attempt) or self._write(look, attempt)

    def cancelled(self, attempt: Attempt, cancellation_id: str | None = None) -> Outcome:
        """Record that nothing of the payment is left. The first cancellationId is kept for ever."""
        payment, status = attempt.payment, _final_status(attempt)
        if status in TRANSITIONS[payment.status]:
            if payment.status in _EXISTS_AT_COMPANY and status is PaymentStatus.CANCELLED:
                # These fields describe the approval. Nobody must read a denial in them.
                payment = replace(payment, code=None, message=None)
            attempt.payment = payment.moved(status)
        return self._done(attempt, cancellation_id)

    def _done(self, attempt: Attempt, cancellation_id: str | None = None) -> Outcome:
        payment = attempt.payment
        final_id = payment.cancellation_id or cancellation_id or self._derived_id(attempt)
        attempt.payment = replace(payment, cancellation_id=final_id)
        return _done(final_id)

    def _derived_id(self, attempt: Attempt) -> str:
        return derive_cancellation_id(self.merchant.id, attempt.payment.key.payment_id)

    def _outcome_without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Return the outcome if no write is needed, or if no write can help. Else None."""
        if look.standing is Standing.UNDONE:
            return self.cancelled(attempt, look.cancellation_id)
        if look.standing is Standing.ABSENT:
            return self._outcome_when_absent(attempt)
        self.record_units(look, attempt)
        if part := self._outcome_of_a_part(look, attempt):
            _allow_approval(attempt)
            return part
        self.forbid_approval(attempt)
        return self._outcome_of_the_whole(look, attempt)

    def _outcome_of_the_whole(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Return the outcome for the whole payment. None: a write can cancel the payment."""
        standing = look.standing
        if standing is Standing.STUCK:
            return _manual(f"the provider says {look.provider_status}")
        if standing is Standing.WORKING or standing in self._passing_standings:
            return pending(look, *_PENDING)
        return None if self._action(standing) else _leave_to_a_person(standing, attempt)

    def _outcome_of_a_part(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Return the outcome for a part. None: the value, or the sum of all parts, is the whole.

        No company cancels a part. But the part may be gone already: a settlement of the other part
        released it, or a person returned it.
        """
        if self.is_whole(self.request.value, look, attempt):
            return None
        values = attempt.requested_values(Operation.CANCEL).values()
        parts = (value for value in values if not self.is_whole(value, look, attempt))
        total = sum(parts, Decimal())
        if self.is_whole(total, look, attempt):
            return None
        given_back = released_or_returned(look, attempt)
        if given_back and is_within(total, given_back, self.unit):
            return self._done(attempt)
        return _manual("only the whole payment can be cancelled")

    def before_the_look(self, attempt: Attempt) -> None:
        """Forbid an approval before the look. Only VTEX's cancellation does this."""

    def forbid_approval(self, attempt: Attempt) -> None:
        """Forbid an approval from now on. Only VTEX's cancellation does this."""

    @property
    def _passing_standings(self) -> frozenset[Standing]:
        return self.provider.passing - self.provider.cancellable

    def _action(self, standing: Standing) -> str | None:
        """Name the write that cancels a payment in this standing, if there is one."""
        if standing in self.provider.cancellable:
            return _WRITES[standing]
        may_refund = self.merchant.captured is CapturedPolicy.REFUND and self.provider.can_refund
        return CANCEL_BY_REFUND if standing is Standing.CAPTURED and may_refund else None

    def _outcome_when_absent(self, attempt: Attempt) -> Outcome:
        """Return the outcome when the company says that it does not have the payment."""
        if attempt.payment.status in _EXISTS_AT_COMPANY or writes.payment_may_exist(attempt):
            # The company contradicts itself, or our create may still be on its way.
            raise OutcomeUnknown(reason=Rule.WAS_THERE)
        if attempt.payment.key.is_proof:
            return _manual("the provider does not know a payment that VTEX holds an id of")
        if not self.provider.absent_is_proof:
            return _manual("the provider cannot look this payment up")
        if self.request.sandbox and not self.merchant.sandbox and not attempt.payment.is_created:
            # Only this request looked into the sandbox. The payment may be in production.
            _allow_approval(attempt)
            return _done(self._derived_id(attempt))
        return self.cancelled(attempt)

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        action = self._action(look.standing) or ""
        is_new = writes.has_failed(attempt.open_write(action), look)
        failures = is_new + writes.earlier_ends(attempt, action, WriteState.FAILED)
        if failures >= MOST_WRITES:
            return _manual(f"the provider failed to {action} it {MOST_WRITES} times")
        if action == CANCEL_BY_REFUND and (manual := self._outcome_without_a_refund(look, attempt)):
            return manual
        attempt.deadline.check_write()
        attempt.payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        reference = attempt.start_write(action, look.failures, is_new=is_new)
        verb = self.provider.refund if action == CANCEL_BY_REFUND else self.provider.cancel
        result = self.send(attempt, verb, self.call(attempt, reference, look))
        return self._confirm(action, look, attempt, result)

    def _outcome_without_a_refund(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Leave the payment to a person if a refund could return the money a second time.

        None: a refund is safe. Raises OutcomeUnknown while an earlier refund may return the money.
        """
        self._rule_out_a_refund(attempt)
        if attempt.payment.is_manual or (attempt.lease.is_listed and not attempt.vtex_waits):
            # A person was asked to return the money. Beside a person we only release a hold.
            return _leave_to_a_person(Standing.CAPTURED, attempt)
        if not attempt.vtex_waits and attempt.payment.settled is not None:
            return _manual("VTEX settled the payment since")
        self._refuse_an_early_repeat(look, attempt)
        return None

    def _rule_out_a_refund(self, attempt: Attempt) -> None:
        """Make sure that no refund requested by VTEX returns the money."""
        if write := attempt.open_write(REFUND):
            writes.rule_out_a_refund(write, self.look(attempt, write), attempt)

    def _refuse_an_early_repeat(self, look: Look, attempt: Attempt) -> None:
        """Raises OutcomeUnknown while a repeat of an open refund could be a second refund."""
        write = attempt.open_write(CANCEL_BY_REFUND)
        if write is None or writes.has_failed(write, look):
            return
        is_idempotent = self.provider.refund_is_idempotent
        if not writes.may_be_repeated(write, attempt, is_idempotent=is_idempotent):
            raise OutcomeUnknown(reason=Rule.REFUND_MAY_COME)

    def _confirm(self, action: str, before: Look, attempt: Attempt, result: WriteResult) -> Outcome:
        """Return the outcome of a write. Look again, unless the company answered "done"."""
        write = attempt.open_write(action)
        if result.effect is not Effect.REFUSED or self._is_ended_by_a_refusal(action, attempt):
            attempt.end_write(result.effect)
        if result.effect is Effect.DONE:
            return self.cancelled(attempt, result.id)
        after = self.watch(attempt, result, lambda look: self._may_end_later(look, before), write)
        if after.standing is Standing.UNDONE:
            attempt.end_write(Effect.DONE)
            return self.cancelled(attempt, after.cancellation_id)
        if result.effect is Effect.UNKNOWN:
            return self._outcome_of_a_lost_answer(after, attempt, result)
        if result.effect is Effect.ACCEPTED or after.standing is not before.standing:
            return self._outcome_without_a_write(after, attempt) or pending(after, *_PENDING)
        return _outcome_of_a_refusal(action, after, attempt, result)

    def _is_ended_by_a_refusal(self, action: str, attempt: Attempt) -> bool:
        """Whether a refusal ends the write. After a refused repeat the first call may still run."""
        return (
            attempt.is_new_write or action != CANCEL_BY_REFUND or self.provider.refund_is_idempotent
        )

    def _may_end_later(self, look: Look, before: Look) -> bool:
        """Whether the write has no visible end yet, but a later look may show the end."""
        open_standings = {
            before.standing,
            Standing.WORKING,
            Standing.PAYING,
            *self.provider.cancellable,
        }
        is_seen = look.standing is not Standing.UNSEEN
        return is_seen and look.standing in open_standings and look.failures == before.failures

    def _outcome_of_a_lost_answer(
        self, after: Look, attempt: Attempt, result: WriteResult
    ) -> Outcome:
        """Return the outcome that a look decides. Raises OutcomeUnknown if no look can decide."""
        outcome = self._outcome_without_a_write(after, attempt)
        if outcome is None:
            raise result.lost or OutcomeUnknown
        return outcome


def _final_status(attempt: Attempt) -> PaymentStatus:
    """Return REFUNDED if VTEX asked for a refund of the settled payment, else CANCELLED."""
    is_settled = attempt.payment.status is PaymentStatus.SETTLED
    is_refunded = is_settled and writes.of_kind(attempt, REFUND)
    return PaymentStatus.REFUNDED if is_refunded else PaymentStatus.CANCELLED


def _allow_approval(attempt: Attempt) -> None:
    """Allow an approval again, unless an earlier request cancelled the whole payment."""
    was_asked = attempt.lease.payment.is_cancel_asked
    attempt.payment = replace(attempt.payment, is_cancel_asked=was_asked)


def _outcome_of_a_refusal(
    action: str, after: Look, attempt: Attempt, result: WriteResult
) -> Outcome:
    """Raises ProviderRefused. After MOST_WRITES refusals a person must act."""
    times = 1 + writes.earlier_ends(attempt, action, STATE_AFTER[result.effect])
    if after.standing is Standing.UNSEEN or times >= MOST_WRITES:
        return _manual("the provider refused it")
    raise ProviderRefused(evidence=result.provider_status)


def _done(cancellation_id: str) -> Outcome:
    return Outcome(State.DONE, None, "Cancelled", cancellation_id, is_final=True)


def _leave_to_a_person(standing: Standing, attempt: Attempt) -> Outcome:
    if standing in MONEY_TAKEN:
        attempt.payment = replace(attempt.payment, is_manual=True)
    return _manual(_MANUAL_REASONS.get(standing, _UNSUPPORTED))


def _manual(reason: str) -> Outcome:
    message = f"This payment needs to be cancelled manually: {reason}"
    return Outcome(State.MANUAL, CANCEL_MANUALLY, message, reason=reason)
