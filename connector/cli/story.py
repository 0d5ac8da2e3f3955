"""A payment's story, printed."""

from collections.abc import Sequence
from typing import Any

from connector.cli.output import instant, print_rows
from connector.domain.operation import Operation
from connector.domain.story import Kind, Step


def print_story(steps: Sequence[Step], *, is_json: bool) -> None:
    print_rows([_whole(step) if is_json else _line(step) for step in steps], is_json=is_json)


def _whole(step: Step) -> dict[str, Any]:
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
    }


def _line(step: Step) -> dict[str, Any]:
    is_notification = step.operation == Operation.NOTIFICATION
    return {
        "at": instant(step.at),
        "step": step.kind.value,
        "operation": step.operation,
        # The id of a notification is long, and the connector made it.
        "requestId": None if is_notification else step.request_id or None,
        "attempt": step.attempt,
        "what": _what(step),
    }


def _what(step: Step) -> str:
    """Say everything that is known of a step, each thing with its name."""
    parts = (
        (step.action or "").removeprefix("asked-"),
        _amount(step),
        _named("reference", step.reference),
        _status(step),
        _named("HTTP", step.http_status),
        _named("code", step.code),
        _message(step),
        _reason(step),
        _named("by", step.who),
    )
    return ", ".join(filter(None, parts))


def _named(name: str, value: object) -> str:
    return "" if value in {None, ""} else f"{name} {value}"


def _amount(step: Step) -> str:
    """VTEX asks for the whole payment where it names no amount."""
    is_whole = step.amount is None and step.kind is Kind.ASKED
    return "all of it" if is_whole else _named("amount", step.amount)


def _status(step: Step) -> str:
    """A status of ours has a name before it; a company's word stands in quotes."""
    if not step.reported_status:
        return ""
    is_ours = step.kind in {Kind.TOLD, Kind.CALLED_BACK}
    return f"status {step.reported_status}" if is_ours else f'"{step.reported_status}"'


def _message(step: Step) -> str:
    is_reading = step.message and step.kind is Kind.ANSWERED
    return f"read as {step.message}" if is_reading else step.message or ""


def _reason(step: Step) -> str:
    """The reason is left out where the message says the same."""
    is_said = step.reason and step.reason in (step.message or "")
    return "" if is_said else _named("why:", step.reason)
