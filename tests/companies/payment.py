"""A payment at its company: what a buyer and the company itself may do with it."""

from decimal import Decimal
from typing import Any

Money = tuple[Decimal, Decimal, Decimal]


class CompanyPayment:
    """A payment at a company's stand-in. A stand-in with words of its own has a subclass."""

    def __init__(self, company: Any, payment_id: str) -> None:
        self.company = company
        self.payment_id = payment_id

    @property
    def exists(self) -> bool:
        return self.payment_id in self.company.orders

    @property
    def is_unpaid(self) -> bool:
        """Whether nothing happened yet, so that a buyer may begin."""
        return self.exists

    def start(self) -> None:
        """The app begins a purchase, where it is the app that does."""

    def underpay(self, _amount: Decimal) -> bool:
        """Let another amount be asked of the buyer than VTEX said; say whether that can be."""
        return False

    def begin_paying(self) -> None:
        self.company.pay(self.payment_id, "pending")

    def pay(self) -> None:
        self.company.pay(self.payment_id)

    def decline(self) -> None:
        self.company.decline(self.payment_id)

    def expire(self) -> None:
        self.company.expire(self.payment_id)

    def finish(self, *, well: bool = True) -> None:
        self.company.finish(self.payment_id, well=well)

    def mood(self, word: str) -> None:
        """Let operations end "at once", "later" (by `finish`) or "badly"."""
        self.company.is_slow = word == "later"
        for name in ("void", "capture", "refund"):
            setattr(self.company, f"{name}_ends_in", "failure" if word == "badly" else "success")

    @property
    def money(self) -> Money:
        held, taken, returned = self.company.money(self.payment_id)
        return Decimal(held), Decimal(taken), Decimal(returned)

    def notification(self) -> tuple[bytes, dict[str, str]]:
        message: tuple[bytes, dict[str, str]] = self.company.notification(self.payment_id)
        return message

    def count(self, *names: str) -> int:
        """Add up what these writes did to this payment."""
        effects, ids = self.company.effects, self.company.names(self.payment_id)
        return sum(effects[f"{name}:{own}"] for name in names for own in ids)
