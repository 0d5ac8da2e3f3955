import io
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import coverage
import pytest

from connector import logs, peers
from connector.http_client import HttpClient
from connector.storage.database import Database
from connector.storage.migrate import migrate
from tests import in_memory, postgres
from tests.clock import jumping_clock
from tests.quick import Guard, is_quick
from tests.rig import Rig
from tests.sink import Sink

__all__ = ["jumping_clock"]

guard = Guard()
ALONE = "mark.alone"


def pytest_configure() -> None:
    if folder := in_memory.folder():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Read only the files that say `mark.alone` when only such tests are asked for."""
    if config.option.markexpr != "alone" or collection_path.suffix != ".py":
        return None
    return True if ALONE not in collection_path.read_text() else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Else nobody would run it.
        assert not item.get_closest_marker("alone") or ALONE in item.path.read_text()
        if is_quick(item):
            item.add_marker("quick")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    guard.is_up = item.get_closest_marker("quick") is not None
    try:
        return (yield)
    finally:
        guard.is_up = False


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A superuser's URL on a PostgreSQL that lasts as long as the test run."""
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh, empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/connector.db"
        return
    server_url = request.getfixturevalue("postgres_url")
    url = postgres.new_database(server_url)
    yield url
    postgres.drop_database(server_url, url)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "connector.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    url = postgres.new_database(postgres_url)
    _migrate(url)
    yield url
    postgres.drop_database(postgres_url, url)


def _migrate(url: str) -> None:
    database = Database(url.replace("postgresql://", "postgresql+psycopg://"))
    migrate(database)
    database.close()


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh, migrated SQLite database."""
    copy(sqlite_template, tmp_path / "connector.db")
    return f"sqlite:///{tmp_path}/connector.db"


@pytest.fixture(scope="session")
def reused_postgres(postgres_url: str, postgres_template: str) -> Iterator[postgres.ReusedDatabase]:
    database = postgres.ReusedDatabase(postgres_url, postgres_template)
    yield database
    database.drop()


@pytest.fixture
def fresh_postgres_url(reused_postgres: postgres.ReusedDatabase) -> Iterator[str]:
    """A migrated PostgreSQL database with no rows."""
    yield reused_postgres.url
    reused_postgres.empty()


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database: the test runs once on each kind."""
    name = {"sqlite": "sqlite_url", "postgresql": "fresh_postgres_url"}[request.param]
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def rig(sqlite_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A connector in this process, on SQLite."""
    with Rig(sqlite_url, tmp_path) as rig:
        yield rig


@pytest.fixture
def sink() -> Iterator[Sink]:
    """VTEX's end of the callbacks."""
    with Sink() as sink:
        yield sink


@pytest.fixture
def vtex(rig: Rig, sink: Sink) -> Sink:
    """VTEX's end of the callbacks, which the rig may send there."""
    rig.configure(CONNECTOR_CALLBACK_HOSTS=sink.host)
    return sink


@pytest.fixture
def rig_on_both(migrated_url: str, tmp_path: Path) -> Iterator[Rig]:
    """A connector in this process: the test runs once on each kind of database."""
    with Rig(migrated_url, tmp_path) as rig:
        yield rig


class Lines(logging.Handler):
    """Keeps what is logged in this process, in the form in which it is written."""

    def __init__(self, lines: list[dict[str, Any]]) -> None:
        super().__init__()
        self.setFormatter(logs.JsonFormatter())
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(json.loads(self.format(record)))


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[dict[str, Any]]]:
    caplog.set_level(logging.INFO, "connector")
    lines: list[dict[str, Any]] = []
    handler = Lines(lines)
    logging.getLogger("connector").addHandler(handler)
    yield lines
    logging.getLogger("connector").removeHandler(handler)


@pytest.fixture(scope="module")
def unmeasured() -> Iterator[None]:
    """Leave a module's tests out of the coverage, which costs a third of their time.

    For those that run what others run, too, many times more.
    """
    measured = coverage.Coverage.current()
    if measured:
        measured.stop()
    yield
    if measured:
        measured.start()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, by every library too, in the form in which it is written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def http_client() -> Iterator[HttpClient]:
    """The client of a company that is not there."""
    client = HttpClient("acme", seconds=8.0, slots=64)
    yield client
    client.close()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait who is refused often, as many tests are; tests/test_peers.py counts on it."""
    monkeypatch.setattr(peers, "PAUSE_SECONDS", 0.0)
