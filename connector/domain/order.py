"""What a buyer is to pay for: all a company may want to know when a payment is created."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Line:
    """One line of a cart: `total` is in units, of all its pieces, discounts taken off."""

    id: str
    title: str
    quantity: int
    total: Decimal


@dataclass(frozen=True)
class Buyer:
    """Who pays. Nothing of it is stored."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True)
class Order:
    """A payment to be created.

    `amount` is in units of `currency`; the lines' totals make up exactly that. `reference` is
    the shop's own number of the order. `return_url` is where the buyer goes afterwards,
    `notification_url` where the company reports, None when this server has no public address.
    `card_number` is only ever read by the sandbox, and never stored; `carries_card` says whether
    there was anything of a card at all.
    """

    payment_id: str
    amount: Decimal
    currency: str
    reference: str = ""
    method: str = ""
    lines: tuple[Line, ...] = ()
    buyer: Buyer = field(default_factory=Buyer, repr=False)
    return_url: str = ""
    notification_url: str | None = None
    card_number: str | None = field(default=None, repr=False)
    carries_card: bool = False


@dataclass(frozen=True)
class Delays:
    """Seconds VTEX waits before it settles by itself, and before it gives a payment up.

    The same for every payment of a merchant: VTEX starts a second plan when they change. With
    no antifraud VTEX takes the smaller of the first two, so they are equal.
    """

    auto_settle: int = 21_600
    auto_settle_after_antifraud: int = 21_600
    cancel: int = 21_600
