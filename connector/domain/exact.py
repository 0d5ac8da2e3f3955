"""JSON whose numbers are exact."""

import json
from decimal import Decimal

# The most members in a body while the sender is still unknown. The largest documented notification
# is Cryptomus's, with about thirty members.
MOST_MEMBERS = 200


def check_members(text: bytes) -> None:
    """Refuse JSON with many members, or with deep members, before it is read. Raises ValueError.

    The check counts the characters `,`, `[` and `{`, also inside texts. That takes microseconds.
    """
    if sum(map(text.count, (b",", b"[", b"{"))) > MOST_MEMBERS:
        raise ValueError("too many members")


def loads(text: str | bytes, *, is_unique: bool = False) -> object:
    """Read JSON. A number with a fraction or an exponent becomes a Decimal. Raises ValueError.

    With `is_unique`, an object with two members of one name is refused.
    """
    pairs = _unique if is_unique else None
    try:
        return json.loads(
            text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=pairs
        )
    except (ArithmeticError, RecursionError) as error:
        raise ValueError("not to be read") from error


def dumps(value: object) -> str:
    """Write JSON. A Decimal becomes a number with exactly its digits and no exponent.

    A float is refused, because its digits are not exact. Raises TypeError for a float, and
    ValueError for a Decimal that is no number.
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
