"""The one time limit of a request."""

import time
from dataclasses import dataclass

# Linux's counts the time in which the machine was suspended too; others have the plain one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Read a clock that nobody sets, and that goes on while a process is stopped.

    A worker that wakes late finds its deadline passed.
    """
    return time.clock_gettime(_CLOCK)


def sleep(seconds: float) -> None:
    """Let time pass on that clock."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Deadline:
    """Set when a request arrives and passed down; every wait, look and call draws on it.

    `at` is a reading of `now`; `total` is in seconds.
    """

    at: float
    total: float

    @classmethod
    def after(cls, seconds: float, since: float | None = None) -> "Deadline":
        """`seconds` from now, or from `since`."""
        return cls(at=(now() if since is None else since) + seconds, total=seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - now())

    def allows_a_write(self) -> bool:
        """No write is started in the last quarter: its answer would come too late to be told."""
        return self.spare() >= 0

    def spare(self) -> float:
        """Seconds until only the last quarter is left, negative after that."""
        return self.left() - self.total / 4

    def pause(self, seconds: float) -> bool:
        """Wait; say whether there is time left: this process may have stood still."""
        sleep(seconds)
        return self.left() > 0

    def within(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(at=min(self.at, now() + seconds), total=self.total)
