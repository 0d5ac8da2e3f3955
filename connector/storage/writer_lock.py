"""One writer at a time on SQLite, among threads and processes.

SQLite's own busy handler sleeps and tries again. So with many writers some writers wait for seconds
while others pass. A free lock goes to the next writer at once.
"""

import fcntl
import os
import threading
import time
from pathlib import Path

from sqlalchemy import Engine

from connector.domain.errors import ConfigurationError, StorageUnavailable
from connector.storage import private_files

# The most seconds for a statement or a lock. An answer to VTEX has 18 seconds.
BUSY_SECONDS = 5
# Seconds between two tries for the lock: a fraction of a transaction's length.
PAUSE_SECONDS = 0.0001


class WriterLock:
    """A file lock between processes, and a Python lock between the threads of a process."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(private_files.open_lock(path), "a")
        self._threads = threading.Lock()

    def __enter__(self) -> None:
        if not self._threads.acquire(timeout=BUSY_SECONDS):
            raise StorageUnavailable(evidence="another writer does not end")
        try:
            self._lock(time.monotonic() + BUSY_SECONDS)
        except BaseException:
            self._threads.release()
            raise

    def _lock(self, until: float) -> None:
        """Wait for the writers of other processes. Only one thread of a process waits here."""
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StorageUnavailable(evidence="another writer does not end") from None
            time.sleep(PAUSE_SECONDS)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        self._file.close()


class NoLock:
    """No lock: PostgreSQL's writers do not wait for each other."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        return None


def of(engine: Engine) -> NoLock | WriterLock:
    """Return the lock of a database. The lock file is beside the database file."""
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name:
        return NoLock()
    path = Path(name)
    try:
        private_files.make_folder(path.parent, "CONNECTOR_DATABASE_URL")
        path.touch(mode=0o600)
        return WriterLock(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise ConfigurationError(f"The database {path} cannot be made: {error.strerror}") from error
