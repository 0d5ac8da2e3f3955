"""Who calls, and how often it may be refused without a pause."""

import json
import threading
import time
from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import REGISTRY

from connector import peers
from connector.domain.page_errors import TooManyRequests
from connector.peers import BURST, MOST_PEERS, Quota, Refusals, peer_of
from tests.rig import Rig, headers

PROXIES = (ip_network("127.0.0.1/32"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("remote", "forwarded_for", "peer"),
    [
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.7, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "127.0.0.1, 192.0.2.1,10.0.0.1 , 10.0.0.2", "192.0.2.1"),
        ("127.0.0.1", "10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("192.0.2.9", "198.51.100.7", "192.0.2.9"),
        ("192.0.2.9", "127.0.0.1", "192.0.2.9"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, 10.0.0.1, ", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1:4711", "192.0.2.1"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("127.0.0.1", "2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "192.0.2.1\r\nX: y", "127.0.0.1"),
        ("127.0.0.1", ",".join(["192.0.2.1"] + ["10.0.0.1"] * 1000), "10.0.0.1"),
        ("", "192.0.2.1", ""),
    ],
)
def test_the_peer_is_the_last_that_is_no_proxy_of_ours(
    remote: str, forwarded_for: str, peer: str
) -> None:
    assert peer_of(remote, forwarded_for, PROXIES) == peer


def test_without_named_proxies_no_header_is_believed() -> None:
    assert peer_of("127.0.0.1", "192.0.2.1", ()) == "127.0.0.1"
    assert peer_of("::ffff:192.0.2.9", "192.0.2.1", ()) == "192.0.2.9"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, none of which takes time."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def test_a_peer_is_slowed_only_after_many_refusals(pauses: list[float]) -> None:
    refusals = Refusals()
    for _ in range(BURST):
        refusals.pause("192.0.2.1")
    assert [] == pauses
    refusals.pause("192.0.2.1")
    assert 1 == len(pauses)
    refusals.pause("192.0.2.2")
    assert 1 == len(pauses)


def test_what_a_peer_spent_comes_back(pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    refusals, now = Refusals(), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(BURST * 10):
        refusals.pause("192.0.2.1")
    pauses.clear()
    now[0] += peers.REFILL_SECONDS * 2
    for _ in range(2):
        refusals.pause("192.0.2.1")
    assert 1 == len(pauses)
    now[0] += peers.REFILL_SECONDS * BURST * 2
    pauses.clear()
    for _ in range(BURST):
        refusals.pause("192.0.2.1")
    assert [] == pauses


def test_the_addresses_of_one_ipv6_network_are_one_peer(pauses: list[float]) -> None:
    refusals = Refusals()
    for number in range(BURST + 1):
        refusals.pause(f"2001:db8::{number:x}")
    assert 1 == len(pauses)
    refusals.pause("2001:db8:0:1::1")
    assert 1 == len(pauses)


def test_a_bounded_number_of_peers_is_remembered(pauses: list[float]) -> None:
    refusals = Refusals()
    for number in range(MOST_PEERS + 500):
        refusals.pause(f"peer-{number}")
    assert MOST_PEERS == len(refusals._spending._spent)
    assert [] == pauses


@pytest.mark.alone
def test_a_bounded_number_of_threads_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PAUSE_SECONDS", 1.0)
    refusals = Refusals()
    refusals._spending._spent["192.0.2.1"] = (BURST + 1.0, time.monotonic())
    began = time.monotonic()
    threads = [threading.Thread(target=refusals.pause, args=["192.0.2.1"]) for _ in range(40)]
    for thread in threads:
        thread.start()
    time.sleep(peers.PAUSE_SECONDS / 2)
    assert peers.PLACES == sum(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < peers.PAUSE_SECONDS * 2


def test_a_right_token_is_never_slowed_beside_wrong_ones(rig: Rig, pauses: list[float]) -> None:
    own = headers(rig.add())
    wrong = {**own, "X-VTEX-API-AppToken": "wrong"}
    client = rig.client
    for _ in range(BURST + 5):
        answer = client.post("/payments/P1/cancellations", json={}, headers=wrong)
        assert 401 == answer.status_code
    assert 5 == len(pauses)
    body = {"paymentId": "P1", "requestId": "R1"}
    assert 200 == client.post("/payments/P1/cancellations", json=body, headers=own).status_code
    assert 5 == len(pauses)


@pytest.mark.parametrize(
    ("sent", "reason", "shown"),
    [
        ({}, "missing", None),
        ({"AppKey": "k" * 32}, "missing", "kkkkkk"),
        ({"AppToken": "t"}, "missing", None),
        ({"AppKey": "k" * 32, "AppToken": "t"}, "unknown-key", "kkkkkk"),
        ({"AppKey": "own", "AppToken": "t"}, "wrong-token", "own"),
        ({"AppKey": "own", "AppToken": "own"}, "disabled", "own"),
        ({"Is-TestSuite": "true"}, "test-suite", None),
    ],
)
def test_who_was_not_let_in_is_named_and_counted_by_reason(
    rig: Rig, log_lines: list[Any], sent: dict[str, str], reason: str, shown: str | None
) -> None:
    own = rig.add()
    rig.configure(CONNECTOR_PROXIES="127.0.0.1")
    known = {"AppKey": own.app_key, "AppToken": own.app_token}
    if reason == "disabled":
        rig.connector.merchants.disable("shop")
    asked = {
        f"X-VTEX-API-{name}": known[name] if value == "own" else value
        for name, value in sent.items()
    } | {"X-Forwarded-For": "198.51.100.7, 192.0.2.1"}
    before = count_of(reason)
    rig.client.post("/payments/P1/cancellations", json={}, headers=asked)
    (line,) = [one for one in log_lines if one["event"] == "answer"]
    assert line["reason"].endswith(f": {reason}")
    assert line["peer"] == "192.0.2.1"
    assert line.get("app_key") == (own.app_key[:6] if shown == "own" else shown)
    assert "merchant" not in line
    assert before + 1 == count_of(reason)


def test_an_answers_line_says_whose_it_was_and_who_called(rig: Rig, log_lines: list[Any]) -> None:
    own = rig.add()
    body = {"paymentId": "P1", "requestId": "R1"}
    rig.client.post("/payments/P1/cancellations", json=body, headers=headers(own))
    (line,) = [one for one in log_lines if one["event"] == "answer"]
    told = [line[name] for name in ("merchant", "peer", "app_key")]
    assert told == ["shop", "127.0.0.1", own.app_key[:6]]
    assert own.app_key not in json.dumps(line)
    rig.client.post("/webhooks/tranzzo/nobody", data=b"data=x&signature=y", headers={})
    line = log_lines[-1]
    assert "answer" == line["event"]
    assert "merchant" not in line
    assert "127.0.0.1" == line["peer"]


def count_of(reason: str) -> float:
    return REGISTRY.get_sample_value("connector_unauthorized_total", {"reason": reason}) or 0.0


# Quotas of open endpoints.


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


@pytest.mark.usefixtures("now")
def test_a_peer_may_send_a_burst_and_then_is_refused() -> None:
    quota = Quota(burst=3, refill_seconds=10)
    for _ in range(3):
        quota.take("192.0.2.1")
    with pytest.raises(TooManyRequests) as caught:
        quota.take("192.0.2.1")
    assert 10 == caught.value.seconds
    quota.take("192.0.2.2")


def test_after_the_told_seconds_a_request_is_taken(now: list[float]) -> None:
    quota = Quota(burst=3, refill_seconds=10)
    for _ in range(3):
        quota.take("192.0.2.1")
    for _ in range(50):
        now[0] += 0.1
        with pytest.raises(TooManyRequests) as caught:
            quota.take("192.0.2.1")
    now[0] += caught.value.seconds
    quota.take("192.0.2.1")
    with pytest.raises(TooManyRequests):
        quota.take("192.0.2.1")


@pytest.mark.usefixtures("now")
def test_the_addresses_of_one_ipv6_network_share_a_quota() -> None:
    quota = Quota(burst=3, refill_seconds=10)
    for number in range(3):
        quota.take(f"2001:db8::{number}")
    with pytest.raises(TooManyRequests):
        quota.take("2001:db8::ffff")
    quota.take("2001:db8:0:1::1")
