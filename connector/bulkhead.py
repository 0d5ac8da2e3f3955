"""How much of a worker one company may take: threads, and operations at a time.

A company that hangs, or whose webhook is flooded, costs only its own requests.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from connector.domain.errors import ProviderBusy

# Seconds after which a company with no place left counts as hung if no operation ended meanwhile;
# also the longest wait for a place of an operation.
PATIENCE_SECONDS = 0.5
# Seconds of the longest wait for a thread while the company answers: many buyers may pay at once.
THREAD_SECONDS = 2.0
# Threads of a company's requests beyond those of its operations, as a share: for requests that wait
# for another request's answer, or that need no call, while all operations hang.
SPARE_SHARE, LEAST_SPARE = 1 / 8, 2
# Threads for one company's notifications that are not proven yet, and for calls back to VTEX.
NOTIFICATIONS, CALLBACKS = 32, 8
# Threads of no company: they refuse strangers and excess requests, and answer for the health.
COMMON = 8
# Threads in which requests wait for a thread of their company.
WAITING = 128


def share(threads: int) -> int:
    """Count the threads for requests of a company that may have `threads` operations."""
    return threads + max(LEAST_SPARE, int(threads * SPARE_SHARE))


def all_threads(companies: int, threads: int) -> int:
    """Count the threads of a process: each company has its own and waits for no other company."""
    return companies * (share(threads) + NOTIFICATIONS) + WAITING + COMMON


class Bulkhead:
    """At most `slots` operations at one company at a time.

    While the company answers, an operation waits a moment for a place. When the company hangs, the
    refusal is immediate. `waiting` bounds how many operations wait, `patience` how many seconds.
    """

    def __init__(
        self,
        slots: int,
        waiting: threading.Semaphore | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._slots = self._free = slots
        self._waiting = waiting or threading.Semaphore(WAITING)
        self._patience = patience
        self._changed = threading.Condition()
        self._changed_at = time.monotonic()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold a place. Raises ProviderBusy when there is none."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def has_room(self) -> bool:
        """Whether half of the places are free: then an operation that pauses may hold its place."""
        return self._free * 2 >= self._slots

    def _take(self) -> None:
        with self._changed:
            if not self._free and not self._wait():
                raise ProviderBusy
            self._free -= 1
            self._changed_at = time.monotonic()

    def _wait(self) -> bool:
        """Wait for a place while the company answers; say whether a place is free."""
        if not self._is_moving() or not self._waiting.acquire(blocking=False):
            return False
        until = time.monotonic() + self._patience
        try:
            while not self._free and self._is_moving() and time.monotonic() < until:
                self._changed.wait(PATIENCE_SECONDS)
        finally:
            self._waiting.release()
        return self._free > 0

    def _is_moving(self) -> bool:
        return time.monotonic() - self._changed_at < PATIENCE_SECONDS

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed_at = time.monotonic()
            self._changed.notify()


class Shares:
    """A worker's threads, shared among the companies: each may hold `places` of them.

    Each thread that works for a company counts, whether it calls, waits, reads or acts. All names
    that are not among `companies`, such as those switched off, share the places of one company.
    `waiting` more threads are for requests that wait for a thread of their company.
    """

    def __init__(self, companies: Iterable[str], places: int, *, waiting: int) -> None:
        room = threading.Semaphore(waiting)
        self._others = Bulkhead(places, room, THREAD_SECONDS)
        self._own = {name: Bulkhead(places, room, THREAD_SECONDS) for name in companies}

    def place(self, company: str) -> AbstractContextManager[None]:
        """Hold a thread for a company. Raises ProviderBusy when it has none left."""
        return self._own.get(company, self._others).slot()
