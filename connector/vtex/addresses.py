"""Checks the addresses that VTEX gives: a URL, a page, an allowed host, a path of a known form."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_PORTS = {"https": 443, "http": 80}
# The pattern is strict, so that every program reads the same host in a URL. It allows no user, no
# fragment, no space, no backslash before the path, and only plain labels in the host.
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::(?P<port>[0-9]{{1,5}}))?"
_URL = re.compile(rf"(?P<scheme>(?i:https?))://{_HOST}(?P<path>/[!\"$->@-~]*)?(?:\?[!\"$-~]*)?")
_PAGE = re.compile(r"https?://[^\s/]")
# Every server reads such a path alike. It has no escapes, no parameters, no empty segments and no
# segments of dots.
_PLAIN_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*/?")
# Characters. VTEX's paths have about 150. A comparison of a long path with many stars takes long.
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
    """Return where a URL leads. None: it is no URL, or it is plain http to another machine."""
    match = _URL.fullmatch(url)
    if match is None:
        return None
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if scheme == "http" and host not in LOOPBACK:
        return None
    return Address(scheme, host, int(match["port"] or _PORTS[scheme]), match["path"] or "")


def is_page(url: str) -> bool:
    """Whether a browser can open a page there: the scheme is http or https, and there is a host."""
    return _PAGE.match(url) is not None


def is_allowed(url: str, hosts: Iterable[str]) -> bool:
    """Whether a URL leads to one of the hosts.

    A host may begin with `*.`, which stands for all names below it. It may end with a port. Without
    a port, the port of the scheme counts.
    """
    address = read(url)
    return address is not None and any(_fits(address, host) for host in hosts)


def is_of_form(url: str, paths: Iterable[str]) -> bool:
    """Whether a URL's path has one of the forms. A `*` stands for any characters, slashes too.

    The answer is no for a path that two servers could read differently.
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
