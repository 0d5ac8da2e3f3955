"""Cancellations of a part, and what of a payment they leave."""

from typing import Any

import pytest

from tests.operations.lifetime import ALL, IN_PART, Lifetime, P, of

pytestmark = pytest.mark.slow

HELD_IN_PART = [entry for entry in IN_PART if entry.is_held]


def cancel(scene: Lifetime, value: Any = None, request_id: str = "cancel-1", **fields: Any) -> Any:
    given = {} if value is None else {"value": value}
    return scene.rig.cancel(P, request_id, **given, **fields)


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.get_json()["code"]


def rows(scene: Lifetime, operation: str = "cancel") -> list[str]:
    found = scene.rig.connector.requests.rows()
    return [row.state.value for row in found if row.operation == operation]


@of(*HELD_IN_PART)
class TestAPartThatCouldNotBeLookedAt:
    def test_leaves_a_payment_that_is_approved_settled_and_not_released(
        self, scene: Lifetime
    ) -> None:
        scene.begin()
        scene.company.inject("reset_before", "look")
        unknown = cancel(scene, 40)
        scene.company.pay(P)
        scene.notify()

        assert (500, "outcome-unknown") == told(unknown)
        assert "approved" == scene.status
        assert (501, "cancel-manually") == told(cancel(scene, 40))
        assert (200, None) == told(scene.settle(60))
        assert (0, 60, 0) == scene.money


@of(*ALL)
class TestTheWholeThatCouldNotBeLookedAt:
    @pytest.mark.parametrize("value", [None, 100, 10000])
    def test_is_not_approved_any_more(self, scene: Lifetime, value: Any) -> None:
        scene.begin()
        scene.notify()
        scene.company.inject("reset_before", "look")
        cancel(scene, value)
        scene.company.pay(P)

        assert "undefined" == scene.status


@of(*HELD_IN_PART)
class TestARestThatASettlementReleased:
    @pytest.mark.parametrize("value", [60, 6000, 20])
    def test_is_cancelled_without_a_call_that_moves_anything(
        self, scene: Lifetime, value: int
    ) -> None:
        scene.pay()
        scene.settle(40)
        effects = dict(scene.company.effects)
        answers = [cancel(scene, value), cancel(scene, value)]

        assert [(200, None)] * 2 == [told(one) for one in answers]
        assert answers[0].data == answers[1].data
        assert (0, 40, 0) == scene.money
        assert effects == scene.company.effects
        assert (200, None) == told(scene.refund(40))

    @pytest.mark.parametrize("values", [[61], [100 - 39], [40, 21], [30, 31]])
    def test_is_all_that_may_be_cancelled(self, scene: Lifetime, values: list[int]) -> None:
        scene.pay()
        scene.settle(40)
        answers = [cancel(scene, value, f"c{value}") for value in values]

        assert (501, "cancel-manually") == told(answers[-1])
        assert (0, 40, 0) == scene.money

    def test_closes_the_row_of_a_cancellation_that_came_before(self, scene: Lifetime) -> None:
        scene.pay()
        before = cancel(scene, 60)
        listed = rows(scene)
        scene.settle(40)
        scene.rig.reconcile()

        assert (501, "cancel-manually") == told(before)
        assert (["manual"], ["done"]) == (listed, rows(scene))
        assert (200, None) == told(cancel(scene, 60))

    def test_closes_the_row_when_a_person_returned_the_part(self, scene: Lifetime) -> None:
        scene.settled()
        before = cancel(scene, 30)
        scene.company.return_by_hand(P, 30)
        scene.rig.reconcile()

        assert (501, "cancel-manually") == told(before)
        assert (200, None) == told(cancel(scene, 30))
        assert ["done"] == rows(scene)

    def test_is_not_what_vtexs_own_refund_returned(self, scene: Lifetime) -> None:
        scene.settled()
        scene.refund(30)

        assert (501, "cancel-manually") == told(cancel(scene, 30))


@of(*HELD_IN_PART)
class TestPartsThatMakeUpTheWhole:
    @pytest.mark.parametrize("values", [[30, 70], [3000, 7000], [30, 30, 40]])
    def test_are_the_whole(self, scene: Lifetime, values: list[int]) -> None:
        scene.pay()
        answers = [cancel(scene, one, f"c{place}") for place, one in enumerate(values)]
        scene.rig.reconcile()

        *before, last = map(told, answers)
        assert [(501, "cancel-manually")] * (len(values) - 1) == before
        assert (200, None) == last
        assert (0, 0, 0) == scene.money
        assert ["done"] * len(values) == rows(scene)

    def test_are_counted_once_however_often_each_is_repeated(self, scene: Lifetime) -> None:
        scene.pay()
        answers = [cancel(scene, 50, "c1") for _ in range(3)]

        assert [(501, "cancel-manually")] * 3 == [told(one) for one in answers]
        assert (100, 0, 0) == scene.money
        assert (200, None) == told(cancel(scene, 50, "c2"))
        assert (200, None) == told(cancel(scene, 50, "c1"))
        assert (0, 0, 0) == scene.money


@of(*HELD_IN_PART)
class TestTwoSettlementsOfAnEqualPart:
    def test_leave_a_row_for_a_person(self, scene: Lifetime) -> None:
        scene.pay()
        first, again = scene.settle(50, request_id="s1"), scene.settle(50, request_id="s1")
        other = [scene.settle(50, request_id="s2") for _ in range(2)]

        assert first.data == again.data
        assert [200, 200] == [one.status_code for one in other]
        assert other[0].data == other[1].data
        assert first.get_json()["settleId"] == other[0].get_json()["settleId"]
        assert ["done", "manual"] == rows(scene, "settle")
        assert (0, 50, 0) == scene.money


@of(*HELD_IN_PART)
class TestRepeatedSettlementsOfAll:
    def test_leave_none(self, scene: Lifetime) -> None:
        scene.pay()
        for request_id in ("s1", "s2"):
            assert 200 == scene.settle(100, request_id=request_id).status_code

        assert ["done", "done"] == rows(scene, "settle")
