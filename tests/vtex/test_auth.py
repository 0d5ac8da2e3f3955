import hmac
import threading
import time
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from connector.domain.errors import NotAuthenticated, StorageUnavailable
from connector.domain.merchant import CapturedPolicy
from connector.storage import merchants as storage
from connector.storage.entries import Credentials
from connector.storage.merchant_statements import TOUCH
from connector.vtex import auth
from connector.vtex.auth import Directory
from tests.rig import Rig, headers


def directory(rig: Rig) -> Directory:
    """A Directory of another process: it knows nothing of what this one changes."""
    return Directory(rig.connector.merchants)


def name_of(found_in: Directory, credentials: dict[str, str]) -> str | None:
    try:
        return found_in.authenticate(Headers(credentials)).name
    except NotAuthenticated:
        return None


def with_token(credentials: Credentials, token: str) -> dict[str, str]:
    return headers(Credentials("", "", credentials.app_key, token))


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Directory ask the database each time."""
    monkeypatch.setattr(auth, "FRESH_SECONDS", -1.0)


# Headers.


@pytest.mark.parametrize("family", ["VTEX", "PROVIDER"])
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title, str])
def test_both_families_of_headers_open_whatever_their_case(
    rig: Rig, family: str, case: Any
) -> None:
    own = headers(rig.add(), family)
    cased = {case(name): value for name, value in own.items()}
    assert name_of(directory(rig), cased) == "shop"
    answer = rig.client.post("/payments/P1/cancellations", data=b"[", headers=cased)
    assert answer.status_code == 400


def test_the_merchant_of_the_key_is_found_and_no_other(rig: Rig) -> None:
    first, second = rig.add(name="first"), rig.add(name="second")
    found_in = directory(rig)
    assert name_of(found_in, headers(first)) == "first"
    assert name_of(found_in, headers(second)) == "second"
    assert name_of(found_in, with_token(first, second.app_token)) is None


def test_credentials_of_two_families_are_not_mixed(rig: Rig) -> None:
    own = rig.add()
    vtex, provider = headers(own), headers(own, "PROVIDER")
    halves = {
        "X-VTEX-API-AppKey": own.app_key,
        "X-PROVIDER-API-AppToken": own.app_token,
    }
    assert name_of(directory(rig), halves) is None
    wrong = dict.fromkeys(vtex, "wrong")
    assert name_of(directory(rig), {**wrong, **provider}) is None
    assert name_of(directory(rig), {**vtex, **dict.fromkeys(provider, "wrong")}) == "shop"
    empty = dict.fromkeys(vtex, "")
    assert name_of(directory(rig), {**empty, **provider}) == "shop"


@pytest.mark.parametrize("half", ["AppKey", "AppToken"])
@pytest.mark.parametrize(("whole", "other"), [("VTEX", "PROVIDER"), ("PROVIDER", "VTEX")])
@pytest.mark.parametrize("word", ["wrong", "own"])
def test_half_a_pair_beside_a_whole_one_is_nothing(
    rig: Rig, half: str, whole: str, other: str, word: str
) -> None:
    own = rig.add()
    name = f"X-{other}-API-{half}"
    beside = {name: headers(own, other)[name] if word == "own" else "wrong"}
    rest = {f"X-{other}-API-{one}": "" for one in ("AppKey", "AppToken") if one != half}
    for sent in (beside, beside | rest):
        assert name_of(directory(rig), {**sent, **headers(own, whole)}) == "shop"
        assert name_of(directory(rig), {**sent, **dict.fromkeys(headers(own, whole), "x")}) is None
        assert name_of(directory(rig), sent) is None


def wrong_credentials(own: Credentials) -> dict[str, dict[str, str]]:
    key, token = own.app_key, own.app_token
    pairs = {
        "none": ("", ""),
        "no token": (key, ""),
        "no key": ("", token),
        "unknown key": ("0" * 32, token),
        "wrong token": (key, "x" * len(token)),
        "cut token": (key, token[:-1]),
        "longer token": (key, token + "x"),
        "other case": (key, token.swapcase()),
        "spaced": (f" {key}", token),
        "digest for token": (key, storage.digest(token)),
        "key for token": (key, key),
        "latin-1": (key, "\xe9\xff"),
        "what nobody has": (key, "nobody"),
        "nobody": ("nobody", "nobody"),
    }
    names = ("X-VTEX-API-AppKey", "X-VTEX-API-AppToken")
    return {name: dict(zip(names, pair, strict=True)) for name, pair in pairs.items()}


@pytest.mark.parametrize("how", list(wrong_credentials(Credentials("", "", "k", "t"))))
def test_wrong_credentials_open_nothing(rig: Rig, how: str) -> None:
    wrong = wrong_credentials(rig.add())[how]
    assert name_of(directory(rig), wrong) is None
    answer = rig.client.post("/payments/P1/cancellations", data=b"{}", headers=wrong)
    assert (401, "unauthorized") == (answer.status_code, answer.get_json()["code"])


def test_no_merchant_opens_nothing(rig: Rig) -> None:
    found_in = directory(rig)
    assert name_of(found_in, {}) is None
    assert name_of(found_in, {"X-VTEX-API-AppKey": "nobody", "X-VTEX-API-AppToken": "x"}) is None


# The same work whoever asks.


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was compared and hashed, in the order it was."""
    done: list[str] = []
    compare, digest = hmac.compare_digest, storage.digest

    def counted_compare(given: str, known: str) -> bool:
        done.append("compare")
        return compare(given, known)

    def counted_digest(token: str) -> str:
        done.append("digest")
        return digest(token)

    monkeypatch.setattr(hmac, "compare_digest", counted_compare)
    monkeypatch.setattr(auth, "digest", counted_digest)
    return done


@pytest.mark.parametrize("rotations", [0, 1, 2])
@pytest.mark.parametrize("how", ["none", "unknown key", "wrong token", "right", "disabled"])
def test_every_attempt_costs_the_same_work(
    rig: Rig, work: list[str], how: str, rotations: int
) -> None:
    own = rig.add()
    for _ in range(rotations):
        own = rig.connector.merchants.rotate_token("shop")
    if how == "disabled":
        rig.connector.merchants.disable("shop")
    asked = {"right": headers(own), "disabled": headers(own), **wrong_credentials(own)}[how]
    found = name_of(directory(rig), asked)
    assert found == ("shop" if how == "right" else None)
    assert work == ["digest", "compare", "compare"]


# Rotation and disabling.


@pytest.mark.usefixtures("at_once")
def test_two_tokens_are_live_and_a_third_ends_the_first(rig_on_both: Rig) -> None:
    rig = rig_on_both
    first = rig.add()
    found_in = directory(rig)
    second = rig.connector.merchants.rotate_token("shop")
    assert ["shop", "shop"] == [name_of(found_in, headers(one)) for one in (first, second)]
    third = rig.connector.merchants.rotate_token("shop")
    live = [name_of(found_in, headers(one)) for one in (first, second, third)]
    assert live == [None, "shop", "shop"]
    assert 1 == len({one.app_key for one in (first, second, third)})


def test_the_tokens_of_another_merchant_survive_a_rotation(rig_on_both: Rig) -> None:
    other = rig_on_both.add(name="other")
    rig_on_both.add()
    for _ in range(3):
        rig_on_both.connector.merchants.rotate_token("shop")
    assert name_of(directory(rig_on_both), headers(other)) == "other"


@pytest.mark.usefixtures("at_once")
def test_a_disabled_merchant_is_refused_and_still_found_by_its_id(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    merchant = found_in.authenticate(Headers(headers(own)))
    rig_on_both.connector.merchants.disable("shop")
    assert name_of(found_in, headers(own)) is None
    assert found_in.merchant(merchant.id).name == "shop"


# Changes of other processes.


def changes(rig: Rig) -> list[tuple[str, Any]]:
    merchants = rig.connector.merchants
    policy = CapturedPolicy.MANUAL
    return [
        ("add", lambda: merchants.add("new", "sandbox", {}, sandbox=False, captured=policy)),
        ("rotate", lambda: merchants.rotate_token("shop")),
    ]


@pytest.mark.parametrize("change", ["add", "rotate"])
@pytest.mark.usefixtures("at_once")
def test_a_change_of_another_process_is_noticed(rig_on_both: Rig, change: str) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    assert name_of(found_in, headers(own)) == "shop"
    made = dict(changes(rig_on_both))[change]()
    assert name_of(found_in, headers(made)) == made.merchant


@pytest.mark.usefixtures("at_once")
def test_changed_settings_are_noticed(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    for value in ("old", "new"):
        rig_on_both.connector.merchants.update("shop", {"key": value})
        assert {"key": value} == found_in.authenticate(Headers(headers(own))).settings


@pytest.mark.slow
def test_a_change_arrives_within_5_seconds(rig_on_both: Rig) -> None:
    own = rig_on_both.add()
    found_in = directory(rig_on_both)
    assert name_of(found_in, headers(own)) == "shop"
    rig_on_both.connector.merchants.disable("shop")
    until = time.monotonic() + 5
    while name_of(found_in, headers(own)):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_two_changes_at_once_are_both_noticed(
    rig_on_both: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The later of two transactions that began together commits after a Directory looked."""
    first, second = rig_on_both.add(name="first"), rig_on_both.add(name="second")
    found_in = directory(rig_on_both)
    monkeypatch.setattr(auth, "FRESH_SECONDS", -1.0)
    assert name_of(found_in, headers(second)) == "second"
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
    assert name_of(found_in, headers(first)) is None
    looked.set()
    slow.join()
    assert name_of(found_in, headers(second)) is None


def test_between_two_looks_the_database_is_not_asked(rig: Rig) -> None:
    own = rig.add()
    found_in = directory(rig)
    assert name_of(found_in, headers(own)) == "shop"
    rig.execute("ALTER TABLE merchants RENAME TO gone")
    assert [name_of(found_in, headers(own)) for _ in range(20)] == ["shop"] * 20


def test_without_a_database_nobody_is_let_in(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    own = rig.add()
    found_in = directory(rig)
    assert name_of(found_in, headers(own)) == "shop"
    rig.execute("ALTER TABLE merchants RENAME TO gone")
    monkeypatch.setattr(auth, "FRESH_SECONDS", -1.0)
    monkeypatch.setattr(auth, "STALE_SECONDS", -1.0)
    with pytest.raises(StorageUnavailable):
        found_in.authenticate(Headers(headers(own)))


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
        found.append(name_of(found_in, headers(own)))

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (["shop"] * 50, 1) == (found, len(asked))
