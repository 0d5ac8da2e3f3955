"""Companies' notifications: forged, repeated, early, late, in any order."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connector.app import DEFAULT_THREADS
from connector.bulkhead import share
from connector.domain.merchant import CapturedPolicy
from tests.companies.registry import RUSTORE, VARIANTS, YANDEX_PAY, provider_of
from tests.operations.lifetime import HELD, Lifetime, P, lifetime, of
from tests.rig import Rig, Served
from tests.sink import Sink

pytestmark = pytest.mark.slow

WITH_PAGE = [entry for entry in VARIANTS if entry.has_page]


@pytest.fixture
def scene(request: pytest.FixtureRequest, rig: Rig, sink: Sink) -> Iterator[Lifetime]:
    with lifetime(request.param, rig, sink) as scene:
        yield scene


def notifications(scene: Lifetime) -> list[Any]:
    return [row for row in scene.rig.connector.requests.rows() if row.operation == "notification"]


def forged(message: tuple[bytes, dict[str, str]], place: int) -> tuple[bytes, dict[str, str]]:
    """Change one letter of a message."""
    body, headers = message
    other = b"A" if body[place : place + 1] != b"A" else b"B"
    return body[:place] + other + body[place + 1 :], headers


@of(*VARIANTS)
def test_a_forged_message_is_refused_and_leaves_no_trace(scene: Lifetime) -> None:
    scene.begin()
    scene.company.pay(P)
    before = scene.rig.execute("SELECT * FROM payments")
    message = scene.company.notification(P)
    calls = len(scene.company.calls_of("look"))
    length = len(message[0])

    for place in (length // 3, length // 2, 2 * length // 3):
        answer = scene.rig.send_notification(scene.company, forged(message, place))
        assert answer.status_code in {400, 401}, answer.data
        assert answer.get_json()["code"] in {"unauthorized", "invalid-request"}

    assert [] == notifications(scene)
    assert before == scene.rig.execute("SELECT * FROM payments")
    assert calls == len(scene.company.calls_of("look"))


@of(*VARIANTS)
def test_nobody_elses_address_takes_a_message(scene: Lifetime) -> None:
    scene.begin()
    scene.company.pay(P)
    body, headers = scene.company.notification(P)
    provider = provider_of(scene.company)

    for path in (f"/webhooks/{provider}/nobody", "/webhooks/x/shop"):
        answer = scene.rig.client.post(path, data=body, headers=headers, buffered=True)
        assert answer.status_code in {401, 404}
    assert [] == notifications(scene)


# Another shop's settings. RuStore's key must be of 32 bytes, or no message could be judged.
OTHERS = {"notification_key": base64.b64encode(bytes(32)).decode()}
NO_PROOF = [b"", b"{", b"null", b"data=e30&signature=x", b"data=&signature=", b"a" * 300_000]


@of(*VARIANTS)
def test_an_answer_does_not_tell_which_merchants_there_are(scene: Lifetime) -> None:
    """An unknown one, one of another company, and one that is not set up, are like the real one."""
    scene.begin()
    scene.company.pay(P)
    message, headers = scene.company.notification(P)
    provider = provider_of(scene.company)
    merchants = scene.rig.connector.merchants
    policy = CapturedPolicy.MANUAL
    merchants.add("elsewhere", "sandbox", {}, sandbox=False, captured=policy)
    merchants.add("empty", provider, {}, sandbox=False, captured=policy)

    def told(name: str, body: bytes) -> tuple[int, bytes, list[tuple[str, str]]]:
        path = f"/webhooks/{provider}/{name}"
        answer = scene.rig.client.post(path, data=body, headers=headers, buffered=True)
        return answer.status_code, answer.data, list(answer.headers)

    # In a company's own form, without its proof: that of another shop, or none.
    settings = merchants.find("shop").merchant.settings
    merchants.update("shop", {key: OTHERS.get(key, f"another-{key}") for key in settings})
    scene.rig.configure()
    for body in (message, forged((message, {}), len(message) // 2)[0], *NO_PROOF):
        real = told("shop", body)
        assert real[0] in {400, 401, 413}
        for name in ("nobody", "elsewhere", "empty", "(test suite)", "x" * 500):
            assert real == told(name, body), (name, body[:20])


@of(*VARIANTS)
@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"\xff\xfe", b"data=&signature=", b"a" * 100]
)
def test_what_is_no_message_is_refused(scene: Lifetime, body: bytes) -> None:
    path = f"/webhooks/{provider_of(scene.company)}/shop"
    answer = scene.rig.client.post(path, data=body)

    assert answer.status_code in {400, 401}
    assert set(answer.get_json()) == {"code", "message"}


@of(*VARIANTS)
def test_what_is_too_large_is_refused(scene: Lifetime) -> None:
    path = f"/webhooks/{provider_of(scene.company)}/shop"

    assert 413 == scene.rig.client.post(path, data=b"a" * (256 * 1024 + 1)).status_code


@of(*WITH_PAGE)
def test_a_payment_of_another_shop_is_none_of_ours(scene: Lifetime) -> None:
    scene.begin()
    scene.company.pay(P)
    scene.rig.execute("DELETE FROM events")
    scene.rig.execute("DELETE FROM requests")
    scene.rig.execute("DELETE FROM payments")

    assert 200 == scene.notify().status_code
    assert [] == notifications(scene)
    assert [] == scene.rig.execute("SELECT * FROM payments")


@of(RUSTORE)
def test_a_purchase_told_of_before_vtex_asks_for_it_is_approved_at_once(scene: Lifetime) -> None:
    scene.company.start(P, amount=100)
    scene.company.pay(P)
    scene.notify()

    told = scene.create().get_json()

    assert "approved" == told["status"]
    assert [] == scene.sink.bodies


@of(*WITH_PAGE)
def test_a_message_that_comes_before_our_create_has_returned_is_not_lost(scene: Lifetime) -> None:
    answers = []

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("create", "after"):
            scene.company.hook = None
            scene.company.pay(P)
            answers.append(scene.notify())

    scene.company.hook = hook
    first = scene.create().get_json()
    assert [200] == [answer.status_code for answer in answers]
    assert "undefined" == first["status"]

    scene.rig.reconcile()

    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    assert "approved" == scene.status


@of(*VARIANTS)
def test_messages_in_the_wrong_order_change_nothing(scene: Lifetime) -> None:
    scene.begin()
    early = scene.company.notification(P)
    scene.company.pay(P)
    late = scene.company.notification(P)

    for message in (late, early, late, early):
        assert 200 == scene.rig.send_notification(scene.company, message).status_code

    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    assert "approved" == scene.status
    assert {"done"} == {row.state.value for row in notifications(scene)}


@of(*VARIANTS)
@pytest.mark.parametrize("kind", ["reset_before", "status_before", "truncated", "answer"])
def test_news_that_cannot_be_looked_at_now_is_not_lost(scene: Lifetime, kind: str) -> None:
    scene.begin()
    scene.company.pay(P)
    scene.company.inject(kind, "look")

    assert 200 == scene.notify().status_code
    assert [] == scene.sink.bodies
    assert ["unknown"] == [row.state.value for row in notifications(scene)]
    scene.rig.reconcile()

    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    assert ["done"] == [row.state.value for row in notifications(scene)]


@of(YANDEX_PAY)
def test_news_for_which_no_thread_is_left_are_kept_and_not_lost(scene: Lifetime) -> None:
    scene.begin()
    scene.company.pay(P)
    requesting, places = scene.rig.connector.requesting, share(DEFAULT_THREADS)
    with ExitStack() as hung:
        for _ in range(places):
            hung.enter_context(requesting.place(provider_of(scene.company)))
        assert 200 == scene.notify().status_code
        assert ["waiting"] == [row.state.value for row in notifications(scene)]
    scene.rig.reconcile()

    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    assert ["done"] == [row.state.value for row in notifications(scene)]


@of(*VARIANTS)
def test_a_disabled_merchants_payment_is_still_finished(scene: Lifetime) -> None:
    scene.begin()
    scene.company.pay(P)
    scene.rig.connector.merchants.disable("shop")

    assert 200 == scene.notify().status_code
    assert ["approved"] == [body["status"] for body in scene.sink.bodies]


@of(*HELD)
def test_a_hold_that_turns_up_after_the_cancellation_is_released(scene: Lifetime) -> None:
    """The company lost our cancellation, or the buyer paid all the same."""
    scene.begin()
    scene.rig.execute("UPDATE payments SET status = 'CANCELLED', cancellation_id = 'c'")
    scene.company.pay(P)
    scene.notify()

    assert (0, 0, 0) == scene.money
    assert "denied" == scene.status
    assert [] == scene.sink.bodies


@of(*[entry for entry in VARIANTS if not entry.is_held])
def test_money_taken_after_the_cancellation_is_on_the_operators_list(scene: Lifetime) -> None:
    scene.begin()
    scene.rig.execute("UPDATE payments SET status = 'CANCELLED', cancellation_id = 'c'")
    scene.company.pay(P)
    scene.notify()

    (row,) = scene.rig.connector.requests.rows(state="manual")
    assert ("notification", "cancel-manually", P) == (row.operation, row.code, row.payment_id)
    assert (0, 100, 0) == scene.money
    assert "denied" == scene.status


@of(YANDEX_PAY)
class TestYandexPay:
    def test_its_own_ending_of_the_address_is_taken(self, scene: Lifetime) -> None:
        scene.begin()
        scene.company.pay(P)
        body, headers = scene.company.notification(P)
        path = "/webhooks/yandex_pay/shop/v1/webhook"

        answer = scene.rig.client.post(path, data=body, headers=headers, buffered=True)

        assert (200, {"status": "success"}) == (answer.status_code, answer.get_json())
        assert "approved" == scene.status

    def test_keys_that_cannot_be_fetched_are_no_forgery(self, scene: Lifetime) -> None:
        scene.begin()
        scene.company.pay(P)
        scene.company.inject("status_before", "keys", status=503)

        first, soon = scene.notify(), scene.notify()
        scene.rig.configure()
        later = scene.notify()

        assert [500, 500, 200] == [one.status_code for one in (first, soon, later)]
        assert 2 == len(scene.company.calls_of("keys"))
        assert "approved" == scene.status


@of(RUSTORE)
class TestRuStore:
    def test_a_second_purchase_takes_the_place_of_one_that_was_declined(
        self, scene: Lifetime
    ) -> None:
        scene.begin()
        scene.company.decline(P)
        first = scene.company.notification(P)
        scene.company.start(P, amount=100)
        scene.company.pay(P)
        second = scene.company.notification(P)

        scene.rig.execute("UPDATE payments SET status = 'PENDING'")
        scene.rig.send_notification(scene.company, second)
        scene.rig.send_notification(scene.company, first)

        assert "approved" == scene.status

    def test_a_purchase_declined_before_vtex_asked_denies_nothing(self, scene: Lifetime) -> None:
        scene.company.start(P, amount=100)
        scene.company.decline(P)
        scene.notify()
        scene.company.start(P, amount=100)
        scene.company.pay(P)
        scene.notify()

        assert "approved" == scene.status

    def test_a_purchase_paid_after_another_was_denied_is_released(self, scene: Lifetime) -> None:
        scene.begin()
        scene.company.decline(P)
        scene.notify()
        assert "denied" == scene.status
        scene.company.start(P, amount=100)
        scene.company.pay(P)
        scene.notify()

        assert (0, 0, 0) == scene.money
        assert "denied" == scene.status

    def test_a_second_paid_purchase_is_a_persons(self, scene: Lifetime) -> None:
        scene.pay()
        scene.company.start(P, amount=100)
        scene.company.pay(P)

        assert 200 == scene.notify().status_code
        (row,) = scene.rig.connector.requests.rows(state="manual")
        assert "notification" == row.operation
        assert "approved" == scene.status


def test_the_answer_to_a_company_is_json(rig: Rig) -> None:
    rig.add(name="shop")
    answer = rig.client.post("/webhooks/sandbox/shop", data=b"x")

    assert 404 == answer.status_code
    assert {"code", "message"} == set(json.loads(answer.data))


@pytest.mark.slow
@of(RUSTORE)
def test_the_company_is_answered_before_the_payment_is_looked_at(scene: Lifetime) -> None:
    """RuStore waits for three seconds only."""
    scene.begin()
    scene.company.pay(P)
    answered, looked = threading.Event(), threading.Event()

    def hook(operation: str, moment: str) -> None:
        if (operation, moment) == ("look", "before"):
            looked.set()
            assert answered.wait(20)

    scene.company.hook = hook
    with Served(scene.rig) as server:
        assert 200 == server.notify(scene.company, P).status_code
        answered.set()
        assert looked.wait(20)
