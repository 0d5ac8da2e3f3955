"""Functions that write values into columns, and read them. None stays None."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

# This encoder is faster than `json.dumps`. Every request needs it several times.
_json_text = json.JSONEncoder().encode
# A row of a table, by the names of its columns.
Row = Mapping[str, Any]


def listed(names: Iterable[str], table: str = "") -> str:
    """Write columns as a list: `a, b`, or `table.a, table.b`."""
    return ", ".join(f"{table}.{name}" if table else name for name in names)


def parameters(names: Iterable[str]) -> str:
    """Write the parameters of columns as a list: `:a, :b`."""
    return ", ".join(f":{name}" for name in names)


def assignments(names: Iterable[str]) -> str:
    """Write the assignments of an UPDATE: `a = :a, b = :b`."""
    return ", ".join(f"{name} = :{name}" for name in names)


def decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def flag(value: Any) -> bool | None:
    """Read a truth value. SQLite returns 0 or 1."""
    return None if value is None else bool(value)


def escaped(value: str | None) -> str | None:
    """Write any characters, also NUL and lone surrogates, so that every database takes them."""
    return None if value is None else _json_text(value)[1:-1]


def unescaped(value: str | None) -> str | None:
    """Read a text that `escaped` wrote.

    The first version wrote cancellationIds without escapes. Such a text is returned unchanged.
    """
    if value is None or "\\" not in value:
        return value
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value
