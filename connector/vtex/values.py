"""Reads numbers and texts as VTEX writes them. A number may be a text, a text may be a number.

`connector.domain.exact` decides how the connector writes numbers.
"""

import re
from decimal import Decimal

# Digits before the point, and after it, that an amount may have.
MOST_DIGITS = 15
# Characters of an id by which people search. VTEX's ids of transactions have 32.
MOST_CHARACTERS = 128
# An example in a VTEX guide has "29,90". A comma before exactly three digits is refused: it may
# separate thousands.
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+|,(?![0-9]{3}$)[0-9]+)?([eE][+-]?[0-9]{1,3})?")


def read_number(value: object) -> Decimal | None:
    """Read a number, or a text that is a number. Any other value gives None."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    text = value.strip() if isinstance(value, str) else ""
    return Decimal(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def read_text(value: object) -> str:
    """Read a text, or a whole number as a text. Any other value gives an empty text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def read_id(value: object) -> str | None:
    """Read an id that VTEX wrote for people. Any other value, and a very long text, give None."""
    text = read_text(value)
    return text if 0 < len(text) <= MOST_CHARACTERS else None


def has_few_digits(value: Decimal) -> bool:
    """Whether an amount is short enough to calculate with, and to write without an exponent."""
    is_short = value.is_finite() and value.adjusted() < MOST_DIGITS
    return is_short and decimals(value) <= MOST_DIGITS


def decimals(value: Decimal) -> int:
    """Count the digits after the point."""
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
