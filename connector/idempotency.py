"""Run a request once: claim it, run its job, store its reply.

One request at a time has the turn of a payment, by a lease. An identical request waits and is
given the same answer; another one waits and then acts on what was left. Only final answers are
kept; after any other the next request looks before it sends.
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from connector import context
from connector.attempt import Attempt, Closed, last_step, worth_keeping
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
    IllegalTransition,
    LeaseLost,
    NotDone,
    OutcomeUnknown,
    OutOfTime,
    PaymentBusy,
    ProviderRefused,
    RequestInProgress,
    RequestMismatch,
)
from connector.domain.operation import (
    CANCEL_MANUALLY,
    REFUND_MANUALLY,
    REFUNDED_LATE,
    CallbackChange,
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
from connector.domain.operation_rules import RULES
from connector.domain.payment import Payment, PaymentStatus
from connector.domain.story import Step
from connector.domain.write import Write

log = logging.getLogger(__name__)

# Seconds after which reconcile looks at what VTEX left: 1, 5 and 15 minutes, 1 and 4 hours,
# then daily for a week; then it is the operator's.
SCHEDULE = (60.0, 300.0, 900.0, 3600.0, 14400.0) + (86400.0,) * 7
# Seconds between two looks at a lease that another request holds: short enough for a company
# that answers at once, long enough for fifty waiting requests to cost little.
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25


class ClaimStore(Protocol):
    """Claims requests, leases their payments, and records the outcomes."""

    def stored_reply(self, request: Request) -> StoredReply | None: ...

    def claim(
        self, request: Request, *, lease_seconds: float, first_look: float
    ) -> Lease | StoredReply | None: ...

    def claim_due(self, request: Request, *, lease_seconds: float) -> Lease | None: ...

    def progress(self, request: Request) -> Progress: ...

    def values(self, lease: Lease, operation: Operation) -> Mapping[str, Decimal]: ...

    def start_write(
        self, lease: Lease, write: Write, payment: Payment, closed: Closed, steps: Sequence[Step]
    ) -> None: ...

    def record_outcome(
        self,
        lease: Lease,
        outcome: Outcome,
        reply: Reply | None,
        *,
        payment: Payment,
        closed: Closed,
        looks: int,
        next_look: float | None,
        callback_change: CallbackChange,
        steps: Sequence[Step],
    ) -> None: ...


class Job(Protocol):
    """One request of one merchant: the work for it, and VTEX's answer."""

    @property
    def request(self) -> Request: ...

    def run(self, attempt: Attempt) -> Outcome: ...

    def reply(self, outcome: Outcome) -> Reply: ...


@dataclass(frozen=True)
class IdempotentRunner:
    """Runs requests once."""

    requests: ClaimStore
    lease_seconds: float

    def claim(self, job: Job, deadline: Deadline) -> Attempt | Reply:
        """Claim a request, and lease its payment; return the reply where nothing is left to do.

        Raises RequestMismatch, RequestInProgress, PaymentBusy, OutOfTime when the request
        waited too long to be begun, and whatever the storage raises.
        """
        if stored := self.requests.stored_reply(job.request):
            return _checked(stored, job.request)
        if not deadline.left():
            raise OutOfTime
        while True:
            claimed = self.requests.claim(
                job.request, lease_seconds=self.lease_seconds, first_look=SCHEDULE[0]
            )
            if isinstance(claimed, Lease):
                return Attempt(self.requests, claimed, deadline)
            ended = claimed or self._wait(job.request, deadline)
            if isinstance(ended, StoredReply):
                return _checked(ended, job.request)
            if ended:
                return job.reply(ended)

    def claim_due(self, due: DueRequest, deadline: Deadline) -> Attempt | None:
        """Claim a request that VTEX no longer repeats, unless another request came first."""
        lease = self.requests.claim_due(due.request, lease_seconds=self.lease_seconds)
        return None if lease is None else Attempt(self.requests, lease, deadline, due)

    def run(self, job: Job, attempt: Attempt) -> Reply:
        """Run a claimed request; record the outcome, and give the lease back.

        A failure is an outcome, too. Raises LeaseLost when another request has the lease by now.
        """
        context.add(attempt=attempt.lease.attempt)
        try:
            outcome = job.run(attempt)
        except LeaseLost:
            raise
        except ConnectorError as error:
            outcome = _failure(job.request.operation, attempt, error)
        except Exception as error:
            # Without an outcome a fault of ours would hold the payment until the lease ends.
            log.exception("operation failed", extra={"code": attempt.payment.status.value})
            outcome = _fault(error)
        return self._record(job, attempt, outcome)

    def _record(self, job: Job, attempt: Attempt, outcome: Outcome) -> Reply:
        """Record an outcome; the reply to a final one is stored for every repeat."""
        operation = job.request.operation
        outcome = _listed_while_open(operation, attempt, outcome)
        reply = job.reply(outcome) if outcome.is_final else None
        looks = 0 if attempt.is_asked else attempt.looks + 1
        next_look = _next_look(operation, outcome, looks)
        recorded = _listed(operation, attempt, outcome, next_look)
        _log(recorded)
        attempt.note(last_step(job.request, attempt, recorded, lambda: reply or job.reply(outcome)))
        self.requests.record_outcome(
            attempt.lease,
            recorded,
            reply,
            payment=attempt.payment,
            closed=attempt.closed,
            looks=looks,
            next_look=next_look,
            callback_change=_callback_change(operation, attempt),
            steps=worth_keeping(attempt, recorded),
        )
        # A reply that is not stored shows the payment as it is recorded.
        return reply or job.reply(outcome)

    def _wait(self, request: Request, deadline: Deadline) -> StoredReply | Outcome | None:
        """Wait for the request that has the lease.

        Returns the answer to the identical request when that request ends, None when the payment
        is free.
        """
        first = now = self.requests.progress(request)
        for pause in _pauses():
            if _has_ended(first, now):
                return self.requests.stored_reply(request) or _outcome(now)
            if not now.is_held:
                return None
            if deadline.left() <= pause:
                raise RequestInProgress if now.is_same else PaymentBusy
            time.sleep(pause)
            now = self.requests.progress(request)
        raise AssertionError


def _listed_while_open(operation: Operation, attempt: Attempt, outcome: Outcome) -> Outcome:
    """List a request that VTEX is told failed, while its write may still take effect.

    VTEX tells the merchant to do by hand what failed.
    """
    is_open = RULES[operation].is_listed_while_open and attempt.has_open()
    if not is_open or outcome.is_listed or outcome.state in {State.DONE, State.MANUAL}:
        return outcome
    message = f"Do not refund this by hand: {outcome.message}"
    return replace(outcome, message=message, is_listed=True)


def _listed(
    operation: Operation, attempt: Attempt, outcome: Outcome, next_look: float | None
) -> Outcome:
    """Enter an outcome in the operator's list, if a person must know of the request."""
    is_listed = outcome.is_listed or _is_left_to_the_operator(
        operation, attempt, outcome, next_look
    )
    return replace(outcome, state=State.MANUAL) if is_listed else outcome


def _is_left_to_the_operator(
    operation: Operation, attempt: Attempt, outcome: Outcome, next_look: float | None
) -> bool:
    """Whether a request stays listed, or reconcile looked for the last time."""
    rules = RULES[operation]
    if not rules.may_become_the_operators or outcome.state is State.DONE:
        return False
    is_looked_at = not attempt.is_asked and outcome.state in rules.looked_at_after
    return attempt.lease.is_listed or (is_looked_at and next_look is None)


def _log(outcome: Outcome) -> None:
    """Log why a request is not done; the line of its answer shows the reason, too."""
    context.add(reason=outcome.reason)
    if outcome.state is not State.DONE:
        log.info("not done", extra={"outcome": outcome.state.value, "code": outcome.code})


def _fault(error: Exception) -> Outcome:
    shown = ConnectorError()
    return Outcome(State.UNKNOWN, shown.code, str(shown), reason=type(error).__name__)


def _failure(operation: Operation, attempt: Attempt, error: ConnectorError) -> Outcome:
    if isinstance(error, IllegalTransition):
        log.warning("illegal transition", extra={"code": attempt.payment.status.value})
    state = _state_after(operation, attempt, error)
    return Outcome(state, error.code, str(error), reason=error.why)


_STATES = {
    IllegalTransition: State.FAILED,
    NotDone: State.FAILED,
    ProviderRefused: State.FAILED,
    OutcomeUnknown: State.UNKNOWN,
}


def _state_after(operation: Operation, attempt: Attempt, error: ConnectorError) -> State:
    """Return the state of a request after an error. A failed look may leave it unknown."""
    states = (state for family, state in _STATES.items() if isinstance(error, family))
    state = next(states, State.UNKNOWN)
    is_open = not attempt.is_asked or attempt.has_open()
    is_of_a_look = is_open and not isinstance(error, IllegalTransition)
    stays_unknown = RULES[operation].is_unknown_after_a_failed_look
    return State.UNKNOWN if is_of_a_look and stays_unknown else state


def _callback_change(operation: Operation, attempt: Attempt) -> CallbackChange:
    """Decide whether VTEX is to be called back about the payment's status."""
    before, after = attempt.lease.payment.status, attempt.payment.status
    if after in _ASKED_BY_VTEX:
        return CallbackChange.DROPPED
    if before is not PaymentStatus.PENDING or after not in _TOLD_BY_CALLBACK:
        return CallbackChange.UNCHANGED
    return RULES[operation].callback_change if attempt.is_asked else CallbackChange.DUE


_TOLD_BY_CALLBACK = {PaymentStatus.APPROVED, PaymentStatus.DENIED}
# A payment gets these statuses only by a request of VTEX's, so VTEX knows the payment's verdict.
_ASKED_BY_VTEX = {PaymentStatus.CANCELLED, PaymentStatus.SETTLED, PaymentStatus.REFUNDED}


def _checked(stored: StoredReply, request: Request) -> Reply:
    """Return a stored reply. Raises RequestMismatch when VTEX repeats with another value."""
    if stored.value != request.value:
        raise RequestMismatch
    return stored.reply


def _has_ended(first: Progress, now: Progress) -> bool:
    """Whether the identical request that was running has ended: a killed one has its lease."""
    is_first = first.is_same and now.attempts == first.attempts and now.code != REFUNDED_LATE
    return is_first and not now.is_same and now.state is not State.RUNNING


def _outcome(progress: Progress) -> Outcome:
    """A row on the operator's list keeps that state while its attempts end in other ways."""
    state = progress.state or State.UNKNOWN
    if state is State.MANUAL and progress.code not in {CANCEL_MANUALLY, REFUND_MANUALLY}:
        state = State.UNKNOWN
    return Outcome(state, progress.code, progress.message)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _next_look(operation: Operation, outcome: Outcome, looks: int) -> float | None:
    if outcome.state not in RULES[operation].looked_at_after:
        return None
    scheduled = SCHEDULE[looks] if looks < len(SCHEDULE) else None
    return scheduled if scheduled is None or outcome.again is None else outcome.again
