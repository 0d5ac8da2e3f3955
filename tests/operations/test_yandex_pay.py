"""What Yandex Pay shows in ways that are easily misread, told to VTEX as it is."""

from collections.abc import Iterator

import pytest

from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.test_payments import P
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
