"""Calls to a company, each noted as a step of the payment's story."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from connector import context
from connector.attempt import Attempt
from connector.domain.errors import ConnectorError
from connector.domain.payment import CreateResult, Look, WriteResult
from connector.domain.story import Kind, Step

Answered = TypeVar("Answered", Look, WriteResult, CreateResult)


def noted(
    attempt: Attempt, action: str, call: Callable[[], Answered], redacted: Callable[[str], str]
) -> Answered:
    """Call the company; its word, its HTTP status and how we read them are a step.

    No step is noted where nobody was called, because there was nothing to ask with. `redacted`
    takes the merchant's secrets out of a company's word. Raises what `call` raises.
    """
    context.note_status(None)
    try:
        answer = call()
    except ConnectorError as error:
        kind = Kind.UNANSWERED if context.last_status() is None else Kind.ANSWERED
        attempt.note(replace(_step(kind, action), reason=redacted(error.why)))
        raise
    word = redacted(answer.provider_status) or None
    if word is None and context.last_status() is None:
        return answer
    attempt.note(
        replace(_step(Kind.ANSWERED, action), reported_status=word, message=_reading(answer))
    )
    return answer


def _step(kind: Kind, action: str) -> Step:
    return Step(kind, action=action, http_status=context.last_status())


def _reading(answer: Look | WriteResult | CreateResult) -> str:
    """Say how we read an answer: a payment's standing, a write's effect, a create's verdict."""
    if isinstance(answer, CreateResult):
        return answer.status.lower()
    read = answer.standing if isinstance(answer, Look) else answer.effect
    return read.name.lower().replace("_", " ")
