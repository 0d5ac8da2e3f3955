"""The pages of the merchants: what they show, and what a person may do on them."""

import html
import itertools
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connector.console import merchants as pages
from connector.console.merchants_actions import staying
from connector.credential_probe import TRIES_AT_ONCE
from connector.storage.merchant_list import MerchantList
from connector.storage.stored_merchant import digest
from tests.companies.tranzzo import TranzzoCompany
from tests.console.people import Person, sign_in
from tests.console.test_overview import text_of
from tests.rig import Rig, headers

LIST = "/console/merchants"
SHOP = f"{LIST}/shop"
ROTATE = f"{SHOP}/rotate"
SWITCHES = ["disable", "enable"]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def shop(desk: Rig, company: TranzzoCompany) -> Rig:
    desk.add(company)
    desk.configure(CONNECTOR_PUBLIC_URL="https://pay.example.com")
    return desk


@pytest.fixture
def operator(shop: Rig) -> Person:
    return sign_in(shop)


@pytest.fixture
def owner(shop: Rig) -> Person:
    """A person of the merchant."""
    return sign_in(shop, "Petra", "shop")


def field_of(page: str, name: str) -> str:
    """Return the value of a field, by its id."""
    found = re.search(rf'<input [^>]*id="{name}"[^>]*>', page)
    assert found, f"no {name}"
    value = re.search(r'value="([^"]*)"', found[0])
    assert value
    return html.unescape(value[1])


def live(rig: Rig) -> tuple[str, ...]:
    (entry,) = (one for one in rig.connector.merchants.all() if one.merchant.name == "shop")
    return entry.digests


def events(rig: Rig) -> list[tuple[str, str]]:
    return [(one.actor, one.command) for one in rig.connector.merchants.detail("shop").events]


# What is shown


def test_the_list_shows_each_merchant_with_its_last_requests(shop: Rig, operator: Person) -> None:
    page = operator.get(LIST).text
    assert "never" in text_of(page)
    assert f'href="{SHOP}"' in page
    shop.cancel("P1")
    shop.execute("UPDATE merchants SET store = 'mystore'")
    words = text_of(operator.get(LIST).text)
    assert "shop store mystore Tranzzo enabled" in words
    assert 1 == words.count("never")


def test_the_list_is_searched_and_has_pages(
    shop: Rig, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        shop.add(name=name)
    monkeypatch.setattr(pages, "ROWS_OF_A_PAGE", 2)
    first = operator.get(LIST).text
    assert [f"{LIST}/a", f"{LIST}/b"] == re.findall(r'href="(/console/merchants/[^"#]+)"', first)
    (following,) = re.findall(r'href="([^"]+)" rel="next"', first)
    second = operator.get(html.unescape(following)).text
    assert f"{LIST}/c" in second
    assert SHOP in second
    assert 'rel="next"' not in second
    assert SHOP in operator.get(f"{LIST}?q=tranz").text
    assert "No merchant fits." in operator.get(f"{LIST}?q=%00nobody").text
    assert 200 == operator.get(f"{LIST}?after=%00%ED%A0%80\u0431").status_code


def test_without_a_merchant_the_list_says_what_to_do(desk: Rig) -> None:
    page = sign_in(desk).get(LIST).text
    assert "There is no merchant yet. Send an invitation" in page
    assert "/console/invitations" in page


def test_a_merchants_person_sees_only_that_merchant(shop: Rig, owner: Person) -> None:
    shop.add(name="other")
    page = owner.get(LIST).text
    assert SHOP in page
    assert "other" not in page
    assert "invit" not in page.lower()
    for path in ("", "/rotate", "/disable", "/enable"):
        assert 404 == owner.get(f"{LIST}/other{path}").status_code
    for path in ("/check", "/rotate", "/disable", "/enable"):
        answer = owner.post(f"{LIST}/other{path}", page=SHOP, newest=99)
        assert 404 == answer.status_code


def test_the_page_of_a_merchant_shows_no_value_of_a_setting(shop: Rig, owner: Person) -> None:
    page = owner.get(SHOP).text
    settings = shop.connector.merchants.find("shop").merchant.settings
    fingerprints = shop.connector.merchants.detail("shop").fingerprints
    for key, value in settings.items():
        assert len(value) < 8 or value not in page
        assert fingerprints[key] in page
    assert shop.merchants["shop"].app_key in page
    assert shop.merchants["shop"].app_token not in page
    assert "connector" in text_of(page)
    assert "add" in text_of(page)


def test_a_change_before_the_newest_events_is_told_as_earlier(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "before the changes below" not in owner.get(SHOP).text
    monkeypatch.setattr(pages, "MOST_EVENTS", 1)
    assert "before the changes below" in owner.get(SHOP).text


def test_the_address_for_notifications_is_shown_where_it_must_be_entered(
    shop: Rig, operator: Person
) -> None:
    assert "the company gets the address with each payment" in operator.get(SHOP).text
    shop.execute("UPDATE merchants SET provider = 'rustore'")
    address = field_of(operator.get(SHOP).text, "notification-url")
    assert "https://pay.example.com/webhooks/rustore/shop" == address
    shop.configure(CONNECTOR_PUBLIC_URL="")
    assert "CONNECTOR_PUBLIC_URL is not set" in sign_in(shop).get(SHOP).text


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("UPDATE merchants SET settings = 'x'", "No key of this connector decrypts"),
        ("UPDATE merchants SET settings_from = 'vtex'", "Secrets should come from VTEX"),
        ("UPDATE merchants SET provider = 'yandex_pay'", "These settings are missing: "),
    ],
)
def test_warnings_are_those_of_check(shop: Rig, change: str, text: str) -> None:
    shop.configure(CONNECTOR_PROVIDER_FIELDS="off")
    operator = sign_in(shop)
    assert "Warnings none" not in text_of(operator.get(SHOP).text)
    assert text not in operator.get(SHOP).text
    shop.execute(change)
    assert text in operator.get(SHOP).text
    assert "1 warning" in operator.get(LIST).text


def test_there_is_no_page_of_the_suites_merchant(shop: Rig) -> None:
    shop.configure(CONNECTOR_TEST_SUITE="on")
    shop.connector.directory.of_suite()
    operator = sign_in(shop)
    assert "test suite" not in operator.get(LIST).text
    assert 404 == operator.get(f"{LIST}/(test suite)").status_code


@pytest.mark.parametrize("name", ["nobody", "%00", "%ED%A0%80", "a" * 300, "<script>"])
def test_a_merchant_that_is_not_there_is_no_page(operator: Person, name: str) -> None:
    assert 404 == operator.get(f"{LIST}/{name}").status_code
    assert 404 == operator.post(f"{LIST}/{name}/check", page=SHOP).status_code


# Checking the keys


def checked(person: Person) -> str:
    answer = person.post(f"{SHOP}/check", page=SHOP)
    assert (303, SHOP) == (answer.status_code, answer.location)
    return text_of(person.get(SHOP).text)


def test_a_check_tells_what_the_company_said_once(
    shop: Rig, company: TranzzoCompany, owner: Person
) -> None:
    before = shop.execute("SELECT settings, revision FROM merchants")
    assert "The company accepted the keys." in checked(owner)
    assert "accepted the keys" not in owner.get(SHOP).text
    company.settings["api_secret"] = "another-secret"
    assert "The company refused the keys." in checked(owner)
    assert before == shop.execute("SELECT settings, revision FROM merchants")
    assert [("console: Petra", "check")] * 2 == events(shop)[:2]
    assert not company.effects


def test_a_check_says_that_the_company_cannot_be_reached(
    company: TranzzoCompany, owner: Person
) -> None:
    company.inject("reset_before", "look", times=9)
    assert "The company did not say if the keys are right." in checked(owner)


def test_a_check_tries_nothing_without_all_settings(
    shop: Rig, company: TranzzoCompany, owner: Person
) -> None:
    shop.connector.merchants.update("shop", {})
    assert "Settings are missing, so nothing was tried." in checked(owner)
    assert [] == company.calls


def test_only_so_many_keys_are_tried_at_once(shop: Rig, owner: Person) -> None:
    with ExitStack() as stack:
        for _ in range(TRIES_AT_ONCE):
            stack.enter_context(shop.connector.probe._tries["tranzzo"].slot())
        assert "Too many keys are being tried" in checked(owner)


def test_what_a_check_told_is_shown_at_its_merchant_only(shop: Rig, operator: Person) -> None:
    shop.add(name="other")
    operator.post(f"{SHOP}/check", page=SHOP)
    assert "accepted the keys" not in operator.get(f"{LIST}/other").text


# A new AppToken


def rotated(person: Person, newest: str | None = None) -> Any:
    form = newest or field_of(person.get(ROTATE).text, "newest")
    return person.post(ROTATE, page=ROTATE, newest=form)


def test_a_new_token_is_shown_once_and_both_tokens_work(shop: Rig, owner: Person) -> None:
    old = shop.merchants["shop"].app_token
    answer = rotated(owner)
    token = field_of(answer.text, "app-token")
    assert (200, "no-store") == (answer.status_code, answer.headers["Cache-Control"])
    assert {digest(old), digest(token)} == set(live(shop))
    assert token not in owner.get(SHOP).text
    assert token not in owner.get(ROTATE).text
    assert ("console: Petra", "rotate-token") == events(shop)[0]
    shop.configure()
    for app_token in (old, token):
        own = headers(shop.merchants["shop"]) | {"X-VTEX-API-AppToken": app_token}
        answer = shop.client.post("/payments/P1/cancellations", data=b"[", headers=own)
        assert 400 == answer.status_code


def test_reloading_the_answer_makes_no_other_token(shop: Rig, owner: Person) -> None:
    form = field_of(owner.get(ROTATE).text, "newest")
    token = field_of(rotated(owner, form).text, "app-token")
    before = live(shop)
    for _ in range(3):
        again = rotated(owner, form)
        assert 409 == again.status_code
        assert "this form was used already" in again.text
        assert token not in again.text
    assert before == live(shop)
    assert 1 == [command for _, command in events(shop)].count("rotate-token")
    # The page that says so has a form that is good again.
    assert 200 == rotated(owner, field_of(again.text, "newest")).status_code


def test_a_form_sent_many_times_at_once_makes_one_token(shop: Rig, owner: Person) -> None:
    form = {"newest": field_of(owner.get(ROTATE).text, "newest"), "csrf_token": owner.proof(ROTATE)}
    cookies = [owner.client._cookies]  # type: ignore[attr-defined]
    statuses: list[int] = []

    def send() -> None:
        client = shop.client
        client._cookies = cookies[0]  # type: ignore[attr-defined]
        statuses.append(client.post(ROTATE, data=form).status_code)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [200, *[409] * 5] == sorted(statuses)
    assert 2 == len(live(shop))


def test_whoever_misses_every_answer_does_not_lock_vtex_out(shop: Rig, owner: Person) -> None:
    for _ in range(5):
        assert 200 == rotated(owner).status_code
    assert digest(shop.merchants["shop"].app_token) in live(shop)
    shop.configure()
    assert 400 == shop.post("/payments/P1/cancellations", []).status_code


@pytest.mark.parametrize("marks", [*itertools.product(("", "used", "fetched"), repeat=3)])
def test_the_page_says_which_tokens_end(
    shop: Rig, owner: Person, marks: tuple[str, str, str]
) -> None:
    times = MerchantList(shop.connector.database, shop.connector.vault)
    shop.execute("DELETE FROM merchant_tokens")
    for number, mark in enumerate(marks, start=1):
        shop.execute(
            "INSERT INTO merchant_tokens (id, merchant_id, digest, created_at, used_at, fetched_at)"
            " VALUES (:id, 1, 'x', :id, :used, :fetched)",
            id=number, used=number if mark == "used" else None,
            fetched=number if mark == "fetched" else None,
        )  # fmt: skip
    page = owner.get(ROTATE).text
    promised = staying(times.tokens(1))
    assert len(promised) == page.count("stays valid</span>")
    assert 3 - len(promised) == page.count("ends at once")
    rotated(owner)
    assert promised == {token.id for token in times.tokens(1)[1:]}


@pytest.mark.parametrize("newest", ["", "x", "-1", "9" * 30, "\0"])
def test_a_rotation_needs_a_form_of_ours(shop: Rig, owner: Person, newest: str) -> None:
    before = live(shop)
    assert 400 == owner.post(ROTATE, page=ROTATE, newest=newest).status_code
    assert before == live(shop)


def test_a_form_of_another_site_rotates_nothing(shop: Rig, owner: Person) -> None:
    before = live(shop)
    newest = field_of(owner.get(ROTATE).text, "newest")
    assert 400 == owner.client.post(ROTATE, data={"newest": newest}).status_code
    assert before == live(shop)


# Disabling and enabling


def test_an_operator_disables_and_enables_a_merchant(shop: Rig, operator: Person) -> None:
    for action, is_disabled in (("disable", True), ("enable", False)):
        page = operator.get(f"{SHOP}/{action}")
        assert "within 5 seconds" in text_of(page.text)
        assert is_disabled is not shop.connector.merchants.find("shop").is_disabled
        for _ in range(2):
            answer = operator.post(f"{SHOP}/{action}", page=ROTATE)
            assert (303, SHOP) == (answer.status_code, answer.location)
        assert is_disabled is shop.connector.merchants.find("shop").is_disabled
        assert "already" in text_of(operator.get(f"{SHOP}/{action}").text)
    assert [("console: Olga", "enable"), ("console: Olga", "disable")] == events(shop)[:2]
    assert 3 == len(events(shop))


@pytest.mark.parametrize("action", SWITCHES)
def test_a_merchants_person_cannot_switch_the_merchant(
    shop: Rig, owner: Person, action: str
) -> None:
    shop.execute("UPDATE merchants SET disabled = :value", value=action == "enable")
    assert 404 == owner.get(f"{SHOP}/{action}").status_code
    assert 404 == owner.post(f"{SHOP}/{action}", page=SHOP).status_code
    assert f"{SHOP}/{action}" not in owner.get(SHOP).text
    assert (action == "enable") == shop.connector.merchants.find("shop").is_disabled
    assert action not in dict(map(reversed, events(shop)))


@pytest.mark.parametrize("path", ["", "/rotate", "/disable", "/enable"])
@pytest.mark.parametrize("language", ["ru", "uk", "es", "pt-BR"])
def test_every_page_is_there_in_every_language(operator: Person, path: str, language: str) -> None:
    page = operator.get(f"{SHOP}{path}?lang={language}")
    assert 200 == page.status_code
    assert f'<html lang="{language}">' in page.text


@pytest.mark.parametrize("path", [LIST, SHOP, ROTATE, f"{SHOP}/disable"])
def test_a_stranger_gets_no_page(nobody: Person, path: str) -> None:
    assert 401 == nobody.get(path).status_code
