"""A merchant's person sees that merchant only: at every address, and by every form.

The addresses come from the application, and the forms from an operator's pages. So a new page is
tried as soon as it is there.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from flask import Response
from sqlalchemy import Table

from connector import console
from connector.app import Connector
from connector.console.signin import COOKIE
from connector.pages.routes import Pages, not_found
from connector.storage.tables import metadata
from tests.companies.registry import CRYPTOMUS, TRANZZO
from tests.console.people import Person, sign_in, stranger
from tests.console.walk import crawl, filled, forms, rules, without_what_was_asked
from tests.rig import Rig

pytestmark = pytest.mark.slow

OURS, THEIRS = "toyshop", ("bakery", "coinshop")
# What a page may be asked for, besides its address.
QUERIES = ("q", "merchant", "status", "after")
# These say nothing of a merchant.
UNTOLD = {"sandbox", "RUB", "USD", "tranzzo", "cryptomus", "done", "manual", "cancel", "settle"}


@dataclass
class Street:
    """Three merchants. Ada is a person of one. `theirs` are the ids and names of the others."""

    rig: Rig
    theirs: list[str]
    # Some of them: of each kind at least one.
    samples: list[str]

    def rows(self, *, of_others: bool = False) -> dict[str, list[Any]]:
        """All rows; or the rows of the other merchants, and of none."""
        found = {}
        for table in metadata.sorted_tables:
            key = key_of(table)
            is_others = of_others and key in table.columns
            where = f" WHERE {key} IS NULL OR {key} != 1" if is_others else ""
            found[table.name] = self.rig.execute(f"SELECT * FROM {table.name}{where}")  # noqa: S608
        return found

    def strange_texts(self, page: str, address: str) -> list[str]:
        """The texts of the other merchants that a page tells without being asked for them."""
        page = without_what_was_asked(page, address)
        return [text for text in self.theirs if len(text) > 3 and text in page]


@pytest.fixture(scope="module")
def street(sqlite_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    folder = tmp_path_factory.mktemp("street")
    (folder / "connector.db").write_bytes(sqlite_template.read_bytes())
    url = f"sqlite:///{folder}/connector.db"
    with (
        Rig(url, folder, CONNECTOR_CONSOLE="on", CONNECTOR_ANSWER_SECONDS="2") as rig,
        TRANZZO.open() as bank,
        CRYPTOMUS.open() as coin,
    ):
        rig.use(bank)
        rig.use(coin)
        busy_day(rig, bank, coin)
        yield Street(rig, ids_of(rig, "!="), [*THEIRS, *ids_of(rig, "!=", most=1)])


def busy_day(rig: Rig, bank: Any, coin: Any) -> None:
    rig.add(bank, name=OURS)
    rig.create("OUR-payment-1", 31, OURS, transactionId="OUR-transaction-1", orderId="OUR-order-1")
    rig.add(bank, name=THEIRS[0])
    rig.add(coin, name=THEIRS[1], **CRYPTOMUS.settings)
    for number, merchant in ((1, THEIRS[0]), (2, THEIRS[0]), (3, THEIRS[1])):
        company, entry = (bank, TRANZZO) if merchant == THEIRS[0] else (coin, CRYPTOMUS)
        payment = f"THEIR-payment-{number}"
        ids = {"transactionId": f"THEIR-transaction-{number}", "orderId": f"THEIR-order-{number}"}
        rig.create(payment, 4711, merchant, currency=entry.currency, **ids)
        entry.payment(company, payment).pay()
        assert 200 == rig.notify(company, payment, merchant).status_code
        rig.settle(payment, 4711, f"THEIR-settle-{number}", merchant)
        if merchant == THEIRS[0]:
            assert (
                501 == rig.cancel(payment, f"THEIR-cancel-{number}", merchant=merchant).status_code
            )
        else:
            assert 500 == rig.refund(payment, 4711, "THEIR-refund", merchant).status_code
    sign_in(rig, "Mallory Their-Person", THEIRS[0])


def ids_of(rig: Rig, compared: str, most: int = 999) -> list[str]:
    """The names, the ids and the numbers of rows of our merchant, or of the others.

    Of each table, so many rows are read, the newest first.
    """
    found: dict[str, None] = {}
    for table in metadata.sorted_tables:
        key = key_of(table)
        columns = [column.name for column in table.columns if is_id(column.name)]
        if key in table.columns and columns:
            sql = f"SELECT {', '.join(columns)} FROM {table.name} WHERE {key} {compared} 1"  # noqa: S608
            sql += f" ORDER BY rowid DESC LIMIT {most}"
            found |= {str(value): None for row in rig.execute(sql) for value in row if value}
    numbers = {text for text in found if text.isdigit()}
    ours = set() if compared == "=" else set(ids_of(rig, "="))
    return [text for text in found if text not in UNTOLD | (numbers & ours)]


def key_of(table: Table) -> str:
    """The column that says whose a row is."""
    return "id" if table.name == "merchants" else "merchant_id"


def is_id(column: str) -> bool:
    return column in {"id", "name", "app_key", "reference"} or column.endswith("_id")


@pytest.fixture
def ada(street: Street) -> Person:
    return sign_in(street.rig, "Ada", OURS)


def test_no_address_with_anything_of_another_merchant_is_found(street: Street, ada: Person) -> None:
    before, proof = street.rows(), ada.proof()
    fillers = [OURS, "OUR-payment-1", THEIRS[0], "THEIR-payment-1"]
    tried = 0
    for rule in rules(street.rig):
        for address in filled(rule, street.samples, fillers):
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                form = {"csrf_token": proof, "merchant": THEIRS[0], "payment": "THEIR-payment-1"}
                answer = ada.client.open(
                    address, method=method, data=form if method == "POST" else None
                )
                assert 404 == answer.status_code, f"{method} {address}"
                assert [] == street.strange_texts(answer.text, address), f"{method} {address}"
                tried += 1
    assert tried > 20
    assert before == street.rows()


def test_no_page_tells_anything_of_another_merchant(street: Street, ada: Person) -> None:
    for rule in rules(street.rig):
        if rule.arguments or "GET" not in (rule.methods or set()):
            continue
        addresses = [rule.rule]
        addresses += [f"{rule.rule}?{name}={value}" for name in QUERIES for value in street.samples]
        for address in addresses:
            answer = ada.get(address)
            assert answer.status_code in {200, 302, 400, 404, 410}, address
            assert [] == street.strange_texts(answer.text, address), address


def test_no_page_in_reach_tells_anything_of_another_merchant(street: Street, ada: Person) -> None:
    for address in crawl(ada):
        answer = ada.get(address)
        assert [] == street.strange_texts(answer.text, address), address


def test_no_form_of_an_operator_works_for_a_merchants_person(street: Street, ada: Person) -> None:
    found = [form for form in forms(crawl(sign_in(street.rig))) if not is_ours(street, form)]
    assert found
    before = street.rows()
    for form in found:
        answer = ada.post(form.action, **{**form.fields, "csrf_token": ada.proof()})
        assert 404 == answer.status_code, form
        assert before == street.rows(), form


def is_ours(street: Street, form: Any) -> bool:
    values = {*form.action.split("/"), *form.fields.values()}
    return OURS in values and not values & set(street.theirs)


def test_no_form_of_ours_reaches_another_merchant(street: Street, ada: Person) -> None:
    before = street.rows(of_others=True)
    for form in forms(crawl(ada)):
        for name in form.fields.keys() - {"csrf_token"}:
            for value in street.samples:
                fields = {**form.fields, name: value, "csrf_token": ada.proof()}
                answer = ada.post(form.action, **fields)
                address = f"{form.action}?{value}"
                assert [] == street.strange_texts(answer.text, address), (form, name)
        assert before == street.rows(of_others=True), form


def test_a_stranger_finds_nothing_and_changes_nothing(street: Street) -> None:
    nobody = stranger(street.rig)
    before = street.rows()
    fillers = [THEIRS[0], "THEIR-payment-1"]
    for rule in rules(street.rig):
        if rule.rule == "/console/sign-in":
            continue
        for address in [*filled(rule, fillers, fillers)] or [rule.rule]:
            for method in sorted((rule.methods or set()) - {"OPTIONS"}):
                answer = nobody.client.open(address, method=method)
                assert 401 == answer.status_code, f"{method} {address}"
                assert [] == street.strange_texts(answer.text, address), f"{method} {address}"
    assert before == street.rows()


def test_without_the_other_merchants_every_page_is_the_same(
    street: Street, ada: Person, tmp_path: Path
) -> None:
    with Rig(copy_without_others(street.rig, tmp_path), tmp_path, CONNECTOR_CONSOLE="on") as alone:
        ada_alone = Person(alone.client)
        ada_alone.client.set_cookie(COOKIE, ada.cookie, path="/console")
        pages = crawl(ada)
        assert pages.keys() == crawl(ada_alone).keys()
        for address in pages:
            assert any(is_same(ada, ada_alone, address) for _ in range(3)), address


def copy_without_others(rig: Rig, folder: Path) -> str:
    """Copy the database, and delete all of the other merchants from the copy."""
    path = folder / "alone.db"
    with closing(sqlite3.connect(path)) as copy:
        with closing(sqlite3.connect(rig.connector.database.engine.url.database or "")) as whole:
            whole.backup(copy)
        for table in metadata.sorted_tables:
            key = key_of(table)
            if key in table.columns:
                copy.execute(f"DELETE FROM {table.name} WHERE {key} != 1")  # noqa: S608
        copy.commit()
    return f"sqlite:///{path}"


def is_same(one: Person, other: Person, address: str) -> bool:
    """Whether a page shows two people the same, but for their proofs and their sessions."""
    texts = [person.get(address).text for person in (one, other)]
    first, second = (
        re.sub(r'<input[^>]*"csrf_token"[^>]*>|The session ends at .*', "", text) for text in texts
    )
    return first == second


def tell_all(routes: Pages, connector: Connector) -> None:
    """Add a list that does not ask who looks."""
    routes.add_url_rule(
        "/console/leak", "leak", lambda: " ".join(row.merchant for row in connector.requests.rows())
    )


def tell_one(routes: Pages, _: Connector) -> None:
    """Add a page of one merchant that does not ask who looks."""
    routes.add_url_rule("/console/leak/<merchant>", "leak", lambda **_: "found")


def count_all(routes: Pages, connector: Connector) -> None:
    """Show a number that does not ask who looks, on each page."""

    @routes.after_request
    def count(response: Response) -> Response:
        if response.mimetype == "text/html":
            response.set_data(response.get_data() + str(len(connector.requests.rows())).encode())
        return response


def change_one(routes: Pages, connector: Connector) -> None:
    """Add a form that changes a merchant and says that there is nothing."""

    @routes.post("/console/leak/<merchant>")
    def leak(merchant: str) -> None:
        if merchant in THEIRS:
            connector.merchants.record(merchant, "a stranger", "leak")
        not_found()


@pytest.mark.parametrize(
    ("leak", "test"),
    [
        (tell_all, test_no_page_tells_anything_of_another_merchant),
        (tell_one, test_no_address_with_anything_of_another_merchant_is_found),
        (count_all, test_without_the_other_merchants_every_page_is_the_same),
        (change_one, test_no_address_with_anything_of_another_merchant_is_found),
    ],
)
def test_a_page_that_does_not_ask_who_looks_is_found_out(
    street: Street, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, leak: Any, test: Any
) -> None:
    monkeypatch.setattr(console, "_ROOMS", (*console._ROOMS, leak))
    monkeypatch.setattr(street.rig, "_app", None)
    folder = [tmp_path] if "tmp_path" in signature(test).parameters else []
    with pytest.raises(AssertionError):
        test(street, sign_in(street.rig, "Ada", OURS), *folder)
