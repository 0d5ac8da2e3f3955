"""A payment's story: what was asked, sent, answered and told, step by step."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

# Every step of this many attempts of a request is recorded. A later attempt that sends nothing, and
# ends like the attempt before it, leaves no step: a request that VTEX repeats for days must not
# fill the database. The request's row counts every attempt.
MOST_ATTEMPTS = 20


class Kind(StrEnum):
    """The kind of a step. The values are stored and shown."""

    ASKED = "asked"
    """VTEX asked for something. `amount` is the value in its request."""
    NOTIFIED = "notified"
    """The company sent a notification; `reported_status` is the status word in it."""
    SENT = "sent"
    """A write was begun, with `action`, `reference` and `amount`: None is all of the payment."""
    ANSWERED = "answered"
    """The company answered. `reported_status` and `http_status` are the company's; `message` says
    how the connector reads them."""
    UNANSWERED = "unanswered"
    """The company gave no answer, or could not be called."""
    TOLD = "told"
    """VTEX got an answer with `http_status` and `code`. The answer to a create also tells the
    payment's status, which is `reported_status`."""
    ENDED = "ended"
    """An attempt ended that VTEX did not wait for: reconcile's, or a notification's."""
    CALLED_BACK = "called-back"
    """VTEX got a callback with `reported_status`, and answered with `http_status`."""
    CLOSED = "closed"
    """A person did what was asked for, and said so. `who` is a user of the operating system."""


@dataclass(frozen=True)
class Step:
    """One step. Its kind decides which fields it has.

    `reported_status` is a status word: the company's to us, or ours to VTEX. `state`, `code`,
    `message` and `reason` are those of the request after the step, as in `Outcome`. A recorded step
    also has `at`, in seconds since 1970, `operation` and `request_id`.
    """

    kind: Kind
    attempt: int | None = None
    action: str | None = None
    reference: str | None = None
    amount: Decimal | None = None
    reported_status: str | None = None
    http_status: int | None = None
    state: str = "running"
    code: str | None = None
    message: str | None = None
    reason: str | None = None
    who: str | None = None
    at: float = 0.0
    operation: str = ""
    request_id: str = ""

    def of_attempt(self, attempt: int) -> "Step":
        return replace(self, attempt=attempt)
