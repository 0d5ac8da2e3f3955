"""The worker: a loop that waits for clients, and threads that answer whole requests.

No thread waits for a client. A request gets a thread when all of it is here, and loses the thread
when its answer is written. A slow or silent client costs a place in a room; a room has a limit of
places, and of seconds.
"""

import contextlib
import logging
import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from connector.domain.deadline import now
from connector.http_server import ARRIVED
from connector.server.connection import READ_AT_ONCE, Connection, LateRequest
from connector.server.framing import MOST_HEAD
from connector.server.rooms import Room, leave, places
from connector.server.unreadable import refusal

log = logging.getLogger(__name__)

# Seconds for a whole request, from its connection on; for later requests, from their first byte on.
REQUEST_SECONDS = 10.0
# Seconds for the client to take its answer.
ANSWER_SECONDS = 10.0
# Seconds in which a client may read the last answer before the connection is closed.
LINGER_SECONDS = 2.0
# Seconds for which an ending worker keeps idle connections.
STOP_SECONDS = 2.0

# The most connections of a worker that wait for each event. Above the limit the oldest is closed.
MOST_WAITING = 512  # their request to come
MOST_LARGE = 64  # the rest of a body; each takes at most MAX_BODY_BYTES of memory
MOST_IDLE = 256  # the next request
MOST_UNSENT = 128  # the client to read
MOST_LINGERING = 128  # the client to close
# The most whole requests that wait for a thread. Beyond the limit, no connection is accepted. They
# wait for milliseconds, because each company has its own threads and refuses excess requests.
MOST_QUEUED = 128

ACCEPTED_AT_ONCE = 32
# Bytes that a client may send after the last answer. The worker drops them.
MOST_DRAINED = 1024 * 1024

# Each of these signals ends a worker in the same way. gunicorn's own worker dies of HUP, and cuts
# off clients in the middle of a request at the other signals. Ctrl-C sends INT to the workers too;
# then the master sends QUIT. The master sends ABRT to a worker without a sign of life. It kills the
# worker a second later.
ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGABRT)


class Worker(ThreadWorker):  # type: ignore[misc]
    """Uses the threads, the signals and the WSGI calls of gunicorn's worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting, self.large = Room(MOST_WAITING), Room(MOST_LARGE)
        self.idle, self.unsent = Room(MOST_IDLE), Room(MOST_UNSENT)
        self.lingering = Room(MOST_LINGERING)
        self.answering = 0
        self.has_logged_files = False
        # gunicorn asks clients to close their connections when so many are kept.
        self.keepalived_conns, self.max_keepalived = self.idle, self.idle.most
        self.most_answered = places(self.cfg.threads + MOST_QUEUED)

    @property
    def rooms(self) -> list[Room]:
        return [self.waiting, self.large, self.idle, self.unsent, self.lingering]

    def init_signals(self) -> None:
        super().init_signals()
        for number in ENDING_SIGNALS:
            signal.signal(number, self.handle_exit)
            # As in gunicorn for TERM: the signal interrupts no system call.
            signal.siginterrupt(number, False)  # noqa: FBT003 - its only form

    # The loop.

    def run(self) -> None:
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        while self.alive and self.is_parent_alive():
            self.set_accept_enabled(self.answering < self.most_answered)
            self._run_once()
        self._stop()

    def _run_once(self) -> None:
        """Run the loop once: wait at most a second for events, then end overdue connections."""
        self.notify()
        self.wait_for_and_dispatch_events(1.0)
        for room in self.rooms:
            for connection in room.overdue(now()):
                self._end_overdue(connection)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        for key, _ in self.poller.select(timeout):
            connection = key.data.args[0] if isinstance(key.data, partial) else None
            if connection is not None and connection.room is None:
                # An earlier event of this round closed the connection, to make place.
                continue
            try:
                key.data(key.fileobj)
            except Exception:
                log.exception("connection failed")
                if connection is not None:
                    self._close(connection)

    def _stop(self) -> None:
        """Answer the requests that have begun, then end. The threads may still use their queue."""
        self.alive = False
        self._stop_listening()
        for connection in (*self.idle, *self.waiting):
            if not connection.has_begun:
                connection.due = min(connection.due, now() + STOP_SECONDS)
        until = now() + self.cfg.graceful_timeout
        while (self.answering or any(map(len, self.rooms))) and now() < until:
            self._run_once()
        self.tpool.shutdown(wait=False)

    def _stop_listening(self) -> None:
        """Accept the waiting connections, then stop listening: later ones would be cut off."""
        self.set_accept_enabled(enabled=False)
        for listener in self.sockets:
            while self._accept_one(listener):
                pass
            listener.close()

    # Connections come.

    def accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if not self._accept_one(listener):
                break

    def _accept_one(self, listener: socket.socket) -> bool:
        try:
            peer, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError:
            # The system has no file descriptor or no memory left.
            if not self.has_logged_files:
                log.exception("no connection can be accepted")
            self.has_logged_files = True
            self._close_all(filter(None, (room.oldest() for room in self.rooms)))
            return False
        connection = Connection(self.cfg, peer, client, listener.getsockname())
        self._wait_in(connection, self.waiting, REQUEST_SECONDS, self._on_readable)
        return True

    def _on_readable(self, connection: Connection, _: Any) -> None:
        try:
            is_ready = connection.read()
        except OSError:
            self._close(connection)
            return
        if is_ready:
            self._take_out(connection)
            self._answer(connection)
        elif connection.has_begun:
            self._wait_on(connection)

    def _wait_on(self, connection: Connection) -> None:
        """Wait for the rest of a request."""
        if connection.room is self.idle:
            connection.due = now() + REQUEST_SECONDS
        room = self.large if len(connection.received) > MOST_HEAD else self.waiting
        if connection.room is not room:
            self._enter(connection, room)

    def _end_overdue(self, connection: Connection) -> None:
        if connection.room in (self.waiting, self.large) and connection.has_begun:
            connection.fault = LateRequest()
            self._take_out(connection)
            self._answer(connection)
        else:
            self._close(connection)

    # Requests are answered.

    def _answer(self, connection: Connection) -> None:
        """Give a whole request to a thread. Refuse a faulty request here."""
        if connection.fault is None:
            self.answering += 1
            self.enqueue_req(connection)
        elif isinstance(connection.fault, NoMoreData) and not connection.has_begun:
            self._close(connection)
        else:
            self._refuse(connection, connection.fault)
            self._continue(connection)

    def _refuse(self, connection: Connection, fault: Exception) -> None:
        head = connection.head or bytes(connection.received[:MOST_HEAD])
        with contextlib.suppress(OSError):
            connection.sock.sendall(refusal(self.wsgi.url_map, fault, head))

    def handle(self, connection: Connection) -> bool:
        """Answer a request in a thread. Say whether its connection may have another request."""
        try:
            is_kept = self.handle_request(connection.request, connection)
            return is_kept and connection.is_read_to_its_end()
        except (OSError, StopIteration):
            # The client is gone, or already has half of an answer.
            return False
        except Exception as fault:  # noqa: BLE001 - gunicorn's own; ours are answered by the application
            self._refuse(connection, fault)
            return False

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Count the request's time from its arrival: it may have waited for a thread."""
        ARRIVED.set(conn.arrived_at)
        return bool(super().handle_request(req, conn))

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Go on after an answer. An exception here would stop the loop's other callbacks."""
        self.answering -= 1
        try:
            conn.keeps = not fs.cancelled() and fs.exception() is None and fs.result()
            self._continue(conn)
        except Exception:
            log.exception("connection failed")
            self._close(conn)

    def _continue(self, connection: Connection) -> None:
        """Let the client read its answer, then wait for its next request or for its end."""
        if connection.sock.unsent:
            self._wait_in(connection, self.unsent, ANSWER_SECONDS, self._on_writable)
        elif not connection.keeps:
            self._linger(connection)
        elif connection.next_request():
            self._answer(connection)
        elif connection.has_begun:
            self._wait_in(connection, self.waiting, REQUEST_SECONDS, self._on_readable)
        else:
            seconds = self.cfg.keepalive if self.alive else STOP_SECONDS
            self._wait_in(connection, self.idle, seconds, self._on_readable)

    def _on_writable(self, connection: Connection, _: Any) -> None:
        try:
            connection.sock.flush()
        except OSError:
            self._close(connection)
            return
        if not connection.sock.unsent:
            self._take_out(connection)
            self._continue(connection)

    # Connections go.

    def _linger(self, connection: Connection) -> None:
        """End our side of a connection, then wait: a close at once could cut off the answer."""
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        self._wait_in(connection, self.lingering, LINGER_SECONDS, self._on_rest)

    def _on_rest(self, connection: Connection, _: Any) -> None:
        try:
            count = len(connection.socket.recv(READ_AT_ONCE))
        except BlockingIOError:
            return
        except OSError:
            count = 0
        connection.drained += count
        if not count or connection.drained > MOST_DRAINED:
            self._close(connection)

    def _close_all(self, connections: Iterable[Connection]) -> None:
        for connection in list(connections):
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        if connection.room is not None:
            self._take_out(connection)
        connection.socket.close()

    # Connections change rooms.

    def _wait_in(
        self,
        connection: Connection,
        room: Room,
        seconds: float,
        then: Callable[[Connection, Any], None],
    ) -> None:
        """Let a connection wait in a room. Call `then` when it can be read or written."""
        event = selectors.EVENT_WRITE if room is self.unsent else selectors.EVENT_READ
        connection.due = now() + seconds
        self.poller.register(connection.socket, event, partial(then, connection))
        self._enter(connection, room)

    def _enter(self, connection: Connection, room: Room) -> None:
        crowded_out = room.enter(connection)
        if crowded_out is not None:
            self._close(crowded_out)

    def _take_out(self, connection: Connection) -> None:
        leave(connection)
        self.poller.unregister(connection.socket)
