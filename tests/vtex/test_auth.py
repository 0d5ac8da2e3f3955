import hmac
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from connector import merchants
from connector.domain.errors import NotAuthenticated
from connector.merchants import Directory
from connector.storage import stored_merchant as storage
from connector.storage.stored_merchant import Credentials
from connector.vtex.auth import authenticate
from tests.rig import Rig, headers


def directory(rig: Rig) -> Directory:
    """A Directory of another process: it knows nothing of what this one changes."""
    return Directory(rig.connector.merchants)


def name_of(found_in: Directory, credentials: dict[str, str]) -> str | None:
    try:
        return authenticate(found_in, Headers(credentials)).name
    except NotAuthenticated:
        return None


def with_token(credentials: Credentials, token: str) -> dict[str, str]:
    return headers(Credentials("", "", credentials.app_key, token))


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
    monkeypatch.setattr(merchants, "digest", counted_digest)
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
    assert work == ["digest", *["compare"] * 4]
