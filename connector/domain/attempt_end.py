"""The end of an attempt. It is recorded when the attempt gives its lease back."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.domain.operation import CallbackChange, Outcome, Reply
from connector.domain.payment import Payment
from connector.domain.story import Step
from connector.domain.write import WriteStates


@dataclass(frozen=True)
class AttemptEnd:
    """The values to record at the end of an attempt.

    `payment` is the payment at the end. `reply` is a final reply; only the first one is stored.
    `write_states` are the changed states, and `steps` the steps that are not recorded yet. `looks`
    counts reconcile's attempts since VTEX's last request. `next_look` is in seconds; None: never.
    """

    outcome: Outcome
    payment: Payment
    reply: Reply | None = None
    write_states: WriteStates = field(default_factory=dict)
    looks: int = 0
    next_look: float | None = None
    callback_change: CallbackChange = CallbackChange.UNCHANGED
    steps: Sequence[Step] = ()
