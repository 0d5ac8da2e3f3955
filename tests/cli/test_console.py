"""`connector console`: links, sessions and their end, as an operator runs the commands."""

import re
from datetime import datetime
from typing import Any

import pytest

from connector.cli.start import os_user
from tests.cli.shell import Operator
from tests.console.people import ANY_PAGE, Person, stranger

LINK = ["link", "name", "merchant", "expiresAt"]


def open_link(operator: Operator, *arguments: str) -> Person:
    """Sign a person in by a new link."""
    link = operator.json("console", "link", *arguments)["link"]
    person = stranger(operator.rig)
    assert 303 == person.open(link.split("?code=")[1]).status_code
    return person


@pytest.fixture
def desk(operator: Operator) -> Operator:
    operator.rig.configure(CONNECTOR_CONSOLE="on")
    operator.add("bakery")
    return operator


def events(operator: Operator) -> list[tuple[Any, ...]]:
    sql = "SELECT command, actor, merchant_id FROM admin_events WHERE command LIKE 'console %'"
    return [tuple(row) for row in operator.rig.execute(f"{sql} ORDER BY id")]


def test_a_link_is_an_operators_and_named_after_who_made_it(desk: Operator) -> None:
    made = desk.json("console", "link")
    assert LINK == list(made)
    assert (os_user(), None) == (made["name"], made["merchant"])
    assert re.fullmatch(r"http://127\.0\.0\.1:8080/console/sign-in\?code=[\w-]{43}", made["link"])
    seconds = datetime.fromisoformat(made["expiresAt"]).timestamp() - datetime.now().timestamp()  # noqa: DTZ005
    assert 590 < seconds < 601
    assert [("console link", os_user(), None)] == events(desk)


def test_a_link_of_a_merchants_person_shows_that_merchant(desk: Operator) -> None:
    made = desk.json("console", "link", "--merchant", "bakery", "--name", "Ada Lee")
    assert ("Ada Lee", "bakery") == (made["name"], made["merchant"])
    person = open_link(desk, "--merchant", "bakery", "--name", "Ada Lee")
    assert "bakery" in person.get(ANY_PAGE).text


@pytest.mark.parametrize(
    ("arguments", "public", "begin"),
    [
        ((), "", "http://127.0.0.1:8080/console/"),
        (("--bind", "127.0.0.1:9000"), "", "http://127.0.0.1:9000/console/"),
        ((), "https://pay.example.com", "https://pay.example.com/console/"),
    ],
)
def test_a_link_begins_with_the_address_of_the_server(
    desk: Operator, arguments: tuple[str, ...], public: str, begin: str
) -> None:
    result = desk.run("console", "link", *arguments, CONNECTOR_PUBLIC_URL=public)
    assert result.stdout.startswith(begin)
    assert "once, until" in result.stdout


@pytest.mark.parametrize("name", ["", " ", "a,b", "<i>", "x" * 65, "a\nb", "-"])
def test_a_name_that_is_none_is_refused(desk: Operator, name: str) -> None:
    assert "--name" in desk.fails("console", "link", "--name", name)
    assert [] == events(desk)


def test_a_link_for_an_unknown_merchant_is_refused(desk: Operator) -> None:
    assert "nobody" in desk.fails("console", "link", "--merchant", "nobody")
    assert [] == events(desk)


def test_the_sessions_are_listed_and_ended(desk: Operator) -> None:
    people = [open_link(desk, "--name", "Olga"), open_link(desk, "--merchant", "bakery")]
    rows = desk.json("console", "sessions")
    assert [(1, "Olga", None), (2, os_user(), "bakery")] == [
        (row["session"], row["name"], row["merchant"]) for row in rows
    ]
    assert ["session", "name", "merchant", "createdAt", "seenAt", "endsAt"] == list(rows[0])
    assert [{"session": 1, "name": "Olga", "merchant": None}] == desk.json("console", "revoke", "1")
    assert [401, 404] == [person.get(ANY_PAGE).status_code for person in people]
    assert [2] == [row["session"] for row in desk.json("console", "sessions")]
    assert [("console revoke", os_user(), None)] == events(desk)[-1:]


def test_all_sessions_and_links_end_together(desk: Operator) -> None:
    person = open_link(desk)
    unused = desk.json("console", "link", "--merchant", "bakery", "--name", "Ada")
    ended = [(row["session"], row["name"]) for row in desk.json("console", "revoke", "--all")]
    assert [(1, os_user()), (None, "Ada")] == ended
    assert 401 == person.get(ANY_PAGE).status_code
    assert 410 == stranger(desk.rig).open_page(unused["link"]).status_code
    assert [] == desk.json("console", "revoke", "--all")


def test_a_merchants_sessions_end_together(desk: Operator) -> None:
    people = [open_link(desk), open_link(desk, "--merchant", "bakery")]
    ended = desk.json("console", "revoke", "--merchant", "bakery")
    assert [(2, "bakery")] == [(row["session"], row["merchant"]) for row in ended]
    assert [404, 401] == [person.get(ANY_PAGE).status_code for person in people]


@pytest.mark.parametrize("arguments", [(), ("1", "--all"), ("--all", "--merchant", "bakery")])
def test_what_is_to_end_must_be_said_once(desk: Operator, arguments: tuple[str, ...]) -> None:
    assert "--merchant NAME" in desk.fails("console", "revoke", *arguments)


@pytest.mark.parametrize("session", ["1", "999"])
def test_a_session_that_is_not_live_is_named(desk: Operator, session: str) -> None:
    if session == "1":
        open_link(desk)
        desk.json("console", "revoke", session)
    assert f"no live session {session}" in desk.fails("console", "revoke", session)
