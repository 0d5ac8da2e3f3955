"""Run a request once: claim the request, run its job, store its reply.

Only one request at a time has the lease of a payment. An identical request waits for the same
answer. Another request waits for the lease, and then acts on the payment. Only the reply to a final
outcome is stored. After any other outcome the next request looks before it writes.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from connector import context
from connector.attempt import Attempt, WriteStore, last_step, steps_to_store
from connector.domain.attempt_end import AttemptEnd
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
    IllegalTransition,
    LeaseLost,
    OutOfTime,
    PaymentBusy,
    RequestInProgress,
)
from connector.domain.operation import (
    CANCEL_MANUALLY,
    REFUND_MANUALLY,
    REFUNDED_LATE,
    DueRequest,
    Lease,
    Operation,
    Outcome,
    Progress,
    Reply,
    Request,
    State,
    StoredReply,
)
from connector.outcomes import (
    SCHEDULE,
    callback_change,
    count_looks,
    error_outcome,
    fault_outcome,
    next_look,
    recorded_state,
    with_a_warning,
)

log = logging.getLogger(__name__)

# Seconds between two queries for a lease that another request holds. The first pause is short, for
# a company that answers at once. The longest pause is long, so that fifty waiting requests cost
# little.
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25


class ClaimStore(WriteStore, Protocol):
    """Claims requests, takes the leases of their payments, and records the outcomes."""

    def stored_reply(self, request: Request) -> StoredReply | None: ...

    def claim(
        self, request: Request, *, lease_seconds: float, first_look: float
    ) -> Lease | StoredReply | None: ...

    def claim_due(self, request: Request, *, lease_seconds: float) -> Lease | None: ...

    def progress(self, request: Request) -> Progress: ...

    def record_outcome(self, lease: Lease, end: AttemptEnd) -> None: ...


class RunnableJob(Protocol):
    """One request of one merchant: runs the request, and makes VTEX's answer."""

    @property
    def request(self) -> Request: ...

    def run(self, attempt: Attempt) -> Outcome: ...

    def reply(self, outcome: Outcome) -> Reply: ...


@dataclass(frozen=True)
class IdempotentRunner:
    """Runs requests once."""

    requests: ClaimStore
    lease_seconds: float

    def claim(self, job: RunnableJob, deadline: Deadline) -> Attempt | Reply:
        """Claim a request and take the lease of its payment, or return the reply if there is one.

        Raises RequestMismatch, RequestInProgress, PaymentBusy, and OutOfTime after the deadline.
        """
        if stored := self.requests.stored_reply(job.request):
            return _reply_of(stored, job.request)
        if not deadline.left():
            raise OutOfTime
        while True:
            claimed = self.requests.claim(
                job.request, lease_seconds=self.lease_seconds, first_look=SCHEDULE[0]
            )
            if isinstance(claimed, Lease):
                return Attempt(self.requests, claimed, deadline)
            answer = claimed or self._wait(job.request, deadline)
            if isinstance(answer, StoredReply):
                return _reply_of(answer, job.request)
            if answer:
                return job.reply(answer)

    def claim_due(self, due: DueRequest, deadline: Deadline) -> Attempt | None:
        """Claim a request that VTEX does not repeat. None: another request has the lease."""
        lease = self.requests.claim_due(due.request, lease_seconds=self.lease_seconds)
        return None if lease is None else Attempt(self.requests, lease, deadline, due)

    def run(self, job: RunnableJob, attempt: Attempt) -> Reply:
        """Run a claimed request, record the outcome, and give the lease back.

        A failure is an outcome, too. Raises LeaseLost if another request has the lease now.
        """
        context.add(attempt=attempt.lease.attempt)
        try:
            outcome = job.run(attempt)
        except LeaseLost:
            raise
        except ConnectorError as error:
            if isinstance(error, IllegalTransition):
                log.warning("illegal transition", extra={"code": attempt.payment.status.value})
            outcome = error_outcome(job.request.operation, attempt, error)
        except Exception as error:
            # Without an outcome our own fault would keep the lease until its time is over.
            log.exception("operation failed", extra={"code": attempt.payment.status.value})
            outcome = fault_outcome(error)
        return self._record(job, attempt, outcome)

    def _record(self, job: RunnableJob, attempt: Attempt, outcome: Outcome) -> Reply:
        """Record an outcome. The reply to a final outcome is stored for every repeat."""
        operation = job.request.operation
        outcome = with_a_warning(operation, attempt, outcome)
        reply = job.reply(outcome) if outcome.is_final else None
        seconds = next_look(operation, outcome, count_looks(attempt))
        recorded = replace(outcome, state=recorded_state(operation, attempt, outcome, seconds))
        _log(recorded)
        attempt.note(last_step(job.request, attempt, recorded, lambda: reply or job.reply(outcome)))
        self._store(operation, attempt, recorded, reply, seconds)
        # This comes after `_store`, because the reply to a create shows the recorded payment.
        return reply or job.reply(outcome)

    def _store(
        self,
        operation: Operation,
        attempt: Attempt,
        outcome: Outcome,
        reply: Reply | None,
        seconds: float | None,
    ) -> None:
        """Record the end of an attempt. Reconcile looks again after `seconds`."""
        end = AttemptEnd(
            outcome=outcome,
            payment=attempt.payment,
            reply=reply,
            write_states=attempt.write_states,
            looks=count_looks(attempt),
            next_look=seconds,
            callback_change=callback_change(operation, attempt),
            steps=steps_to_store(attempt, outcome),
        )
        self.requests.record_outcome(attempt.lease, end)

    def _wait(self, request: Request, deadline: Deadline) -> StoredReply | Outcome | None:
        """Wait for the request that has the lease.

        Returns the answer to the identical request when that request ends, and None when no
        request has the lease.
        """
        at_first = now = self.requests.progress(request)
        for pause in _pauses():
            if _has_ended(at_first, now):
                return self.requests.stored_reply(request) or _recorded_outcome(now)
            if not now.is_held:
                return None
            if deadline.left() <= pause:
                raise RequestInProgress if now.is_same else PaymentBusy
            time.sleep(pause)
            now = self.requests.progress(request)
        raise AssertionError


def _log(outcome: Outcome) -> None:
    """Log why a request is not done. The log line of the answer shows the reason, too."""
    context.add(reason=outcome.reason)
    if outcome.state is not State.DONE:
        log.info("not done", extra={"outcome": outcome.state.value, "code": outcome.code})


def _reply_of(stored: StoredReply, request: Request) -> Reply:
    """Return a stored reply. Raises RequestMismatch if the repeat has another value."""
    request.check_repeats(stored.value)
    return stored.reply


def _has_ended(at_first: Progress, now: Progress) -> bool:
    """Whether the identical request ended while we waited. A killed request keeps its lease."""
    is_first = at_first.is_same and now.attempts == at_first.attempts and now.code != REFUNDED_LATE
    return is_first and not now.is_same and now.state is not State.RUNNING


def _recorded_outcome(progress: Progress) -> Outcome:
    """Make an outcome from the recorded end of an attempt.

    A request on the operator's list stays MANUAL, although its attempts end in other states.
    """
    state = progress.state or State.UNKNOWN
    if state is State.MANUAL and progress.code not in {CANCEL_MANUALLY, REFUND_MANUALLY}:
        state = State.UNKNOWN
    return Outcome(state, progress.code, progress.message)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
