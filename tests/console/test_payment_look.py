"""Look now: it asks the company, shows what it says, and changes nothing."""

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from connector.console import payment_look
from connector.console.payment_look import COMMAND
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.console.people import stranger
from tests.console.visitor import Visitor, steps
from tests.rig import Rig

PAGE = "/console/payments/shop/P1"
# The tables that a request of VTEX's or a notification changes.
TABLES = ("payments", "requests", "sends", "events", "merchants", "merchant_tokens")


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


def rows(rig: Rig) -> dict[str, list[Any]]:
    return {table: rig.execute(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608


def events(rig: Rig) -> list[tuple[str, str]]:
    found = rig.execute("SELECT actor, payment_id FROM admin_events WHERE command = :c", c=COMMAND)
    return [tuple(row) for row in found]


def note(page: str) -> str:
    """Return what the page says of the newest look, without marks."""
    (found,) = re.findall(r'<div class="note" role="status">(.*?)</div>', page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


@pytest.mark.parametrize(
    "state", ["unpaid", "paying", "held", "captured", "refunded", "voided", "declined"]
)
def test_a_look_changes_nothing_in_any_standing(
    rig_on_both: Rig, company: TranzzoCompany, state: str
) -> None:
    rig = rig_on_both
    rig.add(company)
    rig.create("P1")
    visitor = Visitor(rig)
    # Nobody tells the connector.
    company.create("P1", state=state)
    before, effects = rows(rig), dict(company.effects)
    answer = visitor.look("shop", "P1")
    assert (303, f"{PAGE}#look") == (answer.status_code, answer.headers["Location"])
    assert (before, effects) == (rows(rig), dict(company.effects))
    assert [("console: Anna", "P1")] == events(rig)
    page = visitor.text(PAGE)
    assert note(page).startswith("Tranzzo said")
    assert steps(page)[-1].startswith("Anna asked the company. Tranzzo said")
    # The company shows another standing than this connector knows, and that stays so.
    assert (before, effects) == (rows(rig), dict(company.effects))


def test_the_amounts_at_the_company_are_shown(rig: Rig) -> None:
    with YandexPayCompany() as company:
        rig.add(company)
        rig.create("P1")
        company.pay("P1")
        visitor = Visitor(rig)
        visitor.look("shop", "P1")
        shown = note(visitor.text(PAGE))
        assert "the money is held" in shown
        assert "Amount there RUB 100.00" in shown
        assert "HTTP 200" in shown
        assert " Anna , " in shown


def test_a_look_by_a_merchants_person_carries_its_name(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    Visitor(rig, "shop", name="Boris <b>").look("shop", "P1")
    assert [("console: Boris <b>", "P1")] == events(rig)
    assert "Boris &lt;b&gt;" in Visitor(rig).text(PAGE)


def test_a_company_that_is_switched_off_is_not_asked(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    rig.configure(CONNECTOR_PROVIDERS="sandbox")
    calls = len(company.calls)
    visitor = Visitor(rig)
    assert 303 == visitor.look("shop", "P1").status_code
    assert "could not be reached, or takes no calls" in note(visitor.text(PAGE))
    assert calls == len(company.calls)


@pytest.mark.parametrize(
    ("kind", "fault", "sentence"),
    [
        ("reset_before", {}, "gave no answer that says what happened"),
        ("slow_before", {"seconds": 5.0}, "gave no answer that says what happened"),
        ("status_before", {"status": 503}, "gave no answer that says what happened"),
        ("answer", {"body": b"<html>Down</html>"}, "cannot be read"),
    ],
)
def test_a_company_that_fails_has_a_clear_sentence(
    rig: Rig, company: TranzzoCompany, kind: str, fault: dict[str, Any], sentence: str
) -> None:
    rig.configure(CONNECTOR_ANSWER_SECONDS="2", CONNECTOR_PROVIDER_SECONDS="1")
    rig.add(company)
    rig.create("P1")
    before = rows(rig)
    company.inject(kind, "look", **fault)
    visitor = Visitor(rig)
    assert 303 == visitor.look("shop", "P1").status_code
    assert sentence in note(visitor.text(PAGE))
    assert before == rows(rig)


def test_wrong_and_missing_keys_have_a_clear_sentence(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    merchants = rig.connector.merchants
    settings = merchants.find("shop").merchant.settings
    merchants.update("shop", {**settings, "api_secret": "a-wrong-secret-of-the-merchant"})
    rig.configure()
    visitor = Visitor(rig)
    visitor.look("shop", "P1")
    page = visitor.text(PAGE)
    assert "does not accept the merchant's keys" in note(page)
    assert "a-wrong-secret" not in page
    assert "a-wrong-secret" not in str(rig.execute("SELECT * FROM admin_events"))


def test_a_full_bulkhead_is_said(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    visitor = Visitor(rig)
    provider = rig.connector.providers["tranzzo"]
    bulkhead = provider._http.bulkhead
    free, bulkhead._free, bulkhead._changed_at = bulkhead._free, 0, 0.0
    visitor.look("shop", "P1")
    bulkhead._free = free
    assert "Too many calls to Tranzzo are under way" in note(visitor.text(PAGE))


def test_a_person_looks_once_at_a_time_and_few_people_look(
    rig: Rig, company: TranzzoCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.add(company)
    rig.create("P1")
    anna, boris, clara = (Visitor(rig, name=name) for name in ("Anna", "Boris", "Clara"))
    monkeypatch.setattr(payment_look, "MOST_LOOKS", 2)
    held, is_asked = threading.Event(), threading.Semaphore(0)
    provider = rig.connector.providers["tranzzo"]
    look = type(provider).look

    def slow(self: Any, call: Any) -> Any:
        is_asked.release()
        assert held.wait(30)
        return look(self, call)

    monkeypatch.setattr(type(provider), "look", slow)
    statuses: list[int] = []
    threads = [
        threading.Thread(target=lambda who=who: statuses.append(who.look("shop", "P1").status_code))
        for who in (anna, boris)
    ]
    threads[0].start()
    assert is_asked.acquire(timeout=30)
    again = anna.look("shop", "P1")
    assert (429, "1") == (again.status_code, again.headers["Retry-After"])
    threads[1].start()
    assert is_asked.acquire(timeout=30)
    assert 429 == clara.look("shop", "P1").status_code
    held.set()
    for thread in threads:
        thread.join(30)
    assert [303, 303] == statuses
    assert 303 == clara.look("shop", "P1").status_code
    assert [f"console: {name}" for name in ("Anna", "Boris", "Clara")] == sorted(
        name for name, _ in events(rig)
    )


def test_a_look_needs_a_form_of_ours_and_a_viewer(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.create("P1")
    visitor = Visitor(rig)
    calls = len(company.calls)
    path = f"{PAGE}/look"
    answers = [
        visitor.person.client.post(path),
        visitor.person.client.post(path, data={"csrf_token": "x"}),
        visitor.person.post(path, page=PAGE, headers={"Sec-Fetch-Site": "cross-site"}),
        visitor.person.get(path),
        stranger(rig).client.post(path),
    ]
    assert [400, 400, 400, 404, 401] == [answer.status_code for answer in answers]
    assert (calls, []) == (len(company.calls), events(rig))


def test_nobody_looks_at_another_merchants_payment(rig: Rig, company: TranzzoCompany) -> None:
    rig.add(company)
    rig.add(name="other")
    rig.create("P1")
    rig.create("P2", merchant="other")
    visitor = Visitor(rig, "shop")
    calls = len(company.calls)
    for path in ("other/P2", "shop/P2", "other/P1", "nobody/P1", "shop/none"):
        address = f"/console/payments/{path}/look"
        assert 404 == visitor.person.post(address, page=PAGE).status_code
    assert (calls, []) == (len(company.calls), events(rig))


def test_a_payment_that_nobody_can_look_at_is_said(rig: Rig) -> None:
    with RuStore() as company:
        rig.add(company)
        rig.create("P1")
        visitor = Visitor(rig)
        visitor.look("shop", "P1")
        assert "No id of RuStore is known for this payment, so nobody was asked." in note(
            visitor.text(PAGE)
        )
        assert [] == company.calls
