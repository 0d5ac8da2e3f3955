"""JSON whose numbers are exact."""

import json
from decimal import Decimal


def loads(text: str | bytes) -> object:
    """Read JSON; a number with a fraction or an exponent is a Decimal. Raises ValueError."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("not to be read") from error


def _refuse(name: str) -> object:
    raise ValueError(name)
