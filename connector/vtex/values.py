"""Numbers and texts as VTEX writes them in JSON. A number may be a text, a text may be a number.

How numbers are written is decided in `connector.domain.exact`.
"""

import re
from decimal import Decimal

# Digits before the point, and after it, that an amount may have.
MOST_DIGITS = 15
# "29,90" appears in a VTEX guide's example. A comma before three digits may as well part thousands.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+|,(?![0-9]{3}$)[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def read_number(value: object) -> Decimal | None:
    """Read a number, or a text that is a number; None for any other value."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    text = value.strip() if isinstance(value, str) else ""
    return Decimal(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def read_text(value: object) -> str:
    """Read a text, or a whole number as a text; empty for any other value."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def has_few_digits(value: Decimal) -> bool:
    """Whether an amount can be calculated with and written without an exponent."""
    is_short = value.is_finite() and value.adjusted() < MOST_DIGITS
    return is_short and decimals(value) <= MOST_DIGITS


def decimals(value: Decimal) -> int:
    """Count the digits after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
