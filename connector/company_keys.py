"""The public keys of a company: a list that one thread fetches for all (RFC 7517)."""

import math
import re
import threading
import time
from contextlib import suppress
from http import HTTPStatus

from jwt import PyJWK, PyJWTError

from connector.company_json import Fields
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    OutOfTime,
    ProviderBusy,
    ProviderUnavailable,
)
from connector.http_client import Answer, HttpClient

# Seconds for which a list of keys is used; seconds before an unknown key lets it be fetched again.
_KEYS_SECONDS, _REFETCH_SECONDS = 3600.0, 60.0
# Seconds that an old key still counts while the list cannot be renewed; seconds that a fetch may
# take; seconds before the next fetch after a failure.
_GRACE_SECONDS, _FETCH_SECONDS, _RETRY_SECONDS = 60.0, 2.0, 10.0
# 32 bytes in base64url (RFC 7518, 6.2.1.2). PyJWT passes over characters that are not base64.
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")


class CompanyKeys:
    """The public keys of one origin, by `kid`.

    A request waits for another one's fetch only while there is no list at all. Anybody can send a
    token of an unknown key; a list that hangs must not hold up messages with a known key.
    """

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http, self._url, self._lock = http, url, threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._failed_at = -math.inf

    def get(self, kid: str, deadline: Deadline) -> PyJWK | None:
        """Return a key, None where the company has none of that name.

        Raises what `HttpClient.send` does where the list cannot be had, and NotDone at once while
        another thread fetches the list or shortly after a failure.
        """
        if self._is_due(kid):
            try:
                self._renew(kid, deadline)
            except ConnectorError:
                if not self._still_counts(kid):
                    raise
        return self._keys.get(kid)

    def _is_due(self, kid: str) -> bool:
        age = time.monotonic() - self._fetched_at
        return age > (_KEYS_SECONDS if kid in self._keys else _REFETCH_SECONDS)

    def _still_counts(self, kid: str) -> bool:
        age = time.monotonic() - self._fetched_at
        return kid in self._keys and age <= _KEYS_SECONDS + _GRACE_SECONDS

    def _renew(self, kid: str, deadline: Deadline) -> None:
        # Before the first list is there, everybody needs it.
        patience = 0.0 if self._keys else min(_FETCH_SECONDS, deadline.left())
        if not self._lock.acquire(timeout=patience):
            raise ProviderBusy("The company's keys are being fetched; repeat the message")
        try:
            if self._is_due(kid):
                self._fetch(deadline)
        finally:
            self._lock.release()

    def _fetch(self, deadline: Deadline) -> None:
        """Fetch the list, unless that failed a moment ago.

        A request with too little time sends nothing: its failure would not be the list's failure.
        """
        if time.monotonic() - self._failed_at <= _RETRY_SECONDS:
            raise ProviderUnavailable("The company's keys cannot be had; repeat the message")
        if not deadline.allows_a_write():
            raise OutOfTime
        try:
            self._keys = self._download(deadline.within(_FETCH_SECONDS))
        except ConnectorError:
            self._failed_at = time.monotonic()
            raise
        self._fetched_at = time.monotonic()

    def _download(self, deadline: Deadline) -> dict[str, PyJWK]:
        url = self._url
        return _keys_from(
            self._http.send("GET", url, operation="keys", deadline=deadline, headers={})
        )


def _keys_from(answer: Answer) -> dict[str, PyJWK]:
    """Read {"keys": [{"kid", "kty", "crv", "x", "y"}]}; keys of another kind are left out."""
    keys = {}
    for jwk in Fields(answer.json()).objects("keys"):
        kid, key = jwk.text("kid"), _key_from(jwk)
        if kid and key:
            keys[kid] = key
    if answer.status != HTTPStatus.OK or not keys:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, no keys")
    return keys


def _key_from(jwk: Fields) -> PyJWK | None:
    """Read a key for ES256, None where it is of another kind or no point of its curve."""
    kty, crv = jwk.text("kty"), jwk.text("crv")
    if (kty, crv) != ("EC", "P-256"):
        return None
    x, y = (jwk.text(axis) or "" for axis in "xy")
    with suppress(PyJWTError):
        if _COORDINATE.fullmatch(x) and _COORDINATE.fullmatch(y):
            return PyJWK({"kty": kty, "crv": crv, "x": x, "y": y})
    return None
