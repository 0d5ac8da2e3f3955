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
from tests.rig import FIELDS, Served
from tests.server.cancellations import (
    APP_HELD,
    BLIND,
    CAPTURED,
    ENDED,
    HELD,
    KINDS,
    MANUAL,
    OTHER_HELD,
    OTHER_UNPAID,
    SANDBOX,
    SEEN,
    Cancellations,
    Kind,
    Payment,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

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

    def __init__(self, scene: Cancellations, server: Served, crash_file: Path) -> None:
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
        """Run `connector` to its end."""
        with self.begun(*arguments) as begun:
            output, errors = begun.communicate(timeout=60)
        return subprocess.CompletedProcess(arguments, begun.returncode, output, errors)

    def begun(self, *arguments: str) -> "subprocess.Popen[str]":
        """Begin `connector`, with the crashes planted."""
        return subprocess.Popen(
            [sys.executable, CRASHING, *arguments],
            env=self.server._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def answers_truly(self, kind: Kind, payment: Payment, request_id: str) -> requests.Response:
        """Cancel, and check the answer and all that became of the payment."""
        scene = self.scene
        answer = self.cancel(kind, payment, request_id)
        assert answer.status_code == 200, answer.text
        assert scene.truth(kind, payment, request_id) == answer.json()
        assert FIELDS == list(answer.json())
        assert scene.is_cancelled(kind, payment)
        assert (1 if kind.write else 0) == scene.effects(kind, payment)
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
    url: str,
    folder: Path,
    kinds: list[Kind] = KINDS,
    *,
    reconcile: bool = False,
    **variables: str,
) -> Iterator[Killed]:
    crash_file = folder / "crash"
    with (
        Cancellations(url, folder, kinds, **variables) as scene,
        Served(
            scene.rig,
            script=[CRASHING],
            is_killed=True,
            CRASH_FILE=str(crash_file),
            reconcile=reconcile,
        ) as server,
    ):
        yield Killed(scene, server, crash_file)
        server.kill()


def code(answer: requests.Response) -> Any:
    return answer.json()["code"]


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
        if kind.entry:
            shared.scene.company(kind).hook = None


@pytest.fixture(scope="module")
def on_postgresql(
    postgres_url: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    url = postgres.new_database(postgres_url, postgres_template)
    with killed(url, folder, [HELD, OTHER_HELD]) as made:
        yield made
    postgres.drop_database(postgres_url, url)


@pytest.fixture(scope="module")
def another_server(shared: Killed) -> Iterator[Served]:
    with Served(shared.scene.rig, is_killed=True) as server:
        yield server
        server.kill()


def finishes(world: Killed, kind: Kind, step: str, retried_as: str) -> None:
    payment = world.scene.make(kind)
    world.kill(kind, payment, step)
    world.scene.let_time_pass()
    answer = world.answers_truly(kind, payment, retried_as)
    assert (1 if kind.write else 0) == len(world.scene.calls(kind, payment, kind.write or "none"))
    world.is_replayed(kind, payment, answer)


@pytest.mark.parametrize(("kind", "step"), each_step([*SEEN, ENDED, SANDBOX]))
def test_a_worker_killed_at_any_step_leaves_one_effect_and_one_truth(
    on_sqlite: Killed, kind: Kind, step: str
) -> None:
    finishes(on_sqlite, kind, step, FIRST)


@pytest.mark.parametrize(("kind", "step"), each_step([CAPTURED, OTHER_HELD, APP_HELD]))
def test_another_request_finishes_what_a_killed_worker_began(
    on_sqlite: Killed, kind: Kind, step: str
) -> None:
    finishes(on_sqlite, kind, step, SECOND)


@pytest.mark.parametrize("retried_as", [FIRST, SECOND])
@pytest.mark.parametrize(("kind", "step"), each_step([HELD, OTHER_HELD]))
def test_a_worker_killed_at_any_step_leaves_one_effect_and_one_truth_on_postgresql(
    on_postgresql: Killed, kind: Kind, step: str, retried_as: str
) -> None:
    finishes(on_postgresql, kind, step, retried_as)


@pytest.mark.parametrize("kind", SEEN, ids=str)
def test_a_cancellation_killed_at_one_step_after_another_has_one_effect(
    on_sqlite: Killed, kind: Kind
) -> None:
    payment = on_sqlite.scene.make(kind)
    for step in ("claiming", "claimed", "looking", "recorded", "sent", "answered", "ending"):
        on_sqlite.kill(kind, payment, step)
        on_sqlite.scene.let_time_pass()
    answer = on_sqlite.answers_truly(kind, payment, FIRST)
    assert 1 == len(on_sqlite.scene.calls(kind, payment, kind.write))
    on_sqlite.is_replayed(kind, payment, answer)


@pytest.mark.parametrize("step", steps_of(BLIND))
def test_what_cannot_be_looked_at_is_cancelled_once_and_never_falsely_reported(
    on_sqlite: Killed, step: str
) -> None:
    scene, payment = on_sqlite.scene, on_sqlite.scene.make(BLIND)
    on_sqlite.kill(BLIND, payment, step)
    scene.let_time_pass()
    answer = on_sqlite.cancel(BLIND, payment)
    expected = (501, None) if step in UNRECORDED else (200, payment.fields["authorizationId"])
    for _ in range(5):
        assert expected == (answer.status_code, answer.json()["cancellationId"])
        assert ("cancel-manually" if expected[0] == 501 else None) == code(answer)
        answer = on_sqlite.cancel(BLIND, payment)
    assert 1 == scene.effects(BLIND, payment)
    assert scene.is_cancelled(BLIND, payment)


@pytest.mark.parametrize("step", steps_of(MANUAL))
def test_what_only_a_person_can_cancel_stays_manual_until_it_expires(
    on_sqlite: Killed, step: str
) -> None:
    scene, payment = on_sqlite.scene, on_sqlite.scene.make(MANUAL)
    on_sqlite.kill(MANUAL, payment, step)
    scene.let_time_pass()
    answer = on_sqlite.cancel(MANUAL, payment)
    assert (501, "cancel-manually") == (answer.status_code, code(answer))
    assert answer.json()["cancellationId"] is None
    scene.company(MANUAL).move(payment.id, "cancel")
    answer = on_sqlite.answers_truly(MANUAL, payment, FIRST)
    on_sqlite.is_replayed(MANUAL, payment, answer)


@pytest.mark.parametrize("step", ["recorded", "sending", "sent"])
def test_a_refund_without_a_key_is_not_sent_again_before_the_first_has_surely_ended(
    on_sqlite: Killed, step: str
) -> None:
    scene, payment = on_sqlite.scene, on_sqlite.scene.make(CAPTURED)
    on_sqlite.kill(CAPTURED, payment, "recorded")
    scene.rig.let_leases_end()
    for request_id in (FIRST, SECOND):
        answer = on_sqlite.cancel(CAPTURED, payment, request_id)
        assert (500, "outcome-unknown") == (answer.status_code, code(answer))
    assert [] == scene.calls(CAPTURED, payment, "refund")
    scene.let_time_pass()
    on_sqlite.kill(CAPTURED, payment, step)
    scene.let_time_pass()
    on_sqlite.answers_truly(CAPTURED, payment, FIRST)


class Late:
    """A write that reaches the company, whose sender is killed, and that takes effect late."""

    def __init__(self, kill: Callable[[], None], write: str) -> None:
        self.arrived, self.released, self.ended = (threading.Event() for _ in range(3))
        self._kill = kill
        self._write = write
        self._thread: int | None = None

    def __call__(self, operation: str, moment: str) -> None:
        if operation != self._write:
            return
        if moment == "before" and not self.arrived.is_set():
            self._thread = threading.get_ident()
            self.arrived.set()
            self._kill()
            self.released.wait(30)
        elif moment == "after" and self._thread == threading.get_ident():
            self.ended.set()


@pytest.mark.parametrize("kind", [*SEEN, BLIND], ids=str)
def test_a_write_that_takes_effect_after_the_retry_is_no_second_one(
    on_sqlite: Killed, kind: Kind
) -> None:
    scene, payment = on_sqlite.scene, on_sqlite.scene.make(kind)
    late = scene.company(kind).hook = Late(on_sqlite.server.kill_workers, kind.write)
    with pytest.raises(requests.ConnectionError):
        on_sqlite.cancel(kind, payment)
    on_sqlite.server._wait_until_ready()
    scene.rig.let_leases_end()
    answer = on_sqlite.cancel(kind, payment)
    if kind is CAPTURED:
        assert (500, "outcome-unknown") == (answer.status_code, code(answer))
        assert 1 == len(scene.calls(kind, payment, kind.write))
    else:
        assert (200, 1) == (answer.status_code, scene.effects(kind, payment))
    late.released.set()
    assert late.ended.wait(10)
    scene.let_time_pass()
    on_sqlite.is_replayed(kind, payment, on_sqlite.answers_truly(kind, payment, FIRST))


def stop(server: Served) -> None:
    (worker,) = server.workers()
    worker.suspend()
    while worker.status() != "stopped":
        time.sleep(0.01)


@pytest.mark.parametrize("step", ["looking", "sent"])
@pytest.mark.parametrize("kind", SEEN, ids=str)
def test_a_worker_that_wakes_after_its_lease_passed_can_neither_send_nor_record(
    on_sqlite: Killed, another_server: Served, kind: Kind, step: str
) -> None:
    world, scene = on_sqlite, on_sqlite.scene
    payment = scene.make(kind)
    stopped = threading.Event()
    world.arm(kind, step, lambda: (stop(world.server), stopped.set()))
    with ThreadPoolExecutor() as pool:
        sleeping = pool.submit(world.cancel, kind, payment)
        assert stopped.wait(10)
        scene.let_time_pass()
        answer = world.cancel(kind, payment, server=another_server)
        recorded = scene.recorded(payment)
        world.server.workers()[0].resume()
        late = sleeping.result()
    assert (200, scene.truth(kind, payment, FIRST)) == (answer.status_code, answer.json())
    assert (500, "outcome-unknown") == (late.status_code, code(late))
    assert recorded == scene.recorded(payment)
    assert 1 == len(scene.calls(kind, payment, kind.write))
    assert answer.content == world.answers_truly(kind, payment, FIRST).content


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_so()


def until_it_succeeds(send: Callable[[], requests.Response], codes: set[str]) -> requests.Response:
    """Repeat a cancellation as VTEX does, while its answer is one of these failures."""
    deadline = time.monotonic() + 30
    while (answer := send()).status_code == 500 and time.monotonic() < deadline:
        assert code(answer) in codes
        time.sleep(0.1)
    return answer


def test_a_killed_servers_cancellation_goes_on_when_its_lease_ends(
    sqlite_url: str, tmp_path: Path
) -> None:
    kind = HELD
    with killed(sqlite_url, tmp_path, [kind], CONNECTOR_ANSWER_SECONDS="1") as world:
        payment = world.scene.make(kind)
        began = time.monotonic()
        world.kill(kind, payment, "sent")
        with ThreadPoolExecutor() as pool:
            same = pool.submit(world.cancel, kind, payment, FIRST)
            other = pool.submit(world.cancel, kind, payment, SECOND)
        assert (500, "request-in-progress") == (same.result().status_code, code(same.result()))
        assert (500, "payment-busy") == (other.result().status_code, code(other.result()))
        answer = until_it_succeeds(lambda: world.cancel(kind, payment), {"request-in-progress"})
        assert 200 == answer.status_code
        # The answer time and 5 s more.
        assert 6 <= time.monotonic() - began
        world.is_replayed(kind, payment, world.answers_truly(kind, payment, FIRST))


@pytest.mark.alone
def test_a_worker_stopped_between_recording_and_sending_sends_nothing_when_it_wakes(
    sqlite_url: str, tmp_path: Path
) -> None:
    kind = CAPTURED
    with (
        killed(sqlite_url, tmp_path, [kind], CONNECTOR_ANSWER_SECONDS="1") as world,
        Served(world.scene.rig, is_killed=True) as other,
        ThreadPoolExecutor() as pool,
    ):
        payment = world.scene.make(kind)
        reached = world.arm(kind, "recorded", lambda: None, "SIGSTOP")
        sleeping = pool.submit(world.cancel, kind, payment)
        wait_until(reached)
        # The last: it got its turn when too little time was left to send.
        expected = {"request-in-progress", "outcome-unknown", "provider-unavailable"}
        answer = until_it_succeeds(lambda: world.cancel(kind, payment, server=other), expected)
        recorded = world.scene.recorded(payment)
        world.server.workers()[0].resume()
        assert (500, "outcome-unknown") == (sleeping.result().status_code, code(sleeping.result()))
        assert recorded == world.scene.recorded(payment)
        assert 1 == len(world.scene.calls(kind, payment, kind.write))
        assert answer.content == world.answers_truly(kind, payment, FIRST).content
        other.kill()


def assert_finished_without_vtex(world: Killed, kind: Kind, payment: Payment) -> None:
    """Check that the company ended it once, and that VTEX is told so without asking there."""
    assert world.scene.is_cancelled(kind, payment)
    calls = len(world.scene.calls(kind, payment))
    world.is_replayed(kind, payment, world.answers_truly(kind, payment, FIRST))
    assert calls == len(world.scene.calls(kind, payment))


def test_reconcile_finishes_what_was_killed_and_nobody_repeats(on_sqlite: Killed) -> None:
    steps = ("claimed", "recorded", "sent", "answered")
    payments = []
    for kind, step in product(SEEN, steps):
        payments.append((kind, on_sqlite.scene.make(kind)))
        on_sqlite.kill(*payments[-1], step)
    on_sqlite.scene.let_time_pass()
    on_sqlite.scene.rig.make_due()
    done = on_sqlite.command("reconcile", "--once")
    assert 0 == done.returncode, done.stderr
    for kind, payment in payments:
        assert_finished_without_vtex(on_sqlite, kind, payment)


def test_a_reconcile_killed_at_any_step_is_finished_by_the_next(on_sqlite: Killed) -> None:
    kind, scene = HELD, on_sqlite.scene
    payments = []
    for step in steps_of(kind):
        payment = scene.make(kind)
        payments.append(payment)
        on_sqlite.kill(kind, payment, "claimed")
        let_it_be_due(scene, payment)
        with on_sqlite.begun("reconcile", "--once") as reconcile:
            reached = on_sqlite.arm(kind, step, reconcile.kill)
            reconcile.wait(60)
        assert reached()
        assert -9 == reconcile.returncode
    scene.let_time_pass()
    assert 0 == on_sqlite.command("reconcile", "--once").returncode
    for payment in payments:
        assert_finished_without_vtex(on_sqlite, kind, payment)


def let_it_be_due(scene: Cancellations, payment: Payment) -> None:
    """The others keep their leases: the next reconcile takes this one."""
    for sql in (
        "UPDATE payments SET lease_until = 1 WHERE payment_id = :id",
        "UPDATE requests SET next_look_at = 1 WHERE payment_id = :id",
    ):
        scene.rig.execute(sql, id=payment.id)


def test_a_server_finishes_by_itself_what_was_killed_in_it(sqlite_url: str, tmp_path: Path) -> None:
    kind = OTHER_UNPAID
    with killed(sqlite_url, tmp_path, [kind], reconcile=True) as world:
        payment = world.scene.make(kind)
        world.kill(kind, payment, "sent")
        let_it_be_due(world.scene, payment)
        wait_until(lambda: world.scene.rig.states() == ["done"])
        assert_finished_without_vtex(world, kind, payment)
