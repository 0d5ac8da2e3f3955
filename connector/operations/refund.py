"""Refund a settled payment, the whole or a part. Each request refunds once."""

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import islice

from connector.attempt import Attempt
from connector.domain.errors import (
    IllegalTransition,
    NotApproved,
    ProviderRefused,
    TooMuch,
)
from connector.domain.operation import (
    Outcome,
    derive_refund_id,
)
from connector.domain.payment import Effect, Look, Payment, PaymentStatus, Standing, WriteResult
from connector.domain.write import REFUND, Write
from connector.operations import refund_outcomes as outcomes
from connector.operations import writes
from connector.operations.job import MONEY_TAKEN, MOST_WRITES, Job
from connector.operations.settle import settled_payment


@dataclass(frozen=True, kw_only=True)
class RefundJob(Job):
    """One refund of one merchant."""

    @property
    def value(self) -> Decimal:
        return self.request.value or Decimal()

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        return self._done(attempt) if writes.is_refunded(attempt) else None

    def work(self, attempt: Attempt) -> Outcome:
        write = attempt.open_write(REFUND)
        if write is None:
            _check_status(attempt)
        look = self.look(attempt, write)
        outcome = self._outcome_of_earlier_refunds(write, look, attempt)
        if outcome:
            return outcome
        _check_status(attempt)
        return self._outcome_without_a_write(look, attempt) or self._write(look, attempt)

    def _outcome_of_earlier_refunds(
        self, write: Write | None, look: Look, attempt: Attempt
    ) -> Outcome | None:
        """Return the outcome if an earlier write of this request is done or pending. Else None.

        Raises OutcomeUnknown, or PaymentBusy, while an earlier refund may still take effect.
        """
        is_of_this_request = write is not None and writes.is_of_this_request(write, attempt)
        if is_of_this_request and writes.effect_of(write, look) is Effect.ACCEPTED:
            return outcomes.pending(look)
        if write:
            is_idempotent = self.provider.refund_is_idempotent
            writes.record_refund_end(write, look, attempt, is_idempotent=is_idempotent)
        writes.find_a_lost_refund(look, attempt, self.value)
        if writes.is_refunded(attempt):
            return self._done(attempt)
        return self._outcome_of_an_unrecorded_refund(look, attempt)

    def _outcome_of_an_unrecorded_refund(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Find a refund of this request that a restored backup does not contain.

        If the company returned more than is recorded, this looks by every reference that a write
        of this request can have.
        """
        is_more = look.refunded is not None and writes.refunded_beyond_vtex(look, attempt) > 0
        is_shown = self.provider.can_refund_partly and self.provider.refund_is_idempotent
        most = MOST_WRITES if is_more and is_shown else 0
        for reference in islice(attempt.references(REFUND), most):
            look_by_reference = self.look(attempt, Write(REFUND, 0, reference))
            if look_by_reference.write_effect in {Effect.DONE, Effect.ACCEPTED}:
                return self._record_again(look_by_reference, reference, attempt)
        return None

    def _record_again(self, look_by_reference: Look, reference: str, attempt: Attempt) -> Outcome:
        """Record a refund that the company shows, as if it were sent now. Return its outcome."""
        is_done = look_by_reference.write_effect is Effect.DONE
        before = writes.refunded(look_by_reference, attempt) - (self.value if is_done else 0)
        attempt.record_shown_write(REFUND, reference, self.value, before)
        attempt.end_write(look_by_reference.write_effect or Effect.ACCEPTED)
        return (
            self._done(attempt, look_by_reference.write_id)
            if is_done
            else outcomes.pending(look_by_reference)
        )

    def _outcome_without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        if look.standing is Standing.WORKING:
            return outcomes.pending(look)
        if look.standing is Standing.STUCK:
            return _manual(f"the provider says {look.provider_status}", attempt)
        if look.standing is Standing.UNDONE:
            raise TooMuch("Nothing of this payment is left to refund")
        if look.standing not in MONEY_TAKEN:
            raise NotApproved("The payment is not settled", evidence=look.provider_status)
        return self._outcome_beyond_the_provider(look, attempt)

    def _outcome_beyond_the_provider(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Leave a refund that the provider cannot make to a person.

        Raises TooMuch, OutcomeUnknown.
        """
        limit, returned = _refundable_total(look, attempt), writes.refunded(look, attempt)
        if limit is not None and self.value + returned > limit:
            raise TooMuch(f"Of {limit} that were settled {returned} are refunded already")
        if not self.provider.may_refund(self.account(attempt)):
            return _manual("the provider cannot refund this payment", attempt)
        if not self._is_whole(look, attempt) and not self.provider.can_refund_partly:
            return _manual("the provider refunds whole payments only", attempt)
        if writes.refund_failures(attempt) >= MOST_WRITES:
            return _manual(f"the provider failed to refund it {MOST_WRITES} times", attempt)
        writes.rule_out_a_cancellation(attempt)
        return None

    def _is_whole(self, look: Look, attempt: Attempt) -> bool:
        is_first = not writes.refunded(look, attempt)
        return is_first and self.value == _refundable_total(look, attempt)

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        if not attempt.vtex_waits:
            return outcomes.not_done(attempt)
        attempt.deadline.check_write()
        attempt.payment = self._settled_payment(look, attempt)
        amount = None if self._is_whole(look, attempt) else self.value
        reference = attempt.start_write(
            REFUND, look.failures, amount=self.value, refunded=writes.refunded(look, attempt)
        )
        call = self.call(attempt, reference, look, amount)
        return self._confirm(attempt, self.send(attempt, self.provider.refund, call))

    def _settled_payment(self, look: Look, attempt: Attempt) -> Payment:
        """Return the payment as SETTLED, because a refund proves that the money was taken.

        A payment stays PENDING while VTEX still waits for its approval.
        """
        payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        if payment.is_created and payment.status is PaymentStatus.PENDING:
            return payment
        return replace(settled_payment(payment), settled=_refundable_total(look, attempt))

    def _confirm(self, attempt: Attempt, result: WriteResult) -> Outcome:
        """Return the outcome of a refund. Look again, unless the company answered "done"."""
        write = attempt.open_write(REFUND)
        # A refused repeat ends nothing: the first call of the same refund may still run.
        if attempt.is_new_write or result.effect is not Effect.REFUSED:
            attempt.end_write(result.effect)
        if result.effect is Effect.DONE:
            return self._done(attempt, result.id)
        after = self.watch(attempt, result, partial(writes.may_take_effect_later, write), write)
        effect = writes.effect_of(write, after)
        if effect is Effect.DONE:
            attempt.end_write(Effect.DONE)
            return self._done(attempt, after.write_id)
        return self._outcome_without_success(write, after, attempt, result)

    def _outcome_without_success(
        self, write: Write | None, after: Look, attempt: Attempt, result: WriteResult
    ) -> Outcome:
        """Return the outcome, or raise the error, of a refund that is not done yet."""
        effect = writes.effect_of(write, after)
        if attempt.is_new_write and result.effect is Effect.REFUSED:
            return _outcome_of_a_refusal(after, attempt, result)
        if effect is Effect.FAILED:
            attempt.end_write(Effect.FAILED)
            return _outcome_of_a_refusal(after, attempt, result)
        if Effect.ACCEPTED in {result.effect, effect}:
            return outcomes.pending(after)
        if result.lost:
            raise result.lost
        is_idempotent = self.provider.refund_is_idempotent
        if writes.is_repeat_refused_for_good(write, attempt, is_idempotent=is_idempotent):
            attempt.end_write(Effect.REFUSED)
        return _outcome_of_a_refusal(after, attempt, result)

    def _done(self, attempt: Attempt, refund_id: str | None = None) -> Outcome:
        payment = attempt.payment
        is_all = writes.refunded_by_vtex(attempt) == payment.settled
        if payment.status is PaymentStatus.SETTLED and is_all:
            attempt.payment = payment.moved(PaymentStatus.REFUNDED)
        final_id = refund_id or derive_refund_id(attempt.lease.claim_id)
        return outcomes.done(attempt, final_id, self.provider.after_refund)


def _check_status(attempt: Attempt) -> None:
    payment = attempt.payment
    if payment.is_over:
        raise IllegalTransition(f"A payment that is {payment.status} is not refunded")


def _manual(reason: str, attempt: Attempt) -> Outcome:
    """Leave the refund to a person. Raises OutcomeUnknown while our own write may take effect."""
    if write := attempt.open_write(REFUND):
        writes.give_up(write, attempt)
    return outcomes.manual(reason)


def _outcome_of_a_refusal(after: Look, attempt: Attempt, result: WriteResult) -> Outcome:
    """Raises ProviderRefused. After MOST_WRITES refusals a person must act."""
    if writes.refund_failures(attempt) >= MOST_WRITES:
        return outcomes.manual("the provider refused it")
    raise ProviderRefused(evidence=result.provider_status or after.provider_status)


def _refundable_total(look: Look, attempt: Attempt) -> Decimal | None:
    """Return the amount that may be refunded in all: the taken amount, if it is known."""
    payment = attempt.payment
    taken = look.captured if look.captured is not None else look.amount
    amounts = [amount for amount in (payment.settled, taken) if amount is not None]
    return min(amounts, default=payment.amount)
