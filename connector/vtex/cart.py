"""Makes the lines of an order from VTEX's cart. Their sum is exactly the payment's amount.

A company that wants lines refuses a payment whose lines have another sum. VTEX does not say whether
the price of an item includes its discount. The sum of the cart may differ from the payment's value:
a gift card pays a part, or interest is added. So this module leaves out what it cannot read, and
changes the other lines until the sum is right.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

from connector.domain.order import Line
from connector.vtex.values import MOST_DIGITS, decimals, has_few_digits, read_number, read_text

# Items that are read. All others become one line: a body may name sixty thousand items.
MOST_ITEMS = 500
# Digits of a product of two amounts, and room for the sum of a long cart.
_PRECISION = 4 * MOST_DIGITS + 10
# Decimals of a line, unless the payment itself has more.
_CENTS = 2
_NOTHING = Decimal(0)

# Two meanings of an item's price: without the discount, or with the discount already subtracted.
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
        readings = [_lines(cart, reading, unit) for reading in _READINGS]
        matching = [lines for lines in readings if _total(lines) == amount]
        return tuple(_fit_to_amount(matching[0] if matching else readings[0], amount))


def read_amount(value: object) -> Decimal | None:
    """Read an amount of the cart. None: it is no number, or it has too many digits."""
    number = read_number(value)
    return number if number is not None and has_few_digits(number) else None


def _lines(
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
    for position, item in enumerate(items[:MOST_ITEMS] if isinstance(items, list) else [], start=1):
        if not isinstance(item, dict):
            continue
        price, quantity = read_amount(item.get("price")), read_amount(item.get("quantity", 1))
        if price is None or quantity is None or quantity <= 0:
            continue
        line_id = read_text(item.get("id")) or str(position)
        total = reading(price * quantity, read_amount(item.get("discount")) or _NOTHING)
        # Half a kilogram is one piece.
        pieces = int(quantity) if quantity == int(quantity) else 1
        yield Line(line_id, read_text(item.get("name")) or line_id, pieces, total)


def _charges(cart: Mapping[str, Any]) -> Iterator[Line]:
    for field, line_id, title in _CHARGES:
        yield Line(line_id, title, 1, read_amount(cart.get(field)) or _NOTHING)


def _total(lines: Sequence[Line]) -> Decimal:
    return sum((line.total for line in lines), _NOTHING)


def _fit_to_amount(lines: list[Line], amount: Decimal) -> list[Line]:
    """Make the sum of the lines `amount`: shorten the last lines, or add a line."""
    if not lines:
        return [Line("order", "Order", 1, amount)]
    excess = _total(lines) - amount
    if excess < 0:
        return [*lines, Line("other", "Other charges", 1, -excess)]
    while excess >= lines[-1].total:
        excess -= lines.pop().total
    return [*lines[:-1], replace(lines[-1], total=lines[-1].total - excess)]
