"""Settle a payment: take the held money, once."""

from dataclasses import dataclass, replace
from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.errors import (
    IllegalTransition,
    NotApproved,
    NotInPart,
    ProviderRefused,
    TooMuch,
)
from connector.domain.operation import (
    Operation,
    Outcome,
    State,
    derive_settle_id,
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
from connector.operations.job import MONEY_TAKEN, Job
from connector.operations.verdict import take_verdict

# The operator reads this text beside a request that may ask for a second settlement.
_MAY_BE_SECOND = (
    "an equal part was settled for another requestId; if VTEX means two, one was not taken"
)
# After these standings a later look may show the end of a settlement.
_MAY_SETTLE_LATER = {Standing.HELD, Standing.WORKING}


@dataclass(frozen=True, kw_only=True)
class SettleJob(Job):
    """One settlement of one merchant."""

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        return self._outcome_of_a_repeat(attempt) if attempt.payment.settled is not None else None

    def work(self, attempt: Attempt) -> Outcome:
        payment = attempt.payment
        if payment.is_over:
            raise IllegalTransition(f"A payment that is {payment.status} cannot be settled")
        look = self.look(attempt)
        if payment.is_created and not take_verdict(attempt, look):
            raise NotApproved(evidence=look.provider_status)
        return self._outcome_without_a_write(look, attempt) or self._write(look, attempt)

    def _outcome_of_a_repeat(self, attempt: Attempt) -> Outcome:
        """Return the same success for every repeat, but refuse another part of the payment.

        The company released the part that was not taken.
        """
        value, payment = self.request.value, attempt.payment
        is_part = payment.amount is not None and payment.settled != payment.amount
        if is_part and value not in {None, payment.settled}:
            raise NotInPart("Another part of this payment is settled, the rest was released")
        outcome = self._done(payment.settled or Decimal())
        if not (is_part and value and self._is_part_asked_twice(value, attempt)):
            return outcome
        # This request is a repeat, or it asks for a second part of the same size. The company
        # released that part, so nobody can take it any more.
        return replace(outcome, is_listed=True, reason=_MAY_BE_SECOND)

    def _is_part_asked_twice(self, value: Decimal, attempt: Attempt) -> bool:
        """Whether another request asked for a part of the same size."""
        values = attempt.requested_values(Operation.SETTLE)
        own_claim = attempt.lease.claim_id
        return any(other == value for claim, other in values.items() if claim != own_claim)

    def _outcome_without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        if look.standing in MONEY_TAKEN:
            return self._outcome_when_taken(look, attempt)
        if look.standing is Standing.WORKING:
            return _pending(look)
        if look.standing is not Standing.HELD:
            raise NotApproved(evidence=look.provider_status)
        return None

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        if not attempt.vtex_waits:
            # Only VTEX knows whether it still wants the settlement.
            return Outcome(State.FAILED, "not-settled", "The payment was not settled")
        amount = self._part_to_take(look, attempt)
        attempt.deadline.check_write()
        attempt.payment = replace(attempt.payment, sandbox=self.is_sandbox(attempt))
        is_new = writes.took_nothing(attempt.open_write(SETTLE), look, amount)
        reference = attempt.start_write(SETTLE, look.failures, is_new=is_new, amount=amount)
        call = self.call(attempt, reference, look, amount)
        result = self.send(attempt, self.provider.settle, call)
        return self._confirm(look, attempt, result)

    def _part_to_take(self, look: Look, attempt: Attempt) -> Decimal | None:
        """Return the part to take, None for the whole. Raises TooMuch, NotInPart."""
        value, whole = self.request.value, _first_known(look.amount, attempt.payment.amount)
        if value is None or whole is None or value == whole:
            return None
        if value > whole:
            raise TooMuch("More is to be settled than the payment holds")
        if not self.provider.can_settle_partly:
            raise NotInPart
        return value

    def _confirm(self, before: Look, attempt: Attempt, result: WriteResult) -> Outcome:
        """Return the outcome of a settlement. Look again, unless the company answered "done"."""
        amount = _open_amount(attempt)
        attempt.end_write(result.effect)
        if result.effect is Effect.DONE:
            return self._record_settlement(attempt, amount, before.amount)
        after = self.watch(attempt, result, lambda look: look.standing in _MAY_SETTLE_LATER)
        if after.standing in MONEY_TAKEN:
            attempt.end_write(Effect.DONE)
            return self._record_settlement(attempt, after.captured, amount, after.amount)
        if result.effect is Effect.ACCEPTED or after.standing is Standing.WORKING:
            return _pending(after)
        if result.lost:
            raise result.lost
        raise ProviderRefused(evidence=result.provider_status)

    def _outcome_when_taken(self, look: Look, attempt: Attempt) -> Outcome:
        """Record the amount that the company shows, else the amount of our write."""
        amount = _open_amount(attempt)
        if write := attempt.open_write(SETTLE):
            attempt.move(write, WriteState.DONE)
        return self._record_settlement(attempt, look.captured, amount, look.amount)

    def _record_settlement(self, attempt: Attempt, *amounts: Decimal | None) -> Outcome:
        """Record the first known amount as the amount that was taken."""
        payment = attempt.payment
        taken = _first_known(*amounts, payment.amount, self.request.value) or Decimal()
        attempt.payment = replace(settled_payment(payment), settled=taken)
        return self._done(taken)

    def _done(self, value: Decimal) -> Outcome:
        settle_id = derive_settle_id(self.merchant.id, self.request.payment.payment_id)
        return Outcome(State.DONE, None, "Settled", settle_id, value, is_final=True)


def _open_amount(attempt: Attempt) -> Decimal | None:
    """Return the amount of the open settlement. None: the whole, or no settlement is open."""
    write = attempt.open_write(SETTLE)
    return write.amount if write else None


def settled_payment(payment: Payment) -> Payment:
    """Return the payment as SETTLED. A PENDING payment becomes APPROVED on the way."""
    if payment.status is PaymentStatus.PENDING:
        payment = payment.moved(PaymentStatus.APPROVED)
    if payment.status is PaymentStatus.APPROVED:
        payment = payment.moved(PaymentStatus.SETTLED)
    return payment


def _first_known(*amounts: Decimal | None) -> Decimal | None:
    return next((amount for amount in amounts if amount is not None), None)


def _pending(look: Look) -> Outcome:
    message = "The provider is still working on this settlement; repeat the request"
    reason = look.provider_status or None
    return Outcome(State.WAITING, "settle-pending", message, again=look.again, reason=reason)
