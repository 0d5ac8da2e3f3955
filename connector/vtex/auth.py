"""AppKey and AppToken to merchant."""

import hmac
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import cached_property
from typing import Protocol

from connector.domain.errors import (
    ConfigurationError,
    MerchantExists,
    NotAuthenticated,
    Stranger,
    SuiteOff,
    UnknownMerchant,
)
from connector.domain.merchant import SUITE_NAME, SUITE_PROVIDER, CapturedPolicy, Merchant
from connector.storage.entries import Entry, digest
from connector.storage.merchants import LIVE_TOKENS, Merchants

# Seconds a snapshot of the merchants is used before the database is asked whether it changed,
# and the most it is used for while another thread asks. Changes must arrive within 5 s.
FRESH_SECONDS = 2.0
STALE_SECONDS = 4.0
# VTEX sends the second family to connectors of its own platform, the first to all others.
FAMILIES = ("X-VTEX-API", "X-PROVIDER-API")
# What an unknown AppKey is compared with, so that it takes the same work as a known one.
_NOBODY = (digest("nobody"),) * LIVE_TOKENS
# Characters of an AppKey that are shown, enough to tell merchants apart.
SHOWN = 6
# What VTEX's test suite marks its requests with. Nobody knows the token of its merchant.
SUITE_MARK = "X-VTEX-API-Is-TestSuite"


@dataclass(frozen=True)
class _Snapshot:
    """The merchants at one moment; `asked_at` is monotonic."""

    revision: tuple[int, int]
    asked_at: float
    by_app_key: Mapping[str, Entry] = field(default_factory=dict)
    by_id: Mapping[int, Merchant] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Merchant]:
        return {merchant.name: merchant for merchant in self.by_id.values()}


class Headers(Protocol):
    """A request's headers, found whatever their case."""

    def get(self, key: str, default: str) -> str: ...


class Directory:
    """Finds merchants, without a query for each request.

    With `suite`, a request marked as the test suite's is of a merchant of its own, whatever its
    credentials; without it such a request is refused, whatever they are.
    """

    def __init__(self, merchants: Merchants, *, suite: bool = False) -> None:
        self._merchants = merchants
        self._suite = suite
        self._suite_merchant: Merchant | None = None
        self._refreshing = threading.Lock()
        self._snapshot = _Snapshot(revision=(-1, -1), asked_at=-STALE_SECONDS)

    def is_suite(self, headers: Headers) -> bool:
        """Whether a request is the test suite's."""
        return self._suite and _is_marked(headers)

    def authenticate(self, headers: Headers) -> Merchant:
        """Find the merchant of a request.

        Raises SuiteOff, NotAuthenticated, ConfigurationError.
        """
        if _is_marked(headers):
            if not self._suite:
                raise SuiteOff(reason=Stranger.TEST_SUITE)
            return self._suites_own()
        app_key, app_token = _credentials(headers)
        entry = self._current().by_app_key.get(app_key)
        given = digest(app_token)
        digests = entry.digests if entry else ()
        compared = [
            hmac.compare_digest(given, known) for known in (*digests, *_NOBODY)[:LIVE_TOKENS]
        ]
        if not (app_key and app_token):
            raise NotAuthenticated(reason=Stranger.MISSING)
        if entry is None:
            raise NotAuthenticated(reason=Stranger.UNKNOWN_KEY)
        if not any(compared[: len(digests)]):
            raise NotAuthenticated(reason=Stranger.WRONG_TOKEN)
        if entry.is_disabled:
            raise NotAuthenticated(reason=Stranger.DISABLED)
        if not entry.is_readable:
            raise ConfigurationError("The connector lacks the key of this merchant's settings")
        return entry.merchant

    def merchant(self, merchant_id: int) -> Merchant:
        """Find a merchant, disabled ones too: what was begun for it is finished."""
        found = self._current().by_id.get(merchant_id)
        if found is None:
            raise UnknownMerchant
        return found

    def named(self, name: str) -> Merchant:
        """Find a merchant by its name, as `merchant` does; a notification names it so."""
        found = self._current().by_name.get(name)
        if found is None:
            raise UnknownMerchant
        return found

    def replace(self, merchant: Merchant) -> None:
        """Know a merchant's new settings at once, until they are read from the database."""
        with self._refreshing:
            known = self._snapshot
            self._snapshot = _Snapshot(
                known.revision,
                known.asked_at,
                {key: _with(entry, merchant) for key, entry in known.by_app_key.items()},
                {**known.by_id, merchant.id: merchant},
            )

    def _suites_own(self) -> Merchant:
        """Return the test suite's merchant, made when it first comes."""
        if self._suite_merchant is None:
            with suppress(MerchantExists):
                self._merchants.add(
                    SUITE_NAME, SUITE_PROVIDER, {}, sandbox=True, captured=CapturedPolicy.MANUAL
                )
            self._suite_merchant = self._merchants.entry(SUITE_NAME).merchant
        return self._suite_merchant

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


def shown_key(headers: Headers) -> str | None:
    """Return of an AppKey what the log may show: it is no secret, but could be a misplaced one."""
    return _credentials(headers)[0][:SHOWN] or None


def _is_marked(headers: Headers) -> bool:
    """Whether the mark says true, in any case. One that came twice has a comma between the two."""
    words = headers.get(SUITE_MARK, "").split(",")
    return all(word.strip().lower() == "true" for word in words)


def _with(entry: Entry, merchant: Merchant) -> Entry:
    is_its = entry.merchant.id == merchant.id
    return changed(entry, merchant=merchant, is_readable=True) if is_its else entry


def _credentials(headers: Headers) -> tuple[str, str]:
    """Take both from one family of headers, the first that is whole; else what there is of any.

    VTEX's own collection of requests has half a pair of the one beside the whole of the other.
    """
    pairs = [
        (headers.get(f"{family}-AppKey", ""), headers.get(f"{family}-AppToken", ""))
        for family in FAMILIES
    ]
    return next((pair for rule in (all, any) for pair in pairs if rule(pair)), ("", ""))
