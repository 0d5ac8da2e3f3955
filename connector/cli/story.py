"""A payment's story, printed."""

from collections.abc import Sequence
from typing import Any

from connector.cli.output import instant, print_rows
from connector.domain.story import Step


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
        "word": step.word,
        "httpStatus": step.http_status,
        "state": step.state,
        "code": step.code,
        "message": step.message,
        "reason": step.reason,
        "who": step.who,
    }


def _line(step: Step) -> dict[str, Any]:
    """What a step lacks is left out; what stands in its message is not said twice."""
    status = None if step.http_status is None else f"HTTP {step.http_status}"
    amount = None if step.amount is None else f"amount {step.amount}"
    reference = step.reference and f"reference {step.reference}"
    is_said = step.reason and step.reason in (step.message or "")
    reason = None if is_said else step.reason
    who = step.who and f"by {step.who}"
    said = (step.action, amount, reference, step.word, status, step.code, step.message, reason, who)
    return {
        "at": instant(step.at),
        "step": step.kind.value,
        "operation": step.operation,
        "requestId": step.request_id or None,
        "attempt": step.attempt,
        "what": ", ".join(part for part in said if part),
    }
