"""One turn of a request: what it may do to the company, and what is known by now."""

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
    """Records writes before they are sent, and shows what earlier requests asked for."""

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
    """One turn of a request, while it lasts: what it may do to the company.

    `payment` is what is known of the payment by now; it is recorded with every write and at the
    end. `vtex_waits` says that VTEX waits for the answer; else reconcile looks after `looks` times.
    """

    def __init__(
        self, store: WriteStore, lease: Lease, deadline: Deadline, due: DueRequest | None = None
    ) -> None:
        self._store = store
        self._sent: Write | None = None
        self.lease = lease
        self.deadline = deadline
        self.vtex_waits = due is None
        self.looks = due.looks if due else 0
        self.payment = lease.payment
        self.writes = list(lease.writes)
        self._recorded = {write.key: write.state for write in lease.writes}
        self.is_new_write = False
        is_told = lease.attempt <= MOST_ATTEMPTS or due is not None
        self.steps = [] if is_told else [Step(Kind.ASKED, lease.attempt)]
        self.has_sent = False

    @property
    def action(self) -> str:
        """The kind of the write that was begun last."""
        return self._sent.action if self._sent else ""

    def note(self, step: Step) -> None:
        """Let a step be recorded with the next write, or with the end.

        A look that shows the same as the one before is no step of its own.
        """
        step = step.of_attempt(self.lease.attempt)
        if self.steps[-1:] != [step]:
            self.steps.append(step)

    def requested_values(self, operation: Operation) -> Mapping[str, Decimal]:
        """Return what VTEX's requests of this kind asked for of the payment, by claim."""
        return self._store.values(self.lease, operation)

    def open_write(self, *actions: str) -> Write | None:
        """Return the latest write of these kinds whose outcome is not known, if there is one."""
        for write in reversed(self.writes):
            if write.is_open and write.action in actions:
                return write
        return None

    def may_take_effect(self) -> bool:
        """Whether a write of this request may still take effect, or turn up after all."""
        own = [write for write in self.writes if write.claim_id == self.lease.claim_id]
        return any(write.may_take_effect for write in own)

    @property
    def write_states(self) -> WriteStates:
        """The states that are to be recorded, where they differ from those that are."""
        return {
            write.key: write.state
            for write in self.writes
            if write.state is not self._recorded.get(write.key, WriteState.OPEN)
        }

    def move(self, write: Write, state: WriteState) -> None:
        """Say in which state a write is. Until that is recorded, a look may still correct it.

        Raises ValueError for a state that the recorded one never becomes.
        """
        recorded = self._recorded.get(write.key, WriteState.OPEN)
        moved = replace(write, state=recorded).moved(state)
        self.writes = [
            replace(one, state=moved.state) if one.key == write.key else one for one in self.writes
        ]

    def end_write(self, effect: Effect) -> None:
        """Say what is known of the write that was started."""
        if self._sent and effect in STATE_AFTER:
            self.move(self._sent, STATE_AFTER[effect])

    def withdraw_write(self) -> None:
        """Say that the write was not sent after all: no trace of it can turn up there.

        An earlier one under the same reference still may.
        """
        if self.is_new_write and self._sent:
            self.move(self._sent, WriteState.WITHDRAWN)

    def references(self, action: str) -> Iterator[str]:
        """Give the references of this request's next writes of a kind.

        They depend on its own writes only, so that a database that lost its newest rows gives
        those again under which the company knows the writes. One that was withdrawn is unused.
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
        reference: str | None = None,
    ) -> str:
        """Record that a write is sent now, and return its reference.

        A write whose outcome is open keeps its reference, so that our repeat is a repeat at
        the company too; `is_new` says that it certainly failed and a new one is needed.
        `failures` and `refunded` are what the company shows by now; a `reference` is given of a
        write that it shows and that is not recorded. Raises LeaseLost when another request has
        the turn: then nothing may be sent.
        """
        write = None if reference else self.open_write(action)
        self.is_new_write = write is None or is_new
        if write and is_new:
            self.move(write, WriteState.FAILED)
        if write is None or is_new:
            number = 1 + sum(write.action == action for write in self.writes)
            write = Write(
                action,
                number,
                reference or next(self.references(action)),
                failures_before=failures,
                claim_id=self.lease.claim_id,
                amount=amount,
                refunded_before=refunded,
            )
            self.writes.append(write)
        shown = "the provider shows it" if reference else None
        step = Step(Kind.SENT, action=action, reference=write.reference, amount=write.amount)
        self.note(replace(step, message=shown))
        self._store.start_write(self.lease, write, self.payment, self.write_states, self.steps)
        self._recorded = {one.key: one.state for one in self.writes}
        self.steps, self.has_sent = [], True
        self._sent = write
        return write.reference


def last_step(
    request: Request, attempt: Attempt, outcome: Outcome, answered: Callable[[], Reply]
) -> Step:
    """Say how the attempt ended, and what VTEX is told, if it waits.

    That is `answered`, which may be another state than the `outcome` has on the operator's list.
    """
    ended = Step(
        Kind.ENDED,
        state=outcome.state,
        code=outcome.code,
        message=outcome.message,
        reason=outcome.reason,
    )
    if not attempt.vtex_waits:
        return ended
    told = replace(ended, kind=Kind.TOLD)
    if RULES[request.operation].is_answered_from_the_payment:
        # What VTEX is told of a payment is read after it is recorded.
        status, payment = outcome.create_status, attempt.payment
        return replace(
            told, http_status=status, reported_status=payment.status, code=told.code or payment.code
        )
    reply = answered()
    return replace(told, http_status=reply.status, code=reply.code)


def steps_to_store(attempt: Attempt, outcome: Outcome) -> Sequence[Step]:
    """Return the attempt's steps, but of the many of a request only those that tell more."""
    lease = attempt.lease
    is_early = lease.attempt <= MOST_ATTEMPTS
    is_as_before = (outcome.code, outcome.message, outcome.reason) == lease.before
    return attempt.steps if is_early or attempt.has_sent or not is_as_before else ()
