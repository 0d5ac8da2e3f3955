"""An operation on a payment: its request, its lease, its outcome and its stored reply."""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from connector.domain.errors import RequestMismatch
from connector.domain.order import Order
from connector.domain.payment import Payment, PaymentKey
from connector.domain.write import Write

# The root of every identifier that this connector derives. Never change the root: companies hold
# references, and VTEX holds ids, that are derived from it.
NAMESPACE = uuid.UUID("6f9d3c52-3c0b-5f0e-9a51-7d1f0a6f2b11")


# VTEX's reserved codes: a person must cancel, or refund.
CANCEL_MANUALLY = "cancel-manually"
REFUND_MANUALLY = "refund-manually"
# The code of a refund that took effect after VTEX got a failure. VTEX never gets this code.
REFUNDED_LATE = "refunded-late"


class Operation(StrEnum):
    """A kind of request: a notification is sent by a company, the others by VTEX."""

    CREATE = "create"
    CANCEL = "cancel"
    SETTLE = "settle"
    REFUND = "refund"
    NOTIFICATION = "notification"


ASKED_BY_VTEX = tuple(one for one in Operation if one is not Operation.NOTIFICATION)


class State(StrEnum):
    """The state of a request, as `connector operations list` shows it."""

    RUNNING = "running"
    UNKNOWN = "unknown"
    WAITING = "waiting"
    DONE = "done"
    MANUAL = "manual"
    FAILED = "failed"


class CallbackChange(StrEnum):
    """The change that an attempt makes to the payment's callback to VTEX.

    LATER leaves time for the answer to VTEX. When the answer is sent, the callback is dropped.
    """

    DUE = "due"
    LATER = "later"
    DROPPED = "dropped"
    UNCHANGED = ""


@dataclass(frozen=True)
class Request:
    """One request of one merchant.

    `value` is the number that VTEX wrote, None where VTEX wrote none. `sandbox` says that the
    merchant is in VTEX's test mode. People find a payment by `transaction_id`, VTEX's id of the
    payments of one purchase.
    """

    operation: ClassVar[Operation]

    merchant_id: int
    payment: PaymentKey
    request_id: str = ""
    value: Decimal | None = None
    sandbox: bool = False
    transaction_id: str | None = None

    @property
    def claim_id(self) -> str:
        """The key of the claim: a hash of merchant, operation, payment and request."""
        parts = (str(self.merchant_id), self.operation, self.payment.payment_id, self.request_id)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()

    def check_repeats(self, value: Decimal | None) -> None:
        """Refuse a repeat with another value than before. Raises RequestMismatch."""
        if self.value != value:
            raise RequestMismatch


@dataclass(frozen=True)
class CreateRequest(Request):
    """A payment to create. It has no requestId, because each payment has only one create.

    `order` and `callback_url` are None when reconcile finishes the create: it only looks. People
    find a payment by `order_id`, VTEX's id of the buyer's order.
    """

    operation = Operation.CREATE

    order: Order | None = None
    callback_url: str | None = field(default=None, repr=False)
    order_id: str | None = None


@dataclass(frozen=True)
class CancelRequest(Request):
    """A cancellation. The unit of `value` is unknown."""

    operation = Operation.CANCEL


@dataclass(frozen=True)
class SettleRequest(Request):
    """A settlement of `value` in units. None: the whole payment."""

    operation = Operation.SETTLE


@dataclass(frozen=True)
class RefundRequest(Request):
    """A refund of `value` in units."""

    operation = Operation.REFUND


@dataclass(frozen=True)
class NotificationRequest(Request):
    """A notification of a payment. `purchase` holds the company's ids, if the message names any."""

    operation = Operation.NOTIFICATION

    purchase: PaymentKey | None = None


REQUESTS: Mapping[str, type[Request]] = {
    kind.operation: kind
    for kind in (CreateRequest, CancelRequest, SettleRequest, RefundRequest, NotificationRequest)
}


@dataclass(frozen=True)
class Outcome:
    """The result of an attempt.

    - `id` is the id of the cancellation, the settlement or the refund.
    - `value` is the amount that was settled or refunded, in units.
    - `is_final` says that the reply is stored and given to every repeat of the request.
    - `is_listed` says that a person must know of the request, whatever the answer to VTEX is.
    - `again` is the number of seconds until the next look, if the company named it.
    - `reason` is for the operator alone: why the request is not done.
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
        """The HTTP status of the answer to a create: 200 when the answer shows a payment."""
        return 200 if self.state in {State.DONE, State.WAITING} else 500


@dataclass(frozen=True)
class Reply:
    """An answer to VTEX: the HTTP status, the exact bytes of the body, and the code in it.

    Call `after` when the answer has been sent.
    """

    status: int
    body: bytes
    code: str | None = None
    after: Callable[[], object] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Lease:
    """The right to act on one payment for one request, until the lease ends.

    The lease lasts `seconds`. When another request takes the lease, it gets another `token`. With
    the old token nothing can be sent or recorded. `attempt` counts the attempts of this request,
    with this attempt. `previous_end` holds code, message and reason of the previous attempt's end.
    `is_listed` says that the request is on the operator's list. `payment` and `writes` are as
    recorded when the lease began.
    """

    claim_id: str
    token: str
    seconds: float
    merchant_id: int
    payment: Payment
    writes: tuple[Write, ...] = ()
    attempt: int = 1
    previous_end: tuple[str | None, ...] = ()
    is_listed: bool = False


@dataclass(frozen=True)
class StoredReply:
    """The final reply to a request, and the `value` of that request."""

    reply: Reply
    value: Decimal | None


@dataclass(frozen=True)
class Progress:
    """The progress of a payment and of a request that waits for the lease.

    `is_held` says that a request holds the lease, `is_same` that an identical request holds it.
    The other fields are the recorded fields of the request. Its `state` is None for a new request.
    """

    is_held: bool
    is_same: bool
    state: State | None = None
    attempts: int = 0
    code: str | None = None
    message: str = ""


@dataclass(frozen=True)
class DueRequest:
    """A request that is due for reconcile since `at`. `looks` counts its looks until now."""

    request: Request
    looks: int
    state: State
    at: float


@dataclass(frozen=True)
class ListedRequest:
    """A line of `connector operations list`. Instants are seconds since 1970."""

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


def derive_cancellation_id(merchant_id: int, payment_id: str) -> str:
    """Return our id of a payment's cancellation. Each payment has only one."""
    return uuid.uuid5(NAMESPACE, f"cancellation\n{merchant_id}\n{payment_id}").hex


def derive_settle_id(merchant_id: int, payment_id: str) -> str:
    """Return our id of a payment's settlement. Each payment has only one."""
    return uuid.uuid5(NAMESPACE, f"settlement\n{merchant_id}\n{payment_id}").hex


def derive_refund_id(claim_id: str) -> str:
    """Return our id of a request's refund."""
    return uuid.uuid5(NAMESPACE, f"refund\n{claim_id}").hex


def write_reference(claim_id: str, action: str, number: int) -> str:
    """Return the reference of a write for the company, derived from the claim of its request.

    `number` counts the writes of this action for that claim.
    """
    return str(uuid.uuid5(NAMESPACE, f"{claim_id}\n{action}\n{number}"))
