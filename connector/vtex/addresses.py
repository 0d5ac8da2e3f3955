"""Addresses that VTEX gives: which are URLs, and where our keys may be sent."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PORTS = {"https": 443, "http": 80}
# Strict, so that nobody reads another host in it than we do: no user, no fragment, no spaces,
# no backslashes before the path, and a host of plain labels.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?"
_URL = re.compile(rf"(?P<scheme>(?i:https?))://{_HOST}(?:[/?][!\"$-~]*)?")
_PATTERN = re.compile(rf"(?P<any>\*\.)?{_HOST}")


@dataclass(frozen=True)
class Address:
    """Where a URL leads, in small letters."""

    scheme: str
    host: str
    port: int


def read(url: str) -> Address | None:
    """Return where a URL leads; None for what is none, and for plain http but on loopback."""
    match = _URL.fullmatch(url)
    if match is None:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme == "http" and host not in LOOPBACK:
        return None
    return Address(scheme, host, int(match["port"] or _PORTS[scheme]))


def is_allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether a URL leads to one of the hosts.

    A host may begin with `*.`, for all names below it, and end with a port; without one it is the
    scheme's own.
    """
    address = read(url)
    return address is not None and any(_fits(address, host) for host in hosts)


def _fits(address: Address, pattern: str) -> bool:
    match = _PATTERN.fullmatch(pattern.strip())
    if match is None or address.port != int(match["port"] or _PORTS[address.scheme]):
        return False
    host = match["host"].lower()
    return address.host.endswith(f".{host}") if match["any"] else address.host == host
