"""One attempt at a request: the payment and the writes, as they are known now."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Protocol

from connector.domain.deadline import Deadline
from connector.domain.operation import (
    DueRequest,
    Lease,
    Operation,
    Outcome,
    Reply,
    Request,
    write_reference,
)
from connector.domain.operation_rules import RULES
from connector.domain.payment import Effect, Payment
from connector.domain.story import MOST_ATTEMPTS, Kind, Step
from connector.domain.write import STATE_AFTER, Write, WriteState, WriteStates


class WriteStore(Protocol):
    """Records writes before they are sent, and returns the values of earlier requests."""

    def start_write(
        self,
        lease: Lease,
        write: Write,
        payment: Payment,
        write_states: WriteStates,
        steps: Sequence[Step],
    ) -> None: ...

    def values(self, lease: Lease, operation: Operation) -> Mapping[str, Decimal]: ...


class Attempt:
    """One attempt at a request, under one lease.

    `payment` is the payment as it is known now. Each write, and the end, record the payment.
    `vtex_waits` says that VTEX waits for the answer. Else this is an attempt of reconcile's, after
    `looks` earlier looks. `is_new_write` says that the write which is sent now has a new reference,
    and does not repeat an open write.
    """

    def __init__(
        self, store: WriteStore, lease: Lease, deadline: Deadline, due: DueRequest | None = None
    ) -> None:
        self._store = store
        self._started_write: Write | None = None
        self.lease = lease
        self.deadline = deadline
        self.vtex_waits = due is None
        self.looks = due.looks if due else 0
        self.payment = lease.payment
        self.writes = list(lease.writes)
        self._recorded_states = {write.key: write.state for write in lease.writes}
        self.is_new_write = False
        # The claim recorded the first step of an early attempt; reconcile's attempt has none.
        has_first_step = lease.attempt <= MOST_ATTEMPTS or due is not None
        self.steps = [] if has_first_step else [Step(Kind.ASKED, lease.attempt)]
        self.has_sent = False

    @property
    def action(self) -> str:
        """The kind of the latest started write, empty before the first."""
        return self._started_write.action if self._started_write else ""

    def note(self, step: Step) -> None:
        """Add a step, to be recorded with the next write or with the end.

        A step that is equal to the previous step is not added.
        """
        step = step.of_attempt(self.lease.attempt)
        if self.steps[-1:] != [step]:
            self.steps.append(step)

    def requested_values(self, operation: Operation) -> Mapping[str, Decimal]:
        """Return the values of VTEX's requests of this kind for the payment, by claim."""
        return self._store.values(self.lease, operation)

    def open_write(self, *actions: str) -> Write | None:
        """Return the latest open write of these kinds, if there is one."""
        for write in reversed(self.writes):
            if write.is_open and write.action in actions:
                return write
        return None

    def may_take_effect(self) -> bool:
        """Whether a write of this request may still take effect, or may have taken effect."""
        writes = [write for write in self.writes if write.claim_id == self.lease.claim_id]
        return any(write.may_take_effect for write in writes)

    @property
    def write_states(self) -> WriteStates:
        """The states of the writes that differ from their recorded states."""
        return {
            write.key: write.state
            for write in self.writes
            if write.state is not self._recorded_states.get(write.key, WriteState.OPEN)
        }

    def move(self, write: Write, state: WriteState) -> None:
        """Set the state of a write. Until the state is recorded, a look may correct it.

        Raises ValueError for a move that is not in WRITE_TRANSITIONS.
        """
        recorded_state = self._recorded_states.get(write.key, WriteState.OPEN)
        moved = replace(write, state=recorded_state).moved(state)
        self.writes = [
            replace(other, state=moved.state) if other.key == write.key else other
            for other in self.writes
        ]

    def end_write(self, effect: Effect) -> None:
        """Set the state of the latest started write after this effect."""
        if self._started_write and effect in STATE_AFTER:
            self.move(self._started_write, STATE_AFTER[effect])

    def withdraw_write(self) -> None:
        """Record that the latest started write was not sent after all.

        A repeat is not withdrawn: the first call with the same reference may have been sent.
        """
        if self.is_new_write and self._started_write:
            self.move(self._started_write, WriteState.WITHDRAWN)

    def references(self, action: str) -> Iterator[str]:
        """Yield the references of this request's next writes of a kind.

        A reference depends only on the writes of this request. So a database that lost its newest
        rows yields the same references again, and the company knows the writes by them. The
        reference of a withdrawn write is used again.
        """
        used = {write.reference for write in self.writes if write.state is not WriteState.WITHDRAWN}
        for number in itertools.count(1):
            reference = write_reference(self.lease.claim_id, action, number)
            if reference not in used:
                yield reference

    def start_write(
        self,
        action: str,
        failures: int,
        *,
        is_new: bool = False,
        amount: Decimal | None = None,
        refunded: Decimal | None = None,
    ) -> str:
        """Record that a write is sent now, and return its reference.

        An open write keeps its reference, so that our repeat is also a repeat for the company.
        `is_new` says that the open write certainly failed, so that a new write begins. `failures`
        and `refunded` are from the latest look.
        Raises LeaseLost if another request has the lease. Then nothing may be sent.
        """
        write = self.open_write(action)
        if write and is_new:
            self.move(write, WriteState.FAILED)
            write = None
        self.is_new_write = write is None
        if write is None:
            write = self._add(action, next(self.references(action)), failures, amount, refunded)
        return self._record(write)

    def record_shown_write(
        self, action: str, reference: str, amount: Decimal, refunded: Decimal
    ) -> None:
        """Record a write that the company shows and that this database lost.

        Raises LeaseLost if another request has the lease.
        """
        self.is_new_write = True
        write = self._add(action, reference, 0, amount, refunded)
        self._record(write, "the provider shows it")

    def _add(
        self,
        action: str,
        reference: str,
        failures: int,
        amount: Decimal | None,
        refunded: Decimal | None,
    ) -> Write:
        write = Write(
            action,
            number=1 + sum(write.action == action for write in self.writes),
            reference=reference,
            failures_before=failures,
            claim_id=self.lease.claim_id,
            amount=amount,
            refunded_before=refunded,
        )
        self.writes.append(write)
        return write

    def _record(self, write: Write, message: str | None = None) -> str:
        step = Step(Kind.SENT, action=write.action, reference=write.reference, amount=write.amount)
        self.note(replace(step, message=message))
        self._store.start_write(self.lease, write, self.payment, self.write_states, self.steps)
        self._recorded_states = {other.key: other.state for other in self.writes}
        self.steps, self.has_sent = [], True
        self._started_write = write
        return write.reference


def last_step(
    request: Request, attempt: Attempt, outcome: Outcome, reply: Callable[[], Reply]
) -> Step:
    """Return the last step: the end of the attempt, and the answer to VTEX if VTEX waits.

    The answer is the `reply`. On the operator's list the `outcome` may have another state.
    """
    last = Step(
        Kind.ENDED,
        state=outcome.state,
        code=outcome.code,
        message=outcome.message,
        reason=outcome.reason,
    )
    if not attempt.vtex_waits:
        return last
    told_step = replace(last, kind=Kind.TOLD)
    if RULES[request.operation].is_answered_from_the_payment:
        return _step_of_a_create(told_step, outcome, attempt.payment)
    answer = reply()
    return replace(
        told_step,
        http_status=answer.status,
        code=answer.code,
        reference=outcome.id,
        amount=outcome.value,
    )


def _step_of_a_create(told_step: Step, outcome: Outcome, payment: Payment) -> Step:
    """Show the payment, because the reply to a create is made after this step is recorded."""
    return replace(
        told_step,
        http_status=outcome.create_status,
        reported_status=payment.status,
        code=told_step.code or payment.code,
    )


def steps_to_store(attempt: Attempt, outcome: Outcome) -> Sequence[Step]:
    """Return the steps to store. Of a late attempt without a write and without news: none."""
    lease = attempt.lease
    is_early = lease.attempt <= MOST_ATTEMPTS
    is_as_before = (outcome.code, outcome.message, outcome.reason) == lease.previous_end
    return attempt.steps if is_early or attempt.has_sent or not is_as_before else ()
