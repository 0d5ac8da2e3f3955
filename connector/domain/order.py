"""The order that a buyer pays for. A company may want these values when a payment is created."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True)
class Line:
    """One line of a cart. `total` is the price of all its pieces, in units, after discounts."""

    id: str
    title: str
    quantity: int
    total: Decimal


@dataclass(frozen=True)
class Buyer:
    """The person who pays. The database holds nothing of the buyer."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@dataclass(frozen=True)
class Order:
    """An order whose payment is to be created.

    `amount` is in units of `currency`. The sum of the lines' totals is exactly the amount.
    `reference` is the shop's number of the order. The buyer goes to `return_url` after the payment.
    The company sends notifications to `notification_url`, which is None if this server has no
    public address. Only the sandbox reads `card_number`, and nobody stores it. `carries_card` says
    whether VTEX sent any field of a card.
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
    """The seconds that VTEX waits before it settles a payment by itself, or gives it up.

    The delays are the same for every payment of a merchant, because VTEX starts a second plan when
    they change. Without antifraud VTEX takes the smaller of the first two, so they are equal.
    """

    auto_settle: int = 21_600
    auto_settle_after_antifraud: int = 21_600
    cancel: int = 21_600
