"""The server as it is started, asked, changed and stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from shutil import copy
from typing import Any, BinaryIO

import pytest
import requests
from requests.adapters import HTTPAdapter

from tests.companies.base import Company
from tests.rig import FIELDS, Rig, Served, free_port, headers
from tests.server.cancellations import HELD, OTHER_HELD, SANDBOX, Cancellations, Kind, new_id

pytestmark = pytest.mark.slow

KINDS: list[Kind] = [HELD, OTHER_HELD, SANDBOX]
# Seconds in which a running server knows what `connector merchants` changed.
KNOWN_WITHIN = 5
# So many connections reach both workers: each goes to either of them.
ASKED = 12


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("serving")
    copy(sqlite_template, folder / "connector.db")
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, KINDS) as made:
        yield made


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(scene: Cancellations, metrics_port: int) -> Iterator[Served]:
    bind = f"127.0.0.1:{metrics_port}"
    with Served(scene.rig, workers=2, CONNECTOR_METRICS_BIND=bind) as served:
        yield served


def run(rig: Rig, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `connector` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "connector.cli", *arguments],
        env={**os.environ, **rig.environment},
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )


# Starting.


def test_serve_refuses_a_port_that_is_taken(rig: Rig, server: Served) -> None:
    bind = f"127.0.0.1:{server.port}"
    refused = run(rig, "serve", "--bind", bind)
    assert 1 == refused.returncode
    assert f"--bind {bind}: cannot be bound" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert 200 == server.cancel(new_id(), merchant=SANDBOX.name).status_code


@pytest.mark.parametrize("bind", ["8080", "127.0.0.1:http", "127.0.0.1:70000", "no.such.host:80"])
def test_serve_refuses_an_address_that_is_none(rig: Rig, bind: str) -> None:
    refused = run(rig, "serve", "--bind", bind)
    assert 1 == refused.returncode
    assert f"--bind {bind}" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_serve_refuses_a_database_that_is_not_migrated(tmp_path: Path) -> None:
    rig = Rig(f"sqlite:///{tmp_path}/empty.db", tmp_path)
    refused = run(rig, "serve", "--bind", f"127.0.0.1:{free_port()}")
    assert 1 == refused.returncode
    assert "The database is not ready; run `connector migrate` first" in refused.stderr
    assert "Traceback" not in refused.stderr


# What anybody may ask.


def test_livez_readyz_and_the_description_answer_without_credentials(server: Served) -> None:
    answers = [ask(server, path) for path in ("/livez", "/readyz", "/openapi.yaml")]
    assert [200, 200, 200] == [answer.status_code for answer in answers]
    assert ["ok", "ok"] == [answer.text for answer in answers[:2]]
    assert answers[2].text.startswith("openapi: 3")


def test_a_database_of_an_older_version_is_alive_and_not_ready(
    server: Served, scene: Cancellations
) -> None:
    (version,) = scene.rig.execute("SELECT version_num FROM alembic_version")
    scene.rig.execute("UPDATE alembic_version SET version_num = '0000'")
    try:
        assert [200, 503] == [ask(server, path).status_code for path in ("/livez", "/readyz")]
    finally:
        scene.rig.execute("UPDATE alembic_version SET version_num = :old", old=version[0])
    assert 200 == ask(server, "/readyz").status_code


def ask(server: Served, path: str) -> requests.Response:
    return requests.get(f"{server.url}{path}", timeout=10)


def test_the_metrics_of_all_workers_are_on_their_own_port(
    server: Served, metrics_port: int
) -> None:
    def count() -> float:
        text = requests.get(f"http://127.0.0.1:{metrics_port}/metrics", timeout=10).text
        answers = [
            line for line in text.splitlines() if line.startswith("connector_requests_total")
        ]
        ours = [line for line in answers if 'provider="sandbox"' in line and 'status="200"' in line]
        return sum(float(line.split()[-1]) for line in ours)

    before = count()
    for _ in range(20):
        server.cancel(new_id(), merchant=SANDBOX.name)
    assert 20 == count() - before
    assert 404 == ask(server, "/metrics").status_code


def test_a_metrics_port_that_is_taken_is_logged_and_stops_nothing(scene: Cancellations) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with Served(scene.rig, is_killed=True, CONNECTOR_METRICS_BIND=bind) as server:
            assert 200 == server.cancel(new_id(), merchant=SANDBOX.name).status_code
            server.kill()
    said = [line for line in logged(server) if line.get("bind") == bind]
    assert ["metrics are off: their port cannot be bound"] == [line["event"] for line in said]


def test_the_start_says_that_the_test_suite_is_let_in(scene: Cancellations) -> None:
    for suite, count in (("on", 1), ("off", 0)):
        with Served(scene.rig, CONNECTOR_TEST_SUITE=suite) as server:
            said = [line for line in logged(server) if "test suite is let in" in line["event"]]
            assert ["WARNING"] * count == [line["level"] for line in said]


def logged(server: Served) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_text().splitlines()]


# HTTP.

PATH = "/payments/P-1/cancellations"
HOST = "Host: localhost\r\n"
START = f"POST {PATH} HTTP/1.1\r\n{HOST}"
CHUNKED = f"{START}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
UNREADABLE = {
    "no HTTP": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
    "no version": f"POST {PATH}\r\n\r\n",
    "a version that is none": f"POST {PATH} HTTP/9.9\r\n{HOST}\r\n",
    "a lower-case method": f"post {PATH} HTTP/1.1\r\n{HOST}\r\n",
    "a long request line": f"POST /{'p' * 10_000} HTTP/1.1\r\n{HOST}\r\n",
    "a long header": f"{START}X-Long: {'x' * 10_000}\r\n\r\n",
    "many headers": START + "X-One: 1\r\n" * 200 + "\r\n",
    "a header without a colon": f"{START}nonsense\r\n\r\n",
    "a space before the colon": f"{START}X-One : 1\r\n\r\n",
    "NUL in a header": f"{START}X-One: \x00\r\n\r\n",
    "a negative length": f"{START}Content-Length: -1\r\n\r\n",
    "a length that is none": f"{START}Content-Length: ten\r\n\r\n",
    "two lengths": f"{START}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}}}",
    "a length and chunks": f"{CHUNKED}Content-Length: 2\r\n\r\n0\r\n\r\n",
    "an unknown coding": f"{START}Transfer-Encoding: rot13\r\n\r\n",
    "a bad chunk size": f"{CHUNKED}\r\nzz\r\n{{}}\r\n0\r\n\r\n",
    "a negative chunk size": f"{CHUNKED}\r\n-2\r\n{{}}\r\n0\r\n\r\n",
    "a chunk without its end": f"{CHUNKED}\r\n2\r\n{{}}xx0\r\n\r\n",
    "chunks that stop": f"{CHUNKED}\r\nff\r\n{{}}",
    "a body that stops": f"{START}Content-Length: 100\r\n\r\n{{}}",
}


# These two do not name the address of a cancellation.
ELSEWHERE = {"no HTTP", "a long request line"}
PLAIN = ["status", "code", "message"]


@pytest.mark.parametrize("name", UNREADABLE)
@pytest.mark.parametrize("is_merchant", [False, True], ids=["anybody", "merchant"])
def test_what_is_not_readable_as_http_is_answered_in_json(
    scene: Cancellations, server: Served, name: str, *, is_merchant: bool
) -> None:
    raw = UNREADABLE[name]
    if is_merchant:
        keys = headers(scene.rig.merchants[SANDBOX.name])
        lines = "".join(f"{key}: {value}\r\n" for key, value in keys.items())
        raw = raw.replace(HOST, HOST + lines)
    status, told, body = exchange(server, raw)
    assert 400 <= status < 500, (status, body)
    assert "application/json" == told["content-type"]
    assert ("no-store", "nosniff") == (told["cache-control"], told["x-content-type-options"])
    answer = json.loads(body)
    assert (PLAIN if name in ELSEWHERE else FIELDS) == list(answer)
    assert isinstance(answer["message"], str)
    assert isinstance(answer["code"], str)
    assert answer.get("cancellationId") is None
    assert answer.get("status", status) == status


def exchange(server: Served, raw: str) -> tuple[int, dict[str, str], bytes]:
    """Send bytes and no more, and read the answer to its end."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.sendall(raw.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        return read_answer(connection)


def read_answer(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    with connection.makefile("rb") as file:
        return next_answer(file)


def next_answer(file: BinaryIO) -> tuple[int, dict[str, str], bytes]:
    status = int(file.readline().split()[1])
    told = {}
    while line := file.readline().strip():
        name, _, value = line.decode().partition(":")
        told[name.lower()] = value.strip()
    return status, told, file.read(int(told["content-length"]))


def test_a_connection_is_kept_for_the_next_request(scene: Cancellations, server: Served) -> None:
    merchant = scene.rig.merchants[SANDBOX.name]
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        for _ in range(3):
            payment_id = new_id()
            connection.sendall(raw_cancellation(payment_id, headers(merchant)))
            status, _, body = read_answer(connection)
            assert (200, payment_id) == (status, json.loads(body)["paymentId"])


def test_a_connection_is_kept_after_a_refused_body(scene: Cancellations, server: Served) -> None:
    merchant = scene.rig.merchants[SANDBOX.name]
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        payment_id = new_id()
        for expected, keys in [(401, {}), (200, headers(merchant)), (401, {})]:
            connection.sendall(raw_cancellation(payment_id, keys))
            assert expected == read_answer(connection)[0]


def raw_cancellation(payment_id: str, keys: dict[str, str]) -> bytes:
    body = json.dumps({"paymentId": payment_id, "requestId": "request-1"})
    lines = "".join(f"{name}: {value}\r\n" for name, value in keys.items())
    head = f"POST /payments/{payment_id}/cancellations HTTP/1.1\r\n{HOST}{lines}"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


# Stopping.


def test_a_cancellation_that_runs_at_sigterm_ends_and_is_answered(scene: Cancellations) -> None:
    payment = scene.make(HELD)
    scene.company(HELD).inject("slow_after", "void", seconds=2)
    with Served(scene.rig) as server, ThreadPoolExecutor() as pool:
        running = pool.submit(server.cancel, payment.id, merchant=HELD.name)
        wait_until(lambda: scene.effects(HELD, payment) == 1)
        server.process.send_signal(signal.SIGTERM)
        answer = running.result()
        assert 200 == answer.status_code
        assert scene.truth(HELD, payment, "request-1") == answer.json()
        assert 0 == server.process.wait(10)
    assert 1 == scene.effects(HELD, payment)


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_so()


# Merchants.


def merchant(rig: Rig, *arguments: str) -> dict[str, str]:
    """Run `connector merchants`, and return the headers it gives a merchant."""
    done = run(rig, "merchants", *arguments, "--json")
    assert 0 == done.returncode, done.stderr
    made = json.loads(done.stdout)
    if isinstance(made, list):
        return {}
    return {"X-VTEX-API-AppKey": made["appKey"], "X-VTEX-API-AppToken": made["appToken"]}


# Addresses of this machine, each for one request: a peer with many refusals waits for its answers.
PEERS = (f"127.0.{third}.{fourth}" for third in range(1, 255) for fourth in range(1, 255))


class FromPeer(HTTPAdapter):
    """Sends from an address of its own."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(next(PEERS), 0), **options)


def new_peer() -> requests.Session:
    client = requests.Session()
    client.mount("http://", FromPeer())
    return client


def is_known(server: Served, keys: dict[str, str]) -> bool:
    """Whether a merchant is let in, by every worker."""
    statuses = set()
    for _ in range(ASKED):
        payment_id = new_id()
        body = {"paymentId": payment_id, "requestId": "request-1"}
        path = f"{server.url}/payments/{payment_id}/cancellations"
        with new_peer() as client:
            statuses.add(client.post(path, json=body, headers=keys, timeout=10).status_code)
    assert statuses <= {200, 401}
    return statuses == {200}


def is_unknown(server: Served, keys: dict[str, str]) -> bool:
    return not is_known(server, keys) and not is_known(server, keys)


def test_a_running_server_knows_an_added_rotated_and_disabled_merchant_within_5_seconds(
    scene: Cancellations, server: Served
) -> None:
    first = merchant(scene.rig, "add", "newcomer", "--provider", "sandbox")
    wait_until(lambda: is_known(server, first), KNOWN_WITHIN)
    second = merchant(scene.rig, "rotate-token", "newcomer")
    wait_until(lambda: is_known(server, second), KNOWN_WITHIN)
    assert is_known(server, first), "the token before stays valid until the next rotation"
    third = merchant(scene.rig, "rotate-token", "newcomer")
    wait_until(lambda: is_known(server, third), KNOWN_WITHIN)
    wait_until(lambda: is_unknown(server, first), KNOWN_WITHIN)
    assert is_known(server, second)
    merchant(scene.rig, "disable", "newcomer")
    wait_until(lambda: is_unknown(server, third), KNOWN_WITHIN)


def test_a_running_server_uses_changed_settings_within_5_seconds(
    scene: Cancellations, server: Served, tmp_path: Path
) -> None:
    company = scene.company(HELD)
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"api_secret": "not-the-secret"}))
    merchant(scene.rig, "update", HELD.name, "--settings", str(settings))
    wait_until(lambda: codes_of(server, scene) == {"provider-credentials"}, KNOWN_WITHIN)
    settings.write_text(json.dumps({"api_secret": company.settings["api_secret"]}))
    merchant(scene.rig, "update", HELD.name, "--settings", str(settings))
    wait_until(lambda: codes_of(server, scene) == {None}, KNOWN_WITHIN)


def codes_of(server: Served, scene: Cancellations) -> set[str | None]:
    payments = [scene.make(HELD) for _ in range(ASKED)]
    answers = [server.cancel(payment.id, merchant=HELD.name) for payment in payments]
    return {answer.json()["code"] for answer in answers}


# A company that hangs.


class Hung:
    """A company that answers no look until it is let go on."""

    def __init__(self, company: Company) -> None:
        self.released = threading.Event()
        self.count = threading.Semaphore(0)
        self._company = company
        company.hook = self

    def __call__(self, operation: str, moment: str) -> None:
        if (operation, moment) == ("look", "before"):
            self.count.release()
            self.released.wait(30)

    def let_go(self) -> None:
        self._company.hook = None
        self.released.set()


def test_a_hung_company_costs_only_its_own_cancellations(scene: Cancellations) -> None:
    slots = 15
    held = [scene.make(HELD) for _ in range(slots)]
    hung = Hung(scene.company(HELD))
    with (
        Served(scene.rig, threads=slots, is_killed=True) as server,
        ThreadPoolExecutor(slots) as pool,
    ):
        try:
            waiting = [
                pool.submit(server.cancel, payment.id, merchant=HELD.name) for payment in held
            ]
            assert all(hung.count.acquire(timeout=10) for _ in range(slots))
            for _ in range(3):
                refused = scene.make(HELD)
                answer, seconds = timed(server, refused.id, HELD)
                assert (500, "provider-busy") == (answer.status_code, answer.json()["code"])
                assert seconds < 1
                for kind in (OTHER_HELD, SANDBOX):
                    answer, seconds = timed(server, scene.make(kind).id, kind)
                    assert (200, None) == (answer.status_code, answer.json()["code"])
                    assert seconds < 1
                assert 200 == ask(server, "/livez").status_code
                assert 0 == scene.effects(HELD, refused)
        finally:
            hung.let_go()
        assert {200} == {one.result().status_code for one in waiting}
        assert 200 == server.cancel(refused.id, merchant=HELD.name).status_code
        server.kill()
    assert [1] * slots == [scene.effects(HELD, payment) for payment in held]


def timed(server: Served, payment_id: str, kind: Kind) -> tuple[requests.Response, float]:
    began = time.monotonic()
    answer = server.cancel(payment_id, merchant=kind.name)
    return answer, time.monotonic() - began


# The log.


def test_the_log_is_json_and_carries_no_secret_and_no_request(
    scene: Cancellations, server: Served
) -> None:
    secrets = [
        *scene.company(HELD).settings.values(),
        scene.rig.environment["CONNECTOR_SECRET_KEYS"],
    ]
    secrets.remove(scene.company(HELD).settings["pos_id"])
    request_id = "request-that-is-named"
    keys = headers(scene.rig.merchants[HELD.name])
    payment = scene.make(HELD)
    scene.company(HELD).inject("status_before", "look", status=503, body=b"echo: secret-echo")
    for _ in range(3):
        server.cancel(payment.id, request_id, merchant=HELD.name)
    for wrong in (
        {**keys, "X-VTEX-API-AppToken": "wrong-token-sent"},
        {"X-VTEX-API-AppKey": "wrong-key-sent"},
    ):
        requests.post(
            f"{server.url}{PATH}", json={"requestId": request_id}, headers=wrong, timeout=10
        )
    requests.post(
        f"{server.url}{PATH}?token=secret-in-url", data=b"secret-in-body", headers=keys, timeout=10
    )
    exchange(server, f"{START}X-VTEX-API-AppToken : secret-in-header\r\n\r\n")
    log = server.log.read_text()
    assert [] == [line for line in log.splitlines() if not isinstance(json.loads(line), dict)]
    found = [
        secret
        for secret in (
            *secrets,
            *keys.values(),
            "wrong-token-sent",
            "wrong-key-sent",
            "secret-",
        )
        if secret in log
    ]
    assert [] == found
    answers = [line for line in logged(server) if line["event"] == "answer"]
    of_payment = [line for line in answers if line.get("payment_id") == payment.id]
    assert [500, 200, 200] == [line["http_status"] for line in of_payment]
