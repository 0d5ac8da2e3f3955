"""Requests as bytes on a connection: in pieces, one behind the other, cut off, and forged."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from connector.http_server import MAX_BODY_BYTES
from connector.server.framing import MOST_CHUNKS, MOST_EMPTY_LINES, MOST_HEAD, MOST_TRAILER
from tests.companies.registry import ANY
from tests.rig import FIELDS, Served, headers
from tests.server.cancellations import HELD, SANDBOX, Cancellations, Kind, new_id
from tests.server.test_serving import (
    CHUNKED,
    ELSEWHERE,
    HOST,
    PLAIN,
    START,
    UNREADABLE,
    exchange,
    next_answer,
    read_answer,
)
from tests.vtex import openapi

pytestmark = pytest.mark.slow

KINDS: list[Kind] = [HELD, SANDBOX]
LIVEZ = f"GET /livez HTTP/1.1\r\n{HOST}\r\n".encode()


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("http")
    copy(sqlite_template, folder / "connector.db")
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, KINDS) as made:
        yield made


@pytest.fixture(scope="module")
def server(scene: Cancellations) -> Iterator[Served]:
    with Served(scene.rig, threads=4) as served:
        yield served


@pytest.fixture
def connection(server: Served) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), 10) as made:
        yield made


def head(scene: Cancellations, payment_id: str, *lines: str, kind: Kind = SANDBOX) -> bytes:
    keys = headers(scene.rig.merchants[kind.name])
    fields = [f"{name}: {value}" for name, value in keys.items()]
    fields += ["Host: localhost", "Content-Type: application/json", *lines]
    start = f"POST /payments/{payment_id}/cancellations HTTP/1.1\r\n"
    return (start + "\r\n".join(fields) + "\r\n\r\n").encode()


def body(payment_id: str) -> bytes:
    return json.dumps({"paymentId": payment_id, "requestId": "request-1"}).encode()


def whole(scene: Cancellations, payment_id: str, *lines: str, kind: Kind = SANDBOX) -> bytes:
    sent = body(payment_id)
    return head(scene, payment_id, f"Content-Length: {len(sent)}", *lines, kind=kind) + sent


def in_chunks(sent: bytes) -> bytes:
    first, rest = sent[:7], sent[7:]
    return (
        f"{len(first):x};name=value\r\n".encode()
        + first
        + f"\r\n{len(rest):X}\r\n".encode()
        + rest
        + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
    )


def answer_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    status, _, told = read_answer(connection)
    return status, json.loads(told)


def is_ended(connection: socket.socket) -> bool:
    """Whether the server closes the connection, and says nothing more before."""
    try:
        return connection.recv(1000) == b""
    except ConnectionResetError:
        return True


# In pieces.


def test_a_request_that_comes_byte_by_byte_is_answered(
    scene: Cancellations, connection: socket.socket
) -> None:
    payment_id = new_id()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in whole(scene, payment_id):
        connection.sendall(bytes([byte]))
    status, told = answer_of(connection)
    assert (200, payment_id) == (status, told["paymentId"])


def test_chunks_that_come_byte_by_byte_are_one_body(
    scene: Cancellations, connection: socket.socket
) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(2):
        payment_id = new_id()
        chunks = in_chunks(body(payment_id))
        for byte in head(scene, payment_id, "Transfer-Encoding: chunked") + chunks:
            connection.sendall(bytes([byte]))
        status, told = answer_of(connection)
        assert (200, payment_id) == (status, told["paymentId"])


def test_the_largest_body_is_read_and_a_larger_one_is_413(
    scene: Cancellations, connection: socket.socket
) -> None:
    payment_id = new_id()
    sent = body(payment_id).ljust(MAX_BODY_BYTES)
    connection.sendall(head(scene, payment_id, f"Content-Length: {len(sent)}") + sent)
    assert 200 == answer_of(connection)[0]
    sent += b" "
    connection.sendall(head(scene, payment_id, f"Content-Length: {len(sent)}") + sent)
    assert 413 == answer_of(connection)[0]
    assert is_ended(connection)


def test_chunks_without_end_are_413(scene: Cancellations, connection: socket.socket) -> None:
    sent = head(scene, new_id(), "Transfer-Encoding: chunked")
    connection.sendall(sent + b"1000\r\n" + b" " * 4096 + b"\r\n")
    for _ in range(80):
        connection.sendall(b"1000\r\n" + b" " * 4096 + b"\r\n")
    assert 413 == answer_of(connection)[0]
    assert is_ended(connection)


@pytest.mark.parametrize("path", ["/payments", f"/webhooks/{ANY.name}/nobody"])
@pytest.mark.parametrize("beyond", ["chunks", "trailer"])
def test_a_body_in_very_many_chunks_or_with_a_long_trailer_is_refused_unread(
    connection: socket.socket, path: str, beyond: str
) -> None:
    """Anybody can send them, and to read them costs CPU."""
    line = b"X-Trailer: 1\r\n"
    start = f"POST {path} HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n".encode()
    connection.sendall(start + b"1\r\n \r\n" * MOST_CHUNKS + b"0\r\n" + line * 10 + b"\r\n")
    # Read, and then refused: nobody is proven, or the company's message has another form.
    assert answer_of(connection)[0] in {400, 401}
    much = {
        "chunks": b"1\r\n \r\n" * (MOST_CHUNKS + 1),
        "trailer": b"0\r\n" + line * (MOST_TRAILER // len(line) + 1) + b"\r\n",
    }
    connection.sendall(start + much[beyond])
    status, told = answer_of(connection)
    message = "The body comes in too many chunks, or its trailer is too long"
    assert (413, message) == (status, told["message"])
    assert is_ended(connection)


# One behind the other.


def test_requests_sent_at_once_are_answered_in_their_order(
    scene: Cancellations, connection: socket.socket
) -> None:
    ids = [new_id() for _ in range(4)]
    sent = b"".join(whole(scene, one) for one in ids)
    middle = len(sent) // 2
    connection.sendall(sent[:middle])
    time.sleep(0.1)
    connection.sendall(sent[middle:])
    with connection.makefile("rb") as file:
        for payment_id in ids:
            status, _, told = next_answer(file)
            assert (200, payment_id) == (status, json.loads(told)["paymentId"])


def test_nothing_is_answered_behind_a_request_that_closes(
    scene: Cancellations, connection: socket.socket
) -> None:
    connection.sendall(whole(scene, new_id(), "Connection: close") + LIVEZ)
    assert 200 == answer_of(connection)[0]
    assert is_ended(connection)


@pytest.mark.parametrize("count", range(1, MOST_EMPTY_LINES + 1))
def test_empty_lines_before_a_request_line_are_skipped(
    scene: Cancellations, connection: socket.socket, count: int
) -> None:
    for _ in range(2):
        for _ in range(count):
            connection.sendall(b"\r\n")
        time.sleep(0.05)
        connection.sendall(whole(scene, new_id()))
        assert 200 == answer_of(connection)[0]


def test_empty_lines_have_an_end(scene: Cancellations, server: Served) -> None:
    sent = "\r\n" * (MOST_EMPTY_LINES + 2) + whole(scene, new_id()).decode()
    assert 400 == exchange(server, sent)[0]


# Expect: 100-continue.


def test_a_client_that_waits_is_told_to_go_on(
    scene: Cancellations, connection: socket.socket
) -> None:
    for _ in range(2):
        payment_id = new_id()
        sent = body(payment_id)
        expect = ("Expect: 100-continue", f"Content-Length: {len(sent)}")
        connection.sendall(head(scene, payment_id, *expect))
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == connection.recv(1000)
        connection.sendall(sent)
        assert 200 == answer_of(connection)[0]


def test_a_client_that_does_not_wait_is_not_told_to(
    scene: Cancellations, connection: socket.socket
) -> None:
    connection.sendall(whole(scene, new_id(), "Expect: 100-continue"))
    assert 200 == answer_of(connection)[0]


def test_a_client_that_waits_with_a_body_too_large_is_refused_at_once(
    scene: Cancellations, connection: socket.socket
) -> None:
    connection.sendall(
        head(scene, new_id(), "Expect: 100-continue", f"Content-Length: {MAX_BODY_BYTES + 1}")
    )
    assert 413 == answer_of(connection)[0]
    assert is_ended(connection)


# Cut off.


@pytest.mark.parametrize("framing", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_what_is_cut_off_is_not_done_though_it_could_be_read(
    scene: Cancellations, server: Served, framing: str
) -> None:
    payment = scene.make(HELD)
    sent = body(payment.id)
    chunk = f"{len(sent):x}\r\n".encode() + sent + b"\r\n"
    cut = head(scene, payment.id, framing, kind=HELD)
    cut += sent if framing.startswith("C") else chunk
    status, _, told = exchange(server, cut.decode())
    answer = json.loads(told)
    assert (400, payment.id, "invalid-request") == (status, answer["paymentId"], answer["code"])
    assert 0 == scene.effects(HELD, payment)


# Forged.

REFUSED = [name for name in UNREADABLE if "that stop" not in name]
FORGED = {
    "a length too large": f"{START}Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n",
    "two equal lengths": f"{START}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}",
    "a folded field": f"{START}X-One: 1\r\n two\r\nContent-Length: 0\r\n\r\n",
    "a length with a sign": f"{START}Content-Length: +2\r\n\r\n{{}}",
    "chunked twice": f"{CHUNKED}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": CHUNKED.replace("1.1", "1.0") + "\r\n0\r\n\r\n",
    "a chunk size with a prefix": f"{CHUNKED}\r\n0x2\r\n{{}}\r\n0\r\n\r\n",
    "a chunk size of 17 digits": f"{CHUNKED}\r\n{'f' * 17}\r\n{{}}\r\n0\r\n\r\n",
    "a bare line feed in a head": f"{START}X-One: 1\n\r\n\r\n",
    "a length in a trailer": f"{CHUNKED}\r\n0\r\nContent-Length: 9\r\n\r\n",
    "a head too large": START + "".join(f"X-{n}: {'x' * 4000}\r\n" for n in range(10)) + "\r\n",
}


@pytest.mark.parametrize("name", [*REFUSED, *FORGED])
def test_nothing_behind_a_refused_request_is_read_as_another(
    connection: socket.socket, name: str
) -> None:
    raw = {**UNREADABLE, **FORGED}[name]
    connection.sendall(raw.encode("latin-1") + LIVEZ)
    status, told = answer_of(connection)
    assert 400 <= status < 500
    assert (PLAIN if name in ELSEWHERE else FIELDS) == list(told)
    assert is_ended(connection)


def test_a_client_that_speaks_tls_is_refused_at_once(connection: socket.socket) -> None:
    connection.settimeout(3)
    connection.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert 400 == read_answer(connection)[0]


def test_a_head_without_end_is_refused_before_its_time_is_over(
    connection: socket.socket,
) -> None:
    connection.sendall(START.encode() + b"X-One: 1\r\n" * (MOST_HEAD // 10))
    assert 431 == read_answer(connection)[0]


# Paths and schemes.


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "SCRIPT-NAME", "X-Script-Name"])
def test_no_header_changes_a_path(
    scene: Cancellations, connection: socket.socket, name: str
) -> None:
    """The tests are on loopback, as a proxy is whose rules look at the path."""
    lines = f"{name}: /hidden\r\n{HOST}"
    connection.sendall(f"GET /hidden/livez HTTP/1.1\r\n{lines}\r\n".encode())
    assert 404 == read_answer(connection)[0]
    connection.sendall(f"GET /livez HTTP/1.1\r\n{lines}\r\n".encode())
    assert 200 == read_answer(connection)[0]
    connection.sendall(whole(scene, new_id(), f"{name}: /payments"))
    assert 200 == answer_of(connection)[0]


def test_no_header_changes_the_scheme(connection: socket.socket) -> None:
    """Two schemes that contradict each other are refused by a server that believes either."""
    lines = f"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n{HOST}"
    connection.sendall(f"GET /livez HTTP/1.1\r\n{lines}\r\n".encode())
    assert 200 == read_answer(connection)[0]


# What is unreadable is answered in the shape of its path.

CREATION = ["status", "code", "message", "paymentId"]
SHAPES = {
    "/payments": CREATION,
    "/payments?an=mystore": CREATION,
    "http://connector.example/payments": CREATION,
    "/payments/P-1/cancellations": FIELDS,
    "/payments/P-1/settlements": ["paymentId", "settleId", "value", "code", "message", "requestId"],
    "/payments/P-1/refunds": ["paymentId", "refundId", "value", "code", "message", "requestId"],
    "/payments/P%2D1/refunds": ["paymentId", "refundId", "value", "code", "message", "requestId"],
    "/payments/P-1/inbound/status": ["requestId", "paymentId", "code", "message", "responseData"],
    "/manifest": PLAIN,
    "/nowhere": PLAIN,
    "/webhooks/tranzzo/shop": ["code", "message"],
}
FAULTS = {
    "a wrong version": ("POST {} HTTP/9.9\r\n" + HOST, 400),
    "no version": ("POST {}\r\n" + HOST, 400),
    "a method in lower case": ("post {} HTTP/1.1\r\n" + HOST, 400),
    "a wrong field": ("POST {} HTTP/1.1\r\n" + HOST + "nonsense\r\n", 400),
    "a wrong length": ("POST {} HTTP/1.1\r\n" + HOST + "Content-Length: -1\r\n", 400),
    "many fields": ("POST {} HTTP/1.1\r\n" + HOST + "X-One: 1\r\n" * 200, 431),
}


@pytest.mark.parametrize("path", SHAPES)
@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_unreadable_is_answered_in_the_shape_of_its_path(
    server: Served, fault: str, path: str
) -> None:
    raw, expected = FAULTS[fault]
    status, told, answer = exchange(server, raw.format(path) + "\r\n")
    shaped = json.loads(answer)
    assert (expected, SHAPES[path]) == (status, list(shaped))
    assert ("application/json", "no-store") == (told["content-type"], told["cache-control"])
    assert "invalid-request" == shaped["code"]
    if "P-1" in path or "P%2D1" in path:
        assert "P-1" == shaped["paymentId"]
    described = path.replace("P-1", "{paymentId}").replace("/status", "/{action}")
    described = described.replace("tranzzo/shop", "{providerName}/{merchantName}")
    if described in openapi.OURS["paths"] and path != "/manifest":
        schema = openapi.answer_of(openapi.OURS, described, "4XX")
        assert [] == openapi.faults(openapi.OURS, schema, shaped)


def test_a_head_that_is_cut_off_is_answered_in_the_shape_of_its_path(server: Served) -> None:
    status, _, answer = exchange(server, f"POST /payments HTTP/1.1\r\n{HOST}X-One")
    assert (400, CREATION) == (status, list(json.loads(answer)))
