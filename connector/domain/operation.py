"""An operation VTEX asks for: the request, its claim, its outcome and the reply kept for it."""

import hashlib
import uuid
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connector.domain.payment import PaymentKey, PaymentStatus

# The root of every identifier this connector derives. Never change it: references already sent
# to a company and cancellationIds already told to VTEX come from it.
NAMESPACE = uuid.UUID("6f9d3c52-3c0b-5f0e-9a51-7d1f0a6f2b11")


# VTEX's reserved code: a person must cancel.
CANCEL_MANUALLY = "cancel-manually"


class State(StrEnum):
    """Where an operation stands, as `connector operations list` shows it."""

    RUNNING = "running"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    DONE = "done"
    MANUAL = "manual"
    FAILED = "failed"


@dataclass(frozen=True)
class CancelRequest:
    """A cancellation as VTEX asked for it. `value` is as VTEX wrote it, unit unknown."""

    merchant_id: int
    payment: PaymentKey
    request_id: str
    value: Decimal | None = None
    sandbox: bool = False

    operation = "cancel"

    @property
    def claim_id(self) -> str:
        """The claim's key: merchant, operation, payment and request, of any characters."""
        parts = (str(self.merchant_id), self.operation, self.payment.payment_id, self.request_id)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class Outcome:
    """What came of an operation.

    `is_final` says that this answer is kept and given to every repeat of the request,
    `is_of_payment` that it holds for every other request of the payment too.
    """

    state: State
    code: str | None
    message: str
    cancellation_id: str | None = None
    is_final: bool = False
    is_of_payment: bool = True


@dataclass(frozen=True)
class Reply:
    """An answer to VTEX: the HTTP status, the exact bytes of the body, and the code in it."""

    status: int
    body: bytes
    code: str | None = None


@dataclass(frozen=True)
class Send:
    """A write that was started at the company for a payment, and what is known of it.

    `reference` is ours; `number` counts the references of this payment's `action`. `state` is
    "open" until it is known how it ended: "done", "failed", "refused" (the
    company would not begin it) or "withdrawn" (it was not sent). `age` is in seconds.
    `failures_before` counts the failed ends that a look showed before this one was sent.
    """

    action: str
    number: int
    reference: str
    state: str = "open"
    age: float = 0.0
    failures_before: int = 0


@dataclass(frozen=True)
class Turn:
    """The right to act on one payment for one request, until the lease ends.

    `token` fences it: after the lease passed to another, nothing can be sent or recorded with
    this one. The rest is what is known of the payment at that moment; `sandbox` is None for a
    payment not yet recorded.
    """

    claim_id: str
    token: str
    payment: PaymentKey
    merchant_id: int
    status: PaymentStatus
    sandbox: bool | None
    cancellation_id: str | None
    sends: tuple[Send, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A final reply kept for a request, with the `value` it was given for."""

    reply: Reply
    value: Decimal | None


@dataclass(frozen=True)
class Progress:
    """What is going on instead, when a request does not get its turn.

    `is_held` says that some request holds the payment's lease, `is_same` that it is this very
    one. `state`, `attempts`, `code` and `message` are of this request, None when it is new.
    """

    is_held: bool
    is_same: bool
    state: State | None = None
    attempts: int = 0
    code: str | None = None
    message: str = ""


@dataclass(frozen=True)
class Due:
    """A request that reconcile is to look at since `at`, and how often it already has."""

    request: CancelRequest
    looks: int
    state: State
    at: float


@dataclass(frozen=True)
class Row:
    """A line of `connector operations list`; instants are seconds since 1970."""

    merchant: str
    provider: str
    operation: str
    payment_id: str
    request_id: str
    state: State
    code: str | None
    reference: str | None
    attempts: int
    created_at: float
    updated_at: float


def own_cancellation_id(merchant_id: int, payment_id: str) -> str:
    """Our id of a payment's cancellation, the same whenever it is derived."""
    return uuid.uuid5(NAMESPACE, f"cancellation\n{merchant_id}\n{payment_id}").hex


def send_reference(claim_id: str, action: str, number: int) -> str:
    """The reference of a write at the company, derived from the claim that first needs it."""
    return str(uuid.uuid5(NAMESPACE, f"{claim_id}\n{action}\n{number}"))
