"""An operation on a payment: its request, its claim, its outcome and the reply kept for it."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from connector.domain.order import Order
from connector.domain.payment import Payment, PaymentKey
from connector.domain.write import Write

# The root of every identifier this connector derives. Never change it: references already sent
# to a company and ids already told to VTEX come from it.
NAMESPACE = uuid.UUID("6f9d3c52-3c0b-5f0e-9a51-7d1f0a6f2b11")


# VTEX's reserved codes: a person must cancel, or refund.
CANCEL_MANUALLY = "cancel-manually"
REFUND_MANUALLY = "refund-manually"
# Of a row whose refund was made after VTEX was told that it failed; VTEX is never told it.
REFUNDED_LATE = "refunded-late"


class Operation(StrEnum):
    """What is asked for; `notification` is by a company, the rest by VTEX."""

    CREATE = "create"
    CANCEL = "cancel"
    SETTLE = "settle"
    REFUND = "refund"
    NOTIFICATION = "notification"


class State(StrEnum):
    """Where an operation stands, as `connector operations list` shows it."""

    RUNNING = "running"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    DONE = "done"
    MANUAL = "manual"
    FAILED = "failed"


class CallbackChange(StrEnum):
    """The change that the end of an attempt makes to a payment's callback to VTEX.

    `LATER` is after the answer that tells VTEX the same: due only if that answer is lost.
    """

    DUE = "due"
    LATER = "later"
    DROPPED = "dropped"
    UNCHANGED = ""


@dataclass(frozen=True)
class Request:
    """What was asked for. `value` is as VTEX wrote it, None where it wrote none.

    `sandbox` says that VTEX's merchant is in test mode.
    """

    operation: ClassVar[Operation]

    merchant_id: int
    payment: PaymentKey
    request_id: str = ""
    value: Decimal | None = None
    sandbox: bool = False

    @property
    def claim_id(self) -> str:
        """The claim's key: merchant, operation, payment and request, of any characters."""
        parts = (str(self.merchant_id), self.operation, self.payment.payment_id, self.request_id)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class CreateRequest(Request):
    """A payment to be created. It has no requestId: the payment's own id makes it one.

    `order` and `callback_url` are None when nobody asks any more and it is only looked at.
    """

    operation = Operation.CREATE

    order: Order | None = None
    callback_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CancelRequest(Request):
    """A cancellation. The unit of `value` is unknown."""

    operation = Operation.CANCEL


@dataclass(frozen=True)
class SettleRequest(Request):
    """A settlement of `value` in units, or of all."""

    operation = Operation.SETTLE


@dataclass(frozen=True)
class RefundRequest(Request):
    """A refund of `value` in units."""

    operation = Operation.REFUND


@dataclass(frozen=True)
class NotificationRequest(Request):
    """News of a payment. `purchase` holds the ids the company tells of it, if any."""

    operation = Operation.NOTIFICATION

    purchase: PaymentKey | None = None


REQUESTS: Mapping[str, type[Request]] = {
    kind.operation: kind
    for kind in (CreateRequest, CancelRequest, SettleRequest, RefundRequest, NotificationRequest)
}


@dataclass(frozen=True)
class Outcome:
    """What came of an operation.

    `id` is its id, `value` the amount settled or refunded, in units. `is_final` says that this
    answer is kept and given to every repeat of the request. `is_listed` says that a person must
    know of it, whatever VTEX is told. `again` is when to look again, in seconds, where that is
    known. `reason` is why it is not done, for the operator alone.
    """

    state: State
    code: str | None
    message: str
    id: str | None = None
    value: Decimal | None = None
    is_final: bool = False
    is_listed: bool = False
    again: float | None = None
    reason: str | None = None

    @property
    def create_status(self) -> int:
        """The HTTP status of a create's answer: 200 when there is a payment to be told of."""
        return 200 if self.state in {State.DONE, State.WAITING} else 500


@dataclass(frozen=True)
class Reply:
    """An answer to VTEX: the HTTP status, the exact bytes of the body, and the code in it.

    `after` is what is left to do once it has been sent.
    """

    status: int
    body: bytes
    code: str | None = None
    after: Callable[[], object] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Lease:
    """The right to act on one payment for one request, until the lease ends.

    It lasts `seconds`. `token` fences it: after the lease passed to another request, nothing can
    be sent or recorded with this one. `attempt` counts the turns of this request, this one too.
    `before` is how the turn before ended: code, message and reason. `is_listed` says that the
    request is on the operator's list. `payment` and `writes` are as they are recorded now.
    """

    claim_id: str
    token: str
    seconds: float
    merchant_id: int
    payment: Payment
    writes: tuple[Write, ...] = ()
    attempt: int = 1
    before: tuple[str | None, ...] = ()
    is_listed: bool = False


@dataclass(frozen=True)
class StoredReply:
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
class DueRequest:
    """A request that reconcile is to look at since `at`, and how often it already has."""

    request: Request
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
    message: str | None = None
    reason: str | None = None


def own_cancellation_id(merchant_id: int, payment_id: str) -> str:
    """Our id of a payment's cancellation, the same whenever it is derived."""
    return uuid.uuid5(NAMESPACE, f"cancellation\n{merchant_id}\n{payment_id}").hex


def own_settle_id(merchant_id: int, payment_id: str) -> str:
    """Our id of a payment's settlement: there is one, whoever asks for it how often."""
    return uuid.uuid5(NAMESPACE, f"settlement\n{merchant_id}\n{payment_id}").hex


def own_refund_id(claim_id: str) -> str:
    """Our id of the refund that a request asked for."""
    return uuid.uuid5(NAMESPACE, f"refund\n{claim_id}").hex


def write_reference(claim_id: str, action: str, number: int) -> str:
    """The reference of a write at the company, derived from the claim that first needs it.

    `number` counts the claim's own writes of the action.
    """
    return str(uuid.uuid5(NAMESPACE, f"{claim_id}\n{action}\n{number}"))
