"""Reads the body of an incoming request, and writes its answer and its log line."""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial

from flask import Response, g, request

from connector import context, metrics, peers
from connector.domain.authorization import (
    AuthorizationEnded,
    InvitationEnded,
    NotConnected,
    SignUpOff,
)
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
from connector.domain.page_errors import AlreadyRotated, SignInNeeded, TooManyRequests

log = logging.getLogger(__name__)

# When the request of this thread arrived, by the deadline's clock. Our server sets it; other WSGI
# servers do not.
ARRIVED: ContextVar[float | None] = ContextVar("ARRIVED", default=None)

# Bytes of the largest body. A create with a long cart, VTEX's largest, has some tens of kilobytes.
MAX_BODY_BYTES = 256 * 1024
# Bytes of the largest notification. The largest documented notification is a Tranzzo operation. It
# has a few kilobytes.
MAX_NOTIFICATION_BYTES = 32 * 1024

# The type of every answer, except of pages.
JSON = "application/json"
# Headers of every answer: no cache stores it, and no browser guesses another type.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

# HTTP status of each failure. Any other failure is 500: then VTEX and the companies repeat the
# request.
UNAUTHORIZED = 401
_STATUSES: tuple[tuple[type[ConnectorError], int], ...] = (
    (NotAuthenticated, UNAUTHORIZED),
    (SignInNeeded, UNAUTHORIZED),
    (SuiteOff, 403),
    (BodyTooLarge, 413),
    (NotJson, 415),
    (NotFound, 404),
    (InvalidRequest, 400),
    (RequestMismatch, 422),
    (TooManyRequests, 429),
    (SignUpOff, 403),
    (AuthorizationEnded, 410),
    (InvitationEnded, 410),
    (NotConnected, 409),
    (AlreadyRotated, 409),
)


def status_of(error: ConnectorError) -> int:
    """The HTTP status of a failure."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def json_body() -> bytes:
    """Return a body whose Content-Type is JSON or absent.

    Raises NotJson, Compressed, and what `body` raises.
    """
    content = body()
    if request.headers.get("Content-Encoding", "").strip().lower() not in {"", "identity"}:
        raise Compressed
    if request.mimetype not in {"", "application/json"}:
        raise NotJson
    return content


def body(most: int = MAX_BODY_BYTES) -> bytes:
    """Return the body of at most `most` bytes. It is read once.

    Raises BodyTooLarge and InvalidRequest; a second call raises the same.
    """
    if "body" not in g:
        g.body = _read(most)
    if isinstance(g.body, InvalidRequest):
        raise g.body
    content: bytes = g.body
    return content


def _read(most: int) -> bytes | InvalidRequest:
    if (request.content_length or 0) > most:
        return BodyTooLarge()
    try:
        # A chunked body shows its length only at its end.
        content = request.stream.read(most + 1)
    except Exception:  # noqa: BLE001 - the server has its own errors for a broken body
        return InvalidRequest("The body could not be read to its end")
    return BodyTooLarge() if len(content) > most else content


def respond(reply: Reply, mimetype: str = JSON) -> Response:
    response = Response(reply.body, reply.status, mimetype=mimetype)
    if reply.after:
        response.call_on_close(context.bind(partial(_run_after_answer, reply.after)))
    return response


def _run_after_answer(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        log.exception("what follows an answer failed")


# There is only one function before a request and one function after it: at each request Flask
# checks whether each of these functions is asynchronous.
def begin(proxies: Sequence[peers.Network]) -> None:
    """Begin the log context of a request, with the peer that calls."""
    forwarded_for = request.headers.get("X-Forwarded-For", "") if proxies else ""
    g.peer = peers.peer_of(request.remote_addr or "", forwarded_for, proxies)
    context.begin(peer=g.peer)


def end(refusals: peers.Refusals, response: Response) -> Response:
    """Add the headers of every answer. A peer with many refusals waits for its answer."""
    if response.status_code == UNAUTHORIZED:
        refusals.pause(g.peer)
    response.headers.update(HEADERS)
    return response


def note_failure(error: ConnectorError) -> None:
    """Add the reason to the log line of the answer. Count a caller with refused credentials."""
    context.add(reason=error.why)
    if isinstance(error, NotAuthenticated | SuiteOff):
        metrics.count_unauthorized(error.reason or Stranger.UNPROVEN)


def note_answer(
    operation: str, payment_id: str | None, reply: Reply, provider: str, started: float
) -> None:
    """Count an answer, and log it. `started` is a reading of `time.monotonic`."""
    metrics.count_answer(operation, provider, reply.status)
    # The answer is decided. A failure to log must not change it.
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
