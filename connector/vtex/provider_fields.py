"""Provider Fields: a merchant's settings in VTEX's Admin. VTEX sends them with every request.

Anybody who has a merchant's AppToken can send any fields. So the fields count only for a merchant
with `settings_from` VTEX. For such a merchant they replace the stored settings, so that reconcile
uses them too. For any other merchant they are ignored and counted. So are the secret fields of any
merchant with CONNECTOR_PROVIDER_FIELDS=off.
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
from connector.provider import Provider, Setting
from connector.storage.merchants import Merchants
from connector.vtex.manifest import field_name
from connector.vtex.values import read_text

log = logging.getLogger(__name__)

# This process stores at most so many changes of a merchant's settings in so many seconds. Two shops
# may share an AppKey and send different fields. Without a limit each request would be a write.
MOST_WRITES, WRITE_SECONDS = 5, 300.0
# The connector notes unused fields, and warns of them, at most once in so many seconds.
NOTE_SECONDS, WARN_SECONDS = 60.0, 3600.0


class ProviderFields:
    """Puts the fields of a request into its merchant, or ignores them."""

    def __init__(
        self,
        directory: Directory,
        merchants: Merchants,
        providers: Mapping[str, Provider],
        *,
        takes_secrets: bool = True,
    ) -> None:
        self._directory = directory
        self._merchants = merchants
        self._providers = dict(providers)
        self._takes_secrets = takes_secrets
        self._lock = threading.Lock()
        self._writes = _Pace(MOST_WRITES, WRITE_SECONDS)
        self._notes, self._warnings = _Pace(1, NOTE_SECONDS), _Pace(1, WARN_SECONDS)
        # By merchant id: the settings that this process stored last, and when.
        self._last_stores: dict[int, tuple[Mapping[str, str], float]] = {}
        # By merchant id: the fields of the last note, and the fields of a note to write after the
        # answer.
        self._last_notes: dict[int, dict[str, str]] = {}
        self._due: dict[int, tuple[Merchant, dict[str, str]]] = {}

    def apply(
        self, merchant: Merchant, body: Mapping[str, Any], *, is_create: bool = False
    ) -> Merchant:
        """Return the merchant with the settings that count for a request.

        Unusable fields stop only a create: then it raises InvalidRequest, which names them.
        """
        provider = self._providers.get(merchant.provider)
        fields = _fields_of(provider, body) if provider else {}
        if provider is None or not fields:
            return merchant
        if merchant.settings_from is SettingsFrom.CONNECTOR:
            self._ignore(merchant, fields)
            return merchant
        fields = self._without_kept(provider, merchant, fields)
        if fields.items() <= merchant.settings.items():
            return merchant
        return self._merge(provider, merchant, fields, is_create=is_create)

    @property
    def is_note_due(self) -> bool:
        return bool(self._due)

    def note(self) -> None:
        """Record the fields that VTEX sends and nobody uses. It runs after the answer."""
        with self._lock:
            due, self._due = self._due, {}
        for merchant, fields in due.values():
            try:
                self._merchants.note_fields(merchant, fields)
            except Exception:
                log.exception("Provider Fields were not noted")
                self._last_notes.pop(merchant.id, None)

    def _without_kept(
        self, provider: Provider, merchant: Merchant, fields: dict[str, str]
    ) -> dict[str, str]:
        """Leave out the settings that a request never changes."""
        kept = {setting.key for setting in provider.settings if self._is_kept(setting)}
        self._warn_of_ignored(merchant, {key: fields[key] for key in kept & fields.keys()})
        return {key: value for key, value in fields.items() if key not in kept}

    def _is_kept(self, setting: Setting) -> bool:
        """Whether no request changes a setting. A request never decides where money goes."""
        return setting.is_payout or (setting.is_secret and not self._takes_secrets)

    def _warn_of_ignored(self, merchant: Merchant, ignored: Mapping[str, str]) -> None:
        differing = [key for key, value in ignored.items() if merchant.settings.get(key) != value]
        if differing:
            self._warn(merchant, "ignored", ", ".join(differing))

    def _ignore(self, merchant: Merchant, fields: dict[str, str]) -> None:
        self._warn_of_ignored(merchant, fields)
        if self._last_notes.get(merchant.id) == fields:
            return
        with self._lock:
            if self._notes.allows(merchant.id):
                self._last_notes[merchant.id] = fields
                self._due[merchant.id] = (merchant, fields)

    def _merge(
        self, provider: Provider, merchant: Merchant, fields: dict[str, str], *, is_create: bool
    ) -> Merchant:
        keys = {setting.key for setting in provider.settings}
        stored = {key: value for key, value in merchant.settings.items() if key in keys}
        try:
            merged = provider.check_settings({**stored, **fields})
        except ConfigurationError as error:
            faulty = _faulty_keys(provider, error)
            if is_create:
                raise _unusable_fields(provider, faulty) from None
            self._warn(merchant, "unusable", ", ".join(faulty))
            return merchant
        changed = replace(merchant, settings=merged)
        if merged == merchant.settings or self._store(changed, fields):
            return changed
        self._warn(merchant, "ignored", ", ".join(fields))
        return merchant

    def _store(self, changed: Merchant, fields: Mapping[str, str]) -> bool:
        """Store the fields. Say whether they count: a command may have just switched them off."""
        with self._lock:
            settings, at = self._last_stores.get(changed.id, (None, 0.0))
            if settings == changed.settings and now() - at < STALE_SECONDS:
                # Another thread is storing them, or has just stored them.
                return True
            is_allowed = self._writes.allows(changed.id)
            if is_allowed:
                self._last_stores[changed.id] = (changed.settings, now())
        if not is_allowed:
            self._warn(changed, "not-stored", "too many changes")
            return True
        if not self._merchants.take_fields(changed.name, fields):
            return False
        self._directory.replace(changed)
        return True

    def _warn(self, merchant: Merchant, outcome: str, reason: str) -> None:
        """Count every time, and warn once in WARN_SECONDS. No value is logged."""
        count_fields(merchant.provider, outcome)
        with self._lock:
            is_allowed = self._warnings.allows(merchant.id)
        if is_allowed:
            log.warning(
                "Provider Fields are not used as they came",
                extra={"merchant": merchant.name, "outcome": outcome, "reason": reason},
            )


class _Pace:
    """Allows each merchant `most` times in `seconds`."""

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
    """Map each field's name to its setting, even if the manifest does not offer the field."""
    return {field_name(provider, setting): setting.key for setting in provider.settings}


def _fields_of(provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
    """Read merchantSettings. Leave out empty fields, and fields of no setting."""
    keys = _keys(provider)
    entries = body.get("merchantSettings")
    values = {}
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else None
        key = keys.get(name.strip()) if isinstance(name, str) else None
        value = read_text(entry["value"]) if key and "value" in entry else ""
        if key and value:
            values[key] = value
    return values


def _faulty_keys(provider: Provider, error: ConfigurationError) -> list[str]:
    """Return the faulty settings. A fault begins with its setting; its other text may be secret."""
    named = set(re.findall(r"(?:^|; )(\w+): ", error.message))
    return [setting.key for setting in provider.settings if setting.key in named]


def _unusable_fields(provider: Provider, faulty: list[str]) -> InvalidRequest:
    settings = [setting for setting in provider.settings if setting.key in faulty]
    names = [field_name(provider, setting) for setting in settings]
    return InvalidRequest(f"merchantSettings: missing or not usable: {', '.join(names)}")
