"""The differences between the operations, as data: one row of a table for each operation."""

from collections.abc import Mapping
from dataclasses import dataclass

from connector.domain.operation import CallbackChange, Operation, State

_NOT_DONE = frozenset(State) - {State.DONE}
_MAY_HAVE_HAPPENED = frozenset({State.UNKNOWN, State.WAITING})


@dataclass(frozen=True)
class OperationRules:
    """The rules of one operation.

    - `looked_at_after`: reconcile looks again after these states.
    - `is_unknown_after_a_failed_look`: a failed look leaves the request unknown. Without this
      rule the error decides the state.
    - `may_become_the_operators`: the request enters the operator's list when reconcile stops.
    - `is_listed_while_open`: a failed request enters the operator's list while its write may
      still take effect.
    - `stays_listed`: a request on the operator's list stays there when VTEX repeats it.
    - `keeps_its_value`: after the first write VTEX cannot change the value.
    - `is_answered_from_the_payment`: the answer shows the payment as it is recorded.
    - `callback_change`: the callback after VTEX asked, and the payment is approved or denied.
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
        # VTEX ends an unpaid payment by itself, with a cancellation.
        may_become_the_operators=False,
        is_answered_from_the_payment=True,
        # The answer tells VTEX. The callback is sent only when the answer is lost.
        callback_change=CallbackChange.LATER,
    ),
    # VTEX wants a cancellation whatever came of the first attempts.
    Operation.CANCEL: OperationRules(
        looked_at_after=_NOT_DONE,
        is_unknown_after_a_failed_look=False,
        stays_listed=True,
    ),
    # A settlement or a refund that certainly did not happen is VTEX's to ask for again, or the
    # merchant's to make by hand. Reconcile only looks for what may have happened.
    Operation.SETTLE: OperationRules(looked_at_after=_MAY_HAVE_HAPPENED),
    Operation.REFUND: OperationRules(
        looked_at_after=_MAY_HAVE_HAPPENED,
        # VTEX may never repeat a refund that failed, and tells the merchant to make it by hand.
        is_listed_while_open=True,
        # A refund that may be under way has one amount.
        keeps_its_value=True,
    ),
    # The company does not repeat a notification that was kept.
    Operation.NOTIFICATION: OperationRules(
        looked_at_after=_NOT_DONE,
        is_unknown_after_a_failed_look=False,
    ),
}
