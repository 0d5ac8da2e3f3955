import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, event

import connector.storage
from connector.config import from_environment
from connector.storage.database import Database
from connector.storage.migrate import migrate
from connector.storage.tables import REVISION, metadata

MIGRATE = """
import sys
from connector.storage.database import Database
from connector.storage.migrate import migrate
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
migrate(database)
database.close()
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database without tables."""
    database = Database(as_configured(database_url))
    yield database
    database.close()


def as_configured(url: str) -> str:
    secret_keys = "A" * 43 + "="
    given = {"CONNECTOR_DATABASE_URL": url, "CONNECTOR_SECRET_KEYS": secret_keys}
    return from_environment(given, []).database_url


def differences(database: Database) -> list[Any]:
    """Compare on an engine of its own: the application's leaves transactions to `write`."""
    engine = create_engine(database.engine.url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found = list(compare_metadata(context, metadata))
    engine.dispose()
    return found


def test_the_migrations_make_the_tables(database: Database) -> None:
    migrate(database)
    assert differences(database) == []


def test_a_table_that_differs_is_seen(database: Database) -> None:
    migrate(database)
    with database.write() as connection:
        connection.run("ALTER TABLE events ADD COLUMN forgotten TEXT")
    assert "forgotten" in str(differences(database))


def test_the_code_was_written_for_the_last_migration() -> None:
    folder = Path(connector.storage.__file__).parent / "migrations"
    scripts = ScriptDirectory(str(folder))
    assert [REVISION] == scripts.get_heads()


def test_a_database_is_ready_once_it_is_migrated(database: Database) -> None:
    assert not database.is_ready()
    migrate(database)
    assert database.is_ready()


@pytest.mark.parametrize(("found", "is_ready"), [("0000", False), ("", False), ("9999", True)])
def test_a_database_is_ready_from_the_expected_revision_on(
    database: Database, found: str, is_ready: bool
) -> None:
    migrate(database)
    with database.write() as connection:
        connection.run("UPDATE alembic_version SET version_num = :found", found=found)
    assert is_ready == database.is_ready()


def test_migrating_again_changes_nothing(database: Database) -> None:
    migrate(database)
    with database.write() as connection:
        connection.run(
            "INSERT INTO merchants (name, provider, app_key, settings, sandbox, captured,"
            " disabled, revision, created_at, updated_at)"
            " VALUES ('shop', 'sandbox', 'k', 's', :no, 'manual', :no, 0, 1, 1)",
            no=False,
        )
    migrate(database)
    with database.read() as connection:
        assert [{"name": "shop"}] == connection.all("SELECT name FROM merchants")
    assert differences(database) == []


def test_threads_that_migrate_at_once_do_it_once(database: Database) -> None:
    failures: list[BaseException] = []

    def run() -> None:
        own = Database(database.engine.url.render_as_string(hide_password=False))
        try:
            migrate(own)
        except BaseException as error:  # noqa: BLE001 - shown below
            failures.append(error)
        finally:
            own.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failures
    assert database.is_ready()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_no_time_limit_stops_a_migration_of_many_rows(database: Database) -> None:
    limits: list[str] = []

    def note(_: object, cursor: Any, statement: str, *__: object) -> None:
        if statement.startswith("CREATE INDEX"):
            cursor.execute("SHOW statement_timeout")
            limits.append(cursor.fetchone()[0])

    event.listen(database.engine, "before_cursor_execute", note)
    migrate(database)
    assert {"0"} == set(limits)
    with database.read() as connection:
        assert {"statement_timeout": "5s"} == connection.first_row("SHOW statement_timeout")


@pytest.mark.slow
def test_processes_that_migrate_at_once_do_it_once(database_url: str) -> None:
    url = as_configured(database_url)
    command = [sys.executable, "-W", "error", "-c", MIGRATE, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, **pipes) for _ in range(6)]  # type: ignore[call-overload]
    for process in started:
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        process.stdin.write(b"\n")
        process.stdin.flush()
    ends = [(process.communicate()[1], process.returncode) for process in started]
    assert [(b"", 0)] * 6 == ends
    database = Database(url)
    assert database.is_ready()
    assert differences(database) == []
    database.close()
