"""A payment: its status here, its standing at the company, and what a company's call did."""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum


class PaymentStatus(StrEnum):
    """The status of a payment as this connector knows it."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"


class Standing(Enum):
    """Where a payment stands at the company, as far as a cancellation cares."""

    ABSENT = "the company's own well-formed answer that it has no such payment"
    UNSEEN = "this payment cannot be looked at with what is known of it"
    UNPAID = "created, the buyer has done nothing yet"
    PAYING = "the buyer is paying now"
    HELD = "the money is held"
    WORKING = "an operation is running there, or its word is not one we know: ask again later"
    CAPTURED = "the money is taken, nothing of it returned"
    PARTLY_REFUNDED = "the money is taken and partly returned"
    STUCK = "in a state that only a person can end"
    UNDONE = "cancelled, declined, expired or wholly refunded: nothing left to undo"


@dataclass(frozen=True)
class PaymentKey:
    """How a payment is found at a company.

    The order id there is VTEX's `payment_id`; `authorization_id` and `provider_payment_id` are
    what the company (or another connector) gave VTEX for it, when it did.
    """

    payment_id: str
    authorization_id: str | None = None
    provider_payment_id: str | None = None

    @property
    def was_authorized(self) -> bool:
        """Whether VTEX holds a proof that the payment once existed at a company."""
        return bool(self.authorization_id or self.provider_payment_id)


@dataclass(frozen=True)
class Look:
    """What a company said of a payment when it was asked.

    `amount` is in units of `currency`, as first authorized. `cancellation_id` is the company's
    id of what ended the payment. `failures` counts the ends of ours or others' that failed
    there while the money stayed. `is_final` says that a STUCK standing cannot change by itself.
    `word` is the company's own status word, for people.
    """

    standing: Standing
    amount: Decimal | None = None
    currency: str | None = None
    cancellation_id: str | None = None
    failures: int = 0
    is_final: bool = False
    word: str = ""


class Effect(Enum):
    """What a write did, by the company's own answer."""

    DONE = "it took effect"
    ACCEPTED = "accepted; whether it took effect is still to be seen"
    FAILED = "it ended without effect"
    REFUSED = "the company would not begin it"


@dataclass(frozen=True)
class Sent:
    """The answer to a write: its effect, and the company's id for it."""

    effect: Effect
    cancellation_id: str | None = None
    word: str = ""
