"""Clients that are slow, silent or never read: an honest cancellation is answered all the same."""

import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from shutil import copy
from typing import Self

import pytest

from connector.server.connection import READ_AT_ONCE
from connector.server.worker import REQUEST_SECONDS
from tests.rig import Served
from tests.server.cancellations import HELD, SANDBOX, Cancellations, Kind
from tests.server.test_serving import HOST, START, ask, exchange

pytestmark = [pytest.mark.slow, pytest.mark.alone]

KINDS: list[Kind] = [HELD, SANDBOX]
# Seconds in which an honest cancellation is answered, whoever else is connected.
HONEST_SECONDS = 3
CLOSE = f"GET /livez HTTP/1.1\r\n{HOST}Connection: close\r\n\r\n".encode()
KEEP = f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode()
LONG = f"GET /openapi.yaml HTTP/1.1\r\n{HOST}\r\n".encode()
BODY = f"{START}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{".encode()
CHUNK = f"{START}Transfer-Encoding: chunked\r\n\r\nfff\r\n{{".encode()
LARGE = f"{START}Content-Length: 262144\r\n\r\n".encode() + b" " * 200_000

# What each client sends, how many of them, and whether they are closed in time.
ATTACKS = {
    "60 that never close": (60, CLOSE),
    "200 slow bodies": (200, BODY),
    "200 slow chunks": (200, CHUNK),
    "150 large slow bodies": (150, LARGE),
    "300 half heads": (300, START.encode()),
    "1000 silent": (1000, b""),
    "600 that are kept": (600, KEEP),
    "100 that never read": (100, LONG * 60),
}
# Those whose request is answered are kept, or written to, until their time is over; the others
# are to be closed when the time for a request is.
IS_CLOSED = [name for name in ATTACKS if name not in {"600 that are kept", "100 that never read"}]


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("hostile")
    copy(sqlite_template, folder / "connector.db")
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, KINDS) as made:
        yield made


@pytest.fixture(scope="module")
def server(scene: Cancellations) -> Iterator[Served]:
    with Served(scene.rig, workers=1, threads=8) as served:
        yield served


class Attackers:
    """Connections of clients that sent something and read nothing."""

    def __init__(self, server: Served, count: int, sent: bytes) -> None:
        with ExitStack() as stack:
            self.connections = [
                stack.enter_context(self._connected(server, sent)) for _ in range(count)
            ]
            self._stack = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _connected(self, server: Served, sent: bytes) -> socket.socket:
        connection = socket.socket()
        # What the client does not read stays at the server.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(sent)
        connection.settimeout(0)
        return connection

    def still_open(self, seconds: float) -> int:
        """Count those that the server has not closed after so many seconds at most."""
        left = set(self.connections)
        until = time.monotonic() + seconds
        with selectors.DefaultSelector() as poller:
            for connection in left:
                poller.register(connection, selectors.EVENT_READ)
            while left and time.monotonic() < until:
                for key, _ in poller.select(0.5):
                    if is_closed(key.fileobj):
                        poller.unregister(key.fileobj)
                        left.discard(key.fileobj)
        return len(left)


def is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(READ_AT_ONCE) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def cancel_honestly(scene: Cancellations, server: Served) -> None:
    payment = scene.make(HELD)
    answer = server.cancel(payment.id, merchant=HELD.name, wait=HONEST_SECONDS)
    assert scene.truth(HELD, payment, "request-1") == answer.json()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_honest_cancellation_is_answered_within_3_seconds_beside(
    scene: Cancellations, server: Served, name: str
) -> None:
    count, sent = ATTACKS[name]
    with Attackers(server, count, sent):
        for _ in range(3):
            cancel_honestly(scene, server)
        assert 200 == ask(server, "/readyz").status_code
    cancel_honestly(scene, server)


def test_slow_and_silent_clients_are_closed_when_the_time_for_a_request_is_over(
    server: Served,
) -> None:
    with ExitStack() as stack:
        attacks = [
            stack.enter_context(Attackers(server, 10, ATTACKS[name][1])) for name in IS_CLOSED
        ]
        time.sleep(REQUEST_SECONDS)
        assert [0] * len(attacks) == [attackers.still_open(5) for attackers in attacks]


def trickle(connection: socket.socket, seconds: float, each: bytes) -> bytes:
    """Send a little again and again, until the server answers; return what it said."""
    until = time.monotonic() + seconds
    connection.settimeout(0.2)
    while time.monotonic() < until:
        try:
            connection.sendall(each)
            return connection.recv(READ_AT_ONCE)
        except TimeoutError:
            continue
    raise AssertionError


SLOW = {
    "a head": (START.encode(), b"X-A: 1\r\n"),
    "a body": (BODY, b" "),
    "chunks": (CHUNK.replace(b"fff\r\n{", b""), b"1\r\n \r\n"),
}


def test_head_and_body_together_have_one_deadline_however_they_trickle(server: Served) -> None:
    def answer(begin: bytes, each: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(begin)
            return trickle(connection, REQUEST_SECONDS + 5, each)

    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(answer, *sent) for sent in SLOW.values()]
        statuses = [one.result().split(b" ")[1] for one in answers]
    assert [b"408"] * len(SLOW) == statuses


def test_a_worker_closes_the_connections_of_silent_clients(
    scene: Cancellations, server: Served
) -> None:
    [worker] = server.workers()
    with Attackers(server, 700, b""):
        cancel_honestly(scene, server)
        assert len(worker.net_connections()) < 600


def test_the_server_goes_on_when_its_open_files_are_used_up(scene: Cancellations) -> None:
    limited = ["-c", LIMITED]
    with (
        Served(scene.rig, threads=4, script=limited) as server,
        Attackers(server, 300, START.encode()),
    ):
        for _ in range(3):
            cancel_honestly(scene, server)


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (120, 120))
from connector.cli import main
main()
"""


def test_a_client_that_is_answered_and_gone_costs_nothing(
    scene: Cancellations, server: Served
) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(LONG * 3)
    assert 400 == exchange(server, "GET\r\n\r\n")[0]
    cancel_honestly(scene, server)
