"""The body, the answer and the log line of an incoming request."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial

from flask import Response, g, request

from connector import context, metrics, peers
from connector.domain.errors import (
    BodyTooLarge,
    Compressed,
    ConnectorError,
    InvalidRequest,
    NotAuthenticated,
    NotFound,
    NotJson,
    RequestMismatch,
    Stranger,
    SuiteOff,
)
from connector.domain.operation import Reply

log = logging.getLogger(__name__)

# When the request of this thread arrived, by the deadline's clock; set by a server that knows.
ARRIVED: ContextVar[float | None] = ContextVar("ARRIVED", default=None)

# Bytes of a body. VTEX's largest, a payment with a long cart, is some tens of kilobytes.
MAX_BODY_BYTES = 256 * 1024
# Bytes of a notification. The largest documented one, a Tranzzo operation, is a few kilobytes.
MAX_NOTIFICATION_BYTES = 32 * 1024

# Headers of every answer: nobody keeps a copy of it, and no browser guesses another type.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

# HTTP status of each failure. Any other failure is 500, after which VTEX and the companies repeat.
UNAUTHORIZED = 401
_STATUSES: tuple[tuple[type[ConnectorError], int], ...] = (
    (NotAuthenticated, UNAUTHORIZED),
    (SuiteOff, 403),
    (BodyTooLarge, 413),
    (NotJson, 415),
    (NotFound, 404),
    (InvalidRequest, 400),
    (RequestMismatch, 422),
)


def status_of(error: ConnectorError) -> int:
    """The HTTP status of a failure."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def json_body() -> bytes:
    """Return a body whose Content-Type is JSON or absent.

    Raises NotJson, Compressed, and what `body` raises.
    """
    read = body()
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise Compressed
    if request.mimetype not in {"", "application/json"}:
        raise NotJson
    return read


def body(most: int = MAX_BODY_BYTES) -> bytes:
    """Return the body, which has `most` bytes at most. It is read once.

    Raises BodyTooLarge and InvalidRequest; a second call raises the same.
    """
    if "body" not in g:
        g.body = _read(most)
    if isinstance(g.body, InvalidRequest):
        raise g.body
    read: bytes = g.body
    return read


def _read(most: int) -> bytes | InvalidRequest:
    if (request.content_length or 0) > most:
        return BodyTooLarge()
    try:
        # The length of a chunked body is known only at its end.
        read = request.stream.read(most + 1)
    except Exception:  # noqa: BLE001 - the server has its own errors for a broken body
        return InvalidRequest("The body could not be read to its end")
    return BodyTooLarge() if len(read) > most else read


def respond(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, mimetype="application/json")
    if reply.after:
        response.call_on_close(context.bind(partial(_afterwards, reply.after)))
    return response


def _afterwards(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("what follows an answer failed")


# There is one function before a request and one after: at each request Flask looks whether each
# of these functions is asynchronous.
def begin(proxies: Sequence[peers.Network]) -> None:
    """Begin the log lines of a request with the peer that calls."""
    forwarded_for = request.headers.get("X-Forwarded-For", "") if proxies else ""
    g.peer = peers.peer_of(request.remote_addr or "", forwarded_for, proxies)
    context.begin(peer=g.peer)


def end(refusals: peers.Refusals, response: Response) -> Response:
    """Add the headers of every answer. A peer that was refused many times waits for its answer."""
    if response.status_code == UNAUTHORIZED:
        refusals.pause(g.peer)
    response.headers.update(HEADERS)
    return response


def note_failure(error: ConnectorError) -> None:
    """Add the reason to the line of the answer, and count a caller that was not let in."""
    context.add(reason=error.why)
    if isinstance(error, NotAuthenticated | SuiteOff):
        metrics.count_unauthorized(error.reason or Stranger.UNPROVEN)


def note_answer(
    operation: str, payment_id: str | None, reply: Reply, provider: str, started: float
) -> None:
    """Count an answer, and write its line; `started` is a reading of `time.monotonic`."""
    metrics.count_answer(operation, provider, reply.status)
    # The answer is decided. A line that cannot be written does not change it.
    with suppress(Exception):
        log.info(
            "answer",
            extra={
                "operation": operation,
                "payment_id": payment_id,
                "provider": provider or None,
                "http_status": reply.status,
                "code": reply.code,
                "ms": round((time.monotonic() - started) * 1000, 1),
            },
        )
