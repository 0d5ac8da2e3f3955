"""RuStore: what is approved must be what VTEX created, and an OK is not the end of a write."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.companies.rustore import Purchase, RuStore
from tests.operations.lifetime import P
from tests.rig import Rig
from tests.sink import Sink

pytestmark = pytest.mark.slow

OTHER = "B" * 32
PRICE = 1234.5
SHAPES = ["current", "older"]
ALREADY = Path(__file__).parents[1] / "providers" / "rustore" / "refund_already.json"


@pytest.fixture
def company() -> Iterator[RuStore]:
    with RuStore() as company:
        yield company


@pytest.fixture
def shop(rig: Rig, company: RuStore, sink: Sink) -> Rig:
    # Short, because a write that goes on is looked at for as long as there is time.
    rig.configure(CONNECTOR_CALLBACK_HOSTS=sink.host, CONNECTOR_ANSWER_SECONDS="1.5")
    rig.add(company)
    rig.add(company, name="refunding", captured="refund")
    return rig


def create(shop: Rig, sink: Sink, payment_id: str = P, merchant: str = "shop") -> Any:
    return shop.create(payment_id, PRICE, merchant, callbackUrl=sink.url).get_json()


def news(company: RuStore, purchase: Purchase, order_id: str) -> tuple[bytes, dict[str, str]]:
    """What the company tells of a purchase, with this order id."""
    change = {"order_id": order_id, "status_new": purchase.status}
    change |= {"invoice_id": purchase.invoice_id, "purchase_id": purchase.purchase_id}
    return company.sealed("INVOICE_STATUS", change), {"Content-Type": "application/json"}


def ids(purchase: Purchase) -> dict[str, str]:
    """A purchase as VTEX names it."""
    return {"authorizationId": purchase.purchase_id, "tid": purchase.invoice_id}


def listed(shop: Rig) -> list[tuple[str, str | None]]:
    """The operator's list."""
    rows = shop.connector.requests.rows(state="manual")
    return [(row.operation, row.message) for row in rows]


def code(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.get_json()["code"]


OTHER_AMOUNT = "The buyer paid another amount than VTEX asked for; nothing is approved"
OTHER_ORDER = "The provider shows this purchase under another order; nothing is approved"


class TestAnotherAmount:
    @pytest.fixture(params=[*SHAPES, "another currency"])
    def purchase(
        self, shop: Rig, company: RuStore, sink: Sink, request: pytest.FixtureRequest
    ) -> Purchase:
        """VTEX asked for 1,234.50 roubles; the buyer paid one, or in another currency."""
        create(shop, sink)
        is_currency = request.param == "another currency"
        company.shape = "current" if is_currency else request.param
        purchase = company.start(P, PRICE if is_currency else "1.00")
        purchase.currency = "KZT" if is_currency else "RUB"
        company.pay(P)
        shop.notify(company, P)
        return purchase

    def test_is_not_approved_and_is_the_operators(
        self, shop: Rig, company: RuStore, sink: Sink, purchase: Purchase
    ) -> None:
        shop.reconcile()
        assert "undefined" == create(shop, sink)["status"]
        assert [] == sink.bodies
        assert [("notification", OTHER_AMOUNT)] == listed(shop)
        assert (500, "payment-not-approved") == code(shop.settle(P, PRICE))
        assert (500, "payment-not-approved") == code(shop.settle(P, None, "settle-2"))
        assert "PAID" == purchase.status

    @pytest.mark.parametrize("value", [None, PRICE, 123450])
    def test_is_released_when_vtex_gives_up(
        self, shop: Rig, purchase: Purchase, value: float | None
    ) -> None:
        answer = shop.cancel(P, value=value)
        assert (200, purchase.purchase_id) == (
            answer.status_code,
            answer.get_json()["cancellationId"],
        )
        assert "REVERSED" == purchase.status
        for _ in range(4):
            shop.reconcile()
        assert [] == listed(shop)

    def test_gives_way_to_the_right_one_and_stays_on_the_list(
        self, shop: Rig, company: RuStore, sink: Sink, purchase: Purchase
    ) -> None:
        right = company.start(P, str(PRICE))
        company.pay(P)
        shop.notify(company, P)
        told = create(shop, sink)
        assert ("approved", right.purchase_id) == (told["status"], told["authorizationId"])
        shop.reconcile()
        ((operation, message),) = listed(shop)
        assert ("notification", True) == (operation, "second purchase" in str(message))
        assert 200 == shop.settle(P, PRICE).status_code
        assert ("PAID", "CONFIRMED") == (purchase.status, right.status)


@pytest.mark.parametrize(("price", "status"), [("1.00", "undefined"), (str(PRICE), "approved")])
def test_a_purchase_that_was_told_before_vtex_asked_for_it_is_looked_at_again(
    shop: Rig, company: RuStore, sink: Sink, price: str, status: str
) -> None:
    company.start(P, price)
    company.pay(P)
    shop.notify(company, P)
    assert status == create(shop, sink)["status"]
    shop.reconcile()
    is_right = status == "approved"
    assert ([] if is_right else [("notification", OTHER_AMOUNT)]) == listed(shop)


@pytest.mark.parametrize(
    ("merchant", "expected", "status"),
    [("shop", 501, "CONFIRMED"), ("refunding", 200, "REFUNDED")],
)
def test_another_amount_that_was_taken_at_once_is_returned_by_policy_or_listed(
    shop: Rig, company: RuStore, sink: Sink, merchant: str, expected: int, status: str
) -> None:
    create(shop, sink, merchant=merchant)
    purchase = company.start(P, "1.00")
    company.move(purchase, "CONSUMED")
    shop.notify(company, P, merchant)
    assert [("notification", OTHER_AMOUNT)] == listed(shop)
    answer = shop.cancel(P, value=PRICE, merchant=merchant)
    assert expected == answer.status_code
    assert {"CONFIRMED": "CONSUMED"}.get(status, status) == purchase.status


@pytest.mark.parametrize("shape", SHAPES)
class TestAnotherOrder:
    @pytest.fixture(autouse=True)
    def other(self, shop: Rig, company: RuStore, sink: Sink, shape: str) -> Purchase:
        """The paid purchase of another payment of VTEX's, for the same price."""
        company.shape = shape
        create(shop, sink)
        create(shop, sink, OTHER)
        purchase = company.start(OTHER, str(PRICE))
        company.pay(OTHER)
        return purchase

    def test_is_never_bound_to_this_payment(
        self, shop: Rig, company: RuStore, sink: Sink, other: Purchase
    ) -> None:
        shop.send_notification(company, news(company, other, P))
        shop.reconcile()
        told = create(shop, sink)
        assert ("undefined", P) == (told["status"], told["tid"])
        assert [("notification", OTHER_ORDER)] == listed(shop)
        assert (500, "payment-not-approved") == code(shop.settle(P, PRICE))
        assert (501, "cancel-manually") == code(shop.cancel(P))
        assert "PAID" == other.status
        shop.notify(company, OTHER)
        assert "approved" == create(shop, sink, OTHER)["status"]

    def test_is_not_bound_either_when_it_could_not_be_looked_at_first(
        self, shop: Rig, company: RuStore, sink: Sink, other: Purchase
    ) -> None:
        company.inject("status_before", "look", status=503)
        shop.send_notification(company, news(company, other, P))
        shop.reconcile()
        told = create(shop, sink)
        assert ("undefined", P) == (told["status"], told["tid"])
        assert [("notification", OTHER_ORDER)] == listed(shop)

    def test_gives_way_to_the_right_one(
        self, shop: Rig, company: RuStore, sink: Sink, other: Purchase
    ) -> None:
        shop.post(f"/payments/{P}/cancellations", {"requestId": "x", "value": 1, **ids(other)})
        right = company.start(P, str(PRICE))
        company.pay(P)
        shop.notify(company, P)
        told = create(shop, sink)
        assert ("approved", right.purchase_id) == (told["status"], told["authorizationId"])

    @pytest.mark.parametrize("status", ["PAID", "CONFIRMED", "REVERSED"])
    def test_is_not_moved_by_its_ids_nor_taken_for_this_one(
        self, shop: Rig, company: RuStore, other: Purchase, status: str
    ) -> None:
        company.move(other, status)
        settled = shop.settle(P, PRICE, **ids(other))
        refunded = shop.refund(P, PRICE, **ids(other))
        cancelled = shop.cancel(P, **ids(other))
        assert (500, "payment-not-approved") == code(settled)
        assert (501, "refund-manually") == code(refunded)
        assert (501, "cancel-manually") == code(cancelled)
        assert status == other.status

    def test_does_not_take_the_place_of_the_right_one(
        self, shop: Rig, company: RuStore, sink: Sink, other: Purchase
    ) -> None:
        right = company.start(P, str(PRICE))
        shop.notify(company, P)
        shop.send_notification(company, news(company, other, P))
        assert [("notification", OTHER_ORDER)] == listed(shop)
        company.pay(P)
        shop.notify(company, P)
        assert right.purchase_id == create(shop, sink)["authorizationId"]


def test_a_purchase_of_another_connectors_may_have_an_order_id_of_its_own(
    shop: Rig, company: RuStore
) -> None:
    """VTEX holds its ids; nothing else is known of it here."""
    first, second = company.create("order-17"), company.create("order-18")
    assert 200 == shop.cancel("C" * 32, **ids(first)).status_code
    assert 200 == shop.settle("D" * 32, 100, **ids(second)).status_code
    assert 200 == shop.refund("D" * 32, 100, **ids(second)).status_code
    assert ("REVERSED", "REFUNDED") == (first.status, second.status)


@pytest.mark.parametrize("order", [None, {}, {"orderNumber": "17"}])
def test_what_is_not_shown_is_not_compared(
    shop: Rig, company: RuStore, sink: Sink, order: dict[str, Any] | None
) -> None:
    company.shape = ""
    create(shop, sink)
    company.start(P, "1.00").order = order
    company.pay(P)
    shop.notify(company, P)
    assert "approved" == create(shop, sink)["status"]


@pytest.mark.parametrize(
    ("value", "expected"), [(None, 200), (100, 200), (10000, 200), (40, 501), (4000, 501)]
)
def test_a_cancellations_value_is_compared_with_what_is_shown(
    shop: Rig, company: RuStore, value: int | None, expected: int
) -> None:
    """Of a purchase that another connector created."""
    purchase = company.create(P)
    assert expected == shop.cancel(P, value=value, **ids(purchase)).status_code
    assert ("REVERSED" if expected == 200 else "PAID") == purchase.status


def test_more_than_is_shown_is_not_settled_nor_a_part(shop: Rig, company: RuStore) -> None:
    purchase = company.create(P)
    more, part = (
        shop.settle(P, value, f"settle-{value}", **ids(purchase)) for value in (100.01, 99)
    )
    assert [(500, "amount-too-large"), (500, "not-in-part")] == [code(more), code(part)]
    assert (200, 100) == (
        shop.settle(P, 100, **ids(purchase)).status_code,
        shop.settle(P, 100, **ids(purchase)).get_json()["value"],
    )


class TestUnderWay:
    @pytest.fixture
    def purchase(self, shop: Rig, company: RuStore, sink: Sink) -> Purchase:
        create(shop, sink)
        purchase = company.start(P, str(PRICE))
        company.pay(P)
        shop.notify(company, P)
        return purchase

    def test_a_confirm_is_settled_when_it_has_ended(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        company.is_slow = True
        for _ in range(2):
            assert (500, "settle-pending") == code(shop.settle(P, PRICE))
        assert 1 == len(company.calls_of("settle"))
        company.finish(P)
        answer = shop.settle(P, PRICE)
        assert (200, PRICE) == (answer.status_code, answer.get_json()["value"])
        assert 1 == sum(company.effects.values())

    def test_a_refund_is_done_when_it_has_ended(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        company.is_slow = True
        for _ in range(2):
            assert (500, "refund-pending") == code(shop.refund(P, PRICE))
        assert "REFUNDING" == purchase.status
        assert 1 == len(company.calls_of("refund"))
        company.finish(P)
        answer = shop.refund(P, PRICE)
        assert (200, PRICE) == (answer.status_code, answer.get_json()["value"])
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]

    @pytest.mark.parametrize("operation", ["settle", "refund"])
    def test_what_ends_while_vtex_waits_is_told_at_once(
        self, shop: Rig, company: RuStore, purchase: Purchase, operation: str
    ) -> None:
        if operation == "refund":
            shop.settle(P, PRICE)
        company.is_slow = True
        looks = len(company.calls_of("look"))

        def end_before_the_third_look(called: str, when: str) -> None:
            if (called, when) == ("look", "before") and len(company.calls_of("look")) == looks + 3:
                company.finish(P)

        company.hook = end_before_the_third_look
        answer = getattr(shop, operation)(P, PRICE)
        assert (200, PRICE) == (answer.status_code, answer.get_json()["value"])
        assert 1 == len(company.calls_of(operation))

    def test_a_refund_by_policy_is_a_cancellation_when_it_has_ended(
        self, shop: Rig, company: RuStore, sink: Sink
    ) -> None:
        create(shop, sink, merchant="refunding")
        purchase = company.start(P, str(PRICE))
        company.move(purchase, "CONFIRMED")
        company.is_slow = True
        shop.notify(company, P, "refunding")
        for _ in range(2):
            assert (500, "cancel-pending") == code(shop.cancel(P, merchant="refunding"))
        company.finish(P)
        assert 200 == shop.cancel(P, merchant="refunding").status_code
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]

    def test_that_it_was_refunded_before_is_no_proof_of_its_end(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        company.inject("answer", "refund", body=ALREADY.read_bytes())
        assert (500, "refund-pending") == code(shop.refund(P, PRICE))
        assert "CONFIRMED" == purchase.status
        company.move(purchase, "REFUNDED")
        assert 200 == shop.refund(P, PRICE).status_code
        assert 0 == company.effects[f"refund:{purchase.invoice_id}"]

    @pytest.mark.parametrize("is_seen", [True, False])
    def test_a_repeat_refused_while_the_first_refund_runs_ends_nothing(
        self, shop: Rig, company: RuStore, purchase: Purchase, *, is_seen: bool
    ) -> None:
        """The first arrives between the look and the repeat, which the company then refuses."""
        shop.settle(P, PRICE)
        company.is_slow = company.names_the_status = True
        company.lose("refund")
        assert (500, "outcome-unknown") == code(shop.refund(P, PRICE))

        def arrive_before_the_repeat(operation: str, when: str) -> None:
            if (operation, when) == ("refund", "before"):
                company.hook = None
                company.move(purchase, "REFUNDING")
                if not is_seen:
                    company.inject("status_before", "look", status=503)

        company.hook = arrive_before_the_repeat
        expected = "refund-pending" if is_seen else "outcome-unknown"
        assert (500, expected) == code(shop.refund(P, PRICE))
        ((_, message),) = listed(shop)
        assert str(message).startswith("Do not refund this by hand")
        company.finish(P)
        answer = shop.refund(P, PRICE)
        assert (200, PRICE) == (answer.status_code, answer.get_json()["value"])
        assert [] == listed(shop)
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]

    def test_a_repeat_that_is_refused_long_after_the_first_ends_both(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        company.inject("reset_before", "refund")
        assert 500 == shop.refund(P, PRICE).status_code
        refused = b'{"code": "ERROR", "message": "Invoice cannot be refunded"}'
        company.inject("answer", "refund", body=refused, times=9)
        assert (500, "provider-refused") == code(shop.refund(P, PRICE))
        assert 1 == len(listed(shop))
        shop.execute("UPDATE sends SET sent_at = sent_at - 60")
        assert (500, "provider-refused") == code(shop.refund(P, PRICE))
        assert [] == listed(shop)
        answers = [code(shop.refund(P, PRICE)) for _ in range(2)]
        assert [(500, "provider-refused"), (501, "refund-manually")] == answers

    def test_a_refund_given_up_is_not_told_done_because_another_was(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        """Only the whole can be returned, and it was, once."""
        shop.settle(P, PRICE)
        company.inject("reset_before", "refund")
        assert 500 == shop.refund(P, PRICE, "first").status_code
        shop.execute("UPDATE sends SET sent_at = sent_at - 60")
        assert 200 == shop.refund(P, PRICE, "second").status_code
        assert (500, "amount-too-large") == code(shop.refund(P, PRICE, "first"))
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]

    def test_a_refund_given_up_that_took_effect_after_all_is_told_done(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        company.inject("reset_before", "refund")
        assert 500 == shop.refund(P, PRICE, "first").status_code
        shop.execute("UPDATE sends SET sent_at = sent_at - 60, state = 'lost'")
        company.move(purchase, "REFUNDED")
        assert 200 == shop.refund(P, PRICE, "first").status_code
        assert (500, "amount-too-large") == code(shop.refund(P, PRICE, "second"))

    def test_a_refunded_payment_that_is_cancelled_keeps_the_word_of_its_approval(
        self, shop: Rig, sink: Sink, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        shop.refund(P, PRICE)
        told = create(shop, sink)
        assert ("approved", "PAID") == (told["status"], told["code"])
        assert 200 == shop.cancel(P).status_code
        assert told == create(shop, sink)

    def test_a_refund_that_is_not_possible_now_is_never_a_persons(
        self, shop: Rig, company: RuStore, purchase: Purchase
    ) -> None:
        shop.settle(P, PRICE)
        company.refunds_later = 7
        for _ in range(7):
            answer = shop.refund(P, PRICE)
            assert (500, "provider-unavailable") == code(answer)
            assert "Try again later" in json.loads(answer.data)["message"]
        assert 200 == shop.refund(P, PRICE).status_code
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]
        assert [] == listed(shop)

    def test_a_refund_by_policy_that_is_not_possible_now_is_sent_again(
        self, shop: Rig, company: RuStore, sink: Sink
    ) -> None:
        create(shop, sink, merchant="refunding")
        purchase = company.start(P, str(PRICE))
        company.move(purchase, "CONFIRMED")
        company.refunds_later = 5
        shop.notify(company, P, "refunding")
        for _ in range(5):
            assert (500, "provider-unavailable") == code(shop.cancel(P, merchant="refunding"))
        assert 200 == shop.cancel(P, merchant="refunding").status_code
        assert 1 == company.effects[f"refund:{purchase.invoice_id}"]
