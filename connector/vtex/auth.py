"""AppKey and AppToken to merchant."""

import hmac
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from connector.domain.errors import ConfigurationError, NotAuthenticated, UnknownMerchant
from connector.domain.merchant import Merchant
from connector.storage.merchants import LIVE_TOKENS, Entry, Merchants, digest

# Seconds a snapshot of the merchants is used before the database is asked whether it changed,
# and the most it is used for while another thread asks. Changes must arrive within 5 s.
FRESH_SECONDS = 2.0
STALE_SECONDS = 4.0
# VTEX sends the second family to connectors of its own platform, the first to all others.
FAMILIES = ("X-VTEX-API", "X-PROVIDER-API")
# What an unknown AppKey is compared with, so that it takes the same work as a known one.
_NOBODY = (digest("nobody"),) * LIVE_TOKENS


@dataclass(frozen=True)
class _Snapshot:
    """The merchants at one moment; `asked_at` is monotonic."""

    revision: tuple[int, int]
    asked_at: float
    by_app_key: Mapping[str, Entry] = field(default_factory=dict)
    by_id: Mapping[int, Merchant] = field(default_factory=dict)


class Headers(Protocol):
    """A request's headers, found whatever their case."""

    def get(self, key: str, default: str) -> str: ...


class Directory:
    """Finds merchants, without a query for each request."""

    def __init__(self, merchants: Merchants) -> None:
        self._merchants = merchants
        self._refreshing = threading.Lock()
        self._snapshot = _Snapshot(revision=(-1, -1), asked_at=-STALE_SECONDS)

    def authenticate(self, headers: Headers) -> Merchant:
        """Find the merchant of a request. Raises NotAuthenticated, ConfigurationError."""
        app_key, app_token = _credentials(headers)
        entry = self._current().by_app_key.get(app_key)
        given = digest(app_token)
        digests = entry.digests if entry else ()
        compared = [
            hmac.compare_digest(given, known) for known in (*digests, *_NOBODY)[:LIVE_TOKENS]
        ]
        if entry is None or entry.is_disabled or not any(compared[: len(digests)]):
            raise NotAuthenticated
        if not entry.is_readable:
            raise ConfigurationError("The connector lacks the key of this merchant's settings")
        return entry.merchant

    def merchant(self, merchant_id: int) -> Merchant:
        """Find a merchant, disabled ones too: what was begun for it is finished."""
        found = self._current().by_id.get(merchant_id)
        if found is None:
            raise UnknownMerchant
        return found

    def _current(self) -> _Snapshot:
        """Return a snapshot that is fresh, or nearly so while another thread renews it."""
        age = time.monotonic() - self._snapshot.asked_at
        if age > FRESH_SECONDS and self._refreshing.acquire(blocking=age > STALE_SECONDS):
            try:
                self._refresh()
            finally:
                self._refreshing.release()
        return self._snapshot

    def _refresh(self) -> None:
        asked_at = time.monotonic()
        if asked_at - self._snapshot.asked_at <= FRESH_SECONDS:
            return
        known = self._snapshot
        revision = self._merchants.revision()
        if revision == known.revision:
            self._snapshot = _Snapshot(revision, asked_at, known.by_app_key, known.by_id)
            return
        entries = self._merchants.entries()
        self._snapshot = _Snapshot(
            revision,
            asked_at,
            {entry.app_key: entry for entry in entries},
            {entry.merchant.id: entry.merchant for entry in entries},
        )


def _credentials(headers: Headers) -> tuple[str, str]:
    """Take both from one family of headers: the first that gives any."""
    for family in FAMILIES:
        pair = headers.get(f"{family}-AppKey", ""), headers.get(f"{family}-AppToken", "")
        if any(pair):
            return pair
    return "", ""
