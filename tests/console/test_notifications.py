"""Notifications and callbacks: what is shown, and what a person may start."""

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from connector.console import notifications
from tests.companies.registry import RUSTORE, VARIANTS, YANDEX_PAY
from tests.console.people import Person, sign_in
from tests.console.reading import seen, text
from tests.operations.lifetime import ON_POSTGRESQL, Lifetime, P, lifetime, of
from tests.rig import Rig
from tests.sink import Sink
from tests.storage.plans import add_requests

PAGE = "/console/notifications"
CALLBACK = f"{PAGE}/callback/shop/{P}"
COMMANDS = {"console run notification", "console send callback", "console close"}
BOTH = (YANDEX_PAY, ON_POSTGRESQL)


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, sink: Sink) -> Iterator[Lifetime]:
    is_postgresql = request.param is ON_POSTGRESQL
    url = request.getfixturevalue("fresh_postgres_url" if is_postgresql else "sqlite_url")
    with Rig(url, tmp_path) as rig, lifetime(request.param, rig, sink) as scene:
        rig.configure(CONNECTOR_CONSOLE="on")
        yield scene


def runs(page: str) -> list[str]:
    """Return the addresses of the forms that run a notification."""
    return re.findall(rf'action="({PAGE}/run/[0-9a-f]+)"', page)


def run_again(person: Person) -> Any:
    """Run the newest notification once more, as its form on the list does."""
    page = text(person, PAGE)
    address, attempts = re.findall(
        rf'action="({PAGE}/run/[0-9a-f]+)".*?name="attempts" value="(\d+)"', page, re.DOTALL
    )[0]
    return person.post(address, page=PAGE, attempts=attempts)


def commands(scene: Lifetime) -> list[tuple[str, str]]:
    """Return who did what in the console."""
    rows = scene.rig.execute(
        "SELECT actor, command FROM admin_events WHERE command LIKE 'console %' ORDER BY id"
    )
    return [(actor, command) for actor, command in rows if command in COMMANDS]


def effects(scene: Lifetime) -> Any:
    return scene.money, dict(scene.company.effects), len(scene.sink.bodies)


def state(scene: Lifetime) -> str:
    ((found,),) = scene.rig.execute(
        "SELECT state FROM requests WHERE operation = 'notification' ORDER BY created_at LIMIT 1"
    )
    return str(found)


@of(*BOTH)
def test_the_lists_show_what_came_and_what_was_sent(scene: Lifetime) -> None:
    person = sign_in(scene.rig, "Anna")
    first = seen(text(person, PAGE))
    assert "No notification has come." in first
    assert "No callback waits to be sent." in first
    assert "No callback was sent." in first
    scene.pay()
    page = text(person, PAGE)
    shown = seen(page)
    ((word,),) = scene.rig.execute("SELECT word FROM events WHERE kind = 'notified'")
    for words in (word or "", "The payment is APPROVED", "taken by VTEX", "HTTP 200", "approved"):
        assert words in shown
    assert f'href="/console/payments/shop/{P}"' in page
    assert 1 == len(runs(page))


def finished(scene: Lifetime, end: str) -> None:
    """Lead a payment to an end, with a notification on the way."""
    scene.pay()
    if end == "cancelled":
        scene.rig.cancel(P)
    if end in {"settled", "refunded"}:
        assert 200 == scene.settle().status_code
    if end == "refunded":
        scene.refund()
        scene.finish()
        scene.rig.reconcile()


@pytest.mark.parametrize("end", ["paid", "cancelled", "settled", "refunded"])
@of(*VARIANTS)
def test_a_done_notification_that_runs_again_does_nothing(scene: Lifetime, end: str) -> None:
    """Also where a cancellation may return captured money by policy."""
    finished(scene, end)
    before = effects(scene)
    for sql in ("UPDATE merchants SET revision = 8", "UPDATE merchants SET captured = 'refund'"):
        scene.rig.execute(sql)
        scene.rig.configure()
        person = sign_in(scene.rig, "Anna")
        answer = run_again(person)
        assert 303 == answer.status_code
        assert "The notification has run since." in text(person, answer.location)
        scene.rig.reconcile()
    assert before == effects(scene)
    assert [("console: Anna", "console run notification")] * 2 == commands(scene)


@of(*BOTH)
def test_a_notification_that_found_nothing_does_its_work_when_it_runs_again(
    scene: Lifetime,
) -> None:
    scene.begin()
    assert 200 == scene.notify().status_code
    assert "done" == state(scene)
    scene.company.pay(P)
    run_again(sign_in(scene.rig, "Anna"))
    assert ["approved"] == [body["status"] for body in scene.sink.bodies]


@of(*BOTH)
def test_a_hold_of_a_payment_that_is_over_is_released_once(scene: Lifetime) -> None:
    scene.begin()
    scene.notify()
    scene.rig.execute("UPDATE payments SET status = 'CANCELLED', cancellation_id = 'c'")
    scene.company.pay(P)
    person = sign_in(scene.rig, "Anna")
    run_again(person)
    assert (0, 0, 0) == scene.money
    released = dict(scene.company.effects)
    run_again(person)
    assert released == scene.company.effects


@of(*BOTH)
def test_a_double_click_runs_a_notification_once(scene: Lifetime) -> None:
    scene.pay()
    person = sign_in(scene.rig, "Anna")
    page = text(person, PAGE)
    (address,) = runs(page)
    form = {"csrf_token": person.proof(PAGE), "attempts": "1"}
    answers = [person.client.post(address, data=form) for _ in range(3)]
    assert [303] * 3 == [answer.status_code for answer in answers]
    assert 1 == len(commands(scene))
    ((attempts,),) = scene.rig.execute(
        "SELECT attempts FROM requests WHERE operation = 'notification'"
    )
    assert 2 == attempts


@of(YANDEX_PAY)
def test_two_people_at_once_run_a_notification_once(scene: Lifetime) -> None:
    scene.begin()
    scene.notify()
    scene.rig.execute("UPDATE payments SET status = 'CANCELLED', cancellation_id = 'c'")
    scene.company.pay(P)
    person = sign_in(scene.rig, "Anna")
    (address,) = runs(text(person, PAGE))
    form = {"csrf_token": person.proof(PAGE), "attempts": "1"}
    second: list[int] = []

    def during_the_look(operation: str, moment: str) -> None:
        if (operation, moment) == ("look", "before") and not second:
            second.append(0)
            answer = person.client.post(address, data=form)
            second.append(answer.status_code)

    scene.company.hook = during_the_look
    assert 303 == person.client.post(address, data=form).status_code
    scene.company.hook = None
    assert [0, 303] == second
    assert 1 == len(commands(scene))
    assert (0, 0, 0) == scene.money


@of(*BOTH)
def test_a_notification_that_runs_is_not_started(scene: Lifetime) -> None:
    scene.pay()
    person = sign_in(scene.rig, "Anna")
    (address,) = runs(text(person, PAGE))
    scene.rig.execute("UPDATE requests SET state = 'running' WHERE operation = 'notification'")
    before = scene.rig.execute("SELECT * FROM requests")
    assert [] == runs(text(person, PAGE))
    assert "It runs at this moment." in text(person, address)
    assert 303 == person.post(address, page=PAGE, attempts="1").status_code
    assert before == scene.rig.execute("SELECT * FROM requests")
    assert [] == commands(scene)


@of(*BOTH)
def test_beside_the_work_of_a_person_nothing_is_returned_a_second_time(scene: Lifetime) -> None:
    scene.pay()
    scene.settle()
    scene.rig.cancel(P)
    rig, person = scene.rig, sign_in(scene.rig, "Anna")
    (address,) = runs(text(person, PAGE))
    (row,) = rig.connector.requests.rows(state="manual")
    ((row_id,),) = rig.execute("SELECT id FROM requests WHERE state = 'manual'")
    close = f"/console/close/{row_id}"
    answer = person.post(close, page=close, who="Anna", note="Returned in cash")
    assert (303, "cancel") == (answer.status_code, row.operation)
    assert [] == runs(text(person, PAGE))
    assert "the money could be returned twice" in text(person, address)
    before = effects(scene)
    person.post(address, page=PAGE, attempts="1")
    assert before == effects(scene)
    assert [("console: Anna", "console close")] == commands(scene)


@of(*BOTH)
def test_a_notification_waits_for_the_request_that_has_the_payment(scene: Lifetime) -> None:
    scene.begin()
    scene.notify()
    scene.company.pay(P)
    scene.rig.execute(
        "UPDATE payments SET lease_claim = 'x', lease_token = 'y', lease_until = 4000000000"
    )
    answer = run_again(person := sign_in(scene.rig, "Anna"))
    assert "It runs by itself in a moment" in text(person, answer.location)
    assert [] == scene.sink.bodies
    scene.rig.let_leases_end()
    scene.rig.reconcile()
    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    assert "The notification has run since." in text(person, answer.location)


@of(YANDEX_PAY)
def test_a_company_that_is_down_leaves_the_notification_to_reconcile(scene: Lifetime) -> None:
    scene.begin()
    scene.notify()
    scene.company.pay(P)
    scene.company.inject("status_before", "look", status=503)
    person = sign_in(scene.rig, "Anna")
    answer = run_again(person)
    assert 303 == answer.status_code
    assert "outcome-unknown" in text(person, answer.location)
    scene.rig.reconcile()
    assert ["approved"] == [body["status"] for body in scene.sink.bodies]


@of(YANDEX_PAY)
def test_a_company_that_is_switched_off_is_told(scene: Lifetime) -> None:
    scene.pay()
    address = runs(text(sign_in(scene.rig, "Anna"), PAGE))[0]
    scene.rig.configure(CONNECTOR_PROVIDERS="sandbox")
    person = sign_in(scene.rig, "Anna")
    before = scene.rig.execute("SELECT * FROM requests")
    assert [] == runs(text(person, PAGE))
    answers = [person.get(address), person.post(address, page=PAGE, attempts="1")]
    assert [200, 409] == [answer.status_code for answer in answers]
    assert all("This company is switched off here" in answer.text for answer in answers)
    assert before == scene.rig.execute("SELECT * FROM requests")


@of(YANDEX_PAY)
@pytest.mark.parametrize("attempts", ["", "x", "-1", "9" * 10])
def test_a_form_that_is_not_ours_runs_nothing(scene: Lifetime, attempts: str) -> None:
    scene.pay()
    person = sign_in(scene.rig, "Anna")
    (address,) = runs(text(person, PAGE))
    assert 400 == person.post(address, page=PAGE, attempts=attempts).status_code
    assert 400 == person.client.post(address, data={"attempts": "1"}).status_code
    assert [] == commands(scene)


@of(RUSTORE)
def test_each_of_two_purchases_runs_again_without_harm(scene: Lifetime) -> None:
    scene.pay()
    scene.company.start(P, amount=100)
    scene.company.pay(P)
    scene.notify()
    before = effects(scene)
    person = sign_in(scene.rig, "Anna")
    for address in runs(text(person, PAGE)):
        attempts = re.search(r'name="attempts" value="(\d+)"', text(person, address))
        assert attempts
        assert 303 == person.post(address, page=PAGE, attempts=attempts[1]).status_code
    assert before == effects(scene)
    assert 2 == len(commands(scene))


# Callbacks.


def due(scene: Lifetime, seconds: float = 3600) -> None:
    """Let VTEX refuse a callback, whose next try is in so many seconds."""
    scene.sink.inject("status_before", status=503)
    scene.pay()
    scene.sink.show()
    scene.sink.bodies.clear()
    with scene.rig.connector.database.write() as connection:
        connection.run("UPDATE payments SET callback_at = NOW + :seconds", seconds=seconds)


def send(person: Person, address: str = CALLBACK) -> Any:
    return person.post(address, page=PAGE)


@of(*BOTH)
def test_a_callback_whose_next_try_is_later_is_sent_now(scene: Lifetime) -> None:
    due(scene)
    person = sign_in(scene.rig, "Anna")
    page = text(person, PAGE)
    assert f'action="{CALLBACK}"' in page
    assert "HTTP 503" in seen(page)
    answer = send(person)
    assert 303 == answer.status_code
    assert ["approved"] == [body["status"] for body in scene.sink.bodies]
    shown = seen(text(person, answer.location))
    assert "VTEX's answer: taken by VTEX HTTP 200" in shown
    assert "none: no callback waits" in shown
    assert [("console: Anna", "console send callback")] == commands(scene)
    assert f'action="{CALLBACK}"' not in text(person, PAGE)


@of(*BOTH)
def test_a_callback_that_vtex_refuses_again_says_so_and_stays_due(scene: Lifetime) -> None:
    due(scene)
    scene.rig.execute("UPDATE payments SET callback_attempts = 20")
    scene.sink.inject("status_before", status=502, times=3)
    person = sign_in(scene.rig, "Anna")
    for _ in range(3):
        answer = send(person)
        assert "VTEX's answer: not taken HTTP 502" in seen(text(person, answer.location))
        # A person's tries are more than those of the day.
        ((attempts,),) = scene.rig.execute("SELECT callback_attempts FROM payments")
        assert 20 == attempts
    assert [] == scene.sink.bodies
    send(person)
    assert 1 == len(scene.sink.bodies)


@of(*BOTH)
def test_a_callback_that_another_sender_has_is_sent_once(scene: Lifetime) -> None:
    due(scene, seconds=20)
    person = sign_in(scene.rig, "Anna")
    answer = send(person)
    assert "It was not sent again" in text(person, answer.location)
    assert [] == scene.sink.bodies


@of(YANDEX_PAY)
def test_many_people_at_once_send_a_callback_once(scene: Lifetime) -> None:
    due(scene)
    people = [sign_in(scene.rig, name) for name in ("Anna", "Bob", "Cora")]
    forms = [(person, {"csrf_token": person.proof(PAGE)}) for person in people]
    statuses: list[int] = []

    def press(person: Person, form: dict[str, str]) -> None:
        statuses.append(person.client.post(CALLBACK, data=form).status_code)

    threads = [threading.Thread(target=press, args=one) for one in forms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {303, 429} >= set(statuses)
    assert 1 == len(scene.sink.bodies)


@of(YANDEX_PAY)
def test_few_people_act_at_a_time(scene: Lifetime, monkeypatch: pytest.MonkeyPatch) -> None:
    due(scene)
    person = sign_in(scene.rig, "Anna")
    made: list[Any] = []
    original = notifications.Bulkhead
    monkeypatch.setattr(
        notifications, "Bulkhead", lambda places: made.append(original(places)) or made[0]
    )
    scene.rig._app = None
    person = sign_in(scene.rig, "Anna")
    with ExitStack() as stack:
        for _ in range(notifications.ACTIONS):
            stack.enter_context(made[0].slot())
        made[0]._changed_at -= 60
        answer = send(person)
        assert (429, "1") == (answer.status_code, answer.headers["Retry-After"])
        assert 429 == run_again(person).status_code
    assert [] == scene.sink.bodies
    assert 303 == send(person).status_code
    assert 1 == len(scene.sink.bodies)


@of(YANDEX_PAY)
def test_a_payment_without_a_callback_has_nothing_to_send(scene: Lifetime) -> None:
    scene.pay()
    scene.sink.bodies.clear()
    person = sign_in(scene.rig, "Anna")
    assert "taken by VTEX HTTP 200" in seen(text(person, CALLBACK))
    answer = person.post(CALLBACK, page=PAGE)
    assert "It was not sent again" in text(person, answer.location)
    assert ([], []) == (scene.sink.bodies, commands(scene))


@of(YANDEX_PAY)
def test_another_merchants_rows_do_not_exist(scene: Lifetime) -> None:
    due(scene)
    scene.rig.add(name="other")
    scene.rig.configure()
    operator, stranger = sign_in(scene.rig, "Anna"), sign_in(scene.rig, "Eve", "other")
    (address,) = runs(text(operator, PAGE))
    page = text(stranger, f"{PAGE}?merchant=shop")
    assert P not in page
    assert 'name="merchant"' not in page
    for theirs in (address, CALLBACK, CALLBACK.replace("shop", "other"), f"{PAGE}/run/x"):
        assert 404 == stranger.get(theirs).status_code
        assert 404 == stranger.post(theirs, page=PAGE, attempts="1").status_code
    assert P in text(sign_in(scene.rig, "Ada", "shop"), f"{PAGE}?merchant=other")
    assert [] == scene.sink.bodies
    assert [] == commands(scene)


@of(YANDEX_PAY)
def test_an_operator_chooses_a_merchant(scene: Lifetime) -> None:
    due(scene)
    scene.rig.add(name="other")
    scene.rig.configure()
    person = sign_in(scene.rig, "Anna")
    assert P in text(person, f"{PAGE}?merchant=shop")
    assert P not in text(person, f"{PAGE}?merchant=other")
    assert 400 == person.get(f"{PAGE}?merchant=nobody").status_code
    assert 400 == person.get(f"{PAGE}?after=x").status_code
    for path in (
        f"{PAGE}/callback/nobody/{P}",
        f"{PAGE}/callback/shop/a%20b",
        f"{PAGE}/callback/shop/P9",
    ):
        assert 404 == person.get(path).status_code


@of(YANDEX_PAY)
def test_pages_follow_each_other(scene: Lifetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifications, "ROWS_OF_A_PAGE", 1)
    scene.pay()
    old = {"id": "a" * 64, "operation": "notification", "payment_id": "P-old"}
    add_requests(scene.rig.connector.database, [old])
    person = sign_in(scene.rig, "Anna")
    page = text(person, PAGE)
    assert ("P-old" in page, P in page) == (False, True)
    older = re.findall(r'rel="next" href="([^"]+)"', page)
    assert 2 == len(older)
    second = text(person, older[0])
    assert ("P-old" in second, "Callbacks that" in second) == (True, False)
    last = text(person, older[1])
    assert "No callback was sent." in seen(last)
    assert "Notifications of companies" not in last
