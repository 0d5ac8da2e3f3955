"""The database: connections, the two kinds of use, and its clock.

SQL is written once, for SQLite and PostgreSQL alike: parameters as `:name`, the database's clock
as `NOW`. It runs on the driver's own cursor: SQLAlchemy's pool and URLs are used, its statement
objects cost more than the statements themselves on the path of every request.
"""

import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from connector.domain.errors import ConfigurationError, StorageUnavailable
from connector.storage import postgres, private_files
from connector.storage.columns import Row
from connector.storage.tables import REVISION

# Seconds a statement or a lock may take; an answer to VTEX has 18.
BUSY_SECONDS = 5
# Seconds between two tries for the writers' turn: a fraction of what a transaction takes.
TURN_SECONDS = 0.0001

# Replicas agree on the database's clock even when their own clocks differ.
_CLOCKS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
}
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}

# libpq's parameters, in seconds but for the milliseconds of tcp_user_timeout: a server that is
# gone without a word is found out as soon as one that is slow.
_LIMITS = {
    "connect_timeout": BUSY_SECONDS,
    "options": f"-c statement_timeout={BUSY_SECONDS}s -c lock_timeout={BUSY_SECONDS}s",
    "tcp_user_timeout": BUSY_SECONDS * 1000,
    "keepalives_idle": BUSY_SECONDS,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}

# A cursor describes each column of its rows; the first thing it says is the name.
_COLUMN_NAME = itemgetter(0)


class Connection:
    """One connection, with the statements in the database's own dialect."""

    def __init__(self, cursor: Any, dialect: str, translations: dict[str, str]) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._translations = translations

    def run(self, sql: str, **values: Any) -> int:
        """Execute a statement; return how many rows it changed."""
        self._execute(sql, values)
        return int(self._cursor.rowcount)

    def many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        """Execute a statement for each row, in one exchange with the server."""
        if rows:
            self._cursor.executemany(self._translated(sql), rows)

    def one(self, sql: str, **values: Any) -> Row | None:
        """Return the first row, by the names of its columns."""
        rows = self.all(sql, **values)
        return rows[0] if rows else None

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Return every row, by the names of its columns."""
        self._execute(sql, values)
        rows = self._cursor.fetchall()
        if not rows:
            return []
        names = tuple(map(_COLUMN_NAME, self._cursor.description))
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _execute(self, sql: str, values: dict[str, Any]) -> None:
        self._cursor.execute(self._translated(sql), values)

    def _translated(self, sql: str) -> str:
        translated = self._translations.get(sql)
        if translated is None:
            translated = self._translations[sql] = _translate(sql, self._dialect)
        return translated


def _translate(sql: str, dialect: str) -> str:
    sql = re.sub(r"\bNOW\b", _CLOCKS[dialect], sql)
    if dialect == "postgresql":
        return re.sub(r"(?<![:\w]):([a-z_]+)", r"%(\1)s", sql)
    return sql


class Database:
    """SQLite or PostgreSQL. Whatever fails in it is StorageUnavailable.

    A PostgreSQL elsewhere must prove who it is, unless not to `verify`; `ca_file` are the
    authorities that may vouch for it. Raises ConfigurationError for a URL that leaves it open.
    """

    def __init__(
        self, url: str, *, pool_size: int = 16, verify: bool = True, ca_file: str = ""
    ) -> None:
        self.engine = _engine(url, pool_size, verify=verify, ca_file=ca_file)
        self._dialect = self.engine.dialect.name
        self._turns = _one_writer(self.engine)
        self._translations: dict[str, str] = {}
        self._failures = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)

    def alone(self) -> AbstractContextManager[None]:
        """The writers' turn, for what manages its own transaction.

        SQLite's change to WAL fails at once where another process makes it too.
        """
        return self._turns

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """For single statements; each sees what is committed."""
        with self._checked_out() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, committed at the end and rolled back by an exception."""
        with self._turns, self._checked_out() as connection:
            connection.run(_BEGIN[self._dialect])
            try:
                yield connection
            except BaseException:
                with suppress(*self._failures):
                    connection.run("ROLLBACK")
                raise
            connection.run("COMMIT")

    @contextmanager
    def _checked_out(self) -> Iterator[Connection]:
        try:
            pooled = self.engine.raw_connection()
        except self._failures as error:
            raise StorageUnavailable(evidence=type(error).__name__) from error
        try:
            cursor = pooled.cursor()
            yield Connection(cursor, self._dialect, self._translations)
            cursor.close()
        except self._failures as error:
            self._discard(pooled, error)
            raise StorageUnavailable(evidence=type(error).__name__) from error
        finally:
            pooled.close()

    def _discard(self, pooled: Any, error: Any) -> None:
        """Drop a connection that broke, and its idle siblings with it.

        After a restart of the server all of them are dead; found out one by one, each would
        cost a request.
        """
        if self.engine.dialect.is_disconnect(error, pooled, None):
            pooled.invalidate()
            self.engine.dispose()

    def check_server(self) -> None:
        """Raises ConfigurationError when the database's server is not trusted."""
        try:
            with self.read() as connection:
                connection.one("SELECT 1")
        except StorageUnavailable as error:
            if why := postgres.distrust(error.__cause__):
                raise ConfigurationError(f"CONNECTOR_DATABASE_URL: {why}") from error

    def is_ready(self) -> bool:
        """Whether the database answers and is migrated to what this code expects."""
        try:
            with self.read() as connection:
                row = connection.one("SELECT version_num FROM alembic_version")
        except StorageUnavailable:
            return False
        # A newer one may be there while the replicas are replaced one by one.
        return row is not None and row["version_num"] >= REVISION

    def close(self) -> None:
        self.engine.dispose()
        self._turns.close()


def _engine(url: str, pool_size: int, *, verify: bool, ca_file: str) -> Engine:
    # The drivers stay in autocommit: a transaction begins and ends where `write` says so, and
    # nothing needs to be reset when a connection goes back to the pool.
    options: dict[str, Any] = {
        "hide_parameters": True,
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": BUSY_SECONDS,
        "pool_reset_on_return": None,
    }
    if url.startswith("sqlite"):
        engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        return engine
    location = make_url(url)
    _, arguments = location.get_dialect()().create_connect_args(location)
    added = postgres.guards(arguments, verify=verify, ca_file=ca_file)
    engine = create_engine(url, connect_args={**_LIMITS, **added}, **options)
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Set what each connection needs: WAL lets readers pass, FULL survives a power cut."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _: object) -> None:
    connection.autocommit = True


class _NoTurns:
    """PostgreSQL's writers do not wait for one another."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None

    def close(self) -> None:
        return None


class _Turns:
    """One writer at a time, among threads and processes.

    SQLite's own busy handler sleeps and tries again: with many writers some wait for seconds
    while others pass. A lock hands the turn on as soon as it is free.
    """

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
        """Wait for the other processes' writers; a thread waits here for all of its own."""
        while True:
            try:
                return fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StorageUnavailable(evidence="another writer does not end") from None
            time.sleep(TURN_SECONDS)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        self._file.close()


def _one_writer(engine: Engine) -> _NoTurns | _Turns:
    name = engine.url.database
    if engine.dialect.name != "sqlite" or not name:
        return _NoTurns()
    path = Path(name)
    try:
        private_files.make_folder(path.parent, "CONNECTOR_DATABASE_URL")
        path.touch(mode=0o600)
        return _Turns(path.with_name(path.name + ".lock"))
    except OSError as error:
        raise ConfigurationError(f"The database {path} cannot be made: {error.strerror}") from error
