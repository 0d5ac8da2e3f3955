"""People sign in by a link that is good once, and sign out."""

from typing import Any

import pytest

from tests.console.people import Person, code_for, sign_in, stranger
from tests.rig import Rig
from tests.storage.store import in_threads

SESSION = "connector_console"
FORM = "connector_form"


def events(rig: Rig) -> list[tuple[Any, ...]]:
    sql = "SELECT command, actor, merchant_id FROM admin_events WHERE command LIKE 'console %'"
    return [tuple(row) for row in rig.execute(f"{sql} ORDER BY id")]


def sessions(rig: Rig) -> int:
    return int(rig.execute("SELECT count(*) FROM console_sessions WHERE ended_at IS NULL")[0][0])


def test_a_link_shows_whom_it_signs_in_and_its_button_does_it(desk_on_both: Rig) -> None:
    person = stranger(desk_on_both)
    code = code_for(desk_on_both, "Olga Kim")
    page = person.get(f"/console/sign-in?code={code}")
    assert (200, True) == (page.status_code, "Olga Kim" in page.text)
    answer = person.open(code)
    assert (303, "/console/") == (answer.status_code, answer.headers["Location"])
    assert "Olga Kim" in person.get("/console/any").text
    assert [
        ("console link", "an operator", None),
        ("console sign-in", "console: Olga Kim", None),
    ] == events(desk_on_both)


def test_programs_that_open_a_link_do_not_spend_it(desk: Rig) -> None:
    person, code = stranger(desk), code_for(desk)
    for method in ("GET", "HEAD", "GET"):
        opened = person.client.open(f"/console/sign-in?code={code}", method=method)
        assert (200, []) == (opened.status_code, desk.execute("SELECT * FROM console_sessions"))
    assert 303 == person.open(code).status_code


def test_a_link_is_good_once_also_for_many_at_once(desk_on_both: Rig) -> None:
    code = code_for(desk_on_both)
    people = [stranger(desk_on_both) for _ in range(8)]
    proofs = [person.proof(f"/console/sign-in?code={code}") for person in people]

    def press(number: int) -> int:
        form = {"csrf_token": proofs[number], "code": code}
        return people[number].client.post("/console/sign-in", data=form).status_code

    assert [303, *[410] * 7] == sorted(in_threads(8, press))
    assert 1 == sessions(desk_on_both)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", ["used", "late", "unknown", "odd"])
def test_a_link_that_is_not_good_shows_how_to_get_a_new_one(
    desk: Rig, kind: str, method: str
) -> None:
    code = {"unknown": "x" * 43, "odd": "\0é'<\u202e"}.get(kind) or code_for(desk)
    if kind == "used":
        stranger(desk).open(code)
    if kind == "late":
        desk.execute("UPDATE console_links SET expires_at = expires_at - 601")
    before = sessions(desk)
    person = stranger(desk)
    proof = person.proof(f"/console/sign-in?code={code_for(desk)}")
    form = {"csrf_token": proof, "code": code}
    page = person.client.open(
        "/console/sign-in",
        method=method,
        **({"data": form} if method == "POST" else {"query_string": {"code": code}}),  # type: ignore[arg-type]
    )
    assert (410, True) == (page.status_code, "connector console link" in page.text)
    assert ("", before) == (person.cookie, sessions(desk))


def test_a_link_is_good_for_10_minutes(desk: Rig) -> None:
    code = code_for(desk)
    (row,) = desk.execute("SELECT expires_at - created_at FROM console_links")
    assert 600 == pytest.approx(row[0], abs=1)
    desk.execute("UPDATE console_links SET expires_at = expires_at - 590")
    assert 303 == stranger(desk).open(code).status_code


def test_who_signs_out_is_out(operator: Person, desk: Rig) -> None:
    cookie = operator.cookie
    answer = operator.post("/console/sign-out")
    assert (303, "/console/sign-in") == (answer.status_code, answer.headers["Location"])
    assert 200 == operator.get("/console/sign-in").status_code
    assert ("", 0) == (operator.cookie, sessions(desk))
    operator.client.set_cookie(SESSION, cookie, path="/console")
    assert 401 == operator.get("/console/any").status_code
    assert ("console sign-out", "console: Olga", None) == events(desk)[-1]


def test_a_merchants_person_is_shown_with_the_merchant(desk_on_both: Rig) -> None:
    desk_on_both.add(name="bakery")
    person = sign_in(desk_on_both, "Ada", "bakery")
    page = person.get("/console/any").text
    assert ("Ada" in page, "bakery" in page) == (True, True)
    (merchant,) = desk_on_both.execute("SELECT id FROM merchants WHERE name = 'bakery'")
    assert [merchant[0]] * 2 == [event[2] for event in events(desk_on_both)]


def test_a_disabled_merchants_person_still_sees_its_payments(desk: Rig) -> None:
    desk.add(name="bakery")
    person = sign_in(desk, merchant="bakery")
    desk.connector.merchants.disable("bakery")
    assert 404 == person.get("/console/any").status_code
    assert 404 == sign_in(desk, merchant="bakery").get("/console/any").status_code


@pytest.mark.parametrize("path", ["/console", "/console/", "/console/payments", "/console/x/y"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_stranger_is_shown_how_to_get_a_link_everywhere(
    nobody: Person, path: str, method: str
) -> None:
    page = nobody.client.open(path, method=method)
    assert (401, "text/html") == (page.status_code, page.mimetype)
    assert not {"WWW-Authenticate", "Location"} & set(page.headers.keys())
    assert ("connector console link" in page.text) == (method != "HEAD")


def test_the_consoles_address_without_its_slash_leads_to_it(operator: Person) -> None:
    assert "/console/" == operator.get("/console").headers["Location"]


def test_who_comes_back_to_a_link_that_signed_them_in_is_led_to_the_console(desk: Rig) -> None:
    person, code = stranger(desk), code_for(desk)
    person.open(code)
    page = person.get(f"/console/sign-in?code={code}")
    assert (410, True) == (page.status_code, 'href="/console/"' in page.text)
    assert "connector console link" not in page.text
    again = person.post("/console/sign-in", code=code)
    assert (410, True) == (again.status_code, 'href="/console/"' in again.text)
    assert "/console/" == person.get("/console/sign-in").headers["Location"]
    assert 1 == sessions(desk)
