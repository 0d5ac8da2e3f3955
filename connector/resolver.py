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
# Seconds after which nobody joins a look-up any more. The resolver asks its next server after 5
# seconds (resolv.conf, `timeout`); by then a new look-up may be answered at once.
JOINED_SECONDS = 5.0
# Look-ups of one name, and of all names, that run at once. A look-up that hangs holds a thread
# until the resolver gives up, after about half a minute.
MOST_OF_A_NAME, MOST = 2, 8


class Resolver:
    """Looks names up; calls that need the same name at the same time share a look-up.

    Nothing can interrupt the resolver, so each look-up has a thread of its own. Answers are not
    stored: connections stay open, so look-ups are rare, and a company's new address counts at once.
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
            look_up = _LookUp(host, port, self._forget)
            self._running[host, port] = [*running, look_up]
            return look_up

    def _forget(self, look_up: "_LookUp") -> None:
        with self._lock:
            self._running[look_up.name].remove(look_up)
            if not self._running[look_up.name]:
                del self._running[look_up.name]


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
            addresses = _resolved(*self.name)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is waited for
            self._forget(self)
            self.answer.set_exception(error)
        else:
            self._forget(self)
            self.answer.set_result(addresses)


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
