"""Calls the connector as VTEX does, and keeps the last exchange for the report."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import requests

from connector.domain import exact
from connector.rehearsal.checks import Unmet, WrongStatus, require

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Seconds after which a call ends. VTEX waits for 20.
PATIENCE = 25.0


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, as text. `status` is None when there was no answer."""

    step: str
    request: str
    sent: str
    status: int | None = None
    answer: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer that could be read."""

    status: int
    content: bytes
    body: dict[str, Any]


@dataclass(frozen=True)
class Keys:
    """The AppKey and AppToken of a merchant; VTEX's suite sends empty ones when it has none."""

    app_key: str = ""
    app_token: str = field(default="", repr=False)

    def headers(self, family: str) -> dict[str, str]:
        return {f"{family}-AppKey": self.app_key, f"{family}-AppToken": self.app_token}


class Caller:
    """Sends the requests of one case. `seconds` is how long an answer may take.

    With an empty `marker` the requests are not marked as the test suite's.
    """

    def __init__(self, url: str, keys: Keys, marker: str, seconds: float) -> None:
        self._url = url.rstrip("/")
        self._keys = keys
        self._marker = {marker: "true"} if marker else {}
        self._seconds = seconds
        self.last: Exchange | None = None

    def get(
        self, step: str, path: str, expected: frozenset[int] | set[int] = frozenset({200})
    ) -> Answer:
        """Ask for what needs no credentials."""
        return self._call(step, "GET", path, None, self._marker, expected)

    def post(
        self,
        step: str,
        path: str,
        body: Mapping[str, Any],
        expected: frozenset[int] | set[int] = frozenset({200}),
        family: str = "X-VTEX-API",
    ) -> Answer:
        """Send as VTEX does. Raises Unmet for an answer that VTEX could not read."""
        headers = {**self._marker, **self._keys.headers(family)}
        return self._call(step, "POST", path, body, headers, expected)

    def post_as_nobody(self, step: str, path: str, body: Mapping[str, Any]) -> Answer:
        """Send as anybody on the internet could: no credentials, no sign of a test."""
        headers = Keys().headers("X-VTEX-API")
        return self._call(step, "POST", path, body, headers, {401, 403})

    def _call(
        self,
        step: str,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        expected: frozenset[int] | set[int],
    ) -> Answer:
        text = "" if body is None else exact.dumps(body)
        exchange = self.last = Exchange(step, f"{method} {path}", text)
        started = time.monotonic()
        response = self._send(method, path, text, headers)
        seconds = time.monotonic() - started
        self.last = replace(exchange, status=response.status_code, answer=response.text)
        require(seconds < self._seconds, f"answered after {seconds:.1f} s, not {self._seconds} s")
        if response.status_code not in expected:
            raise WrongStatus(response.status_code, expected)
        return Answer(response.status_code, response.content, _object(response))

    def _send(
        self, method: str, path: str, text: str, headers: Mapping[str, str]
    ) -> requests.Response:
        session = requests.Session()
        # The environment's proxy cannot reach a server on this machine.
        session.trust_env = urlsplit(self._url).hostname not in LOOPBACK
        types = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            with session:
                return session.request(
                    method,
                    self._url + path,
                    data=text.encode() or None,
                    headers={**types, **headers},
                    timeout=PATIENCE,
                    allow_redirects=False,
                )
        except requests.RequestException as error:
            raise Unmet(f"no answer ({type(error).__name__})") from error


def _object(response: requests.Response) -> dict[str, Any]:
    content_type = response.headers.get("Content-Type", "")
    is_json = content_type.partition(";")[0].strip() == "application/json"
    require(is_json, f"Content-Type is {content_type!r}, not application/json")
    return read(response.content)


def read(content: bytes) -> dict[str, Any]:
    """Read a JSON object. Raises Unmet."""
    try:
        value = exact.loads(content.decode())
    except ValueError:
        value = None
    require(isinstance(value, dict), "the body is not a JSON object")
    return dict(value) if isinstance(value, dict) else {}
