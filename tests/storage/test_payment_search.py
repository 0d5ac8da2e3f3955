"""Payments are found by any of their ids, by merchant, status and time, and read in pages."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.domain.operation import CreateRequest
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.storage import payment_search
from connector.storage.columns import escaped
from connector.storage.payment_search import Filters, PaymentSearch, Position, spellings
from tests.storage.store import Store

UUID = "f5c1a4e2-0d3b-4e07-b7e8-71f5b5bc9f91"
ODD = "\0\ud800é'\"\\"


@pytest.fixture
def search(store: Store) -> Iterator[PaymentSearch]:
    return PaymentSearch(store.database)


def add(store: Store, payment_id: str, merchant_id: int = 1, **columns: Any) -> None:
    """Add a payment with the values of its columns."""
    values = {"status": "PENDING", "created_at": 1.0, **columns}
    store.run(
        "INSERT INTO payments (merchant_id, payment_id, sends, updated_at,"  # noqa: S608
        f" {', '.join(values)}) VALUES (:m, :p, 0, 1, {', '.join(f':{name}' for name in values)})",
        m=merchant_id,
        p=payment_id,
        **values,
    )


def ids(
    search: PaymentSearch, most: int = 50, after: Position | None = None, **filters: Any
) -> str:
    """Return the payment ids of a page."""
    found = search.page(Filters(**filters), most, after)
    return " ".join(payment.payment_id for payment in found)


def test_nothing_is_found_among_no_payments(search: PaymentSearch) -> None:
    assert "" == ids(search)
    assert "" == ids(search, id="P1")
    assert [] == list(search.each(Filters(), 10))


@pytest.mark.parametrize(
    "column", ["transaction_id", "order_id", "authorization_id", "provider_payment_id"]
)
def test_a_payment_is_found_by_each_of_its_ids(
    store: Store, search: PaymentSearch, column: str
) -> None:
    add(store, "P1", **{column: "given"})
    add(store, "P2", **{column: "other"})
    add(store, "P3")
    assert "P1" == ids(search, id="given")
    assert "P2" == ids(search, id="P2")
    assert "" == ids(search, id="give")
    assert "" == ids(search, id="%")


def test_a_payment_whose_ids_are_the_same_is_found_once(
    store: Store, search: PaymentSearch
) -> None:
    add(store, "P1", transaction_id="P1", order_id="P1", authorization_id="P1")
    assert "P1" == ids(search, id="P1")


@pytest.mark.parametrize(
    "stored", [UUID, UUID.upper(), UUID.replace("-", ""), UUID.replace("-", "").upper()]
)
@pytest.mark.parametrize(
    "asked", [UUID, UUID.upper(), UUID.replace("-", ""), UUID.replace("-", "").upper()]
)
def test_an_id_with_dashes_is_the_same_without_dashes(
    store: Store, search: PaymentSearch, stored: str, asked: str
) -> None:
    add(store, "P1", transaction_id=stored)
    add(store, stored, created_at=0.5)
    assert f"P1 {stored}" == ids(search, id=asked)


def test_the_number_of_an_order_finds_its_payments(store: Store, search: PaymentSearch) -> None:
    add(store, "P1", order_id="1234567890123")
    assert "P1" == ids(search, id="1234567890123-01")
    assert "" == ids(search, id="1234567890123-1")


def test_any_characters_are_found(store: Store, search: PaymentSearch) -> None:
    add(store, "P1", order_id=escaped(ODD))
    (found,) = search.page(Filters(id=ODD), 50)
    assert ODD == found.order_id


def test_every_search_has_room_for_the_spellings() -> None:
    assert len(payment_search._SPELLINGS) == len(spellings(UUID.title()))
    assert ["x"] == spellings("x")


def test_a_merchant_sees_its_own_payments_whatever_is_asked(
    store: Store, search: PaymentSearch
) -> None:
    for merchant_id, name in ((1, "own"), (2, "other")):
        add(store, name, merchant_id, order_id="O1", created_at=float(merchant_id))
    assert "own" == ids(search, merchant_id=1)
    assert "own" == ids(search, merchant_id=1, id="O1")
    assert "" == ids(search, merchant_id=1, id="other")
    assert "" == ids(search, merchant_id=3)
    assert "other own" == ids(search, id="O1")
    # A position of another merchant's payment is only a position.
    assert "own" == ids(search, after=Position(2.0, 2, "other"), merchant_id=1)
    assert "" == ids(search, after=Position(0.5, 2, "other"), merchant_id=1)


@pytest.mark.parametrize(
    "known", [{}, {"id": "O1"}, {"merchant_id": 1}, {"id": "O1", "merchant_id": 1}]
)
def test_status_and_time_limit_every_search(
    store: Store, search: PaymentSearch, known: dict[str, Any]
) -> None:
    for number, status in enumerate(PaymentStatus):
        add(store, f"P{number}", order_id="O1", status=status, created_at=float(number))
    assert "P5 P4 P3 P2 P1 P0" == ids(search, **known)
    assert "P2" == ids(search, **known, status=PaymentStatus.DENIED)
    assert "P3 P2" == ids(search, **known, since=2.0, until=4.0)
    assert "" == ids(search, **known, since=2.0, until=4.0, status=PaymentStatus.PENDING)
    assert "" == ids(search, **known, since=4.0, until=2.0)
    # The later of both limits counts.
    assert "P1 P0" == ids(search, **known, until=4.0, after=Position(2.0))
    assert "P1 P0" == ids(search, **known, until=2.0, after=Position(4.0))


@pytest.mark.parametrize("known", [{}, {"id": "O1"}, {"merchant_id": 1}])
def test_pages_show_every_payment_once_also_those_of_one_moment(
    store: Store, search: PaymentSearch, known: dict[str, Any]
) -> None:
    for number in range(23):
        status = list(PaymentStatus)[number % 6]
        add(store, f"P{number:02}", order_id="O1", status=status, created_at=float(number // 10))
    whole = ids(search, **known)
    assert [f"P{number}" for number in (22, 21, 20, 19)] == whole.split()[:4]
    shown, after = [], None
    while page := search.page(Filters(**known), 4, after):
        shown += [payment.payment_id for payment in page]
        after = page[-1].position
    assert whole.split() == shown
    assert 23 == len(set(shown))


def test_all_found_payments_are_read_one_query_after_another(
    store: Store, search: PaymentSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_search, "ROWS_OF_A_QUERY", 4)
    for number in range(10):
        add(store, f"P{number}", created_at=float(number))
    numbers = [payment.payment_id for payment in search.each(Filters(), 100)]
    assert [f"P{number}" for number in range(9, -1, -1)] == numbers
    assert numbers[:7] == [payment.payment_id for payment in search.each(Filters(), 7)]
    assert numbers[:8] == [payment.payment_id for payment in search.each(Filters(), 8)]


def test_a_found_payment_shows_what_is_recorded(store: Store, search: PaymentSearch) -> None:
    request = CreateRequest(2, PaymentKey("P1"), transaction_id=ODD, order_id="O1")
    lease = store.lease(request)
    key = replace(lease.payment.key, authorization_id=ODD, provider_payment_id="tid")
    payment = Payment(key, PaymentStatus.SETTLED, sandbox=True, currency="EUR")
    store.end(lease, payment=replace(payment, amount="10.50", settled="0.10"))
    (found,) = search.page(Filters(), 50)
    assert ("other", "sandbox", "P1") == (found.merchant, found.provider, found.payment_id)
    assert (ODD, "O1", ODD, "tid") == (
        found.transaction_id,
        found.order_id,
        found.authorization_id,
        found.provider_payment_id,
    )
    assert ("SETTLED", "10.50", "EUR", "0.10", True) == (
        found.status,
        str(found.amount),
        found.currency,
        str(found.settled),
        found.sandbox,
    )
    assert 1_700_000_000 < found.created_at < math.inf
