"""The end of an attempt, as it is recorded when the attempt gives its lease back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.domain.operation import CallbackChange, Outcome, Reply
from connector.domain.payment import Payment
from connector.domain.story import Step
from connector.domain.write import WriteStates


@dataclass(frozen=True)
class AttemptEnd:
    """Everything that an attempt leaves.

    `payment` is how the payment stands now. `reply` is stored when it is the first final reply.
    `write_states` are those that changed, and `steps` those that are not recorded yet. `looks`
    counts reconcile's attempts since VTEX's last. `next_look` is in seconds; None means never.
    """

    outcome: Outcome
    payment: Payment
    reply: Reply | None = None
    write_states: WriteStates = field(default_factory=dict)
    looks: int = 0
    next_look: float | None = None
    callback_change: CallbackChange = CallbackChange.UNCHANGED
    steps: Sequence[Step] = ()
