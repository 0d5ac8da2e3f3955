"""Reads the text of each setting. A fault is a ValueError that says what to give."""

import re
import ssl
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

MAX_PORT = 65535
# SQLite's databases of one connection: the other connections of the pool would not see them.
_IN_MEMORY = {None, "", ":memory:"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def database_url(text: str) -> str:
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


def base_url(text: str) -> str:
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


def items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def hosts(text: str) -> tuple[str, ...]:
    hosts = items(text)
    for host in hosts:
        if not re.fullmatch(r"(\*\.)?([A-Za-z0-9.-]+|\[::1\])(:[0-9]{1,5})?", host):
            raise ValueError(f"give HOST, *.HOST or HOST:PORT instead of {host}")
    return hosts


def callback_paths(text: str) -> tuple[str, ...]:
    paths = items(text)
    for path in paths:
        if not re.fullmatch(r"[/*][A-Za-z0-9._~/*-]*", path):
            raise ValueError("give paths such as /api/*/callback, with * for anything")
    return paths


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(item) for item in items(text))
    except ValueError:
        raise ValueError("give addresses or networks, such as 127.0.0.1, 10.0.0.0/8") from None


def header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", text):
        raise ValueError("give the name of a header, such as X-Forwarded-User")
    return text


def fernet_keys(text: str) -> tuple[str, ...]:
    keys = items(text)
    for key in keys:
        try:
            Fernet(key)
        except ValueError:
            raise ValueError("each must be a Fernet key: 32 bytes in URL-safe base64") from None
    return keys


def some_of(names: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        chosen = items(text)
        unknown = [name for name in chosen if name not in names]
        if unknown:
            raise ValueError(f"no such provider: {', '.join(unknown)}; there are {names}")
        return chosen

    return parse


def choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        for choice in choices:
            if text.lower() == choice.lower():
                return choice
        raise ValueError(f"give one of {', '.join(choices)}")

    return parse


def seconds(text: str, most: float = 3600.0) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("give seconds, as a number") from None
    if not 0 < seconds <= most:
        raise ValueError(f"give more than 0 and at most {most:g} seconds")
    return seconds


def ca_file(text: str) -> str:
    try:
        count = ssl.create_default_context(cafile=text).cert_store_stats()["x509_ca"]
    except OSError as error:
        # OpenSSL's own errors are OSErrors too, without a text for people.
        why = "no certificates in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ValueError(f"give a PEM file of authorities' certificates ({why})") from None
    if not count:
        raise ValueError("give a PEM file of authorities' certificates (none is an authority's)")
    return text


def bind(text: str) -> str:
    if text.lower() == "off":
        return ""
    match = re.fullmatch(r"(?:[^:\s]+|\[[0-9a-f:]+\]):(\d{1,5})", text)
    if not match or int(match.group(1)) > MAX_PORT:
        raise ValueError("give HOST:PORT, or off")
    return text
