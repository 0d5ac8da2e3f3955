"""A payment's story, printed."""

from collections.abc import Sequence
from typing import Any

from connector.cli.output import instant, print_rows
from connector.domain.operation import Operation
from connector.domain.story import Kind, Step


def print_story(steps: Sequence[Step], *, is_json: bool) -> None:
    print_rows(
        [_json_row(step) if is_json else _table_row(step) for step in steps], is_json=is_json
    )


def _json_row(step: Step) -> dict[str, Any]:
    return {
        "at": instant(step.at),
        "step": step.kind.value,
        "operation": step.operation,
        "requestId": step.request_id,
        "attempt": step.attempt,
        "action": step.action,
        "reference": step.reference,
        "amount": None if step.amount is None else str(step.amount),
        "word": step.reported_status,
        "httpStatus": step.http_status,
        "state": step.state,
        "code": step.code,
        "message": step.message,
        "reason": step.reason,
        "who": step.who,
        "note": step.note,
    }


def _table_row(step: Step) -> dict[str, Any]:
    is_notification = step.operation == Operation.NOTIFICATION
    return {
        "at": instant(step.at),
        "step": step.kind.value,
        "operation": step.operation,
        # The id of a notification is long, and the connector made it.
        "requestId": None if is_notification else step.request_id or None,
        "attempt": step.attempt,
        "what": _description(step),
    }


def _description(step: Step) -> str:
    """Describe a step. Each known value stands beside its name."""
    parts = (
        (step.action or "").removeprefix("asked-"),
        _amount(step),
        _reference(step),
        _status(step),
        _with_name("HTTP", step.http_status),
        _with_name("code", step.code),
        _message(step),
        _reason(step),
        _with_name("by", step.who),
        _with_name("note:", step.note),
    )
    return ", ".join(filter(None, parts))


def _with_name(name: str, value: object) -> str:
    return "" if value in {None, ""} else f"{name} {value}"


def _reference(step: Step) -> str:
    """Return our reference of a write, or the id in an answer to VTEX."""
    return _with_name("id" if step.kind is Kind.TOLD else "reference", step.reference)


def _amount(step: Step) -> str:
    """Return the amount. A request of VTEX's without an amount asks for the whole payment."""
    is_whole = step.amount is None and step.kind is Kind.ASKED
    return "all of it" if is_whole else _with_name("amount", step.amount)


def _status(step: Step) -> str:
    """Return the status. Our own status has a name before it; a company's status has quotes."""
    if not step.reported_status:
        return ""
    is_ours = step.kind in {Kind.TOLD, Kind.CALLED_BACK}
    return f"status {step.reported_status}" if is_ours else f'"{step.reported_status}"'


def _message(step: Step) -> str:
    is_reading = step.message and step.kind is Kind.ANSWERED
    return f"read as {step.message}" if is_reading else step.message or ""


def _reason(step: Step) -> str:
    """Return the reason, unless the message contains it."""
    is_said = step.reason and step.reason in (step.message or "")
    return "" if is_said else _with_name("why:", step.reason)
