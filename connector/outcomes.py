"""Decide how an attempt is recorded: its state, reconcile's next look, the callback."""

from dataclasses import replace

from connector.attempt import Attempt
from connector.domain.errors import (
    ConnectorError,
    IllegalTransition,
    NotDone,
    OutcomeUnknown,
    ProviderRefused,
)
from connector.domain.operation import CallbackChange, Operation, Outcome, State
from connector.domain.operation_rules import RULES
from connector.domain.payment import PaymentStatus

# Seconds until reconcile looks at a request that VTEX does not repeat: 1, 5 and 15 minutes, 1 and 4
# hours, then daily for a week. After that an operator must look.
SCHEDULE = (60.0, 300.0, 900.0, 3600.0, 14400.0) + (86400.0,) * 7


def fault_outcome(error: Exception) -> Outcome:
    fault = ConnectorError()
    return Outcome(State.UNKNOWN, fault.code, str(fault), reason=type(error).__name__)


def error_outcome(operation: Operation, attempt: Attempt, error: ConnectorError) -> Outcome:
    state = _state_after(operation, attempt, error)
    return Outcome(state, error.code, str(error), reason=error.why)


_STATES = {
    IllegalTransition: State.FAILED,
    NotDone: State.FAILED,
    ProviderRefused: State.FAILED,
    OutcomeUnknown: State.UNKNOWN,
}


def _state_after(operation: Operation, attempt: Attempt, error: ConnectorError) -> State:
    """Return the state of a request after an error. A failed look may leave the state UNKNOWN."""
    states = (state for family, state in _STATES.items() if isinstance(error, family))
    state = next(states, State.UNKNOWN)
    is_open = not attempt.vtex_waits or attempt.may_take_effect()
    is_of_a_look = is_open and not isinstance(error, IllegalTransition)
    stays_unknown = RULES[operation].is_unknown_after_a_failed_look
    return State.UNKNOWN if is_of_a_look and stays_unknown else state


def callback_change(operation: Operation, attempt: Attempt) -> CallbackChange:
    """Decide whether VTEX needs a callback about the payment's status."""
    before, after = attempt.lease.payment.status, attempt.payment.status
    if after in _REQUESTED_BY_VTEX:
        return CallbackChange.DROPPED
    if before is not PaymentStatus.PENDING or after not in _SENT_BY_CALLBACK:
        return CallbackChange.UNCHANGED
    return RULES[operation].callback_change if attempt.vtex_waits else CallbackChange.DUE


_SENT_BY_CALLBACK = {PaymentStatus.APPROVED, PaymentStatus.DENIED}
# Only a request of VTEX's gives a payment one of these statuses. So VTEX needs no callback.
_REQUESTED_BY_VTEX = {PaymentStatus.CANCELLED, PaymentStatus.SETTLED, PaymentStatus.REFUNDED}


def with_a_warning(operation: Operation, attempt: Attempt, outcome: Outcome) -> Outcome:
    """Warn a person when VTEX gets a failure although the write may still take effect.

    After a failure VTEX asks the merchant to do the operation by hand.
    """
    is_open = RULES[operation].is_listed_while_open and attempt.may_take_effect()
    if not is_open or outcome.is_listed or outcome.state in {State.DONE, State.MANUAL}:
        return outcome
    message = f"Do not refund this by hand: {outcome.message}"
    return replace(outcome, message=message, is_listed=True)


def recorded_state(
    operation: Operation, attempt: Attempt, outcome: Outcome, next_look: float | None
) -> State:
    """Return MANUAL for a request on the operator's list, whatever the answer to VTEX is."""
    is_left = _is_left_to_the_operator(operation, attempt, outcome, next_look)
    return State.MANUAL if outcome.is_listed or is_left else outcome.state


def _is_left_to_the_operator(
    operation: Operation, attempt: Attempt, outcome: Outcome, next_look: float | None
) -> bool:
    """Whether a request stays on the operator's list, or reconcile has looked for the last time."""
    rules = RULES[operation]
    if not rules.may_become_the_operators or outcome.state is State.DONE:
        return False
    is_looked_at = not attempt.vtex_waits and outcome.state in rules.looked_at_after
    return attempt.lease.is_listed or (is_looked_at and next_look is None)


def count_looks(attempt: Attempt) -> int:
    """Count reconcile's looks, with the look of this attempt. VTEX's repeat begins again at 0."""
    return 0 if attempt.vtex_waits else attempt.looks + 1


def next_look(operation: Operation, outcome: Outcome, looks: int) -> float | None:
    """Return the seconds until reconcile's next look. None: reconcile does not look again."""
    if outcome.state not in RULES[operation].looked_at_after:
        return None
    scheduled = SCHEDULE[looks] if looks < len(SCHEDULE) else None
    return scheduled if scheduled is None or outcome.again is None else outcome.again
