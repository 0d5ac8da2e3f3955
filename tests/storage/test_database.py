import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from connector.domain.errors import StorageUnavailable
from connector.storage.database import Database
from tests.rig import Rig


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    database = Database(migrated_url.replace("postgresql://", "postgresql+psycopg://"), pool_size=8)
    with database.write() as connection:
        connection.run("CREATE TABLE things (name TEXT PRIMARY KEY, number INTEGER)")
    yield database
    database.close()


def names(database: Database) -> list[str]:
    with database.read() as connection:
        return [row["name"] for row in connection.all("SELECT name FROM things ORDER BY name")]


def insert(database: Database, name: str, number: int = 0) -> None:
    with database.write() as connection:
        connection.run("INSERT INTO things VALUES (:name, :number)", name=name, number=number)


def test_what_is_written_is_read(database: Database) -> None:
    insert(database, "one")
    assert ["one"] == names(database)


class Interrupted(BaseException):
    """As KeyboardInterrupt and SystemExit are, no Exception."""


@pytest.mark.parametrize("kind", [ValueError, Interrupted])
def test_an_exception_undoes_the_whole_transaction(
    database: Database, kind: type[BaseException]
) -> None:
    with pytest.raises(kind), database.write() as connection:  # noqa: PT012
        connection.run("INSERT INTO things VALUES ('one', 1)")
        raise kind
    assert [] == names(database)
    insert(database, "two")
    assert ["two"] == names(database)


def test_a_failed_statement_undoes_the_whole_transaction(database: Database) -> None:
    insert(database, "one")
    with pytest.raises(StorageUnavailable), database.write() as connection:  # noqa: PT012
        connection.run("INSERT INTO things VALUES ('two', 2)")
        connection.run("INSERT INTO things VALUES ('one', 1)")
    assert ["one"] == names(database)


def test_a_failed_commit_undoes_the_whole_transaction(database: Database) -> None:
    """Else its connection would stay within the transaction, and lock every writer out."""
    with database.write() as connection:
        connection.run(
            "CREATE TABLE parts (thing TEXT REFERENCES things (name) DEFERRABLE INITIALLY DEFERRED)"
        )
    with pytest.raises(StorageUnavailable), database.write() as connection:
        connection.run("INSERT INTO parts VALUES ('none')")
    for number in range(10):
        insert(database, f"thing-{number}")
    with database.read() as connection:
        assert [] == connection.all("SELECT * FROM parts")


def test_a_failure_is_storage_unavailable_and_tells_no_values(database: Database) -> None:
    with pytest.raises(StorageUnavailable) as caught, database.read() as connection:
        connection.first_row("SELECT * FROM nowhere WHERE name = :name", name="a secret")
    assert "a secret" not in str(caught.value)
    assert "nowhere" not in str(caught.value)


def test_what_is_not_committed_is_not_seen(database: Database) -> None:
    with database.write() as connection:
        connection.run("INSERT INTO things VALUES ('one', 1)")
        assert [] == names(database)
    assert ["one"] == names(database)


def test_a_colon_or_a_percent_in_a_value_is_only_text(database: Database) -> None:
    for name in (":name", "%(name)s", "100%", "a::text", "NOW", "'"):
        insert(database, name)
        assert name in names(database)


def test_the_clock_is_the_databases_and_moves_within_a_transaction(database: Database) -> None:
    with database.write() as connection:
        first = connection.first_row("SELECT NOW AS now")
        time.sleep(0.02)
        second = connection.first_row("SELECT NOW AS now")
    assert first
    assert second
    assert abs(first["now"] - time.time()) < 5
    assert 0.01 < second["now"] - first["now"] < 5


def test_fifty_threads_lose_no_update(database: Database) -> None:
    insert(database, "one")
    failures: list[BaseException] = []

    def add() -> None:
        try:
            with database.write() as connection:
                connection.run("UPDATE things SET number = number + 1 WHERE name = 'one'")
        except StorageUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=add) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert {"number": 50} == connection.first_row("SELECT number FROM things")
    assert [] == failures


def test_a_second_process_waits_for_its_turn_to_write(tmp_path: Path) -> None:
    first, second = (Database(f"sqlite:///{tmp_path}/connector.db") for _ in range(2))
    with first.write() as connection:
        connection.run("CREATE TABLE things (name TEXT PRIMARY KEY, number INTEGER)")
    waiting = threading.Thread(target=insert, args=(second, "late"))
    with first.write() as connection:
        connection.run("INSERT INTO things VALUES ('early', 1)")
        waiting.start()
        time.sleep(0.2)
        assert [] == names(second)
    waiting.join(5)
    assert ["early", "late"] == names(first)
    first.close()
    second.close()


def test_sqlite_survives_a_power_cut_and_lets_readers_pass(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.read() as connection:
        assert {"journal_mode": "wal"} == connection.first_row("PRAGMA journal_mode")
        assert {"synchronous": 2} == connection.first_row("PRAGMA synchronous")
        assert {"foreign_keys": 1} == connection.first_row("PRAGMA foreign_keys")
    database.close()


def test_a_missing_folder_is_made_for_its_owner_only(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/new/connector.db")
    with database.read() as connection:
        assert {"alive": 1} == connection.first_row("SELECT 1 AS alive")
    assert 0o700 == (tmp_path / "new").stat().st_mode & 0o777
    database.close()


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "connector.db").write_bytes(b"no database at all" * 100)
    database = Database(f"sqlite:///{tmp_path}/connector.db")
    assert not database.is_ready()
    with pytest.raises(StorageUnavailable), database.write() as connection:
        connection.run("CREATE TABLE things (name TEXT)")
    database.close()


def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = Database("postgresql+psycopg://nobody:secret-word@127.0.0.1:1/nowhere")
    assert not database.is_ready()
    with pytest.raises(StorageUnavailable) as caught, database.read() as connection:
        connection.first_row("SELECT 1")
    assert "secret-word" not in str(caught.value)
    database.close()


def test_a_locked_database_file_is_unavailable_in_time(sqlite_url: str) -> None:
    """Another program that holds the file does not hold a request for ever."""
    database = Database(sqlite_url)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable), database.write() as connection:
            connection.run("DELETE FROM events")
        assert 4 < time.monotonic() - started < 7
        other.execute("ROLLBACK")
    other.close()
    with database.write() as connection:
        assert 0 == connection.run("DELETE FROM events")
    database.close()


# A PostgreSQL that goes away.


def kill_connections(url: str) -> int:
    """End every connection to the database but this one, as a restart does."""
    with psycopg.connect(url, autocommit=True) as connection:
        ended = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchall()
    return len(ended)


def answers(rig: Rig, count: int, mark: str) -> list[int]:
    client = rig.client
    return [rig.cancel(f"{mark}-{number}", client=client).status_code for number in range(count)]


def at_once(rig: Rig, count: int, mark: str) -> list[int]:
    client = rig.client
    found: list[int] = []
    ready = threading.Barrier(count)

    def ask(number: int) -> None:
        ready.wait()
        found.append(rig.cancel(f"{mark}-{number}", client=client).status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_killed_connections_cost_at_most_one_request(
    fresh_postgres_url: str, tmp_path: Path
) -> None:
    with Rig(fresh_postgres_url, tmp_path) as rig:
        rig.add()
        assert [200] * 12 == at_once(rig, 12, "before")
        assert kill_connections(fresh_postgres_url) >= 2
        after = answers(rig, 12, "after")
        assert set(after) <= {200, 500}
        assert after.count(500) <= 1
        # What failed is repeated, as VTEX does.
        assert [200] * 12 == answers(rig, 12, "after")


def test_a_connection_killed_within_a_transaction_leaves_nothing(
    fresh_postgres_url: str,
) -> None:
    database = Database(fresh_postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with pytest.raises(StorageUnavailable), database.write() as connection:  # noqa: PT012
        connection.run("CREATE TABLE things (name TEXT)")
        kill_connections(fresh_postgres_url)
        connection.run("INSERT INTO things VALUES ('one')")
    with database.read() as connection:
        assert {"found": None} == connection.first_row("SELECT to_regclass('things') AS found")
    database.close()


def test_a_lock_that_another_holds_is_unavailable_in_time(fresh_postgres_url: str) -> None:
    database = Database(fresh_postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with psycopg.connect(fresh_postgres_url) as other:
        other.execute("LOCK TABLE events")
        started = time.monotonic()
        with pytest.raises(StorageUnavailable), database.write() as connection:
            connection.run("DELETE FROM events")
        assert 4 < time.monotonic() - started < 7
    database.close()
