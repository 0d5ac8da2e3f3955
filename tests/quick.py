"""Which tests `make quick` runs: those that stay in this process, and are not marked `slow`.

A new test is one of them, unless it says otherwise; one that starts a process then fails.
"""

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

# What starts a process. An audit hook would see the same, but Python runs a hook while it installs
# a trace function too, and two threads that begin at once then fail under coverage.
STARTS = (
    (subprocess.Popen, "__init__"),
    *((os, name) for name in ("fork", "forkpty", "posix_spawn", "system")),
)
LEFT_OUT = ("slow", "alone")
LONG_FOLDERS = ("tests/browser/", "tests/server/", "tests/stateful/")


class ProcessStarted(Exception):
    """A test that is not marked `slow` starts a process, which `make quick` has no time for."""


class Guard:
    """Forbids processes while a quick test runs."""

    def __init__(self) -> None:
        self.is_up = False
        for owner, name in STARTS:
            setattr(owner, name, self._guarded(getattr(owner, name), name))

    def _guarded(self, start: Callable[..., Any], name: str) -> Callable[..., Any]:
        def guarded(*args: Any, **options: Any) -> Any:
            if self.is_up:
                raise ProcessStarted(f"{name}: mark this test `slow`")
            return start(*args, **options)

        return guarded


def is_quick(item: pytest.Item) -> bool:
    is_marked = any(item.get_closest_marker(name) for name in LEFT_OUT)
    return not (is_marked or item.nodeid.startswith(LONG_FOLDERS) or _is_on_postgres(item))


def _is_on_postgres(item: pytest.Item) -> bool:
    """Whether it needs PostgreSQL, which is processes of its own."""
    names = [item.nodeid, *getattr(item, "fixturenames", [])]
    return any("postgres" in name for name in names)
