"""A payment's steps are kept with what they tell of, and do not grow without end."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from connector.attempt import Attempt, last_step, steps_to_store
from connector.domain.attempt_end import AttemptEnd
from connector.domain.deadline import Deadline
from connector.domain.errors import LeaseLost
from connector.domain.operation import CreateRequest, Lease, Outcome, Reply, State
from connector.domain.payment import PaymentKey
from connector.domain.story import MOST_ATTEMPTS, Kind, Step
from connector.storage.stories import Stories
from tests.rig import Rig
from tests.storage.store import DONE, FAILED, SEND, Store, asked, told

LOOK = Step(Kind.ANSWERED, action="look", reported_status="HELD", http_status=200)


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    store = Store(migrated_url)
    yield store
    store.database.close()


@pytest.fixture
def stories(store: Store) -> Stories:
    return Stories(store.database)


def kinds(stories: Stories) -> list[str]:
    return [step.kind.value for step in stories.steps("shop", "P1")]


def attempted(store: Store, outcome: Outcome = FAILED, *, is_sent: bool = False) -> None:
    """Let one attempt look, perhaps send, and end."""
    lease = store.lease(asked())
    attempt = Attempt(store.requests, lease, Deadline.after(10))
    attempt.note(LOOK)
    if is_sent:
        attempt.start_write("release", 0, is_new=True)
    attempt.note(last_step(asked(), attempt, outcome, lambda: Reply(500, b"")))
    end = AttemptEnd(
        outcome,
        attempt.payment,
        write_states=attempt.write_states,
        next_look=60,
        steps=steps_to_store(attempt, outcome),
    )
    store.requests.record_outcome(lease, end)


def test_what_was_asked_is_kept_with_the_claim(store: Store, stories: Stories) -> None:
    store.claim(asked(value=Decimal("10.50")))
    (step,) = stories.steps("shop", "P1")
    known = (step.kind, step.operation, step.request_id, step.amount, step.attempt)
    assert (Kind.ASKED, "cancel", "request-1", Decimal("10.50"), 1) == known
    assert step.at > 1_700_000_000


def test_steps_are_kept_with_the_write_and_with_the_end_or_not_at_all(
    store: Store, stories: Stories
) -> None:
    lease = store.lease(asked())
    store.let_the_lease_end()
    with pytest.raises(LeaseLost):
        store.requests.start_write(lease, SEND, lease.payment, {}, [LOOK])
    assert isinstance(store.claim(asked("request-2")), Lease)
    with pytest.raises(LeaseLost):
        store.end(lease)
    assert ["asked", "asked"] == kinds(stories)


def test_any_characters_can_be_told_of(store: Store, stories: Stories) -> None:
    strange = "\0\ud800é'"
    lease = store.lease(asked(strange))
    store.requests.start_write(
        lease, SEND, lease.payment, {}, [Step(Kind.ANSWERED, reported_status=strange)]
    )
    assert [(strange, None), (strange, strange)] == [
        (step.request_id, step.reported_status) for step in stories.steps("shop", "P1")
    ]


def test_a_merchants_story_is_its_own(store: Store, stories: Stories) -> None:
    store.claim(asked())
    store.claim(asked("request-2", merchant_id=2))
    store.claim(asked("request-3", "P2"))
    assert ["other", "shop"] == stories.merchants("P1")
    assert ["request-1"] == [step.request_id for step in stories.steps("shop", "P1")]
    assert ["shop"] == stories.merchants("P2")
    assert [] == stories.merchants("P3")
    assert [] == stories.steps("nobody", "P1")


def test_news_is_a_step_once(store: Store, stories: Stories) -> None:
    for _ in range(2):
        store.requests.record_notification(told(), "CAPTURED")
    assert [("notified", "CAPTURED")] == [
        (step.kind, step.reported_status) for step in stories.steps("shop", "P1")
    ]


def test_a_callback_is_a_step_of_the_create(store: Store, stories: Stories) -> None:
    step = Step(Kind.CALLED_BACK, 1, reported_status="APPROVED", http_status=200, state=State.DONE)
    store.record()
    store.payments.end_callback(1, "P1", None, step)
    assert "called-back" not in kinds(stories)
    create = CreateRequest(1, PaymentKey("P1"))
    store.end(store.lease(create), DONE)
    store.payments.end_callback(1, "P1", None, step)
    (called,) = [step for step in stories.steps("shop", "P1") if step.kind is Kind.CALLED_BACK]
    assert ("create", "", 200) == (called.operation, called.request_id, called.http_status)


def test_a_request_that_is_repeated_for_days_does_not_fill_the_database(
    store: Store, stories: Stories
) -> None:
    for _ in range(MOST_ATTEMPTS):
        attempted(store)
    many = kinds(stories)
    assert 3 * MOST_ATTEMPTS == len(many)

    for _ in range(10):
        attempted(store)
    assert many == kinds(stories)

    attempted(store, Outcome(State.UNKNOWN, "outcome-unknown", "Not known"))
    assert [*many, "asked", "answered", "told"] == kinds(stories)
    assert MOST_ATTEMPTS + 11 == stories.steps("shop", "P1")[-1].attempt


def test_a_write_is_always_told(store: Store, stories: Stories) -> None:
    for _ in range(MOST_ATTEMPTS + 1):
        attempted(store)
    before = kinds(stories)
    attempted(store, is_sent=True)
    assert [*before, "asked", "answered", "sent", "told"] == kinds(stories)


def test_looks_that_show_the_same_are_one_step(store: Store) -> None:
    attempt = Attempt(store.requests, store.lease(asked()), Deadline.after(10))
    for _ in range(5):
        attempt.note(LOOK)
    assert 1 == len(attempt.steps)


def test_what_an_older_connector_records_is_told_as_an_end(store: Store, stories: Stories) -> None:
    """It may still run while the database is migrated already."""
    store.claim(asked())
    store.run(
        "INSERT INTO events (request, at, state, code, message)"
        " VALUES (:id, 1.5, 'failed', 'provider-unavailable', 'Not now')",
        id=asked().claim_id,
    )
    ended = stories.steps("shop", "P1")[-1]
    assert (Kind.ENDED, "failed", "Not now", None) == (
        ended.kind,
        ended.state,
        ended.message,
        ended.attempt,
    )


def test_a_repeat_of_a_final_answer_is_no_step(rig_on_both: Rig) -> None:
    rig_on_both.add()
    first = rig_on_both.cancel("P1")
    steps = rig_on_both.connector.stories.steps("shop", "P1")
    assert first.data == rig_on_both.cancel("P1").data
    assert steps == rig_on_both.connector.stories.steps("shop", "P1")


def test_a_killed_attempt_is_told_up_to_its_end(store: Store, stories: Stories) -> None:
    attempt = Attempt(store.requests, store.lease(asked()), Deadline.after(10))
    attempt.note(LOOK)
    reference = attempt.start_write("release", 0)
    store.let_the_lease_end()
    store.lease(asked())
    told = stories.steps("shop", "P1")
    assert [("asked", 1), ("answered", 1), ("sent", 1), ("asked", 2)] == [
        (step.kind, step.attempt) for step in told
    ]
    assert reference == told[2].reference
