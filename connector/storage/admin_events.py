"""The changes of merchants: by administrative commands, and by settings in VTEX's requests."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connector.storage.columns import Row
from connector.storage.database import Connection

_INSERT_EVENT = """
    INSERT INTO admin_events (merchant_id, at, actor, command, changed, settings, payment_id)
    VALUES (:merchant_id, NOW, :actor, :command, :changed, :settings, :payment_id)"""
_EVENTS_OF_MERCHANT = """
    SELECT id, at, actor, command, changed, settings IS NOT NULL AS is_undoable
    FROM admin_events
    WHERE merchant_id = :merchant_id ORDER BY id DESC LIMIT :most"""
# More events than a merchant has.
ALL_EVENTS = 10**9
# Without `event_id` this is the newest event.
_EVENT_WITH_SETTINGS = """
    SELECT id, settings FROM admin_events
    WHERE merchant_id = :merchant_id AND settings IS NOT NULL AND id = coalesce(:event_id, id)
    ORDER BY id DESC LIMIT 1"""

# The actor of a change that no person made.
CONNECTOR, VTEX = "connector", "VTEX's Provider Fields"

# A setting's fingerprints before and after, None where the setting has no value.
Change = tuple[str | None, str | None]


@dataclass(frozen=True)
class AdminEvent:
    """One change. `at` is in seconds since 1970. A change of settings can be undone."""

    id: int
    at: float
    actor: str
    command: str
    settings: Mapping[str, Change]
    options: Mapping[str, Any]
    is_undoable: bool


@dataclass(frozen=True)
class Detail:
    """Times, tokens and events of a merchant. The newest is first; times are seconds since 1970."""

    created_at: float
    updated_at: float
    fields_seen_at: float | None
    tokens: Sequence[float]
    events: Sequence[AdminEvent]
    fingerprints: Mapping[str, str]


def changes(
    fingerprint: Callable[[str, str], str], before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, Change]:
    """Return the settings that differ, each with its two fingerprints."""

    def fingerprint_of(values: Mapping[str, str], key: str) -> str | None:
        return fingerprint(key, values[key]) if key in values else None

    changed = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    return {key: (fingerprint_of(before, key), fingerprint_of(after, key)) for key in changed}


def record(
    connection: Connection,
    merchant_id: int | None,
    actor: str,
    command: str,
    *,
    settings: Mapping[str, Change] | None = None,
    replaced: str | None = None,
    payment: str | None = None,
    **options: Any,
) -> None:
    """Add an event. `replaced` holds the settings before the change, encrypted.

    `payment` is VTEX's id of the payment that the event is about.
    """
    if payment is not None:
        options["payment"] = payment
    connection.run(
        _INSERT_EVENT,
        merchant_id=merchant_id,
        actor=actor,
        command=command,
        changed=json.dumps({"settings": dict(settings or {}), "options": options}),
        settings=replaced,
        payment_id=payment,
    )


def events_of(connection: Connection, merchant_id: int, most: int) -> list[AdminEvent]:
    """Return at most so many events of a merchant, the newest first."""
    rows = connection.all(_EVENTS_OF_MERCHANT, merchant_id=merchant_id, most=most)
    return [event_from(row) for row in rows]


def replaced_by(
    connection: Connection, merchant_id: int, event_id: int | None
) -> tuple[int, str] | None:
    """Return an event that replaced settings, and the replaced settings, encrypted."""
    row = connection.first_row(_EVENT_WITH_SETTINGS, merchant_id=merchant_id, event_id=event_id)
    return None if row is None else (row["id"], row["settings"])


def event_from(row: Row) -> AdminEvent:
    changed = json.loads(row["changed"])
    settings = {key: (before, after) for key, (before, after) in changed["settings"].items()}
    return AdminEvent(
        id=row["id"],
        at=float(row["at"]),
        actor=row["actor"],
        command=row["command"],
        settings=settings,
        options=changed["options"],
        is_undoable=bool(row["is_undoable"]),
    )
