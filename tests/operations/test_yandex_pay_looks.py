"""What Yandex Pay shows in ways that are easily misread, told to VTEX as it is."""

from collections.abc import Iterator

import pytest

from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import P
from tests.rig import Rig


@pytest.fixture
def yandex(rig: Rig) -> Iterator[YandexPayCompany]:
    with YandexPayCompany() as company:
        rig.add(company)
        yield company


@pytest.mark.parametrize("fault", ["reset_after", "truncated", "status_after"])
def test_a_create_whose_page_was_lost_is_asked_for_under_its_request_id(
    rig: Rig, yandex: YandexPayCompany, fault: str
) -> None:
    yandex.shows_page, yandex.is_created_once = False, True
    yandex.inject(fault, "create")

    answers = [rig.create(P) for _ in range(3)]
    told = answers[-1].get_json()

    assert ("undefined", f"{yandex.origin}/pay/{P}") == (told["status"], told["paymentUrl"])
    assert 1 == len({call.headers["X-Request-Id"] for call in yandex.calls_of("create")})
    assert {f"create:{P}": 1} == yandex.effects
    yandex.pay(P)
    assert "approved" == rig.create(P).get_json()["status"]


def test_a_create_is_asked_for_under_its_request_id_after_a_repeat_that_failed_too(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    yandex.shows_page, yandex.is_created_once = False, True
    yandex.inject("reset_after", "create", times=1)
    rig.create(P)
    yandex.inject("status_before", "create", status=429)
    rig.create(P)

    assert rig.create(P).get_json()["paymentUrl"]
    assert 1 == len({call.headers["X-Request-Id"] for call in yandex.calls_of("create")})


def test_a_rollback_that_has_not_released_the_hold_yet_is_no_cancellation(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    """The buyer pays between our look and our rollback."""
    rig.create(P)
    yandex.rollback_ends_in = "pending"
    yandex.hook = lambda name, when: (
        yandex.pay(P) if (name, when) == ("rollback", "before") else None
    )
    first = rig.cancel(P)
    held, *_ = yandex.money(P)
    yandex.finish(P)
    second = rig.cancel(P)

    assert (500, "cancel-pending", 100) == (first.status_code, first.get_json()["code"], held)
    assert 200 == second.status_code
    assert 0 == yandex.money(P)[0]


def test_a_rollback_that_failed_to_release_the_hold_is_a_persons(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    rig.create(P)
    yandex.rollback_ends_in = "failure"
    yandex.hook = lambda name, when: (
        yandex.pay(P) if (name, when) == ("rollback", "before") else None
    )

    answers = [rig.cancel(P) for _ in range(2)]

    assert [(501, "cancel-manually")] * 2 == [
        (one.status_code, one.get_json()["code"]) for one in answers
    ]
    assert "denied" != rig.create(P).get_json()["status"]


@pytest.mark.parametrize("shows", ["pending", "success"])
def test_a_part_is_settled_though_the_rest_is_shown_as_a_refund(
    rig: Rig, yandex: YandexPayCompany, shows: str
) -> None:
    yandex.rest_shows = shows
    yandex.inject("reset_after", "capture")
    rig.create(P)
    yandex.pay(P)
    rig.create(P)

    settled = [rig.settle(P, 60) for _ in range(2)][-1]
    refunds = [rig.refund(P, value, f"refund-{value}") for value in (40, 20)]

    assert (200, 60) == (settled.status_code, settled.get_json()["value"])
    assert [200, 200] == [one.status_code for one in refunds]
    assert (0, 60, 60) == yandex.money(P)


def test_a_refund_that_failed_beside_the_shown_rest_is_made_when_vtex_asks_again(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    yandex.rest_shows, yandex.refund_ends_in = "success", "failure"
    rig.create(P)
    yandex.pay(P)
    rig.settle(P, 60)
    yandex.orders[P]["paymentStatus"] = "PARTIALLY_REFUNDED"
    first = rig.refund(P, 20)
    yandex.refund_ends_in = "success"

    assert [500, 200] == [first.status_code, rig.refund(P, 20).status_code]
    assert (0, 60, 20) == yandex.money(P)


def test_what_a_person_returned_is_never_returned_twice_though_it_equals_the_released_rest(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    """Where Yandex Pay shows no rest, nothing tells such a refund from one."""
    rig.add(yandex, name="refunding", captured="refund")
    rig.create(P, merchant="refunding")
    yandex.pay(P)
    rig.settle(P, 60, merchant="refunding")
    yandex.return_by_hand(P, 40)
    refunds = [rig.refund(P, value, f"refund-{value}", "refunding") for value in (60, 15)]
    cancelled = rig.cancel(P, merchant="refunding")

    # Not what the company has left, so that it refuses.
    assert [(500, "provider-refused")] * 3 == [
        (one.status_code, one.get_json()["code"]) for one in (*refunds, cancelled)
    ]
    assert (0, 60, 40) == yandex.money(P)
