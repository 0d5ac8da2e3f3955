"""A payment: its status here, its standing at the company, and the answers of a company."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, StrEnum

from connector.domain.errors import IllegalTransition, OutcomeUnknown


class PaymentStatus(StrEnum):
    """The status of a payment as VTEX was told it."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"


# Every way a payment's status may change. Whatever is not here never happens, whatever a
# company, a notification or a late request says.
TRANSITIONS: Mapping[PaymentStatus, frozenset[PaymentStatus]] = {
    PaymentStatus.PENDING: frozenset(
        {PaymentStatus.APPROVED, PaymentStatus.DENIED, PaymentStatus.CANCELLED}
    ),
    PaymentStatus.APPROVED: frozenset({PaymentStatus.SETTLED, PaymentStatus.CANCELLED}),
    PaymentStatus.SETTLED: frozenset({PaymentStatus.REFUNDED, PaymentStatus.CANCELLED}),
    PaymentStatus.DENIED: frozenset({PaymentStatus.CANCELLED}),
    PaymentStatus.CANCELLED: frozenset(),
    PaymentStatus.REFUNDED: frozenset(),
}


class Standing(Enum):
    """Where a payment stands at the company, in our words."""

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


# VTEX's id of a payment; the order id at the company is made of it.
_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
PAYMENT_ID_FORM = "1 to 128 characters of A-Z a-z 0-9 - _"


def is_payment_id(text: str) -> bool:
    """Whether a text can be VTEX's id of a payment."""
    return _PAYMENT_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class PaymentKey:
    """How a payment is found at a company.

    - `payment_id` is VTEX's; the order id at the company is made of it.
    - `authorization_id` and `provider_payment_id` are the company's, or another connector's, as
      far as one of them gave them to VTEX or to us.
    - `memo` is a text that only the provider's module reads. The module asked to have it kept.
    - `uses_payment_id`: VTEX gave its own `payment_id` as one of the company's two ids, before the
      payment was created here.
    """

    payment_id: str
    authorization_id: str | None = None
    provider_payment_id: str | None = None
    memo: str | None = None
    uses_payment_id: bool = False

    @property
    def was_authorized(self) -> bool:
        """Whether an id is known that a company gave for the payment."""
        return bool(self.authorization_id or self.provider_payment_id)

    @property
    def is_proof(self) -> bool:
        """Whether VTEX holds a proof that the payment once existed at a company."""
        return self.was_authorized or self.uses_payment_id


@dataclass(frozen=True)
class Payment:
    """A payment as it is recorded here.

    - `amount`, in units of `currency`, is what the buyer is to pay. A payment that was not created
      here has none. `settled` is the amount that was taken, as VTEX was told.
    - `code` and `message` are of the authorization.
    - `is_cancel_asked`: VTEX cancelled all of it, whether that was possible by now or not.
    - `is_manual`: a person was told to return what is taken. So no cancellation returns it.
    - `callback_address` is VTEX's, encrypted; `is_callback_due`: one is due.
    """

    key: PaymentKey
    status: PaymentStatus = PaymentStatus.PENDING
    sandbox: bool | None = None
    amount: Decimal | None = None
    currency: str | None = None
    payment_url: str | None = None
    code: str | None = None
    message: str | None = None
    cancellation_id: str | None = None
    settled: Decimal | None = None
    is_cancel_asked: bool = False
    is_manual: bool = False
    callback_address: str | None = field(default=None, repr=False)
    is_callback_due: bool = False

    @property
    def is_created(self) -> bool:
        """Whether VTEX asked this connector to create it."""
        return self.amount is not None

    @property
    def is_over(self) -> bool:
        """Whether VTEX was told that there is no such payment: nothing of it is taken."""
        return self.status in {PaymentStatus.CANCELLED, PaymentStatus.DENIED}

    def moved(self, status: PaymentStatus) -> "Payment":
        """Return it in another status. Raises IllegalTransition."""
        if status is not self.status and status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"A payment that is {self.status} does not become {status}")
        return replace(self, status=status)


# What the company's standing says of the authorization of a payment that is PENDING here. Where
# it is not clear, the payment stays PENDING.
_VERDICTS = {
    Standing.HELD: PaymentStatus.APPROVED,
    Standing.CAPTURED: PaymentStatus.APPROVED,
    Standing.PARTLY_REFUNDED: PaymentStatus.APPROVED,
    Standing.UNDONE: PaymentStatus.DENIED,
}


@dataclass(frozen=True)
class Look:
    """A company's answer to the question how a payment stands.

    - `amount`, in units of `currency`, was first authorized. `captured` was taken, and `refunded`
      is the part of that which was returned by now. None: the company does not show it.
    - `cancellation_id` is the company's id of the operation that ended the payment.
    - `failures` counts the operations, ours or others', that failed while the money stayed.
    - `write_effect` and `write_id` are of the write whose reference was given, where the company
      shows writes by our reference.
    - `is_another`: the company shows the payment under another order id than VTEX's payment id.
    - The ids, the `payment_url` and the `memo` are None where nothing new is known of them.
    - `again` is when to look again, in seconds, where that is known.
    - `provider_status` is the company's own status word, for people.
    """

    standing: Standing
    amount: Decimal | None = None
    currency: str | None = None
    cancellation_id: str | None = None
    failures: int = 0
    is_another: bool = False
    provider_status: str = ""
    captured: Decimal | None = None
    refunded: Decimal | None = None
    write_effect: "Effect | None" = None
    write_id: str | None = None
    authorization_id: str | None = None
    provider_payment_id: str | None = None
    payment_url: str | None = None
    memo: str | None = None
    again: float | None = None

    @property
    def verdict(self) -> PaymentStatus:
        """The status of the authorization that follows: PENDING, APPROVED or DENIED."""
        return _VERDICTS.get(self.standing, PaymentStatus.PENDING)


class Effect(Enum):
    """What a write did, by the company's own answer."""

    DONE = "it took effect"
    ACCEPTED = "the company will do it; a later look shows whether it took effect"
    FAILED = "it ended without effect"
    REFUSED = "the company would not begin it"
    UNKNOWN = "the company did not say"


@dataclass(frozen=True)
class WriteResult:
    """The answer to a write: its effect, and the company's id for it.

    `lost` says why there is no answer to a write that is UNKNOWN.
    """

    effect: Effect
    id: str | None = None
    provider_status: str = ""
    memo: str | None = None
    lost: OutcomeUnknown | None = field(default=None, compare=False)


@dataclass(frozen=True)
class CreateResult:
    """The answer to a create: the company's ids of the payment, and where the buyer pays.

    `status` is PENDING, APPROVED or DENIED. `memo` and `again` are as in `Look`.
    """

    status: PaymentStatus = PaymentStatus.PENDING
    authorization_id: str | None = None
    provider_payment_id: str | None = None
    payment_url: str | None = None
    memo: str | None = None
    again: float | None = None
    provider_status: str = ""


@dataclass(frozen=True)
class Notification:
    """A company's message, proven to be the company's.

    - `id` is different for each message about one payment.
    - `payment_ids` are the ids by which VTEX may know the payment. Where the company's order id
      could stand for several, there is more than one.
    - `authorization_id` and `provider_payment_id` name a purchase that the buyer began without us.
    """

    id: str
    payment_ids: tuple[str, ...]
    authorization_id: str | None = None
    provider_payment_id: str | None = None
    provider_status: str = ""
