"""Refund a settled payment, in whole or in part, each request once."""

from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import islice

from connector.attempt import Attempt
from connector.domain.errors import (
    IllegalTransition,
    NotApproved,
    OutcomeUnknown,
    OutOfTime,
    PaymentBusy,
    ProviderRefused,
    Rule,
    TooMuch,
)
from connector.domain.operation import (
    Outcome,
    own_refund_id,
)
from connector.domain.payment import Effect, Look, PaymentStatus, Standing, WriteResult
from connector.domain.write import Write, WriteState
from connector.operations import job
from connector.operations import refund_outcomes as refunds
from connector.operations.job import MOST_WRITES, REFUND, TAKEN, Job, fate
from connector.operations.settle import settled_payment

_OVER = {PaymentStatus.CANCELLED, PaymentStatus.DENIED}
# What is known of a refund that may still take effect: that it runs, or nothing.
_NOT_YET = {None, Effect.ACCEPTED}


@dataclass(frozen=True, kw_only=True)
class RefundJob(Job):
    """One refund of one merchant."""

    @property
    def value(self) -> Decimal:
        return self.request.value or Decimal()

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        return self._done(attempt) if refunds.own(attempt, WriteState.DONE) else None

    def work(self, attempt: Attempt) -> Outcome:
        write, status = attempt.open_write(REFUND), attempt.payment.status
        if status in _OVER and not write:
            raise IllegalTransition(f"A payment that is {status} is not refunded")
        look = self.look(attempt, write)
        if write and refunds.is_own(write, attempt) and fate(write, look) is Effect.ACCEPTED:
            return refunds.pending(look)
        if write:
            self._find_out(write, look, attempt)
        self._find_the_lost(look, attempt)
        if refunds.own(attempt, WriteState.DONE):
            return self._done(attempt)
        if forgotten := self._find_the_forgotten(look, attempt):
            return forgotten
        if status in _OVER:
            raise IllegalTransition(f"A payment that is {status} is not refunded")
        return self._without_a_write(look, attempt) or self._write(look, attempt)

    def _find_out(self, write: Write, look: Look, attempt: Attempt) -> None:
        """Say what became of a refund whose answer was lost; nothing else begins before.

        Raises OutcomeUnknown, for another request's PaymentBusy, while that is not known.
        """
        its_fate = fate(write, look)
        if its_fate is Effect.DONE:
            attempt.close(write, WriteState.DONE)
        elif its_fate is Effect.FAILED:
            attempt.close(write, WriteState.FAILED)
        elif its_fate is Effect.ACCEPTED or not self._has_surely_ended(write, attempt):
            held_back = OutcomeUnknown if refunds.is_own(write, attempt) else PaymentBusy
            raise held_back(reason=Rule.REFUND_MAY_COME)
        elif not refunds.is_own(write, attempt):
            attempt.close(write, WriteState.LOST)

    def _find_the_lost(self, look: Look, attempt: Attempt) -> None:
        """Know a refund of ours that took effect after all, later than anybody waited.

        What was returned beyond what we know of is it, or a person's: then nothing is sent.
        """
        lost = refunds.own(attempt, WriteState.LOST)
        if not lost:
            return
        is_all = look.refunded is None and look.standing is Standing.UNDONE
        all_of_it = attempt.payment.settled if is_all else None
        beyond = (look.refunded or all_of_it or Decimal()) - refunds.ours(attempt)
        if beyond >= self.value:
            attempt.close(lost[-1], WriteState.DONE)
        elif beyond > 0:
            raise OutcomeUnknown(reason=Rule.PART_RETURNED)

    def _find_the_forgotten(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Know a refund of this request that was made after the backup which is restored by now.

        Where more is returned than is recorded, the company is asked for the references that this
        request's writes had, or will have.
        """
        is_more = look.refunded is not None and look.refunded > refunds.ours(attempt)
        is_shown = self.provider.can_refund_partly and self.provider.refund_is_idempotent
        most = MOST_WRITES if is_more and is_shown else 0
        for reference in islice(attempt.references(REFUND), most):
            shown = self.look(attempt, Write(REFUND, 0, reference))
            if shown.write_effect in {Effect.DONE, Effect.ACCEPTED}:
                return self._recalled(shown, reference, attempt)
        return None

    def _recalled(self, shown: Look, reference: str, attempt: Attempt) -> Outcome:
        """Record a refund as if it were sent now, and say what came of it."""
        is_done = shown.write_effect is Effect.DONE
        before = refunds.returned(shown, attempt) - (self.value if is_done else 0)
        attempt.start_write(REFUND, 0, amount=self.value, refunded=before, reference=reference)
        attempt.end_write(shown.write_effect or Effect.ACCEPTED)
        return self._done(attempt, shown.write_id) if is_done else refunds.pending(shown)

    def _has_surely_ended(self, write: Write, attempt: Attempt) -> bool:
        """Whether a refund that left no trace cannot leave one any more.

        As long as a lease: the connection it was sent on is closed by then. What the company
        accepted is only looked at. A repeat of our own under its reference is one
        refund where the company says so.
        """
        is_repeat = refunds.is_own(write, attempt) and self.provider.refund_is_idempotent
        return is_repeat or self._is_too_old_to_come(write)

    def _is_too_old_to_come(self, write: Write) -> bool:
        return write.state is WriteState.OPEN and write.age >= self.lease_seconds

    def _without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        if look.standing is Standing.WORKING:
            return refunds.pending(look)
        if look.standing is Standing.STUCK:
            return self._manual(f"the provider says {look.provider_status}", attempt)
        if look.standing is Standing.UNDONE:
            raise TooMuch("Nothing of this payment is left to refund")
        if look.standing not in TAKEN:
            raise NotApproved("The payment is not settled", evidence=look.provider_status)
        return self._beyond_the_provider(look, attempt)

    def _manual(self, reason: str, attempt: Attempt) -> Outcome:
        """Leave it to a person, unless ours may still be made: then it would be made twice."""
        if write := attempt.open_write(REFUND):
            if not self._is_too_old_to_come(write):
                raise OutcomeUnknown(reason=Rule.REFUND_MAY_COME)
            attempt.close(write, WriteState.LOST)
        return refunds.manual(reason)

    def _beyond_the_provider(self, look: Look, attempt: Attempt) -> Outcome | None:
        limit, returned = self._limit(look, attempt), refunds.returned(look, attempt)
        if limit is not None and self.value + returned > limit:
            raise TooMuch(f"Of {limit} that were settled {returned} are refunded already")
        if not self.provider.may_refund(self.account(attempt)):
            return self._manual("the provider cannot refund this payment", attempt)
        if not self._is_whole(look, attempt) and not self.provider.can_refund_partly:
            return self._manual("the provider refunds whole payments only", attempt)
        if refunds.failures(attempt) >= MOST_WRITES:
            return self._manual(f"the provider failed to refund it {MOST_WRITES} times", attempt)
        self._rule_out_a_cancellation(attempt)
        return None

    def _rule_out_a_cancellation(self, attempt: Attempt) -> None:
        """Make sure that no cancellation is still to return the money: it was taken since.

        One that returns what was taken is a refund like any other (`_has_surely_ended`).
        """
        while write := attempt.open_write(*job.CANCELLATION_WRITES):
            if write.action == job.CANCEL_BY_REFUND and not self._has_surely_ended(write, attempt):
                raise OutcomeUnknown(reason=Rule.CANCELLATION_MAY_COME)
            attempt.close(write, WriteState.LOST)

    def _limit(self, look: Look, attempt: Attempt) -> Decimal | None:
        """Return what may be refunded in all: what was taken, as far as anybody knows."""
        payment = attempt.payment
        taken = look.captured if look.captured is not None else look.amount
        known = [one for one in (payment.settled, taken) if one is not None]
        return min(known, default=payment.amount)

    def _is_whole(self, look: Look, attempt: Attempt) -> bool:
        is_first = not refunds.returned(look, attempt)
        return is_first and self.value == self._limit(look, attempt)

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        if not attempt.is_asked:
            return refunds.not_done(attempt)
        if not attempt.deadline.allows_a_write():
            raise OutOfTime
        payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        if not payment.is_created or payment.status is not PaymentStatus.PENDING:
            payment = replace(settled_payment(payment), settled=self._limit(look, attempt))
        attempt.payment = payment
        amount = None if self._is_whole(look, attempt) else self.value
        reference = attempt.start_write(
            REFUND, look.failures, amount=self.value, refunded=refunds.returned(look, attempt)
        )
        call = self.call(attempt, reference, look, amount)
        sent = self.send(attempt, self.provider.refund, call)
        return self._confirmed(attempt, sent)

    def _confirmed(self, attempt: Attempt, sent: WriteResult) -> Outcome:
        write, is_refused = attempt.open_write(REFUND), sent.effect is Effect.REFUSED
        if attempt.is_new or not is_refused:
            attempt.end_write(sent.effect)
        if sent.effect is Effect.DONE:
            return self._done(attempt, sent.id)
        after = self.watch(
            attempt, sent, lambda look: refunds.fate_of(write, look) in _NOT_YET, write
        )
        its_fate = refunds.fate_of(write, after)
        if its_fate is Effect.DONE:
            attempt.end_write(Effect.DONE)
            return self._done(attempt, after.write_id)
        if is_refused and attempt.is_new:
            its_fate = Effect.REFUSED
        if its_fate is Effect.FAILED:
            attempt.end_write(Effect.FAILED)
        elif sent.effect is Effect.ACCEPTED or its_fate is Effect.ACCEPTED:
            return refunds.pending(after)
        elif sent.lost:
            raise sent.lost
        elif not attempt.is_new and self._is_refused_for_good(write):
            attempt.end_write(Effect.REFUSED)
        if refunds.failures(attempt) >= MOST_WRITES:
            return refunds.manual("the provider refused it")
        raise ProviderRefused(evidence=sent.provider_status or after.provider_status)

    def _is_refused_for_good(self, write: Write | None) -> bool:
        """Whether a refused repeat ends the write: while the first may be running it does not."""
        has_ended = write is not None and self._is_too_old_to_come(write)
        return has_ended and self.provider.refund_is_idempotent

    def _done(self, attempt: Attempt, refund_id: str | None = None) -> Outcome:
        payment = attempt.payment
        if payment.status is PaymentStatus.SETTLED and refunds.ours(attempt) == payment.settled:
            attempt.payment = payment.moved(PaymentStatus.REFUNDED)
        own_id = refund_id or own_refund_id(attempt.lease.claim_id)
        return refunds.done(attempt, own_id, self.provider.after_refund)
