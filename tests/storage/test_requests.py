import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.errors import LeaseLost
from connector.domain.merchant import CapturedPolicy
from connector.domain.operation import CancelRequest, Kept, Outcome, Reply, Send, State, Turn
from connector.domain.payment import PaymentKey, PaymentStatus
from connector.storage.database import Database
from connector.storage.merchants import Merchants
from connector.storage.requests import Requests
from connector.storage.vault import Vault
from tests.rig import SECRET_KEY

DONE = Outcome(State.DONE, None, "Cancelled", "cancellation-1", is_final=True)
FAILED = Outcome(State.FAILED, "provider-unavailable", "Not now")
REPLY = Reply(200, b'{"any": "bytes", \xff\x00}')
SEND = Send("release", 1, "reference-1")
TABLES = ("requests", "payments", "sends", "events")
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Store:
    """Requests on a database with the merchant 1, and what one process may see of it."""

    def __init__(self, url: str) -> None:
        url = url.replace("postgresql://", "postgresql+psycopg://")
        self.database = Database(url, pool_size=60)
        self.requests = Requests(self.database)
        merchants = Merchants(self.database, Vault([SECRET_KEY]))
        for name in ("shop", "other"):
            merchants.add(name, "sandbox", {}, sandbox=False, captured=CapturedPolicy.MANUAL)

    def claim(
        self, request: CancelRequest, *, lease: float = 60, first_look: float = 60
    ) -> Turn | Kept | None:
        return self.requests.claim(request, lease=lease, first_look=first_look)

    def turn(self, request: CancelRequest, **values: Any) -> Turn:
        turn = self.claim(request, **values)
        assert isinstance(turn, Turn)
        return turn

    def end(
        self,
        turn: Turn,
        outcome: Outcome = DONE,
        reply: Reply | None = REPLY,
        *,
        sandbox: bool | None = None,
        closed: tuple[str, str] | None = None,
        looks: int = 0,
        next_look: float | None = None,
    ) -> None:
        self.requests.end_turn(
            turn,
            outcome,
            reply,
            sandbox=sandbox,
            closed=closed,
            looks=looks,
            next_look=next_look,
        )

    def run(self, sql: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.run(sql, **values)

    def contents(self) -> dict[str, list[Any]]:
        with self.database.read() as connection:
            return {table: connection.all(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608

    def let_the_lease_end(self) -> None:
        self.run("UPDATE payments SET lease_until = 1 WHERE lease_until IS NOT NULL")


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    store = Store(migrated_url)
    yield store
    store.database.close()


def asked(
    request_id: str = "request-1", payment_id: str = "P1", *, merchant_id: int = 1, **values: Any
) -> CancelRequest:
    return CancelRequest(merchant_id, PaymentKey(payment_id), request_id, **values)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do work in threads that begin at once; return what came of it, failures too."""
    found: list[Any] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        try:
            found.append(work(number))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# Claims.


def test_of_fifty_identical_requests_one_gets_the_turn(store: Store) -> None:
    found = in_threads(50, lambda _: store.claim(asked()))
    assert {"Turn": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)
    contents = store.contents()
    assert (1, 1) == (len(contents["requests"]), len(contents["payments"]))


def test_of_fifty_requests_of_one_payment_one_gets_the_turn(store: Store) -> None:
    found = in_threads(50, lambda number: store.claim(asked(f"request-{number}")))
    assert {"Turn": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)
    contents = store.contents()
    assert (1, 1) == (len(contents["requests"]), len(contents["payments"]))


def test_fifty_payments_are_claimed_at_once(store: Store) -> None:
    found = in_threads(50, lambda number: store.claim(asked(payment_id=f"P{number}")))
    assert {"Turn": 50} == Counter(type(one).__name__ for one in found)
    assert 50 == len({one.token for one in found})


def test_of_fifty_that_take_over_an_ended_lease_one_gets_it(store: Store) -> None:
    store.claim(asked(), lease=-1)
    found = in_threads(50, lambda number: store.claim(asked(f"request-{number}")))
    assert {"Turn": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)


def test_a_claim_that_does_not_get_the_lease_leaves_nothing(store: Store) -> None:
    store.claim(asked())
    before = store.contents()
    assert store.claim(asked("request-2")) is None
    assert store.claim(asked()) is None
    assert before == store.contents()


def test_the_same_payment_of_two_merchants_is_two_payments(store: Store) -> None:
    turns = [store.turn(asked(merchant_id=merchant_id)) for merchant_id in (1, 2)]
    assert turns[0].claim_id != turns[1].claim_id
    store.end(turns[0])
    assert isinstance(store.claim(asked()), Kept)
    assert store.claim(asked(merchant_id=2)) is None


def test_a_claim_of_an_unknown_merchant_is_refused_whole(store: Store) -> None:
    found = in_threads(1, lambda _: store.claim(asked(merchant_id=99)))
    assert "StorageUnavailable" == type(found[0]).__name__
    assert store.contents() == {table: [] for table in TABLES}


def test_the_first_turn_knows_nothing_of_the_payment(store: Store) -> None:
    turn = store.turn(asked())
    assert (PaymentStatus.PENDING, None, None, ()) == (
        turn.status,
        turn.sandbox,
        turn.cancellation_id,
        turn.sends,
    )


def test_a_lease_lasts_as_long_as_asked(store: Store) -> None:
    store.claim(asked(), lease=0.5)
    assert store.claim(asked("request-2")) is None
    time.sleep(0.6)
    assert isinstance(store.claim(asked("request-2")), Turn)


# What is kept.


def test_a_final_reply_is_kept_byte_for_byte(store: Store) -> None:
    store.end(store.turn(asked(value=Decimal("23.00"))))
    kept = store.requests.kept(asked())
    assert kept == Kept(REPLY, Decimal("23.00"))
    assert kept == store.claim(asked())


def test_a_reply_that_is_not_final_is_not_kept(store: Store) -> None:
    store.end(store.turn(asked()), FAILED, None, next_look=60)
    assert store.requests.kept(asked()) is None
    assert isinstance(store.claim(asked()), Turn)


def test_a_kept_reply_never_changes(store: Store) -> None:
    store.end(store.turn(asked()), next_look=-1)
    turn = store.requests.claim_due(asked(), lease=60)
    assert turn
    store.end(turn, DONE, Reply(500, b"another"))
    assert store.requests.kept(asked()) == Kept(REPLY, None)


@pytest.mark.parametrize("value", ["0", "0.1", "1E+400", "1E-400", "-0", "12345678901234567890.12"])
def test_a_value_is_kept_exactly(store: Store, value: str) -> None:
    store.end(store.turn(asked(value=Decimal(value))))
    kept = store.requests.kept(asked())
    assert kept
    assert value == str(kept.value)


def test_the_second_turn_knows_what_the_first_left(store: Store) -> None:
    turn = store.turn(asked())
    store.requests.start_send(turn, SEND, sandbox=True)
    store.end(turn, sandbox=True, closed=("release", "done"))
    later = store.turn(asked("request-2"))
    assert (PaymentStatus.CANCELLED, True, "cancellation-1") == (
        later.status,
        later.sandbox,
        later.cancellation_id,
    )
    ((action, number, reference, state),) = [
        (send.action, send.number, send.reference, send.state) for send in later.sends
    ]
    assert ("release", 1, "reference-1", "done") == (action, number, reference, state)


def test_a_failure_leaves_the_payment_as_it_was(store: Store) -> None:
    store.end(store.turn(asked()))
    store.end(store.turn(asked("request-2")), FAILED, None, next_look=60)
    later = store.turn(asked("request-3"))
    assert (PaymentStatus.CANCELLED, "cancellation-1") == (later.status, later.cancellation_id)


def test_what_a_repeat_leaves_out_is_still_known(store: Store) -> None:
    full = CancelRequest(1, PaymentKey("P1", "authorization", "tid"), "request-1")
    store.end(store.turn(full), FAILED, None, next_look=-1)
    turn = store.turn(asked("request-2"))
    assert full.payment == turn.payment


def test_every_attempt_that_ended_leaves_an_event(store: Store) -> None:
    store.end(store.turn(asked()), FAILED, None, next_look=60)
    store.end(store.turn(asked()))
    words = [event[3:] for event in store.contents()["events"]]
    assert [("failed", "provider-unavailable", "Not now"), ("done", None, "Cancelled")] == words


# Fencing.


def test_who_lost_the_lease_can_neither_send_nor_record(store: Store) -> None:
    old = store.turn(asked())
    store.let_the_lease_end()
    new = store.turn(asked())
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.requests.start_send(old, SEND, sandbox=False)
    with pytest.raises(LeaseLost):
        store.end(old, closed=("release", "failed"))
    assert before == store.contents()
    store.requests.start_send(new, SEND, sandbox=False)
    store.end(new)


def test_an_ended_lease_does_not_allow_to_send_even_when_nobody_took_it(store: Store) -> None:
    turn = store.turn(asked())
    store.let_the_lease_end()
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.requests.start_send(turn, SEND, sandbox=False)
    assert before == store.contents()


def test_a_turn_ends_once(store: Store) -> None:
    turn = store.turn(asked())
    store.end(turn)
    before = store.contents()
    with pytest.raises(LeaseLost):
        store.end(turn, FAILED, None)
    with pytest.raises(LeaseLost):
        store.requests.start_send(turn, SEND, sandbox=False)
    assert before == store.contents()


def test_of_fifty_ends_of_one_turn_one_is_recorded(store: Store) -> None:
    turn = store.turn(asked())
    found = in_threads(50, lambda _: store.end(turn))
    assert {"NoneType": 1, "LeaseLost": 49} == Counter(type(one).__name__ for one in found)
    assert 1 == len(store.contents()["events"])


def test_a_lease_is_of_its_own_payment_only(store: Store) -> None:
    first, second = store.turn(asked()), store.turn(asked(payment_id="P2"))
    mixed = Turn(
        first.claim_id,
        second.token,
        first.payment,
        1,
        first.status,
        first.sandbox,
        first.cancellation_id,
    )
    with pytest.raises(LeaseLost):
        store.requests.start_send(mixed, SEND, sandbox=False)


# Sends.


def test_a_repeated_send_is_one_row_with_a_new_time(store: Store) -> None:
    turn = store.turn(asked())
    store.requests.start_send(turn, SEND, sandbox=False)
    store.run("UPDATE sends SET sent_at = 1")
    store.requests.start_send(turn, SEND, sandbox=False)
    (row,) = store.contents()["sends"]
    assert row[-1] > 1
    store.end(turn, FAILED, None)
    (send,) = store.turn(asked()).sends
    assert ("open", "reference-1") == (send.state, send.reference)
    assert 0 <= send.age < 5


def test_a_new_reference_ends_the_one_before_it(store: Store) -> None:
    turn = store.turn(asked())
    store.requests.start_send(turn, SEND, sandbox=False)
    store.requests.start_send(turn, Send("refund", 1, "other"), sandbox=False)
    store.requests.start_send(turn, Send("release", 2, "reference-2"), sandbox=False)
    store.end(turn, FAILED, None)
    sends = {(send.action, send.number): send.state for send in store.turn(asked()).sends}
    assert {("release", 1): "failed", ("refund", 1): "open", ("release", 2): "open"} == sends


def test_the_request_shows_the_reference_of_its_last_send(store: Store) -> None:
    turn = store.turn(asked())
    for number in (1, 2):
        send = Send("release", number, f"reference-{number}")
        store.requests.start_send(turn, send, sandbox=False)
    assert ["reference-2"] == [row.reference for row in store.requests.rows()]


# Progress.


def test_progress_tells_who_has_the_turn(store: Store) -> None:
    nothing = store.requests.progress(asked())
    assert (False, False, None) == (nothing.is_held, nothing.is_same, nothing.state)
    turn = store.turn(asked())
    same, other = (store.requests.progress(asked(name)) for name in ("request-1", "request-2"))
    assert (True, True, State.RUNNING, 1) == (
        same.is_held,
        same.is_same,
        same.state,
        same.attempts,
    )
    assert (True, False, None, 0) == (other.is_held, other.is_same, other.state, other.attempts)
    store.end(turn, FAILED, None)
    ended = store.requests.progress(asked())
    assert (False, State.FAILED, "provider-unavailable", "Not now") == (
        ended.is_held,
        ended.state,
        ended.code,
        ended.message,
    )


def test_an_ended_lease_is_held_by_nobody(store: Store) -> None:
    store.turn(asked())
    store.let_the_lease_end()
    assert not store.requests.progress(asked()).is_held


# What is due.


def test_a_request_is_due_when_its_time_has_come(store: Store) -> None:
    store.turn(asked(), first_look=60)
    assert [] == store.requests.due(10)
    store.turn(asked(payment_id="P2"), first_look=-1)
    assert ["P2"] == [due.request.payment.payment_id for due in store.requests.due(10)]


def test_the_longest_due_come_first_and_no_more_than_asked(store: Store) -> None:
    for number in (3, 1, 2):
        turn = store.turn(asked(payment_id=f"P{number}"))
        store.end(turn, FAILED, None, next_look=-100 + number)
    found = [due.request.payment.payment_id for due in store.requests.due(2)]
    assert ["P1", "P2"] == found


def test_of_fifty_that_take_up_a_due_request_one_gets_it(store: Store) -> None:
    store.end(store.turn(asked()), FAILED, None, next_look=-1)
    found = in_threads(50, lambda _: store.requests.claim_due(asked(), lease=60))
    assert {"Turn": 1, "NoneType": 49} == Counter(type(one).__name__ for one in found)


def test_what_is_not_due_is_not_taken_up(store: Store) -> None:
    store.end(store.turn(asked()), FAILED, None, next_look=60)
    before = store.contents()
    assert store.requests.claim_due(asked(), lease=60) is None
    assert before == store.contents()


def test_what_is_done_is_never_due(store: Store) -> None:
    store.end(store.turn(asked(), first_look=-1))
    assert [] == store.requests.due(10)
    assert store.requests.claim_due(asked(), lease=60) is None


def test_a_repeat_begins_the_looks_anew(store: Store) -> None:
    store.end(store.turn(asked()), FAILED, None, looks=5, next_look=-1)
    assert [5] == [due.looks for due in store.requests.due(10)]
    store.turn(asked(), first_look=-1)
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
    store.turn(request, first_look=-1, lease=-1)
    (due,) = store.requests.due(10)
    assert request.claim_id == due.request.claim_id
    turn = store.requests.claim_due(due.request, lease=-1)
    assert turn is not None
    assert request.payment == turn.payment


# The operator's list.


def test_the_list_shows_every_request_oldest_first(store: Store) -> None:
    for number in (2, 1, 3):
        store.end(store.turn(asked(payment_id=f"P{number}")))
    # SQLite's clock has milliseconds: two requests may have the same instant.
    for at, payment_id in enumerate(("P2", "P1", "P3")):
        store.run("UPDATE requests SET created_at = :at WHERE payment_id = :p", at=at, p=payment_id)
    assert ["P2", "P1", "P3"] == [row.payment_id for row in store.requests.rows()]


def test_the_list_is_narrowed_by_state_and_merchant(store: Store) -> None:
    store.end(store.turn(asked()))
    store.end(store.turn(asked(merchant_id=2)), FAILED, None)
    store.turn(asked(payment_id="P2"))
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
