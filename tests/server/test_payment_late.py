"""What comes late: a write that takes effect after its retry, a worker that was stopped."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copy

import pytest

from tests.rig import Served
from tests.server.killing import Hold, Killed, Made, killed, wait_until
from tests.server.payments import (
    REFUNDS,
    RUNNING,
    SETTLES,
    WRITES,
    Act,
    Payments,
    told,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("late-payments")
    copy(sqlite_template, folder / "connector.db")
    with killed(f"sqlite:///{folder}/connector.db", folder) as made:
        yield made


def test_a_write_that_takes_effect_after_the_retry_is_no_second_one(world: Killed) -> None:
    shops = world.shops
    made = [(act, shops.ready(act)) for act in WRITES]

    def ask_again() -> None:
        world.server._wait_until_ready()
        shops.rig.let_leases_end()
        for one in made:
            answer = shops.ask(*one, world.server)
            assert answer.status_code == 200 or told(answer)["code"] in RUNNING, answer.text

    world.kill(made, "sending", len(made), ask_again)
    shops.let_time_pass(*(payment_id for _, payment_id in made))
    for act, payment_id in made:
        answer = shops.ended(act, payment_id, world.server)
        shops.assert_true(act, payment_id, answer)


def stop(server: Served) -> None:
    (worker,) = server.workers()
    worker.suspend()
    wait_until(lambda: worker.status() == "stopped")


def recorded(shops: Payments, made: list[Made]) -> list[object]:
    """All that is stored of these payments, but for the claim's own wait."""
    found: list[object] = []
    for _, payment_id in made:
        for table in ("payments", "requests", "sends"):
            rows = shops.rig.execute(
                f"SELECT * FROM {table} WHERE payment_id = :id",  # noqa: S608 - of the three above
                id=payment_id,
            )
            found += sorted(map(repr, rows))
    return found


@pytest.mark.parametrize(("step", "acts"), [("looking", [*SETTLES, *REFUNDS]), ("sent", WRITES)])
def test_a_worker_that_wakes_after_its_lease_passed_can_neither_send_nor_record(
    world: Killed, step: str, acts: list[Act]
) -> None:
    shops = world.shops
    made = [(act, shops.ready(act)) for act in acts]
    hold: Hold = world.arm(step, len(made))
    with Served(shops.rig, is_killed=True) as other, ThreadPoolExecutor(len(made)) as pool:
        sleeping = [pool.submit(shops.ask, *one, world.server) for one in made]
        wait_until(lambda: hold.count >= len(made))
        stop(world.server)
        shops.let_time_pass(*(payment_id for _, payment_id in made))
        hold.release()
        answers = [shops.ended(*one, other) for one in made]
        before = recorded(shops, made)
        world.server.workers()[0].resume()
        late = [one.result() for one in sleeping]
        other.kill()
    assert before == recorded(shops, made)
    assert {(500, "outcome-unknown")} == {(one.status_code, told(one)["code"]) for one in late}
    for (act, payment_id), answer in zip(made, answers, strict=True):
        shops.assert_true(act, payment_id, answer)
