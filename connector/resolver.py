"""Names to addresses, by a deadline: the system's resolver has none."""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any

from urllib3.util.connection import allowed_gai_family

# Family, kind, protocol, canonical name and address, as `socket.getaddrinfo` gives them.
Address = tuple[Any, ...]
# Seconds after which a look-up is not joined any more: the resolver asks its next server after 5
# (resolv.conf, `timeout`), and a new look-up may by then be answered at once.
JOINED_SECONDS = 5.0
# Look-ups of one name, and of all, that run at once. Each that hangs holds a thread until the
# resolver gives up, after half a minute or so.
MOST_OF_A_NAME, MOST = 2, 8


class Resolver:
    """Looks names up; whoever asks for the same name at once shares one look-up.

    Nothing can interrupt the resolver, so it works in threads of their own. No answer is kept:
    connections are, so names are rarely asked for, and a company that moves is found at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], list[_LookUp]] = {}

    def addresses(self, host: str, port: int, seconds: float) -> list[Address]:
        """Return the addresses of a host. Raises OSError, TimeoutError after `seconds`."""
        if _is_address(host):
            return _resolved(host, port)
        try:
            return self._look_up(host, port).answer.result(seconds)
        except TimeoutError as error:
            raise TimeoutError("the name did not resolve in time") from error

    def _look_up(self, host: str, port: int) -> "_LookUp":
        """Join a look-up or begin one. Raises OSError when too many hang."""
        with self._lock:
            running = self._running.get((host, port), [])
            is_full = len(running) >= MOST_OF_A_NAME
            if running and (is_full or running[-1].age() < JOINED_SECONDS):
                return running[-1]
            if sum(map(len, self._running.values())) >= MOST:
                raise OSError("too many names do not resolve")
            begun = _LookUp(host, port, self._forget)
            self._running[host, port] = [*running, begun]
            return begun

    def _forget(self, ended: "_LookUp") -> None:
        with self._lock:
            left = [one for one in self._running[ended.name] if one is not ended]
            self._running[ended.name] = left
            if not left:
                del self._running[ended.name]


class _LookUp:
    """One question to the resolver, in a thread that does not keep the process alive."""

    def __init__(self, host: str, port: int, forget: "Callable[[_LookUp], None]") -> None:
        self.name = host, port
        self.answer: Future[list[Address]] = Future()
        self._began_at = time.monotonic()
        self._forget = forget
        threading.Thread(target=self._run, name="resolver", daemon=True).start()

    def age(self) -> float:
        """Seconds."""
        return time.monotonic() - self._began_at

    def _run(self) -> None:
        try:
            found = _resolved(*self.name)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self._forget(self)
            self.answer.set_exception(error)
        else:
            self._forget(self)
            self.answer.set_result(found)


def _resolved(host: str, port: int) -> list[Address]:
    try:
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("this cannot be the name of a host") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
