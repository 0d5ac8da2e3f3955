"""What a column holds, and what it means."""

import json
from decimal import Decimal


def decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def escaped(value: str | None) -> str | None:
    """Write any characters, NUL and lone surrogates too, as ones every database takes."""
    return None if value is None else json.dumps(value)[1:-1]


def plain(value: str | None) -> str | None:
    """Read what `escaped` wrote; the first version wrote cancellationIds as they came."""
    try:
        return None if value is None else str(json.loads(f'"{value}"'))
    except ValueError:
        return value
