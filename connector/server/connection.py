"""A client's connection: its received bytes, its request, and the answer to send."""

import contextlib
import socket
from typing import Any

from gunicorn.http.errors import (
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
)

from connector.domain.deadline import now
from connector.server.framing import (
    MOST_EMPTY_LINES,
    MOST_HEAD,
    Body,
    body_of,
    head_end,
    is_readable,
)
from connector.server.heads import HeadParser

# Bytes of one read from a connection.
READ_AT_ONCE = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class LateRequest(Exception):
    """The request did not come to its end in time."""


class Outbox:
    """Takes an answer from a thread without a wait, and sends it as fast as the client reads.

    gunicorn's code uses an outbox as its socket.
    """

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self.unsent = bytearray()

    def sendall(self, sent: bytes) -> None:
        self.unsent += sent
        self.flush()

    send = sendall

    def flush(self) -> None:
        """Send as many bytes as the system takes now. Raises OSError if the client is gone."""
        with contextlib.suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self._peer.send(self.unsent)]

    def shutdown(self, _: int) -> None:
        """Refuse: only the worker's loop closes a connection."""
        raise OSError

    def close(self) -> None:
        return None


class Connection:
    """A connection, with its present request and answer.

    `sock`, `client`, `server` and `parser` are gunicorn's names. `received` holds the bytes that
    the parser does not have yet. The worker's loop and the thread that answers the request never
    use a connection at the same time.
    """

    def __init__(self, cfg: Any, peer: socket.socket, client: Any, server: Any) -> None:
        peer.settimeout(0)
        self.socket, self.client, self.server = peer, client, server
        self.sock = Outbox(peer)
        # The parser's source is empty. If the parser wants more bytes, the request was cut off.
        self.parser = HeadParser(cfg, (), client)
        self.received = bytearray()
        # When the connection's time in its room is over, by the deadline's clock.
        self.due = 0.0
        self.room: Any = None
        self.drained = 0
        self._begin()

    def _begin(self) -> None:
        self.head = b""
        self.request: Any = None
        self.fault: Exception | None = None
        self.is_whole = False
        self.keeps = False
        self.arrived_at: float | None = None
        self._body: Body | None = None
        self._searched = self._skipped = 0

    @property
    def has_begun(self) -> bool:
        """Whether a byte of the request is here."""
        return bool(self.received) or self.request is not None

    def read(self) -> bool:
        """Read once. Say whether the request can be answered or refused now."""
        try:
            read = self.socket.recv(READ_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return False
        if not read:
            self.fault = NoMoreData()
            return True
        self.received += read
        return self.is_ready()

    def is_ready(self) -> bool:
        """Whether the request is whole, or its first bytes are enough to refuse it."""
        self.arrived_at = self.arrived_at or now()
        try:
            if self.request is None:
                self._read_head()
            return self.request is not None and self._has_body()
        except Exception as fault:  # noqa: BLE001 - each is the answer to this request
            self.fault = fault
            return True

    def is_read_to_its_end(self) -> bool:
        """Skip the unread rest of a body. Say whether the end of the body is certain."""
        try:
            return self.is_whole and bool(self.parser.finish_body())
        except Exception:  # noqa: BLE001 - the answer is given; that its body is wrong only ends this
            return False

    def next_request(self) -> bool:
        """Begin with the next request. Say whether all of it has arrived."""
        left = self.parser.unreader.take_buffered()
        self._begin()
        self.received += left
        return bool(self.received) and self.is_ready()

    def _read_head(self) -> None:
        """Let the parser read the head, if all of the head has arrived."""
        while self._skipped < MOST_EMPTY_LINES and self.received.startswith(b"\r\n"):
            del self.received[:2]
            self._skipped, self._searched = self._skipped + 1, 0
        if not is_readable(self.received):
            raise InvalidRequestLine("")
        end = head_end(self.received, self._searched)
        self._searched = len(self.received)
        if max(end, len(self.received) if end < 0 else 0) > MOST_HEAD:
            self.head = bytes(self.received[:MOST_HEAD])
            is_line = b"\r\n" not in self.head
            raise LimitRequestLine(0, 0) if is_line else LimitRequestHeaders("head")
        if end >= 0:
            self.head = bytes(self.received[:end])
            self._give_to_parser()
            self.request = next(self.parser)
            self.received += self.parser.unreader.take_buffered()
            self._body = body_of(self.request)

    def _has_body(self) -> bool:
        """Give the parser the body if it is whole, or if it is too large. Say whether it did."""
        if self._body is None:
            return False
        is_too_large = self._body.is_too_large(self.received)
        self.is_whole = not is_too_large and self._body.is_whole(self.received)
        if self.is_whole or is_too_large:
            if is_too_large:
                # The end of such a body is unknown, so no request can follow it.
                self.request.force_close()
            # Otherwise gunicorn would ask for a body that has arrived, or that we refuse.
            self.request._expected_100_continue = False  # noqa: SLF001 - it has no other name
            self._give_to_parser()
            return True
        self._ask_for_body()
        return False

    def _ask_for_body(self) -> None:
        if self.request._expected_100_continue:  # noqa: SLF001 - it has no other name
            self.request._expected_100_continue = False  # noqa: SLF001
            self.sock.sendall(_CONTINUE)

    def _give_to_parser(self) -> None:
        self.parser.unreader.unread(bytes(self.received))
        self.received.clear()
