"""Calls to hosts whose names resolve slowly, to several addresses, or not at all."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connector import resolver
from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError, NotDone, ProviderUnavailable
from connector.http_client import Answer, HttpClient
from tests.companies.base import Call, Company, Respond

SHORT, SOON = 0.5, 1.2


class Acme(Company):
    def operation_of(self, method: str, path: str) -> str:
        return path

    def respond(self, call: Call) -> Respond:
        return 200, {}


class Names:
    """The system's resolver: what hangs in it hangs until the test is over."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.hanging: set[str] = set()
        self.addresses: dict[str, list[str]] = {}
        self.end = threading.Event()
        self._real = socket.getaddrinfo

    def __call__(self, host: str, port: int, *arguments: Any, **options: Any) -> Any:
        self.asked.append(host)
        if host in self.hanging:
            self.end.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        found = []
        for address in self.addresses.get(host, [host]):
            found += self._real(address, port, *arguments, **options)
        return found


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    yield names
    names.end.set()
    until = time.monotonic() + 10
    while threads() and time.monotonic() < until:
        time.sleep(0.01)


@pytest.fixture
def acme() -> Iterator[Acme]:
    with Acme() as acme:
        yield acme


def threads() -> int:
    return sum(thread.name == "resolver" for thread in threading.enumerate())


def put(http_client: HttpClient, host: str, port: int, seconds: float = SHORT) -> Answer:
    url, deadline = f"http://{host}:{port}/a", Deadline.after(seconds)
    return http_client.send(
        "PUT", url, operation="cancel", deadline=deadline, headers={}, body=b"{}"
    )


def failure(
    http_client: HttpClient, host: str, port: int = 9, seconds: float = SHORT
) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        put(http_client, host, port, seconds)
    return caught.value


@pytest.mark.alone
def test_a_name_that_does_not_resolve_ends_at_the_deadline_and_nothing_was_done(
    http_client: HttpClient, names: Names
) -> None:
    names.hanging.add("company.test")
    began = time.monotonic()
    assert isinstance(failure(http_client, "company.test"), ProviderUnavailable)
    assert SHORT <= time.monotonic() - began < SOON


def test_a_name_that_resolves_after_the_deadline_sends_nothing(
    http_client: HttpClient, names: Names, acme: Acme
) -> None:
    names.hanging.add("company.test")
    names.addresses["company.test"] = ["127.0.0.1"]
    assert isinstance(failure(http_client, "company.test", acme.port), NotDone)
    names.hanging.clear()
    names.end.set()
    time.sleep(0.2)
    assert [] == acme.calls


def test_many_calls_to_a_name_that_hangs_share_its_look_up(
    http_client: HttpClient, names: Names
) -> None:
    names.hanging.add("company.test")
    with ThreadPoolExecutor(20) as pool:
        failures = list(pool.map(lambda _: failure(http_client, "company.test"), range(40)))
    assert {ProviderUnavailable} == {type(one) for one in failures}
    assert 1 == threads()
    assert ["company.test"] == names.asked


def test_a_look_up_that_hangs_is_asked_a_second_time_and_no_more(
    http_client: HttpClient, names: Names, acme: Acme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The resolver recovers before the look-ups that began without it end."""
    monkeypatch.setattr(resolver, "JOINED_SECONDS", 0.0)
    names.hanging.add("company.test")
    failure(http_client, "company.test", seconds=0.1)
    names.hanging.clear()
    names.addresses["company.test"] = ["127.0.0.1"]
    assert 200 == put(http_client, "company.test", acme.port).status
    names.hanging.add("company.test")
    for _ in range(5):
        failure(http_client, "company.test", port=8, seconds=0.05)
    assert resolver.MOST_OF_A_NAME == names.asked.count("company.test") - 2
    assert resolver.MOST_OF_A_NAME + 1 == threads()


def test_look_ups_that_hang_hold_few_threads_whatever_the_names(
    http_client: HttpClient, names: Names
) -> None:
    hosts = [f"host-{number}.test" for number in range(30)]
    names.hanging.update(hosts)
    with ThreadPoolExecutor(30) as pool:
        failures = list(pool.map(lambda host: failure(http_client, host), hosts))
    assert {ProviderUnavailable} == {type(one) for one in failures}
    assert resolver.MOST == threads()
    assert isinstance(failure(http_client, "another.test"), ProviderUnavailable)


def test_names_that_hang_for_one_company_do_not_hinder_another(
    http_client: HttpClient, names: Names, acme: Acme
) -> None:
    hosts = [f"host-{number}.test" for number in range(resolver.MOST)]
    names.hanging.update(hosts)
    names.addresses["other.test"] = ["127.0.0.1"]
    for host in hosts:
        failure(http_client, host, seconds=0.05)
    other = HttpClient("other")
    assert 200 == put(other, "other.test", acme.port).status
    other.close()


def test_a_company_that_moves_is_found_at_its_new_address(
    http_client: HttpClient, names: Names, acme: Acme
) -> None:
    names.addresses["company.test"] = ["127.0.0.2"]
    failure(http_client, "company.test", acme.port)
    names.addresses["company.test"] = ["127.0.0.1"]
    assert 200 == put(http_client, "company.test", acme.port).status


def test_the_next_address_of_a_host_is_tried_when_one_refuses(
    http_client: HttpClient, names: Names, acme: Acme
) -> None:
    names.addresses["company.test"] = ["127.0.0.2", "127.0.0.1"]
    assert 200 == put(http_client, "company.test", acme.port, seconds=5).status
    assert 1 == len(acme.calls)


@pytest.mark.alone
def test_many_addresses_that_do_not_answer_draw_on_one_deadline(
    http_client: HttpClient, names: Names
) -> None:
    """A full backlog: the kernel drops the handshake, at any address of the loopback."""
    names.addresses["company.test"] = [f"127.0.0.{number}" for number in range(1, 9)]
    with socket.socket() as listener:
        listener.bind(("0.0.0.0", 0))  # noqa: S104 - several addresses of this host
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)  # noqa: FBT003 - its only parameter
            one.connect_ex(("127.0.0.1", port))
        time.sleep(0.05)
        began = time.monotonic()
        assert isinstance(failure(http_client, "company.test", port), ProviderUnavailable)
        assert SHORT - 0.1 <= time.monotonic() - began < SOON
        for one in waiting:
            one.close()


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "a..test"])
def test_what_cannot_be_a_name_certainly_did_nothing(http_client: HttpClient, host: str) -> None:
    assert isinstance(failure(http_client, host), NotDone)


def test_an_address_needs_no_look_up_in_a_thread(
    http_client: HttpClient, names: Names, acme: Acme
) -> None:
    names.addresses["127.0.0.1"] = ["127.0.0.1"]
    assert 200 == put(http_client, "127.0.0.1", acme.port).status
    assert 0 == threads()
