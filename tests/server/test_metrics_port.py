"""The metrics' port, and whoever else comes there."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import copy, rmtree

import psutil
import pytest
import requests

from connector.server.metrics_port import CONNECTION_SECONDS, MOST_CONNECTIONS
from tests.rig import Rig, Served, free_port
from tests.server.test_exits import metrics_folder
from tests.server.test_serving import logged, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, port: int
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("metrics")
    copy(sqlite_template, folder / "connector.db")
    with Rig(f"sqlite:///{folder}/connector.db", folder) as rig:
        variables = {"CONNECTOR_METRICS_BIND": f"127.0.0.1:{port}", "TMPDIR": str(folder)}
        with Served(rig, **variables) as served:
            yield served


@pytest.mark.usefixtures("server")
def test_only_a_get_of_the_metrics_is_answered(port: int) -> None:
    at = f"http://127.0.0.1:{port}"
    assert 200 == requests.get(f"{at}/metrics", timeout=5).status_code
    assert 404 == requests.get(f"{at}/", timeout=5).status_code
    assert 405 == requests.post(f"{at}/metrics", timeout=5).status_code
    assert 405 == requests.options(f"{at}/metrics", timeout=5).status_code


def connect(stack: ExitStack, port: int, sent: bytes) -> socket.socket:
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
    connection.sendall(sent)
    return connection


@pytest.mark.alone
def test_silent_and_slow_clients_hold_few_threads_and_not_for_long(
    server: Served, port: int
) -> None:
    with ExitStack() as stack:
        half = b"GET /metrics HTTP/1.1\r\nX-One: 1\r\n"
        connections = [connect(stack, port, sent) for sent in [b"", half] * 25]
        answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=3)
        assert 200 == answer.status_code
        master = psutil.Process(server.process.pid)
        # Besides the master's own, and the one that accepts.
        wait_until(lambda: master.num_threads() <= MOST_CONNECTIONS + 2, 3)
        is_over = threading.Event()
        trickling = threading.Thread(target=trickle, args=(connections[-1], is_over))
        trickling.start()
        time.sleep(CONNECTION_SECONDS + 2)
        is_over.set()
        trickling.join()
        assert master.num_threads() <= 2


def trickle(connection: socket.socket, is_over: threading.Event) -> None:
    while not is_over.wait(0.5):
        try:
            connection.sendall(b"X")
        except OSError:
            return


def test_metrics_that_cannot_be_read_are_503_and_logged_once(server: Served, port: int) -> None:
    folder = metrics_folder(server)
    (folder / "counter_1.db").write_bytes(b"broken")
    for _ in range(3):
        assert 503 == requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).status_code
    rmtree(folder)
    assert 200 == requests.get(f"{server.url}/livez", timeout=5).status_code
    assert 1 == [line["event"] for line in logged(server)].count("metrics cannot be read")
