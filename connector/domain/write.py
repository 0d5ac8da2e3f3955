"""A write: one call to a company that may move money, and the state of that call."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from connector.domain.payment import Effect

# The kinds of writes, as stored. Each write has its own reference, because a
# company takes a second write with the same reference for a repeat. REFUND is a refund that VTEX
# asked for. CANCEL_BY_REFUND is a refund by which a cancellation returns captured money.
CREATE = "create"
SETTLE = "settle"
CANCEL = "cancel"
RELEASE = "release"
CANCEL_BY_REFUND = "refund"
REFUND = "asked-refund"
CANCELLATION_WRITES = (CANCEL, RELEASE, CANCEL_BY_REFUND)


class WriteState(StrEnum):
    """The state of a write. The value is stored."""

    # The write is recorded and perhaps sent. There is no answer yet.
    OPEN = "open"
    # The company answered that it will do the write later. From then on we only look.
    ACCEPTED = "accepted"
    # The write left no trace in time. A later look may still show it.
    LOST = "lost"
    # The write took effect.
    DONE = "done"
    # The company began the write and ended it without effect.
    FAILED = "failed"
    # The company did not begin the write.
    REFUSED = "refused"
    # The write was not sent after all.
    WITHDRAWN = "withdrawn"


# The states of writes, by action and number.
WriteStates = Mapping[tuple[str, int], WriteState]

# The allowed changes of a write's recorded state. No other change ever happens.
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

# The state of a write after each effect. The effect UNKNOWN changes no state.
STATE_AFTER: Mapping[Effect, WriteState] = {
    Effect.DONE: WriteState.DONE,
    Effect.ACCEPTED: WriteState.ACCEPTED,
    Effect.FAILED: WriteState.FAILED,
    Effect.REFUSED: WriteState.REFUSED,
}


@dataclass(frozen=True)
class Write:
    """A write for a payment, and its state.

    `reference` is our id of the write. `number` counts the payment's writes of the same `action`.
    `age` is in seconds. A look before this write showed `failures_before` failures and
    `refunded_before` as the returned amount. `claim_id` is the claim of the request that needed
    the write. `amount` is the part of the payment; None: the whole payment.
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
        """The key of the write among the writes of its payment."""
        return self.action, self.number

    @property
    def is_open(self) -> bool:
        """Whether the end of the write is unknown, so that a look uses its reference."""
        return self.state in {WriteState.OPEN, WriteState.ACCEPTED}

    @property
    def may_take_effect(self) -> bool:
        """Whether a look may still show that the write moved money."""
        return WriteState.DONE in WRITE_TRANSITIONS[self.state]

    def moved(self, state: WriteState) -> "Write":
        """Return the write in another state.

        Raises ValueError for a move that is not in the table. That is our own fault, and nobody
        knows the end of the operation.
        """
        if state is not self.state and state not in WRITE_TRANSITIONS[self.state]:
            raise ValueError(f"A write that is {self.state} does not become {state}")
        return replace(self, state=state)
