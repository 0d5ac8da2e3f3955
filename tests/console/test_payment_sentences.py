"""Every step that can be recorded has a sentence."""

from connector.console import payment_sentences as sentences
from connector.console.payment_look import NOT_ASKED
from connector.console.payment_story import Story
from connector.console.payment_words import STANDS, STATUSES, TONES
from connector.domain import write
from connector.domain.errors import NotDone, OutcomeUnknown, ProviderRefused
from connector.domain.operation import Operation
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.domain.story import Kind
from connector.operations.call_steps import reading_of

ASKED_BY_VTEX = set(Operation) - {Operation.NOTIFICATION}
ACTIONS = {write.CREATE, write.SETTLE, write.REFUND, *write.CANCELLATION_WRITES}


def test_every_operation_and_action_has_sentences() -> None:
    assert set(Operation) == set(sentences.OPERATIONS)
    for table in (sentences.ASKED, sentences.ASKED_AMOUNT, sentences.TOLD, sentences.TOLD_AMOUNT):
        assert ASKED_BY_VTEX == set(table)
    for table in (sentences.SENT, sentences.SENT_AMOUNT):
        assert ACTIONS == set(table)
    assert set(Kind) == set(Story._SENTENCES)


def test_every_status_has_its_words() -> None:
    for table in (sentences.TOLD_STATUS, STATUSES, STANDS, TONES):
        assert set(PaymentStatus) == set(table)


def test_every_reading_of_an_answer_has_its_words() -> None:
    answers = [
        *(Look(standing) for standing in Standing),
        *(WriteResult(effect) for effect in Effect),
        *(
            CreateResult(status)
            for status in (PaymentStatus.PENDING, PaymentStatus.APPROVED, PaymentStatus.DENIED)
        ),
    ]
    assert {reading_of(answer) for answer in answers} == set(sentences.READINGS)


def kinds_of(*errors: type[Exception]) -> set[str]:
    found = {error.__name__ for error in errors}
    return found.union(
        *(kinds_of(*error.__subclasses__()) for error in errors if error.__subclasses__())
    )


def test_every_failed_call_has_a_sentence() -> None:
    # A call ends in these. A lease is of our own.
    ends = kinds_of(NotDone, OutcomeUnknown, ProviderRefused) - {"NotDone", "LeaseLost"}
    ends = {name for name in ends if not name.startswith("_")}
    assert {*ends, NOT_ASKED} == set(sentences.FAILURES)
