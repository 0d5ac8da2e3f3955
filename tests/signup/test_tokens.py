"""Which AppTokens are live, and how long VTEX may fetch one."""

from typing import Any

import pytest

from connector import merchants
from connector.domain.errors import StorageUnavailable
from connector.merchants import Directory
from connector.storage import authorizations
from connector.storage.stored_merchant import Credentials, digest
from tests.rig import Rig
from tests.signup.flow import Person, cancel
from tests.test_merchants import name_of

Pair = tuple[str, str]


def is_live(rig: Rig, pair: Pair) -> bool:
    """Ask a Directory of another process, which records no use."""
    found_in = Directory(rig.connector.merchants)
    found_in._note_use = lambda *_: None  # type: ignore[method-assign]
    return name_of(found_in, Credentials("", "", *pair)) is not None


def fetched(person: Person) -> Pair:
    """Connect, and fetch the pair, as VTEX does."""
    invitation = "" if person.merchants() else person.invited()
    return person.gateway.pair(person.connect(invitation=invitation).code)


def abandoned(person: Person) -> Pair:
    """Connect, and go away before VTEX fetches the pair. Return what nobody has."""
    person.connect()
    rows = person.rig.execute("SELECT digest FROM merchant_tokens ORDER BY id DESC LIMIT 1")
    return "", rows[0].digest


@pytest.mark.usefixtures("at_once")
def test_ten_abandoned_flows_leave_the_used_token_live(person: Person) -> None:
    used = fetched(person)
    assert 200 == cancel(person.rig, used)
    for _ in range(10):
        fetched(person)
    assert is_live(person.rig, used)
    assert 200 == cancel(person.rig, used, "P2")


def test_ten_abandoned_flows_leave_a_token_that_vtex_fetched_live(person: Person) -> None:
    """VTEX has it, and nobody has bought anything yet."""
    pair = fetched(person)
    for _ in range(10):
        abandoned(person)
    assert is_live(person.rig, pair)


def test_ten_abandoned_flows_leave_the_token_of_a_command_live(person: Person) -> None:
    own = person.rig.add()
    person.rig.connector.merchants.update("shop", store="mystore")
    for _ in range(10):
        fetched(person)
    assert is_live(person.rig, (own.app_key, own.app_token))


@pytest.mark.usefixtures("at_once")
def test_a_bounded_number_of_tokens_is_live(person: Person) -> None:
    first = fetched(person)
    cancel(person.rig, first)
    for _ in range(5):
        fetched(person)
    for _ in range(3):
        abandoned(person)
    (entry,) = person.rig.connector.merchants.all()
    assert merchants.LIVE_TOKENS == len(entry.digests)


@pytest.mark.usefixtures("at_once")
def test_a_command_still_ends_a_stolen_token(person: Person) -> None:
    stolen = fetched(person)
    assert 200 == cancel(person.rig, stolen)
    for _ in range(2):
        person.rig.connector.merchants.rotate_token("mystore-sandbox")
    assert not is_live(person.rig, stolen)


@pytest.mark.usefixtures("at_once")
def test_the_two_newest_are_live_after_a_use_of_the_newest(person: Person) -> None:
    pairs = [fetched(person)]
    cancel(person.rig, pairs[0])
    pairs.append(fetched(person))
    cancel(person.rig, pairs[1], "P2")
    assert [True, True] == [is_live(person.rig, pair) for pair in pairs]
    pairs.append(fetched(person))
    assert [False, True, True] == [is_live(person.rig, pair) for pair in pairs]


# The sealed AppToken.


def sealed(rig: Rig) -> list[bool]:
    rows = rig.execute("SELECT sealed IS NOT NULL AS is_sealed FROM merchant_tokens ORDER BY id")
    return [bool(row.is_sealed) for row in rows]


@pytest.mark.usefixtures("at_once")
def test_the_pair_is_kept_until_it_is_used(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    pairs = {person.gateway.pair(made.code) for _ in range(5)}
    assert (1, [True]) == (len(pairs), sealed(person.rig))
    assert 200 == cancel(person.rig, pairs.pop())
    assert ([False], 410) == (
        sealed(person.rig),
        person.gateway.credentials(made.code).status_code,
    )


@pytest.mark.usefixtures("at_once")
def test_the_use_of_another_token_leaves_the_pair(person: Person) -> None:
    old = fetched(person)
    made = person.connect()
    assert 200 == cancel(person.rig, old)
    assert ([False, True], 200) == (
        sealed(person.rig),
        person.gateway.credentials(made.code).status_code,
    )


@pytest.mark.usefixtures("at_once")
def test_a_refused_request_is_no_use(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    app_key, app_token = person.gateway.pair(made.code)
    assert 401 == cancel(person.rig, (app_key, app_token + "x"))
    person.rig.connector.merchants.disable(made.merchant)
    assert 401 == cancel(person.rig, (app_key, app_token))
    assert [True] == sealed(person.rig)


def test_the_pair_is_forgotten_when_its_time_is_over(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    pair = person.gateway.pair(made.code)
    with person.rig.connector.database.write() as connection:
        connection.run("UPDATE merchant_tokens SET sealed_until = 1")
    assert 410 == person.gateway.credentials(made.code).status_code
    person.rig.connector.reconciler.run_once()
    assert [False] == sealed(person.rig)
    assert is_live(person.rig, pair)


def test_a_token_is_sealed_as_long_as_its_last_code_may_live(person: Person) -> None:
    person.connect(invitation=person.invited())
    ((left,),) = person.rig.execute(
        "SELECT sealed_until - authorizations.expires_at FROM merchant_tokens, authorizations"
    )
    assert left == pytest.approx(authorizations.CODE_SECONDS)


# The first use is recorded without a query for each request.


@pytest.fixture
def noted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The digests whose first use was recorded."""
    digests: list[str] = []
    note_use = rig.connector.merchants.note_use

    def note(merchant_id: int, app_token: str) -> None:
        digests.append(app_token)
        note_use(merchant_id, app_token)

    monkeypatch.setattr(rig.connector.merchants, "note_use", note)
    return digests


def test_the_first_use_is_recorded_once_in_a_process(rig: Rig, noted: list[str]) -> None:
    pair = fetched(Person(rig))
    assert [200] * 5 == [cancel(rig, pair, f"P{number}") for number in range(5)]
    assert [digest(pair[1])] == noted


def test_the_use_of_a_commands_token_is_not_recorded(rig: Rig, noted: list[str]) -> None:
    own = rig.add()
    assert 200 == cancel(rig, (own.app_key, own.app_token))
    assert [] == noted


def test_a_use_that_cannot_be_recorded_changes_no_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, log_lines: list[dict[str, Any]]
) -> None:
    pair = fetched(Person(rig))

    def fail(*_: object) -> None:
        raise StorageUnavailable

    note_use = rig.connector.merchants.note_use
    monkeypatch.setattr(rig.connector.merchants, "note_use", fail)
    assert 200 == cancel(rig, pair)
    assert "a first use was not recorded" in [line["event"] for line in log_lines]
    assert [True] == sealed(rig)
    monkeypatch.setattr(rig.connector.merchants, "note_use", note_use)
    assert 200 == cancel(rig, pair, "P2")
    assert [False] == sealed(rig)
