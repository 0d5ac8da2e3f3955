"""A clock that jumps where the connector pauses, so that no test waits for what only takes time."""

import threading

import pytest

from connector.domain import deadline


class JumpingClock:
    """Each thread's own: what one request waits for is not time that another has lost."""

    def __init__(self) -> None:
        self._real = deadline.now
        self._thread = threading.local()
        self._passed = 0.0

    @property
    def skipped(self) -> float:
        """Seconds this thread has paused."""
        return getattr(self._thread, "skipped", 0.0)

    def now(self) -> float:
        return self._real() + self.skipped + self._passed

    def let_pass(self, seconds: float) -> None:
        """Let time pass for all threads."""
        self._passed += seconds

    def sleep(self, seconds: float) -> None:
        self._thread.skipped = self.skipped + seconds


@pytest.fixture(autouse=True)
def jumping_clock(monkeypatch: pytest.MonkeyPatch) -> JumpingClock:
    """Pauses in this process take no time, but of the request's; other processes really pause."""
    clock = JumpingClock()
    monkeypatch.setattr(deadline, "now", clock.now)
    monkeypatch.setattr(deadline, "sleep", clock.sleep)
    return clock
