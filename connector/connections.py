"""Connections that end at the deadline of the call that uses them."""

import re
import ssl
import threading
from socket import socket
from typing import Any

from requests.adapters import DEFAULT_POOLBLOCK, HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connector import tls
from connector.domain.deadline import Deadline
from connector.resolver import Resolver

# Seconds to connect. A TCP handshake that needs more than two retransmissions fails anyway.
CONNECT_SECONDS = 3.0


class OutgoingCall(threading.local):
    """The call that this thread makes.

    While it is `connecting`, nothing was sent, so a failure certainly had no effect. `target` is
    the path and the query as the caller wrote them.
    """

    deadline: Deadline
    resolver: Resolver
    connecting = False
    target = "/"

    def begin(self, url: str, deadline: Deadline, resolver: Resolver) -> None:
        self.deadline, self.resolver, self.connecting = deadline, resolver, False
        self.target = "/" + re.sub(r"\A[^/?]*//[^/?]*/?", "", url)

    def time_left(self) -> float:
        """Return the seconds until the deadline. Raises TimeoutError at the deadline."""
        left = self.deadline.left()
        if not left:
            raise TimeoutError
        return left


call = OutgoingCall()


class _Bounded:
    """A socket. Every read of it ends at the call's deadline.

    The timeout of a plain socket starts anew with each read. A server that sends one byte at a time
    could then hold a thread for ever.
    """

    def recv_into(self, *args: Any) -> int:
        self.settimeout(call.time_left())  # type: ignore[attr-defined]
        count: int = super().recv_into(*args)  # type: ignore[misc]
        return count


class _Socket(_Bounded, socket):
    """A bounded TCP socket."""


class _TLSSocket(_Bounded, ssl.SSLSocket):
    """A bounded TLS socket."""


class _Connection:
    """A connection that keeps the call's deadline, even if the resolver is slow.

    It sends the path and the query byte for byte. urllib3 would change their spelling.
    """

    def _new_conn(self: Any) -> socket:
        addresses = call.resolver.addresses(self._dns_host, self.port, call.time_left())
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in addresses:
            connection = socket(family, kind, protocol)
            try:
                return _connected(connection, address, self.socket_options)
            except OSError as error:
                connection.close()
                failure = error
        raise failure

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, call.target, *args, **kwargs)  # type: ignore[misc]


def _connected(connection: socket, address: Any, options: Any) -> socket:
    """Connect. All addresses of a host, and the TLS handshake, share one deadline."""
    for option in options or ():
        connection.setsockopt(*option)
    connection.settimeout(min(CONNECT_SECONDS, call.time_left()))
    connection.connect(address)
    connection.settimeout(min(CONNECT_SECONDS, call.time_left()))
    return connection


class _HTTPConnection(_Connection, HTTPConnection):
    def connect(self) -> None:
        call.connecting = True
        super().connect()
        self.sock = _Socket(fileno=self.sock.detach())
        self.sock.settimeout(call.time_left())
        call.connecting = False


class _HTTPSConnection(_Connection, HTTPSConnection):
    def connect(self) -> None:
        call.connecting = True
        super().connect()
        call.time_left()
        call.connecting = False


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class Adapter(HTTPAdapter):
    """Opens connections that keep the call's deadline. `max_retries` stays 0.

    With more retries urllib3 would repeat a PUT, and RuStore's cancel is a PUT.
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
        """Let the TLS context decide. The library would also trust a list of its own."""
        conn.cert_reqs = "CERT_REQUIRED"
