"""A stand-in for a payment company: a real socket, state, counted effects, injected faults."""

import json
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Call:
    """One request that reached the company. `operation` is the stand-in's own word for it."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    operation: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Fault:
    """What goes wrong with the next `times` calls of `operation` ("*" for any).

    `kind` is one of:
    reset_before / reset_after   the connection is reset before / after the effect
    slow_before / slow_after     nothing for `seconds` before / after the effect
    drip                         after the effect, one byte of the answer each 0.2 s for `seconds`
    drip_headers                 the same, in the status line and headers
    status_before / status_after HTTP `status` with `body`, before / after the effect
    truncated                    after the effect, half of the announced body
    answer                       no effect; 200 with `body` (HTML, say)
    """

    kind: str
    operation: str = "*"
    times: int = 1
    seconds: float = 0.0
    status: int = 500
    body: bytes = b""


Respond = tuple[int, Any]


@dataclass
class Company:
    """Subclasses give `operation_of` and `respond`; `effects` counts what moved, by name."""

    effects: Counter[str] = field(default_factory=Counter)
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    # Called with the operation before and after its effect ("before"/"after"), outside the lock:
    # a test kills a server here, or makes the buyer pay.
    hook: Callable[[str, str], None] | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    port: int = 0

    def operation_of(self, method: str, path: str) -> str:
        raise NotImplementedError

    def respond(self, call: Call) -> Respond:
        """Do what is asked, under the lock; return the HTTP status and a body (JSON or bytes)."""
        raise NotImplementedError

    def put(self, payment_id: str, state: str) -> dict[str, str]:
        """Let a payment stand so, in the company's word; return what VTEX knows of the payment."""
        raise NotImplementedError

    def names(self, payment_id: str) -> set[str]:
        """Return the names under which calls and effects belong to a payment."""
        return {payment_id}

    def cancellation_id(self, payment_id: str) -> str | None:
        """Return the id by which the company shows what ended a payment, None if it shows none."""
        return None

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def inject(self, kind: str, operation: str = "*", **values: Any) -> None:
        with self.lock:
            self.faults.append(Fault(kind, operation, **values))

    def hide(self, after: str, **fault: Any) -> None:
        """Answer no look once this write arrived, until `show`: what came of it stays unseen."""
        blind = {"kind": "status_before", "status": 503, "times": 10**9, **fault}

        def hook(operation: str, when: str) -> None:
            if (operation, when) == (after, "before"):
                self.hook = None
                self.inject(blind.pop("kind"), "look", **blind)

        self.hook = hook

    def lose(self, write: str, arrives_at: int = 0) -> None:
        """Break the connection of the next such write before its effect.

        It arrives after all at the look of this number after that.
        """
        lost: list[Call] = []

        def hook(operation: str, when: str) -> None:
            if (operation, when) == (write, "before") and not lost:
                lost.append(self.calls_of(write)[-1])
                self.at_look(arrives_at, lambda: self._arrive(lost[0]))
                raise ConnectionAbortedError

        self.hook = hook

    def _arrive(self, call: Call) -> None:
        with self.lock:
            self.respond(call)

    def at_look(self, number: int, act: Callable[[], object]) -> None:
        """Do something before the look of this number from now on is answered."""
        looks = iter(range(1, number + 1))

        def hook(operation: str, when: str) -> None:
            if (operation, when) == ("look", "before") and next(looks, 0) == number > 0:
                act()

        self.hook = hook

    def show(self) -> None:
        """Answer all calls again."""
        with self.lock:
            self.faults.clear()
            self.hook = None

    def calls_of(self, operation: str) -> list[Call]:
        with self.lock:
            return [call for call in self.calls if call.operation == operation]

    def take_fault(self, operation: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.operation in {"*", operation} and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def __enter__(self) -> Self:
        company = self

        class Handler(_Handler):
            stand_in = company

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()


class Server(ThreadingHTTPServer):
    """A server that stops at once; `shutdown` waits until `serve_forever` looks again."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection; its own thread does the handshake of TLS."""
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def start(self) -> None:
        self._is_stopped = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, address = self.get_request()
            if self._is_stopped:
                connection.close()
                return
            self.process_request(connection, address)

    def stop(self) -> None:
        self._is_stopped = True
        # It wakes the thread that waits for a connection.
        with socket.create_connection(self.server_address[:2]):
            self._thread.join()
        self.server_close()


class _Server(Server):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: a caller may go away."""


class _Handler(BaseHTTPRequestHandler):
    stand_in: Company
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _serve(self) -> None:
        company = self.stand_in
        parts = urlsplit(self.path)
        operation = company.operation_of(self.command, parts.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = Call(self.command, parts.path, parts.query, self.headers, body, operation)
        with company.lock:
            company.calls.append(call)
        fault = company.take_fault(operation)
        kind = fault.kind if fault else ""
        if company.hook:
            company.hook(operation, "before")
        if fault and kind == "slow_before":
            time.sleep(fault.seconds)
        if kind == "reset_before":
            return self._reset()
        if fault and kind in {"status_before", "answer"}:
            status = 200 if kind == "answer" else fault.status
            return self._answer(status, fault.body)
        with company.lock:
            status, content = company.respond(call)
        if company.hook:
            company.hook(operation, "after")
        if fault and kind == "slow_after":
            time.sleep(fault.seconds)
        if kind == "reset_after":
            return self._reset()
        if fault and kind == "status_after":
            return self._answer(fault.status, fault.body)
        payload = content if isinstance(content, bytes) else json.dumps(content).encode()
        if fault and kind in {"drip", "drip_headers"}:
            return self._drip(payload, fault)
        return self._answer(status, payload, cut=kind == "truncated")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _answer(self, status: int, payload: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload[: len(payload) // 2] if cut else payload)
        self.wfile.flush()
        if cut:
            self.close_connection = True

    def _reset(self) -> None:
        """Close with RST, as a cut network does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _drip(self, payload: bytes, fault: Fault) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload)
        if fault.kind == "drip":
            self.wfile.write(head)
            slowly = payload
        else:
            slowly = head + payload
        until = time.monotonic() + fault.seconds
        for byte in slowly:
            if time.monotonic() > until:
                break
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.2)
        self.close_connection = True
