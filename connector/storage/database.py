"""The database: its connections, its transactions and its clock.

Each statement is written once, for SQLite and PostgreSQL alike. A parameter is `:name`; `NOW` is
the database's clock. The driver's cursor runs the statements. We use SQLAlchemy's pool and
URLs, but not its statement objects: they would take more time than the statements themselves.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import SQLAlchemyError

from connector.domain.errors import ConfigurationError, StorageUnavailable
from connector.storage import postgres_trust, writer_lock
from connector.storage.columns import Row
from connector.storage.tables import REVISION
from connector.storage.writer_lock import BUSY_SECONDS

# Replicas agree on the database's clock even when their own clocks differ.
_CLOCKS = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "extract(epoch from clock_timestamp())::double precision",
}
_BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}

# Parameters of libpq, in seconds, but tcp_user_timeout in milliseconds. With these limits a dead
# server is noticed as soon as a slow server.
_LIMITS = {
    "connect_timeout": BUSY_SECONDS,
    "options": f"-c statement_timeout={BUSY_SECONDS}s -c lock_timeout={BUSY_SECONDS}s",
    "tcp_user_timeout": BUSY_SECONDS * 1000,
    "keepalives_idle": BUSY_SECONDS,
    "keepalives_interval": 2,
    "keepalives_count": 2,
}

# A cursor describes each column by several values. The first is the name.
_COLUMN_NAME = itemgetter(0)


@dataclass(frozen=True)
class _Statements:
    """A cache for each statement that has run: its text in the dialect, and its columns."""

    translations: dict[str, str] = field(default_factory=dict)
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Connection:
    """One connection. It runs statements in the database's own dialect."""

    def __init__(self, cursor: Any, dialect: str, statements: "_Statements") -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._statements = statements

    def run(self, sql: str, **values: Any) -> int:
        """Execute a statement. Return the number of changed rows."""
        self._execute(sql, values)
        return int(self._cursor.rowcount)

    def run_for_each(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        """Execute a statement for each row, in one exchange with the server."""
        if rows:
            self._cursor.executemany(self._translated(sql), rows)

    def first_row(self, sql: str, **values: Any) -> Row | None:
        """Execute a statement. Return its first row, by column names."""
        rows = self.all(sql, **values)
        return rows[0] if rows else None

    def all(self, sql: str, **values: Any) -> list[Row]:
        """Execute a statement. Return every row, by column names."""
        self._execute(sql, values)
        rows = self._cursor.fetchall()
        if not rows:
            return []
        names = self._columns(sql)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _columns(self, sql: str) -> tuple[str, ...]:
        columns = self._statements.columns.get(sql)
        if columns is None:
            columns = tuple(map(_COLUMN_NAME, self._cursor.description))
            self._statements.columns[sql] = columns
        return columns

    def _execute(self, sql: str, values: dict[str, Any]) -> None:
        self._cursor.execute(self._translated(sql), values)

    def _translated(self, sql: str) -> str:
        translated = self._statements.translations.get(sql)
        if translated is None:
            translated = _translate(sql, self._dialect)
            self._statements.translations[sql] = translated
        return translated


def _translate(sql: str, dialect: str) -> str:
    sql = re.sub(r"\bNOW\b", _CLOCKS[dialect], sql)
    if dialect == "postgresql":
        return re.sub(r"(?<![:\w]):([a-z_]+)", r"%(\1)s", sql)
    return sql


class Database:
    """SQLite or PostgreSQL. Every failure of the database raises StorageUnavailable.

    With `verify`, a PostgreSQL server on another machine must prove its name by a certificate.
    `ca_file` holds the trusted authorities. Raises ConfigurationError for a URL without proof.
    """

    def __init__(
        self, url: str, *, pool_size: int = 16, verify: bool = True, ca_file: str = ""
    ) -> None:
        self.engine = _engine(url, pool_size, verify=verify, ca_file=ca_file)
        self._dialect = self.engine.dialect.name
        self._writer_lock = writer_lock.of(self.engine)
        self._statements = _Statements()
        self._failures = (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error)

    def alone(self) -> AbstractContextManager[None]:
        """Lock every other writer out, for work that manages its own transactions.

        On SQLite, two processes cannot change to WAL at the same time.
        """
        return self._writer_lock

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection for single statements. Each statement sees the committed rows."""
        with self._checked_out() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction. Its end commits it; an exception rolls it back."""
        with self._writer_lock, self._checked_out() as connection:
            connection.run(_BEGIN[self._dialect])
            try:
                yield connection
                connection.run("COMMIT")
            except BaseException:
                with suppress(*self._failures):
                    connection.run("ROLLBACK")
                raise

    @contextmanager
    def _checked_out(self) -> Iterator[Connection]:
        try:
            pooled = self.engine.raw_connection()
        except self._failures as error:
            raise StorageUnavailable(evidence=type(error).__name__) from error
        try:
            cursor = pooled.cursor()
            yield Connection(cursor, self._dialect, self._statements)
            cursor.close()
        except self._failures as error:
            self._discard(pooled, error)
            raise StorageUnavailable(evidence=type(error).__name__) from error
        finally:
            pooled.close()

    def _discard(self, pooled: Any, error: Any) -> None:
        """Drop a connection that broke, and every idle connection with it.

        After a restart of the server all connections are dead. Each dead connection would fail a
        request.
        """
        if self.engine.dialect.is_disconnect(error, pooled, None):
            pooled.invalidate()
            self.engine.dispose()

    def check_server(self) -> None:
        """Raises ConfigurationError if the server of the database is not trusted."""
        try:
            with self.read() as connection:
                connection.first_row("SELECT 1")
        except StorageUnavailable as error:
            if why := postgres_trust.reason_for_distrust(error.__cause__):
                raise ConfigurationError(f"CONNECTOR_DATABASE_URL: {why}") from error

    def is_ready(self) -> bool:
        """Whether the database answers, with the migrations that this code expects."""
        try:
            with self.read() as connection:
                row = connection.first_row("SELECT version_num FROM alembic_version")
        except StorageUnavailable:
            return False
        # During a rolling update a newer replica may have migrated the database already.
        return row is not None and row["version_num"] >= REVISION

    def close(self) -> None:
        self.engine.dispose()
        self._writer_lock.close()


def _engine(url: str, pool_size: int, *, verify: bool, ca_file: str) -> Engine:
    # The drivers are in autocommit mode, and `write` begins and ends each transaction. So a
    # connection goes back to the pool without a reset.
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
    guards = postgres_trust.guards(arguments, verify=verify, ca_file=ca_file)
    engine = create_engine(url, connect_args={**_LIMITS, **guards}, **options)
    event.listen(engine, "connect", _prepare_postgresql)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Set up a connection. WAL lets readers pass a writer; FULL survives a power cut."""
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgresql(connection: Any, _: object) -> None:
    connection.autocommit = True
