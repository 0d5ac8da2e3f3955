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
        # A notification's is long, and made here.
        "requestId": None if is_notification else step.request_id or None,
        "attempt": step.attempt,
        "what": _what(step),
    }


def _what(step: Step) -> str:
    """Say what is known of a step, each thing with its name; what it lacks is left out."""
    kind, message, reason = step.kind, step.message, step.reason
    amount = "all of it" if kind is Kind.ASKED else None
    is_status = kind in {Kind.TOLD, Kind.CALLED_BACK}
    is_said = reason and reason in (message or "")
    said = (
        step.action and step.action.removeprefix("asked-"),
        amount if step.amount is None else f"amount {step.amount}",
        step.reference and f"reference {step.reference}",
        step.reported_status
        and (f"status {step.reported_status}" if is_status else f'"{step.reported_status}"'),
        None if step.http_status is None else f"HTTP {step.http_status}",
        step.code and f"code {step.code}",
        f"read as {message}" if message and kind is Kind.ANSWERED else message,
        None if is_said or not reason else f"why: {reason}",
        step.who and f"by {step.who}",
    )
    return ", ".join(part for part in said if part)
