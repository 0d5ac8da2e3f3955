"""A payment: its status here, its standing at the company, and the answers of a company."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import Enum, StrEnum

from connector.domain.errors import IllegalTransition, OutcomeUnknown


class PaymentStatus(StrEnum):
    """The status of a payment, as VTEX knows it."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    CANCELLED = "CANCELLED"
    SETTLED = "SETTLED"
    REFUNDED = "REFUNDED"


# The allowed changes of a payment's status. No other change ever happens, even if a company, a
# notification or a late request asks for it.
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


# The form of VTEX's id of a payment. The order id at the company is derived from this id.
_PAYMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
PAYMENT_ID_FORM = "1 to 128 characters of A-Z a-z 0-9 - _"


def is_payment_id(text: str) -> bool:
    """Whether a text can be VTEX's id of a payment."""
    return _PAYMENT_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class PaymentKey:
    """The ids by which a company finds a payment.

    - `payment_id` is VTEX's id. The order id at the company is derived from this id.
    - `authorization_id` and `provider_payment_id` are ids from the company, or from another
      connector, if VTEX or we got them.
    - `memo` is a text of the provider's module. Only that module reads the memo.
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
        """Whether we know an id that a company gave for the payment."""
        return bool(self.authorization_id or self.provider_payment_id)

    @property
    def is_proof(self) -> bool:
        """Whether VTEX holds a proof that the payment once existed at a company."""
        return self.was_authorized or self.uses_payment_id


@dataclass(frozen=True)
class Payment:
    """A payment, as recorded here.

    - The buyer must pay `amount`, in units of `currency`. A payment that was not created here has
      no amount. `settled` is the amount that was taken, as in the answer to VTEX.
    - `code` and `message` explain the end of the authorization.
    - `is_cancel_asked`: VTEX asked to cancel the whole payment. The cancellation may have failed.
    - `is_manual`: a person was asked to return the money. So no cancellation returns it.
    - `callback_address` is VTEX's address, encrypted. `is_callback_due`: a callback is due.
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
        """Whether VTEX asked this connector to create the payment."""
        return self.amount is not None

    @property
    def is_over(self) -> bool:
        """Whether the payment is over for VTEX, without any money."""
        return self.status in {PaymentStatus.CANCELLED, PaymentStatus.DENIED}

    def moved(self, status: PaymentStatus) -> "Payment":
        """Return the payment in another status. Raises IllegalTransition."""
        if status is not self.status and status not in TRANSITIONS[self.status]:
            raise IllegalTransition(f"A payment that is {self.status} does not become {status}")
        return replace(self, status=status)


# The verdict that follows from a standing, for a payment that is PENDING here. After any other
# standing the payment stays PENDING.
_VERDICTS = {
    Standing.HELD: PaymentStatus.APPROVED,
    Standing.CAPTURED: PaymentStatus.APPROVED,
    Standing.PARTLY_REFUNDED: PaymentStatus.APPROVED,
    Standing.UNDONE: PaymentStatus.DENIED,
}


@dataclass(frozen=True)
class Look:
    """A company's answer to the question how a payment stands.

    - `amount`, in units of `currency`, is the first authorized amount. `captured` is the taken
      amount, and `refunded` the returned amount. None: the company does not show the amount.
    - `cancellation_id` is the company's id of the operation that ended the payment.
    - `failures` counts the failed operations, ours and others', that moved no money.
    - `write_effect` and `write_id` belong to the write whose reference the look asked for, if the
      company shows writes by our reference.
    - `is_another`: the company shows the payment under another order id than VTEX's payment id.
    - The ids, the `payment_url` and the `memo` are None if the answer has nothing new.
    - `again` is the number of seconds until the next look, if the company names it.
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
        """The verdict on the authorization: PENDING, APPROVED or DENIED."""
        return _VERDICTS.get(self.standing, PaymentStatus.PENDING)


class Effect(Enum):
    """The effect of a write, as the company's answer shows it."""

    DONE = "it took effect"
    ACCEPTED = "the company will do it; a later look shows whether it took effect"
    FAILED = "it ended without effect"
    REFUSED = "the company would not begin it"
    UNKNOWN = "the company did not say"


@dataclass(frozen=True)
class WriteResult:
    """The answer to a write: its effect, and the company's id of the write.

    If the effect is UNKNOWN, `lost` says why there is no answer.
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

    - `id` differs between the messages about one payment.
    - `payment_ids` are the possible ids of the payment at VTEX. There may be more than one if the
      company's order id has several readings.
    - `authorization_id` and `provider_payment_id` name a purchase that the buyer began without us.
    """

    id: str
    payment_ids: tuple[str, ...]
    authorization_id: str | None = None
    provider_payment_id: str | None = None
    provider_status: str = ""
