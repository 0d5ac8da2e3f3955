"""Answers a request that cannot be read as HTTP, in the form of its path's route."""

import logging
from http import HTTPStatus
from urllib.parse import unquote, urlsplit

from gunicorn.http.errors import (
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from werkzeug.routing import Map

from connector.domain.errors import ConnectorError, InvalidRequest
from connector.http_routes import failure_at
from connector.http_server import HEADERS
from connector.server.connection import LateRequest
from connector.server.framing import TooManyPieces

log = logging.getLogger(__name__)

# HTTP status and message of each fault of a request. Any other exception is a fault of ours.
_FAULTS: tuple[tuple[type[Exception], HTTPStatus, str], ...] = (
    (LimitRequestLine, HTTPStatus.REQUEST_URI_TOO_LONG, "The request line is too long"),
    (
        LimitRequestHeaders,
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "The header fields are too many or too large",
    ),
    (LateRequest, HTTPStatus.REQUEST_TIMEOUT, "The request did not come to its end in time"),
    (
        TooManyPieces,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "The body comes in too many chunks, or its trailer is too long",
    ),
    (NoMoreData, HTTPStatus.BAD_REQUEST, "The request was cut off before its end"),
    (ParseException, HTTPStatus.BAD_REQUEST, "The request could not be read as HTTP"),
)


def refusal(routes: Map, fault: Exception, head: bytes) -> bytes:
    """Write the whole answer, and log the fault. `head` has the received bytes of the head."""
    status, error = _status_and_error(fault)
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", exc_info=fault)
    else:
        log.warning("unreadable request", extra={"http_status": int(status)})
    body, mimetype = failure_at(routes, path_in(head), error, status)
    headers = {
        "Content-Type": mimetype,
        "Content-Length": str(len(body)),
        **HEADERS,
        "Connection": "close",
    }
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{fields}\r\n".encode() + body


def _status_and_error(fault: Exception) -> tuple[HTTPStatus, ConnectorError]:
    for kind, status, message in _FAULTS:
        if isinstance(fault, kind):
            return status, InvalidRequest(message)
    return HTTPStatus.INTERNAL_SERVER_ERROR, ConnectorError()


def path_in(head: bytes) -> str:
    """Return the path of the request line. It is empty if the line cannot be read so far."""
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    try:
        return unquote(urlsplit(words[1]).path)
    except (IndexError, ValueError):
        return ""
