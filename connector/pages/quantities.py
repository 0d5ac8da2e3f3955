"""Numbers of a page in the reader's way: counts, shares, seconds and ages."""

import math

from babel.dates import format_timedelta
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from connector.pages.languages import ABSENT, locale


def number(value: float) -> str:
    return format_decimal(value, locale=locale())


def share(value: float | None) -> str:
    """Write a share of 1 in percent, rounded down, so that 100 % means all."""
    if value is None:
        return ABSENT
    rounded = math.floor(value * 1000) / 1000
    return format_percent(rounded, locale=locale(), decimal_quantization=False)


def seconds(value: float | None) -> str:
    """Write a short time in seconds: with two digits behind the point if it is below 10 s."""
    if value is None:
        return ABSENT
    form = "#,##0.00" if value < 10 else "#,##0"  # noqa: PLR2004 - the docstring has the number
    return format_unit(value, "duration-second", length="short", format=form, locale=locale())


def age(value: float) -> str:
    """Write a time, given in seconds, rounded to one unit, such as `3 days`."""
    return format_timedelta(max(round(value), 1), threshold=1.0, locale=locale())
