"""A proxy that knows people names them in a header. Nobody else can."""

import pytest
from werkzeug.test import TestResponse

from tests.console.people import ANY_PAGE, Person, sign_in, stranger
from tests.rig import Rig

HEADER, PROXY = "X-Forwarded-User", "10.0.0.7"


@pytest.fixture
def behind_a_proxy(rig: Rig) -> Rig:
    rig.configure(
        CONNECTOR_CONSOLE="on",
        CONNECTOR_CONSOLE_USER_HEADER=HEADER,
        CONNECTOR_CONSOLE_PEERS="10.0.0.0/29, fd00::7",
        CONNECTOR_PROXIES="127.0.0.1",
    )
    return rig


def ask(
    person: Person, name: str | None, peer: str = PROXY, path: str = ANY_PAGE, **headers: str
) -> TestResponse:
    named = {} if name is None else {HEADER: name.encode().decode("latin-1")}
    return person.get(path, headers={**headers, **named}, environ_base={"REMOTE_ADDR": peer})


@pytest.mark.parametrize("peer", [PROXY, f"::ffff:{PROXY}", "fd00::7"])
@pytest.mark.parametrize(
    "name", ["olga@example.com", "Ольга Ким", "CORP\\olga", "auth0|12", "O'Neil"]
)
def test_a_person_whom_the_proxy_names_is_an_operator(
    behind_a_proxy: Rig, name: str, peer: str
) -> None:
    page = ask(stranger(behind_a_proxy), name, peer)
    assert 404 == page.status_code
    assert name.replace("'", "&#39;") in page.text
    assert "/console/sign-out" not in page.text
    assert [] == behind_a_proxy.execute("SELECT * FROM console_sessions")


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.8", "::1", "", "unix"])
def test_a_name_from_anybody_else_is_ignored(behind_a_proxy: Rig, peer: str) -> None:
    person = stranger(behind_a_proxy)
    forged = {"X-Forwarded-For": PROXY, "Forwarded": f"for={PROXY}", "X-Real-IP": PROXY}
    assert 401 == ask(person, "olga", peer, **forged).status_code
    # A session is not disturbed by it.
    ada = sign_in(behind_a_proxy, "Ada")
    page = ask(ada, "olga", peer, **forged)
    assert (404, True, False) == (page.status_code, "Ada" in page.text, "olga" in page.text)


@pytest.mark.parametrize(
    "name", ["", " ", ".", "a,b", "olga,olga", "<b>", "x" * 65, "a\tb", "a\x7fb", "a\u202eb", 'a"b']
)
def test_a_name_that_is_none_is_refused_also_with_a_session(behind_a_proxy: Rig, name: str) -> None:
    for person in (stranger(behind_a_proxy), sign_in(behind_a_proxy)):
        assert 401 == ask(person, name).status_code


def test_bytes_that_are_no_text_are_no_name(behind_a_proxy: Rig) -> None:
    page = stranger(behind_a_proxy).get(
        ANY_PAGE, headers={HEADER: "olga\xff"}, environ_base={"REMOTE_ADDR": PROXY}
    )
    assert 401 == page.status_code


def test_behind_the_proxy_a_link_works_for_whom_the_proxy_does_not_name(
    behind_a_proxy: Rig,
) -> None:
    ada = sign_in(behind_a_proxy, "Ada")
    assert (404, True) == ((page := ask(ada, None)).status_code, "Ada" in page.text)


def test_without_the_setting_the_header_means_nothing(desk: Rig) -> None:
    assert 401 == ask(stranger(desk), "olga").status_code


def test_a_form_from_another_site_is_refused_there_too(behind_a_proxy: Rig) -> None:
    client = stranger(behind_a_proxy).client
    options = {"headers": {HEADER: "olga"}, "environ_base": {"REMOTE_ADDR": PROXY}}
    assert 400 == client.post("/console/any", **options).status_code  # type: ignore[arg-type]
