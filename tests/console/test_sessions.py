"""Who holds a session, for how long, and what a stolen cookie or another site can do with it."""

import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.storage.console_access import ConsoleAccess
from connector.storage.stored_merchant import digest
from tests.console.people import ANY_PAGE, Person, code_for, sign_in, stranger
from tests.rig import Rig

SESSION, FORM = "connector_console", "connector_form"
HOUR = 3600


def is_in(person: Person) -> bool:
    """Whether a person is signed in: then a page that does not exist is not found."""
    status = person.get(ANY_PAGE).status_code
    assert status in {401, 404}
    return status == 404


def seen_at(rig: Rig) -> float:
    return float(rig.execute("SELECT seen_at FROM console_sessions")[0][0])


def let_pass(rig: Rig, seconds: float, column: str = "seen_at") -> None:
    rig.execute(f"UPDATE console_sessions SET {column} = {column} - {seconds}")  # noqa: S608


def revoke(rig: Rig, **whose: Any) -> None:
    ConsoleAccess(rig.connector.database).revoke(by="an operator", **whose)


# The cookie.


def test_the_cookie_is_for_the_console_alone_and_for_no_script(desk: Rig) -> None:
    person = stranger(desk)
    (cookie,) = cookies_of(person.open(code_for(desk)), SESSION)
    assert {"HttpOnly", "Path=/console", "SameSite=Lax"} == set(cookie.split("; ")[1:])
    assert 43 == len(person.cookie)


@pytest.mark.parametrize(
    ("address", "prefix", "path"),
    [("https://pay.example.com", "__Host-", "/"), ("http://127.0.0.1:8080", "", "/console")],
)
def test_behind_https_no_other_host_can_set_the_cookies(
    desk: Rig, address: str, prefix: str, path: str
) -> None:
    desk.configure(CONNECTOR_PUBLIC_URL=address)
    browser, code = Browser(stranger(desk).client, address), code_for(desk)
    page = browser.open(f"/console/sign-in?code={code}")
    started = browser.open("/console/sign-in", code=code, csrf_token=proof_in(page))
    (form,), (session,) = cookies_of(page, prefix + FORM), cookies_of(started, prefix + SESSION)
    assert [bool(prefix)] * 2 == ["Secure" in text.split("; ") for text in (form, session)]
    assert f"Path={path}" in session.split("; ")
    inside = browser.open(ANY_PAGE)
    assert 404 == inside.status_code
    ended = browser.open("/console/sign-out", csrf_token=proof_in(inside))
    assert (303, 401) == (ended.status_code, browser.open(ANY_PAGE).status_code)
    assert f"Path={path}" in cookies_of(ended, prefix + SESSION)[0].split("; ")


class Browser:
    """A browser at a public address."""

    def __init__(self, client: FlaskClient, address: str) -> None:
        self._client, self._address = client, address

    def open(self, path: str, **form: str) -> TestResponse:
        return self._client.open(
            path,
            method="POST" if form else "GET",
            base_url=self._address,
            data=form,
            headers={"Referer": f"{self._address}/console/"},
        )


def proof_in(page: TestResponse) -> str:
    return page.text.split('name="csrf_token" value="')[1].split('"')[0]


def cookies_of(answer: Any, name: str) -> list[str]:
    """Return the cookies of this name, and of a name that no other host can set."""
    starts = (f"{name}=", f"__Host-{name}=")
    return [text for text in answer.headers.getlist("Set-Cookie") if text.startswith(starts)]


def test_only_a_hash_of_a_code_and_of_a_cookie_is_stored(desk_on_both: Rig) -> None:
    code, person = code_for(desk_on_both), stranger(desk_on_both)
    person.open(code)
    rows = str(
        [
            desk_on_both.execute(f"SELECT * FROM {table}")  # noqa: S608
            for table in ("console_links", "console_sessions", "admin_events")
        ]
    )
    assert [False] * 2 == [secret in rows for secret in (code, person.cookie)]
    assert [True] * 2 == [digest(secret) in rows for secret in (code, person.cookie)]


def test_what_is_stored_opens_nothing(operator: Person, desk: Rig) -> None:
    stored, code = digest(operator.cookie), digest(code_for(desk))
    thief = stranger(desk)
    assert 410 == thief.get(f"/console/sign-in?code={code}").status_code
    thief.client.set_cookie(SESSION, stored, path="/console")
    assert not is_in(thief)


@pytest.mark.parametrize("cookie", ["x", "", "x" * 43, "\N{LATIN SMALL LETTER E WITH ACUTE}", '"'])
def test_a_cookie_that_nobody_was_given_opens_nothing(nobody: Person, cookie: str) -> None:
    nobody.client.set_cookie(SESSION, cookie, path="/console")
    assert not is_in(nobody)


def test_the_cookie_of_another_server_opens_nothing(
    operator: Person, sqlite_template: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "connector.db").write_bytes(sqlite_template.read_bytes())
    with Rig(f"sqlite:///{other}/connector.db", other, CONNECTOR_CONSOLE="on") as rig:
        thief = stranger(rig)
        thief.client.set_cookie(SESSION, operator.cookie, path="/console")
        assert (True, False) == (is_in(operator), is_in(thief))


# Fixation.


def test_a_session_that_was_planted_ends_when_a_person_signs_in(desk_on_both: Rig) -> None:
    attacker, victim = sign_in(desk_on_both, "Mallory"), stranger(desk_on_both)
    planted = attacker.cookie
    victim.client.set_cookie(SESSION, planted, path="/console")
    victim.open(code_for(desk_on_both))
    assert planted != victim.cookie
    assert (True, False) == (is_in(victim), is_in(attacker))


def test_a_proof_from_before_the_sign_in_is_refused_after_it(desk: Rig) -> None:
    person, code = stranger(desk), code_for(desk)
    old = person.proof(f"/console/sign-in?code={code}")
    old_cookie = person.client.get_cookie(FORM)
    person.open(code)
    assert person.client.get_cookie(FORM) is None
    person.get(ANY_PAGE)
    new_cookie = person.client.get_cookie(FORM)
    assert old_cookie
    assert new_cookie
    assert old_cookie.value != new_cookie.value
    assert 400 == person.client.post("/console/sign-out", data={"csrf_token": old}).status_code
    assert is_in(person)


# Other sites.


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_from_another_site_changes_nothing(operator: Person, site: str) -> None:
    answer = operator.post("/console/sign-out", headers={"Sec-Fetch-Site": site})
    assert (400, True) == (answer.status_code, is_in(operator))


@pytest.mark.parametrize("proof", [None, "", "x", "of another person"])
def test_a_form_without_the_persons_proof_changes_nothing(
    operator: Person, desk: Rig, proof: str | None
) -> None:
    if proof == "of another person":
        proof = sign_in(desk, "Mallory").proof()
    answer = operator.client.post("/console/sign-out", data={"csrf_token": proof or ""})
    assert (400, True) == (answer.status_code, is_in(operator))


def test_no_site_can_sign_a_browser_in_as_somebody_else(desk: Rig) -> None:
    code, person = code_for(desk, "Mallory"), stranger(desk)
    assert 400 == person.client.post("/console/sign-in", data={"code": code}).status_code
    assert 303 == person.open(code).status_code


# Its end.


@pytest.mark.parametrize(("column", "hours"), [("seen_at", 8), ("created_at", 7 * 24)])
def test_a_session_ends_by_itself(desk_on_both: Rig, column: str, hours: int) -> None:
    person = sign_in(desk_on_both)
    let_pass(desk_on_both, hours * HOUR - 30, column)
    assert is_in(person)
    let_pass(desk_on_both, hours * HOUR + 1, column)
    assert not is_in(person)


def test_a_page_notes_at_most_once_a_minute_that_a_person_was_seen(
    operator: Person, desk: Rig
) -> None:
    begin = seen_at(desk)
    is_in(operator)
    assert begin == seen_at(desk)
    let_pass(desk, 61)
    is_in(operator)
    assert begin == pytest.approx(seen_at(desk), abs=30)
    noted = seen_at(desk)
    is_in(operator)
    assert noted == seen_at(desk)


def test_a_person_is_told_when_the_session_ends(operator: Person, desk: Rig) -> None:
    page = operator.get(ANY_PAGE).text
    (row,) = desk.execute(
        "SELECT strftime('%Y-%m-%dT%H:%M', seen_at + 28800, 'unixepoch') FROM console_sessions"
    )
    assert f'datetime="{row[0]}' in page


def test_a_session_that_is_revoked_ends_at_once(desk_on_both: Rig) -> None:
    people = [sign_in(desk_on_both, name) for name in ("Ada", "Olga")]
    revoke(desk_on_both, session_id=1)
    assert [False, True] == [is_in(person) for person in people]
    revoke(desk_on_both)
    assert [False, False] == [is_in(person) for person in people]


def test_to_revoke_a_merchants_people_ends_their_links_too_and_nobody_elses(
    desk_on_both: Rig,
) -> None:
    for name in ("bakery", "toys"):
        desk_on_both.add(name=name)
    people = {name: sign_in(desk_on_both, merchant=name) for name in ("bakery", "toys")}
    codes = {name: code_for(desk_on_both, merchant=name) for name in people}
    bakery = desk_on_both.connector.merchants.find("bakery").merchant.id
    revoke(desk_on_both, merchant_id=bakery)
    assert [False, True] == [is_in(people[name]) for name in people]
    opened = [stranger(desk_on_both).get(f"/console/sign-in?code={codes[name]}") for name in people]
    assert [410, 200] == [page.status_code for page in opened]


def test_a_session_ends_with_its_merchant(desk: Rig, tmp_path: Path) -> None:
    desk.add(name="bakery")
    person, code = sign_in(desk, merchant="bakery"), code_for(desk, merchant="bakery")
    assert is_in(person)
    with sqlite3.connect(tmp_path / "connector.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DELETE FROM merchants")
    connection.close()
    assert not is_in(person)
    assert 410 == stranger(desk).get(f"/console/sign-in?code={code}").status_code


def test_ended_rows_are_dropped_after_a_month(desk_on_both: Rig) -> None:
    sign_in(desk_on_both)
    let_pass(desk_on_both, 31 * 24 * HOUR)
    desk_on_both.execute("UPDATE console_links SET expires_at = expires_at - 31 * 86400")
    code_for(desk_on_both)
    counts = "(SELECT count(*) FROM console_links), (SELECT count(*) FROM console_sessions)"
    assert [(1, 0)] == [tuple(row) for row in desk_on_both.execute(f"SELECT {counts}")]


# The log.


def test_no_secret_of_a_sign_in_is_logged_also_when_it_fails(desk: Rig, log: io.StringIO) -> None:
    person, code = stranger(desk), code_for(desk)
    path = f"/console/sign-in?code={code}"
    proof = person.proof(path)
    person.open(code)
    cookie = person.cookie
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        person.client.open(path, method=method, data={"code": code, "csrf_token": proof})
    desk.execute("ALTER TABLE console_links RENAME TO gone_links")
    desk.execute("ALTER TABLE console_sessions RENAME TO gone_sessions")
    statuses = [person.get(where).status_code for where in (path, ANY_PAGE)]
    assert [500, 500] == statuses
    lines = log.getvalue()
    assert json.loads(lines.splitlines()[-1])["http_status"] == 500
    assert [] == [secret for secret in (code, cookie, proof) if secret in lines]
