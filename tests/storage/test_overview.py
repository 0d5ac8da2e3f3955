"""What waits, and how requests ended: the counts and the times that people act on."""

import itertools
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connector.domain.operation import Operation, State
from connector.domain.payment import PaymentStatus
from connector.storage import overview
from connector.storage.overview import Begun, End, Overview
from tests.storage.store import Store

NOW = time.time()
ids = itertools.count()


@pytest.fixture
def shown(store: Store) -> Iterator[Overview]:
    store.run("UPDATE merchants SET provider = 'tranzzo' WHERE id = 2")
    return Overview(store.database)


def add(
    store: Store,
    operation: str = "cancel",
    state: str = "done",
    *,
    status: str = "PENDING",
    merchant_id: int = 1,
    age: float = 100.0,
    seconds: float = 0.0,
    attempts: int = 1,
    steps: tuple[tuple[str, str, float], ...] = (),
    **columns: Any,
) -> str:
    """Add a request with its payment. `steps` have a kind, a state and seconds after the start."""
    claim = f"request-{next(ids)}"
    at = NOW - age
    values = {"next_look_at": None, **columns}
    store.run(
        "INSERT INTO payments (merchant_id, payment_id, status, sends, created_at, updated_at)"
        " VALUES (:merchant, :id, :status, 0, :at, :at)",
        merchant=merchant_id, id=claim, status=status, at=at,
    )  # fmt: skip
    store.run(
        "INSERT INTO requests (id, merchant_id, operation, payment_id, request_id, sandbox, state,"
        " attempts, looks, next_look_at, created_at, updated_at) VALUES (:id, :merchant,"
        " :operation, :id, 'r', false, :state, :attempts, 0, :next_look_at, :at, :ended)",
        id=claim, merchant=merchant_id, operation=operation, state=state, attempts=attempts,
        at=at, ended=at + seconds, **values,
    )  # fmt: skip
    for kind, of_state, after in steps:
        store.run(
            "INSERT INTO events (request, at, state, kind) VALUES (:id, :at, :state, :kind)",
            id=claim, at=at + after, state=of_state, kind=kind,
        )  # fmt: skip
    return claim


def waiting(shown: Overview, merchant_id: int | None = None) -> list[tuple[Any, ...]]:
    return sorted(
        (one.provider, one.state.value, one.operation.value, one.number)
        for one in shown.waiting(merchant_id)
    )


def ends(shown: Overview, merchant_id: int | None = None) -> list[tuple[str, str, str]]:
    found = shown.judged(NOW - 1000, merchant_id)
    return sorted((one.provider, one.operation, one.end) for one in found)


def test_nothing_waits_where_nothing_is(shown: Overview) -> None:
    assert [] == shown.waiting()
    assert [] == shown.judged(0.0)
    assert (0, 0.0, False) == (
        shown.due_looks().number,
        shown.due_callbacks().age,
        shown.due_looks().is_more,
    )
    assert Begun(has_merchant=True, has_request=False) == shown.begun()


def test_it_is_known_what_a_fresh_installation_has(store: Store, shown: Overview) -> None:
    add(store, merchant_id=2)
    assert Begun(has_merchant=True, has_request=True) == shown.begun()
    assert Begun(has_merchant=True, has_request=True) == shown.begun(2)
    assert Begun(has_merchant=True, has_request=False) == shown.begun(1)


def test_open_requests_are_counted_by_company_and_state(store: Store, shown: Overview) -> None:
    for state in State:
        add(store, state=state)
    add(store, "create", "waiting", merchant_id=2, age=50)
    add(store, "create", "waiting", merchant_id=2, age=5000)
    assert [
        ("sandbox", "manual", "cancel", 1),
        ("sandbox", "running", "cancel", 1),
        ("sandbox", "unknown", "cancel", 1),
        ("sandbox", "waiting", "cancel", 1),
        ("tranzzo", "waiting", "create", 2),
    ] == waiting(shown)
    assert [("tranzzo", "waiting", "create", 2)] == waiting(shown, 2)
    (oldest,) = shown.waiting(2)
    assert oldest.age >= 5000


def test_every_operation_can_wait(store: Store, shown: Overview) -> None:
    for operation in Operation:
        add(store, operation, "unknown")
    assert set(Operation) == {one.operation for one in shown.waiting()}


def test_a_count_says_when_there_is_more(
    store: Store, shown: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age in (10, 20, 30):
        add(store, state="unknown", age=age, next_look_at=NOW - age)
    add(store, state="manual")
    monkeypatch.setattr(overview, "MOST_WAITING", 2)
    monkeypatch.setattr(overview, "MOST_DUE", 2)
    found = {one.state: one for one in shown.waiting()}
    assert (2, True) == (found[State.UNKNOWN].number, found[State.UNKNOWN].is_more)
    # The oldest are counted.
    assert found[State.UNKNOWN].age >= 30
    assert (1, False) == (found[State.MANUAL].number, found[State.MANUAL].is_more)
    assert (2, True) == (shown.due_looks().number, shown.due_looks().is_more)
    assert (0, True) == (shown.due_looks(2).number, shown.due_looks(2).is_more)


def test_due_callbacks_and_looks_are_counted_with_the_time_since_they_are_due(
    store: Store, shown: Overview
) -> None:
    add(store, next_look_at=NOW - 40)
    add(store, next_look_at=NOW + 4000)
    late, merchant_id = add(store, merchant_id=2), 2
    soon = add(store, merchant_id=2)
    for claim, at in ((late, NOW - 90), (soon, NOW + 4000)):
        store.run("UPDATE payments SET callback_at = :at WHERE payment_id = :id", id=claim, at=at)
    looks, callbacks = shown.due_looks(), shown.due_callbacks(merchant_id)
    assert (1, 1) == (looks.number, callbacks.number)
    assert looks.age >= 40
    assert callbacks.age == pytest.approx(looks.age + 50, abs=10)
    assert 0 == shown.due_callbacks(1).number
    assert 0 == shown.due_looks(2).number


@pytest.mark.parametrize("operation", ["cancel", "settle", "refund"])
@pytest.mark.parametrize(
    ("state", "attempts", "steps", "end"),
    [
        ("done", 1, (), End.SUCCEEDED),
        ("done", 3, (("told", "failed", 1.0), ("told", "done", 2.0)), End.SUCCEEDED),
        # A person closed it, or did it in the company's console.
        ("done", 2, (("told", "manual", 1.0), ("closed", "done", 2.0)), End.PERSON),
        ("done", 2, (("closed", "done", 2.0),), End.PERSON),
        ("done", 2, (("told", "manual", 1.0), ("ended", "done", 2.0)), End.PERSON),
        ("manual", 1, (), End.PERSON),
        ("failed", 1, (), End.FAILED),
        ("failed", 2, (("told", "manual", 1.0),), End.PERSON),
        *((state, 1, (), End.OPEN) for state in ("running", "unknown", "waiting")),
    ],
)
def test_a_request_that_needed_a_person_is_no_success(
    store: Store, shown: Overview, operation: str, state: str, attempts: int, steps: Any, end: End
) -> None:
    add(store, operation, state, attempts=attempts, steps=steps)
    # Steps of another request say nothing of this one.
    add(store, "refund", "done", merchant_id=2, steps=(("told", "done", 1.0),))
    assert [("sandbox", operation, end.value)] == ends(shown, 1)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        ("APPROVED", End.SUCCEEDED),
        ("SETTLED", End.SUCCEEDED),
        ("REFUNDED", End.SUCCEEDED),
        ("DENIED", End.FAILED),
        ("CANCELLED", End.CANCELLED),
        ("PENDING", End.OPEN),
    ],
)
@pytest.mark.parametrize("state", ["done", "waiting", "running"])
def test_a_create_ended_as_its_payment_did(
    store: Store, shown: Overview, status: str, end: End, state: str
) -> None:
    add(store, "create", state, status=status)
    assert [("sandbox", "create", end.value)] == ends(shown)


def test_every_status_of_a_payment_has_an_end(store: Store, shown: Overview) -> None:
    for status in PaymentStatus:
        add(store, "create", status=status)
    assert set(End) - {End.PERSON} == {one.end for one in shown.judged(0.0)}


def test_a_create_that_failed_is_no_open_create(store: Store, shown: Overview) -> None:
    add(store, "create", "failed")
    assert [("sandbox", "create", "failed")] == ends(shown)


def test_the_seconds_run_to_the_final_answer_and_of_a_create_to_the_first(
    store: Store, shown: Overview
) -> None:
    add(store, "cancel", seconds=7.0, attempts=2, steps=(("told", "done", 1.0),))
    told = (("asked", "running", 0.0), ("told", "waiting", 1.5), ("told", "done", 60.0))
    add(store, "create", seconds=90.0, steps=told, attempts=2)
    add(store, "create", "running", merchant_id=2)
    found = {(one.provider, one.operation): one.seconds for one in shown.judged(0.0)}
    assert found["sandbox", "cancel"] == pytest.approx(7.0)
    assert found["sandbox", "create"] == pytest.approx(1.5)
    assert found["tranzzo", "create"] is None


def test_only_the_newest_of_each_operation_are_judged(
    store: Store, shown: Overview, monkeypatch: pytest.MonkeyPatch
) -> None:
    for age, state in ((30, "failed"), (20, "done"), (10, "manual")):
        add(store, "refund", state, age=age)
        add(store, "settle", state, age=age, merchant_id=2)
    add(store, "notification")
    monkeypatch.setattr(overview, "MOST_JUDGED", 2)
    assert [
        ("sandbox", "refund", "person"),
        ("sandbox", "refund", "succeeded"),
        ("tranzzo", "settle", "person"),
        ("tranzzo", "settle", "succeeded"),
    ] == ends(shown)
    assert [] == ends(shown, 3)
    assert ["person"] == [one.end for one in shown.judged(NOW - 15, 1)]


def plan(store: Store, statement: str, **values: Any) -> list[str]:
    """Return the steps by which the database runs a statement: `SCAN table`, or an index's name."""
    values |= {"most": 1000, "since": 0.0, "merchant_id": 1}
    with store.database.read() as connection:
        if store.database.engine.dialect.name == "sqlite":
            rows = connection.all(f"EXPLAIN QUERY PLAN {statement}", **values)
            return [row["detail"] for row in rows]
        # There are few rows, of which PostgreSQL would read all.
        connection.run("SET enable_seqscan = off")
        (row,) = connection.all(f"EXPLAIN (FORMAT JSON) {statement}", **values)
        connection.run("RESET enable_seqscan")
    return list(nodes(row["QUERY PLAN"][0]["Plan"]))


def nodes(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield f"SCAN {node['Relation Name']}"
    yield node.get("Index Name", "")
    for below in node.get("Plans", []):
        yield from nodes(below)


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [
        (overview.WAITING[False], {"requests_open"}),
        (overview.WAITING[True], {"requests_open_of_merchant"}),
        (overview.JUDGED[False], {"requests_newest", "ix_events_request"}),
        (overview.JUDGED[True], {"requests_of_merchant", "ix_events_request"}),
        (overview.DUE_CALLBACKS, {"payments_callback"}),
        (overview.DUE_LOOKS, {"requests_due"}),
    ],
    ids=["waiting", "of-merchant", "judged", "judged-of-merchant", "callbacks", "looks"],
)
def test_no_table_that_grows_is_read_from_end_to_end(
    store: Store, statement: str, indexes: set[str]
) -> None:
    steps = plan(store, statement)
    assert indexes == {index for index in indexes if any(index in step for step in steps)}
    assert not {f"SCAN {table}" for table in ("requests", "payments", "events")}.intersection(steps)
