"""Limits how many threads of a worker, and how many operations at once, one company may use.

A company may hang, or its webhook may be flooded. Then only the requests of this company suffer.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from connector.domain.errors import ProviderBusy

# A company without a free place counts as hung if no operation began or ended for so many seconds.
# An operation waits for a place for at most as many seconds.
PATIENCE_SECONDS = 0.5
# Seconds for which a request waits for a thread, if the company answers: many buyers may pay at
# once.
THREAD_SECONDS = 2.0
# A company has more threads for requests than for operations: this share more, and at least so
# many. Requests that wait for another request, or need no call, use them while all operations hang.
SPARE_SHARE, LEAST_SPARE = 1 / 8, 2
# Threads for the unproven notifications of one company, and threads for callbacks to VTEX.
NOTIFICATIONS, CALLBACKS = 32, 8
# Threads for each room of pages: the configuration flow, and the console.
PAGES, ROOMS = 8, 2
# Threads that belong to no company. They refuse strangers and excess requests, and answer health
# checks.
COMMON = 8
# Threads in which requests wait for a thread of their company.
WAITING = 128


def share(threads: int) -> int:
    """Return the number of threads for the requests of a company with `threads` operations."""
    return threads + max(LEAST_SPARE, int(threads * SPARE_SHARE))


def all_threads(companies: int, threads: int) -> int:
    """Return the number of threads of a process. No company waits for another company's threads."""
    return companies * (share(threads) + NOTIFICATIONS) + WAITING + ROOMS * PAGES + COMMON


class Bulkhead:
    """At most `slots` operations at one company at a time.

    If the company answers, an operation waits for a place, at most `patience` seconds. If the
    company hangs, the operation is refused at once. `waiting` limits how many operations wait.
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
        """Hold a place. Raises ProviderBusy if no place is free."""
        self._take()
        try:
            yield
        finally:
            self._give_back()

    def has_room(self) -> bool:
        """Whether half of the places are free. Then an operation that pauses may keep its place."""
        return self._free * 2 >= self._slots

    def _take(self) -> None:
        with self._changed:
            if not self._free and not self._wait():
                raise ProviderBusy
            self._free -= 1
            self._changed_at = time.monotonic()

    def _wait(self) -> bool:
        """Wait for a place as long as the company answers. Say whether a place is free."""
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
    """A worker's threads. Each company may hold `places` of them.

    Every thread that works for a company counts: it may call, wait, read or act. All names that are
    not in `companies`, such as disabled providers, share the places of one company. In `waiting`
    more threads, requests wait for a thread of their company.
    """

    def __init__(self, companies: Iterable[str], places: int, *, waiting: int) -> None:
        room = threading.Semaphore(waiting)
        self._of_other_names = Bulkhead(places, room, THREAD_SECONDS)
        self._of_companies = {name: Bulkhead(places, room, THREAD_SECONDS) for name in companies}

    def place(self, company: str) -> AbstractContextManager[None]:
        """Hold a thread for a company. Raises ProviderBusy if the company has no free thread."""
        return self._of_companies.get(company, self._of_other_names).slot()
