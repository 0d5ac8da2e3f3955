"""The outcomes of a refund: what VTEX, or a person, is told."""

from connector.attempt import Attempt
from connector.domain.operation import REFUND_MANUALLY, REFUNDED_LATE, Outcome, State
from connector.domain.payment import Look
from connector.domain.write import REFUND, WriteState
from connector.operations import job, writes

_DONE = "Refunded"
_DONE_LATE = "VTEX was told that this refund failed; it is done"
_NO_TRACE = "The provider shows no trace of this refund. Look there before it is made by hand"
_NOT_MADE = (
    "This refund was not made, as VTEX was told: ask for it in VTEX again, or make it by hand"
)


def manual(reason: str) -> Outcome:
    """VTEX tells the merchant to refund by hand. So no repeat may refund it too."""
    message = f"This payment needs to be refunded manually: {reason}"
    return Outcome(State.MANUAL, REFUND_MANUALLY, message, is_final=True, reason=reason)


def pending(look: Look) -> Outcome:
    return job.pending(look, "refund", "refund-pending")


def done(attempt: Attempt, refund_id: str, task: str) -> Outcome:
    """Return the outcome of a refund that is done; `task` is what a person must still do.

    When VTEX does not wait, it was told a failure, or nothing. So a person must know. When a person
    has a task, the answer is kept for VTEX's repeat. So the repeat leaves the row alone.
    """
    message = _DONE if attempt.vtex_waits else _DONE_LATE
    return Outcome(
        State.DONE,
        None if attempt.vtex_waits or task else REFUNDED_LATE,
        f"{message}. {task}" if task else message,
        refund_id,
        writes.refunds_of_this_request(attempt, WriteState.DONE)[-1].amount,
        is_final=attempt.vtex_waits or bool(task),
        is_listed=not attempt.vtex_waits or bool(task),
    )


def not_done(attempt: Attempt) -> Outcome:
    """Return the outcome of a refund that reconcile found no trace of, or that failed.

    Reconcile sends no refund, because VTEX may have told the merchant to refund by hand. It looks
    again for a refund that left no trace.
    """
    if write := attempt.open_write(REFUND):
        attempt.move(write, WriteState.LOST)
    if writes.refunds_of_this_request(attempt, WriteState.LOST):
        return Outcome(State.UNKNOWN, "not-refunded", _NO_TRACE, is_listed=True)
    return Outcome(State.FAILED, "not-refunded", _NOT_MADE)
