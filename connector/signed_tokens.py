"""Reads tokens that a company signed: compact JWS, only ES256 (RFC 7515 and 7518).

PyJWT proves the signature. Before that, this module checks without a key whatever a stranger could
change: the size, the header and the times. Yandex puts the times into the header, not the payload.
"""

import base64
import re
import time

from jwt import PyJWK, PyJWS, PyJWTError

from connector.company_json import Fields
from connector.company_keys import CompanyKeys
from connector.domain import exact
from connector.domain.deadline import Deadline
from connector.domain.errors import AnswerNotUnderstood, InvalidRequest, NotAuthenticated
from connector.http_client import HttpClient

_ALGORITHM = "ES256"
_JWS = PyJWS(algorithms=[_ALGORITHM])
# Three parts in base64url: a header with a few words and times, a payload with some ids, and a
# signature of 64 bytes.
_TOKEN = re.compile(rb"([\w-]{2,1024})\.[\w-]{2,16384}\.[\w-]{86}", re.ASCII)
# Seconds by which two clocks may differ. The latest time in a token, in seconds since 1970.
_LEEWAY, _LATEST = 60, 10**11


class SignedTokens:
    """Reads the tokens of one company. All threads share the company's lists of keys."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http
        self._keys: dict[str, CompanyKeys] = {}

    def payload(self, body: bytes, keys_url: str, deadline: Deadline) -> Fields:
        """Return the payload of a token. A key of the list at `keys_url` proves the token.

        Raises NotAuthenticated, InvalidRequest for an unreadable payload, and the errors of
        `CompanyKeys.get`.
        """
        token = body.strip()
        kid = _key_id(_header(token))
        keys = self._keys.setdefault(keys_url, CompanyKeys(self._http, keys_url))
        payload = _proven_payload(token, keys.get(kid, deadline))
        try:
            return _fields(payload)
        except AnswerNotUnderstood as error:
            raise InvalidRequest(evidence=error.evidence) from error


def _unproven(why: str) -> NotAuthenticated:
    return NotAuthenticated("This notification is not proven to be the company's", evidence=why)


def _header(token: bytes) -> Fields:
    form = _TOKEN.fullmatch(token)
    if form is None:
        raise _unproven("form")
    try:
        padding = b"=" * (-len(form[1]) % 4)
        return _fields(base64.urlsafe_b64decode(form[1] + padding))
    except (ValueError, AnswerNotUnderstood) as error:
        raise _unproven("header") from error


def _key_id(header: Fields) -> str:
    """Check the header and the times of a token. Return the id of its key.

    A header with `crit` is refused: this module knows no critical extension (RFC 7515, 4.1.11).
    """
    try:
        kind = header.text("alg"), header.text("typ"), header.objects("crit")
        kid, times = header.text("kid"), [_time(header, name) for name in ("iat", "nbf", "exp")]
    except AnswerNotUnderstood as error:
        raise _unproven("header") from error
    if kind != (_ALGORITHM, "JWT", []) or kid is None or None in (times[0], times[2]):
        raise _unproven("header")
    _check_time(*times)
    return kid


def _time(header: Fields, name: str) -> int | None:
    """Read seconds since 1970. There is a limit, because arithmetic fails with larger numbers."""
    seconds = header.decimal(name)
    if seconds is not None and not 0 <= seconds <= _LATEST:
        raise AnswerNotUnderstood(evidence=f"{name} is no time")
    return None if seconds is None else int(seconds)


def _check_time(issued: int | None, begins: int | None, ends: int | None) -> None:
    now = int(time.time())
    earliest, latest = max(issued or 0, begins or 0) - _LEEWAY, (ends or 0) + _LEEWAY
    if not earliest <= now <= latest:
        raise _unproven("time")


def _proven_payload(token: bytes, key: PyJWK | None) -> bytes:
    if key is None:
        raise _unproven("signature")
    try:
        payload: bytes = _JWS.decode(token, key, algorithms=[_ALGORITHM])
    except PyJWTError as error:
        raise _unproven("signature") from error
    return payload


def _fields(part: bytes) -> Fields:
    """Read a part of a token: a JSON object in which no name stands twice."""
    try:
        return Fields(exact.loads(part, is_unique=True))
    except ValueError as error:
        raise AnswerNotUnderstood(evidence="not JSON") from error
