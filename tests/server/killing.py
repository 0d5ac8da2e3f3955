"""Killing a server under all it does for payments, and what must be true afterwards."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.companies.registry import COMPANIES
from tests.rig import Served
from tests.server.payments import (
    CREATES,
    NEWS,
    REFUNDS,
    SETTLES,
    Act,
    Payments,
)

CRASHING = str(Path(__file__).with_name("crashing.py"))
ACTS = [
    *CREATES,
    *[Act(entry, "create") for entry in COMPANIES if not entry.has_page],
    *SETTLES,
    *REFUNDS,
    *NEWS,
]
# The steps, in their order. In UNCOMMITTED ones a transaction is open: SQLite has one at a time,
# and a worker has 16 connections.
KEEPING = ["remembering", "remembered"]
CLAIM = ["claiming", "claimed"]
SEND = ["recording", "recorded", "sending", "sent"]
END = ["answered", "ending", "ended"]
CALLBACK = ["taking", "taken", "calling", "called", "telling"]
STEPS = [*KEEPING, *CLAIM, "looking", *SEND, *END, *CALLBACK]
UNCOMMITTED = {"remembering", "claiming", "recording", "ending", "taking", "telling"}
MOST_UNCOMMITTED = 14
# Those seen at the company or at VTEX: (whose call, before or after its effect).
HOOKS = {
    "looking": ("look", "before"),
    "sending": ("write", "before"),
    "sent": ("write", "after"),
    "calling": ("callback", "before"),
    "called": ("callback", "after"),
}
# What is asked, and of which payment.
Made = tuple[Act, str]


def has(act: Act, step: str) -> bool:
    """Whether it has this step. A first create has nothing to look at."""
    if step in {*KEEPING, *CALLBACK}:
        return act.verb == "notification"
    if step in SEND:
        return bool(act.write)
    return act.verb != "create" if step == "looking" else True


def is_repeated(act: Act, step: str) -> bool:
    """Whether nobody was answered: then VTEX, or the company, asks again."""
    return act.verb != "notification" or step in KEEPING


class Hold:
    """Keeps the first calls at a moment until they are let go on, each then to its end."""

    def __init__(self, operations: set[str], moment: str, most: int) -> None:
        self._operations, self._moment, self._most = operations, moment, most
        self._released, self._lock = threading.Event(), threading.Lock()
        self._held: set[int] = set()
        self._ended: set[int] = set()

    def __call__(self, operation: str, moment: str) -> None:
        own = threading.get_ident()
        with self._lock:
            is_awaited = operation in self._operations and moment == self._moment
            is_held = is_awaited and own not in self._held and len(self._held) < self._most
            self._held |= {own} if is_held else set()
        if is_held:
            self._released.wait(30)
        if moment == "after":
            self._ended.add(own)

    @property
    def count(self) -> int:
        return len(self._held)

    def release(self) -> None:
        """Let all go on, and wait until each had its effect."""
        self._released.set()
        wait_until(lambda: self._held <= self._ended)


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert is_so()


class Killed:
    """Shops served by a worker that is killed under all it does."""

    def __init__(self, shops: Payments, server: Served, crash_file: Path) -> None:
        self.shops, self.server = shops, server
        self._crash_file = crash_file
        self._held_file = crash_file.with_suffix(".held")

    def kill(
        self,
        made: list[Made],
        step: str,
        most: int,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> list[Made]:
        """Ask all of it, and kill the worker when `most` of them are at this step.

        Do what is to be done `meanwhile`, before what had reached a company goes on there.
        Return those that were not answered.
        """
        hold = self.arm(step, most)
        with ThreadPoolExecutor(len(made)) as pool:
            asked = [pool.submit(self.shops.ask, *one, self.server) for one in made]
            try:
                wait_until(lambda: self._count(hold) >= most)
                self._crash_file.unlink(missing_ok=True)
                self.server.kill_workers()
                meanwhile()
            finally:
                self._crash_file.unlink(missing_ok=True)
                hold.release()
                self.shops.calm()
                self._held_file.unlink(missing_ok=True)
        self.server._wait_until_ready()
        return [one for one, sent in zip(made, asked, strict=True) if sent.exception()]

    def kill_all(self, made: list[Made], step: str) -> list[Made]:
        """Kill the worker when all are at this step; return those that are asked again."""
        unanswered = self.kill(made, step, len(made))
        assert unanswered == [one for one in made if is_repeated(one[0], step)]
        return unanswered

    def arm(self, step: str, most: int) -> Hold:
        whose, moment = HOOKS.get(step, ("", ""))
        writes = {act.write for act in ACTS} - {""}
        hold = Hold(writes if whose == "write" else {whose}, moment, most)
        if whose:
            for stand_in in self.shops.stand_ins:
                stand_in.hook = hold
        else:
            self._crash_file.write_text(f"HOLD {step}")
        return hold

    def stop_at(self, step: str) -> None:
        """Stop the worker once, as SIGSTOP does, where it reaches this step."""
        self._crash_file.write_text(f"SIGSTOP {step}")

    def is_stopped(self) -> bool:
        return not self._crash_file.exists()

    def _count(self, hold: Hold) -> int:
        if self._held_file.exists():
            return len(self._held_file.read_text().splitlines())
        return hold.count

    def reconcile(self) -> None:
        """Run `connector reconcile --once`."""
        done = subprocess.run(
            [sys.executable, "-m", "connector.cli", "reconcile", "--once"],
            env={**os.environ, **self.server._environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def killed(url: str, folder: Path) -> Iterator[Killed]:
    crash_file = folder / "crash"
    with (
        Payments(url, folder) as shops,
        Served(shops.rig, script=[CRASHING], is_killed=True, CRASH_FILE=str(crash_file)) as server,
    ):
        yield Killed(shops, server, crash_file)
        server.kill()


def assert_ends_truly(world: Killed, act: Act, payment_id: str) -> None:
    answer = world.shops.ended(act, payment_id, world.server)
    world.shops.assert_true(act, payment_id, answer)
    if act.write and not act.entry.is_keyed:
        # A company without keys: nothing was sent that could come twice.
        assert 1 == len(world.shops.calls(act, payment_id, act.write))
