"""Whatever a cart holds: the lines sum to the payment's value."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.vtex.cart import MOST_ITEMS, lines_of, read_amount

cents = st.decimals(Decimal("0.01"), Decimal(10) ** 12, places=2)
prices = st.decimals(-10, 10_000, places=2) | st.decimals(0, 10_000, places=4) | st.integers()
scraps: st.SearchStrategy[Any] = (
    st.none()
    | st.booleans()
    | st.text(max_size=4)
    | st.decimals(allow_nan=True)
    | st.integers()
    | st.just({})
    | st.just([])
    | st.sampled_from(["29,90", "1e400", "-0", "NaN", "sNaN"])
)
items = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=3) | st.integers() | st.none(),
        "name": st.text(max_size=3) | st.none(),
        "price": prices | scraps,
        "quantity": st.integers(-1, 5) | st.decimals(0, 3, places=1) | scraps,
        "discount": st.decimals(-50, 50, places=2) | scraps,
    },
)
carts = st.fixed_dictionaries(
    {},
    optional={
        "items": st.lists(items | scraps, max_size=6) | scraps,
        "shippingValue": prices | scraps,
        "taxValue": prices | scraps,
    },
)
EVERY = settings(max_examples=400, deadline=None, derandomize=True, database=None)


def item(price: str, quantity: Any = 1, discount: str = "0") -> dict[str, Any]:
    return {
        "id": f"id-{price}",
        "name": f"name-{price}",
        "price": Decimal(price),
        "quantity": quantity,
        "discount": Decimal(discount),
    }


def totals(amount: str, **cart: Any) -> list[tuple[str, str]]:
    lines = lines_of(Decimal(amount), cart)
    assert sum(line.total for line in lines) == Decimal(amount)
    return [(line.id, str(line.total)) for line in lines]


@EVERY
@given(amount=cents, cart=carts)
def test_the_lines_of_any_cart_sum_to_the_amount(amount: Decimal, cart: dict[str, Any]) -> None:
    lines = lines_of(amount, cart)
    assert sum(line.total for line in lines) == amount
    for line in lines:
        assert line.total > 0
        assert line.total == round(line.total, 2)
        assert type(line.quantity) is int
        assert line.quantity > 0
        assert line.id
        assert line.title


@EVERY
@given(amount=st.decimals(Decimal("1e-15"), 1000, places=15), cart=carts)
def test_an_amount_of_more_decimals_is_kept_to_its_last_digit(
    amount: Decimal, cart: dict[str, Any]
) -> None:
    assert sum(line.total for line in lines_of(amount, cart)) == amount


def test_a_cart_that_adds_up_is_taken_as_it_is() -> None:
    cart = {"items": [item("10.00", 2), item("5.50")], "shippingValue": 3, "taxValue": 1}
    assert totals("29.50", **cart) == [
        ("id-10.00", "20.00"),
        ("id-5.50", "5.50"),
        ("shipping", "3.00"),
        ("tax", "1.00"),
    ]


@pytest.mark.parametrize("discount", ["5", "-5"])
def test_a_discount_is_taken_off_whatever_its_sign(discount: str) -> None:
    assert totals("15", items=[item("10", 2, discount)]) == [("id-10", "15.00")]


@pytest.mark.parametrize("discount", ["5", "-5"])
def test_a_discount_that_is_off_already_is_not_taken_off_again(discount: str) -> None:
    assert totals("20", items=[item("10", 2, discount)]) == [("id-10", "20.00")]


def test_what_a_gift_card_pays_is_taken_off_the_last_lines() -> None:
    cart = {"items": [item("10"), item("20")], "shippingValue": 5}
    assert totals("12", **cart) == [("id-10", "10.00"), ("id-20", "2.00")]
    assert totals("10", **cart) == [("id-10", "10.00")]
    assert totals("0.01", **cart) == [("id-10", "0.01")]


def test_interest_is_a_line_of_its_own() -> None:
    assert totals("11.50", items=[item("10")]) == [("id-10", "10.00"), ("other", "1.50")]


def test_a_price_of_many_decimals_is_rounded_and_the_rest_put_right() -> None:
    assert totals("10.00", items=[item("3.3333", 3)]) == [("id-3.3333", "10.00")]
    assert totals("9.99", items=[item("3.3333", 3)]) == [("id-3.3333", "9.99")]
    assert totals("10.01", items=[item("3.3333", 3)]) == [("id-3.3333", "10.00"), ("other", "0.01")]


def test_without_a_cart_there_is_one_line() -> None:
    assert totals("29.90") == [("order", "29.90")]


def test_half_a_kilogram_is_one_piece() -> None:
    (line,) = lines_of(Decimal(5), {"items": [item("10", Decimal("0.5"))]})
    assert (1, Decimal(5)) == (line.quantity, line.total)


def test_an_item_without_a_name_has_its_id_and_without_that_its_place() -> None:
    first, second = lines_of(Decimal(3), {"items": [{"id": 7, "price": 1}, {"price": 2}]})
    assert ("7", "7") == (first.id, first.title)
    assert ("2", "2") == (second.id, second.title)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (2, "2"),
        ("29,90", "29.90"),
        ("1,234", None),
        (Decimal("0.1"), "0.1"),
        ("1e3", "1E+3"),
        (True, None),
        ("", None),
        ("x", None),
        ("NaN", None),
        ("Infinity", None),
        ("1e15", None),
        ("1e-16", None),
        (10**400, None),
        (0.5, None),
        ([], None),
    ],
)
def test_a_number_is_read_exactly_or_not_at_all(written: object, read: str | None) -> None:
    assert read_amount(written) == (None if read is None else Decimal(read))


def test_of_a_cart_without_end_the_first_items_are_read_and_the_rest_is_one_line() -> None:
    read = totals("700.00", items=[item("1.00")] * 700)
    assert len(read) == MOST_ITEMS + 1
    assert read[-1] == ("other", f"{700 - MOST_ITEMS}.00")
