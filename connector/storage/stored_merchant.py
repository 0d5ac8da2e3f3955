"""A merchant's row, and the credentials of the merchant for VTEX's Admin."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SUITE_NAME, CapturedPolicy, Merchant, SettingsFrom
from connector.domain.money import ValueUnit
from connector.storage.columns import Row
from connector.storage.vault import Vault

# For each unit, the column with the first payment whose value VTEX certainly wrote in that unit.
_UNIT_COLUMNS = {ValueUnit.CENTS: "cents_seen", ValueUnit.UNITS: "units_seen"}


@dataclass(frozen=True)
class Credentials:
    """The values for VTEX's Admin. The AppToken is stored nowhere: it is shown once."""

    merchant: str
    provider: str
    app_key: str
    app_token: str


@dataclass(frozen=True)
class StoredMerchant:
    """A stored merchant, with the digests of its live AppTokens.

    `unused` has the digests of the AppTokens that nobody has used yet. `store` is the merchant's
    VTEX account, if it is known, and `account` its account at the company.

    If none of our keys decrypts the settings, the merchant is not readable and has no settings.
    `fields_differ` names the settings whose last value from VTEX differs from the stored value.
    """

    merchant: Merchant
    app_key: str
    is_disabled: bool
    digests: tuple[str, ...] = ()
    is_readable: bool = True
    fields_differ: tuple[str, ...] = ()
    unused: frozenset[str] = frozenset()
    store: str | None = None
    account: str | None = None


def digest(token: str) -> str:
    """Hash an AppToken or a code: SHA-256, in hex. One round is enough for 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def stored_from(row: Row, vault: Vault, tokens: Sequence[Row] = ()) -> StoredMerchant:
    """Make a merchant of its row and the rows of its tokens."""
    settings = decrypted(row, vault)
    # The test suite's merchant has no settings that a lost key could hide.
    is_readable = settings is not None or row["name"] == SUITE_NAME
    units = frozenset(unit for unit, column in _UNIT_COLUMNS.items() if row[column])
    merchant = Merchant(
        id=row["id"],
        name=row["name"],
        provider=row["provider"],
        settings=settings or {},
        sandbox=bool(row["sandbox"]),
        captured=CapturedPolicy(row["captured"]),
        settings_from=SettingsFrom(row["settings_from"]),
        units_seen=units,
    )
    differing = _differing(merchant, row["fields_seen"], vault) if is_readable else ()
    return StoredMerchant(
        merchant,
        row["app_key"],
        bool(row["disabled"]),
        digests=tuple(token["digest"] for token in tokens),
        is_readable=is_readable,
        fields_differ=differing,
        unused=frozenset(token["digest"] for token in tokens if token["is_unused"]),
        store=row["store"],
        account=row["account"],
    )


def decrypted(row: Row, vault: Vault) -> dict[str, str] | None:
    """Return the settings in a row, or None when no key decrypts them."""
    try:
        return vault.decrypt(row["settings"], row["name"])
    except ConfigurationError:
        return None


def _differing(merchant: Merchant, seen: str | None, vault: Vault) -> tuple[str, ...]:
    if seen is None or merchant.settings_from is SettingsFrom.VTEX:
        return ()
    fingerprints: dict[str, str] = json.loads(seen)
    stored = merchant.settings
    return tuple(
        key
        for key, fingerprint in fingerprints.items()
        if not vault.fits(fingerprint, key, stored.get(key, ""))
    )
