"""Serves the metrics on their own port, with few connections and few seconds for each."""

import contextlib
import logging
import socket
import threading
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from typing import Any, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import CollectorRegistry, make_wsgi_app, multiprocess

from connector.domain.deadline import now

log = logging.getLogger(__name__)

# Connections at once, each with a thread of its own. A further connection closes the oldest.
MOST_CONNECTIONS = 8
# Seconds of a connection, from its beginning to its end. Prometheus waits for 10 by default.
CONNECTION_SECONDS = 10.0


class _Handler(WSGIRequestHandler):
    # Seconds of one read or write.
    timeout = CONNECTION_SECONDS

    def log_message(self, *_: Any) -> None:
        return None


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Serves the sum of all workers' metrics from the master."""

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._open: dict[Any, float] = {}
        super().__init__((host, port), _Handler)
        self.set_app(_Metrics(_collected()))

    def start(self) -> Self:
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()
        return self

    def close_copies(self) -> None:
        """Close this process's copies of the port and its connections, in a forked worker."""
        for copy in (self.socket, *self._open):
            copy.close()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open[request] = now()
        if len(self._open) > MOST_CONNECTIONS:
            self._cut_off(next(iter(self._open)))
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off connections whose time is over. The base class calls this twice a second."""
        for request, began in list(self._open.items()):
            if now() - began > CONNECTION_SECONDS:
                self._cut_off(request)

    def _cut_off(self, request: Any) -> None:
        """End a connection, so that its thread notices and closes it."""
        self._open.pop(request, None)
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: Any) -> None:
        """Print nothing about a client that is cut off or gone."""


def _collected() -> WSGIApplication:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    application: WSGIApplication = make_wsgi_app(registry)
    return application


class _Metrics:
    """Answers GET /metrics only. If the metrics cannot be read, it answers 503 for Prometheus."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._has_failed = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            return _text("404 Not Found", start_response)
        if environ["REQUEST_METHOD"] != "GET":
            return _text("405 Method Not Allowed", start_response)
        try:
            return list(self._application(environ, start_response))
        except Exception:
            if not self._has_failed:
                log.exception("metrics cannot be read")
            self._has_failed = True
            return _text("503 Service Unavailable", start_response)


def _text(status: str, start_response: StartResponse) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "text/plain"), ("Cache-Control", "no-store")])
    return [status.encode()]
