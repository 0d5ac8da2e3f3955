"""A payment's story: what was asked, sent, answered and told, step by step."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

# Attempts of one request that are recorded step by step. Of a later one that sends nothing and
# ends like the one before no step is: a request that is repeated for days must not fill the
# database. Its row counts them all.
MOST_ATTEMPTS = 20


class Kind(StrEnum):
    """What a step is. The values are stored and shown."""

    ASKED = "asked"
    """VTEX asked; `amount` is its value."""
    NOTIFIED = "notified"
    """The company sent a notification; `reported_status` is the status word in it."""
    SENT = "sent"
    """A write was begun: `action`, `reference`, `amount`, None for all."""
    ANSWERED = "answered"
    """The company answered. `reported_status` and `http_status` are the company's; `message` says
    how the connector reads them."""
    UNANSWERED = "unanswered"
    """The company was called, or was to be, and there is no answer."""
    TOLD = "told"
    """VTEX got an answer with `http_status` and `code`. The answer to a create also tells the
    payment's status, which is `reported_status`."""
    ENDED = "ended"
    """An attempt ended that nobody waited for, of reconcile's or a notification's."""
    CALLED_BACK = "called-back"
    """VTEX got a callback with `reported_status`, and answered with `http_status`."""
    CLOSED = "closed"
    """A person did it, and said so; `who` is the operating system's user."""


@dataclass(frozen=True)
class Step:
    """One step. What it has besides its kind depends on that.

    `state`, `code`, `message` and `reason` are of the request after it, as in `Outcome`. `at`, in
    seconds since 1970, `operation` and `request_id` are known of a step that is recorded.
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
