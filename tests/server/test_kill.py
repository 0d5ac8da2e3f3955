"""A server that is killed or stopped at any step: one effect at the company, one truth."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from tests import postgres
from tests.rig import FIELDS, Served, headers
from tests.server import (
    CRYPTOMUS_CANCELLED,
    CRYPTOMUS_UNPAID,
    KINDS,
    RUSTORE_BLIND,
    RUSTORE_HELD,
    SANDBOX,
    SEEN,
    TRANZZO_CAPTURED,
    TRANZZO_HELD,
    YANDEX_HELD,
    YANDEX_UNPAID,
    Kind,
    Payment,
    Scene,
)

pytestmark = pytest.mark.slow

CRASHING = str(Path(__file__).with_name("crashing.py"))
FIRST, SECOND = "request-1", "request-2"

# Where the serving worker is killed, in the order of the steps. Those in HOOKS are seen at the
# company: (is it a write, before or after its effect).
CLAIM_STEPS = ["claiming", "claimed"]
SEND_STEPS = ["recording", "recorded", "sending", "sent"]
END_STEPS = ["answered", "ending", "ended"]
HOOKS = {"looking": (False, "before"), "sending": (True, "before"), "sent": (True, "after")}
# The steps by which the write has taken effect, and its end is not recorded yet.
UNRECORDED = ["sending", "sent", "answered", "ending"]


def steps_of(kind: Kind) -> list[str]:
    look = ["looking"] if kind.looks else []
    send = SEND_STEPS if kind.write else []
    # The sandbox's write is no call, but it is recorded like any other.
    send = ["recording", "recorded"] if kind is SANDBOX else send
    return [*CLAIM_STEPS, *look, *send, *END_STEPS]


def each_step(kinds: list[Kind]) -> list[Any]:
    return [
        pytest.param(kind, step, id=f"{kind}-{step}") for kind in kinds for step in steps_of(kind)
    ]


class Killed:
    """A scene served by a worker that is killed where a test says."""

    def __init__(self, scene: Scene, server: Served, crash_file: Path) -> None:
        self.scene = scene
        self.server = server
        self.crash_file = crash_file

    def cancel(
        self, kind: Kind, payment: Payment, request_id: str = FIRST, server: Served | None = None
    ) -> requests.Response:
        return (server or self.server).cancel(
            payment.id, request_id, merchant=kind.name, **payment.fields
        )

    def kill(self, kind: Kind, payment: Payment, step: str, server: Served | None = None) -> None:
        """Begin a cancellation whose worker is killed at a step; wait for a new worker."""
        server = server or self.server
        reached = self.arm(kind, step, server.kill_workers)
        with pytest.raises(requests.ConnectionError):
            self.cancel(kind, payment, server=server)
        assert reached()
        server._wait_until_ready()

    def arm(
        self, kind: Kind, step: str, act: Callable[[], object], signal: str = "SIGKILL"
    ) -> Callable[[], bool]:
        """Act (or send the signal) once, when the step is reached; return whether it was."""
        if step not in HOOKS:
            self.crash_file.write_text(f"{signal} {step}")
            return lambda: not self.crash_file.exists()
        company = self.scene.company(kind)
        is_write, moment = HOOKS[step]
        awaited = (kind.write if is_write else "look", moment)
        reached = threading.Event()

        def hook(*where: str) -> None:
            if where == awaited and not reached.is_set():
                reached.set()
                act()

        company.hook = hook
        return reached.is_set

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `connector`, with the crashes planted."""
        return subprocess.run(
            [sys.executable, CRASHING, *arguments],
            env={**self.server._environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def answers_truly(self, kind: Kind, payment: Payment, request_id: str) -> requests.Response:
        """Cancel, and check the answer and all that became of the payment."""
        scene = self.scene
        answer = self.cancel(kind, payment, request_id)
        assert answer.status_code == 200, answer.text
        assert scene.truth(kind, payment, request_id) == answer.json()
        assert FIELDS == list(answer.json())
        assert scene.is_cancelled(kind, payment)
        assert (1 if kind.write and kind is not SANDBOX else 0) == scene.effects(kind, payment)
        return answer

    def is_replayed(self, kind: Kind, payment: Payment, answer: requests.Response) -> None:
        """Check that both requests are answered without a call, the first one byte for byte."""
        calls = len(self.scene.calls(kind, payment))
        asked = answer.json()["requestId"]
        again = self.cancel(kind, payment, asked)
        assert (200, answer.content) == (again.status_code, again.content)
        other = FIRST if asked == SECOND else SECOND
        assert {**answer.json(), "requestId": other} == self.cancel(kind, payment, other).json()
        assert calls == len(self.scene.calls(kind, payment))


@contextmanager
def killed(
    url: str, folder: Path, kinds: list[Kind] = KINDS, **variables: str
) -> Iterator[Killed]:
    crash_file = folder / "crash"
    with (
        Scene(url, folder, kinds, **variables) as scene,
        Served(scene.rig, script=[CRASHING], CRASH_FILE=str(crash_file)) as server,
    ):
        yield Killed(scene, server, crash_file)
        server.kill()


@pytest.fixture(scope="module")
def shared(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    copy(sqlite_template, folder / "connector.db")
    with killed(f"sqlite:///{folder}/connector.db", folder) as made:
        yield made


@pytest.fixture
def on_sqlite(shared: Killed) -> Iterator[Killed]:
    """The shared one, with nothing left of the test before."""
    yield shared
    shared.crash_file.unlink(missing_ok=True)
    for kind in KINDS:
        if kind.company:
            shared.scene.company(kind).hook = None


@pytest.fixture(scope="module")
def on_postgresql(
    postgres_url: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    url = postgres.new_database(postgres_url, postgres_template)
    with killed(url, folder, [TRANZZO_HELD, YANDEX_HELD]) as made:
        yield made
    postgres.drop_database(postgres_url, url)


@pytest.fixture(scope="module")
def another_server(shared: Killed) -> Iterator[Served]:
    with Served(shared.scene.rig) as server:
        yield server
        server.kill()


RETRIES = [pytest.param(FIRST, id="same-request"), pytest.param(SECOND, id="other-request")]


def finishes(world: Killed, kind: Kind, step: str, retried_as: str) -> None:
    payment = world.scene.make(kind)
    world.kill(kind, payment, step)
    world.scene.let_time_pass()
    answer = world.answers_truly(kind, payment, retried_as)
    assert (1 if kind.write else 0) == len(world.scene.calls(kind, payment, kind.write or "none"))
    world.is_replayed(kind, payment, answer)


@pytest.mark.parametrize("retried_as", RETRIES)
@pytest.mark.parametrize(
    ("kind", "step"), each_step([*SEEN, CRYPTOMUS_CANCELLED, SANDBOX])
)
def test_a_worker_killed_at_any_step_leaves_one_effect_and_one_truth(
    on_sqlite: Killed, kind: Kind, step: str, retried_as: str
) -> None:
    finishes(on_sqlite, kind, step, retried_as)


@pytest.mark.parametrize("retried_as", RETRIES)
@pytest.mark.parametrize(("kind", "step"), each_step([TRANZZO_HELD, YANDEX_HELD]))
def test_a_worker_killed_at_any_step_leaves_one_effect_and_one_truth_on_postgresql(
    on_postgresql: Killed, kind: Kind, step: str, retried_as: str
) -> None:
    finishes(on_postgresql, kind, step, retried_as)
