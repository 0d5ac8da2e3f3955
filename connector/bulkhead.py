"""Operations at one company, so many at a time: a hung company costs only its own calls."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from connector.domain.errors import ProviderBusy

# Seconds without any operation ended after which a company with no place left counts as hung,
# and the most a place is waited for before that.
PATIENCE_SECONDS = 0.5


class Bulkhead:
    """At most so many operations at one company at a time.

    While the company answers, a place is waited for a moment; when it hangs the refusal is
    immediate, so that a hung company costs only its own calls.
    """

    def __init__(self, slots: int) -> None:
        self._slots = self._free = slots
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
            if not self._free:
                is_moving = time.monotonic() - self._changed_at < PATIENCE_SECONDS
                patience = PATIENCE_SECONDS if is_moving else 0
                if not self._changed.wait_for(lambda: self._free, patience):
                    raise ProviderBusy
            self._free -= 1
            self._changed_at = time.monotonic()

    def _give_back(self) -> None:
        with self._changed:
            self._free += 1
            self._changed_at = time.monotonic()
            self._changed.notify()
