"""The work for a person is read in pages, the oldest first, and each merchant sees its own."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from connector.domain.operation import Operation, RefundRequest, State
from connector.domain.payment import PaymentKey
from connector.storage import work_list
from connector.storage.work_list import Place, WorkList
from tests.storage.plans import add_many_requests, add_requests, plan, wholly_read
from tests.storage.store import Store

OPEN_REFUNDS = [("refund", state) for state in ("running", "unknown", "waiting")]


@pytest.fixture
def work(store: Store) -> Iterator[WorkList]:
    return WorkList(store.database)


def add(store: Store, *rows: dict[str, Any]) -> None:
    add_requests(store.database, [{"state": "manual", **row} for row in rows])


def ids(work: WorkList, most: int = 50, **options: Any) -> str:
    return " ".join(row.id for row in work.page(most, **options))


def test_work_is_what_is_on_the_list_and_each_refund_that_may_still_come(
    store: Store, work: WorkList
) -> None:
    pairs = list(product(Operation, State))
    add(
        store,
        *({"id": f"{operation} {state}", "operation": operation.value, "state": state.value}
          for operation, state in pairs),
    )  # fmt: skip
    found = {(row.request.operation, row.request.state) for row in work.page(100)}
    assert {*((operation, "manual") for operation in Operation), *OPEN_REFUNDS} == found
    assert len(found) == work.count()


def test_the_oldest_stands_first_whatever_its_kind(store: Store, work: WorkList) -> None:
    for number in range(5):
        operation = ["refund", "cancel", "settle"][number % 3]
        add(store, {"id": f"r{number}", "operation": operation, "created_at": 9.0 - number})
    assert "r4 r3 r2 r1 r0" == ids(work)


def test_pages_show_each_row_once_also_those_of_one_moment(store: Store, work: WorkList) -> None:
    for number in range(11):
        operation = ["refund", "cancel"][number % 2]
        row = {"id": f"r{number:02}", "operation": operation, "created_at": float(number // 4)}
        add(store, row)
    shown, after = list[str](), None
    while page := work.page(3, after):
        shown += [row.id for row in page]
        after = page[-1].place
    assert [f"r{number:02}" for number in range(11)] == shown


def test_a_merchant_sees_its_own_rows(store: Store, work: WorkList) -> None:
    add(store, {"id": "own"}, {"id": "other", "merchant_id": 2})
    assert ("own", 1) == (ids(work, merchant_id=1), work.count(merchant_id=1))
    assert "own" == ids(work, merchant_id=1, after=Place(0.5, "other"))
    assert "other own" == ids(work)
    assert "" == ids(work, merchant_id=3)
    assert work.find("other", merchant_id=1) is None
    assert work.find("own", merchant_id=1)
    assert work.find("other")
    assert work.find("none") is None


def test_no_more_is_counted_than_is_shown(
    store: Store, work: WorkList, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0 == work.count()
    monkeypatch.setattr(work_list, "MOST_COUNTED", 3)
    add(store, *({"id": f"r{number}"} for number in range(9)))
    assert 4 == work.count()


def test_a_row_shows_the_request_and_its_payment(store: Store, work: WorkList) -> None:
    store.record("P1", amount=Decimal("10.50"), currency="EUR")
    request = RefundRequest(1, PaymentKey("P1"), "\0\ud800\u202e", Decimal("2.5"))
    lease = store.lease(request)
    (row,) = work.page(9)
    assert (request.claim_id, 1, "shop", "sandbox", "refund", "P1", request.request_id) == (
        row.id,
        row.merchant_id,
        row.request.merchant,
        row.request.provider,
        row.request.operation,
        row.request.payment_id,
        row.request.request_id,
    )
    amounts = (row.value, row.amount, row.currency, row.request.state)
    assert (Decimal("2.5"), Decimal("10.50"), "EUR", State.RUNNING) == amounts
    assert row.next_look_at
    store.end(lease, next_look=None)
    assert "" == ids(work)
    found = work.find(request.claim_id)
    assert found
    assert (State.FAILED, None) == (found.request.state, found.next_look_at)


def test_a_row_without_a_payment_is_shown(store: Store, work: WorkList) -> None:
    add(store, {"id": "r1", "payment_id": "P9"})
    (row,) = work.page(9)
    assert (None, None) == (row.amount, row.currency)


@pytest.mark.parametrize("statements", [work_list.PAGE, work_list.COUNT], ids=["page", "count"])
@pytest.mark.parametrize(
    ("is_of_merchant", "index"), [(False, "requests_open"), (True, "requests_open_of_merchant")]
)
def test_few_rows_of_many_are_read(
    store: Store, statements: dict[bool, str], is_of_merchant: bool, index: str
) -> None:
    add_many_requests(store.database)
    add_many_requests_of_states(store)
    values = {"most": 50, "at": 0.0, "id": "", "merchant_id": 1}
    read = plan(store.database, statements[is_of_merchant], **values)
    assert index in read
    assert "requests" not in wholly_read(read)


def add_many_requests_of_states(store: Store) -> None:
    add(store, *({"id": f"open-{n}", "state": "waiting", "operation": "create"} for n in range(99)))
