"""A server that is killed at any step of a payment's life: one effect, one truth.

Each test kills one worker under many payments at once, all of them at the same step.
"""

from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests import postgres
from tests.server.killing import (
    ACTS,
    MOST_UNCOMMITTED,
    STEPS,
    UNCOMMITTED,
    Killed,
    Made,
    assert_ends_truly,
    has,
    killed,
    wait_until,
)
from tests.server.payments import Act, told

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

# By these steps VTEX has a callback, and that it has is not recorded yet.
MAYBE_TOLD = {"calling", "called", "telling"}


@pytest.fixture(scope="module")
def on_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed-payments")
    copy(sqlite_template, folder / "connector.db")
    with killed(f"sqlite:///{folder}/connector.db", folder) as made:
        yield made


@pytest.fixture(scope="module")
def on_postgresql(
    postgres_url: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Killed]:
    url = postgres.new_database(postgres_url, postgres_template)
    with killed(url, tmp_path_factory.mktemp("killed-payments")) as made:
        yield made
    postgres.drop_database(postgres_url, url)


def groups(acts: list[Act], step: str) -> list[list[Act]]:
    most = MOST_UNCOMMITTED if step in UNCOMMITTED else len(acts)
    return [acts[at : at + most] for at in range(0, len(acts), most)]


@pytest.mark.parametrize("step", STEPS)
def test_what_is_killed_at_any_step_and_asked_again_is_done_once(
    on_postgresql: Killed, step: str
) -> None:
    for group in groups([act for act in ACTS if has(act, step)], step):
        made = [(act, on_postgresql.shops.ready(act)) for act in group]
        again = on_postgresql.kill_all(made, step)
        assert_done_once(on_postgresql, made, step, again)


@pytest.mark.parametrize("step", [step for step in STEPS if step not in UNCOMMITTED])
def test_what_is_killed_and_then_reconciled_is_done_once(on_sqlite: Killed, step: str) -> None:
    made = [(act, on_sqlite.shops.ready(act)) for act in ACTS if has(act, step)]
    again = on_sqlite.kill_all(made, step)
    assert_done_once(on_sqlite, made, step, [])
    for one in again:
        assert_ends_truly(on_sqlite, *one)


@pytest.mark.parametrize("step", sorted(UNCOMMITTED))
def test_what_one_of_many_never_committed_is_done_once(on_sqlite: Killed, step: str) -> None:
    made = [(act, on_sqlite.shops.ready(act)) for act in ACTS if has(act, step)]
    again = on_sqlite.kill(made, step, 1)
    assert_done_once(on_sqlite, made, step, again)


def assert_done_once(world: Killed, made: list[Made], step: str, again: list[Made]) -> None:
    """Check what becomes of it when some are asked again; what nobody repeats is reconcile's.

    That runs in another process than the killed one: in this one, or in one of its own.
    """
    world.shops.let_time_pass(*(payment_id for _, payment_id in made))
    for one in again:
        assert_ends_truly(world, *one)
    if again:
        world.shops.rig.connector.reconciler.run_once()
    else:
        world.reconcile()
    for act, payment_id in made:
        if act.verb == "notification":
            assert_told(world, act, payment_id, step)


def assert_told(world: Killed, act: Act, payment_id: str, step: str) -> None:
    """Check that VTEX was called back: once, but where its answer may have been lost."""
    # News that were repeated are acted on after their answer.
    wait_until(lambda: bool(world.shops.callbacks(payment_id)))
    bodies = world.shops.callbacks(payment_id)
    assert len(bodies) <= (2 if step in MAYBE_TOLD else 1)
    expected: Any = told(world.shops.ask(Act(act.entry, "create"), payment_id))
    assert "approved" == expected["status"]
    assert all(body == expected for body in bodies)
    world.shops.assert_once(act, payment_id)
