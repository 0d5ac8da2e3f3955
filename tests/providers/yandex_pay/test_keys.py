"""The list of keys: fetched once, and no way to hold up others while it fails or hangs."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from connector import company_keys
from connector.domain.deadline import Deadline, now
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    NotAuthenticated,
    OutcomeUnknown,
    OutOfTime,
    ProviderBusy,
    ProviderUnavailable,
)
from connector.provider import Message
from tests.providers.yandex_pay.conftest import ORDER, YandexPayAccount


@pytest.fixture
def body(shop: YandexPayAccount) -> bytes:
    """A good notification."""
    shop.create()
    return shop.company.notification(ORDER)[0]


@pytest.fixture
def bogus(shop: YandexPayAccount) -> bytes:
    """What anybody can send: signed with a key that no list has."""
    shop.create()
    return shop.company.signed(shop.company.event(ORDER), kid="bogus")


def asked(shop: YandexPayAccount) -> int:
    return len(shop.company.calls_of("keys"))


@contextmanager
def hung(shop: YandexPayAccount, body: bytes, seconds: float = 3) -> Iterator[list[float]]:
    """The list hangs, and one message waits for it. Gives the seconds that this one waited."""
    before, waited = asked(shop), list[float]()

    def wait() -> None:
        started = time.monotonic()
        with suppress(ConnectorError):
            shop.read(body, seconds=20)
        waited.append(time.monotonic() - started)

    shop.company.inject("slow_before", "keys", seconds=seconds)
    first = threading.Thread(target=wait)
    first.start()
    while asked(shop) == before:
        time.sleep(0.01)
    yield waited
    first.join()


def test_the_first_crowd_asks_for_the_keys_once_and_waits_for_them(
    shop: YandexPayAccount, body: bytes
) -> None:
    shop.company.inject("slow_before", "keys", seconds=1)
    told: list[str] = []

    def read() -> None:
        started = time.monotonic()
        try:
            told.append("read" if shop.read(body) else "nothing")
        except ProviderBusy:
            told.append("busy" if time.monotonic() - started < 0.7 else "late")

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (told, asked(shop)) == (["read"] * 20, 1)
    assert shop.read(body)
    (call,) = shop.company.calls_of("keys")
    assert (call.path, call.headers["Authorization"]) == ("/api/jwks", None)


def test_a_new_key_is_asked_for_at_most_once_a_minute(
    shop: YandexPayAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.create()
    shop.read(shop.company.notification(ORDER)[0])
    shop.company.rotate_key()
    for _ in range(3):
        with pytest.raises(NotAuthenticated):
            shop.read(shop.company.notification(ORDER)[0])
    assert asked(shop) == 1
    monkeypatch.setattr(company_keys, "_REFETCH_SECONDS", 0.0)
    assert shop.read(shop.company.notification(ORDER)[0])
    assert asked(shop) == 2


def test_a_key_that_is_withdrawn_is_forgotten(
    shop: YandexPayAccount, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.read(body)
    shop.company.rotate_key(keep=False)
    assert shop.read(body)
    monkeypatch.setattr(company_keys, "_KEYS_SECONDS", 0.0)
    monkeypatch.setattr(company_keys, "_REFETCH_SECONDS", 0.0)
    with pytest.raises(NotAuthenticated):
        shop.read(body)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [("status_before", 503, OutcomeUnknown), ("status_before", 429, ProviderUnavailable),
     ("status_before", 404, AnswerNotUnderstood), ("answer", 200, AnswerNotUnderstood),
     ("reset_before", 0, OutcomeUnknown), ("truncated", 0, OutcomeUnknown)],
)  # fmt: skip
def test_keys_that_cannot_be_had_are_no_forgery_and_are_asked_for_again_but_not_at_once(
    shop: YandexPayAccount,
    body: bytes,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    status: int,
    expected: type[Exception],
) -> None:
    shop.company.inject(kind, "keys", status=status, body=b'{"keys":[]}')
    with pytest.raises(expected):
        shop.read(body)
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            shop.read(body)
    assert asked(shop) == 1
    monkeypatch.setattr(company_keys, "_RETRY_SECONDS", 0.0)
    assert shop.read(body)
    assert asked(shop) == 2


def test_a_list_that_hangs_is_given_up_soon(shop: YandexPayAccount, bogus: bytes) -> None:
    with hung(shop, bogus) as waited:
        pass
    assert 1.5 < waited[0] < 2.7
    with pytest.raises(ProviderUnavailable):
        shop.read(bogus)
    assert asked(shop) == 1


def test_a_message_of_a_known_key_is_read_while_the_list_hangs_for_another(
    shop: YandexPayAccount, body: bytes, bogus: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.read(body)
    monkeypatch.setattr(company_keys, "_REFETCH_SECONDS", 0.0)
    with hung(shop, bogus):
        started = time.monotonic()
        assert shop.read(body)
        with pytest.raises(ProviderBusy):
            shop.read(bogus)
        assert time.monotonic() - started < 0.5
    assert asked(shop) == 2


def test_a_key_that_should_be_renewed_counts_a_little_longer_while_that_fails(
    shop: YandexPayAccount, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.read(body)
    monkeypatch.setattr(company_keys, "_KEYS_SECONDS", 0.0)
    shop.company.inject("status_before", "keys", status=503)
    assert shop.read(body)
    assert asked(shop) == 2
    monkeypatch.setattr(company_keys, "_GRACE_SECONDS", 0.0)
    with pytest.raises(ProviderUnavailable):
        shop.read(body)
    assert asked(shop) == 2


def test_who_comes_too_late_to_wait_for_the_keys_does_not_make_them_fail(
    shop: YandexPayAccount, body: bytes
) -> None:
    late = Deadline(at=now() + 1, total=10)
    with pytest.raises(OutOfTime):
        shop.provider.read_notification(Message(body, {}, shop.account, late))
    assert asked(shop) == 0
    assert shop.read(body)
