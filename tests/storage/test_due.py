"""What reconcile is to look at, a company's news among it, and what the operator sees."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.operation import (
    REQUESTS,
    CancelRequest,
    Operation,
    Reply,
    Request,
    State,
)
from connector.domain.payment import PaymentKey
from tests.storage.store import (
    DONE,
    Store,
    asked,
    in_threads,
    told,
)

FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


# What is due.


def test_a_request_is_due_when_its_time_has_come(store: Store) -> None:
    store.lease(asked(), first_look=60)
    assert [] == store.requests.due(10)
    store.lease(asked(payment_id="P2"), first_look=-1)
    assert ["P2"] == [due.request.payment.payment_id for due in store.requests.due(10)]


def test_the_longest_due_come_first_and_no_more_than_asked(store: Store) -> None:
    for number in (3, 1, 2):
        lease = store.lease(asked(payment_id=f"P{number}"))
        store.end(lease, next_look=-100 + number)
    found = [due.request.payment.payment_id for due in store.requests.due(2)]
    assert ["P1", "P2"] == found


def test_of_fifty_that_take_up_a_due_request_one_gets_it(store: Store) -> None:
    store.end(store.lease(asked()), next_look=-1)
    found = in_threads(50, lambda _: store.requests.claim_due(asked(), lease_seconds=60))
    assert {"Lease": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)


def test_what_is_not_due_is_not_taken_up(store: Store) -> None:
    store.end(store.lease(asked()), next_look=60)
    before = store.contents()
    assert store.requests.claim_due(asked(), lease_seconds=60) is None
    assert before == store.contents()


def test_what_is_done_is_never_due(store: Store) -> None:
    store.finish(store.lease(asked(), first_look=-1))
    assert [] == store.requests.due(10)
    assert store.requests.claim_due(asked(), lease_seconds=60) is None


def test_a_repeat_begins_the_looks_anew(store: Store) -> None:
    store.end(store.lease(asked()), looks=5, next_look=-1)
    assert [5] == [due.looks for due in store.requests.due(10)]
    store.lease(asked(), first_look=-1)
    assert [0] == [due.looks for due in store.requests.due(10)]


any_text = st.text(st.characters(exclude_categories=()), min_size=1, max_size=256)
no_torn_pair = any_text.filter(
    lambda text: text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == text
)


@FUZZ
@given(request_id=no_torn_pair, authorization_id=no_torn_pair, tid=no_torn_pair)
def test_whatever_the_texts_are_reconcile_finds_the_request_again(
    store: Store, request_id: str, authorization_id: str, tid: str
) -> None:
    request = CancelRequest(
        1, PaymentKey("P1", authorization_id, tid), request_id, Decimal(1), sandbox=True
    )
    store.run("UPDATE requests SET next_look_at = NULL")
    store.let_the_lease_end()
    store.lease(request, first_look=-1, lease_seconds=-1)
    (due,) = store.requests.due(10)
    assert request == replace(due.request, payment=request.payment)
    assert request.claim_id == due.request.claim_id
    lease = store.requests.claim_due(due.request, lease_seconds=-1)
    assert lease is not None
    assert lease.payment.key == store.known().key


@pytest.mark.parametrize("operation", list(Operation))
def test_reconcile_finds_a_request_of_each_kind_as_it_was_asked(
    store: Store, operation: Operation
) -> None:
    request = REQUESTS[operation](
        merchant_id=1,
        payment=PaymentKey("P1"),
        request_id="any",
        value=Decimal("0.10"),
        sandbox=True,
    )
    store.lease(request, first_look=-1)
    (due,) = store.requests.due(10)
    assert (request, State.RUNNING, 0) == (due.request, due.state, due.looks)
    assert ["0.10", operation] == [str(due.request.value), due.request.operation]


def test_requests_of_each_kind_with_the_same_ids_are_requests_of_their_own(store: Store) -> None:
    kinds: list[Request] = [kind(1, PaymentKey("P1"), "any") for kind in REQUESTS.values()]
    for request in kinds:
        store.end(store.lease(request))
    assert len(Operation) == len(store.requests.rows())


# News of a company's.


def test_news_is_kept_once_and_due_at_once(store: Store) -> None:
    assert [True, False] == [store.requests.record_notification(told()) for _ in range(2)]
    (due,) = store.requests.due(10)
    assert (told(), State.WAITING, 0) == (due.request, due.state, due.looks)
    assert [0] == [row.attempts for row in store.requests.rows()]


def test_news_is_kept_while_another_request_has_the_turn(store: Store) -> None:
    store.lease(asked())
    assert store.requests.record_notification(told())
    before = store.contents()
    assert store.requests.claim_due(told(), lease_seconds=60) is None
    assert before == store.contents()


def test_of_fifty_that_remember_the_same_news_one_is_first_and_one_acts(store: Store) -> None:
    found = in_threads(50, lambda _: store.requests.record_notification(told()))
    assert {True: 1, False: 49} == Counter(found)
    turns = in_threads(50, lambda _: store.requests.claim_due(told(), lease_seconds=60))
    assert {"Lease": 1, "NoneType": 49} == Counter(type(one).__name__ for one in turns)
    assert 1 == len(store.contents()["requests"])


def test_news_that_was_acted_on_is_not_taken_up_again(store: Store) -> None:
    store.requests.record_notification(told())
    lease = store.requests.claim_due(told(), lease_seconds=60)
    assert lease
    store.end(lease, DONE, Reply(200, b""))
    assert not store.requests.record_notification(told())
    assert ([], None) == (
        store.requests.due(10),
        store.requests.claim_due(told(), lease_seconds=60),
    )


@FUZZ
@given(message_id=no_torn_pair, authorization_id=no_torn_pair, tid=no_torn_pair)
def test_the_purchase_that_news_tells_of_is_kept_and_not_taken_for_the_payments(
    store: Store, message_id: str, authorization_id: str, tid: str
) -> None:
    purchase = PaymentKey("P1", authorization_id, tid)
    # Two examples may have the same id; only the first would be kept.
    news = told(f"{uuid4()}{message_id}", purchase=purchase)
    store.run("UPDATE requests SET next_look_at = NULL")
    store.let_the_lease_end()
    store.requests.record_notification(news)
    (due,) = store.requests.due(10)
    assert news == due.request
    lease = store.requests.claim_due(due.request, lease_seconds=-1)
    assert lease
    assert PaymentKey("P1") == lease.payment.key


# The operator's list.


def test_the_list_shows_every_request_oldest_first(store: Store) -> None:
    for number in (2, 1, 3):
        store.finish(store.lease(asked(payment_id=f"P{number}")))
    # SQLite's clock has milliseconds: two requests may have the same instant.
    for at, payment_id in enumerate(("P2", "P1", "P3")):
        store.run("UPDATE requests SET created_at = :at WHERE payment_id = :p", at=at, p=payment_id)
    assert ["P2", "P1", "P3"] == [row.payment_id for row in store.requests.rows()]


def test_the_list_is_narrowed_by_state_and_merchant(store: Store) -> None:
    store.finish(store.lease(asked()))
    store.end(store.lease(asked(merchant_id=2)))
    store.lease(asked(payment_id="P2"))
    shown = [
        (row.merchant, row.payment_id, row.state.value)
        for row in [
            *store.requests.rows(state="done"),
            *store.requests.rows(merchant="other"),
            *store.requests.rows(state="running", merchant="shop"),
            *store.requests.rows(state="done", merchant="other"),
            *store.requests.rows(merchant="nobody"),
        ]
    ]
    assert [
        ("shop", "P1", "done"),
        ("other", "P1", "failed"),
        ("shop", "P2", "running"),
    ] == shown
