"""A server that pauses between two looks: in real time, and killed or stopped meanwhile."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.companies.registry import ANY, COMPANIES, HOLDING
from tests.companies.yandex_pay import YandexPayCompany
from tests.rig import Rig, Served
from tests.server.killing import Killed, assert_ends_truly, killed, wait_until
from tests.server.payments import (
    Act,
    Payments,
    content,
    told,
)

pytestmark = pytest.mark.slow

P = "9E2D4A6B8C0F41D3A5B7C9E1F2039485"
LATER = [
    *[Act(entry, "settle") for entry in HOLDING],
    *[Act(entry, "refund", 40 if entry.in_part else 100) for entry in COMPANIES],
]


@pytest.mark.alone
def test_a_refund_that_yandex_finishes_after_two_seconds_is_done(rig: Rig) -> None:
    with YandexPayCompany() as yandex:
        rig.add(yandex)
        with Served(rig) as server:
            assert 200 == server.create(P).status_code
            yandex.pay(P)
            assert 200 == server.settle(P).status_code
            yandex.is_slow = True
            threading.Timer(2, yandex.finish, [P]).start()
            began = time.monotonic()
            answer = server.refund(P, 40)
            seconds = time.monotonic() - began

    assert (200, 40, None) == (answer.status_code, told(answer)["value"], told(answer)["code"])
    assert 2 <= seconds < 6
    assert 1 == yandex.effects[f"refund:{P}"]


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("paused")
    copy(sqlite_template, folder / "connector.db")
    with killed(f"sqlite:///{folder}/connector.db", folder) as made:
        yield made


@pytest.fixture
def world(made: Killed) -> Iterator[Killed]:
    """One for the module, whose companies do at once what they accept."""
    yield made
    for act in LATER:
        be_slow(made.shops, act, is_so=False)


def be_slow(shops: Payments, act: Act, *, is_so: bool = True) -> None:
    shops.company(act).is_slow = is_so


def ready(world: Killed) -> list[tuple[Act, str]]:
    made = [(act, world.shops.ready(act)) for act in LATER]
    for act in LATER:
        be_slow(world.shops, act)
    return made


@pytest.mark.parametrize("is_ended", [True, False])
def test_what_is_killed_in_a_pause_is_found_by_the_repeat_and_not_sent_again(
    world: Killed, is_ended: bool
) -> None:
    made = ready(world)
    assert made == world.kill_all(made, "pausing")
    for act, payment_id in made if is_ended else []:
        world.shops.company(act).finish(payment_id)
    world.shops.let_time_pass(*(payment_id for _, payment_id in made))
    for act, payment_id in made:
        answer = world.shops.ask(act, payment_id, world.server)
        if not is_ended:
            assert 500 == answer.status_code
            world.shops.company(act).finish(payment_id)
        assert_ends_truly(world, act, payment_id)
        assert 1 == len(world.shops.calls(act, payment_id, act.write))


def test_what_wakes_from_a_pause_after_its_lease_passed_records_nothing(world: Killed) -> None:
    """The whole worker stands still, until another server has told VTEX the truth."""
    act = Act(ANY, "refund", 40)
    payment_id = world.shops.ready(act)
    be_slow(world.shops, act)
    with Served(world.shops.rig, is_killed=True) as other, ThreadPoolExecutor() as pool:
        world.stop_at("pausing")
        sleeping = pool.submit(world.shops.ask, act, payment_id, world.server)
        wait_until(world.is_stopped)
        world.shops.company(act).finish(payment_id)
        world.shops.let_time_pass(payment_id)
        answer = world.shops.ask(act, payment_id, other)
        recorded = rows(world, payment_id)
        world.server.workers()[0].resume()
        late = sleeping.result()
        assert recorded == rows(world, payment_id)
        other.kill()

    assert 200 == answer.status_code
    assert late.status_code == 500 or content(late) == content(answer)
    assert 1 == len(world.shops.calls(act, payment_id, act.write))


def rows(world: Killed, payment_id: str) -> list[Any]:
    sql = "SELECT {} FROM {} WHERE payment_id = :id ORDER BY 1"
    return [
        world.shops.rig.execute(sql.format(columns, table), id=payment_id)
        for columns, table in (
            ("id, state, code, attempts, reply_body", "requests"),
            ("action, number, state", "sends"),
            ("status, settled, lease_token", "payments"),
        )
    ]
