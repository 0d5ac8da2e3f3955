"""Workers that end in an orderly way, and a server that is stopped: no answer differs."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any

import pytest
import requests

from tests.rig import Served, free_port, headers
from tests.server.cancellations import HELD, SANDBOX, Cancellations, Kind, Payment, new_id
from tests.server.test_serving import Hung, ask, logged, read_answer, wait_until

pytestmark = pytest.mark.slow

KINDS: list[Kind] = [HELD, SANDBOX]
BEGUN = 8
# So many connections reach each worker: each goes to any of them.
ASKED = 16

TO_A_WORKER = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT]
TO_THE_MASTER = [signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU]
STOPS = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT]


def by_name(sent: signal.Signals) -> str:
    return sent.name


@pytest.fixture
def scene(migrated_url: str, tmp_path: Path) -> Iterator[Cancellations]:
    with Cancellations(migrated_url, tmp_path, KINDS) as made:
        yield made


class Begun:
    """Cancellations that the company keeps waiting until it is let go on."""

    def __init__(self, scene: Cancellations, server: Served, pool: ThreadPoolExecutor) -> None:
        self._scene = scene
        self._payments = [scene.make(HELD) for _ in range(BEGUN)]
        self._hung = Hung(scene.company(HELD))
        self._answers = [pool.submit(self._cancel, server, one) for one in self._payments]
        assert all(self._hung.count.acquire(timeout=20) for _ in self._payments)

    def _cancel(self, server: Served, payment: Payment) -> requests.Response:
        return server.cancel(payment.id, merchant=HELD.name)

    def end(self) -> None:
        """Let the company answer: each cancellation ends with the truth and one effect."""
        self._hung.let_go()
        for payment, answer in zip(self._payments, self._answers, strict=True):
            told = answer.result()
            assert 200 == told.status_code, told.text
            assert self._scene.truth(HELD, payment, "request-1") == told.json()
            assert 1 == self._scene.effects(HELD, payment)


@contextmanager
def serving(scene: Cancellations, workers: int, **options: Any) -> Iterator[Served]:
    """A server all of whose workers take requests: one that still begins misses a signal."""
    with Served(scene.rig, workers=workers, **options) as server:
        wait_until(lambda: workers == server.log.read_text().count('"worker ready"'))
        yield server


@contextmanager
def load(server: Served) -> Iterator[None]:
    """Cancel at the sandbox all the time, over new connections; each is answered 200."""
    is_over = threading.Event()

    def cancel() -> set[int]:
        statuses = set()
        while not is_over.is_set():
            statuses.add(server.cancel(new_id(), merchant=SANDBOX.name).status_code)
            time.sleep(0.01)
        return statuses

    with ThreadPoolExecutor(2) as pool:
        answered: list[Future[set[int]]] = [pool.submit(cancel) for _ in range(2)]
        try:
            yield
        finally:
            is_over.set()
        assert [{200}, {200}] == [one.result() for one in answered]


def assert_nothing_differs(scene: Cancellations, server: Served) -> None:
    for _ in range(ASKED):
        payment = scene.make(HELD)
        answer = server.cancel(payment.id, merchant=HELD.name)
        assert scene.truth(HELD, payment, "request-1") == answer.json()
        assert 1 == scene.effects(HELD, payment)
        ready = ask(server, "/readyz")
        assert (200, "ok") == (ready.status_code, ready.text)


def count_of(port: int) -> float:
    """How many cancellations at the sandbox were answered 200, by the metrics."""
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    lines = [line for line in text.splitlines() if line.startswith("connector_requests_total{")]
    ours = [line for line in lines if 'provider="sandbox"' in line and 'status="200"' in line]
    return sum(float(line.split()[-1]) for line in ours)


def are_replaced(server: Served, ended: list[int]) -> Callable[[], bool]:
    """Whether other workers are there, and one of them listens by now."""

    def is_so() -> bool:
        found = [worker.pid for worker in server.workers()]
        is_new = set(found).isdisjoint(ended) and len(found) == len(ended)
        return is_new and is_listening(server)

    return is_so


def is_listening(server: Served) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), 10).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("sent", TO_A_WORKER, ids=by_name)
def test_what_a_worker_has_begun_is_answered_when_the_worker_is_told_to_end(
    scene: Cancellations, sent: signal.Signals
) -> None:
    with serving(scene, workers=2) as server, ThreadPoolExecutor(BEGUN) as pool:
        begun = Begun(scene, server, pool)
        ended = [worker.pid for worker in server.workers()]
        for pid in ended:
            os.kill(pid, sent)
        time.sleep(0.5)
        begun.end()
        wait_until(are_replaced(server, ended), 30)
        assert_nothing_differs(scene, server)


@pytest.mark.parametrize("sent", TO_A_WORKER, ids=by_name)
def test_a_request_that_is_half_here_is_answered_when_the_workers_are_told_to_end(
    scene: Cancellations, sent: signal.Signals
) -> None:
    with serving(scene, workers=2) as server, ExitStack() as stack:
        halves = [stack.enter_context(half_of_a_cancellation(server)) for _ in range(BEGUN)]
        time.sleep(0.5)
        for worker in server.workers():
            os.kill(worker.pid, sent)
        time.sleep(0.5)
        for connection in halves:
            connection.sendall(b'"request-1"}')
        assert [200] * BEGUN == [read_answer(connection)[0] for connection in halves]


@contextmanager
def half_of_a_cancellation(server: Served) -> Iterator[socket.socket]:
    """A connection on which the head came and the body has begun; its rest is a requestId."""
    payment_id = new_id()
    body = f'{{"paymentId": "{payment_id}", "requestId": '
    lines = {
        "Host": "localhost",
        "Content-Type": "application/json",
        "Content-Length": str(len(body) + len('"request-1"}')),
        **headers(server.rig.merchants[SANDBOX.name]),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        path = f"/payments/{payment_id}/cancellations"
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n{body}".encode())
        yield connection


@pytest.mark.parametrize("sent", TO_THE_MASTER, ids=by_name)
def test_no_request_is_lost_when_workers_come_and_go(
    scene: Cancellations, sent: signal.Signals
) -> None:
    port = free_port()
    bind = f"127.0.0.1:{port}"
    with serving(scene, workers=3, CONNECTOR_METRICS_BIND=bind) as server:
        server.cancel(new_id(), merchant=SANDBOX.name)
        before = count_of(port)
        with ThreadPoolExecutor(BEGUN) as pool, load(server):
            begun = Begun(scene, server, pool)
            workers = {worker.pid for worker in server.workers()}
            server.process.send_signal(sent)
            time.sleep(1)
            begun.end()
            wait_until(lambda: {worker.pid for worker in server.workers()} != workers, 20)
        assert_nothing_differs(scene, server)
        assert count_of(port) > before > 0


# A loaded machine, on which a new process comes late to open its socket.
SLOW_TO_LISTEN = """
import time
from gunicorn import sock
open_at_once = sock.create_sockets
def open_late(*arguments, **options):
    time.sleep(0.4)
    return open_at_once(*arguments, **options)
sock.create_sockets = open_late
from connector.cli import main
main()
"""


def test_no_connection_is_refused_while_new_workers_take_the_place_of_all_old_ones(
    scene: Cancellations,
) -> None:
    with serving(scene, workers=2, script=["-c", SLOW_TO_LISTEN]) as server:
        ended = [worker.pid for worker in server.workers()]
        with load(server):
            server.process.send_signal(signal.SIGHUP)
            wait_until(are_replaced(server, ended), 30)


@pytest.mark.parametrize("sent", STOPS, ids=by_name)
def test_what_is_begun_is_answered_when_the_server_is_stopped(
    scene: Cancellations, sent: signal.Signals
) -> None:
    with serving(scene, workers=2) as server, ThreadPoolExecutor(BEGUN) as pool:
        begun = Begun(scene, server, pool)
        server.process.send_signal(sent)
        time.sleep(0.5)
        begun.end()
        assert 0 == server.process.wait(20)


def test_what_is_begun_is_answered_when_ctrl_c_stops_the_server(scene: Cancellations) -> None:
    with (
        serving(scene, workers=2, in_a_terminal=True) as server,
        ThreadPoolExecutor(BEGUN) as pool,
    ):
        begun = Begun(scene, server, pool)
        # A terminal sends it to the master and to the workers alike.
        os.killpg(server.process.pid, signal.SIGINT)
        time.sleep(0.5)
        begun.end()
        assert 0 == server.process.wait(20)


def metrics_folder(server: Served) -> Path:
    [folder] = Path(server._environment["TMPDIR"]).glob("connector-metrics-*")
    return folder


def test_the_metrics_folder_lasts_as_long_as_the_server(
    scene: Cancellations, tmp_path: Path
) -> None:
    with Served(scene.rig, TMPDIR=str(tmp_path)) as server:
        folder = metrics_folder(server)
        [worker] = server.workers()
        worker.terminate()
        wait_until(are_replaced(server, [worker.pid]), 30)
        assert folder.is_dir()
    assert not folder.exists()


def test_what_cannot_be_counted_changes_no_answer_and_is_logged_once(
    scene: Cancellations, tmp_path: Path
) -> None:
    with Served(scene.rig, TMPDIR=str(tmp_path)) as server:
        rmtree(metrics_folder(server))
        [worker] = server.workers()
        worker.terminate()
        wait_until(are_replaced(server, [worker.pid]), 30)
        for _ in range(3):
            payment = scene.make(HELD)
            answer = server.cancel(payment.id, merchant=HELD.name)
            assert scene.truth(HELD, payment, "request-1") == answer.json()
        ready = ask(server, "/readyz")
        assert (200, "ok, but metrics are not counted; the log says why") == (
            ready.status_code,
            ready.text,
        )
    assert 1 == [line["event"] for line in logged(server)].count("metrics are not counted")


def test_a_log_that_nobody_reads_any_more_changes_no_answer(scene: Cancellations) -> None:
    reader, writer = os.pipe()
    with Served(scene.rig, stderr=writer) as server:
        os.close(writer)
        assert json.loads(os.read(reader, 65536).splitlines()[0])["event"] == "serving"
        os.close(reader)
        for _ in range(3):
            payment = scene.make(HELD)
            answer = server.cancel(payment.id, merchant=HELD.name)
            assert scene.truth(HELD, payment, "request-1") == answer.json()
