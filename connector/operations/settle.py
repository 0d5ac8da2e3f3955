"""Settle a payment: take what is held of it, once."""

from dataclasses import dataclass, replace
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.errors import (
    IllegalTransition,
    NotApproved,
    NotInPart,
    OutOfTime,
    ProviderRefused,
    TooMuch,
)
from connector.domain.operation import (
    Operation,
    Outcome,
    State,
    own_settle_id,
)
from connector.domain.payment import (
    Effect,
    Look,
    Payment,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.domain.write import SETTLE, WriteState
from connector.operations import writes
from connector.operations.job import TAKEN, Job
from connector.operations.verdict import take_verdict

_OVER = {PaymentStatus.CANCELLED, PaymentStatus.DENIED}
# What a person is told.
_TWICE = "an equal part was settled for another requestId; if VTEX means two, one was not taken"
# Standings from which a settlement that was sent may still be seen to end.
_NOT_YET = {Standing.HELD, Standing.WORKING}


@dataclass(frozen=True, kw_only=True)
class SettleJob(Job):
    """One settlement of one merchant."""

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        return None if attempt.payment.settled is None else self._again(attempt)

    def work(self, attempt: Attempt) -> Outcome:
        payment = attempt.payment
        if payment.status in _OVER:
            raise IllegalTransition(f"A payment that is {payment.status} cannot be settled")
        look = self.look(attempt)
        if payment.is_created and not take_verdict(attempt, look):
            raise NotApproved(evidence=look.provider_status)
        return self._without_a_write(look, attempt) or self._write(look, attempt)

    def _again(self, attempt: Attempt) -> Outcome:
        """Give the same success to every repeat, but not to the other part of a payment.

        The company released what was not taken.
        """
        value, payment = self.request.value, attempt.payment
        is_part = payment.amount is not None and payment.settled != payment.amount
        if is_part and value not in {None, payment.settled}:
            raise NotInPart("Another part of this payment is settled, the rest was released")
        outcome = self._done(payment.settled or Decimal())
        if not (is_part and value and self._is_second(value, attempt)):
            return outcome
        # A repeat, or another part of the same size, which nothing can take any more.
        return replace(outcome, is_listed=True, reason=_TWICE)

    def _is_second(self, value: Decimal, attempt: Attempt) -> bool:
        """Whether another request asked for an equal part."""
        asked = attempt.requested_values(Operation.SETTLE)
        return any(one == value for claim, one in asked.items() if claim != attempt.lease.claim_id)

    def _without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        if look.standing in TAKEN:
            return self._seen(look, attempt)
        if look.standing is Standing.WORKING:
            return _pending(look)
        if look.standing is not Standing.HELD:
            raise NotApproved(evidence=look.provider_status)
        return None

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        if not attempt.vtex_waits:
            # Whether VTEX still wants it is for VTEX to say.
            return Outcome(State.FAILED, "not-settled", "The payment was not settled")
        amount = self._part(look, attempt)
        if not attempt.deadline.allows_a_write():
            raise OutOfTime
        attempt.payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        write = attempt.open_write(SETTLE)
        # A settlement of another amount that was sent before certainly did not happen: all is held.
        is_another = write is not None and write.amount != amount
        is_new = is_another or writes.has_failed(write, look)
        reference = attempt.start_write(SETTLE, look.failures, is_new=is_new, amount=amount)
        call = self.call(attempt, reference, look, amount)
        sent = self.send(attempt, self.provider.settle, call)
        return self._confirmed(look, attempt, sent)

    def _part(self, look: Look, attempt: Attempt) -> Decimal | None:
        """Return the part that is to be taken, None for all. Raises TooMuch, NotInPart."""
        value, whole = self.request.value, _first(look.amount, attempt.payment.amount)
        if value is None or whole is None or value == whole:
            return None
        if value > whole:
            raise TooMuch("More is to be settled than the payment holds")
        if not self.provider.can_settle_partly:
            raise NotInPart
        return value

    def _confirmed(self, before: Look, attempt: Attempt, sent: WriteResult) -> Outcome:
        write = attempt.open_write(SETTLE)
        attempt.end_write(sent.effect)
        if sent.effect is Effect.DONE:
            asked = write.amount if write else None
            return self._settled(attempt, asked, before.amount)
        after = self.watch(attempt, sent, lambda look: look.standing in _NOT_YET)
        if after.standing in TAKEN:
            attempt.end_write(Effect.DONE)
            asked = write.amount if write else None
            return self._settled(attempt, after.captured, asked, after.amount)
        if sent.effect is Effect.ACCEPTED or after.standing is Standing.WORKING:
            return _pending(after)
        if sent.lost:
            raise sent.lost
        raise ProviderRefused(evidence=sent.provider_status)

    def _seen(self, look: Look, attempt: Attempt) -> Outcome:
        """Record what the company shows as taken, else what was asked of it."""
        write = attempt.open_write(SETTLE)
        if write:
            attempt.move(write, WriteState.DONE)
        asked = write.amount if write else None
        return self._settled(attempt, look.captured, asked, look.amount)

    def _settled(self, attempt: Attempt, *known: Decimal | None) -> Outcome:
        """Record what was taken: the first amount that is known."""
        payment = attempt.payment
        taken = _first(*known, payment.amount, self.request.value) or Decimal()
        attempt.payment = replace(settled_payment(payment), settled=taken)
        return self._done(taken)

    def _done(self, value: Decimal) -> Outcome:
        settle_id = own_settle_id(self.merchant.id, self.request.payment.payment_id)
        return Outcome(State.DONE, None, "Settled", settle_id, value, is_final=True)


def settled_payment(payment: Payment) -> Payment:
    """Return a payment whose money was taken; that it was approved goes without saying."""
    if payment.status is PaymentStatus.PENDING:
        payment = payment.moved(PaymentStatus.APPROVED)
    if payment.status is PaymentStatus.APPROVED:
        payment = payment.moved(PaymentStatus.SETTLED)
    return payment


def _first(*amounts: Decimal | None) -> Decimal | None:
    return next((amount for amount in amounts if amount is not None), None)


def _pending(look: Look) -> Outcome:
    message = "The provider is still working on this settlement; repeat the request"
    reason = look.provider_status or None
    return Outcome(State.WAITING, "settle-pending", message, again=look.again, reason=reason)
