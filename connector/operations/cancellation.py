"""End what stands at a company: look, decide, send once, confirm."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.errors import OutcomeUnknown, OutOfTime, ProviderRefused, Rule
from connector.domain.merchant import CapturedPolicy
from connector.domain.money import is_within
from connector.domain.operation import (
    CANCEL_MANUALLY,
    Operation,
    Outcome,
    State,
    own_cancellation_id,
)
from connector.domain.payment import (
    TRANSITIONS,
    Effect,
    Look,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.domain.write import Write, WriteState
from connector.operations import job
from connector.operations.cancellation_value import CancellationValueJob
from connector.operations.job import CANCEL_BY_REFUND, MOST_WRITES
from connector.operations.parts import gone

# The write that ends a payment in a standing, where the provider can.
_WRITES = {
    Standing.UNPAID: job.CANCEL,
    Standing.PAYING: job.CANCEL,
    Standing.HELD: job.RELEASE,
    Standing.UNSEEN: job.RELEASE,
}

# Standings in which VTEX's cancel asks for what only a person can do, and why.
_MANUAL: Mapping[Standing, str] = {
    Standing.CAPTURED: "the money is already captured",
    Standing.PARTLY_REFUNDED: "the money is captured and partly refunded",
    Standing.UNPAID: "the provider cannot cancel an unpaid payment; it expires by itself",
}
_UNSUPPORTED = "the provider cannot cancel a payment in this state"
_REFUNDED = PaymentStatus.REFUNDED
# Statuses that a payment has only after the company showed it.
_SEEN = {PaymentStatus.APPROVED, PaymentStatus.SETTLED, PaymentStatus.REFUNDED}


@dataclass(frozen=True, kw_only=True)
class CancellingJob(CancellationValueJob):
    """Ends a payment for a request."""

    def cancel(self, attempt: Attempt) -> Outcome:
        """Do what is still to be done, with at most one write."""
        look = self.look(attempt, attempt.open_write(*job.CANCELLATION_WRITES))
        return self._without_a_write(look, attempt) or self._write(look, attempt)

    def cancelled(self, attempt: Attempt, cancellation_id: str | None = None) -> Outcome:
        """Record that nothing of the payment is left; the first id told of it stays."""
        payment = attempt.payment
        own = own_cancellation_id(self.merchant.id, payment.key.payment_id)
        told = payment.cancellation_id or cancellation_id or own
        # Money that went back because VTEX asked for a refund was not cancelled.
        is_refunded = any(write.action == job.REFUND for write in attempt.writes)
        is_settled = payment.status is PaymentStatus.SETTLED
        status = _REFUNDED if is_refunded and is_settled else PaymentStatus.CANCELLED
        if status in TRANSITIONS[payment.status]:
            if payment.status in _SEEN and status is PaymentStatus.CANCELLED:
                # What the company said of the authorization is no reason of a denial.
                payment = replace(payment, code=None, message=None)
            payment = payment.moved(status)
        attempt.payment = replace(payment, cancellation_id=told)
        return _done(told)

    def _without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Decide what needs no write, or what no write could do."""
        standing = look.standing
        if standing is Standing.UNDONE:
            return self.cancelled(attempt, look.cancellation_id)
        if standing is Standing.ABSENT:
            return self._absent(attempt)
        self.learn_unit(look, attempt)
        if not self.is_whole(self.request.value, look, attempt) and (
            part := self._part(look, attempt)
        ):
            _unask(attempt)
            return part
        self.want_gone(attempt)
        if standing is Standing.STUCK:
            return _manual(f"the provider says {look.provider_status}")
        if standing is Standing.WORKING or standing in self._passing:
            return _pending(look)
        return None if self._action(standing) else _left_to_a_person(standing, attempt)

    def _part(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Answer a cancellation of a part; None where the parts asked for make up the whole.

        No company cancels a part. But what a settlement in part released is not held any more,
        and what a person returned is not taken.
        """
        values = attempt.values(Operation.CANCEL).values()
        parts = (one for one in values if not self.is_whole(one, look, attempt))
        total = sum(parts, Decimal())
        if self.is_whole(total, look, attempt):
            return None
        left = gone(look, attempt)
        if left and is_within(total, left, self.unit):
            return self._released(attempt)
        return _manual("only the whole payment can be cancelled")

    def _released(self, attempt: Attempt) -> Outcome:
        payment = attempt.payment
        own = own_cancellation_id(self.merchant.id, payment.key.payment_id)
        told = payment.cancellation_id or own
        attempt.payment = replace(payment, cancellation_id=told)
        return _done(told)

    def want_gone(self, attempt: Attempt) -> None:
        """Let VTEX's cancellation stop an approval; the other operations ask for no such thing."""

    @property
    def _passing(self) -> frozenset[Standing]:
        return self.provider.passing - self.provider.cancellable

    def _action(self, standing: Standing) -> str | None:
        """Name the write that ends a payment in this standing, if there is one."""
        if standing in self.provider.cancellable:
            return _WRITES[standing]
        may_refund = self.merchant.captured is CapturedPolicy.REFUND and self.provider.can_refund
        return CANCEL_BY_REFUND if standing is Standing.CAPTURED and may_refund else None

    def _absent(self, attempt: Attempt) -> Outcome:
        if self._was_there(attempt):
            # The company contradicts itself, or has not answered our create yet.
            raise OutcomeUnknown(reason=Rule.WAS_THERE)
        if attempt.payment.key.is_proof:
            return _manual("the provider does not know a payment that VTEX holds an id of")
        if not self.provider.absent_is_proof:
            return _manual("the provider cannot look this payment up")
        if self.request.sandbox and not self.merchant.sandbox and not attempt.payment.is_created:
            # That it is not in the sandbox, where this request alone looked, says nothing of
            # the real one.
            _unask(attempt)
            return _done(own_cancellation_id(self.merchant.id, attempt.payment.key.payment_id))
        return self.cancelled(attempt)

    def _was_there(self, attempt: Attempt) -> bool:
        """Whether the company must know the payment, or may yet.

        What was written for a payment, but for its creation, a look had shown before. A create
        whose answer was lost has surely ended after a lease; nobody has the page to pay on.
        """
        return attempt.payment.status in _SEEN or any(
            write.action != job.CREATE
            or write.state is WriteState.DONE
            or (write.state is WriteState.OPEN and write.age < self.lease_seconds)
            for write in attempt.writes
        )

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        action = self._action(look.standing) or ""
        write = attempt.open_write(action)
        has_failed = write is not None and look.failures > write.failures_before
        if has_failed + attempt.ended(action, Effect.FAILED) >= MOST_WRITES:
            return _manual(f"the provider failed to {action} it {MOST_WRITES} times")
        if action == CANCEL_BY_REFUND:
            self._rule_out_a_refund(attempt)
        is_persons = attempt.payment.is_manual or (attempt.lease.is_listed and not attempt.is_asked)
        if action == CANCEL_BY_REFUND and is_persons:
            # A person was told to return the money; only a hold is released beside them.
            return _left_to_a_person(Standing.CAPTURED, attempt)
        if (
            action == CANCEL_BY_REFUND
            and not attempt.is_asked
            and attempt.payment.settled is not None
        ):
            return _manual("VTEX settled the payment since")
        if write and action == CANCEL_BY_REFUND and not has_failed:
            self._refuse_an_early_repeat(write)
        if not attempt.deadline.allows_a_write():
            raise OutOfTime
        attempt.payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        reference = attempt.start_write(action, look.failures, is_new=has_failed)
        verb = self.provider.refund if action == CANCEL_BY_REFUND else self.provider.cancel
        sent = self.send(attempt, verb, self.call(attempt, reference, look))
        return self._confirmed(action, look, attempt, sent)

    def _rule_out_a_refund(self, attempt: Attempt) -> None:
        """Make sure that no refund VTEX asked for is still to return the money."""
        write = attempt.open_write(job.REFUND)
        if write is None:
            return
        its_fate = job.fate(write, self.look(attempt, write))
        if its_fate is Effect.FAILED:
            attempt.close(write, WriteState.FAILED)
        elif (
            its_fate is None and write.state is WriteState.OPEN and write.age >= self.lease_seconds
        ):
            attempt.close(write, WriteState.LOST)
        else:
            raise OutcomeUnknown(reason=Rule.REFUND_MAY_COME)

    def _refuse_an_early_repeat(self, write: Write) -> None:
        """Wait until an unanswered refund has surely ended, where a repeat is a second refund.

        As long as a lease: the connection it was sent on is closed by then. What the company
        accepted is only looked at.
        """
        has_ended = write.state is WriteState.OPEN and write.age >= self.lease_seconds
        if not self.provider.refund_is_idempotent and not has_ended:
            raise OutcomeUnknown(reason=Rule.REFUND_MAY_COME)

    def _is_all_refused(self, action: str, attempt: Attempt) -> bool:
        """Whether a refusal ends the write: of a repeated refund the first may still run."""
        return attempt.is_new or action != CANCEL_BY_REFUND or self.provider.refund_is_idempotent

    def _confirmed(self, action: str, before: Look, attempt: Attempt, sent: WriteResult) -> Outcome:
        """Say what came of a write; look again unless the company called it done."""
        open_write = attempt.open_write(action)
        if sent.effect is not Effect.REFUSED or self._is_all_refused(action, attempt):
            attempt.end_write(sent.effect)
        if sent.effect is Effect.DONE:
            return self.cancelled(attempt, sent.id)
        after = self.watch(attempt, sent, lambda look: self._may_end(look, before), open_write)
        if after.standing is Standing.UNDONE:
            attempt.end_write(Effect.DONE)
            return self.cancelled(attempt, after.cancellation_id)
        if sent.effect is Effect.UNKNOWN:
            return self._unknown(after, attempt, sent)
        if sent.effect is Effect.ACCEPTED or after.standing is not before.standing:
            return self._without_a_write(after, attempt) or _pending(after)
        times = 1 + attempt.ended(action, sent.effect)
        if after.standing is Standing.UNSEEN or times >= MOST_WRITES:
            return _manual("the provider refused it")
        raise ProviderRefused(evidence=sent.provider_status)

    def _may_end(self, look: Look, before: Look) -> bool:
        """Whether what stood before may still be seen to end by the write that was sent."""
        waiting = {before.standing, Standing.WORKING, Standing.PAYING, *self.provider.cancellable}
        is_seen = look.standing is not Standing.UNSEEN
        return is_seen and look.standing in waiting and look.failures == before.failures

    def _unknown(self, after: Look, attempt: Attempt, sent: WriteResult) -> Outcome:
        """Say what the next request would: only that it may send again."""
        outcome = self._without_a_write(after, attempt)
        if outcome is None:
            raise sent.lost or OutcomeUnknown
        return outcome


def _unask(attempt: Attempt) -> None:
    """The payment as a whole is not to go: it may still be approved."""
    was_asked = attempt.lease.payment.is_cancel_asked
    attempt.payment = replace(attempt.payment, is_cancel_asked=was_asked)


def _done(cancellation_id: str) -> Outcome:
    return Outcome(State.DONE, None, "Cancelled", cancellation_id, is_final=True)


def _left_to_a_person(standing: Standing, attempt: Attempt) -> Outcome:
    if standing in job.TAKEN:
        attempt.payment = replace(attempt.payment, is_manual=True)
    return _manual(_MANUAL.get(standing, _UNSUPPORTED))


def _manual(reason: str) -> Outcome:
    message = f"This payment needs to be cancelled manually: {reason}"
    return Outcome(State.MANUAL, CANCEL_MANUALLY, message, reason=reason)


def _pending(look: Look) -> Outcome:
    word = f" ({look.provider_status})" if look.provider_status else ""
    message = f"The provider is still working on this payment{word}; repeat the request"
    reason = look.provider_status or None
    return Outcome(State.WAITING, "cancel-pending", message, again=look.again, reason=reason)
