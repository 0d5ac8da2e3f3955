"""Note each call to a company as a step of the payment's story."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from connector import context
from connector.attempt import Attempt
from connector.domain.errors import ConnectorError
from connector.domain.payment import CreateResult, Look, WriteResult
from connector.domain.story import Kind, Step

WithoutSecrets = Callable[[str], str]


@contextmanager
def noting_failed_call(
    attempt: Attempt, action: str, without_secrets: WithoutSecrets
) -> Iterator[None]:
    """Note a step if the call fails. The error of the call is raised again."""
    context.note_status(None)
    try:
        yield
    except ConnectorError as error:
        kind = Kind.UNANSWERED if context.last_status() is None else Kind.ANSWERED
        attempt.note(replace(_step(kind, action), reason=without_secrets(error.why)))
        raise


def note_answer(
    attempt: Attempt,
    action: str,
    answer: Look | WriteResult | CreateResult,
    without_secrets: WithoutSecrets,
) -> None:
    """Note the step of an answered call: the company's status, the HTTP status and our reading.

    A provider without an id to look with makes no call. Then there is no step.
    """
    status = without_secrets(answer.provider_status) or None
    if status is None and context.last_status() is None:
        return
    step = _step(Kind.ANSWERED, action)
    attempt.note(replace(step, reported_status=status, message=reading_of(answer)))


def _step(kind: Kind, action: str) -> Step:
    return Step(kind, action=action, http_status=context.last_status())


def reading_of(answer: Look | WriteResult | CreateResult) -> str:
    """Name our reading: a payment's standing, a write's effect, a create's status."""
    if isinstance(answer, CreateResult):
        return answer.status.lower()
    reading = answer.standing if isinstance(answer, Look) else answer.effect
    return reading.name.lower().replace("_", " ")
