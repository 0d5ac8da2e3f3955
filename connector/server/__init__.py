"""The server: gunicorn, with a reason for each of its settings."""

import gc
import logging
import os
import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from wsgiref.types import WSGIApplication

from gunicorn import glogging
from gunicorn.app.base import BaseApplication
from prometheus_client import multiprocess

from connector import logs, metrics
from connector.app import build, create_app
from connector.config import Settings
from connector.domain.errors import ConfigurationError
from connector.enabled import all_threads
from connector.server.master import Master
from connector.server.metrics_port import MetricsServer
from connector.server.rooms import allow_open_files

log = logging.getLogger(__name__)


# The settings of gunicorn; every line has its reason.
_SETTINGS: Mapping[str, Any] = {
    "worker_class": "connector.server.worker.Worker",
    # gunicorn's log lines go where ours go, in the same form.
    "logger_class": "connector.server.Logger",
    # Without it one worker often takes nearly all connections.
    "reuse_port": True,
    # gunicorn opens this socket in the home directory. A read-only root has none.
    "control_socket_disable": True,
    # Seconds. A load balancer keeps an idle connection for less time. So the load balancer closes
    # first, and never sends into a closing connection.
    "keepalive": 75,
    # Seconds in which a stopping server ends its requests. An answer takes at most 20.
    "graceful_timeout": 25,
    # Seconds after which a worker without a sign of life is replaced. The sign comes from its loop,
    # not from its threads.
    "timeout": 30,
    # The heartbeat file is in memory: a slow disk could stall it.
    "worker_tmp_dir": "/dev/shm" if Path("/dev/shm").is_dir() else None,  # noqa: S108
    # Hundreds of connections may wait to be accepted; more are refused by the system.
    "backlog": 512,
    # Bytes of a request line. The longest of ours has two ids of 128 characters, or the
    # returnUrl of a configuration.
    "limit_request_line": 4094,
    # A proxy in front adds some to VTEX's twenty.
    "limit_request_fields": 64,
    # Bytes of one header field; ours are shorter than 100, a proxy's may be long.
    "limit_request_field_size": 8190,
    # No header changes the scheme. By gunicorn's default, a header from loopback changes it.
    "forwarded_allow_ips": "",
    # No header changes the path, because a proxy compares the path with its rules. By gunicorn's
    # default, SCRIPT_NAME changes it.
    "forwarder_headers": "",
}


def gunicorn_settings(bind: str, workers: int, threads: int) -> dict[str, Any]:
    return {
        **_SETTINGS,
        "bind": bind,
        "workers": workers,
        # A request mostly waits for a company. A thread starts only when it is needed.
        "threads": threads,
        # It must be more than the threads, or gunicorn warns. Nothing else depends on it.
        "worker_connections": threads + 1,
        "post_fork": _post_fork,
        "post_worker_init": _post_worker_init,
        "child_exit": _child_exit,
        "when_ready": _when_ready,
    }


class Server(BaseApplication):  # type: ignore[misc]
    """Runs the application until it is told to stop."""

    metrics_server: MetricsServer | None = None

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
        self._options = gunicorn_settings(bind, workers, all_threads(settings, threads))
        super().__init__()

    def run(self) -> None:
        Master(self).run()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> WSGIApplication:
        """Build the application, in each worker for itself: nothing is shared by a fork."""
        self.connector = build(self.settings, threads=self._threads)
        return create_app(self.connector)


class Logger(glogging.Logger):  # type: ignore[misc]
    """Leaves the handlers to `connector.logs`. Our own log line reports each answer."""

    def setup(self, cfg: Any) -> None:
        self.error_log.propagate = True

    def access(self, *_: Any) -> None:
        return None

    def reopen_files(self) -> None:
        return None


def _post_fork(_: Any, worker: Any) -> None:
    """Close the worker's copy of the metrics' port, so that the port ends with the master."""
    if worker.app.metrics_server:
        worker.app.metrics_server.close_copies()
    if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        metrics.reserve(Path(folder))


def _post_worker_init(worker: Any) -> None:
    """Start reconcile in a worker that is ready."""
    # The present modules stay loaded, so the garbage collector need not check them again.
    gc.freeze()
    server: Server = worker.app
    if server.has_reconcile:
        stop = threading.Event()
        threading.Thread(
            target=server.connector.reconciler.run, args=(stop,), name="reconcile", daemon=True
        ).start()
    log.info("worker ready")


def _child_exit(_: Any, worker: Any) -> None:
    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]


def _when_ready(arbiter: Any) -> None:
    """Serve the metrics of all workers from the master, on their own port."""
    bind = arbiter.app.settings.metrics_bind
    if not bind:
        return
    host, _, port = bind.rpartition(":")
    try:
        arbiter.app.metrics_server = MetricsServer(host.strip("[]"), int(port)).start()
    except (OSError, OverflowError):
        log.warning("metrics are off: their port cannot be bound", extra={"bind": bind})


def check_port(bind: str) -> None:
    """Refuse a port in use: because of `reuse_port`, a second server would start silently."""
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
    """Check the port, the database and the keys, then serve."""
    check_port(bind)
    allow_open_files()
    connector = build(settings, threads=1)
    connector.database.check_server()
    if not connector.database.is_ready():
        raise ConfigurationError("The database is not ready; run `connector migrate` first")
    connector.merchants.check_keys()
    connector.database.close()
    logs.configure(settings.log_level)
    log.info("serving", extra={"bind": bind, "count": workers})
    if settings.test_suite:
        log.warning("the test suite is let in: it needs no credentials, and meets the sandbox only")
    Server(settings, bind=bind, workers=workers, threads=threads, has_reconcile=reconcile).run()
