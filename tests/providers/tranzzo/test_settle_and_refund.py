"""A paid payment at Tranzzo: taken and returned, whole and in parts."""

from decimal import Decimal

import pytest

from connector.domain.errors import OutcomeUnknown, ProviderRefused
from connector.domain.payment import Effect, Look, Standing
from tests.providers.contract import REFERENCE
from tests.providers.tranzzo.shop import ID, TranzzoAccount

# Settle.


def test_all_is_captured_without_an_amount(shop: TranzzoAccount) -> None:
    shop.paid()
    sent = shop.settle()
    assert shop.sent("capture") == {
        "pos_id": shop.account.settings["pos_id"],
        "order_id": ID,
        "order_currency": "UAH",
        "comment": REFERENCE,
    }
    look = shop.look()
    assert (sent.effect, look.standing, look.captured) == (Effect.DONE, Standing.CAPTURED, 10)
    assert sent.id == shop.company.orders[ID][1]["operation_id"]
    assert shop.company.effects == {f"capture:{ID}": 1}


def test_a_part_is_captured_and_the_rest_released(shop: TranzzoAccount) -> None:
    shop.paid()
    shop.settle("4")
    assert shop.sent("capture")["charge_amount"] == "4.00"
    look = shop.look()
    assert (look.standing, look.amount, look.captured) == (Standing.CAPTURED, 10, 4)
    assert shop.money() == ("0.00", "4.00", "0.00")
    shop.refund()
    assert shop.look().standing is Standing.UNDONE


@pytest.mark.parametrize("amount", ["10.01", "0", "-1", "1.001"])
def test_what_cannot_be_captured_is_not_sent(shop: TranzzoAccount, amount: str) -> None:
    shop.paid()
    with pytest.raises(ProviderRefused):
        shop.settle(amount)
    assert not shop.company.calls_of("capture")


def test_a_part_of_an_unknown_amount_is_not_captured(shop: TranzzoAccount) -> None:
    shop.paid()
    with pytest.raises(ProviderRefused):
        shop.settle("4", Look(Standing.HELD, currency="UAH"))
    assert not shop.company.calls_of("capture")


def test_a_slow_capture_is_awaited(shop: TranzzoAccount) -> None:
    shop.paid()
    shop.company.is_slow = True
    assert shop.settle("4").effect is Effect.ACCEPTED
    look = shop.look()
    assert (look.standing, look.amount, look.captured) == (Standing.WORKING, 10, 0)
    shop.company.finish(ID)
    assert (shop.look().standing, shop.look().captured) == (Standing.CAPTURED, 4)
    assert shop.company.effects == {f"capture:{ID}": 1}


def test_a_failed_capture_leaves_the_hold(shop: TranzzoAccount) -> None:
    shop.paid()
    shop.company.capture_ends_in = "failure"
    assert shop.settle().effect is Effect.FAILED
    assert shop.look().standing is Standing.HELD


def test_a_lost_capture_is_found_by_a_look_and_is_not_repeated(shop: TranzzoAccount) -> None:
    shop.paid()
    held = shop.look()
    shop.company.inject("reset_after", "capture")
    with pytest.raises(OutcomeUnknown):
        shop.settle()
    assert shop.look().captured == 10
    with pytest.raises(ProviderRefused):
        shop.settle(look=held)
    assert shop.company.effects == {f"capture:{ID}": 1}


# Refund.


def test_parts_are_refunded_until_all_is_returned(shop: TranzzoAccount) -> None:
    shop.paid("purchase")
    for amount, returned in [("2.50", "2.50"), ("7", "9.50")]:
        sent = shop.refund(amount)
        look = shop.look()
        assert (sent.effect, look.standing) == (Effect.DONE, Standing.PARTLY_REFUNDED)
        assert (look.captured, look.refunded) == (10, Decimal(returned))
    assert shop.sent("refund")["refund_amount"] == "7.00"
    with pytest.raises(ProviderRefused):
        shop.refund("0.51")
    last = shop.refund("0.50")
    look = shop.look()
    assert (look.standing, look.refunded) == (Standing.UNDONE, 10)
    assert last.id == look.cancellation_id
    assert shop.company.effects == {f"refund:{ID}": 3}


def test_a_slow_refund_is_awaited(shop: TranzzoAccount) -> None:
    shop.paid("purchase")
    shop.company.is_slow = True
    assert shop.refund("4").effect is Effect.ACCEPTED
    look = shop.look()
    assert (look.standing, look.amount, look.refunded) == (Standing.WORKING, 10, 0)
    shop.company.finish(ID)
    assert shop.look().refunded == 4
    assert shop.money() == ("0.00", "10.00", "4.00")


def test_failed_refunds_are_counted_after_one_that_was_done(shop: TranzzoAccount) -> None:
    shop.paid("purchase")
    shop.refund("4")
    before = shop.look().failures
    shop.company.refund_ends_in = "failure"
    assert shop.refund("4").effect is Effect.FAILED
    look = shop.look()
    assert (before, look.failures, look.refunded) == (0, 1, 4)


@pytest.mark.parametrize("amount", ["0", "1.001"])
def test_what_cannot_be_refunded_is_not_sent(shop: TranzzoAccount, amount: str) -> None:
    shop.paid("purchase")
    with pytest.raises(ProviderRefused):
        shop.refund(amount)
    assert not shop.company.calls_of("refund")


def test_a_sum_with_an_amount_missing_is_not_told(shop: TranzzoAccount) -> None:
    shop.paid()
    shop.settle()
    shop.refund("4")
    for one in shop.company.orders[ID][1:]:
        del one["amount"]
    look = shop.look()
    assert (look.standing, look.captured) == (Standing.PARTLY_REFUNDED, None)
    assert look.refunded is None


def test_a_capture_that_shows_no_amount_may_have_been_of_all(shop: TranzzoAccount) -> None:
    shop.paid()
    shop.settle()
    del shop.company.orders[ID][1]["amount"]
    shop.company.orders[ID].append({**shop.company.orders[ID][0], "method": "refund"})
    assert shop.look().standing is Standing.UNDONE
    shop.company.orders[ID][-1]["amount"] = 9.99
    assert shop.look().standing is Standing.PARTLY_REFUNDED
