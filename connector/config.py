"""Settings: read once from the environment, every wrong variable named at once."""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SUITE_PROVIDER
from connector.domain.money import ValueUnit

# Seconds for which a lease outlives its answer: a worker that is late may still record.
LEASE_MARGIN_SECONDS = 5.0
# The answer time may not pass VTEX's own limit, 20 s (its OpenAPI file, "Requirements").
MAX_ANSWER_SECONDS = 20.0
MAX_PORT = 65535
# SQLite's databases of one connection: the other connections of the pool would not see them.
_IN_MEMORY = {None, "", ":memory:"}
# Secrets that may stand in a file. The same variable with _FILE behind its name says which.
IN_FILES = (
    "CONNECTOR_DATABASE_URL",
    "CONNECTOR_SECRET_KEYS",
    "CONNECTOR_VTEX_APP_KEY",
    "CONNECTOR_VTEX_APP_TOKEN",
)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@dataclass(frozen=True)
class Settings:
    """The connector's configuration; `docs/reference.md` describes each variable."""

    data_dir: Path = Path("data")
    database_url: str = field(default="", repr=False)
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    public_url: str = ""
    providers: tuple[str, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    sandbox_urls: Mapping[str, str] = field(default_factory=dict)
    answer_seconds: float = 18.0
    provider_seconds: float = 8.0
    manual_status: int = 501
    cancel_value_unit: ValueUnit = ValueUnit.AUTO
    test_suite: bool = False
    vtex_app_key: str = field(default="", repr=False)
    vtex_app_token: str = field(default="", repr=False)
    callback_hosts: tuple[str, ...] = ()
    callback_paths: tuple[str, ...] = ()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    log_level: str = "INFO"
    metrics_bind: str = "127.0.0.1:9464"
    ca_file: str = ""
    database_tls: bool = True

    @property
    def lease_seconds(self) -> float:
        return self.answer_seconds + LEASE_MARGIN_SECONDS

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite")


def from_environment(environ: Mapping[str, str], providers: Iterable[str]) -> Settings:
    """Read the settings; `providers` are the names of all providers.

    Raises ConfigurationError with one line for each wrong variable. An empty variable counts as
    absent; only an empty CONNECTOR_METRICS_BIND means off.
    """
    reader = _Reader(environ)
    values = _values(reader, tuple(sorted(providers)))
    if not values["secret_keys"] and not values["database_url"].startswith("sqlite"):
        reader.faults.append(
            "CONNECTOR_SECRET_KEYS: give one or more Fernet keys, newest first; only with SQLite "
            "is a key made and kept in the data directory"
        )
    if reader.faults:
        raise ConfigurationError("\n".join(reader.faults))
    return Settings(**values)


def _values(reader: "_Reader", names: tuple[str, ...]) -> dict[str, Any]:
    data_dir = reader.get("CONNECTOR_DATA_DIR", Path, Path("data"))
    sqlite = f"sqlite:///{data_dir.absolute()}/connector.db"
    companies = tuple(name for name in names if name != SUITE_PROVIDER)
    values = {
        "data_dir": data_dir,
        "database_url": reader.get("CONNECTOR_DATABASE_URL", _database_url, sqlite),
        "providers": reader.get("CONNECTOR_PROVIDERS", _some_of(names), companies),
        "urls": reader.each("CONNECTOR_{}_URL", names, _base_url),
        "sandbox_urls": reader.each("CONNECTOR_{}_SANDBOX_URL", names, _base_url),
    }
    for name, parse in _PLAIN.items():
        values[name] = reader.get(f"CONNECTOR_{name.upper()}", parse, getattr(Settings, name, ()))
    if reader.is_empty("CONNECTOR_METRICS_BIND"):
        values["metrics_bind"] = ""
    return values


class _Reader:
    """Reads variables and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def get(self, name: str, parse: Callable[[str], Any], default: Any) -> Any:
        try:
            text = self._text(name)
            return parse(text) if text else default
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return default

    def is_empty(self, name: str) -> bool:
        """Whether a variable is set, to an empty text."""
        return name in self._environ and not self._environ[name].strip()

    def _text(self, name: str) -> str:
        """Read a variable, or the file that the variable with _FILE names."""
        text = self._environ.get(name, "").strip()
        file = self._environ.get(f"{name}_FILE", "").strip() if name in IN_FILES else ""
        if text and file:
            raise ValueError(f"give either this or {name}_FILE")
        try:
            return Path(file).read_text(encoding="utf-8").strip() if file else text
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise ValueError(f"give a file that can be read in {name}_FILE ({why})") from None

    def each(
        self, pattern: str, names: Iterable[str], parse: Callable[[str], str]
    ) -> dict[str, str]:
        values = {name: self.get(pattern.format(name.upper()), parse, None) for name in names}
        return {name: value for name, value in values.items() if value is not None}


def variables(providers: Iterable[str]) -> set[str]:
    """Name every variable: for `docs/reference.md`, and so that a misspelt one is noticed."""
    plain = {f"CONNECTOR_{name.upper()}" for name in _PLAIN}
    urls = {
        f"CONNECTOR_{name.upper()}_{kind}" for name in providers for kind in ("URL", "SANDBOX_URL")
    }
    files = {f"{name}_FILE" for name in IN_FILES}
    named = {"CONNECTOR_DATA_DIR", "CONNECTOR_DATABASE_URL", "CONNECTOR_PROVIDERS"}
    return plain | urls | files | named


def _database_url(text: str) -> str:
    if match := re.match(r"(postgres|postgresql|postgresql\+psycopg)://.", text):
        text = "postgresql+psycopg" + text[match.end(1) :]
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        url = None
    is_file = url is not None and url.drivername == "sqlite" and url.database not in _IN_MEMORY
    if url is None or not (is_file or url.drivername == "postgresql+psycopg"):
        raise ValueError("give sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
    return text


def _base_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        raise ValueError("give a URL whose host and port can be read") from None
    if not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)):
        raise ValueError("give an https URL, or an http one on loopback")
    if not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("give a base URL with its path, without query, fragment or user")
    return text.rstrip("/")


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _callback_hosts(text: str) -> tuple[str, ...]:
    hosts = _items(text)
    for host in hosts:
        if not re.fullmatch(r"(\*\.)?([A-Za-z0-9.-]+|\[::1\])(:[0-9]{1,5})?", host):
            raise ValueError(f"{host}: give HOST, *.HOST or HOST:PORT")
    return hosts


def _callback_paths(text: str) -> tuple[str, ...]:
    paths = _items(text)
    for path in paths:
        if not re.fullmatch(r"[/*][A-Za-z0-9._~/*-]*", path):
            raise ValueError("give paths such as /api/*/callback, with * for anything")
    return paths


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(item) for item in _items(text))
    except ValueError:
        raise ValueError("give addresses or networks, such as 127.0.0.1, 10.0.0.0/8") from None


def _fernet_keys(text: str) -> tuple[str, ...]:
    keys = _items(text)
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            raise ValueError("each must be a Fernet key: 32 bytes in URL-safe base64") from None
    return keys


def _some_of(names: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        chosen = _items(text)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(f"no such provider: {', '.join(unknown)}; there are {names}")
        return chosen

    return parse


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError(f"give one of {', '.join(choices)}")

    return parse


def _seconds(text: str, most: float = 3600.0) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("give seconds, as a number") from None
    if not 0 < seconds <= most:
        raise ValueError(f"give more than 0 and at most {most:g} seconds")
    return seconds


def _ca_file(text: str) -> str:
    try:
        count = ssl.create_default_context(cafile=text).cert_store_stats()["x509_ca"]
    except OSError as error:
        # OpenSSL's own errors are OSErrors too, without a text for people.
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"give a PEM file of authorities' certificates ({why})") from None
    if not count:
        raise ValueError("give a PEM file of authorities' certificates (none is an authority's)")
    return text


def _bind(text: str) -> str:
    if text.lower() == "off":
        return ""
    match = re.fullmatch(r"(?:[^:\s]+|\[[0-9a-f:]+\]):(\d{1,5})", text)
    if not match or int(match.group(1)) > MAX_PORT:
        raise ValueError("give HOST:PORT, or off")
    return text


_PLAIN: dict[str, Callable[[str], Any]] = {
    "secret_keys": _fernet_keys,
    "public_url": _base_url,
    "answer_seconds": lambda text: _seconds(text, MAX_ANSWER_SECONDS),
    "provider_seconds": lambda text: _seconds(text, MAX_ANSWER_SECONDS),
    "manual_status": lambda text: int(_choice("501", "200")(text)),
    "cancel_value_unit": lambda text: ValueUnit(_choice("auto", "cents", "units")(text)),
    "test_suite": lambda text: _choice("on", "off")(text) == "on",
    "vtex_app_key": str,
    "vtex_app_token": str,
    "callback_hosts": _callback_hosts,
    "callback_paths": _callback_paths,
    "proxies": _networks,
    "log_level": _choice("DEBUG", "INFO", "WARNING", "ERROR"),
    "metrics_bind": _bind,
    "ca_file": _ca_file,
    "database_tls": lambda text: _choice("verify", "off")(text) == "verify",
}
