"""What of a payment is neither held nor taken any more, though the payment is not cancelled."""

from decimal import Decimal

from connector.attempt import Attempt
from connector.domain.payment import Look
from connector.domain.write import WriteState
from connector.operations.job import REFUND, TAKEN


def gone(look: Look, attempt: Attempt) -> Decimal:
    """Return what a settlement in part released, and what a person returned."""
    amounts = [one for one in (attempt.payment.amount, look.amount) if one is not None]
    taken = attempt.payment.settled if look.captured is None else look.captured
    if look.standing not in TAKEN or taken is None or not amounts:
        return Decimal()
    return max(amounts) - taken + _by_a_person(look, attempt)


def _by_a_person(look: Look, attempt: Attempt) -> Decimal:
    """Return what was given back beyond VTEX's refunds, none while one of these is open."""
    refunds = [write for write in attempt.writes if write.action == REFUND]
    if look.refunded is None or any(write.may_take_effect for write in refunds):
        return Decimal()
    ours = sum(write.amount or Decimal() for write in refunds if write.state is WriteState.DONE)
    return max(look.refunded - ours, Decimal())
