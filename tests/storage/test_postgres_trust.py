"""A PostgreSQL elsewhere must prove who it is, and is sent no password in clear."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from connector.domain.errors import ConfigurationError, StorageUnavailable
from connector.storage.database import Database
from tests import certificates
from tests.cli.shell import command

PASSWORD = "a-secret-password-4711"
# Loopback, which is not written as such: to the rule it is a name like any other.
ELSEWHERE = "127.1"
# PostgreSQL's documentation, "Message Formats".
SSL_REQUEST = struct.pack("!II", 8, 80877103)
ASK_FOR_IT_IN_CLEAR = b"R" + struct.pack("!II", 8, 3)


class Impostor:
    """Answers in PostgreSQL's place, by TLS or without, and asks for the password in clear."""

    def __init__(self, certificate: Path | None) -> None:
        self.certificate = certificate
        self.received: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # A listener that is only closed still waits in its thread.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.settimeout(10)
            try:
                self._ask(connection)
            except OSError:
                connection.close()

    def _ask(self, connection: socket.socket) -> None:
        start = connection.recv(4096)
        if start == SSL_REQUEST:
            connection.sendall(b"S" if self.certificate else b"N")
            if self.certificate:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate)
                connection = context.wrap_socket(connection, server_side=True)
            start = connection.recv(4096)
        with connection:
            if start:
                connection.sendall(ASK_FOR_IT_IN_CLEAR)
                self.received.append(connection.recv(4096))

    def url(self, query: str = "", host: str = ELSEWHERE) -> str:
        return f"postgresql+psycopg://u:{PASSWORD}@{host}:{self.port}/db{query}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    return certificates.make(path, ELSEWHERE, "localhost")


@pytest.fixture
def impostor(certificate: Path) -> Iterator[Impostor]:
    with Impostor(certificate) as impostor:
        yield impostor


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "HOSTADDR", "SSLMODE", "SERVICE", "SSLROOTCERT", "REQUIREAUTH"):
        monkeypatch.delenv(f"PG{name}", raising=False)


def opened(url: str, **options: Any) -> None:
    database = Database(url, **options)
    try:
        database.check_server()
        with database.read() as connection:
            connection.first_row("SELECT 1")
    finally:
        database.close()


FREE = [
    "postgresql+psycopg://u:p@127.0.0.1/db",
    "postgresql+psycopg://u:p@127.8.9.10:6000/db",
    "postgresql+psycopg://u:p@localhost/db",
    "postgresql+psycopg://u:p@[::1]/db",
    "postgresql+psycopg://u:p@/db",
    "postgresql+psycopg://u:p@/db?host=/var/run/postgresql",
    "postgresql+psycopg://u:p@/db?host=127.0.0.1:5432&host=localhost:5433",
    "postgresql+psycopg://u:p@db.example/db?hostaddr=127.0.0.1",
    "postgresql+psycopg://u:p@db.example/db?sslmode=verify-full",
]


@pytest.mark.parametrize("url", FREE)
def test_this_machine_and_a_proven_server_may_be_used(url: str) -> None:
    Database(url).close()


REFUSED = [
    "postgresql+psycopg://u:p@db.example/db",
    "postgresql+psycopg://u:p@10.0.0.5/db",
    "postgresql+psycopg://u:p@[fd00::1]/db",
    "postgresql+psycopg://u:p@db.example/db?sslmode=require",
    "postgresql+psycopg://u:p@db.example/db?sslmode=verify-ca",
    "postgresql+psycopg://u:p@db.example/db?sslmode=disable",
    "postgresql+psycopg://u:p@localhost/db?hostaddr=10.0.0.5",
    "postgresql+psycopg://u:p@/db?host=localhost:5432&host=db.example:5432",
    "postgresql+psycopg://u:p@/db?service=production",
    "postgresql+psycopg://u:p@localhost.example/db",
]


@pytest.mark.parametrize("url", REFUSED)
def test_elsewhere_the_url_must_ask_for_a_proof(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_DATABASE_URL.*sslmode=verify-full"):
        Database(url)
    Database(url, verify=False).close()


@pytest.mark.parametrize(
    "variables",
    [
        {"PGHOST": "db.example"},
        {"PGHOSTADDR": "10.0.0.5"},
        {"PGSERVICE": "production"},
        {"PGHOST": "db.example", "PGSSLMODE": "require"},
    ],
)
def test_what_the_librarys_own_variables_say_counts(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="CONNECTOR_DATABASE_TLS=off"):
        Database("postgresql+psycopg://u:p@/db")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    Database("postgresql+psycopg://u:p@/db").close()


def test_a_server_nobody_vouches_for_is_sent_nothing(impostor: Impostor) -> None:
    with pytest.raises(ConfigurationError, match="CONNECTOR_CA_FILE"):
        opened(impostor.url("?sslmode=verify-full"))
    assert [] == impostor.received


def test_a_server_with_the_certificate_of_another_is_sent_nothing(tmp_path: Path) -> None:
    own = certificates.make(tmp_path / "own.pem", "db.example")
    with Impostor(own) as impostor:
        url = impostor.url("?sslmode=verify-full&hostaddr=127.0.0.1", host="db.other")
        with pytest.raises(ConfigurationError, match="certificate is of another host"):
            opened(url, ca_file=str(own))
    assert [] == impostor.received


def test_a_server_without_tls_is_sent_nothing() -> None:
    with (
        Impostor(None) as impostor,
        pytest.raises(ConfigurationError, match="the server offers no TLS"),
    ):
        opened(impostor.url("?sslmode=verify-full"))
    assert [] == impostor.received


def test_no_password_is_sent_in_clear_even_to_a_proven_server(
    impostor: Impostor, certificate: Path
) -> None:
    with pytest.raises(ConfigurationError, match="scram-sha-256"):
        opened(impostor.url("?sslmode=verify-full"), ca_file=str(certificate))
    assert b"" == b"".join(impostor.received)


@pytest.mark.parametrize("query", ["", "?sslmode=disable", "?sslmode=require"])
def test_no_password_is_sent_in_clear_where_no_proof_is_wanted(
    impostor: Impostor, query: str
) -> None:
    with pytest.raises(ConfigurationError, match="scram-sha-256"):
        opened(impostor.url(query), verify=False)
    assert b"" == b"".join(impostor.received)


def test_no_password_is_sent_in_clear_on_this_machine(impostor: Impostor) -> None:
    """Another user may have taken the port of a server that is down."""
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(ConfigurationError, match="scram-sha-256"):
            opened(impostor.url(host=host))
    assert b"" == b"".join(impostor.received)


def test_who_allows_it_by_name_sends_it(impostor: Impostor, certificate: Path) -> None:
    query = f"?sslmode=verify-full&require_auth=password&sslrootcert={certificate}"
    with pytest.raises(StorageUnavailable):
        opened(impostor.url(query))
    assert PASSWORD.encode() in impostor.received[0]


@pytest.mark.parametrize("verb", ["serve", "migrate", "check"])
def test_each_command_says_why_it_does_not_start(
    impostor: Impostor, certificate: Path, tmp_path: Path, verb: str
) -> None:
    url = impostor.url().replace("+psycopg", "")
    environment = {
        "PATH": "/usr/bin",
        "CONNECTOR_DATA_DIR": str(tmp_path),
        "CONNECTOR_DATABASE_URL": url,
        "CONNECTOR_SECRET_KEYS": "A" * 43 + "=",
        "CONNECTOR_METRICS_BIND": "off",
        "CONNECTOR_CA_FILE": str(certificate),
    }
    run = command(verb, *(["--bind", "127.0.0.1:0"] if verb == "serve" else []), env=environment)
    assert run.returncode == 1
    assert "CONNECTOR_DATABASE_TLS=off" in run.stderr
    environment["CONNECTOR_DATABASE_URL"] += "?sslmode=verify-full"
    run = command(verb, *(["--bind", "127.0.0.1:0"] if verb == "serve" else []), env=environment)
    assert run.returncode == 1
    assert "asks for the password in clear" in run.stderr
    assert PASSWORD not in run.stderr + run.stdout
    assert "Traceback" not in run.stderr
