"""A row on the operator's list that a person closes."""

from collections import Counter
from typing import Any

import pytest

from connector.domain.errors import LeaseLost, PaymentBusy
from connector.domain.operation import Lease, Outcome, State, StoredReply
from connector.idempotency import _has_ended
from connector.storage.stories import Stories
from tests.storage.store import DONE, REPLY, Store, asked, in_threads

MANUAL = Outcome(State.MANUAL, "cancel-manually", "It must be cancelled manually: it is captured")


def list_one(store: Store, request_id: str = "request-1", **values: Any) -> None:
    """Put a request on the operator's list, to be looked at now."""
    store.end(store.lease(asked(request_id)), MANUAL, next_look=-1, **values)


def states(store: Store) -> dict[str, str]:
    return {row.request_id: row.state.value for row in store.requests.rows()}


def test_what_a_person_closes_is_done_and_looked_at_no_more(store: Store) -> None:
    list_one(store)
    (due,) = store.requests.due(10)
    before = store.contents()
    store.requests.close(asked())
    after = store.contents()
    assert {"request-1": "done"} == states(store)
    assert [] == store.requests.due(10)
    # Also by a reconcile that had found it before.
    assert store.requests.claim_due(due.request, lease_seconds=60) is None
    assert (before["payments"], before["sends"]) == (after["payments"], after["sends"])
    closed = ("done", None, "An operator closed it")
    assert [("manual", MANUAL.code, MANUAL.message), closed] == store.ends()


def test_who_closed_a_row_and_the_note_are_kept(store: Store) -> None:
    list_one(store)
    note = "Returned by hand: \0\ud800é'"
    store.requests.close(asked(), "Anna", note)
    closed = Stories(store.database).steps("shop", "P1")[-1]
    assert ("closed", "Anna", note) == (closed.kind, closed.who, closed.note)


def test_a_reply_that_is_kept_stays_as_it_was(store: Store) -> None:
    store.end(store.lease(asked()), MANUAL, REPLY, next_look=-1)
    kept = store.requests.stored_reply(asked())
    store.requests.close(asked())
    assert isinstance(kept, StoredReply)
    assert (kept, kept) == (store.requests.stored_reply(asked()), store.claim(asked()))


def test_a_request_without_a_kept_reply_is_looked_at_anew_when_repeated(store: Store) -> None:
    list_one(store)
    store.requests.close(asked())
    store.end(store.lease(asked()), MANUAL, next_look=60)
    assert {"request-1": "manual"} == states(store)


def test_only_the_row_that_is_named_is_closed(store: Store) -> None:
    for request_id in ("request-1", "request-2"):
        list_one(store, request_id)
    store.requests.close(asked("request-2"))
    assert {"request-1": "manual", "request-2": "done"} == states(store)


@pytest.mark.parametrize("outcome", [DONE, Outcome(State.FAILED, None, "Not now")])
def test_what_is_not_on_the_list_is_not_closed(store: Store, outcome: Outcome) -> None:
    store.end(store.lease(asked()), outcome)
    before = store.contents()
    for request in (asked(), asked("request-2"), asked(payment_id="P2"), asked(merchant_id=2)):
        with pytest.raises(PaymentBusy):
            store.requests.close(request)
    assert before == store.contents()


def test_nothing_is_closed_while_a_request_of_the_payment_has_the_turn(store: Store) -> None:
    list_one(store)
    store.lease(asked("request-2"))
    before = store.contents()
    with pytest.raises(PaymentBusy):
        store.requests.close(asked())
    assert before == store.contents()


def test_who_slept_beyond_its_lease_does_not_open_the_row_again(store: Store) -> None:
    list_one(store)
    lease = store.requests.claim_due(asked(), lease_seconds=60)
    assert lease
    store.let_the_lease_end()
    store.requests.close(asked())
    with pytest.raises(LeaseLost):
        store.start(lease)
    with pytest.raises(LeaseLost):
        store.end(lease, MANUAL, next_look=60)
    assert {"request-1": "done"} == states(store)


def test_a_repeat_that_waited_does_not_take_the_closing_for_its_answer(store: Store) -> None:
    """It would tell VTEX that the payment is cancelled."""
    lease = store.lease(asked())
    first = store.requests.progress(asked())
    store.end(lease, MANUAL, next_look=-1)
    assert _has_ended(first, store.requests.progress(asked()))
    store.requests.close(asked())
    now = store.requests.progress(asked())
    assert not _has_ended(first, now)
    # It is free: the repeat makes its own attempt.
    assert not now.is_held


def test_of_fifty_who_close_or_take_up_a_row_one_succeeds(store: Store) -> None:
    list_one(store)

    def work(number: int) -> Lease | str | None:
        if number % 2:
            return store.requests.claim_due(asked(), lease_seconds=60)
        store.requests.close(asked())
        return "closed"

    found = Counter(type(one).__name__ for one in in_threads(50, work))
    assert found in (
        {"str": 1, "PaymentBusy": 24, "NoneType": 25},
        {"Lease": 1, "PaymentBusy": 25, "NoneType": 24},
    )
    assert {"request-1": "done" if found["str"] else "manual"} == states(store)
    assert (2 if found["str"] else 1) == len(store.ends())
