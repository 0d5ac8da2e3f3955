"""Rooms: how many connections of a worker may be in one state, and for how long."""

import resource
from collections.abc import Iterator

from connector.server.connection import Connection

# Open files of the largest process with default settings: 1,750 connections of clients, and the
# connections to the companies and the database.
OPEN_FILES = 2560


def allow_open_files() -> None:
    """Let this process, and those that it forks, open as many files as a worker needs."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= allowed < OPEN_FILES:
        wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def places(most: int) -> int:
    """Reduce a number of connections in proportion, if this process may open too few files."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, most * allowed // OPEN_FILES) if 0 <= allowed < OPEN_FILES else most


class Room:
    """The connections in one state, the oldest first; never more than `most`."""

    def __init__(self, most: int) -> None:
        self.most = places(most)
        self._members: dict[Connection, None] = {}

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._members))

    def enter(self, connection: Connection) -> Connection | None:
        """Move a connection into this room. Return the connection that must leave, if any."""
        leave(connection)
        self._members[connection] = None
        connection.room = self
        return self.oldest() if len(self) > self.most else None

    def oldest(self) -> Connection | None:
        return next(iter(self._members), None)

    def overdue(self, now: float) -> list[Connection]:
        return [member for member in self._members if member.due <= now]

    def remove(self, connection: Connection) -> None:
        del self._members[connection]


def leave(connection: Connection) -> None:
    if connection.room is not None:
        connection.room.remove(connection)
        connection.room = None
