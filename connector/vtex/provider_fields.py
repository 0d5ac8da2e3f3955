"""Provider Fields: the settings that a merchant gives in VTEX's Admin, sent with every request.

They win over the stored ones and refresh them, so that what is finished later, when nobody asks,
has them too.
"""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connector.domain.errors import ConfigurationError, InvalidRequest
from connector.domain.merchant import Merchant
from connector.provider import Provider
from connector.storage.merchants import Merchants
from connector.vtex.auth import Directory
from connector.vtex.manifest import field_name

# Seconds between two writes of one merchant's settings by this process: two shops that share an
# AppKey, each with its own fields, would else write with every request.
WRITE_SECONDS = 2.0


class ProviderFields:
    """Puts the fields of a request into its merchant."""

    def __init__(
        self, directory: Directory, merchants: Merchants, providers: Mapping[str, Provider]
    ) -> None:
        self._directory = directory
        self._merchants = merchants
        self._providers = dict(providers)
        self._written: dict[int, float] = {}
        self._writing = threading.Lock()

    def applied(self, merchant: Merchant, body: Mapping[str, Any]) -> Merchant:
        """Return the merchant with the settings given in a request, and store them.

        Raises InvalidRequest that names the fields that cannot be used.
        """
        provider = self._providers.get(merchant.provider)
        given = _given(provider, body) if provider else {}
        if provider is None or given.items() <= merchant.settings.items():
            return merchant
        known = {setting.key for setting in provider.settings}
        stored = {key: value for key, value in merchant.settings.items() if key in known}
        merged = _checked(provider, {**stored, **given})
        if merged == merchant.settings:
            return merchant
        changed = replace(merchant, settings=merged)
        if self._may_write(merchant.id):
            self._merchants.update(merchant.name, merged)
            self._directory.replace(changed)
        return changed

    def _may_write(self, merchant_id: int) -> bool:
        now = time.monotonic()
        with self._writing:
            if now - self._written.get(merchant_id, -WRITE_SECONDS) < WRITE_SECONDS:
                return False
            self._written[merchant_id] = now
            return True


def _given(provider: Provider, body: Mapping[str, Any]) -> dict[str, str]:
    """Read merchantSettings; what is not one of our fields, or empty, is left out."""
    keys = {field_name(provider, setting): setting.key for setting in provider.settings}
    entries = body.get("merchantSettings")
    found = {}
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else None
        key = keys.get(name.strip()) if isinstance(name, str) else None
        value = _text(entry["value"]) if key and "value" in entry else ""
        if key and value:
            found[key] = value
    return found


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _checked(provider: Provider, values: Mapping[str, str]) -> dict[str, str]:
    try:
        return provider.check_settings(values)
    except ConfigurationError as error:
        # A fault begins with its key; the rest is left out, lest it repeat a secret.
        faulty = set(re.findall(r"(?:^|; )(\w+): ", error.message))
        names = [field_name(provider, one) for one in provider.settings if one.key in faulty]
    raise InvalidRequest(f"merchantSettings: missing or not usable: {', '.join(names)}")
