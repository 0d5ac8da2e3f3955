"""What VTEX, or a person, is told of a refund."""

from connector.attempt import Attempt
from connector.domain.operation import REFUND_MANUALLY, REFUNDED_LATE, Outcome, State
from connector.domain.payment import Look
from connector.domain.write import REFUND, WriteState
from connector.operations import writes


def manual(reason: str) -> Outcome:
    """Once VTEX told the merchant to refund by hand, no repeat may refund it too."""
    message = f"This payment needs to be refunded manually: {reason}"
    return Outcome(State.MANUAL, REFUND_MANUALLY, message, is_final=True, reason=reason)


def pending(look: Look) -> Outcome:
    word = f" ({look.provider_status})" if look.provider_status else ""
    message = f"The provider is still working on this refund{word}; repeat the request"
    reason = look.provider_status or None
    return Outcome(State.WAITING, "refund-pending", message, again=look.again, reason=reason)


def done(attempt: Attempt, refund_id: str, task: str) -> Outcome:
    """Tell a refund that was made; `task` is what a person must still do.

    VTEX that does not wait was told that it failed, or nothing: a person must know. Where a
    person has a task the answer is kept for VTEX's repeat, which then leaves the row alone.
    """
    value, vtex_waits = writes.own_refunds(attempt, WriteState.DONE)[-1].amount, attempt.vtex_waits
    said = "Refunded" if vtex_waits else "VTEX was told that this refund failed; it is done"
    return Outcome(
        State.DONE,
        None if vtex_waits or task else REFUNDED_LATE,
        f"{said}. {task}" if task else said,
        refund_id,
        value,
        is_final=vtex_waits or bool(task),
        is_listed=not vtex_waits or bool(task),
    )


def not_done(attempt: Attempt) -> Outcome:
    """Tell a refund that reconcile found no trace of, or that failed: it begins none.

    VTEX may have told the merchant to refund by hand by now. One that left no trace is looked for
    again.
    """
    if write := attempt.open_write(REFUND):
        attempt.move(write, WriteState.LOST)
    if writes.own_refunds(attempt, WriteState.LOST):
        message = "The provider shows no trace of this refund. Look there before it is made by hand"
        return Outcome(State.UNKNOWN, "not-refunded", message, is_listed=True)
    message = (
        "This refund was not made, as VTEX was told: ask for it in VTEX again, or make it by hand"
    )
    return Outcome(State.FAILED, "not-refunded", message)
