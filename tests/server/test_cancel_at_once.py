"""Fifty at once: one effect, and the same truth for everyone who asked."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.rig import Served
from tests.server.cancellations import (
    BLIND,
    CAPTURED,
    HELD,
    OTHER_HELD,
    OTHER_UNPAID,
    SANDBOX,
    Cancellations,
    Kind,
    Payment,
)
from tests.server.crowd import Ask, ask_at_once, database, served

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

MANY = 50
CHOSEN = [HELD, CAPTURED, OTHER_UNPAID, OTHER_HELD, BLIND, SANDBOX]


@dataclass
class Crowd:
    """A scene with its servers, and many who ask at once, each server in its turn."""

    scene: Cancellations
    servers: list[Served]

    def ask(self, kind: Kind, asked: list[tuple[Payment, str]]) -> list[requests.Response]:
        """Send these cancellations at the same moment."""

        def send(payment: Payment, request_id: str) -> Ask:
            return lambda server: server.cancel(
                payment.id, request_id, merchant=kind.name, **payment.fields
            )

        return ask_at_once(self.servers, [send(*one) for one in asked])


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crowd]:
    """Two workers on SQLite; two servers of two workers each on PostgreSQL."""
    folder, count = tmp_path_factory.mktemp("crowd"), 1 if request.param == "sqlite" else 2
    with (
        database(request, folder) as url,
        Cancellations(url, folder, CHOSEN) as scene,
        served(scene.rig, count) as servers,
    ):
        yield Crowd(scene, servers)


@pytest.mark.parametrize("kind", CHOSEN, ids=str)
def test_fifty_times_the_same_request_at_once_is_one_cancellation(many: Crowd, kind: Kind) -> None:
    payment = many.scene.make(kind)
    answers = many.ask(kind, [(payment, "request-1")] * MANY)
    assert {200: MANY} == Counter(answer.status_code for answer in answers)
    assert 1 == len({answer.content for answer in answers})
    assert many.scene.truth(kind, payment, "request-1") == answers[0].json()
    assert_cancelled_once(many.scene, kind, payment)


@pytest.mark.parametrize("kind", CHOSEN, ids=str)
def test_fifty_requests_of_one_payment_at_once_are_one_cancellation(
    many: Crowd, kind: Kind
) -> None:
    payment = many.scene.make(kind)
    names = [f"request-{number}" for number in range(MANY)]
    answers = many.ask(kind, [(payment, name) for name in names])
    expected = [many.scene.truth(kind, payment, name) for name in names]
    assert expected == [answer.json() for answer in answers]
    assert {200} == {answer.status_code for answer in answers}
    assert_cancelled_once(many.scene, kind, payment)


@pytest.mark.parametrize("kind", CHOSEN, ids=str)
def test_fifty_payments_at_once_are_fifty_cancellations(many: Crowd, kind: Kind) -> None:
    payments = [many.scene.make(kind) for _ in range(MANY)]
    answers = many.ask(kind, [(payment, "request-1") for payment in payments])
    expected = [many.scene.truth(kind, payment, "request-1") for payment in payments]
    assert expected == [answer.json() for answer in answers]
    assert {200} == {answer.status_code for answer in answers}
    for payment in payments:
        assert_cancelled_once(many.scene, kind, payment)


def assert_cancelled_once(scene: Cancellations, kind: Kind, payment: Payment) -> None:
    assert (1 if kind.write else 0) == scene.effects(kind, payment)
    assert (1 if kind.write else 0) == len(scene.calls(kind, payment, kind.write or "none"))
    assert scene.is_cancelled(kind, payment)


def test_the_same_and_other_requests_wait_for_a_slow_company(many: Crowd) -> None:
    kind = HELD
    payment = many.scene.make(kind)
    many.scene.company(kind).inject("slow_after", kind.write, seconds=2)
    names = ["request-1", "request-2"] * 10
    began = time.monotonic()
    answers = many.ask(kind, [(payment, name) for name in names])
    assert 2 <= time.monotonic() - began < 6
    assert {200} == {answer.status_code for answer in answers}
    assert [many.scene.truth(kind, payment, name) for name in names] == [
        answer.json() for answer in answers
    ]
    assert 2 == len({answer.content for answer in answers})
    assert_cancelled_once(many.scene, kind, payment)


class Held:
    """A company that keeps an operation waiting until it is let go on."""

    def __init__(self, company: Any, operation: str) -> None:
        self.arrived, self.released = threading.Event(), threading.Event()
        self._operation = operation
        company.hook = self

    def __call__(self, operation: str, moment: str) -> None:
        if (operation, moment) == (self._operation, "before"):
            self.arrived.set()
            self.released.wait(30)


@contextmanager
def held(many: Crowd, kind: Kind, operation: str) -> Iterator[Held]:
    company = many.scene.company(kind)
    waiting = Held(company, operation)
    try:
        yield waiting
    finally:
        waiting.released.set()
        company.hook = None


@pytest.fixture
def hurried(many: Crowd) -> Iterator[Served]:
    """Another server on the same database, with little time for an answer."""
    with Served(many.scene.rig, workers=2, is_killed=True, CONNECTOR_ANSWER_SECONDS="2") as server:
        yield server
        server.kill()


@pytest.mark.parametrize("operation", ["look", "write"])
def test_who_waits_until_the_deadline_is_told_so_and_the_truth_later(
    many: Crowd, hurried: Served, operation: str
) -> None:
    kind = OTHER_HELD
    payment = many.scene.make(kind)
    waiting = Crowd(many.scene, [hurried])
    names = ["request-1"] * 5 + ["request-2", "request-3"]
    with (
        held(many, kind, kind.write if operation == "write" else "look") as company,
        ThreadPoolExecutor() as pool,
    ):
        first = pool.submit(many.ask, kind, [(payment, "request-1")])
        assert company.arrived.wait(10)
        began = time.monotonic()
        told = waiting.ask(kind, [(payment, name) for name in names])
        assert 1 <= time.monotonic() - began < 2.5
        company.released.set()
        (answer,) = first.result()
    expected = [(500, "request-in-progress")] * 5 + [(500, "payment-busy")] * 2
    assert expected == [(one.status_code, one.json()["code"]) for one in told]
    assert [None] * 7 == [one.json()["cancellationId"] for one in told]
    assert names == [one.json()["requestId"] for one in told]
    assert 200 == answer.status_code
    (again,) = waiting.ask(kind, [(payment, "request-1")])
    assert (200, answer.content) == (again.status_code, again.content)
    assert_cancelled_once(many.scene, kind, payment)


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "outcome-unknown"), (429, "provider-unavailable")],
)
def test_who_waits_for_the_identical_request_is_given_its_failure_without_a_call(
    many: Crowd, status: int, code: str
) -> None:
    kind = OTHER_HELD
    payment = many.scene.make(kind)
    company = many.scene.company(kind)
    company.inject("status_before", "look", times=1000, status=status)
    with held(many, kind, "look") as waiting, ThreadPoolExecutor(2) as pool:
        first = pool.submit(many.ask, kind, [(payment, "request-1")])
        assert waiting.arrived.wait(10)
        others = pool.submit(many.ask, kind, [(payment, "request-1")] * 20)
        time.sleep(1)  # the others have arrived by then, and wait
        waiting.released.set()
        answers = first.result() + others.result()
    company.faults.clear()
    assert {(500, code)} == {(one.status_code, one.json()["code"]) for one in answers}
    assert 1 == len({one.content for one in answers})
    assert 1 == len(many.scene.calls(kind, payment, "look"))
    (answer,) = many.ask(kind, [(payment, "request-1")])
    assert (200, many.scene.truth(kind, payment, "request-1")) == (
        answer.status_code,
        answer.json(),
    )
    assert_cancelled_once(many.scene, kind, payment)


def test_each_other_request_acts_on_what_a_failed_one_left(many: Crowd) -> None:
    kind = HELD
    payment = many.scene.make(kind)
    many.scene.company(kind).inject("status_before", kind.write, times=1, status=429)
    names = [f"request-{number}" for number in range(20)]
    answers = many.ask(kind, [(payment, name) for name in names])
    codes = Counter((one.status_code, one.json()["code"]) for one in answers)
    assert {(200, None): 19, (500, "provider-unavailable"): 1} == codes
    # What was refused, and what the next request sent in its place.
    assert 2 == len(many.scene.calls(kind, payment, kind.write))
    assert 1 == many.scene.effects(kind, payment)
    assert many.scene.is_cancelled(kind, payment)
