"""What `connector merchants show` prints."""

import json
from collections.abc import Iterator
from typing import Any

import click

from connector import providers
from connector.cli.output import cell, instant, print_rows
from connector.domain.merchant import Merchant
from connector.storage.admin_events import AdminEvent, Detail
from connector.storage.stored_merchant import StoredMerchant

# Events in the table for people. The JSON has all events.
SHOWN_EVENTS = 10


def print_merchant(entry: StoredMerchant, detail: Detail, *, is_json: bool) -> None:
    row = _merchant(entry, detail)
    if is_json:
        click.echo(json.dumps(row, indent=2))
        return
    lists = {name: row.pop(name) for name in ("settings", "events")}
    for name, value in row.items():
        text = (", ".join(map(str, value)) or None) if isinstance(value, list) else value
        click.echo(f"{name:16}  {cell(text)}")
    for name, rows in lists.items():
        click.echo(f"\n{name}")
        print_rows([_flat(item) for item in rows[:SHOWN_EVENTS]], is_json=False)


def _merchant(entry: StoredMerchant, detail: Detail) -> dict[str, Any]:
    merchant = entry.merchant
    return {
        "merchant": merchant.name,
        "provider": merchant.provider,
        "appKey": entry.app_key,
        "sandbox": merchant.sandbox,
        "captured": merchant.captured.value,
        "store": entry.store,
        "account": entry.account,
        "disabled": entry.is_disabled,
        "settingsFrom": merchant.settings_from.value,
        "fieldsDiffer": list(entry.fields_differ),
        "fieldsSeenAt": None if detail.fields_seen_at is None else instant(detail.fields_seen_at),
        "createdAt": instant(detail.created_at),
        "updatedAt": instant(detail.updated_at),
        "tokensCreatedAt": [instant(at) for at in detail.tokens],
        "settings": list(_settings(merchant, detail)),
        "events": [_event(event) for event in detail.events],
    }


def _settings(merchant: Merchant, detail: Detail) -> Iterator[dict[str, Any]]:
    """Show each setting and who changed it last. A secret is shown only as a fingerprint."""
    kind = providers.discover().get(merchant.provider)
    plain = {setting.key for setting in kind.settings if not setting.is_secret} if kind else set()
    for key, value in merchant.settings.items():
        last = next((event for event in detail.events if key in event.settings), None)
        yield {
            "setting": key,
            "value": value if key in plain else None,
            "fingerprint": detail.fingerprints[key],
            "changedAt": last and instant(last.at),
            "changedBy": last and last.actor,
        }


def _event(event: AdminEvent) -> dict[str, Any]:
    return {
        "event": event.id,
        "at": instant(event.at),
        "by": event.actor,
        "command": event.command,
        "settings": {key: list(change) for key, change in event.settings.items()},
        "options": dict(event.options),
        "isUndoable": event.is_undoable,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Write all changes of an event into one cell, as `api_key: 12ab -> 34cd`."""
    if "event" not in row:
        return row
    changes = [
        f"{key}: {old or '-'} -> {new or '-'}" for key, (old, new) in row["settings"].items()
    ]
    changes += [f"{name}: {value}" for name, value in row["options"].items()]
    return {
        **{name: row[name] for name in ("event", "at", "by", "command")},
        "changed": "; ".join(changes),
    }
