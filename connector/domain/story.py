"""A payment's story: the requests, the calls and the answers, step by step."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

# The first attempts of a request, up to this number, record every step. A later attempt records no
# step if it sends nothing and ends like the previous attempt. So a request that VTEX repeats for
# days does not fill the database. The request's row counts every attempt.
MOST_ATTEMPTS = 20


class Kind(StrEnum):
    """The kind of a step. The values are stored and shown."""

    ASKED = "asked"
    """VTEX asked for something. `amount` is the value in its request."""
    NOTIFIED = "notified"
    """The company sent a notification; `reported_status` is the status word in it."""
    SENT = "sent"
    """A write began, with `action`, `reference` and `amount`. None: the whole payment."""
    ANSWERED = "answered"
    """The company answered with `reported_status` and `http_status`. `message` is our reading of
    the answer."""
    UNANSWERED = "unanswered"
    """The company gave no answer, or could not be called."""
    TOLD = "told"
    """VTEX got an answer with `http_status` and `code`. The answer to a create also has the
    payment's status, `reported_status`. Another answer may have an id, `reference`, and an
    `amount`."""
    ENDED = "ended"
    """An attempt without VTEX ended: an attempt of reconcile's, or of a notification."""
    CALLED_BACK = "called-back"
    """VTEX got a callback with `reported_status`, and answered with `http_status`."""
    CLOSED = "closed"
    """A person finished the task of the request. `who` is a user of the operating system, or a
    person in the console. `note` is the person's note."""


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
    note: str | None = None

    def of_attempt(self, attempt: int) -> "Step":
        return replace(self, attempt=attempt)
