"""The proof of a PostgreSQL server's name: the arguments for libpq besides the URL."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from psycopg import pq

from connector import tls
from connector.domain.errors import ConfigurationError

# A server never gets a password in clear text. This rule is also for servers on this machine:
# another user may have taken the port.
_REQUIRED = "!password"
_VERIFIED = "verify-full"

# Words in libpq's errors about a server that is not trusted, and our explanations.
_DISTRUST = {
    "requested a cleartext password": "the server asks for the password in clear, which anybody "
    "could read: let it ask by scram-sha-256 (pg_hba.conf)",
    "certificate verify failed": "the server's certificate is signed by nobody who is trusted: "
    "give its authority's certificate in CONNECTOR_CA_FILE, or as sslrootcert in the URL",
    "does not match host name": "the server's certificate is of another host",
    "server does not support SSL": "the server offers no TLS",
    "root certificate file": "the file of sslrootcert cannot be read",
}

_NOT_VERIFIED = (
    "CONNECTOR_DATABASE_URL: the server is not on this machine; add ?sslmode=verify-full, "
    "so that nobody else can pass for it, or set CONNECTOR_DATABASE_TLS=off where the "
    "network itself is trusted"
)


def guards(arguments: Mapping[str, Any], *, verify: bool, ca_file: str) -> dict[str, str]:
    """Return the arguments to add to those of a URL.

    A server on another machine must prove its name. Raises ConfigurationError for a URL that does
    not ask for the proof.
    """
    options = {**_defaults(), **{name: _text(value) for name, value in arguments.items()}}
    additions = {"require_auth": options.get("require_auth") or _REQUIRED}
    if options.get("sslmode", "").startswith("verify-"):
        additions["sslrootcert"] = options.get("sslrootcert") or tls.bundle(ca_file)
    if not verify or _is_on_this_machine(options):
        return additions
    if options.get("sslmode") != _VERIFIED:
        raise ConfigurationError(_NOT_VERIFIED)
    # GSSAPI's encryption would take the place of TLS.
    return additions | {"sslmode": _VERIFIED, "gssencmode": "disable"}


def reason_for_distrust(error: BaseException | None) -> str:
    """Return why a server was not trusted, an empty text for any other error."""
    text = str(error)
    return next((reason for words, reason in _DISTRUST.items() if words in text), "")


def _defaults() -> dict[str, str]:
    """Return libpq's options from the environment, and its defaults."""
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): (option.val or b"").decode() for option in options}


def _text(value: Any) -> str:
    """Write a parameter as libpq does. A repeated parameter becomes a list with commas."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _is_on_this_machine(options: Mapping[str, str]) -> bool:
    """Whether every server is on this machine. False for a service file: it may name any server."""
    return not options.get("service") and all(map(_is_here, _servers(options)))


def _servers(options: Mapping[str, str]) -> Iterator[str]:
    """Name each server that libpq may connect to. An address counts before a name."""
    hosts, addresses = options.get("host", "").split(","), options.get("hostaddr", "").split(",")
    for number in range(max(len(hosts), len(addresses))):
        host = hosts[number] if number < len(hosts) else ""
        address = addresses[number] if number < len(addresses) else ""
        yield (address or host).strip()


def _is_here(server: str) -> bool:
    """Whether a server is a socket in the file system, the default, or a loopback address."""
    if server in {"", "localhost"} or server.startswith(("/", "@")):
        return True
    try:
        return ipaddress.ip_address(server).is_loopback
    except ValueError:
        return False
