"""The console of a running server: its log, its processes, and a flood of strangers."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copy

import pytest
import requests

from connector.storage.console_access import ConsoleAccess
from tests.console.people import code_for
from tests.rig import Rig, Served
from tests.server.cancellations import SANDBOX, Cancellations

pytestmark = pytest.mark.slow

USER = "X-Forwarded-User"
# Seconds in which an honest cancellation is answered, whoever else asks.
HONEST_SECONDS = 3
STRANGERS = 60


@pytest.fixture
def desk(rig: Rig) -> Rig:
    rig.configure(
        CONNECTOR_CONSOLE="on",
        CONNECTOR_CONSOLE_USER_HEADER=USER,
        CONNECTOR_CONSOLE_PEERS="127.0.0.1",
        CONNECTOR_LOG_LEVEL="DEBUG",
    )
    return rig


@pytest.fixture
def server(desk: Rig) -> Iterator[Served]:
    with Served(desk, workers=2) as served:
        yield served


def proof(page: requests.Response) -> str:
    return page.text.split('name="csrf_token" value="')[1].split('"')[0]


def sign_in(server: Served, code: str) -> requests.Session:
    browser = requests.Session()
    page = browser.get(f"{server.url}/console/sign-in?code={code}", timeout=30)
    form = {"csrf_token": proof(page), "code": code}
    first = browser.post(f"{server.url}/console/sign-in", data=form, timeout=30)
    # The redirect has led to the first page.
    assert (200, f"{server.url}/console/") == (first.status_code, first.url)
    return browser


def test_the_whole_log_of_a_server_has_no_code_no_cookie_and_no_proof(
    desk: Rig, server: Served
) -> None:
    code, unused = code_for(desk), code_for(desk)
    browser = sign_in(server, code)
    page = browser.get(f"{server.url}/console/", timeout=30)
    secrets = [code, unused, proof(page), *browser.cookies.values()]
    for secret in secrets:
        address = f"{server.url}/console/sign-in?code={secret}"
        for method in ("GET", "HEAD", "PUT", "DELETE", "BREW"):
            browser.request(method, address, timeout=30)
        browser.post(address, data={"code": secret}, timeout=30)
        browser.post(address, data={"code": secret * 2000}, timeout=30)
        # Addresses and heads that cannot be read.
        requests.get(f"{server.url}/console/{secret}/%00%ff?{secret}", timeout=30)
        requests.get(f"{server.url}/console/", headers={"Cookie": f"a={secret};" * 900}, timeout=30)
        requests.get(f"{server.url}/{secret}?code={secret}", timeout=30)
    log = server.log.read_text()
    assert log.count('"console"') > 20
    assert [] == [secret for secret in secrets if secret in log]


def test_an_end_of_a_session_holds_in_every_process_at_once(desk: Rig, server: Served) -> None:
    browser = sign_in(server, code_for(desk))
    assert {200} == statuses(server, browser)
    ConsoleAccess(desk.connector.database).revoke(by="an operator")
    assert {401} == statuses(server, browser)


def statuses(server: Served, browser: requests.Session) -> set[int]:
    """Ask on many connections, so that each process is asked."""
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    headers = {"Cookie": cookie, "Connection": "close"}
    asked = [requests.get(f"{server.url}/console/", headers=headers, timeout=30) for _ in range(24)]
    return {answer.status_code for answer in asked}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([(USER, "olga")], 200),
        ([("x-forwarded-user", "olga")], 200),
        # What a proxy that removes the right header would let pass.
        ([("X_Forwarded_User", "olga")], 401),
        ([("X-Forwarded_User", "olga")], 401),
        # A caller's header beside the proxy's.
        ([(USER, "mallory"), (USER, "olga")], 401),
        ([(USER, "")], 401),
    ],
)
def test_a_name_counts_only_under_the_right_header_and_alone(
    server: Served, headers: list[tuple[str, str]], status: int
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("GET", "/console/")
    for header in headers:
        connection.putheader(*header)
    connection.endheaders()
    assert status == connection.getresponse().status
    connection.close()


@pytest.mark.alone
def test_beside_a_flood_of_strangers_an_honest_cancellation_is_answered_within_3_seconds(
    sqlite_template: Path, tmp_path: Path
) -> None:
    copy(sqlite_template, tmp_path / "connector.db")
    url = f"sqlite:///{tmp_path}/connector.db"
    with Cancellations(url, tmp_path, [SANDBOX]) as scene:
        scene.rig.configure(CONNECTOR_CONSOLE="on")
        with Served(scene.rig, workers=1, threads=8) as server, flood(server) as answered:
            for _ in range(3):
                payment = scene.make(SANDBOX)
                answer = server.cancel(payment.id, merchant=SANDBOX.name, wait=HONEST_SECONDS)
                assert scene.truth(SANDBOX, payment, "request-1") == answer.json()
        assert {401, 429} >= set(answered)
        assert answered.count(401) > STRANGERS


@contextmanager
def flood(server: Served) -> Iterator[list[int]]:
    """Let strangers ask for pages without a pause. Yields the statuses of their answers."""
    answered: list[int] = []
    is_over = threading.Event()

    def ask(number: int) -> None:
        method, path = ("GET", "/console/") if number % 2 else ("POST", "/console/sign-out")
        # A cookie costs a look at the database.
        cookies = {"connector_console": "x" * 43}
        with requests.Session() as browser, suppress(requests.RequestException):
            while not is_over.is_set():
                address = f"{server.url}{path}"
                answer = browser.request(method, address, cookies=cookies, timeout=30)
                answered.append(answer.status_code)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(STRANGERS)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(1)
        yield answered
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
