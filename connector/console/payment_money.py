"""What became of a payment's money, as a bar."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.domain.payment import Payment, PaymentStatus
from connector.domain.write import CANCEL_BY_REFUND, REFUND, Write, WriteState
from connector.pages.languages import lazy_gettext as _

# The width of the whole bar, in units of the drawing.
WIDTH = Decimal(600)
_ZERO = Decimal(0)


@dataclass(frozen=True)
class Part:
    """A part of the bar: its amount, its words, the class of its colour, its place and width."""

    amount: Decimal
    words: Any
    colour: str
    x: str
    width: str


@dataclass(frozen=True)
class Money:
    """The amounts of a payment as recorded here, in units. Together they are the whole amount."""

    held: Decimal = _ZERO
    taken: Decimal = _ZERO
    returned: Decimal = _ZERO
    free: Decimal = _ZERO

    def parts(self) -> list[Part]:
        """Return the parts that are above zero, from left to right."""
        whole = self.held + self.taken + self.returned + self.free
        parts, x = [], _ZERO
        for amount, words, colour in (
            (self.taken, TAKEN, "fill-good"),
            (self.held, HELD, "fill-held"),
            (self.returned, RETURNED, "fill-bad"),
            (self.free, FREE, "fill-line"),
        ):
            if amount > 0:
                width = amount / whole * WIDTH
                parts.append(Part(amount, words, colour, f"{x:.2f}", f"{width:.2f}"))
                x += width
        return parts


TAKEN = _("taken for the shop")
HELD = _("approved; VTEX has not asked to take it yet")
RETURNED = _("returned to the buyer")
FREE = _("not held and not taken")


def money_of(payment: Payment, writes: Sequence[Write]) -> Money | None:
    """Return the amounts of a payment. None: the payment was not created here."""
    whole = payment.amount
    if not whole:
        return None
    if payment.status is PaymentStatus.APPROVED:
        return Money(held=whole)
    settled = min(payment.settled or _ZERO, whole)
    returned = min(_returned(payment, writes, settled), whole)
    taken = max(settled - returned, _ZERO) if not payment.is_over else _ZERO
    return Money(taken=taken, returned=returned, free=whole - taken - returned)


def _returned(payment: Payment, writes: Sequence[Write], settled: Decimal) -> Decimal:
    if payment.status is PaymentStatus.REFUNDED:
        return settled
    done = [write for write in writes if write.state is WriteState.DONE]
    parts = [write.amount or settled for write in done if write.action == REFUND]
    is_by_refund = any(write.action == CANCEL_BY_REFUND for write in done)
    whole = payment.settled or payment.amount or _ZERO
    return whole if is_by_refund else sum(parts, _ZERO)
