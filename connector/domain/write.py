"""A write: one call to a company that may move money, and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from connector.domain.payment import Effect

# The kinds of writes, as they are stored. Each has its own reference: a company could take another
# write under the same reference for a repeat. A refund that VTEX asked for is not the refund by
# which a cancellation returns what was captured.
CREATE = "create"
SETTLE = "settle"
CANCEL = "cancel"
RELEASE = "release"
CANCEL_BY_REFUND = "refund"
REFUND = "asked-refund"
CANCELLATION_WRITES = (CANCEL, RELEASE, CANCEL_BY_REFUND)


class WriteState(StrEnum):
    """What is known of a write. The value is stored."""

    # It was recorded and perhaps sent; there is no answer yet.
    OPEN = "open"
    # The company said that it will do it. From then on we only look.
    ACCEPTED = "accepted"
    # It left no trace in time. It may still turn up.
    LOST = "lost"
    # It took effect.
    DONE = "done"
    # The company began it and ended it without effect.
    FAILED = "failed"
    # The company would not begin it.
    REFUSED = "refused"
    # It was not sent after all.
    WITHDRAWN = "withdrawn"


# The states of writes, by action and number.
WriteStates = Mapping[tuple[str, int], WriteState]

# Every way in which the recorded state of a write may change. Whatever is not here never happens.
WRITE_TRANSITIONS: Mapping[WriteState, frozenset[WriteState]] = {
    WriteState.OPEN: frozenset(set(WriteState) - {WriteState.OPEN}),
    WriteState.ACCEPTED: frozenset(
        {WriteState.LOST, WriteState.DONE, WriteState.FAILED, WriteState.REFUSED}
    ),
    WriteState.LOST: frozenset({WriteState.DONE}),
    WriteState.DONE: frozenset(),
    WriteState.FAILED: frozenset(),
    WriteState.REFUSED: frozenset(),
    WriteState.WITHDRAWN: frozenset(),
}

# The state that a company's answer leaves a write in. An answer that says nothing changes none.
STATE_AFTER: Mapping[Effect, WriteState] = {
    Effect.DONE: WriteState.DONE,
    Effect.ACCEPTED: WriteState.ACCEPTED,
    Effect.FAILED: WriteState.FAILED,
    Effect.REFUSED: WriteState.REFUSED,
}


@dataclass(frozen=True)
class Write:
    """A write that was started at the company for a payment, and what is known of it.

    `reference` is ours; `number` counts the writes of this payment's `action`. `age` is in
    seconds. `failures_before` counts the failed ends that a look showed before this write was
    sent; `refunded_before` is the amount that was returned by then. `claim_id` is the request
    that the write was for, and `amount` how much of the payment: None is all of it.
    """

    action: str
    number: int
    reference: str
    state: WriteState = WriteState.OPEN
    age: float = 0.0
    failures_before: int = 0
    claim_id: str | None = None
    amount: Decimal | None = None
    refunded_before: Decimal | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells the write from the other writes of its payment."""
        return self.action, self.number

    @property
    def is_open(self) -> bool:
        """Whether its end is still looked for, under its own reference."""
        return self.state in {WriteState.OPEN, WriteState.ACCEPTED}

    @property
    def may_take_effect(self) -> bool:
        """Whether it may still turn out to have moved money."""
        return WriteState.DONE in WRITE_TRANSITIONS[self.state]

    def moved(self, state: WriteState) -> "Write":
        """Return the write in another state.

        Raises ValueError for a move that is not in the table. That is a fault of ours, after
        which nobody knows what came of the operation.
        """
        if state is not self.state and state not in WRITE_TRANSITIONS[self.state]:
            raise ValueError(f"A write that is {self.state} does not become {state}")
        return replace(self, state=state)
