"""Whatever ends between two steps of a flow, connecting again ends with one merchant."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from connector.domain.authorization import Connected
from connector.storage.database import Connection
from tests.rig import Rig
from tests.signup.flow import Person, cancel

# More than the statements of a connection.
MOST_STATEMENTS = 60


class PowerCutError(BaseException):
    """Ends a transaction as nothing in the code expects."""


@contextmanager
def power_cut(number: int) -> Iterator[list[bool]]:
    """Let the statement of that number end what runs. Yield whether that happened.

    A COMMIT does not count: the tests with a killed process end before it.
    """
    execute, left, is_cut = Connection._execute, [number], [False]

    def execute_or_end(connection: Connection, sql: str, values: dict[str, Any]) -> None:
        left[0] -= sql != "COMMIT"
        if left[0] == 0 and not is_cut[0]:
            is_cut[0] = True
            raise PowerCutError
        execute(connection, sql, values)

    with pytest.MonkeyPatch.context() as patch, suppress(PowerCutError):
        patch.setattr(Connection, "_execute", execute_or_end)
        yield is_cut


def assert_whole(rig: Rig, made: Connected, person: Person, merchants: int = 1) -> None:
    """Assert that there is one merchant, that one invitation was used, and that the pair works."""
    assert merchants == len(person.merchants())
    rows = rig.execute("SELECT merchant_id, token_id FROM authorizations")
    assert all(None not in row for row in rows)
    assert 200 == cancel(rig, person.gateway.pair(made.code))
    orphans = rig.execute(
        "SELECT 1 FROM merchant_tokens WHERE merchant_id NOT IN (SELECT id FROM merchants)"
    )
    assert [] == orphans


@pytest.mark.usefixtures("at_once")
def test_an_end_before_each_statement_leaves_all_or_nothing(person: Person) -> None:
    for number in range(1, MOST_STATEMENTS):
        store = f"store-{number}"
        token = person.gateway.begin(f"https://{store}.myvtex.com/back")
        invitation = person.invited(store)
        with power_cut(number) as is_cut:
            person.connect(token=token, invitation=invitation)
        if not is_cut[0]:
            break
        assert number - 1 == len(person.merchants())
        assert person.signup.invitation(invitation).used_at is None
        made = person.connect(token=token, invitation=invitation)
        assert (made.merchant, made.is_new) == (f"{store}-sandbox", True)
        assert 200 == person.gateway.credentials(made.code).status_code
    assert number > 12
    assert number == len(person.merchants())


@pytest.mark.usefixtures("at_once")
def test_an_end_before_each_statement_of_connecting_again_leaves_the_old_keys(
    person: Person, tranzzo: Any
) -> None:
    first = person.connect(tranzzo, invitation=person.invited())
    pair = person.gateway.pair(first.code)
    before = person.merchants()
    known = tranzzo.settings
    for number in range(1, MOST_STATEMENTS):
        token = person.gateway.begin()
        tranzzo.settings = {**known, "api_key": f"another-key-{number}"}
        with power_cut(number) as is_cut:
            person.connect(tranzzo, token=token)
        if not is_cut[0]:
            break
        assert before == person.merchants()
    assert number > 12
    (merchant,) = person.merchants()
    assert f"another-key-{number}" == merchant.settings["api_key"]
    tokens = person.rig.execute("SELECT id FROM merchant_tokens")
    assert 2 == len(tokens)
    assert 401 != cancel(person.rig, pair)


def process(rig: Rig, token: str, invitation: str, number: int = 0) -> subprocess.Popen[str]:
    """Start a process that is about to connect."""
    arguments = ["-m", "tests.signup.connecting_process", token, invitation, str(number)]
    environment = {**os.environ, **rig.environment}
    # A process that is killed may leave half a file of what it measured.
    environment.pop("COVERAGE_PROCESS_CONFIG", None)
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def go(started: subprocess.Popen[str]) -> None:
    assert started.stdin is not None
    started.stdin.write("\n")
    started.stdin.flush()


# Before the transaction, in it, before its COMMIT, and never.
@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("number", [1, 5, 9, 12, 15])
def test_a_killed_process_leaves_one_merchant_after_the_next_try(
    person: Person, number: int
) -> None:
    token, invitation = person.gateway.begin(), person.invited("mystore")
    killed = process(person.rig, token, invitation, number)
    go(killed)
    assert -signal.SIGKILL == killed.wait(30)
    killed.communicate()
    made = person.connect(token=token, invitation=invitation)
    assert_whole(person.rig, made, person)
    assert person.rig.connector.invitations.all()[0].used_at is not None


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
def test_an_answer_that_never_arrived_is_given_again(person: Person) -> None:
    token, invitation = person.gateway.begin(), person.invited("mystore")
    done = process(person.rig, token, invitation)
    go(done)
    told, _ = done.communicate(timeout=30)
    assert told.startswith("mystore-sandbox ")
    made = person.connect(token=token, invitation=invitation)
    pairs = {person.gateway.pair(code) for code in (told.split()[1], made.code)}
    assert (1, False) == (len(pairs), made.is_new)
    assert_whole(person.rig, made, person)


@pytest.mark.slow
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("is_one_flow", [True, False])
def test_two_processes_at_once_make_one_merchant(person: Person, is_one_flow: bool) -> None:
    person.rig.configure(CONNECTOR_SIGNUP="open")
    tokens = [person.gateway.begin()] * 2
    if not is_one_flow:
        tokens[1] = person.gateway.begin()
    both = [process(person.rig, token, "") for token in tokens]
    for started in both:
        go(started)
    told = [started.communicate(timeout=30)[0].split() for started in both]
    assert [0, 0] == [started.returncode for started in both]
    assert {"mystore-sandbox"} == {name for name, _ in told}
    pairs = {person.gateway.pair(code) for _, code in told}
    assert (1, 1 if is_one_flow else 2) == (len({key for key, _ in pairs}), len(pairs))
    assert 1 == len(person.merchants())
