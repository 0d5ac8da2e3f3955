"""Run a request once: claim it, act on it, keep its answer.

One request at a time has the turn of a payment, by a lease. An identical request waits and is
given the same answer; another one waits and then acts on what was left. Only final answers are
kept; after any other the next request looks before it sends.
"""

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
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
    CancelRequest,
    Due,
    Kept,
    Outcome,
    Progress,
    Reply,
    Send,
    State,
    Turn,
    send_reference,
)
from connector.domain.payment import Effect

log = logging.getLogger(__name__)

# Seconds after which reconcile looks at what VTEX left: 1, 5 and 15 minutes, 1 and 4 hours,
# then daily for a week; then it is the operator's.
SCHEDULE = (60.0, 300.0, 900.0, 3600.0, 14400.0) + (86400.0,) * 7
# Seconds between two looks at a lease that another request holds: short enough for a company
# that answers at once, long enough for fifty waiting requests to cost little.
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25


# How a write ended, as it is stored; what is not here is still open.
_ENDS = {Effect.DONE: "done", Effect.FAILED: "failed", Effect.REFUSED: "refused"}


class Requests(Protocol):
    """What the storage offers for it."""

    def kept(self, request: CancelRequest) -> Kept | None: ...

    def claim(
        self, request: CancelRequest, *, lease: float, first_look: float
    ) -> Turn | Kept | None: ...

    def claim_due(self, request: CancelRequest, *, lease: float) -> Turn | None: ...

    def progress(self, request: CancelRequest) -> Progress: ...

    def start_send(self, turn: Turn, send: Send, *, sandbox: bool) -> None: ...

    def end_turn(
        self,
        turn: Turn,
        outcome: Outcome,
        reply: Reply | None,
        *,
        sandbox: bool | None,
        closed: tuple[str, str] | None,
        looks: int,
        next_look: float | None,
    ) -> None: ...


class Attempt:
    """One turn of a request, while it lasts: what it may do to the company."""

    def __init__(self, requests: Requests, turn: Turn, deadline: Deadline) -> None:
        self._requests = requests
        self.turn = turn
        self.deadline = deadline
        self.sandbox: bool | None = turn.sandbox
        self.closed: tuple[str, str] | None = None
        self._sent = ""
        self.is_new = False

    def open_send(self, action: str | None = None) -> Send | None:
        """Return the write whose outcome is not known, if there is one."""
        for send in reversed(self.turn.sends):
            if send.state == "open" and action in {None, send.action}:
                return send
        return None

    def ended(self, action: str, effect: Effect) -> int:
        """Count the earlier writes of this payment that ended so."""
        state = _ENDS[effect]
        return sum(send.action == action and send.state == state for send in self.turn.sends)

    def end_send(self, effect: Effect) -> None:
        """Say what is known of the write that was started."""
        if effect in _ENDS:
            self.closed = (self._sent, _ENDS[effect])

    def withdraw_send(self) -> None:
        """Say that the write was not sent after all: no trace of it can turn up there.

        An earlier one under the same reference still may.
        """
        if self.is_new:
            self.closed = (self._sent, "withdrawn")

    def start_send(self, action: str, failures: int, *, sandbox: bool, is_new: bool) -> str:
        """Record that a write is sent now, and return its reference.

        A write whose outcome is open keeps its reference, so that our repeat is a repeat at
        the company too; `is_new` says that it certainly failed and a new one is needed.
        `failures` counts the failed ends that the company shows by now. Raises LeaseLost when
        another request has the turn: then nothing may be sent.
        """
        send = self.open_send(action)
        if send is None or is_new:
            number = 1 + sum(send.action == action for send in self.turn.sends)
            reference = send_reference(self.turn.claim_id, action, number)
            send = Send(action, number, reference, failures_before=failures)
            self.is_new = True
        self._requests.start_send(self.turn, send, sandbox=sandbox)
        self._sent = action
        self.sandbox = sandbox
        return send.reference


Work = Callable[[Attempt], Outcome]
Render = Callable[[Outcome], Reply]


@dataclass(frozen=True)
class Once:
    """Runs requests once. `lease` is in seconds."""

    requests: Requests
    lease: float

    def run(
        self,
        request: CancelRequest,
        deadline: Deadline,
        work: Work,
        render: Render,
    ) -> Reply:
        """Answer a request: with what is kept for it, or by doing `work` in its turn.

        Raises RequestMismatch, RequestInProgress, PaymentBusy, OutOfTime when the request
        waited too long to be begun, and whatever the storage raises.
        """
        if kept := self.requests.kept(request):
            return _same(kept, request)
        if not deadline.left():
            raise OutOfTime
        while True:
            claimed = self.requests.claim(request, lease=self.lease, first_look=SCHEDULE[0])
            if isinstance(claimed, Turn):
                return self._finish(Attempt(self.requests, claimed, deadline), work, render)
            waited_for = claimed or self._wait(request, deadline)
            if isinstance(waited_for, Kept):
                return _same(waited_for, request)
            if waited_for:
                return render(waited_for)

    def reconcile(self, due: Due, deadline: Deadline, work: Work, render: Render) -> bool:
        """Look at a request nobody repeats any more; say whether it was this call's turn."""
        turn = self.requests.claim_due(due.request, lease=self.lease)
        if turn is None:
            return False
        attempt = Attempt(self.requests, turn, deadline)
        self._finish(attempt, work, render, due)
        return True

    def _finish(
        self, attempt: Attempt, work: Work, render: Render, due: Due | None = None
    ) -> Reply:
        outcome = _attempted(attempt, work)
        reply = render(outcome)
        looks = due.looks + 1 if due else 0
        next_look = None if outcome.state is State.DONE else _next_look(looks)
        is_operators = (due and due.state is State.MANUAL) or next_look is None
        self.requests.end_turn(
            attempt.turn,
            _left_to_the_operator(outcome) if is_operators else outcome,
            reply if outcome.is_final else None,
            sandbox=attempt.sandbox,
            closed=attempt.closed,
            looks=looks,
            next_look=next_look,
        )
        return reply

    def _wait(self, request: CancelRequest, deadline: Deadline) -> Kept | Outcome | None:
        """Wait for the request that has the turn.

        Returns its answer when it was the identical one, None when the payment is free.
        """
        first = now = self.requests.progress(request)
        for pause in _pauses():
            if _has_ended(first, now):
                return self.requests.kept(request) or _outcome(now)
            if not now.is_held:
                return None
            if deadline.left() <= pause:
                raise RequestInProgress if now.is_same else PaymentBusy
            time.sleep(pause)
            now = self.requests.progress(request)
        raise AssertionError


def _attempted(attempt: Attempt, work: Work) -> Outcome:
    try:
        return work(attempt)
    except LeaseLost:
        raise
    except ConnectorError as error:
        return Outcome(_state(error), error.code, str(error))
    except Exception:
        # A fault of ours must not hold the payment until the lease ends.
        log.exception("cancellation failed")
        return Outcome(State.UNKNOWN, ConnectorError.code, str(ConnectorError()))


_STATES = {NotDone: State.FAILED, ProviderRefused: State.FAILED, OutcomeUnknown: State.UNKNOWN}


def _state(error: ConnectorError) -> State:
    states = (state for family, state in _STATES.items() if isinstance(error, family))
    return next(states, State.UNKNOWN)


def _same(kept: Kept, request: CancelRequest) -> Reply:
    if kept.value != request.value:
        raise RequestMismatch
    return kept.reply


def _has_ended(first: Progress, now: Progress) -> bool:
    """Whether the identical request that was running has ended, whatever came of it."""
    is_running = now.is_held and now.is_same
    is_first = first.is_same and now.attempts == first.attempts
    return is_first and not is_running and now.state is not State.RUNNING


def _outcome(progress: Progress) -> Outcome:
    """A row on the operator's list keeps that state while its attempts end in other ways."""
    state = progress.state or State.UNKNOWN
    if state is State.MANUAL and progress.code != CANCEL_MANUALLY:
        state = State.UNKNOWN
    return Outcome(state, progress.code, progress.message)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)


def _next_look(looks: int) -> float | None:
    return SCHEDULE[looks] if looks < len(SCHEDULE) else None


def _left_to_the_operator(outcome: Outcome) -> Outcome:
    """What is on the operator's list stays there until it is done."""
    if outcome.state is State.DONE:
        return outcome
    return replace(outcome, state=State.MANUAL)
