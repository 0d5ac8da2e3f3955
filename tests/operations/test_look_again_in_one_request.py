"""A write that was not answered, or only accepted, is looked at again within the same request.

Pauses take no time here, but of the request's; see `tests.clock`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from connector.domain.payment import Effect, Look, Standing, WriteResult
from connector.http_client import HttpClient
from connector.provider import Call, Hosts
from connector.providers.sandbox import Sandbox
from tests.clock import JumpingClock
from tests.companies.registry import ANY, COMPANIES, HOLDING, IN_PART, CompanyEntry
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import Lifetime, P, of
from tests.rig import Rig

pytestmark = pytest.mark.slow

LATER = [(entry, verb) for entry in COMPANIES for verb in entry.later]
REFUNDED_LATER = [entry for entry in IN_PART if "refund" in entry.later]
AT_ONCE = [(entry, "cancel") for entry in HOLDING if "cancel" not in entry.later]
CREATED = [(entry, "create") for entry in COMPANIES if entry.has_page]


def each(cases: list[tuple[CompanyEntry, str]]) -> Any:
    ids = [f"{entry.name}-{verb}" for entry, verb in cases]
    return pytest.mark.parametrize(("scene", "verb"), cases, indirect=["scene"], ids=ids)


def ready(scene: Lifetime, verb: str) -> Callable[[], Any]:
    """Make a payment ready for it, and return what asks for it."""
    if verb == "create":
        return scene.create
    if verb == "refund":
        scene.settled()
    else:
        scene.pay()
    return {
        "cancel": lambda: scene.rig.cancel(P),
        "settle": scene.settle,
        "refund": scene.refund,
    }[verb]


def be_slow(company: Any) -> None:
    company.is_slow = True


def word(scene: Lifetime, verb: str) -> str:
    return scene.entry.writes[verb]


def writes(scene: Lifetime, verb: str) -> int:
    return len(scene.company.calls_of(word(scene, verb)))


@each(LATER)
@pytest.mark.parametrize("number", [2, 5])
def test_what_the_company_ends_a_moment_later_is_told_as_done(
    scene: Lifetime, verb: str, number: int
) -> None:
    ask = ready(scene, verb)
    be_slow(scene.company)
    scene.company.at_look(1 + number, scene.finish)

    answer = ask()

    assert 200 == answer.status_code, answer.data
    assert answer.data == ask().data
    assert 1 == writes(scene, verb)


@each(LATER)
def test_what_the_company_does_not_end_is_told_as_pending_with_a_quarter_of_the_time_left(
    scene: Lifetime, verb: str, jumping_clock: JumpingClock
) -> None:
    ask = ready(scene, verb)
    be_slow(scene.company)
    looks, skipped = len(scene.company.calls_of("look")), jumping_clock.skipped

    answer = ask()

    assert (500, f"{verb}-pending") == (answer.status_code, answer.get_json()["code"])
    assert 5 <= len(scene.company.calls_of("look")) - looks <= 10
    assert 12 <= jumping_clock.skipped - skipped <= 13.5
    assert 1 == writes(scene, verb)


@each(LATER + AT_ONCE + CREATED)
def test_what_arrives_after_its_connection_broke_is_told_as_done(
    scene: Lifetime, verb: str
) -> None:
    ask = ready(scene, verb)
    scene.company.lose(word(scene, verb), arrives_at=3)
    scene.company.is_slow = False

    answer = ask()

    assert 200 == answer.status_code, answer.data
    assert 1 == writes(scene, verb)
    if verb == "create":
        assert answer.get_json()["paymentUrl"]
    assert answer.data == ask().data


@each(LATER + AT_ONCE + CREATED)
def test_what_never_arrives_is_unknown_and_is_not_sent_twice_by_one_request(
    scene: Lifetime, verb: str, jumping_clock: JumpingClock
) -> None:
    ask = ready(scene, verb)
    scene.company.lose(word(scene, verb))
    skipped = jumping_clock.skipped

    answer = ask()

    assert (500, "outcome-unknown") == (answer.status_code, answer.get_json()["code"])
    assert 12 <= jumping_clock.skipped - skipped <= 13.5
    assert 1 == writes(scene, verb)


@of(*REFUNDED_LATER)
def test_looks_that_fail_in_between_end_nothing(scene: Lifetime) -> None:
    ask = ready(scene, "refund")
    be_slow(scene.company)
    scene.company.at_look(2, lambda: scene.company.inject("status_before", "look", times=2))
    scene.company.at_look(5, scene.finish)

    assert 200 == ask().status_code


@of(*REFUNDED_LATER)
def test_a_refund_that_fails_a_moment_later_may_be_asked_for_again(scene: Lifetime) -> None:
    ask = ready(scene, "refund")
    be_slow(scene.company)
    scene.company.at_look(3, lambda: scene.company.finish(P, well=False))

    first = ask()

    assert (500, "provider-refused") == (first.status_code, first.get_json()["code"])
    assert "failed" in scene.rig.states()
    scene.company.at_look(3, scene.finish)
    assert 200 == ask().status_code
    assert (0, 100, 100) == scene.money


@of(ANY)
def test_the_pauses_are_shorter_where_the_time_is(
    scene: Lifetime, jumping_clock: JumpingClock
) -> None:
    scene.rig.configure(CONNECTOR_ANSWER_SECONDS="4.5")
    ask = ready(scene, "cancel")
    be_slow(scene.company)
    looks, skipped = len(scene.company.calls_of("look")), jumping_clock.skipped

    assert "cancel-pending" == ask().get_json()["code"]
    assert 1 <= jumping_clock.skipped - skipped <= 3.4
    assert 5 <= len(scene.company.calls_of("look")) - looks <= 10


@of(ANY)
def test_nobody_pauses_where_others_need_the_places(
    scene: Lifetime, jumping_clock: JumpingClock
) -> None:
    ask = ready(scene, "refund")
    be_slow(scene.company)
    skipped = jumping_clock.skipped
    provider = scene.rig.connector.providers[scene.entry.name]
    with ExitStack() as places:
        while provider.has_room():
            places.enter_context(provider.slot())
        assert "refund-pending" == ask().get_json()["code"]
    assert skipped == jumping_clock.skipped


@of(ANY)
def test_reconcile_looks_once(scene: Lifetime, jumping_clock: JumpingClock) -> None:
    ask = ready(scene, "cancel")
    scene.company.lose(word(scene, "cancel"))
    ask()
    be_slow(scene.company)
    looks, skipped = len(scene.company.calls_of("look")), jumping_clock.skipped
    scene.rig.reconcile()

    assert 2 == writes(scene, "cancel")
    assert skipped == jumping_clock.skipped
    assert 2 == len(scene.company.calls_of("look")) - looks


class Tells(Sandbox):
    """A company in this process that says when to look again."""

    def __init__(self, again: float) -> None:
        super().__init__(HttpClient("sandbox"), Hosts(Sandbox.url, Sandbox.url))
        self.again, self.looks = again, 0

    def look(self, call: Call) -> Look:
        self.looks += 1
        return Look(Standing.HELD if self.looks == 1 else Standing.WORKING, again=self.again)

    def cancel(self, call: Call) -> WriteResult:
        return WriteResult(Effect.ACCEPTED)


@pytest.mark.parametrize(
    ("again", "looks", "paused"), [(4.0, 5, 12.0), (13.0, 3, 13.0), (14.0, 2, 0.0)]
)
def test_a_company_that_says_when_is_asked_then(
    rig: Rig, jumping_clock: JumpingClock, again: float, looks: int, paused: float
) -> None:
    company, skipped = Tells(again), jumping_clock.skipped
    rig.add()
    rig.connector.operations.providers["sandbox"] = company  # type: ignore[index]

    assert "cancel-pending" == rig.cancel(P).get_json()["code"]
    assert (looks, paused) == (company.looks, jumping_clock.skipped - skipped)


def test_a_create_that_is_found_without_its_page_asks_for_the_page_once(rig: Rig) -> None:
    with YandexPayCompany(shows_page=False) as yandex:
        rig.add(yandex)
        yandex.inject("reset_after", "create", times=2)
        first, second = rig.create(P), rig.create(P)

    assert (500, "outcome-unknown") == (first.status_code, first.get_json()["code"])
    assert second.get_json()["paymentUrl"]
    assert 3 == len(yandex.calls_of("create"))
    assert 1 == len({call.headers["X-Request-Id"] for call in yandex.calls_of("create")})
