"""Which tests `make quick` runs: those that stay in this process, and are not marked `slow`.

A new test is one of them, unless it says otherwise; one that starts a process then fails.
"""

import sys
from typing import Any

import pytest

# What Python reports before it starts a process.
STARTS = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system"}
LEFT_OUT = ("slow", "alone")
LONG_FOLDERS = ("tests/server/", "tests/stateful/")


class ProcessStarted(Exception):
    """A test that is not marked `slow` starts a process, which `make quick` has no time for."""


class Guard:
    """Forbids processes while a quick test runs."""

    def __init__(self) -> None:
        self.is_up = False
        sys.addaudithook(self._see)

    def _see(self, event: str, _: tuple[Any, ...]) -> None:
        if self.is_up and event in STARTS:
            raise ProcessStarted(f"{event}: mark this test `slow`")


def is_quick(item: pytest.Item) -> bool:
    is_marked = any(item.get_closest_marker(name) for name in LEFT_OUT)
    return not (is_marked or item.nodeid.startswith(LONG_FOLDERS) or _is_on_postgres(item))


def _is_on_postgres(item: pytest.Item) -> bool:
    """Whether it needs PostgreSQL, which is processes of its own."""
    names = [item.nodeid, *getattr(item, "fixturenames", [])]
    return any("postgres" in name for name in names)
