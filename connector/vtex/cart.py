"""The lines of an order, made of VTEX's cart so that they sum exactly to what is paid.

A company that wants lines refuses a payment whose lines have another sum. VTEX does not say whether
the price of an item includes its discount. Nor is the sum always the payment's value: a gift card
pays a part, interest adds to it. So a part of the cart that cannot be read is left out, and the
other lines are changed until the sum is right.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

from connector.domain.order import Line
from connector.vtex.values import MOST_DIGITS, decimals, has_few_digits, read_number, read_text

# Items that are read. The rest is one line: a body may name sixty thousand items.
MOST_ITEMS = 500
# Digits of a product of two amounts, and room for the sum of a long cart.
_PRECISION = 4 * MOST_DIGITS + 10
# Decimals of a line, unless the payment itself has more.
_CENTS = 2
_NOTHING = Decimal(0)

# Two meanings of an item's total: the discount is to be subtracted, or was subtracted already.
_READINGS: tuple[Callable[[Decimal, Decimal], Decimal], ...] = (
    lambda price, discount: price - abs(discount),
    lambda price, _: price,
)
# Charges beside the items: the cart's field, the line's id and its title.
_CHARGES = (("shippingValue", "shipping", "Shipping"), ("taxValue", "tax", "Tax"))


def lines_of(amount: Decimal, cart: Mapping[str, Any]) -> tuple[Line, ...]:
    """Return at least one line, each above zero, whose totals sum to `amount`."""
    with localcontext(Context(prec=_PRECISION)):
        unit = Decimal(1).scaleb(-max(_CENTS, decimals(amount)))
        readings = [_read(cart, reading, unit) for reading in _READINGS]
        exact = [lines for lines in readings if _sum(lines) == amount]
        return tuple(_fitted(exact[0] if exact else readings[0], amount))


def read_amount(value: object) -> Decimal | None:
    """Read an amount of the cart; None for what is no number, or has too many digits."""
    found = read_number(value)
    return found if found is not None and has_few_digits(found) else None


def _read(
    cart: Mapping[str, Any], reading: Callable[[Decimal, Decimal], Decimal], unit: Decimal
) -> list[Line]:
    lines = [*_items(cart, reading), *_charges(cart)]
    rounded = (
        replace(line, total=line.total.quantize(unit, rounding=ROUND_HALF_UP)) for line in lines
    )
    return [line for line in rounded if line.total > 0]


def _items(
    cart: Mapping[str, Any], reading: Callable[[Decimal, Decimal], Decimal]
) -> Iterator[Line]:
    items = cart.get("items")
    for place, item in enumerate(items[:MOST_ITEMS] if isinstance(items, list) else [], start=1):
        if not isinstance(item, dict):
            continue
        price, quantity = read_amount(item.get("price")), read_amount(item.get("quantity", 1))
        if price is None or quantity is None or quantity <= 0:
            continue
        own = read_text(item.get("id")) or str(place)
        total = reading(price * quantity, read_amount(item.get("discount")) or _NOTHING)
        # Half a kilogram is one piece.
        pieces = int(quantity) if quantity == int(quantity) else 1
        yield Line(own, read_text(item.get("name")) or own, pieces, total)


def _charges(cart: Mapping[str, Any]) -> Iterator[Line]:
    for field, own, title in _CHARGES:
        yield Line(own, title, 1, read_amount(cart.get(field)) or _NOTHING)


def _sum(lines: Sequence[Line]) -> Decimal:
    return sum((line.total for line in lines), _NOTHING)


def _fitted(lines: list[Line], amount: Decimal) -> list[Line]:
    """Make lines sum to `amount`: shorten the last lines, or add a line."""
    if not lines:
        return [Line("order", "Order", 1, amount)]
    excess = _sum(lines) - amount
    if excess < 0:
        return [*lines, Line("other", "Other charges", 1, -excess)]
    while excess >= lines[-1].total:
        excess -= lines.pop().total
    return [*lines[:-1], replace(lines[-1], total=lines[-1].total - excess)]
