"""The CPU that whoever has no keys can have us spend: bodies and heads made to be expensive."""

import base64
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path

from flask import Flask
from werkzeug.test import EnvironBuilder, run_wsgi_app

from connector.app import create_app
from connector.storage.database import Database
from connector.storage.migrate import migrate
from tests.companies.registry import COMPANIES
from tests.rig import Rig

# Milliseconds of CPU that one request may cost; bytes of a webhook's body, and of any.
MOST_MS = 5.0
SMALL, LARGE = 32 * 1024, 256 * 1024
ROUNDS = 7
SIGN = f'"sign":"{"0" * 32}"'


@dataclass
class Attack:
    """One request; `path` without a merchant's name is a provider's webhook."""

    what: str
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


def filled(unit: str, size: int, start: str = "", end: str = "") -> bytes:
    """Repeat a unit until a text has a size in bytes."""
    count = (size - len(start.encode()) - len(end.encode())) // len(unit.encode())
    return (start + unit * count + end).encode()


def packed(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def jsons(size: int, *members: str) -> Iterator[tuple[str, bytes]]:
    """JSON objects of a size, each expensive in a way of its own."""
    head = "{" + "".join(f"{member}," for member in members)
    members = "".join(f'"{number}":1,' for number in range(size // 9))
    yield "members", (head + members + '"z":1}').encode()
    yield "small objects", filled("{},", size, head + '"a":[', "{}]}")
    yield "exponents", filled("1e9,", size, head + '"a":[', "1]}")
    yield "deep", filled("[", size, head + '"a":')
    yield "one number", filled("7", size, head + '"a":0.', "}")
    yield "an integer", filled("7", size, head + '"a":', "}")
    yield "escapes", filled("\\u00e9", size, head + '"a":"', '"}')
    yield "slashes", filled("/", size, head + '"a":"', '"}')
    yield "not ASCII", filled("\u2028", size, head + '"a":"', '"}')
    yield "half", filled('"a":1,', size, head)


def forms(size: int) -> Iterator[tuple[str, bytes]]:
    """Forms of a size."""
    signature = "&signature=" + "A" * 27 + "%3D"
    yield "fields", filled("a=1&", size, "data=e30&", signature[1:])
    yield "separators", filled("&", size, "data=e30", signature)
    yield "percent signs", filled("%41", size, "data=", signature)
    yield "half percent signs", filled("%4", size, "data=", signature)
    yield "plus signs", filled("+", size, "data=", signature)
    yield "base64", filled("A", size, "data=", signature)


def tokens(size: int) -> Iterator[tuple[str, bytes]]:
    """Tokens of a size."""
    right = {"alg": "ES256", "typ": "JWT", "kid": "k", "iat": 1, "exp": 9999999999}
    head, signature = packed(json.dumps(right).encode()), b"." + b"A" * 86
    yield "dots", b"." * size
    yield "spaces", b" " * size
    yield "a large header", packed(filled('"a":1,', size // 2, "{", '"z":1}')) + b".e30" + signature
    yield "a header of members", packed(filled('"a":1,', 760, "{", '"z":1}')) + b".e30" + signature
    yield "a large payload", head + b"." + b"A" * 16_384 + signature
    yield "a large signature", head + b".e30." + b"A" * (size - 500)


def attacks() -> Iterator[Attack]:
    """Whatever anybody can send; of a size that is refused, and of one that is read."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for size in (SMALL, LARGE):
        for what, body in jsons(size, SIGN):
            yield Attack(what, "cryptomus", body)
        for what, body in jsons(size, '"payload":"AAAA"'):
            yield Attack(what, "rustore", body)
        sealed = filled("A", size - size % 4, '{"payload":"', '"}')
        yield Attack("a payload", "rustore", sealed)
        for what, body in forms(size):
            yield Attack(what, "tranzzo", body, form)
        for what, body in tokens(size):
            yield Attack(what, "yandex_pay", body)
    for what, body in jsons(LARGE, '"requestId":"r"', '"paymentId":"p"'):
        for path in ("/payments", "/payments/p/cancellations", "/payments/p/nothing", "/nothing"):
            yield Attack(what, path, body, {"Content-Type": "application/json"})
    many = {f"X-Header-{number}": "x" * 8000 for number in range(95)}
    yield Attack("headers", "/payments", b"{}", many)
    yield Attack("headers", "tranzzo", b"{}", many)
    yield Attack("a long key", "/payments", b"{}", {"X-VTEX-API-AppKey": "k" * 8000})
    for unit in ("/", "/cancellations", "/inbound/a", "%2F", "%e9"):
        path = filled(unit, 4000, "/payments/").decode()
        yield Attack(f"a path of {unit}", path, b"{}")
    for path in ("/livez", "/readyz", "/openapi.yaml", "/manifest"):
        yield Attack("as it is", path, b"", method="GET")


# A peer that is refused often is slowed: each request comes from another one.
PEERS = (str(IPv4Address(number)) for number in count(int(IPv4Address("10.0.0.1"))))


def cpu_ms(app: Flask, attack: Attack) -> float:
    """Return the least of some rounds: the rest of the machine adds to the others."""
    path = attack.path if attack.path.startswith("/") else f"/webhooks/{attack.path}/{attack.path}"
    found = []
    for _ in range(ROUNDS):
        asked = EnvironBuilder(
            path,
            method=attack.method,
            data=attack.body,
            headers=attack.headers,
            environ_overrides={"REMOTE_ADDR": next(PEERS)},
        ).get_environ()
        began = time.process_time()
        run_wsgi_app(app, asked, buffered=True)
        found.append((time.process_time() - began) * 1000)
    return min(found)


def worst() -> list[tuple[float, Attack]]:
    """Measure all; the most expensive first."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/connector.db"
        database = Database(url)
        migrate(database)
        database.close()
        with Rig(url, Path(folder)) as rig:
            for entry in COMPANIES:
                rig.add(entry.open(), name=entry.name)
            app = create_app(rig.connector)
            found = [(cpu_ms(app, attack), attack) for attack in attacks()]
    return sorted(found, key=lambda one: one[0], reverse=True)


def told() -> float:
    """Print the most expensive ones; return the milliseconds of the first."""
    found = worst()
    for milliseconds, attack in found[:8]:
        path = attack.path[:24]
        print(f"{milliseconds:6.2f} ms of CPU  {path}: {attack.what}, {len(attack.body)} bytes")
    return found[0][0]


if __name__ == "__main__":
    told()
