"""The output of the command: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from connector.domain.operation import ListedRequest

if TYPE_CHECKING:
    from connector.storage.stored_merchant import Credentials

as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")


def credentials(given: "Credentials") -> dict[str, str]:
    return {
        "merchant": given.merchant,
        "provider": given.provider,
        "appKey": given.app_key,
        "appToken": given.app_token,
    }


def print_credentials(given: "Credentials", *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps(credentials(given)))
        return
    print_rows([credentials(given)], is_json=False)
    click.echo("\nKeep the AppToken now: it is not shown again.")


def operation(row: ListedRequest) -> dict[str, Any]:
    return {
        "merchant": row.merchant,
        "provider": row.provider,
        "operation": row.operation,
        "paymentId": row.payment_id,
        "requestId": row.request_id,
        "state": row.state.value,
        "code": row.code,
        "reference": row.reference,
        "attempts": row.attempts,
        "createdAt": instant(row.created_at),
        "updatedAt": instant(row.updated_at),
    }


def print_operations(rows: Sequence[ListedRequest], *, is_json: bool) -> None:
    """Print rows. Only the table for people has the message and the reason."""
    if is_json:
        print_rows([operation(row) for row in rows], is_json=True)
        return
    print_rows([operation(row) | _message_and_reason(row) for row in rows], is_json=False)


def _message_and_reason(row: ListedRequest) -> dict[str, str | None]:
    """Return the message, and the reason if the message does not contain it."""
    is_in_message = row.reason is None or row.reason in (row.message or "")
    return {"message": row.message, "reason": None if is_in_message else row.reason}


def instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def print_rows(rows: list[dict[str, Any]], *, is_json: bool) -> None:
    """Print a table, or a JSON array of objects."""
    if is_json:
        click.echo(json.dumps(rows, indent=2))
        return
    if not rows:
        click.echo("none")
        return
    texts = [[cell(value) for value in row.values()] for row in rows]
    lines = [list(rows[0]), *texts]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def cell(value: Any) -> str:
    """Escape control characters, so that a terminal shows a text and does not obey it."""
    text = "-" if value is None else str(value)
    return text if text.isprintable() else ascii(text)
