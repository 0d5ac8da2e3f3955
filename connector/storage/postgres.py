"""What PostgreSQL's library is told besides the URL: who must be at the other end."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import pq

from connector import tls
from connector.domain.errors import ConfigurationError

# No password is sent to a server that asks for it in clear: on this machine too, where another
# user may have taken the port.
_REQUIRED = "!password"
_VERIFIED = "verify-full"

# What the library says when the server is not trusted, and what we say of it.
_DISTRUST = {
    "requested a cleartext password": "the server asks for the password in clear, which anybody "
    "could read: let it ask by scram-sha-256 (pg_hba.conf)",
    "certificate verify failed": "the server's certificate is signed by nobody who is trusted: "
    "give its authority's certificate in CONNECTOR_CA_FILE, or as sslrootcert in the URL",
    "does not match host name": "the server's certificate is of another host",
    "server does not support SSL": "the server offers no TLS",
    "root certificate file": "the file of sslrootcert cannot be read",
}


def guards(arguments: Mapping[str, Any], *, verify: bool, ca_file: str) -> dict[str, str]:
    """Return what is to be added to a URL's arguments.

    A server that is not on this machine must prove who it is. Raises ConfigurationError for a
    URL that does not ask for that.
    """
    used = {**_defaults(), **{name: _text(value) for name, value in arguments.items()}}
    added = {"require_auth": used.get("require_auth") or _REQUIRED}
    if used.get("sslmode", "").startswith("verify-"):
        added["sslrootcert"] = used.get("sslrootcert") or tls.bundle(ca_file)
    if not used.get("service") and all(map(_is_here, _servers(used))):
        return added
    if verify and used.get("sslmode") != _VERIFIED:
        raise ConfigurationError(
            "CONNECTOR_DATABASE_URL: the server is not on this machine; add ?sslmode=verify-full, "
            "so that nobody else can pass for it, or set CONNECTOR_DATABASE_TLS=off where the "
            "network itself is trusted"
        )
    if verify:
        # GSSAPI's encryption would take the place of TLS.
        added |= {"sslmode": _VERIFIED, "gssencmode": "disable"}
    return added


def distrust(error: BaseException | None) -> str:
    """Say why a server was not trusted, when that is why it could not be used."""
    text = str(error)
    return next((told for word, told in _DISTRUST.items() if word in text), "")


def _defaults() -> dict[str, str]:
    """What the library takes from the environment, and where it asks nobody."""
    options = pq.Conninfo.get_defaults()
    return {one.keyword.decode(): (one.val or b"").decode() for one in options}


def _text(value: Any) -> str:
    """Write a repeated parameter as the library does."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _servers(used: Mapping[str, str]) -> Iterator[str]:
    """Name each server that may be connected to: an address counts before a name."""
    hosts, addresses = used.get("host", "").split(","), used.get("hostaddr", "").split(",")
    for number in range(max(len(hosts), len(addresses))):
        host = hosts[number] if number < len(hosts) else ""
        address = addresses[number] if number < len(addresses) else ""
        yield (address or host).strip()


def _is_here(server: str) -> bool:
    """Whether it is a socket of this machine's file system, the default, or loopback."""
    if server in {"", "localhost"} or server.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
