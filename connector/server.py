"""The server: gunicorn, with a reason for each of its settings."""

import contextlib
import gc
import logging
import os
import socket
import threading
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer
from wsgiref.types import WSGIApplication

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import LimitRequestHeaders, LimitRequestLine, ParseException
from gunicorn.workers.gthread import ThreadWorker
from prometheus_client import CollectorRegistry, multiprocess, start_http_server

from connector import logs, metrics
from connector.app import all_threads, build, create_app
from connector.config import Settings
from connector.domain.deadline import now
from connector.domain.errors import ConfigurationError, ConnectorError
from connector.http_server import ARRIVED, HEADERS
from connector.vtex.answers import dump_failure

log = logging.getLogger(__name__)

REASONS = {400: "Bad Request", 414: "URI Too Long", 431: "Request Header Fields Too Large"}


def gunicorn_settings(bind: str, workers: int, threads: int) -> dict[str, Any]:
    """The settings; every line has its reason."""
    return {
        "bind": bind,
        "workers": workers,
        # A request spends its time waiting for a company. One that hangs leaves some over.
        "threads": all_threads(threads),
        "worker_class": "connector.server.Worker",
        # Its lines go where ours go, in the same form.
        "logger_class": "connector.server.Logger",
        # Without it one worker often takes nearly all connections.
        "reuse_port": True,
        # It would be opened in the home directory, which a read-only root does not have.
        "control_socket_disable": True,
        # Seconds; longer than a load balancer keeps an idle connection, so that it is the
        # one who closes and never sends into a closing one.
        "keepalive": 75,
        # Seconds a stopping server lets requests end: an answer takes at most 20.
        "graceful_timeout": 25,
        # Seconds without a sign of life until a worker is replaced; its threads do not count.
        "timeout": 30,
        # The heartbeat file: memory, where a disk could stall it.
        "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
        # Hundreds of requests may wait for a thread; more are refused by the system.
        "backlog": 512,
        "post_fork": _post_fork,
        "post_worker_init": _post_worker_init,
        "child_exit": _child_exit,
        "when_ready": _when_ready,
    }


class Server(BaseApplication):  # type: ignore[misc]
    """Runs the application until it is told to stop."""

    metrics_server: WSGIServer | None = None

    def __init__(
        self,
        settings: Settings,
        *,
        bind: str,
        workers: int,
        threads: int,
        has_reconcile: bool,
    ) -> None:
        self.settings = settings
        self.has_reconcile = has_reconcile
        self._threads = threads
        self._options = gunicorn_settings(bind, workers, threads)
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Build the application, in each worker for itself: nothing is shared by a fork."""
        self.connector = build(self.settings, threads=self._threads)
        return create_app(self.connector)


class Logger(glogging.Logger):  # type: ignore[misc]
    """Leaves the handlers to `connector.logs`; our own line tells of each answer."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        return None

    def reopen_files(self) -> None:
        return None


class Worker(ThreadWorker):  # type: ignore[misc]
    """Answers in JSON even what it cannot read as HTTP, and knows when a request arrived."""

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop listening when this worker ends: what waits to be accepted would be cut off."""
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            count = None
            while count != self.nr_conns:
                count = self.nr_conns
                self.accept(listener)
            listener.close()

    def enqueue_req(self, conn: Any) -> None:
        """A request's time runs while it waits for a thread."""
        conn.arrived_at = now()
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> bool:
        ARRIVED.set(conn.arrived_at)
        return bool(super().handle_request(req, conn))

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        status = _status_of(exc)
        fault = ConnectorError("The request could not be read as HTTP")
        fault.code = "invalid-request" if status in REASONS else "internal-error"
        if status in REASONS:
            log.warning("unreadable request", extra={"http_status": status})
        else:
            log.error("request failed", exc_info=exc)
        body = dump_failure(fault, "", None, None)
        lines = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        head = (
            f"HTTP/1.1 {status} {REASONS.get(status, 'Internal Server Error')}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            f"{lines}Connection: close\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            client.sendall(head.encode() + body)


def _status_of(exc: BaseException) -> int:
    if isinstance(exc, LimitRequestLine):
        return 414
    if isinstance(exc, LimitRequestHeaders):
        return 431
    return 400 if isinstance(exc, ParseException | OSError) else 500


def _post_fork(_: Any, worker: Any) -> None:
    """Leave the metrics' port to the master: a worker would hold it after the master's end."""
    if worker.app.metrics_server:
        worker.app.metrics_server.socket.close()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        metrics.reserve(Path(folder))


def _post_worker_init(worker: Any) -> None:
    """Start what a worker does besides answering."""
    # What is loaded by now stays: the collector need not look at it again and again.
    gc.freeze()
    server: Server = worker.app
    if server.has_reconcile:
        stop = threading.Event()
        threading.Thread(
            target=server.connector.reconciler.run, args=(stop,), name="reconcile", daemon=True
        ).start()


def _child_exit(_: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _when_ready(arbiter: Any) -> None:
    """Serve the metrics of all workers from the master, on their own port."""
    bind = arbiter.app.settings.metrics_bind
    if not bind:
        return
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    host, _, port = bind.rpartition(":")
    try:
        arbiter.app.metrics_server, _ = start_http_server(
            int(port), addr=host.strip("[]"), registry=registry
        )
    except (OSError, OverflowError):
        log.warning("metrics are off: their port cannot be bound", extra={"bind": bind})


def check_port(bind: str) -> None:
    """Refuse a port that is taken: with `reuse_port` a second server would start silently."""
    host, _, port = bind.rpartition(":")
    try:
        if not host:
            raise ValueError("give HOST:PORT")  # noqa: TRY301 - said like the system's own
        with socket.create_server((host.strip("[]"), int(port)), family=_family(host)):
            return
    except (OSError, ValueError, OverflowError) as error:
        raise ConfigurationError(f"--bind {bind}: cannot be bound ({error})") from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def serve(settings: Settings, bind: str, workers: int, threads: int, *, reconcile: bool) -> None:
    """Check what can be checked beforehand, then serve."""
    check_port(bind)
    connector = build(settings, threads=1)
    if not connector.database.is_ready():
        raise ConfigurationError("The database is not ready; run `connector migrate` first")
    connector.merchants.check_keys()
    connector.database.close()
    logs.configure(settings.log_level)
    log.info("serving", extra={"bind": bind, "count": workers})
    if settings.test_suite:
        log.warning("the test suite is let in: it needs no credentials, and meets the sandbox only")
    Server(settings, bind=bind, workers=workers, threads=threads, has_reconcile=reconcile).run()
