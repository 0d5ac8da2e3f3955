"""The sentences of a payment's story, for people who are no programmers.

A sentence is chosen by tables. A sentence whose name ends in `_AMOUNT` needs an amount; the same
step without an amount has another sentence.
"""

from collections.abc import Mapping
from typing import Any

from connector.console.notifications_callback import COMMAND as SEND_CALLBACK
from connector.console.notifications_run import COMMAND as RUN_NOTIFICATION
from connector.domain.operation import CANCEL_MANUALLY, REFUND_MANUALLY, Operation, State
from connector.domain.payment import PaymentStatus
from connector.domain.write import (
    CANCEL,
    CANCEL_BY_REFUND,
    CREATE,
    REFUND,
    RELEASE,
    SETTLE,
)
from connector.pages.languages import lazy_gettext as _

# What VTEX asked for. The unit of the value of a cancellation is not known.
ASKED: Mapping[str, Any] = {
    Operation.CREATE: _("VTEX asked to create the payment."),
    Operation.CANCEL: _("VTEX asked to cancel the payment."),
    Operation.SETTLE: _("VTEX asked to take the money."),
    Operation.REFUND: _("VTEX asked to return the money to the buyer."),
}
ASKED_AMOUNT: Mapping[str, Any] = {
    Operation.CREATE: _("VTEX asked to create a payment of %(amount)s."),
    Operation.CANCEL: _("VTEX asked to cancel the payment, and wrote the value %(amount)s."),
    Operation.SETTLE: _("VTEX asked to take %(amount)s."),
    Operation.REFUND: _("VTEX asked to return %(amount)s to the buyer."),
}

# What we sent to the company, by the action of the write.
SENT: Mapping[str, Any] = {
    CREATE: _("We asked %(company)s to create the payment."),
    SETTLE: _("We asked %(company)s to take the money."),
    CANCEL: _("We asked %(company)s to cancel the payment."),
    RELEASE: _("We asked %(company)s to give the held money back."),
    CANCEL_BY_REFUND: _("We asked %(company)s to return the money of the cancelled payment."),
    REFUND: _("We asked %(company)s to return the money to the buyer."),
}
SENT_AMOUNT: Mapping[str, Any] = {
    **SENT,
    SETTLE: _("We asked %(company)s to take %(amount)s."),
    REFUND: _("We asked %(company)s to return %(amount)s to the buyer."),
}

# Our reading of a company's answer: a payment's standing, a write's effect, a create's status.
READINGS: Mapping[str, Any] = {
    "absent": _("no such payment is known there"),
    "unseen": _("nobody can look at the payment yet"),
    "unpaid": _("the buyer has not paid yet"),
    "paying": _("the buyer is paying now"),
    "held": _("the money is held"),
    "working": _("the company is still working on the payment"),
    "captured": _("the money is taken"),
    "partly refunded": _("a part of the money is returned"),
    "stuck": _("only a person can end the payment"),
    "undone": _("no money is held or taken any more"),
    "done": _("it is done"),
    "accepted": _("it will be done later"),
    "failed": _("it ended without effect"),
    "refused": _("it was refused"),
    "unknown": _("nobody knows yet whether it is done"),
    "pending": _("the payment waits for the buyer"),
    "approved": _("the payment is approved"),
    "denied": _("the payment is denied"),
}
SAID = _("%(company)s said: %(reading)s.")
SAID_WORD = _("%(company)s said “%(word)s”: %(reading)s.")
NOTIFIED = _("%(company)s sent a notification.")
NOTIFIED_WORD = _("%(company)s sent a notification: “%(word)s”.")

# Why a call brought nothing, by the class of the error.
FAILURES: Mapping[str, Any] = {
    "ProviderUnavailable": _(
        "%(company)s could not be reached, or takes no calls at this moment. Nothing changed there."
    ),
    "ProviderBusy": _("Too many calls to %(company)s are under way. Nothing was sent."),
    "ProviderCredentials": _(
        "%(company)s does not accept the merchant's keys. Correct the merchant's settings."
    ),
    "ProviderCertificate": _(
        "The certificate of %(company)s is not trusted here. Nothing was sent."
    ),
    "OutOfTime": _("Too little time was left for %(company)s. Nothing was sent."),
    "ProviderRefused": _("%(company)s refused."),
    "AnswerNotUnderstood": _("The answer of %(company)s cannot be read."),
    "NotAsked": _("No id of %(company)s is known for this payment, so nobody was asked."),
    "OutcomeUnknown": _("%(company)s gave no answer that says what happened."),
}
FAILED = _("The call to %(company)s failed.")

# What VTEX was told.
TOLD: Mapping[str, Any] = {
    Operation.CREATE: _("We told VTEX: nobody knows yet whether the payment exists."),
    Operation.CANCEL: _("We told VTEX: the payment is cancelled."),
    Operation.SETTLE: _("We told VTEX: the money is taken."),
    Operation.REFUND: _("We told VTEX: the money is returned."),
}
TOLD_AMOUNT: Mapping[str, Any] = {
    **TOLD,
    Operation.SETTLE: _("We told VTEX: %(amount)s is taken."),
    Operation.REFUND: _("We told VTEX: %(amount)s is returned."),
}
# An answer to a create shows the payment.
TOLD_STATUS: Mapping[str, Any] = {
    PaymentStatus.PENDING: _("We told VTEX: the payment waits for the buyer."),
    PaymentStatus.APPROVED: _("We told VTEX: the payment is approved."),
    PaymentStatus.DENIED: _("We told VTEX: the payment is denied."),
    PaymentStatus.CANCELLED: _("We told VTEX: the payment is denied, because it is cancelled."),
    PaymentStatus.SETTLED: _("We told VTEX: the payment is approved."),
    PaymentStatus.REFUNDED: _("We told VTEX: the payment is approved."),
}
_NOT_KNOWN = _("We told VTEX: the end is not known yet. VTEX asks again.")
TOLD_CODE: Mapping[str, Any] = {
    CANCEL_MANUALLY: _("We told VTEX: a person must cancel this payment."),
    REFUND_MANUALLY: _("We told VTEX: a person must return the money."),
    "cancel-pending": _("We told VTEX: %(company)s is still working on it. VTEX asks again."),
    "outcome-unknown": _NOT_KNOWN,
    "internal-error": _NOT_KNOWN,
}
TOLD_PENDING = TOLD_CODE["cancel-pending"]
TOLD_FAILURE = _("We told VTEX: this did not happen.")

# The end of an attempt without VTEX.
ENDED: Mapping[str, Any] = {
    State.DONE: _("We looked without being asked, and the request is finished."),
    State.MANUAL: _("We looked without being asked: a person must act."),
}
STILL_OPEN = _("We looked without being asked. The request is still open.")
ENDED_NOTIFICATION: Mapping[str, Any] = {
    State.DONE: _("We acted on the notification."),
    State.MANUAL: _("A person must act on the notification."),
}
NOTIFICATION_OPEN = _("The notification is not finished yet; we look again.")

# A callback to VTEX, by the state after it.
CALLED_BACK: Mapping[str, Any] = {
    State.DONE: _("We called VTEX back with the status “%(status)s”, and VTEX took it."),
    State.WAITING: _("We called VTEX back with the status “%(status)s”. VTEX did not take it."),
    State.FAILED: _("We could not call VTEX back with the status “%(status)s”, and gave up."),
}

CLOSED = _("A person closed this task.")
CLOSED_BY = _("%(who)s closed this task.")
LOOKED = _("%(who)s asked the company.")
# What else people did, by the command.
DONE_BY: Mapping[str, Any] = {
    RUN_NOTIFICATION: _("%(who)s let the connector act on a notification once more."),
    SEND_CALLBACK: _("%(who)s asked the connector to call VTEX back at once."),
}
DID = _("%(who)s used: %(command)s.")

OPERATIONS: Mapping[str, Any] = {
    Operation.CREATE: _("creation"),
    Operation.CANCEL: _("cancellation"),
    Operation.SETTLE: _("settlement"),
    Operation.REFUND: _("refund"),
    Operation.NOTIFICATION: _("notification"),
}
