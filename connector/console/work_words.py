"""The words of operations and their states, as a support person reads them."""

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote

from connector import providers
from connector.domain.operation import Operation, State
from connector.pages.languages import lazy_gettext as _

OPERATIONS: Mapping[str, Any] = {
    Operation.CREATE: _("Payment to create"),
    Operation.CANCEL: _("Cancellation"),
    Operation.SETTLE: _("Settlement"),
    Operation.REFUND: _("Refund"),
    Operation.NOTIFICATION: _("Notification of the company"),
}
STATES: Mapping[str, Any] = {
    State.RUNNING: _("running"),
    State.UNKNOWN: _("not known"),
    State.WAITING: _("waiting"),
    State.DONE: _("done"),
    State.MANUAL: _("for a person"),
    State.FAILED: _("failed"),
}
# The colours of the states. The colour only repeats the word.
TONES: Mapping[str, str] = {
    State.RUNNING: "wait",
    State.UNKNOWN: "wait",
    State.WAITING: "wait",
    State.DONE: "good",
    State.MANUAL: "bad",
    State.FAILED: "bad",
}


@cache
def titles() -> Mapping[str, str]:
    """Return the name for people of each company, also of a company that is switched off."""
    return {name: kind.title for name, kind in providers.discover().items()}


def story_address(merchant: str, payment_id: str) -> str:
    """Return the address of a payment's story."""
    return f"/console/payments/{quote(merchant, safe='')}/{quote(payment_id, safe='')}"
