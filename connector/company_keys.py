"""The public keys of a company (RFC 7517). One thread fetches the list for all threads."""

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
    ProviderBusy,
    ProviderUnavailable,
)
from connector.http_client import Answer, HttpClient

# Seconds for which a list of keys is used. Seconds after a fetch in which an unknown key starts no
# other fetch.
_KEYS_SECONDS, _REFETCH_SECONDS = 3600.0, 60.0
# Seconds for which an old key still counts if the list cannot be renewed. Seconds of the longest
# fetch. Seconds between a failed fetch and the next fetch.
_GRACE_SECONDS, _FETCH_SECONDS, _RETRY_SECONDS = 60.0, 2.0, 10.0
# 32 bytes in base64url (RFC 7518, 6.2.1.2). PyJWT ignores characters that are not base64.
_COORDINATE = re.compile(r"[A-Za-z0-9_-]{43}")


class CompanyKeys:
    """The public keys of one origin, by `kid`.

    A request waits for the fetch of another request only while there is no list yet. Anybody can
    send a token with an unknown key. A fetch that hangs must not delay messages with a known key.
    """

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http, self._url, self._lock = http, url, threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._failed_at = -math.inf

    def get(self, kid: str, deadline: Deadline) -> PyJWK | None:
        """Return a key. None: the company has no key with this id.

        If the fetch fails, it raises the errors of `HttpClient.send`. While another thread fetches
        the list, and shortly after a failed fetch, it raises a NotDone.
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
        # Before the first list is there, every message needs the list.
        patience = 0.0 if self._keys else min(_FETCH_SECONDS, deadline.left())
        if not self._lock.acquire(timeout=patience):
            raise ProviderBusy("The company's keys are being fetched; repeat the message")
        try:
            if self._is_due(kid):
                self._fetch(deadline)
        finally:
            self._lock.release()

    def _fetch(self, deadline: Deadline) -> None:
        """Fetch the list, unless a fetch failed a moment ago.

        A request with too little time sends nothing. Its failure would say nothing of the list.
        """
        if time.monotonic() - self._failed_at <= _RETRY_SECONDS:
            raise ProviderUnavailable("The company's keys cannot be had; repeat the message")
        deadline.check_write()
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
    """Read {"keys": [{"kid", "kty", "crv", "x", "y"}]}; Keys of another kind are left out."""
    keys = {}
    for jwk in Fields(answer.json()).objects("keys"):
        kid, key = jwk.text("kid"), _key_from(jwk)
        if kid and key:
            keys[kid] = key
    if answer.status != HTTPStatus.OK or not keys:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, no keys")
    return keys


def _key_from(jwk: Fields) -> PyJWK | None:
    """Read a key for ES256. None: it is another kind of key, or no point of the curve."""
    kty, crv = jwk.text("kty"), jwk.text("crv")
    if (kty, crv) != ("EC", "P-256"):
        return None
    x, y = (jwk.text(axis) or "" for axis in "xy")
    with suppress(PyJWTError):
        if _COORDINATE.fullmatch(x) and _COORDINATE.fullmatch(y):
            return PyJWK({"kty": kty, "crv": crv, "x": x, "y": y})
    return None
