"""The outcomes of a refund, with their texts for VTEX and for a person."""

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
    """Return a final outcome. VTEX asks the merchant to refund by hand, so no repeat may refund."""
    message = f"This payment needs to be refunded manually: {reason}"
    return Outcome(State.MANUAL, REFUND_MANUALLY, message, is_final=True, reason=reason)


def pending(look: Look) -> Outcome:
    return job.pending(look, "refund", "refund-pending")


def done(attempt: Attempt, refund_id: str, task: str) -> Outcome:
    """Return the outcome of a refund that is done. `task` is work that a person must still do.

    If VTEX does not wait, VTEX got an error or no answer. So a person must know of the refund. If
    there is a task, the reply is final. So VTEX's repeat does not change the operator's list.
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
    """Return the outcome of a refund that failed, or of which the company shows no trace.

    Reconcile sends no refund, because VTEX may have asked the merchant to refund by hand. Reconcile
    looks again for a refund without a trace.
    """
    if write := attempt.open_write(REFUND):
        attempt.move(write, WriteState.LOST)
    if writes.refunds_of_this_request(attempt, WriteState.LOST):
        return Outcome(State.UNKNOWN, "not-refunded", _NO_TRACE, is_listed=True)
    return Outcome(State.FAILED, "not-refunded", _NOT_MADE)
