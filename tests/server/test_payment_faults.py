"""What goes wrong between the connector and a company when a payment is created, settled, refunded.

Each time VTEX is told that it failed and nothing else, unless a look shows that it did not; and
when the fault is gone and time has passed, a repeat ends in the truth with one effect.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.companies import base
from tests.companies.registry import IN_PART, CompanyEntry
from tests.server.payments import (
    CREATES,
    REFUNDS,
    SETTLES,
    WRITES,
    Act,
    Payments,
    told,
)
from tests.server.test_cancel_faults import (
    FAULTS,
    SLOW_FAULTS,
    SLOW_SECONDS,
    UNAVAILABLE,
    UNKNOWN,
    down,
)

pytestmark = pytest.mark.usefixtures("unmeasured")

# A part is the harder case, where there are parts.
LOOKED_AT = [act for act in [*SETTLES, *REFUNDS] if act.value != 100 or not act.entry.in_part]
# Writes whose repeat could come twice, and those whose repeat is a repeat there.
HARDEST = [*CREATES, *[act for act in REFUNDS if act.value != 100]]
UNKEYED = [act for act in HARDEST if not act.entry.is_keyed]
KEYED = [act for act in HARDEST if act.entry.is_keyed and act.entry.in_part]


@pytest.fixture(scope="module")
def made(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Payments]:
    with on_a_copy(sqlite_template, tmp_path_factory) as shops:
        yield shops


@pytest.fixture
def shops(made: Payments) -> Iterator[Payments]:
    """One for the module, with no fault left of the test before."""
    yield made
    made.calm()


@pytest.fixture(scope="module")
def hasty(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Payments]:
    variables = {"CONNECTOR_PROVIDER_SECONDS": "0.5", "CONNECTOR_ANSWER_SECONDS": "4"}
    with on_a_copy(sqlite_template, tmp_path_factory, **variables) as shops:
        yield shops


@contextmanager
def on_a_copy(
    template: Path, folders: pytest.TempPathFactory, **variables: str
) -> Iterator[Payments]:
    folder = folders.mktemp("faults-payments")
    copy(template, folder / "connector.db")
    with Payments(f"sqlite:///{folder}/connector.db", folder, **variables) as shops:
        yield shops


def assert_failed(act: Act, payment_id: str, answer: Any, code: str) -> None:
    """Check that VTEX is told of no payment, settlement or refund, nor that there is none."""
    body = told(answer)
    assert (500, code, payment_id) == (answer.status_code, body["code"], body["paymentId"])
    assert isinstance(body["message"], str)
    if act.verb == "create":
        assert body["status"] not in {"approved", "denied", "undefined"}
        return
    assert (None, 0) == (body[f"{act.verb}Id"], body["value"])


def assert_told(shops: Payments, act: Act, payment_id: str, answer: Any, code: str) -> None:
    """Check that it failed, unless it took effect and a look showed it at once."""
    if not shops.effects(act, payment_id)[act.write]:
        assert_failed(act, payment_id, answer, code)
    else:
        assert answer.status_code == 200, told(answer)


def assert_true(shops: Payments, act: Act, payment_id: str) -> None:
    """A repeat ends in the truth, once time has passed."""
    shops.let_time_pass(payment_id)
    shops.assert_true(act, payment_id, shops.ended(act, payment_id))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", WRITES, ids=str)
def test_a_write_that_fails_is_looked_up_and_has_one_effect(
    shops: Payments, act: Act, fault: str
) -> None:
    payment_id, company = shops.ready(act), shops.company(act)
    before = shops.effects(act, payment_id)
    values, code = FAULTS[fault]
    company.inject(operation=act.write, times=1000, **values)
    assert_told(shops, act, payment_id, shops.ask(act, payment_id), code)
    # Nothing is repeated, but what a new token may mend.
    calls = 2 if fault == "401" and act.entry.renews_token else 1
    assert calls == len(shops.calls(act, payment_id, act.write))
    company.faults.clear()
    is_done = before != shops.effects(act, payment_id)
    assert_true(shops, act, payment_id)
    if is_done and not act.entry.is_keyed:
        assert calls == len(shops.calls(act, payment_id, act.write))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("act", LOOKED_AT, ids=str)
def test_a_look_that_fails_stops_it_until_it_succeeds(
    shops: Payments, act: Act, fault: str
) -> None:
    payment_id, company = shops.ready(act), shops.company(act)
    values, code = FAULTS[fault]
    before = shops.effects(act, payment_id)
    company.inject(operation="look", times=1000, **values)
    for _ in range(2):
        assert_failed(act, payment_id, shops.ask(act, payment_id), code)
    assert before == shops.effects(act, payment_id)
    company.faults.clear()
    assert_true(shops, act, payment_id)


@pytest.mark.parametrize("fault", ["reset before the effect", "503 after the effect", "HTML"])
@pytest.mark.parametrize("act", UNKEYED, ids=str)
def test_what_has_no_key_is_looked_at_for_a_while_before_it_is_sent_again(
    shops: Payments, act: Act, fault: str
) -> None:
    payment_id, company = shops.ready(act), shops.company(act)
    before = shops.effects(act, payment_id)
    values, code = FAULTS[fault]
    company.inject(operation=act.write, times=1000, **values)
    assert_told(shops, act, payment_id, shops.ask(act, payment_id), code)
    company.faults.clear()
    if before == shops.effects(act, payment_id):
        assert_failed(act, payment_id, shops.ask(act, payment_id), UNKNOWN)
        assert 1 == len(shops.calls(act, payment_id, act.write))
    assert_true(shops, act, payment_id)


@pytest.mark.parametrize("act", KEYED, ids=str)
def test_a_write_repeated_through_an_outage_is_the_same_one_to_the_company(
    shops: Payments, act: Act
) -> None:
    payment_id, company = shops.ready(act), shops.company(act)
    company.inject("status_before", act.write, times=1000, status=503)
    for _ in range(4):
        assert_failed(act, payment_id, shops.ask(act, payment_id), UNKNOWN)
    company.faults.clear()
    assert_true(shops, act, payment_id)
    calls = shops.calls(act, payment_id, act.write)
    assert 5 == len(calls)
    assert 1 == len({call.headers["X-Request-Id"] for call in calls})
    assert 1 == len({call.body for call in calls})


@pytest.mark.parametrize("entry", IN_PART, ids=str)
def test_a_payment_whose_cancellation_failed_is_not_approved_when_the_buyer_pays(
    shops: Payments, entry: CompanyEntry
) -> None:
    create = Act(entry, "create")
    payment_id, company = shops.ready(create), shops.company(create)
    shops.ask(create, payment_id)
    company.inject("status_before", entry.writes["cancel_unpaid"], status=503)
    assert 500 == shops.rig.cancel(payment_id, merchant=entry.name).status_code
    company.pay(payment_id)
    assert "undefined" == told(shops.ask(create, payment_id))["status"]
    shops.ask(Act(entry, "notification"), payment_id)
    held, taken, returned = shops.money(create, payment_id)
    assert (0, 0) == (held, taken - returned)
    assert "denied" == told(shops.ask(create, payment_id))["status"]
    assert [] == [body for body in shops.callbacks(payment_id) if body["status"] == "approved"]


@pytest.mark.parametrize(
    ("fault", "operation"), [("slow_before", "look"), *((fault, "write") for fault in SLOW_FAULTS)]
)
def test_a_slow_company_is_left_in_time(hasty: Payments, fault: str, operation: str) -> None:
    acts = LOOKED_AT if operation == "look" else WRITES
    asked = [(act, hasty.ready(act)) for act in acts]
    for act in acts:
        slow = operation if operation == "look" else act.write
        hasty.company(act).inject(fault, slow, times=1000, seconds=SLOW_SECONDS)
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = list(pool.map(lambda one: timed(hasty, *one), asked))
    hasty.calm()
    for (act, payment_id), (answer, seconds) in zip(asked, answers, strict=True):
        # A loaded machine may need longer than the half second to connect: then nothing was sent.
        code = UNAVAILABLE if told(answer).get("code") == UNAVAILABLE else UNKNOWN
        if answer.status_code == 200:
            assert operation == "write"
            assert_told(hasty, act, payment_id, answer, code)
        else:
            assert_failed(act, payment_id, answer, code)
        assert seconds < 3
    # Repeated before the company has done the first one: then it comes second, or not at all.
    for act, payment_id in asked:
        again = hasty.ask(act, payment_id)
        codes = {UNKNOWN, UNAVAILABLE, "refund-pending"}
        assert again.status_code == 200 or told(again)["code"] in codes
    time.sleep(SLOW_SECONDS)
    for act, payment_id in asked:
        assert_true(hasty, act, payment_id)


def timed(shops: Payments, act: Act, payment_id: str) -> tuple[Any, float]:
    began = time.monotonic()
    answer = shops.ask(act, payment_id)
    return answer, time.monotonic() - began


@pytest.fixture
def no_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The companies close each connection, so that each call needs a new one."""
    monkeypatch.setattr(base._Handler, "protocol_version", "HTTP/1.0")


@pytest.mark.usefixtures("no_keep_alive")
@pytest.mark.parametrize("act", WRITES, ids=str)
def test_a_company_that_is_down_has_done_nothing(sqlite_url: str, tmp_path: Path, act: Act) -> None:
    with Payments(sqlite_url, tmp_path, [act.entry]) as shops:
        payment_id = shops.ready(act)
        before = len(shops.company(act).calls)
        with down(shops.company(act)):
            for _ in range(2):
                assert_failed(act, payment_id, shops.ask(act, payment_id), UNAVAILABLE)
        assert before == len(shops.company(act).calls)
        # It certainly was not sent: no time needs to pass.
        shops.assert_true(act, payment_id, shops.ended(act, payment_id))


@pytest.mark.usefixtures("no_keep_alive")
@pytest.mark.parametrize("act", LOOKED_AT, ids=str)
def test_a_company_that_goes_down_before_the_write_has_done_nothing(
    sqlite_url: str, tmp_path: Path, act: Act
) -> None:
    with Payments(sqlite_url, tmp_path, [act.entry]) as shops:
        payment_id, company = shops.ready(act), shops.company(act)
        company.hook = lambda *where: company.__exit__() if where == ("look", "after") else None
        assert_failed(act, payment_id, shops.ask(act, payment_id), UNAVAILABLE)
        assert [] == shops.calls(act, payment_id, act.write)
        company.hook = None
        company.__enter__()
        shops.assert_true(act, payment_id, shops.ended(act, payment_id))


@pytest.mark.parametrize("fault", ["503 after the effect"])
def test_a_fault_ends_in_one_truth_on_both_databases(
    migrated_url: str, tmp_path: Path, fault: str
) -> None:
    values, code = FAULTS[fault]
    with Payments(migrated_url, tmp_path) as shops:
        for act in WRITES:
            payment_id, company = shops.ready(act), shops.company(act)
            company.inject(operation=act.write, times=1000, **values)
            assert_told(shops, act, payment_id, shops.ask(act, payment_id), code)
            company.faults.clear()
            assert_true(shops, act, payment_id)
