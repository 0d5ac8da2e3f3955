"""Tokens that a company signed: compact JWS, ES256 only (RFC 7515, 7517 and 7518)."""

import base64
import json
import math
import re
import threading
import time
from contextlib import suppress
from decimal import Decimal
from http import HTTPStatus

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    InvalidRequest,
    NotAuthenticated,
    OutOfTime,
    ProviderBusy,
    ProviderUnavailable,
)
from connector.http_client import Answer, HttpClient
from connector.provider import Fields

# A token has three parts in base64url. Its header is of a few words and times, its payload of some
# ids, its signature of 64 bytes.
_TOKEN = re.compile(rb"\s*([\w-]{2,1024})\.([\w-]{2,16384})\.([\w-]{86})\s*", re.ASCII)
# Seconds that two clocks may differ; seconds since 1970 of the latest time a token may name.
_LEEWAY, _LATEST = 60, 10**11
# Seconds a list of keys is used; seconds before it is asked for again for a key it has not.
_KEYS_SECONDS, _REFETCH_SECONDS = 3600.0, 60.0
# Seconds that a key of a list which should be renewed still counts, while that fails; seconds
# a fetch may take; seconds before it is tried again after a failure.
_GRACE_SECONDS, _FETCH_SECONDS, _RETRY_SECONDS = 60.0, 2.0, 10.0


class SignedTokens:
    """Reads the tokens of one company; its lists of keys are fetched once for all threads."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._keys: dict[str, _Keys] = {}

    def payload(self, body: bytes, keys_url: str, deadline: Deadline) -> Fields:
        """Return what a token says, proven with a key of the list at `keys_url`.

        Raises NotAuthenticated, InvalidRequest for a payload that cannot be read, and where the
        keys cannot be had what `HttpClient.send` does, or NotDone at once for whoever comes
        while another fetches them or just failed to.
        """
        kid, head, payload, signature = _token_from(body)
        key = self._keys.setdefault(keys_url, _Keys(self._http, keys_url)).get(kid, deadline)
        _check_signature(key, signature, f"{head}.{payload}")
        try:
            return _claims(payload)
        except AnswerNotUnderstood as error:
            raise InvalidRequest(evidence=error.evidence) from error


class _Keys:
    """The public keys of one origin, by `kid`, fetched by one thread for all.

    Once there are any, nobody waits for another's fetch: anybody can send a token of an unknown
    key, and a list that hangs must not hold up the messages that are proven without it.
    """

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http, self._url, self._lock = http, url, threading.Lock()
        self._known: dict[str, ec.EllipticCurvePublicKey] = {}
        self._at = self._failed_at = -math.inf

    def get(self, kid: str, deadline: Deadline) -> ec.EllipticCurvePublicKey | None:
        if self._is_due(kid):
            try:
                self._renew(kid, deadline)
            except ConnectorError:
                if not self._still_counts(kid):
                    raise
        return self._known.get(kid)

    def _is_due(self, kid: str) -> bool:
        age = time.monotonic() - self._at
        return age > (_KEYS_SECONDS if kid in self._known else _REFETCH_SECONDS)

    def _still_counts(self, kid: str) -> bool:
        age = time.monotonic() - self._at
        return kid in self._known and age <= _KEYS_SECONDS + _GRACE_SECONDS

    def _renew(self, kid: str, deadline: Deadline) -> None:
        # Before the first list is there, everybody needs it.
        patience = 0.0 if self._known else min(_FETCH_SECONDS, deadline.left())
        if not self._lock.acquire(timeout=patience):
            raise ProviderBusy("The company's keys are being fetched; repeat the message")
        try:
            if self._is_due(kid):
                self._fetch(deadline)
        finally:
            self._lock.release()

    def _fetch(self, deadline: Deadline) -> None:
        """Fetch the list, unless that failed a moment ago.

        A message that comes too late to wait asks nobody: its failure would not be the list's.
        """
        if time.monotonic() - self._failed_at <= _RETRY_SECONDS:
            raise ProviderUnavailable("The company's keys cannot be had; repeat the message")
        if not deadline.allows_a_write():
            raise OutOfTime
        try:
            self._known = self._fetched(deadline.within(_FETCH_SECONDS))
        except ConnectorError:
            self._failed_at = time.monotonic()
            raise
        self._at = time.monotonic()

    def _fetched(self, deadline: Deadline) -> dict[str, ec.EllipticCurvePublicKey]:
        url = self._url
        return _keys_from(
            self._http.send("GET", url, operation="keys", deadline=deadline, headers={})
        )


def _unproven(why: str) -> NotAuthenticated:
    return NotAuthenticated("This notification is not proven to be the company's", evidence=why)


def _token_from(body: bytes) -> tuple[str, str, str, str]:
    """Return key id, header, payload and signature of a token in time.

    What its signer may hold to be critical besides (RFC 7515, 4.1.11) is not understood here.
    """
    parts = _TOKEN.fullmatch(body)
    if parts is None:
        raise _unproven("form")
    head, payload, signature = (part.decode() for part in parts.groups())
    try:
        claims = _claims(head)
        kind = claims.text("alg"), claims.text("typ"), claims.objects("crit")
        kid, times = claims.text("kid"), [_time(claims, name) for name in ("iat", "nbf", "exp")]
    except AnswerNotUnderstood as error:
        raise _unproven("header") from error
    if kind != ("ES256", "JWT", []) or kid is None or None in (times[0], times[2]):
        raise _unproven("header")
    _check_time(*times)
    return kid, head, payload, signature


def _time(claims: Fields, name: str) -> int | None:
    """Read seconds since 1970. Bounded, because arithmetic fails with larger ones."""
    seconds = claims.decimal(name)
    if seconds is not None and not 0 <= seconds <= _LATEST:
        raise AnswerNotUnderstood(evidence=f"{name} is no time")
    return None if seconds is None else int(seconds)


def _check_time(issued: int | None, begins: int | None, ends: int | None) -> None:
    now = int(time.time())
    earliest, latest = max(issued or 0, begins or 0) - _LEEWAY, (ends or 0) + _LEEWAY
    if not earliest <= now <= latest:
        raise _unproven("time")


def _unpacked(part: str) -> bytes:
    """Decode base64url without padding. Raises ValueError."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", part):
        raise ValueError(part)
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _claims(part: str) -> Fields:
    """Read a part of a token: a JSON object that names nothing twice."""
    try:
        found = json.loads(_unpacked(part), parse_float=Decimal, object_pairs_hook=_once)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise AnswerNotUnderstood(evidence="not JSON") from error
    return Fields(found)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("named twice")
    return found


def _keys_from(answer: Answer) -> dict[str, ec.EllipticCurvePublicKey]:
    """Read {"keys": [{"kty": "EC", "crv": "P-256", "kid", "x", "y"}]}; others are left out."""
    keys = {}
    for one in Fields(answer.json()).objects("keys"):
        kid, kind = one.text("kid"), (one.text("kty"), one.text("crv"))
        with suppress(ValueError):
            if kid and kind == ("EC", "P-256"):
                x, y = (int.from_bytes(_unpacked(one.text(axis) or "")) for axis in "xy")
                keys[kid] = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    if answer.status != HTTPStatus.OK or not keys:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, no keys")
    return keys


def _check_signature(key: ec.EllipticCurvePublicKey | None, signature: str, signed: str) -> None:
    """Prove it: r and s of 32 bytes each (RFC 7518, 3.4). Raises NotAuthenticated."""
    with suppress(ValueError, InvalidSignature):
        raw = _unpacked(signature)
        both = utils.encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        if key is not None and len(raw) == 2 * 32:
            return key.verify(both, signed.encode(), ec.ECDSA(hashes.SHA256()))
    raise _unproven("signature")
