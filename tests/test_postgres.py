import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests import postgres

# Older ones get no fixes any more from those who make PostgreSQL.
OLDEST_VERSION = 14_00_00

# A test run in the background of a shell inherits SIGINT ignored.
HOLD_A_SERVER = """
import signal
import time
from tests import postgres
signal.signal(signal.SIGINT, signal.default_int_handler)
with postgres.server() as url:
    print(url, flush=True)
    time.sleep(60)
"""


def test_the_server_is_a_supported_postgresql(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        assert connection.info.server_version >= OLDEST_VERSION


def test_a_fresh_database_does_not_see_the_tables_of_another(postgres_url: str) -> None:
    first, second = (postgres.new_database(postgres_url) for _ in range(2))
    create_table(first, "only_in_the_first")
    assert tables(first) == ["only_in_the_first"]
    assert tables(second) == []
    for url in (first, second):
        postgres.drop_database(postgres_url, url)


def test_a_database_can_be_copied_from_a_template(postgres_url: str) -> None:
    template = postgres.new_database(postgres_url)
    create_table(template, "migrated")
    copy = postgres.new_database(postgres_url, template)
    assert tables(copy) == ["migrated"]
    for url in (copy, template):
        postgres.drop_database(postgres_url, url)


def test_a_dropped_database_is_gone_even_if_somebody_was_connected(postgres_url: str) -> None:
    url = postgres.new_database(postgres_url)
    forgotten = psycopg.connect(url)
    postgres.drop_database(postgres_url, url)
    forgotten.close()
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


@pytest.fixture
def reused(postgres_url: str) -> Iterator[postgres.ReusedDatabase]:
    template = postgres.new_database(postgres_url)
    with psycopg.connect(template) as connection:
        connection.execute("CREATE TABLE parents (id SERIAL PRIMARY KEY)")
        connection.execute("CREATE TABLE children (parent INTEGER REFERENCES parents)")
        connection.execute("CREATE TABLE alembic_version AS SELECT 5 AS number")
    database = postgres.ReusedDatabase(postgres_url, template)
    yield database
    database.drop()
    postgres.drop_database(postgres_url, template)


def test_a_reused_database_is_as_a_new_one(reused: postgres.ReusedDatabase) -> None:
    url = reused.url
    forgotten = psycopg.connect(url)
    forgotten.execute("INSERT INTO parents DEFAULT VALUES")
    forgotten.execute("INSERT INTO children VALUES (1)")
    forgotten.commit()
    forgotten.execute("LOCK TABLE parents")
    reused.empty()
    assert url == reused.url
    with psycopg.connect(url) as connection:
        assert [] == connection.execute("SELECT * FROM children").fetchall()
        [(number,)] = connection.execute("INSERT INTO parents DEFAULT VALUES RETURNING id")
        assert 1 == number
        assert [(5,)] == connection.execute("SELECT * FROM alembic_version").fetchall()
    with pytest.raises(psycopg.OperationalError):
        forgotten.execute("SELECT 1")


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE children RENAME TO gone",
        "ALTER TABLE children ADD more TEXT",
        "CREATE TABLE a()",
    ],
)
def test_a_database_whose_tables_were_changed_is_not_reused(
    reused: postgres.ReusedDatabase, change: str
) -> None:
    changed = reused.url
    with psycopg.connect(changed) as connection:
        connection.execute(change)
    reused.empty()
    assert changed != reused.url
    assert ["alembic_version", "children", "parents"] == tables(reused.url)


def test_the_given_server_is_used_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_DATABASE_URL", "postgresql://tests@db.example/postgres")
    with postgres.server() as url:
        assert url == "postgresql://tests@db.example/postgres"


def test_the_tests_fail_when_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_DATABASE_URL", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(postgres.PostgresUnavailable, match="TEST_DATABASE_URL"), postgres.server():
        pass


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_test_run_leaves_no_server_behind(how: signal.Signals) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "TEST_DATABASE_URL"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_SERVER],
        cwd=Path(__file__).parents[1],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as run:
        assert run.stdout
        url = run.stdout.readline().strip()
        directory = directory_of(url)
        assert directory.exists()
        run.send_signal(how)
    wait_until_gone(directory)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_both_databases_are_fresh_and_of_their_kind(database_url: str) -> None:
    match urlsplit(database_url).scheme:
        case "sqlite":
            assert not Path(urlsplit(database_url).path).exists()
        case "postgresql":
            assert tables(database_url) == []
        case other:
            pytest.fail(f"unexpected database: {other}")


def create_table(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(SQL("CREATE TABLE {} ()").format(Identifier(name)))


def tables(url: str) -> list[str]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute(query)]


def directory_of(url: str) -> Path:
    with psycopg.connect(url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row
    return Path(row[0]).parent


def wait_until_gone(path: Path, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while path.exists():
        assert time.monotonic() < deadline, f"{path} is still there"
        time.sleep(0.05)
