"""Amounts, exact."""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum


class ValueUnit(StrEnum):
    """The unit of the `value` in VTEX's cancellation (`CONNECTOR_CANCEL_VALUE_UNIT`)."""

    AUTO = "auto"
    CENTS = "cents"
    UNITS = "units"


# A payment's amount, in units, times a factor is a value that VTEX may write for the whole payment.
_FACTORS = {
    ValueUnit.AUTO: (Decimal(1), Decimal(100)),
    ValueUnit.CENTS: (Decimal(100),),
    ValueUnit.UNITS: (Decimal(1),),
}


def only_unit(value: Decimal, amount: Decimal) -> ValueUnit | None:
    """Return the only unit in which `value` is at most the amount. None: both units, or none."""
    if value % 1:
        return ValueUnit.UNITS if value <= amount else None
    return ValueUnit.CENTS if amount < value <= amount * 100 else None


def unit_in_use(unit: ValueUnit, units_seen: Collection[ValueUnit]) -> ValueUnit:
    """Return the unit that `auto` means: the only unit that VTEX wrote, if there is only one."""
    return next(iter(units_seen)) if unit is ValueUnit.AUTO and len(units_seen) == 1 else unit


def is_whole(value: Decimal | None, amount: Decimal | None, unit: ValueUnit) -> bool:
    """Whether `value` is the whole of a payment of `amount` (in units).

    No value means the whole payment. If the amount is unknown, every value counts as the whole.
    VTEX's OpenAPI file says cents for this field, and units for every other field.
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
    """Whether `value` is the whole payment. VTEX wrote the `units_seen` before.

    After VTEX wrote both units, under `auto` a value counts only if a single unit fits.
    """
    if not is_whole(value, amount, unit_in_use(unit, units_seen)):
        return False
    is_clear = unit is not ValueUnit.AUTO or len(units_seen) < len(_FACTORS[unit])
    return is_clear or value is None or amount is None or only_unit(value, amount) is not None


def is_within(value: Decimal, amount: Decimal, unit: ValueUnit) -> bool:
    """Whether `value` is the whole of an amount (in units), or at most the amount in every unit."""
    return is_whole(value, amount, unit) or value <= amount * min(_FACTORS[unit])
