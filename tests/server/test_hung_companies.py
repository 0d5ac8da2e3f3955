"""Companies that hang, and addresses that are flooded, take no other company's threads."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.bulkhead import NOTIFICATIONS, share
from tests.companies.registry import provider_of
from tests.rig import Served
from tests.server.cancellations import (
    APP_HELD,
    ENDED,
    HELD,
    OTHER_HELD,
    SANDBOX,
    Cancellations,
    Kind,
    Payment,
)

pytestmark = pytest.mark.slow

KINDS: list[Kind] = [HELD, OTHER_HELD, APP_HELD, ENDED]
THREADS = 4
# More than one company may hold of everything.
FLOOD = 3 * share(THREADS)


class Hung:
    """A company that answers nothing until it is let go on; it counts who waits for it."""

    def __init__(self, company: Any) -> None:
        self.company, self.released = company, threading.Event()
        self.waiting = 0
        self._lock = threading.Lock()

    def __call__(self, operation: str, moment: str) -> None:
        # A token is fetched by one for all.
        if moment == "before" and operation != "token":
            with self._lock:
                self.waiting += 1
            self.released.wait(60)


@contextmanager
def hung(scene: Cancellations, kinds: list[Kind]) -> Iterator[list[Hung]]:
    all_hung = [Hung(scene.company(kind)) for kind in kinds]
    try:
        for one in all_hung:
            one.company.hook = one
        yield all_hung
    finally:
        for one in all_hung:
            one.released.set()
            one.company.hook = None


@pytest.fixture
def scene(tmp_path: Path, sqlite_url: str) -> Iterator[Cancellations]:
    with Cancellations(sqlite_url, tmp_path, [*KINDS, SANDBOX]) as scene:
        yield scene


@pytest.fixture
def server(scene: Cancellations) -> Iterator[Served]:
    """One worker whose calls last longer than a test."""
    with Served(
        scene.rig, threads=THREADS, is_killed=True, CONNECTOR_PROVIDER_SECONDS="17"
    ) as server:
        yield server
        server.kill()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(len(KINDS) * FLOOD) as pool:
        yield pool


def flood(
    server: Served, scene: Cancellations, kind: Kind, pool: ThreadPoolExecutor
) -> list[Future[requests.Response]]:
    """Half of it repeats of one request, half of it of other payments."""
    one = scene.make(kind)
    others = [scene.make(kind) for _ in range(FLOOD // 2)]
    asked = [one] * (FLOOD - len(others)) + others
    return [pool.submit(cancel, server, kind, payment) for payment in asked]


def cancel(server: Served, kind: Kind, payment: Payment) -> requests.Response:
    return server.cancel(payment.id, "request-1", merchant=kind.name, **payment.fields)


def wait_until(is_so: Any, seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize("living", KINDS, ids=str)
def test_all_companies_but_one_may_hang_and_be_flooded(
    scene: Cancellations, server: Served, pool: ThreadPoolExecutor, living: Kind
) -> None:
    kinds = [kind for kind in KINDS if kind is not living]
    payments = [scene.make(living) for _ in range(FLOOD)]
    with hung(scene, kinds) as all_hung:
        begun = {kind.name: flood(server, scene, kind, pool) for kind in kinds}
        wait_until(lambda: all(one.waiting for one in all_hung))
        for kind in kinds:
            # Some hold all that the company may have; the rest was refused.
            wait_until(partial(is_full, begun[kind.name]))
            assert {(500, "provider-busy")} == {told(one) for one in ended(begun[kind.name])}
            assert (500, "provider-busy") == told(cancel(server, kind, scene.make(kind)))
        answers = list(pool.map(lambda one: cancel(server, living, one), payments[:4]))
        answers += [cancel(server, living, payment) for payment in payments[4:]]
        assert {(200, None)} == {told(one) for one in answers}
        assert requests.get(f"{server.url}/readyz", timeout=5).ok
        assert all(len(ended(one)) < FLOOD for one in begun.values())


def is_full(begun: list[Future[requests.Response]]) -> bool:
    return len(ended(begun)) >= FLOOD - share(THREADS)


def ended(begun: list[Future[requests.Response]]) -> list[requests.Response]:
    return [one.result() for one in begun if one.done()]


def told(answer: requests.Response) -> tuple[int, str | None]:
    return answer.status_code, answer.json()["code"]


def test_what_needs_no_call_is_answered_while_the_operations_hang(
    scene: Cancellations, server: Served, pool: ThreadPoolExecutor
) -> None:
    payments = [scene.make(HELD) for _ in range(THREADS + 1)]
    done = cancel(server, HELD, payments[0])
    with hung(scene, [HELD]) as (company,):
        for payment in payments[1:]:
            pool.submit(cancel, server, HELD, payment)
        wait_until(lambda: company.waiting == THREADS)
        again = cancel(server, HELD, payments[0])
        assert (200, done.content) == (again.status_code, again.content)


def test_more_requests_than_threads_of_a_company_that_answers_are_all_answered(
    scene: Cancellations, server: Served, pool: ThreadPoolExecutor
) -> None:
    payments = [scene.make(HELD) for _ in range(FLOOD)]
    with hung(scene, [HELD]) as (company,):
        begun = [pool.submit(cancel, server, HELD, payment) for payment in payments]
        wait_until(lambda: company.waiting == THREADS)
        time.sleep(0.1)
        company.released.set()
        assert {(200, None)} == {told(one.result()) for one in begun}


@contextmanager
def slow_messages(server: Served, kind: Kind, company: Any, count: int) -> Iterator[None]:
    """Messages of which the last half does not come."""
    head = f"POST /webhooks/{provider_of(company)}/{kind.name} HTTP/1.1\r\nHost: x\r\n"
    half = f"{head}Content-Length: 2000\r\n\r\n".encode() + b"x" * 1000
    with ExitStack() as stack:
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=5)
            stack.enter_context(one)
            one.sendall(half)
        time.sleep(0.5)
        yield


def test_slow_messages_at_one_companys_webhook_silence_nobody_else(
    scene: Cancellations, server: Served
) -> None:
    slow, other = scene.company(HELD), scene.company(OTHER_HELD)
    paid = scene.make(OTHER_HELD)
    with slow_messages(server, HELD, slow, NOTIFICATIONS + 10):
        assert 200 == server.notify(other, paid.id, OTHER_HELD.name).status_code
        for kind in (HELD, OTHER_HELD, SANDBOX):
            assert 200 == cancel(server, kind, scene.make(kind)).status_code
