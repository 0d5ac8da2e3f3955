import threading
import time
from typing import Any

import pytest

from connector import merchants
from connector.domain.errors import NotAuthenticated, StorageUnavailable
from connector.domain.merchant import CapturedPolicy
from connector.merchants import Directory
from connector.storage.merchant_statements import TOUCH
from connector.storage.stored_merchant import Credentials
from tests.rig import Rig


def directory(rig: Rig) -> Directory:
    """A Directory of another process: it knows nothing of what this one changes."""
    return Directory(rig.connector.merchants)


def name_of(found_in: Directory, own: Credentials) -> str | None:
    try:
        return found_in.by_keys(own.app_key, own.app_token).name
    except NotAuthenticated:
        return None


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Directory ask the database each time."""
    monkeypatch.setattr(merchants, "FRESH_SECONDS", -1.0)


# Rotation and disabling.


@pytest.mark.usefixtures("at_once")
def test_two_tokens_are_live_and_a_third_ends_the_first(rig_on_both: Rig) -> None:
    rig = rig_on_both
    first = rig.add()
    found_in = directory(rig)
    second = rig.connector.merchants.rotate_token("shop")
    assert ["shop", "shop"] == [name_of(found_in, one) for one in (first, second)]
    third = rig.connector.merchants.rotate_token("shop")
    live = [name_of(found_in, one) for one in (first, second, third)]
    assert live == [None, "shop", "shop"]
    assert 1 == len({one.app_key for one in (first, second, third)})


def test_the_tokens_of_another_merchant_survive_a_rotation(rig_on_both: Rig) -> None:
    other = rig_on_both.add(name="other")
    rig_on_both.add()
    for _ in range(3):
        rig_on_both.connector.merchants.rotate_token("shop")
    assert name_of(directory(rig_on_both), other) == "other"


@pytest.mark.usefixtures("at_once")
def test_a_disabled_merchant_is_refused_and_still_found_by_its_id(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    merchant = found_in.by_keys(own.app_key, own.app_token)
    rig_on_both.connector.merchants.disable("shop")
    assert name_of(found_in, own) is None
    assert found_in.by_id(merchant.id).name == "shop"


# Changes of other processes.


def changes(rig: Rig) -> list[tuple[str, Any]]:
    stored = rig.connector.merchants
    policy = CapturedPolicy.MANUAL
    return [
        ("add", lambda: stored.add("new", "sandbox", {}, sandbox=False, captured=policy)),
        ("rotate", lambda: stored.rotate_token("shop")),
    ]


@pytest.mark.parametrize("change", ["add", "rotate"])
@pytest.mark.usefixtures("at_once")
def test_a_change_of_another_process_is_noticed(rig_on_both: Rig, change: str) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    assert name_of(found_in, own) == "shop"
    made = dict(changes(rig_on_both))[change]()
    assert name_of(found_in, made) == made.merchant


@pytest.mark.usefixtures("at_once")
def test_changed_settings_are_noticed(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    for value in ("old", "new"):
        rig_on_both.connector.merchants.update("shop", {"key": value})
        assert {"key": value} == found_in.by_keys(own.app_key, own.app_token).settings


@pytest.mark.slow
def test_a_change_arrives_within_5_seconds(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    assert name_of(found_in, own) == "shop"
    rig_on_both.connector.merchants.disable("shop")
    until = time.monotonic() + 5
    while name_of(found_in, own):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_two_changes_at_once_are_both_noticed(
    rig_on_both: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later of two transactions that began together commits after a Directory looked."""
    first, second = rig_on_both.add(name="first"), rig_on_both.add(name="second")
    found_in = directory(rig_on_both)
    monkeypatch.setattr(merchants, "FRESH_SECONDS", -1.0)
    assert name_of(found_in, second) == "second"
    database = rig_on_both.connector.database
    touched, looked = threading.Event(), threading.Event()

    def disable_slowly() -> None:
        with database.write() as connection:
            connection.run("UPDATE merchants SET disabled = :yes WHERE name = 'second'", yes=True)
            connection.run(TOUCH, name="second")
            touched.set()
            looked.wait(1)

    slow = threading.Thread(target=disable_slowly)
    slow.start()
    touched.wait(5)
    rig_on_both.connector.merchants.disable("first")
    assert name_of(found_in, first) is None
    looked.set()
    slow.join()
    assert name_of(found_in, second) is None


def test_between_two_looks_the_database_is_not_asked(rig: Rig) -> None:
    own = rig.add()
    found_in = directory(rig)
    assert name_of(found_in, own) == "shop"
    rig.execute("ALTER TABLE merchants RENAME TO gone")
    assert [name_of(found_in, own) for _ in range(20)] == ["shop"] * 20


def test_without_a_database_nobody_is_let_in(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    own = rig.add()
    found_in = directory(rig)
    assert name_of(found_in, own) == "shop"
    rig.execute("ALTER TABLE merchants RENAME TO gone")
    monkeypatch.setattr(merchants, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(merchants, "STALE_SECONDS", -1.0)
    with pytest.raises(StorageUnavailable):
        found_in.by_keys(own.app_key, own.app_token)


def test_fifty_requests_at_once_ask_the_database_once(rig: Rig) -> None:
    own = rig.add()
    found_in = directory(rig)
    asked: list[int] = []
    revision = rig.connector.merchants.revision
    rig.connector.merchants.revision = lambda: (asked.append(1), revision())[1]  # type: ignore[method-assign]
    found: list[str | None] = []
    ready = threading.Barrier(50)

    def ask() -> None:
        ready.wait()
        found.append(name_of(found_in, own))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["shop"] * 50, 1) == (found, len(asked))


# Merchants that connected themselves a moment ago.


def test_an_unknown_key_is_looked_for_once_more(
    rig_on_both: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    assert name_of(found_in, own) == "shop"
    monkeypatch.setattr(merchants, "MISSED_SECONDS", -1.0)
    new = rig_on_both.add(name="new")
    rotated = rig_on_both.connector.merchants.rotate_token("shop")
    assert [name_of(found_in, one) for one in (new, rotated)] == ["new", "shop"]


def test_strangers_cause_few_queries(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.add()
    found_in = directory(rig)
    stranger = Credentials("", "", "unknown", "token")
    asked: list[int] = []
    revision = rig.connector.merchants.revision
    monkeypatch.setattr(
        rig.connector.merchants, "revision", lambda: (asked.append(1), revision())[1]
    )
    now = [time.monotonic()]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(100):
        assert name_of(found_in, stranger) is None
    assert 1 == len(asked)
    now[0] += merchants.MISSED_SECONDS * 1.1
    for _ in range(100):
        assert name_of(found_in, stranger) is None
    assert 2 == len(asked)


def test_a_stranger_is_refused_though_the_database_is_away(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = rig.add()
    monkeypatch.setattr(merchants, "MISSED_SECONDS", -1.0)
    found_in = directory(rig)
    assert name_of(found_in, own) == "shop"
    rig.execute("ALTER TABLE merchants RENAME TO gone")
    assert name_of(found_in, Credentials("", "", own.app_key, "wrong")) is None
