"""The rows of flows: a bounded number, for a bounded time, and no flood harms another caller."""

import pytest

from connector.domain import authorization as told
from connector.domain.page_errors import TooManyRequests
from connector.storage import authorizations, invitations
from connector.storage.authorizations import Authorizations
from connector.storage.database import Database
from tests.signup.flow import RETURN_URL, Person

FLOODER, VTEX = "192.0.2.66", "198.51.100.1"


@pytest.fixture
def stored(person: Person) -> Authorizations:
    return person.rig.connector.authorizations


@pytest.fixture
def database(person: Person) -> Database:
    return person.rig.connector.database


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let less be too much."""
    monkeypatch.setattr(authorizations, "MOST_OF_STORE", 3)
    monkeypatch.setattr(authorizations, "MOST_OF_PEER", 6)
    monkeypatch.setattr(authorizations, "MOST_FLOWS", 12)


def begin(stored: Authorizations, peer: str, store: str = "mystore") -> str:
    return stored.begin(RETURN_URL, store, peer)


def count(person: Person, table: str = "authorizations") -> int:
    ((number,),) = person.rig.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(number)


def is_live(stored: Authorizations, token: str) -> bool:
    try:
        stored.find(token)
    except told.AuthorizationEnded:
        return False
    return True


def test_one_store_of_a_caller_has_a_bounded_number_of_flows(stored: Authorizations) -> None:
    for _ in range(3):
        begin(stored, VTEX)
    with pytest.raises(TooManyRequests) as caught:
        begin(stored, VTEX)
    assert caught.value.seconds > 1
    # Neither another store of this caller, nor this store at another caller.
    assert is_live(stored, begin(stored, VTEX, "other"))
    assert is_live(stored, begin(stored, FLOODER))


def test_one_caller_has_a_bounded_number_of_flows(person: Person, stored: Authorizations) -> None:
    for number in range(6):
        begin(stored, FLOODER, f"store-{number}")
    for number in range(6, 20):
        with pytest.raises(TooManyRequests):
            begin(stored, FLOODER, f"store-{number}")
    assert 6 == count(person)


def test_a_flood_of_several_callers_takes_no_flow_of_vtexs(
    person: Person, stored: Authorizations
) -> None:
    own = [begin(stored, VTEX, f"own-{number}") for number in range(2)]
    for peer in range(2):
        for number in range(6):
            try:
                begin(stored, f"192.0.2.{peer}", f"store-{number}")
            except TooManyRequests:
                break
    assert 12 == count(person)
    own.append(begin(stored, VTEX, "own-2"))
    assert [True] * 3 == [is_live(stored, token) for token in own]
    assert 12 == count(person)


def test_a_flood_ends_no_flow_that_is_connected(person: Person, stored: Authorizations) -> None:
    token = person.gateway.begin()
    person.connect(token=token, invitation=person.invited())
    for number in range(5):
        begin(stored, "192.0.2.1", f"store-{number}")
    for number in range(6):
        begin(stored, FLOODER, f"store-{number}")
    begin(stored, VTEX)
    assert is_live(stored, token)


def test_an_ipv6_site_is_one_caller(person: Person) -> None:
    for number in range(4):
        person.gateway.token(peer=f"2001:db8:1:{number}::1")
    assert 3 == count(person)
    person.gateway.token(peer="2001:db8:2::1")
    peers = person.rig.execute("SELECT DISTINCT peer FROM authorizations ORDER BY peer")
    assert ["2001:db8:1::/48", "2001:db8:2::/48"] == [row.peer for row in peers]


def test_flows_that_have_ended_go_and_make_room(
    person: Person, stored: Authorizations, database: Database
) -> None:
    for _ in range(3):
        begin(stored, VTEX)
    with database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = 1")
    begin(stored, VTEX)
    assert 1 == count(person)


def test_a_flow_whose_code_may_still_be_used_stays(
    person: Person, stored: Authorizations, database: Database
) -> None:
    made = person.connect(invitation=person.invited())
    with database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = NOW - 60")
    stored.purge()
    assert 200 == person.gateway.credentials(made.code).status_code
    with database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = NOW - 601")
    stored.purge()
    assert (0, 0) == (count(person), count(person, "authorization_codes"))
    assert 410 == person.gateway.credentials(made.code).status_code


def test_reconcile_removes_what_has_ended(person: Person, database: Database) -> None:
    person.gateway.begin()
    with database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = 1")
    person.rig.connector.reconciler.run_once()
    assert 0 == count(person)


def test_a_flow_has_a_bounded_number_of_codes(person: Person) -> None:
    token = person.gateway.begin()
    person.connect(token=token, invitation=person.invited())
    codes = [person.signup.connected(token).code for _ in range(8)]
    assert authorizations.MOST_CODES == count(person, "authorization_codes")
    statuses = [person.gateway.credentials(code).status_code for code in codes]
    assert (5, 200) == (statuses.count(200), statuses[-1])


@pytest.mark.parametrize(("seconds", "status"), [(590, 200), (601, 410)])
def test_a_code_lives_for_ten_minutes(
    person: Person, database: Database, seconds: int, status: int
) -> None:
    made = person.connect(invitation=person.invited())
    with database.write() as connection:
        connection.run("UPDATE authorization_codes SET expires_at = expires_at - :s", s=seconds)
    assert status == person.gateway.credentials(made.code).status_code


@pytest.mark.parametrize(("seconds", "is_there"), [(3590, True), (3601, False)])
def test_a_token_lives_for_an_hour(
    person: Person, stored: Authorizations, database: Database, seconds: int, is_there: bool
) -> None:
    token = person.gateway.begin()
    with database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = expires_at - :s", s=seconds)
    assert is_there is is_live(stored, token)


def test_invitations_that_ended_long_ago_go(person: Person, database: Database) -> None:
    person.invited()
    with database.write() as connection:
        connection.run(
            "UPDATE invitations SET expires_at = NOW - :s", s=invitations.KEPT_SECONDS + 1
        )
    person.invited()
    assert 1 == count(person, "invitations")


def test_a_return_address_moved_to_another_flow_cannot_be_read(
    stored: Authorizations, database: Database
) -> None:
    tokens = [begin(stored, VTEX, "other"), begin(stored, VTEX)]
    with database.write() as connection:
        connection.run(
            "UPDATE authorizations SET return_url ="
            " (SELECT return_url FROM authorizations ORDER BY id LIMIT 1)"
        )
    with pytest.raises(Exception, match="CONNECTOR_SECRET_KEYS"):
        stored.find(tokens[1])
