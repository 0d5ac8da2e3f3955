"""Addresses that VTEX gives: which are URLs or pages, where a callback may go, where with keys."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PORTS = {"https": 443, "http": 80}
# Strict, so that no other program reads another host in a URL: no user, no fragment, no spaces, no
# backslashes before the path, and a host of plain labels.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?"
_URL = re.compile(rf"(?P<scheme>(?i:https?))://{_HOST}(?P<path>/[!\"$->@-~]*)?(?:\?[!\"$-~]*)?")
_PAGE = re.compile(r"https?://[^\s/]")
# A path that every server reads alike: no escapes, no parameters, no empty and no dot segments.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*/?")
# Characters; VTEX's paths have some 150. To compare a long path with many stars takes long.
MOST_PATH = 1024
_PATTERN = re.compile(rf"(?P<any>\*\.)?{_HOST}")


@dataclass(frozen=True)
class Address:
    """Where a URL leads: scheme and host in small letters, the path as it came."""

    scheme: str
    host: str
    port: int
    path: str = ""


def read(url: str) -> Address | None:
    """Return where a URL leads; None for what is no URL, and for plain http beyond loopback."""
    match = _URL.fullmatch(url)
    if match is None:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme == "http" and host not in LOOPBACK:
        return None
    return Address(scheme, host, int(match["port"] or _PORTS[scheme]), match["path"] or "")


def is_page(url: str) -> bool:
    """Whether a browser opens a page there: http or https, and a host."""
    return _PAGE.match(url) is not None


def is_allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether a URL leads to one of the hosts.

    A host may begin with `*.`, for all names below it, and end with a port. Without a port it means
    the port of the scheme.
    """
    address = read(url)
    return address is not None and any(_fits(address, host) for host in hosts)


def is_of_form(url: str, paths: Iterable[str]) -> bool:
    """Whether a URL's path has one of the forms, in which `*` stands for anything, slashes too.

    A path that another server could read as another path has none of the forms.
    """
    address = read(url)
    if address is None or len(address.path) > MOST_PATH or not _PLAIN_PATH.fullmatch(address.path):
        return False
    return any(re.fullmatch(_pattern(form), address.path) for form in paths)


def _pattern(form: str) -> str:
    return ".*".join(map(re.escape, form.split("*")))


def _fits(address: Address, pattern: str) -> bool:
    match = _PATTERN.fullmatch(pattern.strip())
    if match is None or address.port != int(match["port"] or _PORTS[address.scheme]):
        return False
    host = match["host"].lower()
    return address.host.endswith(f".{host}") if match["any"] else address.host == host
