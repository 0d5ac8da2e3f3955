"""The differences between the operations, as a table with a row for each operation."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.domain.operation import CallbackChange, Operation, State

_NOT_DONE = frozenset(State) - {State.DONE}
_MAY_HAVE_HAPPENED = frozenset({State.UNKNOWN, State.WAITING})


@dataclass(frozen=True)
class OperationRules:
    """The rules of one operation.

    - `looked_at_after`: reconcile looks again after these states.
    - `is_unknown_after_a_failed_look`: the state after a failed look is UNKNOWN. Without this rule
      the error decides the state.
    - `may_become_the_operators`: the request enters the operator's list when reconcile stops.
    - `is_listed_while_open`: a failed request enters the operator's list while its write may
      still take effect.
    - `stays_listed`: a request on the operator's list stays there when VTEX repeats it.
    - `keeps_its_value`: after the first write VTEX cannot change the value.
    - `is_answered_from_the_payment`: the answer shows the recorded payment.
    - `callback_change`: the change of the callback if VTEX waits and the payment gets approved or
      denied.
    """

    looked_at_after: frozenset[State]
    is_unknown_after_a_failed_look: bool = True
    may_become_the_operators: bool = True
    is_listed_while_open: bool = False
    stays_listed: bool = False
    keeps_its_value: bool = False
    is_answered_from_the_payment: bool = False
    callback_change: CallbackChange = CallbackChange.UNCHANGED


RULES: Mapping[Operation, OperationRules] = {
    Operation.CREATE: OperationRules(
        looked_at_after=_MAY_HAVE_HAPPENED,
        # VTEX cancels an unpaid payment by itself.
        may_become_the_operators=False,
        is_answered_from_the_payment=True,
        # The answer tells VTEX. The callback is sent only when the answer is lost.
        callback_change=CallbackChange.LATER,
    ),
    # VTEX still wants a cancellation after the first attempts failed.
    Operation.CANCEL: OperationRules(
        looked_at_after=_NOT_DONE,
        is_unknown_after_a_failed_look=False,
        stays_listed=True,
    ),
    # If a settlement or a refund certainly failed, VTEX asks for it again, or the merchant makes it
    # by hand. Reconcile only looks at operations that may have happened.
    Operation.SETTLE: OperationRules(looked_at_after=_MAY_HAVE_HAPPENED),
    Operation.REFUND: OperationRules(
        looked_at_after=_MAY_HAVE_HAPPENED,
        # VTEX may never repeat a failed refund. It may ask the merchant to make the refund by hand.
        is_listed_while_open=True,
        # The amount of a refund must not change after its write began.
        keeps_its_value=True,
    ),
    # The company does not repeat a notification that was recorded.
    Operation.NOTIFICATION: OperationRules(
        looked_at_after=_NOT_DONE,
        is_unknown_after_a_failed_look=False,
    ),
}
