"""The bar of a payment's money."""

from decimal import Decimal
from typing import Any

import pytest

from connector.console.payment_money import WIDTH, Money, money_of
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.write import CANCEL_BY_REFUND, REFUND, SETTLE, Write, WriteState


def money(status: str, *writes: Write, amount: Any = 100, settled: Any = None) -> Money | None:
    known = [None if value is None else Decimal(value) for value in (amount, settled)]
    payment = Payment(
        PaymentKey("P1"), PaymentStatus(status), amount=known[0], settled=known[1], currency="EUR"
    )
    return money_of(payment, writes)


def refund(amount: int, state: WriteState = WriteState.DONE, number: int = 1) -> Write:
    return Write(REFUND, number, "reference", state, amount=Decimal(amount))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (money("PENDING"), (0, 0, 0, 100)),
        (money("DENIED"), (0, 0, 0, 100)),
        (money("APPROVED"), (100, 0, 0, 0)),
        (money("SETTLED", settled=100), (0, 100, 0, 0)),
        (money("SETTLED", settled=60), (0, 60, 0, 40)),
        (money("SETTLED", refund(30), settled=100), (0, 70, 30, 0)),
        (money("SETTLED", refund(30), refund(20, number=2), settled=60), (0, 10, 50, 40)),
        (money("SETTLED", refund(30, WriteState.OPEN), settled=100), (0, 100, 0, 0)),
        (money("SETTLED", refund(30, WriteState.FAILED), settled=100), (0, 100, 0, 0)),
        (money("SETTLED", Write(SETTLE, 1, "r", WriteState.DONE), settled=100), (0, 100, 0, 0)),
        (money("REFUNDED", settled=100), (0, 0, 100, 0)),
        (money("REFUNDED", settled=60), (0, 0, 60, 40)),
        (money("CANCELLED"), (0, 0, 0, 100)),
        (money("CANCELLED", Write(CANCEL_BY_REFUND, 1, "r", WriteState.DONE)), (0, 0, 100, 0)),
        (money("CANCELLED", Write(CANCEL_BY_REFUND, 1, "r"), settled=100), (0, 0, 0, 100)),
        # More than was taken cannot be shown.
        (money("SETTLED", refund(130), settled=100), (0, 0, 100, 0)),
        (money("SETTLED", settled=130), (0, 100, 0, 0)),
    ],
)
def test_the_amounts_are_those_that_are_recorded(
    given: Money, expected: tuple[int, int, int, int]
) -> None:
    assert expected == (given.held, given.taken, given.returned, given.free)
    widths = sum(Decimal(part.width) for part in given.parts())
    assert abs(WIDTH - widths) < 1
    assert all(part.amount > 0 for part in given.parts())


def test_a_payment_of_an_unknown_amount_has_no_bar() -> None:
    assert money("CANCELLED", amount=None) is None


def test_the_parts_stand_beside_each_other() -> None:
    shown = money("SETTLED", refund(25), settled=75)
    assert shown
    assert [("0.00", "300.00"), ("300.00", "150.00"), ("450.00", "150.00")] == [
        (part.x, part.width) for part in shown.parts()
    ]
