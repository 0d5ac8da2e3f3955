"""Receives the connector's callbacks."""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from connector.domain.errors import ConfigurationError

# VTEX's own signature has up to 32 characters. The escapes have small letters, as on VTEX's
# platform. A connector that builds the URL anew would change them.
_PLAIN_SIGNATURE = "Rj84Kq02LmZx71Tk"
_ESCAPED_SIGNATURE = "Rj8%2bKq02%2fLm~Zx%3d"
# Bytes; a callback is far smaller.
_MOST = 262_144


@dataclass(frozen=True)
class Callback:
    """One received request. `target` is its path and query, byte for byte."""

    method: str
    target: str
    content_type: str
    body: bytes


class Sink:
    """Listens for callbacks. The connector reaches it at `url`, by default its own address."""

    def __init__(self, bind: str = "127.0.0.1:0", url: str = "") -> None:
        host, _, port = bind.rpartition(":")
        self._callbacks: list[Callback] = []
        self._changed = threading.Condition()
        sink = self

        class Handler(_Handler):
            receiver = sink

        try:
            self._server = _Server((host, int(port)), Handler)
        except (OSError, ValueError, OverflowError) as error:
            raise ConfigurationError(
                f"--callback-bind {bind}: cannot be bound ({error})"
            ) from error
        self.port = self._server.server_address[1]
        self.url = url.rstrip("/") or f"http://{host}:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def address(self, payment_id: str, *, is_escaped: bool = False) -> str:
        """Return a callback URL of VTEX's form for a payment."""
        signature = _ESCAPED_SIGNATURE if is_escaped else _PLAIN_SIGNATURE
        path = f"/api/pvt/payment-provider/transactions/T1/payments/{payment_id}/callback"
        return f"{self.url}{path}?accountName=rehearsal&X-VTEX-signature={signature}"

    def receive(self, callback: Callback) -> None:
        with self._changed:
            self._callbacks.append(callback)
            self._changed.notify_all()

    def of(self, payment_id: str) -> list[Callback]:
        """Return the callbacks of a payment so far."""
        with self._changed:
            return self._of(payment_id)

    def wait(self, payment_id: str, seconds: float) -> Callback | None:
        """Wait for the first callback of a payment."""
        with self._changed:
            self._changed.wait_for(lambda: self._of(payment_id), seconds)
            return next(iter(self._of(payment_id)), None)

    def _of(self, payment_id: str) -> list[Callback]:
        return [callback for callback in self._callbacks if payment_id in callback.target]


def target_of(url: str) -> str:
    """Return the path and query of a URL, unchanged, as a request line must have them."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False


class _Handler(BaseHTTPRequestHandler):
    receiver: Sink
    # Seconds. No client may hold a thread for longer.
    timeout = 10

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def _take(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), _MOST)
        body = self.rfile.read(length)
        content_type = self.headers.get("Content-Type", "")
        # The base class merges slashes at the beginning of `path`; the request line does not.
        target = self.requestline.split(" ")[1]
        self.receiver.receive(Callback(self.command, target, content_type, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PUT = _take  # noqa: N815 - the base class finds them by these names
