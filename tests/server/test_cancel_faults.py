"""What goes wrong between the connector and a company, at the look and at each write.

Each time VTEX is told that it failed, within the deadline, unless a look shows that it did not; and
when the fault is gone, a repeat ends in the truth with one effect.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.companies import base
from tests.companies.base import Company
from tests.rig import FIELDS
from tests.server.cancellations import (
    BLIND,
    CAPTURED,
    ENDED,
    HELD,
    OTHER_CAPTURED,
    OTHER_HELD,
    OTHER_UNPAID,
    SEEN,
    UNPAID,
    Cancellations,
    Kind,
    Payment,
)

pytestmark = pytest.mark.usefixtures("unmeasured")

FIRST, SECOND = "request-1", "request-2"
WRITTEN = [*SEEN, BLIND]
LOOKED_AT = [*SEEN, ENDED]
WITH_TOKEN = [kind for kind in WRITTEN if kind.entry and kind.entry.renews_token]
HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"

UNKNOWN, UNAVAILABLE, CREDENTIALS = (
    "outcome-unknown",
    "provider-unavailable",
    "provider-credentials",
)
# What goes wrong, and the code VTEX is told.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "reset before the effect": ({"kind": "reset_before"}, UNKNOWN),
    "reset after the effect": ({"kind": "reset_after"}, UNKNOWN),
    "500 before the effect": ({"kind": "status_before", "status": 500}, UNKNOWN),
    "502 in HTML before the effect": (
        {"kind": "status_before", "status": 502, "body": HTML},
        UNKNOWN,
    ),
    "503 after the effect": ({"kind": "status_after", "status": 503}, UNKNOWN),
    "truncated": ({"kind": "truncated"}, UNKNOWN),
    "HTML": ({"kind": "answer", "body": HTML}, UNKNOWN),
    "nothing": ({"kind": "answer"}, UNKNOWN),
    "404 of a proxy": ({"kind": "status_before", "status": 404, "body": HTML}, UNKNOWN),
    "redirect": ({"kind": "status_before", "status": 302}, UNKNOWN),
    "429": ({"kind": "status_before", "status": 429}, UNAVAILABLE),
    "401": ({"kind": "status_before", "status": 401}, CREDENTIALS),
}
# Slower than a call may take, which is half a second in these tests.
SLOW_SECONDS = 1.0
SLOW_FAULTS = ["slow_before", "slow_after", "drip", "drip_headers"]


@pytest.fixture(scope="module")
def made(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    with on_a_copy(sqlite_template, tmp_path_factory) as scene:
        yield scene


@pytest.fixture
def shared(made: Cancellations) -> Iterator[Cancellations]:
    """One for the module, with no fault left of the test before."""
    yield made
    for kind in [*WRITTEN, ENDED]:
        company = made.company(kind)
        company.hook = None
        company.faults.clear()
    made.company(OTHER_HELD).still_shows = None


@pytest.fixture(scope="module")
def hasty(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    variables = {"CONNECTOR_PROVIDER_SECONDS": "0.5", "CONNECTOR_ANSWER_SECONDS": "4"}
    with on_a_copy(sqlite_template, tmp_path_factory, **variables) as scene:
        yield scene


@contextmanager
def on_a_copy(
    template: Path, folders: pytest.TempPathFactory, **variables: str
) -> Iterator[Cancellations]:
    folder = folders.mktemp("faults")
    copy(template, folder / "connector.db")
    kinds = [*WRITTEN, ENDED]
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, kinds, **variables) as scene:
        yield scene


def cancel(
    scene: Cancellations, kind: Kind, payment: Payment, request_id: str = FIRST
) -> TestResponse:
    return scene.rig.cancel(payment.id, request_id, merchant=kind.name, **payment.fields)


def assert_failed(
    payment: Payment, answer: TestResponse, code: str, request_id: str = FIRST
) -> None:
    body = answer.get_json()
    assert 500 == answer.status_code, body
    assert FIELDS == list(body)
    assert isinstance(body.pop("message"), str)
    assert body == {
        "paymentId": payment.id,
        "cancellationId": None,
        "code": code,
        "requestId": request_id,
    }


def assert_told(
    scene: Cancellations, kind: Kind, payment: Payment, answer: TestResponse, code: str
) -> None:
    """A write took effect, and a look showed it at once; or it failed."""
    if kind is not BLIND and scene.effects(kind, payment):
        assert (200, scene.truth(kind, payment, FIRST)) == (answer.status_code, answer.get_json())
    else:
        assert_failed(payment, answer, code)


def assert_true(
    scene: Cancellations, kind: Kind, payment: Payment, request_id: str = FIRST
) -> None:
    """A repeat ends in the truth, and another one is told the same without a call."""
    scene.let_time_pass()
    answer = cancel(scene, kind, payment, request_id)
    calls = len(scene.calls(kind, payment))
    assert (200, scene.truth(kind, payment, request_id)) == (answer.status_code, answer.get_json())
    assert answer.data == cancel(scene, kind, payment, request_id).data
    assert calls == len(scene.calls(kind, payment))
    assert_one_effect(scene, kind, payment)


def assert_one_effect(scene: Cancellations, kind: Kind, payment: Payment) -> None:
    assert (1 if kind.write else 0) == scene.effects(kind, payment)
    assert scene.is_cancelled(kind, payment)


def assert_manual(scene: Cancellations, kind: Kind, payment: Payment) -> None:
    answer = cancel(scene, kind, payment)
    assert (501, "cancel-manually") == (answer.status_code, answer.get_json()["code"])
    assert answer.get_json()["cancellationId"] is None
    assert_one_effect(scene, kind, payment)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", LOOKED_AT, ids=str)
def test_a_look_that_fails_stops_the_cancellation_until_it_succeeds(
    shared: Cancellations, kind: Kind, fault: str
) -> None:
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    company.inject(operation="look", times=1000, **values)
    for request_id in (FIRST, FIRST, SECOND):
        assert_failed(payment, cancel(shared, kind, payment, request_id), code, request_id)
    assert 0 == shared.effects(kind, payment)
    company.faults.clear()
    assert_true(shared, kind, payment)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", WRITTEN, ids=str)
def test_a_write_that_fails_is_looked_up_and_has_one_effect(
    shared: Cancellations, kind: Kind, fault: str
) -> None:
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    company.inject(operation=kind.write, times=1000, **values)
    assert_told(shared, kind, payment, cancel(shared, kind, payment), code)
    # Nothing is repeated, but what a new token may mend.
    calls = 2 if fault == "401" and kind.entry and kind.entry.renews_token else 1
    assert calls == len(shared.calls(kind, payment, kind.write))
    company.faults.clear()
    if kind is BLIND and shared.effects(kind, payment):
        assert_manual(shared, kind, payment)
    else:
        assert_true(shared, kind, payment)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", [HELD, OTHER_CAPTURED], ids=str)
def test_another_request_ends_in_the_truth_when_the_first_one_failed(
    shared: Cancellations, kind: Kind, fault: str
) -> None:
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    company.inject(operation=kind.write, times=1000, **values)
    assert_told(shared, kind, payment, cancel(shared, kind, payment), code)
    company.faults.clear()
    assert_true(shared, kind, payment, SECOND)
    assert_true(shared, kind, payment, FIRST)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_rollback_that_cannot_be_confirmed_is_no_success_yet(
    shared: Cancellations, fault: str
) -> None:
    kind = OTHER_UNPAID
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]

    def fail_the_next_look(*where: str) -> None:
        if where == (kind.write, "after"):
            company.inject(operation="look", times=1000, **values)

    company.hook = fail_the_next_look
    assert_failed(payment, cancel(shared, kind, payment), code)
    company.hook = None
    company.faults.clear()
    assert_true(shared, kind, payment)
    assert 1 == len(shared.calls(kind, payment, kind.write))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", [OTHER_HELD, OTHER_CAPTURED], ids=str)
def test_an_operation_that_the_order_does_not_show_yet_is_asked_after(
    shared: Cancellations, kind: Kind, fault: str
) -> None:
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    before = company.orders[payment.id]["paymentStatus"]
    company.inject("reset_after", kind.write)
    company.hide(kind.write)
    assert_failed(payment, cancel(shared, kind, payment), UNKNOWN)
    company.show()
    company.still_shows = before
    company.inject(operation="operation", times=1000, **values)
    assert_failed(payment, cancel(shared, kind, payment), code)
    company.faults.clear()
    assert_true(shared, kind, payment)
    assert 1 == len(shared.calls(kind, payment, kind.write))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", WITH_TOKEN, ids=str)
def test_without_a_token_nothing_is_sent(shared: Cancellations, kind: Kind, fault: str) -> None:
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    company.expire_tokens()
    company.inject(operation="token", times=1000, **values)
    # Whatever comes of a token, the call it is for was not made.
    code = UNAVAILABLE if code == UNKNOWN else code
    assert_failed(payment, cancel(shared, kind, payment), code)
    assert 0 == shared.effects(kind, payment)
    company.faults.clear()
    assert_true(shared, kind, payment)


def test_a_write_repeated_through_an_outage_is_the_same_one_to_the_company(
    shared: Cancellations,
) -> None:
    kind = OTHER_HELD
    payment, company = shared.make(kind), shared.company(kind)
    company.inject("status_before", kind.write, times=1000, status=503)
    for request_id in (FIRST, SECOND, FIRST, SECOND, SECOND):
        assert_failed(payment, cancel(shared, kind, payment, request_id), UNKNOWN, request_id)
    company.faults.clear()
    assert_true(shared, kind, payment)
    calls = shared.calls(kind, payment, kind.write)
    assert 6 == len(calls)
    assert 1 == len({call.headers["X-Request-Id"] for call in calls})
    assert 1 == len({call.json()["externalOperationId"] for call in calls})


@pytest.mark.parametrize("fault", ["reset before the effect", "503 after the effect", "HTML"])
def test_a_refund_without_a_key_is_looked_at_for_a_while_before_it_is_sent_again(
    shared: Cancellations, fault: str
) -> None:
    kind = CAPTURED
    payment, company = shared.make(kind), shared.company(kind)
    values, code = FAULTS[fault]
    company.inject(operation=kind.write, times=1000, **values)
    assert_told(shared, kind, payment, cancel(shared, kind, payment), code)
    company.faults.clear()
    if not shared.effects(kind, payment):
        assert_failed(payment, cancel(shared, kind, payment), UNKNOWN)
        assert 1 == len(shared.calls(kind, payment, kind.write))
    assert_true(shared, kind, payment)


@pytest.mark.alone
@pytest.mark.parametrize("operation", ["look", "write"])
@pytest.mark.parametrize("fault", SLOW_FAULTS)
def test_a_slow_company_is_left_in_time(hasty: Cancellations, fault: str, operation: str) -> None:
    kinds = LOOKED_AT if operation == "look" else WRITTEN
    payments = [(kind, hasty.make(kind)) for kind in kinds]
    for kind, _ in payments:
        slow = "look" if operation == "look" else kind.write
        hasty.company(kind).inject(fault, slow, times=1000, seconds=SLOW_SECONDS)
    with ThreadPoolExecutor(len(payments)) as pool:
        answers = list(pool.map(lambda made: timed(hasty, *made), payments))
    for kind, _ in payments:
        hasty.company(kind).faults.clear()
    for (kind, payment), (answer, seconds) in zip(payments, answers, strict=True):
        if answer.status_code == 200:
            assert (operation, fault) != ("write", "slow_before")
            assert_told(hasty, kind, payment, answer, UNKNOWN)
        else:
            assert_failed(payment, answer, UNKNOWN)
        assert 0.5 <= seconds < 2
    # Repeated before the company has done the first one: then it comes second.
    again = {kind: cancel(hasty, kind, payment).status_code for kind, payment in payments}
    time.sleep(SLOW_SECONDS)
    for kind, payment in payments:
        if again[kind] == 501:
            assert kind is BLIND
            assert_manual(hasty, kind, payment)
        else:
            assert_true(hasty, kind, payment)


def timed(scene: Cancellations, kind: Kind, payment: Payment) -> tuple[TestResponse, float]:
    began = time.monotonic()
    answer = cancel(scene, kind, payment)
    return answer, time.monotonic() - began


@pytest.mark.parametrize("operation", ["look", "write"])
def test_an_answer_comes_at_the_deadline_however_long_a_call_may_take(
    sqlite_url: str, tmp_path: Path, operation: str
) -> None:
    kind = UNPAID
    with Cancellations(sqlite_url, tmp_path, [kind], CONNECTOR_ANSWER_SECONDS="1") as scene:
        payment = scene.make(kind)
        slow = "look" if operation == "look" else kind.write
        scene.company(kind).inject("slow_after", slow, seconds=2)
        answer, seconds = timed(scene, kind, payment)
        assert_failed(payment, answer, UNKNOWN)
        assert 1 <= seconds < 1.5
        assert_true(scene, kind, payment)


@pytest.mark.alone
def test_no_write_is_started_with_less_than_a_quarter_of_the_time_left(
    sqlite_url: str, tmp_path: Path
) -> None:
    with (
        Cancellations(sqlite_url, tmp_path, SEEN, CONNECTOR_ANSWER_SECONDS="2") as scene,
        ThreadPoolExecutor(len(SEEN)) as pool,
    ):
        payments = [(kind, scene.make(kind)) for kind in SEEN]
        for company in {id(scene.company(kind)): scene.company(kind) for kind in SEEN}.values():
            company.inject("slow_after", "look", times=1000, seconds=1.6)
        answers = list(pool.map(lambda made: timed(scene, *made), payments))
        for (kind, payment), (answer, seconds) in zip(payments, answers, strict=True):
            scene.company(kind).faults.clear()
            assert_failed(payment, answer, UNAVAILABLE)
            assert seconds < 2
            assert [] == scene.calls(kind, payment, kind.write)
            assert_true(scene, kind, payment)


@pytest.fixture
def no_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """The companies close each connection, so that each call needs a new one."""
    monkeypatch.setattr(base._Handler, "protocol_version", "HTTP/1.0")


@contextmanager
def down(company: Company) -> Iterator[None]:
    """Refuse connections for a while."""
    company.__exit__()
    yield
    company.__enter__()


@pytest.mark.usefixtures("no_keep_alive")
@pytest.mark.parametrize("kind", [*LOOKED_AT, BLIND], ids=str)
def test_a_company_that_is_down_has_done_nothing(
    sqlite_url: str, tmp_path: Path, kind: Kind
) -> None:
    with Cancellations(sqlite_url, tmp_path, [kind]) as scene:
        payment = scene.make(kind)
        with down(scene.company(kind)):
            assert_failed(payment, cancel(scene, kind, payment), UNAVAILABLE)
            assert_failed(payment, cancel(scene, kind, payment, SECOND), UNAVAILABLE, SECOND)
        assert [] == scene.calls(kind, payment)
        assert_true(scene, kind, payment)


@pytest.mark.usefixtures("no_keep_alive")
@pytest.mark.parametrize("kind", SEEN, ids=str)
def test_a_company_that_goes_down_before_the_write_has_done_nothing(
    sqlite_url: str, tmp_path: Path, kind: Kind
) -> None:
    with Cancellations(sqlite_url, tmp_path, [kind]) as scene:
        payment, company = scene.make(kind), scene.company(kind)
        company.hook = lambda *where: company.__exit__() if where == ("look", "after") else None
        assert_failed(payment, cancel(scene, kind, payment), UNAVAILABLE)
        assert [] == scene.calls(kind, payment, kind.write)
        company.hook = None
        company.__enter__()
        assert_true(scene, kind, payment)


@pytest.mark.parametrize("fault", ["reset after the effect", "503 after the effect", "429", "HTML"])
@pytest.mark.parametrize("kind", [CAPTURED, OTHER_HELD], ids=str)
def test_a_fault_ends_in_one_truth_on_both_databases(
    migrated_url: str, tmp_path: Path, kind: Kind, fault: str
) -> None:
    values, code = FAULTS[fault]
    with Cancellations(migrated_url, tmp_path, [kind]) as scene:
        for operation in ("look", kind.write):
            payment, company = scene.make(kind), scene.company(kind)
            company.inject(operation=operation, times=1000, **values)
            assert_told(scene, kind, payment, cancel(scene, kind, payment), code)
            company.faults.clear()
            assert_true(scene, kind, payment)
