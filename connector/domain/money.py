"""Amounts, exact."""

from decimal import Decimal
from enum import StrEnum


class ValueUnit(StrEnum):
    """In what VTEX's cancel `value` is written (`CONNECTOR_CANCEL_VALUE_UNIT`)."""

    AUTO = "auto"
    CENTS = "cents"
    UNITS = "units"


# Factors from a payment's amount, in units, to the value VTEX may write for the whole of it.
_FACTORS = {
    ValueUnit.AUTO: (Decimal(1), Decimal(100)),
    ValueUnit.CENTS: (Decimal(100),),
    ValueUnit.UNITS: (Decimal(1),),
}


def is_whole(value: Decimal | None, amount: Decimal | None, unit: ValueUnit) -> bool:
    """Whether cancelling `value` means all of a payment of `amount` (in units).

    An absent value is the whole; where the company shows no amount nothing can be compared.
    VTEX's OpenAPI file says cents for this field and units for every other.
    """
    if value is None or amount is None:
        return True
    return any(value == amount * factor for factor in _FACTORS[unit])


def is_within(value: Decimal, amount: Decimal, unit: ValueUnit) -> bool:
    """Whether `value` is all of an amount (in units), or no more than it in whichever unit."""
    return is_whole(value, amount, unit) or value <= amount * min(_FACTORS[unit])
