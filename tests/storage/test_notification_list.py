"""Notifications and callbacks are read in pages, the newest first, and each merchant's apart."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector.domain.operation import Lease, State
from connector.domain.payment import PaymentKey
from connector.domain.story import Kind, Step
from connector.storage import callback_list, notification_list
from connector.storage.callback_list import CallbackList
from connector.storage.notification_list import NotificationList
from connector.storage.stories import write_steps
from tests.storage.plans import (
    add_many_callbacks,
    add_many_requests,
    add_requests,
    plan,
    wholly_read,
)
from tests.storage.store import DONE, Store, asked, told

NEVER = float(2**40)


@pytest.fixture
def notifications(store: Store) -> Iterator[NotificationList]:
    return NotificationList(store.database)


@pytest.fixture
def callbacks(store: Store) -> Iterator[CallbackList]:
    return CallbackList(store.database)


def add(store: Store, *rows: dict[str, Any]) -> None:
    values = {"operation": "notification", "state": "done"}
    add_requests(store.database, [values | row for row in rows])


def add_steps(store: Store, claim_id: str, *steps: Step) -> None:
    with store.database.write() as connection:
        write_steps(connection, claim_id, steps)


def test_the_newest_notification_stands_first_with_the_companys_word(
    store: Store, notifications: NotificationList
) -> None:
    store.requests.record_notification(told("message-1"), "CAPTURED\u202e")
    store.requests.record_notification(told("message-2"), "")
    store.run("UPDATE requests SET created_at = 5 WHERE request_id = 'message-1'")
    newest, oldest = notifications.page(9)
    assert ("message-2", None) == (newest.request.request_id, newest.word)
    assert ("message-1", "CAPTURED\u202e") == (oldest.request.request_id, oldest.word)
    assert ("shop", "sandbox", "P1", State.WAITING, False) == (
        newest.request.merchant,
        newest.request.provider,
        newest.request.payment_id,
        newest.request.state,
        newest.is_closed,
    )


def test_pages_show_each_notification_once(store: Store, notifications: NotificationList) -> None:
    for number in range(11):
        add(store, {"id": f"n{number:02}", "created_at": float(number // 4)})
    add(store, {"id": "x", "operation": "cancel"})
    shown, after = list[str](), None
    while page := notifications.page(3, after):
        shown += [row.id for row in page]
        after = page[-1].place
    assert [f"n{number:02}" for number in range(10, -1, -1)] == shown


def test_a_merchants_notifications_stand_apart(
    store: Store, notifications: NotificationList
) -> None:
    add(store, {"id": "own"}, {"id": "other", "merchant_id": 2}, {"id": "x", "operation": "refund"})
    assert ["own"] == [row.id for row in notifications.page(9, merchant_id=1)]
    assert ["own", "other"] == [row.id for row in notifications.page(9)]
    assert notifications.find("other", 1) is None
    assert notifications.find("x") is None
    assert notifications.find("other", 2)


def test_a_notification_becomes_due_once_for_the_attempts_that_a_person_saw(
    store: Store, notifications: NotificationList
) -> None:
    request = told(purchase=PaymentKey("P1", "authorization", "invoice"))
    store.requests.record_notification(request)
    store.run("UPDATE requests SET next_look_at = NULL, looks = 5, state = 'done'")
    assert notifications.make_due(request.claim_id, 1) is None
    due = notifications.make_due(request.claim_id, 0)
    assert due
    assert (request, 0, State.DONE) == (due.request, due.looks, due.state)
    assert isinstance(store.requests.claim_due(due.request, lease_seconds=60), Lease)
    # It runs now.
    assert notifications.make_due(request.claim_id, 1) is None


@pytest.mark.parametrize("closed", [told("message-1"), asked("request-1")])
def test_beside_the_work_of_a_person_nothing_becomes_due(
    store: Store, notifications: NotificationList, closed: Any
) -> None:
    request = told("message-1")
    store.requests.record_notification(request)
    store.end(store.lease(asked("request-1")), DONE)
    add_steps(store, closed.claim_id, Step(Kind.CLOSED, state=State.DONE))
    found = notifications.find(request.claim_id)
    assert found
    assert found.is_closed
    assert notifications.make_due(request.claim_id, 0) is None


def test_only_notifications_become_due(store: Store, notifications: NotificationList) -> None:
    add(store, {"id": "refund", "operation": "refund"})
    assert notifications.make_due("refund", 1) is None


def set_due(store: Store, payment_id: str, at: float | None, attempts: int = 0) -> None:
    store.run(
        "UPDATE payments SET callback_at = :at, callback_attempts = :n WHERE payment_id = :p",
        at=at,
        n=attempts,
        p=payment_id,
    )


def test_the_next_callback_to_send_stands_first(store: Store, callbacks: CallbackList) -> None:
    for payment_id, at in (("P1", NEVER), ("P2", 5.0), ("P3", None)):
        store.record(payment_id)
        set_due(store, payment_id, at, 2)
    first, second = callbacks.due(9)
    assert ("P2", 5.0, 2, True) == (first.payment_id, first.at, first.attempts, first.is_due)
    assert ("P1", NEVER, False) == (second.payment_id, second.at, second.is_due)
    assert [] == callbacks.due(9, 2)
    assert ["P2"] == [due.payment_id for due in callbacks.due(1, 1)]
    one = callbacks.one(1, "P3")
    assert one
    assert (None, False) == (one.at, one.is_due)
    assert callbacks.one(2, "P3") is None


def attempts(store: Store) -> tuple[int, bool]:
    sql = "SELECT callback_attempts, callback_at <= NOW FROM payments"
    ((count, is_due),) = store.all(sql)
    return count, bool(is_due)


@pytest.mark.parametrize(("seconds", "moved"), [(29, False), (31, True), (3600, True)])
def test_a_callback_is_brought_forward_unless_a_sender_may_have_it(
    store: Store, seconds: float, moved: bool
) -> None:
    store.record("P1")
    set_due(store, "P1", 1.0, 4)
    store.run("UPDATE payments SET callback_at = NOW + :s", s=seconds)
    expected = (3, True) if moved else (4, False)
    store.payments.bring_callback_forward(1, "P1", 30.0)
    assert expected == attempts(store)
    store.payments.bring_callback_forward(1, "P1", 30.0)
    assert expected == attempts(store)


def test_a_callback_that_is_not_due_stays_so(store: Store, callbacks: CallbackList) -> None:
    store.record("P1")
    store.payments.bring_callback_forward(1, "P1", 30.0)
    assert [] == callbacks.due(9)


def called_back(number: int) -> Step:
    return Step(Kind.CALLED_BACK, number, reported_status="APPROVED", http_status=200, state="done")


def test_sent_callbacks_are_read_in_pages_for_a_merchant_too(
    store: Store, callbacks: CallbackList, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(store, {"id": "own"}, {"id": "other", "merchant_id": 2})
    for number in range(12):
        step = Step(Kind.ENDED) if number == 5 else called_back(number)
        add_steps(store, "own" if number % 3 == 0 else "other", step)
    assert [11, 10, 9, 8, 7, 6, 4, 3, 2, 1, 0] == numbers(callbacks, 4)
    assert [9, 6, 3, 0] == numbers(callbacks, 4, 1)
    monkeypatch.setattr(callback_list, "MOST_SCANNED", 4)
    assert [9, 6, 3, 0] == numbers(callbacks, 4, 1)
    assert [] == callbacks.sent(9, merchant_id=3).sent


def numbers(callbacks: CallbackList, most: int, merchant_id: int | None = None) -> list[Any]:
    """Return the attempts of all sent callbacks, page after page."""
    page = callbacks.sent(most, merchant_id=merchant_id)
    found = list(page.sent)
    while page.following:
        page = callbacks.sent(most, page.following, merchant_id)
        found += page.sent
    return [sent.attempt for sent in found]


def test_a_sent_callback_shows_vtexs_answer(store: Store, callbacks: CallbackList) -> None:
    add(store, {"id": "own"})
    failed = Step(Kind.CALLED_BACK, 1, reported_status="DENIED", reason="no", state="waiting")
    add_steps(store, "own", failed, called_back(2))
    taken, refused = callbacks.sent_of(1, "P1", 9)
    assert (2, "APPROVED", 200, True) == (
        taken.attempt,
        taken.status,
        taken.http_status,
        taken.is_taken,
    )
    assert ("DENIED", None, False, "no") == (
        refused.status,
        refused.http_status,
        refused.is_taken,
        refused.reason,
    )
    assert [] == callbacks.sent_of(2, "P1", 9)


@pytest.mark.parametrize(
    ("merchant_id", "index"), [(0, "requests_newest"), (1, "requests_of_merchant")]
)
def test_few_notifications_of_many_are_read(store: Store, merchant_id: int, index: str) -> None:
    add_many_requests(store.database, operation="notification")
    sql = notification_list.NEWEST[merchant_id > 0]
    read = plan(store.database, sql, most=50, at=9e9, id="", merchant_id=merchant_id)
    assert index in read
    # PostgreSQL reads a table without rows, such as the events here, whole.
    assert "requests" not in wholly_read(read), read


def test_few_callbacks_of_many_are_read(store: Store) -> None:
    add_many_requests(store.database)
    add_many_callbacks(store.database)
    window = {"before": 2**62, "scanned": 50}
    for sql, index, values in (
        (callback_list.SENT, "events_called_back", {"most": 9, "merchant_id": 1, **window}),
        (callback_list.SCANNED_TO, "events_called_back", window),
        (callback_list.DUE, "payments_callback", {"most": 9, "merchant_id": 2}),
    ):
        read = plan(store.database, sql, **values)
        assert index in read
        assert not {"events", "requests", "payments"} & wholly_read(read), read
