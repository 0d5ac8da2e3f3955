"""Fifty at once, of all that is asked of a payment: one effect, and one truth for all."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.companies.registry import ANY, COMPANIES, HOLDING, IN_PART, CompanyEntry, provider_of
from tests.rig import Served
from tests.server.crowd import Ask, ask_at_once, database, served
from tests.server.payments import (
    CREATES,
    NEWS,
    Act,
    Payments,
    told,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

MANY, SOME = 50, 20
PART = 40
SAME = [
    *CREATES,
    *[Act(entry, "settle", 60 if entry is ANY else 100) for entry in HOLDING],
    *[Act(entry, "refund", PART if entry.in_part else 100) for entry in HOLDING],
]


@dataclass
class Crowd:
    """Shops with their servers, and many who ask at once, each server in its turn."""

    shops: Payments
    servers: list[Served]

    def ask(self, asks: list[Ask]) -> list[Any]:
        """Do all of it at the same moment; return the answers."""
        return ask_at_once(self.servers, asks)

    def same(self, act: Act, payment_id: str, times: int = MANY) -> list[Any]:
        return self.ask([lambda server: self.shops.ask(act, payment_id, server)] * times)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crowd]:
    """Two servers of two workers each, on either database."""
    folder = tmp_path_factory.mktemp("crowd-payments")
    with (
        database(request, folder) as url,
        Payments(url, folder) as shops,
        served(shops.rig, 2) as servers,
    ):
        yield Crowd(shops, servers)


@pytest.mark.parametrize("act", SAME, ids=str)
def test_fifty_times_the_same_is_done_once_and_answered_alike(many: Crowd, act: Act) -> None:
    payment_id = many.shops.ready(act)
    answers = many.same(act, payment_id)
    assert {200: MANY} == Counter(answer.status_code for answer in answers)
    assert 1 == len({answer.content for answer in answers})
    many.shops.assert_true(act, payment_id, answers[0])
    assert 1 == len(many.shops.calls(act, payment_id, act.write))


@pytest.mark.parametrize(
    ("entry", "part", "most"), [*[(entry, 1, 30) for entry in IN_PART], (ANY, 4, 7)]
)
def test_of_fifty_refunds_as_many_are_done_as_were_settled(
    many: Crowd, entry: CompanyEntry, part: int, most: int
) -> None:
    shops, settle = many.shops, Act(entry, "settle", 30)
    payment_id = shops.ready(settle)
    assert 200 == shops.ask(settle, payment_id).status_code
    names = [f"refund-{number}" for number in range(MANY)]

    def refund(name: str) -> Ask:
        return lambda server: until_it_is_free(
            lambda: server.refund(payment_id, part, name, merchant=entry.name)
        )

    answers = many.ask([refund(name) for name in names])
    bodies = [told(answer) for answer in answers]
    assert {(200, None): most, (500, "amount-too-large"): MANY - most} == Counter(
        (answer.status_code, body["code"]) for answer, body in zip(answers, bodies, strict=True)
    )
    assert most == len({body["refundId"] for body in bodies if body["refundId"]})
    assert most * part == sum(body["value"] for body in bodies)
    assert most == shops.effects(settle, payment_id)["refund"]
    assert (0, 30, most * part) == shops.money(settle, payment_id)
    again = [many.servers[0].refund(payment_id, part, name, merchant=entry.name) for name in names]
    done = [answer.content for answer in answers if answer.ok]
    assert done == [answer.content for answer in again if answer.ok]


def until_it_is_free(ask: Callable[[], Any]) -> Any:
    """Repeat as VTEX does, while others have the payment's turn."""
    deadline = time.monotonic() + 60
    while told(answer := ask())["code"] == "payment-busy" and time.monotonic() < deadline:
        pass
    return answer


def cancel(payment_id: str, entry: CompanyEntry) -> Ask:
    return lambda server: server.cancel(payment_id, merchant=entry.name)


def ask_for(many: Crowd, act: Act, payment_id: str) -> Ask:
    return lambda server: many.shops.ask(act, payment_id, server)


@pytest.mark.parametrize("entry", IN_PART, ids=str)
def test_what_is_created_and_cancelled_at_once_is_never_approved(
    many: Crowd, entry: CompanyEntry
) -> None:
    shops, create = many.shops, Act(entry, "create")
    payment_ids = [shops.ready(create) for _ in range(SOME)]
    pairs = [(ask_for(many, create, one), cancel(one, entry)) for one in payment_ids]
    answers = many.ask([ask for pair in pairs for ask in pair])
    for number, payment_id in enumerate(payment_ids):
        created, cancelled = answers[2 * number : 2 * number + 2]
        assert told(created)["status"] in {"undefined", "denied"}, created.text
        assert (200, None) == (cancelled.status_code, told(cancelled)["code"])
        if shops.effects(create, payment_id):
            shops.company(create).pay(payment_id)
            assert 200 == shops.ask(Act(entry, "notification"), payment_id).status_code
        assert "denied" == told(shops.ask(create, payment_id))["status"]
        held, taken, returned = shops.money(create, payment_id)
        assert (0, 0) == (held, taken - returned)
        assert not [one for one in shops.callbacks(payment_id) if one["status"] == "approved"]


@pytest.mark.parametrize("entry", HOLDING, ids=str)
def test_of_a_cancel_and_a_settle_at_once_one_wins_and_the_money_says_which(
    many: Crowd, entry: CompanyEntry
) -> None:
    shops, settle = many.shops, Act(entry, "settle")
    payment_ids = [shops.ready(settle) for _ in range(SOME)]
    pairs = [(ask_for(many, settle, one), cancel(one, entry)) for one in payment_ids]
    # Every other payment is cancelled first.
    asks = [ask for at, pair in enumerate(pairs) for ask in (pair if at % 2 else pair[::-1])]
    answers = many.ask(asks)
    for number, payment_id in enumerate(payment_ids):
        pair = answers[2 * number : 2 * number + 2]
        settled, cancelled = pair if number % 2 else pair[::-1]
        won = (settled.status_code, cancelled.status_code)
        assert won in {(200, 501), (500, 200)}, (settled.text, cancelled.text)
        taken = 100 if settled.ok else 0
        assert (0, taken, 0) == shops.money(settle, payment_id)
        assert taken == told(settled)["value"]
        assert settled.ok is bool(told(settled)["settleId"])
        assert 2 - (not entry.has_page) == sum(shops.effects(settle, payment_id).values())


@pytest.mark.parametrize("act", NEWS, ids=str)
def test_vtex_and_the_company_at_once_leave_nobody_untold(many: Crowd, act: Act) -> None:
    shops, create = many.shops, Act(act.entry, "create")
    payment_ids = [shops.ready(act) for _ in range(SOME)]
    pairs = [(ask_for(many, create, one), ask_for(many, act, one)) for one in payment_ids]
    answers = many.ask([ask for pair in pairs for ask in pair])
    assert {200} == {answer.status_code for answer in answers}
    told_at_once = [told(answer) for answer in answers[::2]]
    for payment_id, created in zip(payment_ids, told_at_once, strict=True):
        bodies = until_vtex_knows(shops, payment_id, created)
        known = told(shops.ask(create, payment_id))
        assert "approved" == known["status"]
        assert all(one == known for one in bodies)
        assert len(bodies) <= 1
        assert created["status"] in {"approved", "undefined"}
        shops.assert_once(act, payment_id)


def until_vtex_knows(shops: Payments, payment_id: str, created: Any) -> list[Any]:
    """Wait for the callback where VTEX was not told by its own request.

    News that meet another's turn are reconcile's, which runs every few seconds.
    """
    deadline = time.monotonic() + 10
    while created["status"] != "approved" and time.monotonic() < deadline:
        if bodies := shops.callbacks(payment_id):
            return bodies
        time.sleep(0.1)
        shops.rig.connector.reconciler.run_once()
    assert created["status"] == "approved"
    return shops.callbacks(payment_id)


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_the_same_message_fifty_times_is_one_look_and_one_callback(
    many: Crowd, entry: CompanyEntry
) -> None:
    shops, act = many.shops, Act(entry, "notification")
    payment_id = shops.ready(act)
    company = shops.company(act)
    body, its_headers = company.notification(payment_id)

    def send(server: Served) -> Any:
        path = f"/webhooks/{provider_of(company)}/{entry.name}"
        return requests.post(f"{server.url}{path}", data=body, headers=its_headers, timeout=30)

    answers = many.ask([send] * MANY)
    assert {200: MANY} == Counter(answer.status_code for answer in answers)
    (called,) = until_vtex_knows(shops, payment_id, {"status": "undefined"})
    assert called == told(shops.ask(Act(entry, "create"), payment_id))
    assert "approved" == called["status"]
    assert 1 == len(shops.calls(act, payment_id, "look"))
    shops.assert_once(act, payment_id)


def test_many_senders_of_one_callback_send_it_once(many: Crowd) -> None:
    shops, act = many.shops, NEWS[0]
    payment_ids = [shops.ready(act) for _ in range(3)]
    shops.sink.inject("status_before", times=len(payment_ids), status=503)
    for payment_id in payment_ids:
        shops.ask(act, payment_id)
        assert [] == shops.callbacks(payment_id)
    shops.let_time_pass(*payment_ids)
    shops.sink.inject("slow_before", times=len(payment_ids), seconds=0.5)
    with ThreadPoolExecutor() as pool:
        sent = [pool.submit(shops.rig.connector.callbacks.deliver_due) for _ in range(8)]
    assert len(payment_ids) == sum(one.result() for one in sent)
    assert [1] * 3 == [len(shops.callbacks(payment_id)) for payment_id in payment_ids]
