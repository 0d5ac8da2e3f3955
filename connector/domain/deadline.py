"""The time limit of a request."""

import time
from dataclasses import dataclass

from connector.domain.errors import OutOfTime

# Linux's CLOCK_BOOTTIME also counts the time while the machine is suspended. Other systems have
# only CLOCK_MONOTONIC.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> float:
    """Read a clock that nobody can set, and that goes on while a process is stopped.

    So a worker that was stopped for long finds that its deadline is over.
    """
    return time.clock_gettime(_CLOCK)


def sleep(seconds: float) -> None:
    """Let time pass on that clock."""
    time.sleep(seconds)


@dataclass(frozen=True)
class Deadline:
    """The end of a request's time. It is set on arrival; every wait, look and call must keep it.

    `at` is a reading of `now`. `total` is the whole time, in seconds.
    """

    at: float
    total: float

    @classmethod
    def after(cls, seconds: float, since: float | None = None) -> "Deadline":
        """Return the deadline that is `seconds` after now, or after `since`."""
        return cls(at=(now() if since is None else since) + seconds, total=seconds)

    def left(self) -> float:
        """Return the seconds that are left, never below zero."""
        return max(0.0, self.at - now())

    def allows_a_write(self) -> bool:
        """Whether a write may start. In the last quarter its answer would come too late."""
        return self.spare() >= 0

    def check_write(self) -> None:
        """Raises OutOfTime if no write may start."""
        if not self.allows_a_write():
            raise OutOfTime

    def spare(self) -> float:
        """Return the seconds until the last quarter begins, below zero after that."""
        return self.left() - self.total / 4

    def pause(self, seconds: float) -> bool:
        """Wait. Return whether time is left: the process may have been stopped meanwhile."""
        sleep(seconds)
        return self.left() > 0

    def within(self, seconds: float) -> "Deadline":
        """Return this deadline, or the deadline `seconds` from now if that is earlier."""
        return Deadline(at=min(self.at, now() + seconds), total=self.total)
