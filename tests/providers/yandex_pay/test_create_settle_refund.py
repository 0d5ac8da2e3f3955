"""The life of a payment: create, look, settle and refund."""

import json
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.errors import AnswerNotUnderstood, OutcomeUnknown, ProviderRefused
from connector.domain.order import Line, Order
from connector.domain.payment import Effect, Look, PaymentKey, PaymentStatus, Standing
from tests.providers.contract import HTML, REFERENCE
from tests.providers.yandex_pay.conftest import ORDER, WHOLE, YandexPayAccount

ZERO = Decimal(0)


def totals(items: list[dict[str, Any]]) -> dict[str, str]:
    return {item["productId"]: item["total"] for item in items}


# Create.


def test_an_order_is_made_as_documented_and_the_buyer_is_sent_to_its_page(
    shop: YandexPayAccount,
) -> None:
    created = shop.create()
    (call,) = shop.company.calls
    assert (call.method, call.path) == ("POST", "/api/merchant/v1/orders")
    assert REFERENCE == call.headers["X-Request-Id"]
    cart = {
        "items": [
            {
                "productId": "sku-1",
                "quantity": {"count": "1"},
                "title": "10 \u00d7 Pen",
                "total": "33.33",
            },
            {"productId": "sku-1-2", "quantity": {"count": "1"}, "title": "Pen", "total": "6.67"},
            {
                "productId": "sku-2",
                "quantity": {"count": "1"},
                "title": "2 \u00d7 Блокнот",
                "total": "60.00",
            },
        ],
        "total": {"amount": "100.00"},
    }
    back = "https://shop.example/back"
    assert call.json() == {
        "orderId": ORDER,
        "currencyCode": "RUB",
        "cart": cart,
        "redirectUrls": {"onSuccess": back, "onError": back, "onAbort": back},
        "ttl": 1800,
    }
    assert created.payment_url == f"{shop.company.origin}/pay/{ORDER}"
    assert (created.status, created.provider_payment_id) == (PaymentStatus.PENDING, None)
    assert json.loads(created.memo or "") == cart
    assert ": " not in (created.memo or "")


def test_a_repeated_create_is_one_order_with_one_page(shop: YandexPayAccount) -> None:
    assert shop.create() == shop.create()
    assert shop.company.effects == {f"create:{ORDER}": 1}
    assert shop.provider.create_is_idempotent


def test_a_create_whose_answer_was_lost_is_the_same_order_again(shop: YandexPayAccount) -> None:
    shop.company.inject("reset_after", "create")
    with pytest.raises(OutcomeUnknown):
        shop.create()
    assert shop.look().standing is Standing.UNPAID
    assert shop.create().payment_url
    assert shop.company.effects == {f"create:{ORDER}": 1}


def test_the_cart_is_known_before_the_order_is_sent(shop: YandexPayAccount) -> None:
    memo = shop.provider.memo(WHOLE)
    shop.company.inject("reset_after", "create")
    with pytest.raises(OutcomeUnknown):
        shop.create()
    assert json.loads(memo or "") == shop.company.calls[0].json()["cart"]
    shop.company.pay(ORDER)
    shop.key = PaymentKey(ORDER, memo=memo)
    assert shop.settle("60", shop.look()).effect is Effect.DONE
    assert shop.refund("20", shop.look()).effect is Effect.DONE
    assert shop.money() == (ZERO, Decimal(60), Decimal(20))
    assert shop.create().memo == memo


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (Line("a", "A", 1, ZERO),),
        (Line("a", "A", 1, Decimal("99.99")),),
        (Line("a", "A", 1, Decimal("120.00")), Line("b", "Coupon", 1, Decimal("-20.00"))),
        (Line("a", "A", 1, Decimal("99.995")), Line("b", "B", 1, Decimal("0.005"))),
    ],
)
def test_an_order_without_usable_lines_is_one_line(
    shop: YandexPayAccount, lines: tuple[Line, ...]
) -> None:
    shop.create(Order(ORDER, Decimal(100), "RUB", "1309", lines=lines, return_url="https://s/"))
    (item,) = shop.company.calls[0].json()["cart"]["items"]
    assert (item["title"], item["total"]) == ("Order 1309", "100.00")


def test_long_and_empty_names_are_made_to_fit(shop: YandexPayAccount) -> None:
    lines = [Line("x" * 3000, "Я" * 3000, 2, Decimal(1)) for _ in range(40)]
    lines += [Line("", "", 1, Decimal(1)) for _ in range(2)]
    lines += [Line("x-3", "A", 1, Decimal(1)), Line("x", "B", 1, Decimal(1))]
    lines += [Line("x", "C", 1, Decimal(1))]
    amount = Decimal(len(lines))
    shop.create(Order(ORDER, amount, "RUB", lines=tuple(lines), return_url="https://s/"))
    items = shop.company.calls[0].json()["cart"]["items"]
    assert len({item["productId"] for item in items}) == len(lines)
    assert max(len(item["productId"]) for item in items) <= 2048
    assert {2048} == {len(item["title"]) for item in items[:40]}


@pytest.mark.parametrize("amount", ["0.99", "0", "-5", "10.001", "1.999"])
def test_what_yandex_never_takes_is_refused_before_the_call(
    shop: YandexPayAccount, amount: str
) -> None:
    with pytest.raises(ProviderRefused):
        shop.create(Order(ORDER, Decimal(amount), "RUB"))
    assert not shop.company.calls
    assert shop.provider.memo(Order(ORDER, Decimal(amount), "RUB")) is None


def test_a_refused_order_was_not_made(shop: YandexPayAccount) -> None:
    with pytest.raises(ProviderRefused):
        shop.create(Order(ORDER, Decimal(10), "USD", return_url="https://s/"))
    assert shop.look().standing is Standing.ABSENT


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://shop.example/pay",
        "javascript:alert(1)",
        "https://",
        "//x/y",
        7,
        "http://[",
    ],
)
def test_a_page_the_buyer_cannot_be_sent_to_is_no_answer(
    shop: YandexPayAccount, url: object
) -> None:
    body = json.dumps({"status": "success", "data": {"paymentUrl": url}}).encode()
    shop.company.inject("answer", "create", body=body)
    with pytest.raises(AnswerNotUnderstood):
        shop.create()


# Look.


def test_a_look_follows_the_payment(shop: YandexPayAccount) -> None:
    created = shop.create()
    look = shop.look()
    assert (look.standing, look.amount, look.currency) == (Standing.UNPAID, Decimal(100), "RUB")
    assert look.payment_url == created.payment_url
    assert look.authorization_id is None
    shop.company.pay(ORDER)
    look = shop.look()
    assert (look.standing, look.verdict) == (Standing.HELD, PaymentStatus.APPROVED)
    assert look.authorization_id == shop.company.operations[ORDER][0]["operationId"]
    assert (look.captured, look.refunded) == (None, None)


@pytest.mark.parametrize("way", ["decline", "expire"])
def test_what_is_declined_or_expires_is_denied(shop: YandexPayAccount, way: str) -> None:
    shop.create()
    getattr(shop.company, way)(ORDER)
    assert shop.look().verdict is PaymentStatus.DENIED
    shop.company.pay(ORDER)
    assert shop.money() == (ZERO, ZERO, ZERO)


def test_a_payment_in_one_stage_is_taken_at_once(shop: YandexPayAccount) -> None:
    shop.company.one_stage = True
    look = shop.paid()
    assert (look.standing, look.captured, look.refunded) == (Standing.CAPTURED, Decimal(100), ZERO)
    assert look.authorization_id
    assert shop.refund(None, look).effect is Effect.DONE
    assert shop.money() == (ZERO, Decimal(100), Decimal(100))


# Settle.


def test_all_of_a_hold_is_taken_without_a_cart(shop: YandexPayAccount) -> None:
    sent = shop.settle(None, shop.paid())
    (call,) = shop.company.calls_of("capture")
    assert call.path == f"/api/merchant/v1/orders/{ORDER}/capture"
    assert call.json() == {"externalOperationId": "settle-1"}
    assert call.headers["X-Request-Id"] == "settle-1"
    assert (sent.effect, sent.id) == (
        Effect.DONE,
        shop.company.operations[ORDER][-1]["operationId"],
    )
    look = shop.look()
    assert (look.standing, look.captured, look.refunded) == (Standing.CAPTURED, Decimal(100), ZERO)


@pytest.mark.parametrize(
    ("amount", "left"),
    [
        ("99.99", {"sku-1": "33.33", "sku-1-2": "6.67", "sku-2": "59.99"}),
        ("40.00", {"sku-1": "33.33", "sku-1-2": "6.67"}),
        ("39.99", {"sku-1": "33.33", "sku-1-2": "6.66"}),
        ("1", {"sku-1": "1.00"}),
    ],
)
@pytest.mark.parametrize("shrinks", [False, True])
def test_a_part_is_taken_with_the_cart_cut_from_its_end(
    shop: YandexPayAccount, amount: str, left: dict[str, str], shrinks: bool
) -> None:
    shop.company.amount_shrinks = shrinks
    assert shop.settle(amount, shop.paid()).effect is Effect.DONE
    told = shop.company.calls_of("capture")[0].json()
    text = f"{Decimal(amount):.2f}"
    assert (told["orderAmount"], told["cart"]["total"]["amount"]) == (text, text)
    assert totals(told["cart"]["items"]) == left
    assert shop.money() == (ZERO, Decimal(amount), ZERO)
    look = shop.look()
    assert (look.standing, look.amount) == (Standing.CAPTURED, Decimal(100))
    assert (look.captured, look.refunded) == (Decimal(amount), ZERO)
    assert shop.refund(None, look).effect is Effect.DONE
    assert shop.look().standing is Standing.UNDONE


@pytest.mark.parametrize("shows", ["pending", "success", "failure"])
@pytest.mark.parametrize("shrinks", [False, True])
@pytest.mark.parametrize("status", ["CAPTURED", "PARTIALLY_REFUNDED"])
def test_what_a_part_released_is_no_refund_though_it_is_shown_as_one(
    shop: YandexPayAccount, shows: str, shrinks: bool, status: str
) -> None:
    shop.company.rest_shows, shop.company.amount_shrinks = shows, shrinks
    look = shop.taken("60")
    if shows != "failure":
        shop.company.orders[ORDER]["paymentStatus"] = status
        look = shop.look()
    assert (look.standing, look.captured, look.refunded) == (Standing.CAPTURED, Decimal(60), ZERO)
    # A refund of just as much as was released is one all the same: it has a reference.
    shop.company.orders[ORDER]["paymentStatus"] = "CAPTURED"
    assert shop.refund("40", look).effect is Effect.DONE
    look = shop.look("refund-1")
    assert (look.standing, look.refunded) == (Standing.PARTLY_REFUNDED, Decimal(40))
    assert shop.refund(None, look, "refund-2").effect is Effect.DONE
    assert shop.look().standing is Standing.UNDONE
    assert shop.money() == (ZERO, Decimal(60), Decimal(60))


@pytest.mark.parametrize("amount", ["0.50", "0", "-1", "50.001", "100.01"])
def test_what_cannot_be_settled_is_refused_before_the_call(
    shop: YandexPayAccount, amount: str
) -> None:
    look = shop.paid()
    with pytest.raises(ProviderRefused):
        shop.settle(amount, look)
    assert not shop.company.calls_of("capture")


def test_without_the_cart_only_all_can_be_settled(shop: YandexPayAccount) -> None:
    look = shop.paid()
    shop.key = PaymentKey(ORDER)
    with pytest.raises(ProviderRefused, match="no cart"):
        shop.settle("50", look)
    assert not shop.company.calls_of("capture")
    assert shop.settle("100.0", look).effect is Effect.DONE


def test_what_was_taken_is_not_known_where_a_part_looks_like_a_hold(shop: YandexPayAccount) -> None:
    shop.company.prints_authorize = True
    look = shop.taken("60")
    assert (look.standing, look.amount) == (Standing.CAPTURED, Decimal(100))
    assert (look.captured, look.refunded) == (None, ZERO)
    for amount in (None, "60", "20"):
        with pytest.raises(ProviderRefused, match="no amount"):
            shop.refund(amount, look)
    assert not shop.company.calls_of("refund")


def test_all_was_taken_where_all_that_looks_like_a_hold_agrees(shop: YandexPayAccount) -> None:
    shop.company.prints_authorize = True
    look = shop.taken()
    assert (look.captured, look.refunded) == (Decimal(100), ZERO)


def test_a_settlement_that_is_still_running_is_seen_by_a_repeat(shop: YandexPayAccount) -> None:
    shop.company.is_slow = True
    held = shop.paid()
    assert shop.settle("40", held).effect is Effect.ACCEPTED
    assert shop.look().standing is Standing.WORKING
    shop.company.finish(ORDER, well=False)
    assert shop.look().standing is Standing.HELD
    assert shop.settle("40", held).effect is Effect.FAILED
    assert shop.settle("40", held, "settle-2").effect is Effect.ACCEPTED
    shop.company.finish(ORDER)
    assert shop.look().captured == Decimal(40)
    sent = shop.settle("40", held, "settle-2")
    assert (sent.effect, sent.id) == (
        Effect.DONE,
        shop.company.operations[ORDER][-1]["operationId"],
    )
    assert shop.company.effects[f"capture:{ORDER}"] == 1


@pytest.mark.parametrize("kind", ["reset_after", "status_before", "truncated", "answer"])
def test_an_operation_that_cannot_be_asked_after_leaves_it_open(
    shop: YandexPayAccount, kind: str
) -> None:
    shop.company.is_slow = True
    look = shop.paid()
    shop.company.inject(kind, "operation", status=401, body=HTML)
    assert shop.settle(None, look).effect is Effect.ACCEPTED


# Refund.


@pytest.mark.parametrize("shrinks", [False, True])
def test_a_payment_is_returned_in_parts(shop: YandexPayAccount, shrinks: bool) -> None:
    shop.company.amount_shrinks = shrinks
    look = shop.taken()
    sent = shop.refund("30.01", look)
    assert shop.company.calls_of("refund")[0].json() == {
        "refundAmount": "30.01",
        "externalOperationId": "refund-1",
        "targetCart": {
            "items": [
                {"productId": "sku-1", "price": "33.33", "quantityCount": "1"},
                {"productId": "sku-1-2", "price": "6.67", "quantityCount": "1"},
                {"productId": "sku-2", "price": "29.99", "quantityCount": "1"},
            ]
        },
    }
    look = shop.look("refund-1")
    assert (look.standing, look.write_effect, look.write_id) == (
        Standing.PARTLY_REFUNDED,
        Effect.DONE,
        sent.id,
    )
    assert look.cancellation_id is None
    assert (look.amount, look.captured, look.refunded) == (
        Decimal(100),
        Decimal(100),
        Decimal("30.01"),
    )
    assert shop.refund("30.01", look, "refund-2").effect is Effect.DONE
    look = shop.look("refund-2")
    assert (look.standing, look.refunded) == (Standing.PARTLY_REFUNDED, Decimal("60.02"))
    sent = shop.refund(None, look, "refund-3")
    last = shop.company.calls_of("refund")[-1].json()
    assert last == {"refundAmount": "39.98", "externalOperationId": "refund-3"}
    look = shop.look("refund-3")
    assert (look.standing, look.write_id, look.cancellation_id) == (
        Standing.UNDONE,
        sent.id,
        sent.id,
    )
    assert (look.captured, look.refunded) == (Decimal(100), Decimal(100))
    assert shop.money() == (ZERO, Decimal(100), Decimal(100))
    assert shop.company.effects[f"refund:{ORDER}"] == 3


def test_a_part_of_a_part_is_returned_with_the_cart_that_stays(shop: YandexPayAccount) -> None:
    look = shop.taken("41.00")
    assert shop.refund("2.00", look).effect is Effect.DONE
    items = shop.company.calls_of("refund")[0].json()["targetCart"]["items"]
    assert {"sku-1": "33.33", "sku-1-2": "5.67"} == {
        one["productId"]: one["price"] for one in items
    }
    look = shop.look()
    assert (look.captured, look.refunded) == (Decimal(41), Decimal(2))


@pytest.mark.parametrize(
    ("amount", "evidence"),
    [("0.99", "amount"), ("99.01", "amount"), ("99.50", "amount"), ("10.005", "amount"),
     ("100.01", "amount"), ("200", "amount"), ("0", "amount"), ("-1", "amount")],
)  # fmt: skip
def test_what_cannot_be_refunded_is_refused_before_the_call(
    shop: YandexPayAccount, amount: str, evidence: str
) -> None:
    look = shop.taken()
    with pytest.raises(ProviderRefused) as caught:
        shop.refund(amount, look)
    assert caught.value.evidence == evidence
    assert not shop.company.calls_of("refund")


def test_without_the_cart_only_all_can_be_refunded(shop: YandexPayAccount) -> None:
    look = shop.taken()
    shop.key = PaymentKey(ORDER)
    with pytest.raises(ProviderRefused) as caught:
        shop.refund("50", look)
    assert caught.value.evidence == "no cart"
    assert not shop.company.calls_of("refund")
    assert shop.refund("100", look).effect is Effect.DONE


def test_a_refund_in_part_whose_sum_is_not_shown_is_not_added_to(shop: YandexPayAccount) -> None:
    shop.taken()
    with pytest.raises(ProviderRefused):
        shop.refund("10", Look(Standing.PARTLY_REFUNDED, amount=Decimal(100)))
    assert not shop.company.calls_of("refund")


def test_a_refund_under_way_is_awaited_and_no_other_begins(shop: YandexPayAccount) -> None:
    look = shop.taken()
    shop.company.is_slow = True
    assert shop.refund("40", look).effect is Effect.ACCEPTED
    running = shop.look("refund-1")
    assert (running.standing, running.write_effect) == (Standing.WORKING, Effect.ACCEPTED)
    with pytest.raises(ProviderRefused) as caught:
        shop.refund("40", look, "refund-2")
    assert caught.value.evidence == "ANOTHER_OPERATION_IN_PROGRESS"
    shop.company.finish(ORDER)
    assert shop.look("refund-1").write_effect is Effect.DONE
    assert shop.refund("20", shop.look(), "refund-3").effect is Effect.ACCEPTED
    assert shop.look().standing is Standing.WORKING
    shop.company.finish(ORDER, well=False)
    look = shop.look("refund-3")
    assert (look.standing, look.write_effect, look.failures) == (
        Standing.PARTLY_REFUNDED,
        Effect.FAILED,
        1,
    )
    assert shop.money() == (ZERO, Decimal(100), Decimal(40))


@pytest.mark.parametrize(
    ("expected", "shows", "amount"),
    [
        (Standing.PARTLY_REFUNDED, "CAPTURED", "40"),
        (Standing.UNDONE, "CAPTURED", "100"),
        (Standing.PARTLY_REFUNDED, "PARTIALLY_REFUNDED", "40"),
    ],
)
@pytest.mark.parametrize("is_misprinted", [False, True])
def test_our_refund_is_ahead_of_the_status(
    shop: YandexPayAccount, expected: Standing, shows: str, amount: str, is_misprinted: bool
) -> None:
    sent = shop.refund(amount, shop.taken())
    shop.company.still_shows = shows
    shop.company.prints_authorize = is_misprinted
    look = shop.look("refund-1")
    assert (look.standing, look.write_effect, look.write_id) == (expected, Effect.DONE, sent.id)
    assert look.refunded == Decimal(amount)


def test_our_refund_of_an_unknown_sum_decides_nothing(shop: YandexPayAccount) -> None:
    shop.refund("40", shop.taken())
    shop.company.operations[ORDER][-1]["amount"] = None
    shop.company.orders[ORDER]["paymentStatus"] = "CAPTURED"
    look = shop.look("refund-1")
    assert (look.standing, look.write_effect, look.refunded) == (
        Standing.WORKING,
        Effect.DONE,
        None,
    )


def test_a_cancellation_of_a_hold_is_shown_as_ours(shop: YandexPayAccount) -> None:
    sent = shop.cancel(shop.paid())
    look = shop.look("cancel-1")
    assert (look.standing, look.write_effect, look.write_id) == (
        Standing.UNDONE,
        Effect.DONE,
        sent.id,
    )
    assert shop.money() == (ZERO, ZERO, ZERO)


def test_a_rollback_that_meets_a_payment_leaves_nothing_taken(shop: YandexPayAccount) -> None:
    shop.company.one_stage = True
    shop.create()
    unpaid = shop.look()
    shop.company.pay(ORDER)
    shop.cancel(unpaid)
    assert shop.look().standing is Standing.UNDONE
    assert shop.money() == (ZERO, Decimal(100), Decimal(100))


def test_refunds_that_are_not_shown_have_no_sum(shop: YandexPayAccount) -> None:
    shop.refund("40", shop.taken())
    shop.company.still_shows = "PARTIALLY_REFUNDED"
    look = shop.look()
    assert (look.standing, look.refunded) == (Standing.PARTLY_REFUNDED, None)
    with pytest.raises(ProviderRefused):
        shop.refund("10", look, "refund-2")
    assert len(shop.company.calls_of("refund")) == 1


def test_only_a_finished_authorization_has_an_id_for_vtex(shop: YandexPayAccount) -> None:
    shop.create()
    shop.company._add(ORDER, "AUTHORIZE", "PENDING", None)
    shop.company.orders[ORDER]["paymentStatus"] = "PENDING"
    look = shop.look()
    assert (look.standing, look.authorization_id) == (Standing.PAYING, None)
