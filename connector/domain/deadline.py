"""The one time limit of a request."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """Set when a request arrives and passed down; every wait, look and call draws on it.

    `at` is a reading of the monotonic clock, which goes on while a process is stopped: a worker
    that wakes late finds its deadline passed. `total` is in seconds.
    """

    at: float
    total: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(at=time.monotonic() + seconds, total=seconds)

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())

    def allows_a_write(self) -> bool:
        """No write is started in the last quarter: its answer would come too late to be told."""
        return self.left() >= self.total / 4

    def within(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(at=min(self.at, time.monotonic() + seconds), total=self.total)
