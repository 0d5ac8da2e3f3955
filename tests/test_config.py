import re
from base64 import urlsafe_b64encode
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from certifi import where

from connector import config, providers
from connector.config import RETURN_HOSTS, Settings, from_environment, variables
from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SignUp
from connector.domain.money import ValueUnit
from connector.enabled import enable
from tests.companies.registry import BY_NAME

KNOWN = sorted(providers.discover())
KEYS = [urlsafe_b64encode(bytes([number]) * 32).decode() for number in (1, 2)]


NEAR = ip_network("127.0.0.1/32")


def read(**environment: str) -> Settings:
    named = {f"CONNECTOR_{name}": value for name, value in environment.items()}
    return from_environment(named, KNOWN)


def faults(**environment: str) -> dict[str, str]:
    """What is said of each wrong variable."""
    with pytest.raises(ConfigurationError) as caught:
        read(**environment)
    lines = (line.split(": ", 1) for line in str(caught.value).splitlines())
    return {name.removeprefix("CONNECTOR_"): fault for name, fault in lines}


def test_without_any_variable_the_defaults_hold() -> None:
    expected: dict[str, Any] = {
        "data_dir": Path("data"),
        "database_url": f"sqlite:///{Path('data').absolute()}/connector.db",
        "secret_keys": (),
        "public_url": "",
        "providers": tuple(sorted(BY_NAME)),
        "urls": {},
        "sandbox_urls": {},
        "answer_seconds": 18.0,
        "provider_seconds": 8.0,
        "manual_status": 501,
        "cancel_value_unit": ValueUnit.AUTO,
        "test_suite": False,
        "vtex_app_key": "",
        "vtex_app_token": "",
        "callback_hosts": (),
        "callback_paths": (),
        "proxies": (),
        "log_level": "INFO",
        "metrics_bind": "127.0.0.1:9464",
        "ca_file": "",
        "database_tls": True,
        "return_hosts": RETURN_HOSTS,
        "signup": SignUp.INVITE,
        "provider_fields": True,
        "console": False,
        "console_user_header": "",
        "console_peers": (),
    }
    settings = read()
    assert expected == {name: getattr(settings, name) for name in expected}
    assert set(expected) == set(vars(settings))


GOOD: list[tuple[str, str, str, Any]] = [
    ("DATA_DIR", "/srv/x", "data_dir", Path("/srv/x")),
    ("DATABASE_URL", "sqlite:////srv/x.db", "database_url", "sqlite:////srv/x.db"),
    ("SECRET_KEYS", f" {KEYS[0]} , {KEYS[1]},", "secret_keys", tuple(KEYS)),
    ("PUBLIC_URL", "https://pay.example/x/", "public_url", "https://pay.example/x"),
    ("PROVIDERS", "tranzzo, sandbox", "providers", ("tranzzo", "sandbox")),
    ("ANSWER_SECONDS", "4.5", "answer_seconds", 4.5),
    ("ANSWER_SECONDS", "20", "answer_seconds", 20.0),
    ("PROVIDER_SECONDS", "0.5", "provider_seconds", 0.5),
    ("MANUAL_STATUS", "200", "manual_status", 200),
    ("MANUAL_STATUS", "501", "manual_status", 501),
    ("CANCEL_VALUE_UNIT", "cents", "cancel_value_unit", ValueUnit.CENTS),
    ("CANCEL_VALUE_UNIT", "UNITS", "cancel_value_unit", ValueUnit.UNITS),
    ("TEST_SUITE", "on", "test_suite", True),
    ("TEST_SUITE", "off", "test_suite", False),
    ("VTEX_APP_KEY", "key", "vtex_app_key", "key"),
    ("VTEX_APP_TOKEN", "token", "vtex_app_token", "token"),
    ("CALLBACK_HOSTS", "*.vtex.com, localhost:9", "callback_hosts", ("*.vtex.com", "localhost:9")),
    ("PROXIES", "127.0.0.1, 10.0.0.0/8", "proxies", (NEAR, ip_network("10.0.0.0/8"))),
    ("PROXIES", "::1", "proxies", (ip_network("::1/128"),)),
    ("CALLBACK_PATHS", "*/a/*, /b", "callback_paths", ("*/a/*", "/b")),
    ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("METRICS_BIND", "0.0.0.0:9000", "metrics_bind", "0.0.0.0:9000"),
    ("METRICS_BIND", "[::1]:9000", "metrics_bind", "[::1]:9000"),
    ("METRICS_BIND", "off", "metrics_bind", ""),
    ("CA_FILE", where(), "ca_file", where()),
    ("DATABASE_TLS", "off", "database_tls", False),
    ("DATABASE_TLS", "verify", "database_tls", True),
    ("RETURN_HOSTS", "*.myvtex.com, a.example:9", "return_hosts", ("*.myvtex.com", "a.example:9")),
    ("SIGNUP", "Open", "signup", SignUp.OPEN),
    ("SIGNUP", "off", "signup", SignUp.OFF),
    ("PROVIDER_FIELDS", "off", "provider_fields", False),
    ("CONSOLE", "on", "console", True),
    ("CONSOLE_PEERS", "10.0.0.0/8", "console_peers", (ip_network("10.0.0.0/8"),)),
]


@pytest.mark.parametrize(("name", "text", "attribute", "expected"), GOOD)
def test_each_variable_is_read(name: str, text: str, attribute: str, expected: Any) -> None:
    assert expected == getattr(read(**{name: text}), attribute)


def test_a_header_with_people_needs_the_peers_that_send_it() -> None:
    settings = read(CONSOLE_USER_HEADER="X-Forwarded-User", CONSOLE_PEERS="10.0.0.0/8")
    assert "X-Forwarded-User" == settings.console_user_header
    assert {"CONSOLE_PEERS"} == set(faults(CONSOLE_USER_HEADER="X-Forwarded-User"))
    assert {"CONSOLE_USER_HEADER"} == set(faults(CONSOLE_USER_HEADER="X User:"))


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "sandbox"])
def test_a_companys_urls_are_read(name: str) -> None:
    live, test = f"{name.upper()}_URL", f"{name.upper()}_SANDBOX_URL"
    settings = read(**{live: "https://a.example/api/v1/", test: "http://127.0.0.1:9/x"})
    assert {name: "https://a.example/api/v1"} == settings.urls
    assert {name: "http://127.0.0.1:9/x"} == settings.sandbox_urls


IN_A_FILE = [
    ("DATABASE_URL", "sqlite:////srv/x.db", "database_url", "sqlite:////srv/x.db"),
    ("SECRET_KEYS", f"{KEYS[0]},{KEYS[1]}", "secret_keys", tuple(KEYS)),
    ("VTEX_APP_KEY", "key", "vtex_app_key", "key"),
    ("VTEX_APP_TOKEN", "token", "vtex_app_token", "token"),
]


@pytest.mark.parametrize(("name", "text", "attribute", "expected"), IN_A_FILE)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_may_stand_in_a_file(
    tmp_path: Path, name: str, text: str, attribute: str, expected: Any, end: str
) -> None:
    # As a container's secret does: a link, readable by all.
    (tmp_path / "kept").write_text(text + end)
    (tmp_path / "secret").symlink_to("kept")
    settings = read(**{f"{name}_FILE": str(tmp_path / "secret")})
    assert expected == getattr(settings, attribute)


def test_a_secret_is_given_in_one_way_only(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("another-key")
    told = faults(VTEX_APP_KEY="key-4711", VTEX_APP_KEY_FILE=str(file))
    assert {"VTEX_APP_KEY": "give either this or CONNECTOR_VTEX_APP_KEY_FILE"} == told


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "token"
    if content:
        file.write_bytes(content)
    told = faults(VTEX_APP_TOKEN_FILE=str(file))["VTEX_APP_TOKEN"]
    assert told.startswith("give a file that can be read in CONNECTOR_VTEX_APP_TOKEN_FILE")


def test_what_is_wrong_in_a_file_is_said_without_showing_it(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("no-fernet-key-4711")
    told = faults(SECRET_KEYS_FILE=str(file))
    assert "Fernet" in told["SECRET_KEYS"]
    assert "4711" not in str(told)


def test_an_empty_file_is_as_an_empty_variable(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert read(VTEX_APP_KEY_FILE=str(tmp_path / "empty")).vtex_app_key == ""
    assert read(VTEX_APP_KEY="key", VTEX_APP_KEY_FILE="").vtex_app_key == "key"


def test_there_is_a_test_for_every_variable() -> None:
    urls = {f"{name.upper()}_{kind}" for name in KNOWN for kind in ("URL", "SANDBOX_URL")}
    tested = (
        {"CONSOLE_USER_HEADER", *(name for name, *_ in GOOD)}
        | urls
        | {f"{name}_FILE" for name, *_ in IN_A_FILE}
    )
    assert {f"CONNECTOR_{name}" for name in tested} == variables(KNOWN)


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_an_empty_variable_counts_as_absent(text: str) -> None:
    names = {name.removeprefix("CONNECTOR_") for name in variables(KNOWN)} - {"METRICS_BIND"}
    assert read() == read(**dict.fromkeys(names, text))


def test_an_empty_address_switches_the_metrics_off() -> None:
    assert "" == read(METRICS_BIND="").metrics_bind


BAD: list[tuple[str, str]] = [
    ("RETURN_HOSTS", "https://x.example"),
    ("SIGNUP", "anybody"),
    ("PROVIDER_FIELDS", "maybe"),
    ("CONSOLE", "1"),
    ("CONSOLE_PEERS", "proxy"),
    ("CA_FILE", "/nowhere/at-all.pem"),
    ("DATABASE_TLS", "on"),
    ("CA_FILE", "/etc/hostname"),
    ("CA_FILE", "/"),
    ("DATABASE_URL", "mysql://u@h/db"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "postgresql://"),
    ("DATABASE_URL", "postgresql+asyncpg://u@h/db"),
    ("DATABASE_URL", "postgresql://u@h:port/db"),
    ("DATABASE_URL", "postgresql://u@[::1/db"),
    ("DATABASE_URL", "sqlite:///:memory:"),
    ("DATABASE_URL", "connector.db"),
    ("SECRET_KEYS", "no-key"),
    ("SECRET_KEYS", f"{KEYS[0]},x"),
    ("SECRET_KEYS", KEYS[0][:-2]),
    ("PUBLIC_URL", "http://pay.example"),
    ("PUBLIC_URL", "pay.example"),
    ("PROVIDERS", "no-such"),
    ("PROVIDERS", "tranzzo,no-such"),
    ("ANSWER_SECONDS", "soon"),
    ("ANSWER_SECONDS", "0"),
    ("ANSWER_SECONDS", "-1"),
    ("ANSWER_SECONDS", "20.1"),
    ("ANSWER_SECONDS", "nan"),
    ("ANSWER_SECONDS", "inf"),
    ("PROVIDER_SECONDS", "0"),
    ("PROVIDER_SECONDS", "1,5"),
    ("MANUAL_STATUS", "500"),
    ("CANCEL_VALUE_UNIT", "euros"),
    ("TEST_SUITE", "maybe"),
    ("PROXIES", "proxy.example.com"),
    ("PROXIES", "10.0.0.1/8"),
    ("CALLBACK_PATHS", "payment-provider/*"),
    ("CALLBACK_PATHS", "*/payment-provider/*?x"),
    ("CALLBACK_PATHS", "https://a.example/x"),
    ("LOG_LEVEL", "loud"),
    ("METRICS_BIND", "9464"),
    ("METRICS_BIND", "127.0.0.1:"),
    ("METRICS_BIND", "127.0.0.1:99999"),
    ("METRICS_BIND", "a b:1"),
    ("TRANZZO_URL", "http://cpay.tranzzo.com"),
    ("TRANZZO_URL", "ftp://127.0.0.1"),
    ("TRANZZO_URL", "https://"),
    ("TRANZZO_URL", "https://a.example?x=1"),
    ("TRANZZO_URL", "https://a.example#x"),
    ("TRANZZO_URL", "https://user:password@a.example"),
    ("TRANZZO_URL", "https://a.example:99999"),
    ("TRANZZO_URL", "https://a.example:port"),
    ("TRANZZO_URL", "https://[::1"),
    ("TRANZZO_SANDBOX_URL", "cpay.tranzzo.com"),
    ("TRANZZO_URL", "http://127.0.0.1.evil.example"),
    ("TRANZZO_URL", "http://localhost@evil.example"),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_wrong_value_is_named_with_what_to_give(name: str, text: str) -> None:
    environment = {"SECRET_KEYS": KEYS[0], name: text}
    said = faults(**environment)
    assert [name] == list(said)
    assert re.match(r"(give|each must be|no such provider)", said[name])


def test_all_faults_are_named_at_once() -> None:
    wrong = dict(BAD)
    wrong["DATABASE_URL"] = "mysql://u@h/db"
    assert set(wrong) == set(faults(**wrong))
    assert {"SECRET_KEYS", "LOG_LEVEL"} == set(
        faults(LOG_LEVEL="loud", DATABASE_URL="postgresql://u@h/db")
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SECRET_KEYS", f"{KEYS[0]},{KEYS[1][:-2]}"),
        ("DATABASE_URL", "mysql://u:a-secret-word@h/db"),
        ("DATABASE_URL", "postgresql://u:a-secret-word@h:port/db"),
        ("TRANZZO_URL", "https://user:a-secret-word@a.example"),
    ],
)
def test_a_fault_does_not_repeat_a_secret(name: str, text: str) -> None:
    said = str(faults(**{"SECRET_KEYS": KEYS[0], name: text}))
    assert "a-secret-word" not in said
    assert not [key for key in KEYS if key[:-2] in said]


def test_the_settings_do_not_show_their_secrets() -> None:
    shown = repr(
        read(
            SECRET_KEYS=KEYS[0],
            DATABASE_URL="postgresql://u:a-secret-word@h/db",
            VTEX_APP_KEY="key-4711",
            VTEX_APP_TOKEN="token-4712",
        )
    )
    for secret in (KEYS[0], "a-secret-word", "key-4711", "token-4712"):
        assert secret not in shown


# Databases and keys.


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_postgresql_url_is_taken_as_written(scheme: str) -> None:
    rest = "://u:p%40ss@h:5433/db?sslmode=require"
    settings = read(DATABASE_URL=scheme + rest, SECRET_KEYS=KEYS[0])
    assert "postgresql+psycopg" + rest == settings.database_url
    assert not settings.is_sqlite


def test_postgresql_needs_secret_keys() -> None:
    said = faults(DATABASE_URL="postgresql://u@h/db")
    assert ["SECRET_KEYS"] == list(said)
    assert "Fernet" in said["SECRET_KEYS"]
    assert ["SECRET_KEYS"] == list(faults(DATABASE_URL="postgresql://u@h/db", SECRET_KEYS=" , "))


def test_sqlite_needs_none() -> None:
    assert read(DATABASE_URL="sqlite:////srv/x.db").is_sqlite
    assert () == read().secret_keys


def test_the_data_directory_holds_the_database(tmp_path: Path) -> None:
    settings = read(DATA_DIR=str(tmp_path))
    assert f"sqlite:///{tmp_path}/connector.db" == settings.database_url


# URLs.


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "127.0.0.1:8080", "LOCALHOST"])
def test_plain_http_is_for_loopback(host: str) -> None:
    assert {"tranzzo": f"http://{host}/x"} == read(TRANZZO_URL=f"http://{host}/x").urls


@pytest.mark.parametrize("host", ["10.0.0.1", "a.example", "127.0.0.2.example", "[::2]"])
def test_plain_http_is_for_nobody_else(host: str) -> None:
    assert {"TRANZZO_URL": "give an https URL, or an http one on loopback"} == faults(
        TRANZZO_URL=f"http://{host}/x"
    )


def test_a_lease_outlives_the_answer_it_is_for() -> None:
    assert 23.0 == read().lease_seconds
    assert 25.0 == read(ANSWER_SECONDS="20").lease_seconds
    assert config.LEASE_MARGIN_SECONDS > 0


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("TRANZZO_URL", "https://cpay.tranzzo.com/api/v2"),
        ("TRANZZO_SANDBOX_URL", "https://cpay.tranzzo.com"),
        ("YANDEX_PAY_URL", "https://pay.yandex.ru/api/merchant/v1"),
        ("RUSTORE_SANDBOX_URL", "https://public-api.rustore.ru/public"),
        ("CRYPTOMUS_URL", "https://api.cryptomus.com"),
    ],
)
def test_a_base_url_without_the_documented_path_is_refused(name: str, url: str) -> None:
    settings = read(**{name: url})
    with pytest.raises(ConfigurationError, match=f"CONNECTOR_{name}: the path must end in /"):
        enable(settings, slots=1)
