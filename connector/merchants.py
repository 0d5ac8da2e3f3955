"""The directory of merchants, by key, name or id. VTEX's side, webhooks and reconcile use it.

The merchants are kept in memory, so that no request needs a query for its merchant.
"""

import hmac
import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property

from connector.domain.errors import (
    ConfigurationError,
    MerchantExists,
    NotAuthenticated,
    StorageUnavailable,
    Stranger,
    SuiteOff,
    UnknownMerchant,
)
from connector.domain.merchant import SUITE_NAME, SUITE_PROVIDER, CapturedPolicy, Merchant
from connector.storage.merchants import LIVE_TOKENS, Merchants
from connector.storage.stored_merchant import StoredMerchant, digest

log = logging.getLogger(__name__)

# A snapshot of the merchants is fresh for FRESH_SECONDS. Then one thread asks the database for
# changes. The other threads use the snapshot until it is STALE_SECONDS old. A change must arrive
# within 5 s.
FRESH_SECONDS = 2.0
STALE_SECONDS = 4.0
# Unknown keys may be those of a merchant that connected itself a moment ago, so that a snapshot of
# that age is asked for. Strangers cannot cause more than one query in this time.
MISSED_SECONDS = 0.2
# The token of an unknown AppKey is compared with these digests, so that the work is the same as for
# a known AppKey.
_UNKNOWN_KEYS_DIGESTS = (digest("nobody"),) * LIVE_TOKENS


@dataclass(frozen=True)
class _Snapshot:
    """The merchants at one moment. `asked_at` is a reading of `time.monotonic`."""

    revision: tuple[int, int]
    asked_at: float
    by_app_key: Mapping[str, StoredMerchant] = field(default_factory=dict)
    by_id: Mapping[int, Merchant] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> Mapping[str, Merchant]:
        return {merchant.name: merchant for merchant in self.by_id.values()}

    def with_merchant(self, merchant: Merchant) -> "_Snapshot":
        """Return a snapshot with a merchant's new settings."""
        entries = {
            key: replace(entry, merchant=merchant, is_readable=True)
            for key, entry in self.by_app_key.items()
            if entry.merchant.id == merchant.id
        }
        return _Snapshot(
            self.revision,
            self.asked_at,
            {**self.by_app_key, **entries},
            {**self.by_id, merchant.id: merchant},
        )


class Directory:
    """Finds merchants. With `suite` there is a merchant for VTEX's test suite, too."""

    def __init__(self, merchants: Merchants, *, suite: bool = False) -> None:
        self._merchants = merchants
        self.has_suite = suite
        self._suite_merchant: Merchant | None = None
        self._refreshing = threading.Lock()
        self._snapshot = _Snapshot(revision=(-1, -1), asked_at=-STALE_SECONDS)
        # Digests whose first use this process has recorded. The snapshot may be older.
        self._used: set[str] = set()
        self._noting = threading.Lock()

    def by_keys(self, app_key: str, app_token: str) -> Merchant:
        """Find the merchant of an AppKey and its AppToken.

        Raises NotAuthenticated, ConfigurationError.
        """
        given_digest = digest(app_token)
        entry, is_live_token = self._look_up(app_key, given_digest)
        if not (app_key and app_token):
            raise NotAuthenticated(reason=Stranger.MISSING)
        if entry is None:
            raise NotAuthenticated(reason=Stranger.UNKNOWN_KEY)
        if not is_live_token:
            raise NotAuthenticated(reason=Stranger.WRONG_TOKEN)
        if entry.is_disabled:
            raise NotAuthenticated(reason=Stranger.DISABLED)
        if not entry.is_readable:
            raise ConfigurationError("The connector lacks the key of this merchant's settings")
        if given_digest in entry.unused:
            self._note_use(entry.merchant, given_digest)
        return entry.merchant

    def by_id(self, merchant_id: int) -> Merchant:
        """Find a merchant, also a disabled merchant, whose open requests must be finished."""
        return _existing(self._current().by_id.get(merchant_id))

    def by_name(self, name: str) -> Merchant:
        """Find a merchant, also a disabled merchant, by the name in a notification's address."""
        return _existing(self._current().by_name.get(name))

    def of_suite(self) -> Merchant:
        """Return the test suite's merchant. The first call stores the merchant. Raises SuiteOff."""
        if not self.has_suite:
            raise SuiteOff(reason=Stranger.TEST_SUITE)
        if self._suite_merchant is None:
            with suppress(MerchantExists):
                self._merchants.add(
                    SUITE_NAME, SUITE_PROVIDER, {}, sandbox=True, captured=CapturedPolicy.MANUAL
                )
            self._suite_merchant = self._merchants.find(SUITE_NAME).merchant
        return self._suite_merchant

    def replace(self, merchant: Merchant) -> None:
        """Use a merchant's new settings at once, until they are read from the database."""
        with self._refreshing:
            self._snapshot = self._snapshot.with_merchant(merchant)

    def _look_up(self, app_key: str, given_digest: str) -> tuple[StoredMerchant | None, bool]:
        """Find the merchant of an AppKey, and say whether a token of the digest is live."""
        snapshot = self._current()
        found = _found_in(snapshot, app_key, given_digest)
        if not found[1]:
            with suppress(StorageUnavailable):
                newer = self._current(MISSED_SECONDS)
                return found if newer is snapshot else _found_in(newer, app_key, given_digest)
        return found

    def _note_use(self, merchant: Merchant, app_token: str) -> None:
        """Record the first use of an AppToken, once in a process. A failure changes no answer."""
        with self._noting:
            if app_token in self._used:
                return
            self._used.add(app_token)
        try:
            self._merchants.note_use(merchant.id, app_token)
        except StorageUnavailable as error:
            self._used.discard(app_token)
            log.warning("a first use was not recorded", extra={"reason": error.why})

    def _current(self, fresh_seconds: float | None = None) -> _Snapshot:
        """Return a snapshot that is fresh, or nearly fresh while another thread renews it."""
        most = FRESH_SECONDS if fresh_seconds is None else fresh_seconds
        age = time.monotonic() - self._snapshot.asked_at
        if age > most and self._refreshing.acquire(blocking=age > STALE_SECONDS):
            try:
                self._refresh(most)
            finally:
                self._refreshing.release()
        return self._snapshot

    def _refresh(self, fresh_seconds: float) -> None:
        asked_at = time.monotonic()
        if asked_at - self._snapshot.asked_at <= fresh_seconds:
            return
        revision = self._merchants.revision()
        if revision == self._snapshot.revision:
            self._snapshot = replace(self._snapshot, asked_at=asked_at)
            return
        entries = self._merchants.all()
        self._snapshot = _Snapshot(
            revision,
            asked_at,
            {entry.app_key: entry for entry in entries},
            {entry.merchant.id: entry.merchant for entry in entries},
        )


def _found_in(
    snapshot: _Snapshot, app_key: str, given_digest: str
) -> tuple[StoredMerchant | None, bool]:
    entry = snapshot.by_app_key.get(app_key)
    return entry, _is_live_token(given_digest, entry.digests if entry else ())


def _is_live_token(given_digest: str, digests: tuple[str, ...]) -> bool:
    """Compare a token with the live tokens. The work is the same for any number of tokens."""
    matches = [
        hmac.compare_digest(given_digest, live)
        for live in (*digests, *_UNKNOWN_KEYS_DIGESTS)[:LIVE_TOKENS]
    ]
    return any(matches[: len(digests)])


def _existing(merchant: Merchant | None) -> Merchant:
    if merchant is None:
        raise UnknownMerchant
    return merchant
