"""A payment's story, told to people: one sentence for each step, with its details beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from babel.dates import format_timedelta
from markupsafe import Markup, escape

from connector.console import payment_sentences as sentences
from connector.console.payment_look import COMMAND as LOOK
from connector.console.payment_look import failure_of
from connector.console.payment_words import STATUSES, TONES
from connector.domain.operation import Operation, State
from connector.domain.person import name_of
from connector.domain.story import Kind, Step
from connector.pages.languages import amount, gettext, locale
from connector.pages.outside import outside
from connector.storage.admin_events import AdminEvent

# The colours of steps. A colour only repeats the sentence.
GOOD, BAD, WAIT, PLAIN = "good", "bad", "wait", ""
# The story has the closings already. Their commands end so.
_CLOSING = " close"
_OK = 200
_TONES: Mapping[str, str] = {
    **dict.fromkeys(("done", "held", "captured", "approved"), GOOD),
    **dict.fromkeys(("accepted", "unknown", "working", "paying"), WAIT),
    **dict.fromkeys(("failed", "refused", "stuck", "denied"), BAD),
}
_STATE_TONES: Mapping[str, str] = {State.DONE: GOOD, State.MANUAL: BAD, State.FAILED: BAD}


@dataclass(frozen=True)
class ToldStep:
    """One step: when, a sentence, and details, each with its name.

    `at` is in seconds since 1970. `later` says how long after the first step. `note` holds a
    person's own words.
    """

    at: float
    sentence: Markup
    tone: str = PLAIN
    facts: Sequence[tuple[str, Markup]] = ()
    note: str | None = None
    later: str = ""


@dataclass(frozen=True)
class Story:
    """Tells the steps of one payment. `company` and `currency` are those of the payment."""

    company: str
    currency: str | None

    def told(self, steps: Sequence[Step], events: Sequence[AdminEvent]) -> list[ToldStep]:
        """Tell the steps, oldest first, with what people did between them.

        The recorded order of the steps counts, because clocks jump. `events` are the newest first.
        """
        told = [self._step(step) for step in steps]
        for event in reversed(events):
            if not event.command.endswith(_CLOSING):
                _insert(told, self._event(event))
        begin = told[0].at if told else 0.0
        return [replace(step, later=_later(step.at - begin)) for step in told]

    def _step(self, step: Step) -> ToldStep:
        sentence, tone = self._SENTENCES[step.kind](self, step)
        return ToldStep(step.at, sentence, tone, _facts(step), step.note)

    def _say(self, text: Any, **values: object) -> Markup:
        """Write a sentence. The values in it are texts from outside."""
        shown = {name: outside(value) for name, value in values.items()}
        return Markup(str(text)) % {"company": escape(self.company), **shown}  # noqa: S704 - a text of ours

    def _with_amount(
        self, step: Step, plain: Mapping[str, Any], with_amount: Mapping[str, Any], key: str
    ) -> Markup:
        if step.amount is None:
            return self._say(plain[key])
        return self._say(with_amount[key], amount=self._amount(step.amount, key))

    def _amount(self, value: Decimal, key: str) -> str:
        """Write an amount. The value of a cancellation may be in cents, so it has no currency."""
        return amount(value, None if key == Operation.CANCEL else self.currency)

    def _asked(self, step: Step) -> tuple[Markup, str]:
        tables = sentences.ASKED, sentences.ASKED_AMOUNT
        return self._with_amount(step, *tables, step.operation), PLAIN

    def _notified(self, step: Step) -> tuple[Markup, str]:
        if step.reported_status:
            return self._say(sentences.NOTIFIED_WORD, word=step.reported_status), PLAIN
        return self._say(sentences.NOTIFIED), PLAIN

    def _sent(self, step: Step) -> tuple[Markup, str]:
        tables = sentences.SENT, sentences.SENT_AMOUNT
        return self._with_amount(step, *tables, step.action or ""), PLAIN

    def _answered(self, step: Step) -> tuple[Markup, str]:
        if step.message is None:
            return self.failure(step.reason), BAD
        return self.said(step.message, step.reported_status), _TONES.get(step.message, PLAIN)

    def said(self, reading: str, word: str | None) -> Markup:
        """Say what the company answered, and what the answer means."""
        meaning = {"reading": gettext_of(sentences.READINGS, reading)}
        if word:
            return self._say(sentences.SAID_WORD, word=word, **meaning)
        return self._say(sentences.SAID, **meaning)

    def failure(self, reason: str | None) -> Markup:
        """Say why a call brought nothing. The reason begins with the class of the error."""
        return self._say(sentences.FAILURES.get(failure_of(reason), sentences.FAILED))

    def _unanswered(self, step: Step) -> tuple[Markup, str]:
        return self.failure(step.reason), BAD

    def _told(self, step: Step) -> tuple[Markup, str]:
        if (step.code and step.http_status != _OK) or step.code in sentences.TOLD_CODE:
            return self._told_code(step.code or "")
        status = step.reported_status or ""
        if step.http_status == _OK and status in sentences.TOLD_STATUS:
            return self._say(sentences.TOLD_STATUS[status]), TONES[status]
        tables = sentences.TOLD, sentences.TOLD_AMOUNT
        tone = GOOD if step.http_status == _OK else WAIT
        return self._with_amount(step, *tables, step.operation), tone

    def _told_code(self, code: str) -> tuple[Markup, str]:
        pending = sentences.TOLD_PENDING if code.endswith("-pending") else None
        text = sentences.TOLD_CODE.get(code, pending or sentences.TOLD_FAILURE)
        return self._say(text), WAIT if pending or code == "outcome-unknown" else BAD

    def _ended(self, step: Step) -> tuple[Markup, str]:
        is_notification = step.operation == Operation.NOTIFICATION
        table = sentences.ENDED_NOTIFICATION if is_notification else sentences.ENDED
        otherwise = sentences.NOTIFICATION_OPEN if is_notification else sentences.STILL_OPEN
        tone = GOOD if step.state == State.DONE else WAIT
        return self._say(table.get(step.state, otherwise)), tone

    def _called_back(self, step: Step) -> tuple[Markup, str]:
        status = gettext_of(STATUSES, step.reported_status or "")
        text = sentences.CALLED_BACK.get(step.state, sentences.CALLED_BACK[State.FAILED])
        return self._say(text, status=status), _STATE_TONES.get(step.state, WAIT)

    def _closed(self, step: Step) -> tuple[Markup, str]:
        if step.who:
            return self._say(sentences.CLOSED_BY, who=step.who), GOOD
        return self._say(sentences.CLOSED), GOOD

    _SENTENCES: ClassVar[Mapping[Kind, Callable[["Story", Step], tuple[Markup, str]]]] = {
        Kind.ASKED: _asked,
        Kind.NOTIFIED: _notified,
        Kind.SENT: _sent,
        Kind.ANSWERED: _answered,
        Kind.UNANSWERED: _unanswered,
        Kind.TOLD: _told,
        Kind.ENDED: _ended,
        Kind.CALLED_BACK: _called_back,
        Kind.CLOSED: _closed,
    }

    def _event(self, event: AdminEvent) -> ToldStep:
        who, command = name_of(event.actor), event.command
        if command != LOOK:
            text = sentences.DONE_BY.get(command, sentences.DID)
            return ToldStep(event.at, self._say(text, who=who, command=command))
        sentence = self._say(sentences.LOOKED, who=who)
        return ToldStep(event.at, sentence + " " + self.looked(event.options))

    def looked(self, options: Mapping[str, Any]) -> Markup:
        """Say what a look in the console showed."""
        if reading := options.get("standing"):
            return self.said(reading, options.get("word"))
        return self.failure(options.get("failure"))


def gettext_of(table: Mapping[str, Any], key: str) -> str:
    """Return a word of a table in the reader's language. An unknown word stays as it is."""
    return str(table.get(key, key))


def _insert(told: list[ToldStep], event: ToldStep) -> None:
    """Put an event before the first step that is later."""
    place = next((number for number, step in enumerate(told) if step.at > event.at), len(told))
    told.insert(place, event)


def _later(seconds: float) -> str:
    """Say how much later a step is. Clocks of the past may have jumped back."""
    if seconds < 0:
        return ""
    shown = format_timedelta(timedelta(seconds=seconds), format="short", locale=locale())
    return gettext("after %(time)s") % {"time": shown}


def _repeated(attempt: int | None) -> int | None:
    """Return the number of an attempt, None for a first attempt."""
    return attempt if attempt and attempt > 1 else None


def _facts(step: Step) -> list[tuple[str, Markup]]:
    """Return the details of a step that has them."""
    is_notification = step.operation == Operation.NOTIFICATION
    is_told = step.kind is Kind.TOLD
    is_reading = step.kind in {Kind.ANSWERED, Kind.CLOSED}
    facts = (
        (gettext("operation"), gettext_of(sentences.OPERATIONS, step.operation)),
        # The id of a notification is long, and the connector made it.
        (gettext("request"), None if is_notification else step.request_id),
        (gettext("attempt"), _repeated(step.attempt)),
        (gettext("id in the answer") if is_told else gettext("reference"), step.reference),
        ("HTTP", step.http_status),
        (gettext("code"), step.code),
        (gettext("text"), None if is_reading else step.message),
        (gettext("why"), step.reason),
    )
    return [(name, outside(value)) for name, value in facts if value]
