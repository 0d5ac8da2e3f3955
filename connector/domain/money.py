"""Amounts, exact."""

from collections.abc import Collection
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


def only_unit(value: Decimal, amount: Decimal) -> ValueUnit | None:
    """Return the one unit in which a part or all of an amount can be written so."""
    if value % 1:
        return ValueUnit.UNITS if value <= amount else None
    return ValueUnit.CENTS if amount < value <= amount * 100 else None


def unit_in_use(unit: ValueUnit, units_seen: Collection[ValueUnit]) -> ValueUnit:
    """Return what `auto` means where VTEX was seen to write one unit only."""
    return next(iter(units_seen)) if unit is ValueUnit.AUTO and len(units_seen) == 1 else unit


def is_whole(value: Decimal | None, amount: Decimal | None, unit: ValueUnit) -> bool:
    """Whether cancelling `value` means all of a payment of `amount` (in units).

    An absent value is the whole; where the company shows no amount nothing can be compared.
    VTEX's OpenAPI file says cents for this field and units for every other.
    """
    if value is None or amount is None:
        return True
    return any(value == amount * factor for factor in _FACTORS[unit])


def is_all(
    value: Decimal | None,
    amount: Decimal | None,
    unit: ValueUnit,
    units_seen: Collection[ValueUnit],
) -> bool:
    """Whether cancelling `value` means all, where VTEX was seen to write the units `seen`.

    After both were seen, a value counts under `auto` only if it can be in one unit alone.
    """
    if not is_whole(value, amount, unit_in_use(unit, units_seen)):
        return False
    is_clear = unit is not ValueUnit.AUTO or len(units_seen) < len(_FACTORS[unit])
    return is_clear or value is None or amount is None or only_unit(value, amount) is not None


def is_within(value: Decimal, amount: Decimal, unit: ValueUnit) -> bool:
    """Whether `value` is all of an amount (in units), or no more than it in whichever unit."""
    return is_whole(value, amount, unit) or value <= amount * min(_FACTORS[unit])
