"""JSON whose numbers are exact."""

import json
from decimal import Decimal

# Members of a body whose sender is not known yet. The largest documented notification, one of
# Cryptomus's, has some thirty.
MOST_MEMBERS = 200


def check_members(text: bytes) -> None:
    """Refuse JSON of many members, or deep, before it is read. Raises ValueError.

    What separates and opens members is counted, in texts too: that takes microseconds.
    """
    if sum(map(text.count, (b",", b"[", b"{"))) > MOST_MEMBERS:
        raise ValueError("too many members")


def loads(text: str | bytes, *, is_unique: bool = False) -> object:
    """Read JSON; a number with a fraction or an exponent is a Decimal. Raises ValueError.

    Where it `is_unique`, an object that names a member twice is refused.
    """
    pairs = _unique if is_unique else None
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=pairs
        )
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("not to be read") from error


def dumps(value: object) -> str:
    """Write JSON; a Decimal as a number with exactly its digits and no exponent.

    A float is refused: its digits are not those that were meant. Raises TypeError, and ValueError
    for a Decimal that is no number.
    """
    match value:
        case Decimal():
            return _number(value)
        case float():
            raise TypeError("a float is not exact")
        case dict():
            members = (
                f"{json.dumps(str(name))}: {dumps(member)}" for name, member in value.items()
            )
            return "{" + ", ".join(members) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(dumps, value)) + "]"
    return json.dumps(value)


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError("not a number")
    return str(int(value)) if value == value.to_integral_value() else format(value, "f")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _refuse(name: str) -> object:
    raise ValueError(name)
