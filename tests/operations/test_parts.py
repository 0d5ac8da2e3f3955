"""Cancellations of a part, and what of a payment they leave."""

from typing import Any

import pytest

from tests.operations.test_payments import IN_PART, KINDS, P, Scene, a_sink, of, scene

__all__ = ["a_sink", "scene"]

HELD_IN_PART = [kind for kind in IN_PART if kind.is_held]


def cancel(scene: Scene, value: Any = None, request_id: str = "cancel-1", **fields: Any) -> Any:
    given = {} if value is None else {"value": value}
    return scene.rig.cancel(P, request_id, **given, **fields)


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.get_json()["code"]


@of(*HELD_IN_PART)
class TestAPartThatCouldNotBeLookedAt:
    def test_leaves_a_payment_that_is_approved_settled_and_not_released(self, scene: Scene) -> None:
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


@of(*KINDS)
class TestTheWholeThatCouldNotBeLookedAt:
    @pytest.mark.parametrize("value", [None, 100, 10000])
    def test_is_not_approved_any_more(self, scene: Scene, value: Any) -> None:
        scene.begin()
        scene.notify()
        scene.company.inject("reset_before", "look")
        cancel(scene, value)
        scene.company.pay(P)

        assert "undefined" == scene.status
