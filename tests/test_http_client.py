"""Every outgoing call, on real sockets: when it ends, and what its failure means."""

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

import pytest

from connector import tls
from connector.bulkhead import Bulkhead
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    NotDone,
    OutcomeUnknown,
    OutOfTime,
    ProviderBusy,
    ProviderCertificate,
    ProviderCredentials,
    ProviderUnavailable,
)
from connector.http_client import MAX_ANSWER_BYTES, Answer, HttpClient
from tests import certificates
from tests.companies.base import Call, Company, Respond

# Calls wait for their deadlines.
pytestmark = pytest.mark.slow

RESET = struct.pack("ii", 1, 0)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# Seconds within which a call that is given SHORT must have ended.
SHORT, SOON = 0.5, 1.2


class Echo(Company):
    """Answers with what it was sent; `answer` is another one."""

    answer: Respond | None = None

    def operation_of(self, method: str, path: str) -> str:
        return path.strip("/")

    def respond(self, call: Call) -> Respond:
        told = {"method": call.method, "path": call.path, "body": call.body.decode()}
        return self.answer or (200, told)


class Peer:
    """A server that does with each connection what a test wants; it counts them."""

    def __init__(self, serve: Callable[[socket.socket, int], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                arguments = (connection, self.connections)
                threading.Thread(target=self._run, args=arguments, daemon=True).start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with connection, suppress(OSError):
            self._serve(connection, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def read_request(connection: socket.socket) -> bytes:
    """Read a head and its body; an empty one when the caller went away."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return b""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
            while len(body) < length:
                body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo


def send(
    http_client: HttpClient,
    url: str,
    method: str = "GET",
    *,
    seconds: float = 5.0,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    word: Callable[[Answer], str] | None = None,
) -> Answer:
    return http_client.send(
        method,
        url,
        operation="look",
        deadline=Deadline.after(seconds),
        headers=headers or {},
        body=body,
        word=word,
    )


def fails(expected: type[ConnectorError], http_client: HttpClient, url: str, **asked: Any) -> float:
    """Write, expect exactly this error, and return the seconds it took."""
    started = time.monotonic()
    with pytest.raises(ConnectorError) as caught:
        send(http_client, url, **asked)
    assert expected is type(caught.value)
    return time.monotonic() - started


# What is sent.


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_what_is_given_is_sent(http_client: HttpClient, echo: Echo, method: str) -> None:
    body = None if method == "GET" else b'{"a": 1}'
    answer = send(http_client, f"{echo.origin}/a/b", method, body=body, headers={"X-Key": "value"})
    told = {"method": method, "path": "/a/b", "body": (body or b"").decode()}
    assert (200, told) == (answer.status, answer.json())
    (call,) = echo.calls
    assert "value" == call.headers["X-Key"]


def test_nothing_is_sent_that_was_not_given(http_client: HttpClient, echo: Echo) -> None:
    send(http_client, f"{echo.origin}/a", headers={"X-Key": "value"})
    names = {name.lower() for name in echo.calls[0].headers}
    assert {"host", "user-agent", "accept-encoding", "x-key"} == names


def test_no_proxy_and_no_netrc_of_the_machine_is_used(
    http_client: HttpClient, echo: Echo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert 200 == send(http_client, f"{echo.origin}/a").status
    assert "Authorization" not in echo.calls[0].headers


def test_a_cookie_of_one_answer_is_not_sent_with_the_next_call(http_client: HttpClient) -> None:
    """One client serves all merchants: a cookie would carry one's session to another."""
    heads: list[bytes] = []

    def serve(connection: socket.socket, _: int) -> None:
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(
                OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: session=1; Path=/\r\n\r\n")
            )

    with Peer(serve) as peer:
        for _ in range(2):
            send(http_client, f"{peer.url}/a")
    assert 2 == len(heads)
    assert not [head for head in heads if b"cookie" in head.lower()]


# The deadline.


@pytest.mark.parametrize("kind", ["slow_before", "slow_after", "drip", "drip_headers"])
def test_a_call_ends_at_the_deadline_however_the_company_dawdles(
    http_client: HttpClient, echo: Echo, kind: str
) -> None:
    echo.inject(kind, seconds=3.0)
    took = fails(OutcomeUnknown, http_client, f"{echo.origin}/a", seconds=SHORT)
    assert SHORT <= took < SOON


@pytest.mark.parametrize("kind", ["slow_before", "drip", "drip_headers"])
def test_one_call_takes_no_longer_than_the_clients_seconds(echo: Echo, kind: str) -> None:
    http_client = HttpClient("acme", seconds=SHORT)
    echo.inject(kind, seconds=3.0)
    took = fails(OutcomeUnknown, http_client, f"{echo.origin}/a", seconds=30)
    assert SHORT <= took < SOON
    http_client.close()


def test_a_chunked_answer_that_drips_ends_at_the_deadline(http_client: HttpClient) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(30):
            connection.sendall(b"1\r\nx\r\n")
            time.sleep(0.1)

    with Peer(serve) as peer:
        took = fails(OutcomeUnknown, http_client, f"{peer.url}/a", seconds=SHORT)
    assert SHORT <= took < SOON


def test_a_byte_does_not_begin_the_time_anew(http_client: HttpClient) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
        time.sleep(0.9)
        connection.sendall(b"x")
        time.sleep(3)

    with Peer(serve) as peer:
        assert 1.0 <= fails(OutcomeUnknown, http_client, f"{peer.url}/a", seconds=1.0) < 1.6


def test_endless_headers_end_at_the_deadline(http_client: HttpClient) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(60):
            connection.sendall(b"X-%d: x\r\n" % number)
            time.sleep(0.05)

    with Peer(serve) as peer:
        assert fails(OutcomeUnknown, http_client, f"{peer.url}/a", seconds=SHORT) < SOON


def test_a_company_that_reads_nothing_ends_at_the_deadline(http_client: HttpClient) -> None:
    def serve(_: socket.socket, __: int) -> None:
        time.sleep(3)

    with Peer(serve) as peer:
        body = b"x" * 20_000_000
        took = fails(
            OutcomeUnknown, http_client, f"{peer.url}/a", method="POST", body=body, seconds=SHORT
        )
    assert took < SOON


def test_without_time_left_nothing_is_sent(http_client: HttpClient, echo: Echo) -> None:
    fails(OutOfTime, http_client, f"{echo.origin}/a", seconds=0.0)
    fails(OutOfTime, http_client, f"{echo.origin}/a", seconds=-1.0)
    assert [] == echo.calls


def test_a_host_that_does_not_answer_is_given_up_before_anything_was_sent(
    http_client: HttpClient,
) -> None:
    """A full backlog: the company's kernel drops the handshake."""
    with ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - its only parameter
            waiting.connect_ex(address)
        time.sleep(0.05)
        url = f"http://127.0.0.1:{address[1]}/a"
        took = fails(ProviderUnavailable, http_client, url, method="PUT", seconds=SHORT)
        assert SHORT - 0.1 <= took < SOON


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_name_that_takes_too_long_to_resolve_sends_nothing(
    echo: Echo,
    secure_echo: Echo,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """After the deadline the lease may be another's: nothing is sent."""
    resolve = socket.getaddrinfo

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(SHORT + 0.2)
        return resolve(*arguments, **options)

    # The certificate is of an address.
    company, host = (echo, "localhost") if scheme == "http" else (secure_echo, "127.0.0.1")
    http_client = trusting(certificate)
    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    with pytest.raises(ConnectorError) as caught:
        send(http_client, f"{scheme}://{host}:{company.port}/a", "PUT", seconds=SHORT)
    time.sleep(0.4)
    assert [] == company.calls
    assert isinstance(caught.value, NotDone)
    http_client.close()


def test_a_call_after_a_slow_one_has_its_whole_time(http_client: HttpClient) -> None:
    """The socket of a kept connection does not keep the time left of the call before."""

    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        time.sleep(0.4)
        connection.sendall(OK)
        read_request(connection)
        time.sleep(0.8)
        connection.sendall(OK)

    with Peer(serve) as peer:
        send(http_client, f"{peer.url}/a", seconds=0.6)
        assert 200 == send(http_client, f"{peer.url}/a", seconds=3).status
        assert 1 == peer.connections


# What a failure means.


def test_a_refused_connection_certainly_did_nothing(http_client: HttpClient) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        fails(ProviderUnavailable, http_client, f"http://127.0.0.1:{bound.getsockname()[1]}/a")


def test_a_name_that_does_not_resolve_certainly_did_nothing(http_client: HttpClient) -> None:
    fails(ProviderUnavailable, http_client, "http://nowhere.invalid/a")


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncated"])
def test_a_call_that_was_cut_off_may_have_done_anything(
    http_client: HttpClient, echo: Echo, kind: str
) -> None:
    echo.inject(kind)
    fails(OutcomeUnknown, http_client, f"{echo.origin}/a")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncated"])
def test_nothing_is_sent_twice(http_client: HttpClient, echo: Echo, method: str, kind: str) -> None:
    send(http_client, f"{echo.origin}/warm")
    echo.inject(kind)
    fails(OutcomeUnknown, http_client, f"{echo.origin}/a", method=method)
    assert 1 == len(echo.calls_of("a"))


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=lambda value: ascii(value[:50]),
)
def test_what_is_no_http_may_have_done_anything(http_client: HttpClient, garbage: bytes) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(garbage)

    with Peer(serve) as peer, pytest.raises(OutcomeUnknown):
        send(http_client, f"{peer.url}/a", "PUT")
    assert 1 == peer.connections


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (300, AnswerNotUnderstood),
        (301, AnswerNotUnderstood),
        (302, AnswerNotUnderstood),
        (304, AnswerNotUnderstood),
        (307, AnswerNotUnderstood),
        (308, AnswerNotUnderstood),
        (401, ProviderCredentials),
        (403, ProviderCredentials),
        (429, ProviderUnavailable),
        (500, OutcomeUnknown),
        (502, OutcomeUnknown),
        (503, OutcomeUnknown),
        (504, OutcomeUnknown),
        (599, OutcomeUnknown),
    ],
)
def test_a_status_that_is_no_answer_is_an_error(
    http_client: HttpClient, echo: Echo, status: int, expected: type[ConnectorError]
) -> None:
    echo.inject("status_before", status=status, body=b'{"a": 1}')
    with pytest.raises(expected) as caught:
        send(http_client, f"{echo.origin}/a")
    assert expected is type(caught.value)
    assert f"HTTP {status}" == caught.value.evidence


@pytest.mark.parametrize(
    ("status", "told"), [(401, "a"), (403, "a"), (429, "a"), (500, "HTTP 500"), (302, "HTTP 302")]
)
def test_a_refusal_is_told_in_the_companys_word(
    http_client: HttpClient, echo: Echo, status: int, told: str
) -> None:
    echo.inject("status_before", status=status, body=b"a")
    with pytest.raises(ConnectorError) as caught:
        send(http_client, f"{echo.origin}/a", word=lambda answer: answer.body.decode())
    assert told == caught.value.evidence


def test_a_refusal_without_a_word_is_told_by_its_status(
    http_client: HttpClient, echo: Echo
) -> None:
    echo.inject("status_before", status=401)
    with pytest.raises(ProviderCredentials) as caught:
        send(http_client, f"{echo.origin}/a", word=lambda _: "")
    assert "HTTP 401" == caught.value.evidence


@pytest.mark.parametrize("status", [200, 201, 202, 400, 402, 404, 405, 409, 410, 422, 451])
def test_any_other_status_is_the_providers_to_read(
    http_client: HttpClient, echo: Echo, status: int
) -> None:
    echo.inject("status_before", status=status, body=b'{"a": 1}')
    assert Answer(status, b'{"a": 1}') == send(http_client, f"{echo.origin}/a")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(http_client: HttpClient, echo: Echo, status: int) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {echo.origin}/stolen\r\nContent-Length: 0"
        connection.sendall(head.encode() + b"\r\n\r\n")

    with Peer(serve) as peer:
        fails(
            AnswerNotUnderstood, http_client, f"{peer.url}/a", headers={"Authorization": "secret"}
        )
    assert [] == echo.calls


def test_every_error_is_logged_and_measured_and_tells_no_address(
    echo: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    measured: list[tuple[str, str, str]] = []

    def measure(provider: str, operation: str, outcome: str, seconds: float) -> None:
        assert 0 <= seconds < 5
        measured.append((provider, operation, outcome))

    http_client = HttpClient("acme", measure=measure)
    caplog.set_level(logging.INFO, "connector")
    send(http_client, f"{echo.origin}/secret-path?secret-query", headers={"X-Key": "secret-header"})
    echo.inject("reset_before")
    fails(
        OutcomeUnknown,
        http_client,
        f"{echo.origin}/secret-path",
        body=b"secret-body",
        method="POST",
    )
    assert [("acme", "look", "ok"), ("acme", "look", "OutcomeUnknown")] == measured
    lines = [record for record in caplog.records if record.name == "connector.http_client"]
    assert ["ok", "OutcomeUnknown"] == [getattr(line, "outcome", None) for line in lines]
    assert "secret" not in "".join(repr(vars(line)) for line in lines)
    http_client.close()


# Size and content.


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1048577", b"Transfer-Encoding: chunked", b"X: x"]
)
def test_an_answer_that_is_too_large_is_not_understood(
    http_client: HttpClient, head: bytes
) -> None:
    sent = threading.Event()

    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        chunk = b"x" * 65536
        framed = b"10000\r\n" + chunk + b"\r\n" if b"chunked" in head else chunk
        with suppress(OSError):
            for _ in range(800):
                connection.sendall(framed)
            return
        sent.set()

    with Peer(serve) as peer:
        fails(AnswerNotUnderstood, http_client, f"{peer.url}/a")
        # The rest, 50 megabytes, is not read.
        if head != b"Content-Length: 1048577":
            assert sent.wait(5)


def test_the_largest_answer_is_read(http_client: HttpClient, echo: Echo) -> None:
    echo.answer = (200, b"x" * MAX_ANSWER_BYTES)
    assert MAX_ANSWER_BYTES == len(send(http_client, f"{echo.origin}/a").body)


def test_numbers_are_exact() -> None:
    answer = Answer(200, b'{"a": 10.10, "b": 0.1, "c": 1E+2, "d": 12345678901234567890, "e": 7}')
    assert {
        "a": Decimal("10.10"),
        "b": Decimal("0.1"),
        "c": Decimal("1E+2"),
        "d": 12345678901234567890,
        "e": 7,
    } == answer.json()
    found = answer.json()
    assert isinstance(found, dict)
    assert "10.10" == str(found["a"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b"[" * 100_000,
        b"9" * 5000,
        b'{"a": 1e99999999999999999999}',
        b'{"a": -1.5E-99999999999999999999}',
    ],
    ids=lambda body: ascii(body[:30]),
)
def test_what_is_no_json_is_not_understood(body: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood) as caught:
        Answer(404, body).json()
    assert "HTTP 404, not JSON" == caught.value.evidence


# StoredReply connections.


def test_a_connection_is_used_again(http_client: HttpClient) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while read_request(connection):
            connection.sendall(OK)

    with Peer(serve) as peer:
        for _ in range(5):
            assert b"ok" == send(http_client, f"{peer.url}/a").body
        assert 1 == peer.connections


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("option", [None, RESET])
def test_a_connection_that_the_company_closed_while_idle_is_replaced(
    http_client: HttpClient, method: str, option: bytes | None
) -> None:
    closed = threading.Event()

    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(OK)
        if option:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
        connection.close()
        closed.set()

    with Peer(serve) as peer:
        for number in (1, 2, 3):
            closed.clear()
            assert b"ok" == send(http_client, f"{peer.url}/a", method).body
            assert number == peer.connections
            closed.wait(5)
            time.sleep(0.02)


def test_a_company_that_ends_with_the_connection_is_read_to_its_end(
    http_client: HttpClient,
) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    with Peer(serve) as peer:
        assert b"all of it" == send(http_client, f"{peer.url}/a").body


def test_an_answer_that_was_not_read_to_its_end_is_never_taken_for_the_next(
    http_client: HttpClient,
) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        number = 0
        while read_request(connection):
            number += 1
            if number == 1:
                time.sleep(0.6)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)

    with Peer(serve) as peer:
        fails(OutcomeUnknown, http_client, f"{peer.url}/a", seconds=0.3)
        time.sleep(0.5)
        assert b"1" == send(http_client, f"{peer.url}/a", seconds=5).body
        assert 2 == peer.connections


def test_64_threads_call_at_once_on_64_connections_and_keep_them(http_client: HttpClient) -> None:
    arrived = threading.Barrier(64)

    def serve(connection: socket.socket, _: int) -> None:
        while head := read_request(connection):
            with suppress(threading.BrokenBarrierError):
                arrived.wait(10)
            name = head.split(b" ")[1]
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
            )

    found: list[tuple[str, bytes]] = []

    def ask(peer: Peer, number: int) -> None:
        found.append((f"/{number}", send(http_client, f"{peer.url}/{number}", seconds=20).body))

    with Peer(serve) as peer:
        for _ in range(2):
            threads = [threading.Thread(target=ask, args=(peer, number)) for number in range(64)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert 64 == peer.connections
    assert 128 == len(found)
    assert not [pair for pair in found if pair[0].encode() != pair[1]]


# The bulkhead.


def test_a_full_bulkhead_that_nothing_leaves_refuses_at_once() -> None:
    bulkhead = Bulkhead(2)
    with bulkhead.slot(), bulkhead.slot():
        time.sleep(0.6)
        started = time.monotonic()
        with pytest.raises(ProviderBusy), bulkhead.slot():
            pass
        assert time.monotonic() - started < 0.1


def test_a_full_bulkhead_refuses_within_a_second_whatever_happens() -> None:
    bulkhead = Bulkhead(1)
    with bulkhead.slot():
        started = time.monotonic()
        with pytest.raises(ProviderBusy), bulkhead.slot():
            pass
        assert time.monotonic() - started < 1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_place_is_given_back_whatever_happens(error: type[BaseException]) -> None:
    bulkhead = Bulkhead(1)
    for _ in range(3):
        with pytest.raises(error), bulkhead.slot():
            raise error


def test_never_more_than_the_slots_are_taken_at_once() -> None:
    bulkhead, lock = Bulkhead(5), threading.Lock()
    taken, most, served, refused = 0, 0, 0, 0

    def work() -> None:
        nonlocal taken, most, served, refused
        try:
            with bulkhead.slot():
                with lock:
                    taken, served = taken + 1, served + 1
                    most = max(most, taken)
                time.sleep(0.005)
                with lock:
                    taken -= 1
        except ProviderBusy:
            with lock:
                refused += 1

    threads = [threading.Thread(target=work) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (5, 60) == (most, served + refused)
    assert served >= 5


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    return certificates.make(tmp_path_factory.mktemp("tls") / "certificate.pem")


@pytest.fixture
def secure_echo(certificate: Path) -> Iterator[Echo]:
    """The company by TLS; each of its threads does the handshake of its own connection."""
    with Echo() as echo:
        certificates.serve(echo, certificate)
        yield echo


def trusting(certificate: Path) -> HttpClient:
    """A client that trusts the certificate, and no other."""
    return HttpClient("acme", ca_file=str(certificate))


def test_a_certificate_nobody_vouches_for_sends_nothing(
    http_client: HttpClient, secure_echo: Echo
) -> None:
    url = f"https://127.0.0.1:{secure_echo.port}/a"
    fails(ProviderCertificate, http_client, url, method="PUT", headers={"X-Key": "secret"})
    assert [] == secure_echo.calls


def test_a_certificate_of_another_host_sends_nothing(secure_echo: Echo, certificate: Path) -> None:
    http_client = trusting(certificate)
    url = f"https://localhost:{secure_echo.port}/a"
    fails(ProviderCertificate, http_client, url, method="PUT")
    assert [] == secure_echo.calls
    http_client.close()


def test_why_a_certificate_is_not_trusted_is_logged(
    http_client: HttpClient, secure_echo: Echo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with pytest.raises(ProviderCertificate):
        send(http_client, f"https://127.0.0.1:{secure_echo.port}/a")
    (line,) = [one.__dict__ for one in caplog.records if one.msg == "provider call"]
    assert "ProviderCertificate" == line["outcome"]
    assert "SSLCertVerificationError: self-signed certificate" in line["reason"]


def test_beside_the_given_authorities_no_others_are_trusted(
    secure_echo: Echo, certificate: Path
) -> None:
    http_client = trusting(certificate)
    send(http_client, f"https://127.0.0.1:{secure_echo.port}/a")
    adapter: Any = http_client._adapter
    context = adapter.poolmanager.connection_pool_kw["ssl_context"]
    # The HTTP library brings a list of its own, which it loads with the first call.
    assert 1 == len(context.get_ca_certs())
    http_client.close()


def test_without_a_file_the_systems_authorities_are_trusted(
    secure_echo: Echo, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("SSL_CERT_DIR", "/nowhere")
    tls.context.cache_clear()
    http_client = HttpClient("acme")
    assert send(http_client, f"https://127.0.0.1:{secure_echo.port}/a").status == 200
    adapter: Any = http_client._adapter
    context = adapter.poolmanager.connection_pool_kw["ssl_context"]
    assert 1 == len(context.get_ca_certs())
    http_client.close()
    tls.context.cache_clear()


def test_a_server_that_speaks_no_tls_is_sent_nothing(http_client: HttpClient, echo: Echo) -> None:
    fails(ProviderUnavailable, http_client, f"https://127.0.0.1:{echo.port}/a", method="PUT")
    assert [] == echo.calls_of("a")


@pytest.mark.parametrize("option", [None, RESET])
def test_a_handshake_that_is_cut_off_sent_nothing(
    http_client: HttpClient, option: bytes | None
) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        if option:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)

    with Peer(serve) as peer:
        url = f"https://127.0.0.1:{peer.port}/a"
        fails(ProviderUnavailable, http_client, url, method="PUT")


def test_a_handshake_that_hangs_sent_nothing_and_ends_in_time(http_client: HttpClient) -> None:
    def serve(_: socket.socket, __: int) -> None:
        time.sleep(3)

    with Peer(serve) as peer:
        url = f"https://127.0.0.1:{peer.port}/a"
        assert fails(ProviderUnavailable, http_client, url, method="PUT", seconds=SHORT) < SOON


def test_a_handshake_that_drips_sent_nothing_and_ends_in_time(http_client: HttpClient) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        # The head of a handshake message of 16 KiB, and then a byte now and then.
        connection.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(30):
            connection.sendall(b"\x02")
            time.sleep(0.1)

    with Peer(serve) as peer:
        url = f"https://127.0.0.1:{peer.port}/a"
        assert fails(ProviderUnavailable, http_client, url, method="PUT", seconds=SHORT) < SOON


def test_a_trusted_company_is_called_by_tls(secure_echo: Echo, certificate: Path) -> None:
    http_client = trusting(certificate)
    url = f"https://127.0.0.1:{secure_echo.port}"
    answer = send(http_client, f"{url}/a", "POST", body=b"x")
    assert {"method": "POST", "path": "/a", "body": "x"} == answer.json()
    secure_echo.inject("reset_before")
    fails(OutcomeUnknown, http_client, f"{url}/b", method="PUT")
    assert ["a", "b"] == [call.operation for call in secure_echo.calls]
    http_client.close()


@pytest.mark.parametrize("kind", ["slow_before", "drip", "drip_headers"])
def test_by_tls_too_a_call_ends_at_the_deadline(
    secure_echo: Echo, certificate: Path, kind: str
) -> None:
    http_client = trusting(certificate)
    secure_echo.inject(kind, seconds=3.0)
    url = f"https://127.0.0.1:{secure_echo.port}/a"
    assert fails(OutcomeUnknown, http_client, url, seconds=SHORT) < SOON
    http_client.close()


def test_json_that_was_sent_comes_back_as_it_was(http_client: HttpClient, echo: Echo) -> None:
    body = json.dumps({"text": "é\u202e\0", "number": 1.10}).encode()
    told = send(http_client, f"{echo.origin}/a", "POST", body=body).json()
    assert isinstance(told, dict)
    assert body.decode() == told["body"]
