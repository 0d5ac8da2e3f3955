"""Every outgoing call: its deadline, its bulkhead, its typed errors and its log line.

Nothing is retried here and no redirect is followed. What a failure means is decided by one
question: was the connection made? Before that nothing was sent; after it, anything may have
happened.
"""

import logging
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from socket import socket
from typing import Any

import requests
from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from connector import context, tls
from connector.bulkhead import Bulkhead
from connector.domain import exact
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    OutcomeUnknown,
    OutOfTime,
    ProviderCertificate,
    ProviderCredentials,
    ProviderUnavailable,
    root_of,
)
from connector.resolver import Resolver

log = logging.getLogger(__name__)

# Bytes of one answer. The largest documented one, a Tranzzo order with all its operations, is
# a few kilobytes.
MAX_ANSWER_BYTES = 1024 * 1024
# Seconds to connect. A TCP handshake that takes longer than two retransmissions fails anyway.
CONNECT_SECONDS = 3.0
# What an HTTP status, or a class of them, says of the call (RFC 9110, section 15).
_REFUSALS = {401: ProviderCredentials, 403: ProviderCredentials, 429: ProviderUnavailable}
_REFUSED_CLASSES = {3: AnswerNotUnderstood, 5: OutcomeUnknown}
# An answer that is not compressed cannot grow when it is read.
HEADERS = {"User-Agent": "vtex-connector", "Accept-Encoding": "identity"}


class _Call(threading.local):
    """The call this thread is making: when it must end, and whether it is still connecting.

    While it is, nothing was sent: a failure then is certainly not done. `target` is the path and
    query as they were given.
    """

    deadline: Deadline
    resolver: Resolver
    connecting = False
    target = "/"


_call = _Call()


def _time_left() -> float:
    """Seconds. Raises TimeoutError when there are none."""
    left = _call.deadline.left()
    if not left:
        raise TimeoutError
    return left


class _Bounded:
    """A socket whose every read ends at the call's deadline.

    The timeout of a socket starts anew with each read: a server that drips a byte at a time
    would hold a thread for as long as it likes.
    """

    def recv_into(self, *args: Any) -> int:
        self.settimeout(_time_left())  # type: ignore[attr-defined]
        count: int = super().recv_into(*args)  # type: ignore[misc]
        return count


class _Socket(_Bounded, socket):
    """A bounded TCP socket."""


class _TLSSocket(_Bounded, ssl.SSLSocket):
    """A bounded TLS socket."""


class _Connection:
    """A connection that is made by the call's deadline, whatever the resolver does.

    It sends path and query byte for byte: urllib3 would write them anew.
    """

    def _new_conn(self: Any) -> socket:
        found = _call.resolver.addresses(self._dns_host, self.port, _time_left())
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in found:
            connection = socket(family, kind, protocol)
            try:
                return _connected(connection, address, self.socket_options)
            except OSError as error:
                connection.close()
                failure = error
        raise failure

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, _call.target, *args, **kwargs)  # type: ignore[misc]


def _connected(connection: socket, address: Any, options: Any) -> socket:
    """Connect; the addresses of one host draw on one deadline, and so does a handshake."""
    for option in options or ():
        connection.setsockopt(*option)
    connection.settimeout(min(CONNECT_SECONDS, _time_left()))
    connection.connect(address)
    connection.settimeout(min(CONNECT_SECONDS, _time_left()))
    return connection


class _HTTPConnection(_Connection, HTTPConnection):
    def connect(self) -> None:
        _call.connecting = True
        super().connect()
        self.sock = _Socket(fileno=self.sock.detach())
        self.sock.settimeout(_time_left())
        _call.connecting = False


class _HTTPSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        _call.connecting = True
        super().connect()
        _time_left()
        _call.connecting = False


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """Connections that keep the call's deadline; `max_retries` stays 0.

    urllib3 would otherwise repeat PUT, which is RuStore's cancel.
    """

    def __init__(self, ca_file: str, slots: int) -> None:
        self._ca_file = ca_file
        super().__init__(pool_connections=8, pool_maxsize=slots)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = DEFAULT_POOLBLOCK, **kwargs: Any
    ) -> None:
        context = tls.context(self._ca_file, _TLSSocket)
        super().init_poolmanager(connections, maxsize, block, ssl_context=context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave it to the context: the library would trust a list of its own beside it."""
        conn.cert_reqs = "CERT_REQUIRED"


@dataclass(frozen=True)
class Answer:
    """A company's answer: any HTTP status but 401, 403, 429, 3xx and 5xx."""

    status: int
    body: bytes

    def json(self) -> object:
        """Return the body as JSON, numbers exact. Raises AnswerNotUnderstood."""
        try:
            return exact.loads(self.body)
        except ValueError as error:
            raise AnswerNotUnderstood(evidence=f"HTTP {self.status}, not JSON") from error


class HttpClient:
    """Calls to one company, safe to share between threads.

    `seconds` bounds one call, `slots` how many run at once; `measure` is told the provider, the
    operation, the outcome and the seconds of each call. `ca_file` replaces the system's trust.
    """

    def __init__(
        self,
        provider: str,
        *,
        seconds: float = 8.0,
        slots: int = 60,
        measure: Callable[[str, str, str, float], None] = lambda *_: None,
        ca_file: str = "",
    ) -> None:
        self._provider = provider
        self._seconds = seconds
        self._measure = measure
        self.bulkhead = Bulkhead(slots)
        # Without a session, whose cookies of one merchant would stay for another, and whose
        # look-up of proxies and netrc for each call costs as much as the call itself.
        self._adapter = _Adapter(ca_file, slots)
        self._resolver = Resolver()

    def close(self) -> None:
        """Close the idle connections."""
        self._adapter.close()

    def bounded(self, deadline: Deadline) -> Deadline:
        """Return the deadline that one call has."""
        return deadline.within(self._seconds)

    def send(
        self,
        method: str,
        url: str,
        *,
        operation: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Answer:
        """Make one call.

        Raises a NotDone when it certainly had no effect, OutOfTime when there was no time to make
        it, OutcomeUnknown when it may have had one, and AnswerNotUnderstood for an answer that is
        no answer (a redirect, too large).
        """
        started = time.monotonic()
        outcome, reason = "ok", None
        status: int | None = None
        try:
            answer = self._exchange(method, url, deadline, headers, body)
            _refuse_by_status(status := answer.status)
            return answer
        except ConnectorError as error:
            outcome, reason = type(error).__name__, error.why
            raise
        finally:
            context.note_status(status)
            seconds = time.monotonic() - started
            self._measure(self._provider, operation, outcome, seconds)
            log.info(
                "provider call",
                extra={
                    "provider": self._provider,
                    "call": operation,
                    "http_status": status,
                    "outcome": outcome,
                    "reason": reason,
                    "ms": round(seconds * 1000, 1),
                },
            )

    def _exchange(
        self,
        method: str,
        url: str,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        _call.deadline = self.bounded(deadline)
        _call.resolver = self._resolver
        _call.connecting = False
        _call.target = "/" + re.sub(r"\A[^/?]*//[^/?]*/?", "", url)
        left = _call.deadline.left()
        if not left:
            raise OutOfTime
        try:
            prepared = requests.Request(method, url, {**HEADERS, **headers}, data=body).prepare()
            timeout = (min(CONNECT_SECONDS, left), left)
            response = self._adapter.send(prepared, stream=True, timeout=timeout)
            with response:
                return Answer(response.status_code, _read(response))
        except (requests.RequestException, HTTPError, OSError) as error:
            reason = root_of(error)
            if _call.connecting and (distrust := tls.distrust(error)):
                raise ProviderCertificate(reason=f"{reason}: {distrust}") from error
            if _call.connecting:
                raise ProviderUnavailable(reason=reason) from error
            raise OutcomeUnknown(reason=reason) from error


def _read(response: requests.Response) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerNotUnderstood(evidence="answer too large")
    return bytes(body)


def _refuse_by_status(status: int) -> None:
    error = _REFUSALS.get(status) or _REFUSED_CLASSES.get(status // 100)
    if error:
        raise error(evidence=f"HTTP {status}")
