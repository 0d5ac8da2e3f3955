"""Provider Fields: the settings that a merchant gives in VTEX's Admin, sent with every request.

Anybody who has a merchant's AppToken can send any fields. So the fields count only for a merchant
whose settings are to come from VTEX. There they replace the stored settings, so that reconcile has
them too. For any other merchant they are ignored and counted.
"""

import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from connector.domain.deadline import now
from connector.domain.errors import ConfigurationError, InvalidRequest
from connector.domain.merchant import Merchant, SettingsFrom
from connector.merchants import STALE_SECONDS, Directory
from connector.metrics import count_fields
from connector.provider import Provider
from connector.storage.merchants import Merchants
from connector.vtex.manifest import field_name
from connector.vtex.values import read_text

log = logging.getLogger(__name__)

# Changes of one merchant's settings that this process stores, in so many seconds. Without a limit
# two shops that share an AppKey, each with its own fields, write with every request.
MOST_WRITES, WRITE_SECONDS = 5, 300.0
# Seconds between two notes, and between two warnings, of the fields that a merchant does not use.
NOTE_SECONDS, WARN_SECONDS = 60.0, 3600.0


class ProviderFields:
    """Puts the fields of a request into its merchant, or ignores them."""

    def __init__(
        self, directory: Directory, merchants: Merchants, providers: Mapping[str, Provider]
    ) -> None:
        self._directory = directory
        self._merchants = merchants
        self._providers = dict(providers)
        self._lock = threading.Lock()
        self._writes = _Pace(MOST_WRITES, WRITE_SECONDS)
        self._notes, self._warnings = _Pace(1, NOTE_SECONDS), _Pace(1, WARN_SECONDS)
        # The settings that were stored last, and when.
        self._stored: dict[int, tuple[Mapping[str, str], float]] = {}
        # The fields that were noted last, and those to be noted when their request is answered.
        self._noted: dict[int, dict[str, str]] = {}
        self._due: dict[int, tuple[Merchant, dict[str, str]]] = {}

    def apply(
        self, merchant: Merchant, body: Mapping[str, Any], *, is_create: bool = False
    ) -> Merchant:
        """Return the merchant with the settings that count for a request.

        Fields that cannot be used stop a create only: raises InvalidRequest that names them.
        """
        provider = self._providers.get(merchant.provider)
        given = _given(provider, body) if provider else {}
        if provider is None or not given:
            return merchant
        if merchant.settings_from is SettingsFrom.CONNECTOR:
            self._ignore(merchant, given)
            return merchant
        given = self._without_payouts(provider, merchant, given)
        if given.items() <= merchant.settings.items():
            return merchant
        return self._merge(provider, merchant, given, is_create=is_create)

    @property
    def is_note_due(self) -> bool:
        return bool(self._due)

    def note(self) -> None:
        """Record the fields that VTEX sends and nobody uses. It is done after the answer."""
        with self._lock:
            due, self._due = self._due, {}
        for merchant, given in due.values():
            try:
                self._merchants.note_fields(merchant, given)
            except Exception:
                log.exception("Provider Fields were not noted")
                self._noted.pop(merchant.id, None)

    def _without_payouts(
        self, provider: Provider, merchant: Merchant, given: dict[str, str]
    ) -> dict[str, str]:
        """Leave out where money goes: a request never decides that."""
        payouts = {setting.key for setting in provider.settings if setting.is_payout}
        self._warn_of_ignored(merchant, {key: given[key] for key in payouts & given.keys()})
        return {key: value for key, value in given.items() if key not in payouts}

    def _warn_of_ignored(self, merchant: Merchant, ignored: Mapping[str, str]) -> None:
        differing = [key for key, value in ignored.items() if merchant.settings.get(key) != value]
        if differing:
            self._warn(merchant, "ignored", ", ".join(differing))

    def _ignore(self, merchant: Merchant, given: dict[str, str]) -> None:
        self._warn_of_ignored(merchant, given)
        if self._noted.get(merchant.id) == given:
            return
        with self._lock:
            if self._notes.allows(merchant.id):
                self._noted[merchant.id] = given
                self._due[merchant.id] = (merchant, given)

    def _merge(
        self, provider: Provider, merchant: Merchant, given: dict[str, str], *, is_create: bool
    ) -> Merchant:
        keys = {setting.key for setting in provider.settings}
        stored = {key: value for key, value in merchant.settings.items() if key in keys}
        try:
            merged = provider.check_settings({**stored, **given})
        except ConfigurationError as error:
            faulty = _faulty(provider, error)
            if is_create:
                raise _refusal(provider, faulty) from None
            self._warn(merchant, "unusable", ", ".join(faulty))
            return merchant
        changed = replace(merchant, settings=merged)
        if merged == merchant.settings or self._store(changed, given):
            return changed
        self._warn(merchant, "ignored", ", ".join(given))
        return merchant

    def _store(self, changed: Merchant, given: Mapping[str, str]) -> bool:
        """Store the fields; say whether they count. A command may have just switched them off."""
        with self._lock:
            settings, at = self._stored.get(changed.id, (None, 0.0))
            if settings == changed.settings and now() - at < STALE_SECONDS:
                # Another thread is storing them, or has just stored them.
                return True
            is_allowed = self._writes.allows(changed.id)
            if is_allowed:
                self._stored[changed.id] = (changed.settings, now())
        if not is_allowed:
            self._warn(changed, "not-stored", "too many changes")
            return True
        if not self._merchants.take_fields(changed.name, given):
            return False
        self._directory.replace(changed)
        return True

    def _warn(self, merchant: Merchant, outcome: str, reason: str) -> None:
        """Count each time, and warn now and then. No value is logged."""
        count_fields(merchant.provider, outcome)
        with self._lock:
            is_allowed = self._warnings.allows(merchant.id)
        if is_allowed:
            log.warning(
                "Provider Fields are not used as they came",
                extra={"merchant": merchant.name, "outcome": outcome, "reason": reason},
            )


class _Pace:
    """Allows so many times in so many seconds, for each merchant."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._times: dict[int, list[float]] = {}

    def allows(self, merchant_id: int) -> bool:
        since = now() - self._seconds
        times = [at for at in self._times.get(merchant_id, []) if at > since]
        is_allowed = len(times) < self._most
        self._times[merchant_id] = [*times, now()] if is_allowed else times
        return is_allowed


@cache
def _keys(provider: Provider) -> dict[str, str]:
    """Map each field to its setting, also a field that the manifest does not offer."""
    return {field_name(provider, setting): setting.key for setting in provider.settings}


def _given(provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
    """Read merchantSettings; leave out empty fields, and fields that are not ours."""
    keys = _keys(provider)
    entries = body.get("merchantSettings")
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else None
        key = keys.get(name.strip()) if isinstance(name, str) else None
        value = read_text(entry["value"]) if key and "value" in entry else ""
        if key and value:
            found[key] = value
    return found


def _faulty(provider: Provider, error: ConfigurationError) -> list[str]:
    """Name the faulty settings. A fault begins with its setting; the rest may hold a secret."""
    named = set(re.findall(r"(?:^|; )(\w+): ", error.message))
    return [setting.key for setting in provider.settings if setting.key in named]


def _refusal(provider: Provider, faulty: list[str]) -> InvalidRequest:
    settings = [setting for setting in provider.settings if setting.key in faulty]
    names = [field_name(provider, setting) for setting in settings]
    return InvalidRequest(f"merchantSettings: missing or not usable: {', '.join(names)}")
