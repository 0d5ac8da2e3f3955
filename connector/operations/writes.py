"""The ends of the writes that were sent for a payment.

Only this module decides about an earlier write. Create, cancel, settle and refund ask it.
"""

from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.errors import OutcomeUnknown, PaymentBusy, Rule
from connector.domain.payment import Effect, Look, Standing
from connector.domain.write import (
    CANCEL_BY_REFUND,
    CANCELLATION_WRITES,
    CREATE,
    REFUND,
    STATE_AFTER,
    Write,
    WriteState,
)

# In these states the end of a write is still unknown after a look.
_STILL_OPEN = {WriteState.OPEN, WriteState.ACCEPTED}
_ENDED_WITHOUT_EFFECT = (WriteState.FAILED, WriteState.REFUSED)


# What a look shows of one write.


def effect_of(write: Write | None, look: Look) -> Effect | None:
    """Return the effect of a refund that a later look shows, None if there is no trace."""
    if write is None:
        return None
    if look.write_effect is not None:
        return look.write_effect
    if _has_returned(write, look):
        return Effect.DONE
    if look.standing is Standing.WORKING:
        return Effect.ACCEPTED
    return Effect.FAILED if has_failed(write, look) else None


def _has_returned(write: Write, look: Look) -> bool:
    """Whether the refunded total grew by the amount of the write."""
    if look.refunded is None:
        return look.standing is Standing.UNDONE
    return look.refunded >= (write.refunded_before or Decimal()) + (write.amount or Decimal())


def may_take_effect_later(write: Write | None, look: Look) -> bool:
    """Whether a refund may still take effect: the company works on it, or there is no trace."""
    return effect_of(write, look) in {None, Effect.ACCEPTED}


def has_failed(write: Write | None, look: Look) -> bool:
    """Whether the company shows one more failure than before the write was sent."""
    return write is not None and look.failures > write.failures_before


def took_nothing(write: Write | None, look: Look, amount: Decimal | None) -> bool:
    """Whether an open settlement certainly took nothing, so that another write may replace it.

    While the whole is still held, a settlement of another amount did not happen.
    """
    return has_failed(write, look) or (write is not None and write.amount != amount)


# What the age of a write shows.


def has_surely_ended(write: Write, attempt: Attempt) -> bool:
    """Whether a write without an answer cannot take effect any more.

    The connection of the write is closed when a lease's time has passed. An accepted write has no
    such limit.
    """
    return write.state is WriteState.OPEN and write.age >= attempt.lease.seconds


def may_be_repeated(write: Write, attempt: Attempt, *, is_idempotent: bool) -> bool:
    """Whether a repeat with the same reference has no second effect."""
    return is_idempotent or has_surely_ended(write, attempt)


def is_repeat_refused_for_good(
    write: Write | None, attempt: Attempt, *, is_idempotent: bool
) -> bool:
    """Whether the refusal of a repeat ends the write: the first call cannot run any more."""
    if write is None or attempt.is_new_write:
        return False
    return is_idempotent and has_surely_ended(write, attempt)


def give_up(write: Write, attempt: Attempt, rule: Rule = Rule.REFUND_MAY_COME) -> None:
    """Call a write lost. Raises OutcomeUnknown while the write may still take effect."""
    if not has_surely_ended(write, attempt):
        raise OutcomeUnknown(reason=rule)
    attempt.move(write, WriteState.LOST)


# The writes of a kind, or of a request.


def is_of_this_request(write: Write, attempt: Attempt) -> bool:
    """Whether the write was for this request."""
    return write.claim_id == attempt.lease.claim_id


def of_kind(attempt: Attempt, action: str, *states: WriteState) -> list[Write]:
    """Return the payment's writes of a kind that are in one of these states, or in any."""
    wanted = states or tuple(WriteState)
    return [write for write in attempt.writes if write.action == action and write.state in wanted]


def refunds_of_this_request(attempt: Attempt, *states: WriteState) -> list[Write]:
    """Return the refunds of this request that are in one of these states."""
    return [
        write for write in of_kind(attempt, REFUND, *states) if is_of_this_request(write, attempt)
    ]


def is_refunded(attempt: Attempt) -> bool:
    """Whether the refund that this request asks for is done."""
    return bool(refunds_of_this_request(attempt, WriteState.DONE))


def refund_failures(attempt: Attempt) -> int:
    """Count the refunds of this request that ended without effect."""
    return len(refunds_of_this_request(attempt, *_ENDED_WITHOUT_EFFECT))


def earlier_ends(attempt: Attempt, action: str, state: WriteState) -> int:
    """Count the writes of a kind that were in this state before this attempt."""
    return sum(write.action == action and write.state is state for write in attempt.lease.writes)


def latest_create(attempt: Attempt) -> Write | None:
    """Return the latest create that reached the company, or may have reached it."""
    creates = of_kind(attempt, CREATE, WriteState.OPEN, WriteState.DONE)
    return creates[-1] if creates else None


def has_created(attempt: Attempt) -> bool:
    """Whether the company has created the payment for us."""
    return bool(of_kind(attempt, CREATE, WriteState.DONE))


def payment_may_exist(attempt: Attempt) -> bool:
    """Whether our writes show that the company has the payment, or may have it soon.

    Before each write, except a create, a look showed the payment. If a create surely ended without
    an answer, nobody has the page, so nobody can pay.
    """
    return any(
        write.action != CREATE
        or write.state is WriteState.DONE
        or (write.state is WriteState.OPEN and not has_surely_ended(write, attempt))
        for write in attempt.writes
    )


# The amounts that the buyer got back.


def refunded_by_vtex(attempt: Attempt) -> Decimal:
    """Add up the refunds that VTEX asked for and that are done."""
    done = of_kind(attempt, REFUND, WriteState.DONE)
    return sum((write.amount or Decimal() for write in done), Decimal())


def refunded(look: Look, attempt: Attempt) -> Decimal:
    """Return the amount that was returned until now, by us or by a person at the company."""
    return max(refunded_by_vtex(attempt), look.refunded or Decimal())


def refunded_beyond_vtex(look: Look, attempt: Attempt) -> Decimal:
    """Return the amount that the company returned beyond the refunds that are done."""
    is_all = look.refunded is None and look.standing is Standing.UNDONE
    shown = attempt.payment.settled if is_all else look.refunded
    return (shown or Decimal()) - refunded_by_vtex(attempt)


def refunded_by_a_person(look: Look, attempt: Attempt) -> Decimal:
    """Return the amount that a person returned. Zero while our refund may have returned it."""
    may_be_ours = any(write.may_take_effect for write in of_kind(attempt, REFUND))
    if look.refunded is None or may_be_ours:
        return Decimal()
    return max(refunded_beyond_vtex(look, attempt), Decimal())


# The rules that hold another write back.


def record_refund_end(write: Write, look: Look, attempt: Attempt, *, is_idempotent: bool) -> None:
    """Record the end of an open refund, as a look shows it. Until then no other refund begins.

    A refund of this request that may be repeated stays open. So its repeat has the same reference.
    Raises OutcomeUnknown while the end is unknown, or PaymentBusy for another request's refund.
    """
    is_ours, state = is_of_this_request(write, attempt), _state_after(write, look, attempt)
    may_repeat = is_ours and may_be_repeated(write, attempt, is_idempotent=is_idempotent)
    if state in _STILL_OPEN and not may_repeat:
        error = OutcomeUnknown if is_ours else PaymentBusy
        raise error(reason=Rule.REFUND_MAY_COME)
    if not is_ours or state in {WriteState.DONE, WriteState.FAILED}:
        attempt.move(write, state)


def rule_out_a_refund(write: Write, look: Look, attempt: Attempt) -> None:
    """Make sure that a refund requested by VTEX does not return the money.

    Raises OutcomeUnknown if the refund returned the money, or may return it.
    """
    state = _state_after(write, look, attempt)
    if state not in {WriteState.FAILED, WriteState.LOST}:
        raise OutcomeUnknown(reason=Rule.REFUND_MAY_COME)
    attempt.move(write, state)


def rule_out_a_cancellation(attempt: Attempt) -> None:
    """Make sure that no earlier cancellation returns the money that was taken later.

    A cancellation by refund may still take effect. The other kinds only release held money.
    """
    while write := attempt.open_write(*CANCELLATION_WRITES):
        if write.action == CANCEL_BY_REFUND:
            give_up(write, attempt, Rule.CANCELLATION_MAY_COME)
        else:
            attempt.move(write, WriteState.LOST)


def find_a_lost_refund(look: Look, attempt: Attempt, amount: Decimal) -> None:
    """Find a lost refund of this request that took effect after all.

    Raises OutcomeUnknown if the company returned a smaller amount: a person may have returned it.
    """
    lost = refunds_of_this_request(attempt, WriteState.LOST)
    beyond = refunded_beyond_vtex(look, attempt)
    if lost and beyond >= amount:
        attempt.move(lost[-1], WriteState.DONE)
    elif lost and beyond > 0:
        raise OutcomeUnknown(reason=Rule.PART_RETURNED)


def _state_after(write: Write, look: Look, attempt: Attempt) -> WriteState:
    """Return the state of an open refund after a look."""
    effect = effect_of(write, look)
    if effect is not None:
        return STATE_AFTER[effect]
    return WriteState.LOST if has_surely_ended(write, attempt) else write.state
