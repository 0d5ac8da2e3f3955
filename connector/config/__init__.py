"""Settings: read once from the environment, every wrong variable named at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

from connector.config import parsers
from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SUITE_PROVIDER, SignUp
from connector.domain.money import ValueUnit

# Seconds for which a lease outlives its answer: a worker that is late may still record.
LEASE_MARGIN_SECONDS = 5.0
# The answer time may not pass VTEX's own limit, 20 s (its OpenAPI file, "Requirements").
MAX_ANSWER_SECONDS = 20.0
# Secrets that may stand in a file. The same variable with _FILE behind its name says which.
IN_FILES = (
    "CONNECTOR_DATABASE_URL",
    "CONNECTOR_SECRET_KEYS",
    "CONNECTOR_VTEX_APP_KEY",
    "CONNECTOR_VTEX_APP_TOKEN",
)
# The hosts at which VTEX's Admin takes a merchant back. The default is VTEX's own families.
RETURN_HOSTS = (
    "*.myvtex.com",
    "*.vtexpayments.com",
    "*.vtexpayments.com.br",
    "*.vtexcommercestable.com.br",
    "*.vtexcommercebeta.com.br",
)


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
    return_hosts: tuple[str, ...] = RETURN_HOSTS
    signup: SignUp = SignUp.INVITE
    provider_fields: bool = True
    console: bool = False
    console_user_header: str = ""
    console_peers: tuple[IPv4Network | IPv6Network, ...] = ()

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
    if values["console_user_header"] and not values["console_peers"]:
        reader.faults.append(
            "CONNECTOR_CONSOLE_PEERS: name the proxies that send CONNECTOR_CONSOLE_USER_HEADER"
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
        "database_url": reader.get("CONNECTOR_DATABASE_URL", parsers.database_url, sqlite),
        "providers": reader.get("CONNECTOR_PROVIDERS", parsers.some_of(names), companies),
        "urls": reader.each("CONNECTOR_{}_URL", names, parsers.base_url),
        "sandbox_urls": reader.each("CONNECTOR_{}_SANDBOX_URL", names, parsers.base_url),
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


_PLAIN: dict[str, Callable[[str], Any]] = {
    "secret_keys": parsers.fernet_keys,
    "public_url": parsers.base_url,
    "answer_seconds": lambda text: parsers.seconds(text, MAX_ANSWER_SECONDS),
    "provider_seconds": lambda text: parsers.seconds(text, MAX_ANSWER_SECONDS),
    "manual_status": lambda text: int(parsers.choice("501", "200")(text)),
    "cancel_value_unit": lambda text: ValueUnit(parsers.choice("auto", "cents", "units")(text)),
    "test_suite": lambda text: parsers.choice("on", "off")(text) == "on",
    "vtex_app_key": str,
    "vtex_app_token": str,
    "callback_hosts": parsers.hosts,
    "callback_paths": parsers.callback_paths,
    "proxies": parsers.networks,
    "log_level": parsers.choice("DEBUG", "INFO", "WARNING", "ERROR"),
    "metrics_bind": parsers.bind,
    "ca_file": parsers.ca_file,
    "database_tls": lambda text: parsers.choice("verify", "off")(text) == "verify",
    "return_hosts": parsers.hosts,
    "signup": lambda text: SignUp(parsers.choice("invite", "open", "off")(text)),
    "provider_fields": lambda text: parsers.choice("on", "off")(text) == "on",
    "console": lambda text: parsers.choice("on", "off")(text) == "on",
    "console_user_header": parsers.header,
    "console_peers": parsers.networks,
}
