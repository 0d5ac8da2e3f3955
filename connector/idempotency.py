"""Run a request once: claim it, act on it, keep its answer.

One request at a time has the turn of a payment, by a lease. An identical request waits and is
given the same answer; another one waits and then acts on what was left. Only final answers are
kept; after any other the next request looks before it sends.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from connector import context
from connector.attempt import Attempt, Closed, Render, last_step, worth_keeping
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


class Requests(Protocol):
    """What the storage offers for it."""

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


Work = Callable[[Attempt], Outcome]


@dataclass(frozen=True)
class IdempotentRunner:
    """Runs requests once. `lease` is in seconds."""

    requests: Requests
    lease_seconds: float

    def run(self, request: Request, deadline: Deadline, work: Work, render: Render) -> Reply:
        """Answer a request: with what is kept for it, or by doing `work` in its turn.

        Raises RequestMismatch, RequestInProgress, PaymentBusy, OutOfTime when the request
        waited too long to be begun, and whatever the storage raises.
        """
        if kept := self.requests.stored_reply(request):
            return _same(kept, request)
        if not deadline.left():
            raise OutOfTime
        while True:
            claimed = self.requests.claim(
                request, lease_seconds=self.lease_seconds, first_look=SCHEDULE[0]
            )
            if isinstance(claimed, Lease):
                attempt = Attempt(self.requests, claimed, deadline)
                return self._finish(request, attempt, work, render)
            waited_for = claimed or self._wait(request, deadline)
            if isinstance(waited_for, StoredReply):
                return _same(waited_for, request)
            if waited_for:
                return render(waited_for)

    def reconcile(self, due: DueRequest, deadline: Deadline, work: Work, render: Render) -> bool:
        """Look at a request nobody repeats any more; say whether it was this call's turn."""
        lease = self.requests.claim_due(due.request, lease_seconds=self.lease_seconds)
        if lease is None:
            return False
        attempt = Attempt(self.requests, lease, deadline, due)
        self._finish(due.request, attempt, work, render, due)
        return True

    def _finish(
        self,
        request: Request,
        attempt: Attempt,
        work: Work,
        render: Render,
        due: DueRequest | None = None,
    ) -> Reply:
        context.add(attempt=attempt.lease.attempt)
        outcome = _listed(request.operation, attempt, _attempted(request.operation, attempt, work))
        reply = render(outcome) if outcome.is_final else None
        looks = due.looks + 1 if due else 0
        next_look = _next_look(request.operation, outcome, looks)
        is_operators = _is_operators(attempt, request.operation, outcome, next_look)
        is_manual = is_operators or outcome.is_listed
        recorded = replace(outcome, state=State.MANUAL) if is_manual else outcome
        _tell(recorded)
        attempt.note(last_step(request, attempt, recorded, lambda: reply or render(outcome)))
        self.requests.record_outcome(
            attempt.lease,
            recorded,
            reply,
            payment=attempt.payment,
            closed=attempt.closed,
            looks=looks,
            next_look=next_look,
            callback_change=_callback_change(request.operation, attempt),
            steps=worth_keeping(attempt, recorded),
        )
        # What is not kept is written of what was recorded.
        return reply or render(outcome)

    def _wait(self, request: Request, deadline: Deadline) -> StoredReply | Outcome | None:
        """Wait for the request that has the turn.

        Returns its answer when it was the identical one, None when the payment is free.
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


def _attempted(operation: Operation, attempt: Attempt, work: Work) -> Outcome:
    try:
        return work(attempt)
    except LeaseLost:
        raise
    except ConnectorError as error:
        if isinstance(error, IllegalTransition):
            log.warning("illegal transition", extra={"code": attempt.payment.status.value})
        state = _state(operation, attempt, error)
        return Outcome(state, error.code, str(error), reason=error.why)
    except Exception as error:
        # A fault of ours must not hold the payment until the lease ends.
        log.exception("operation failed", extra={"code": attempt.payment.status.value})
        reason, told = type(error).__name__, ConnectorError()
        return Outcome(State.UNKNOWN, told.code, str(told), reason=reason)


def _listed(operation: Operation, attempt: Attempt, outcome: Outcome) -> Outcome:
    """List what VTEX is told failed, and tells a person to do, while it may still be done."""
    is_open = RULES[operation].is_listed_while_open and attempt.has_open()
    if not is_open or outcome.is_listed or outcome.state in {State.DONE, State.MANUAL}:
        return outcome
    message = f"Do not refund this by hand: {outcome.message}"
    return replace(outcome, message=message, is_listed=True)


def _tell(outcome: Outcome) -> None:
    """Log why a request is not done; its answer's line tells the reason too."""
    context.add(reason=outcome.reason)
    if outcome.state is not State.DONE:
        log.info("not done", extra={"outcome": outcome.state.value, "code": outcome.code})


_STATES = {
    IllegalTransition: State.FAILED,
    NotDone: State.FAILED,
    ProviderRefused: State.FAILED,
    OutcomeUnknown: State.UNKNOWN,
}


def _state(operation: Operation, attempt: Attempt, error: ConnectorError) -> State:
    """Say where a failure leaves a request. What cannot be looked at is as open as before."""
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


def _same(kept: StoredReply, request: Request) -> Reply:
    if kept.value != request.value:
        raise RequestMismatch
    return kept.reply


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


def _is_operators(
    attempt: Attempt, operation: Operation, outcome: Outcome, next_look: float | None
) -> bool:
    """Whether it is a person's until it is done: listed before, or looked at to the end."""
    rules = RULES[operation]
    if not rules.may_become_the_operators or outcome.state is State.DONE:
        return False
    is_looked_at = not attempt.is_asked and outcome.state in rules.looked_at_after
    return attempt.lease.is_listed or (is_looked_at and next_look is None)
