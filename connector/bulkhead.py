"""What one company may take of a worker: so many threads, so many operations at a time.

A company that hangs, or whose address is flooded, costs only its own requests.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from connector.domain.errors import ProviderBusy

# Seconds without any operation ended after which a company with no place left counts as hung,
# and the most a place for an operation is waited for before that.
PATIENCE_SECONDS = 0.5
# The most a thread is waited for while the company answers: many may ask at the same moment.
THREAD_SECONDS = 2.0
# What a company's requests may hold beyond the threads of its operations, as a share: what waits
# for another request's answer, and what needs no call, while all operations hang.
SPARE_SHARE, LEAST_SPARE = 1 / 8, 2
# Threads that one company's unproven notifications may hold, and calls back to VTEX.
NOTIFICATIONS, CALLBACKS = 32, 8
# Threads that are nobody's: they refuse strangers and what comes too much, and tell the health.
COMMON = 8
# Threads in which requests wait for one of their company's.
WAITING = 128


def share(threads: int) -> int:
    """Count the threads that one company's requests may hold where it has `threads` operations."""
    return threads + max(LEAST_SPARE, int(threads * SPARE_SHARE))


def all_threads(companies: int, threads: int) -> int:
    """Count the threads of a process: each company's own, so that none waits for another's."""
    return companies * (share(threads) + NOTIFICATIONS) + WAITING + COMMON


class Bulkhead:
    """At most so many operations at one company at a time.

    While the company answers, a place is waited for a moment; when it hangs the refusal is
    immediate, so that a hung company costs only its own calls. `waiting` bounds how many wait,
    `patience` for how many seconds.
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
        """Whether half of the places are free, so that who only waits for the company may stay."""
        return self._free * 2 >= self._slots

    def _take(self) -> None:
        with self._changed:
            if not self._free and not self._wait():
                raise ProviderBusy
            self._free -= 1
            self._changed_at = time.monotonic()

    def _wait(self) -> bool:
        """Wait for a place while the company answers; say whether one is free."""
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

    What holds a thread for a company's sake counts, whether it calls, waits, reads or acts. A name
    that is not among `companies`, as of one that is switched off, has its places with all such.
    `waiting` threads more are for those of all companies that wait for one of their own.
    """

    def __init__(self, companies: Iterable[str], places: int, *, waiting: int) -> None:
        room = threading.Semaphore(waiting)
        self._others = Bulkhead(places, room, THREAD_SECONDS)
        self._own = {name: Bulkhead(places, room, THREAD_SECONDS) for name in companies}

    def place(self, company: str) -> AbstractContextManager[None]:
        """Hold a thread for a company. Raises ProviderBusy when it has none left."""
        return self._own.get(company, self._others).slot()
