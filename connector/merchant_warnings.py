"""What is wrong with the stored settings of a merchant, as far as no company is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from connector.domain.merchant import SettingsFrom
from connector.provider import Provider
from connector.storage.stored_merchant import StoredMerchant


class Concern(StrEnum):
    """A kind of warning."""

    UNREADABLE = "unreadable"
    """None of our keys decrypts the settings."""
    MISSING = "missing"
    """The company needs more settings than are stored."""
    FIELDS_DIFFER = "fields-differ"
    """VTEX sends other values than are stored: a mistake of the merchant, or an attack."""
    SECRETS_IGNORED = "secrets-ignored"
    """The secrets are to come from VTEX's requests, but CONNECTOR_PROVIDER_FIELDS is off."""
    OUTDATED = "outdated"
    """The settings are not encrypted with the newest key."""


@dataclass(frozen=True)
class MerchantWarning:
    """A warning. `keys` are the settings that it is about; none means all."""

    concern: Concern
    keys: tuple[str, ...] = ()


def warnings_of(
    entry: StoredMerchant, provider: Provider | None, *, takes_secrets: bool, is_outdated: bool
) -> Iterator[MerchantWarning]:
    """Yield the warnings about a merchant. `provider` is None if it is switched off.

    `takes_secrets` tells whether CONNECTOR_PROVIDER_FIELDS is on.
    """
    if not entry.is_readable:
        yield MerchantWarning(Concern.UNREADABLE)
        return
    if provider and (missing := provider.missing(entry.merchant.settings)):
        yield MerchantWarning(Concern.MISSING, tuple(missing))
    if entry.fields_differ:
        yield MerchantWarning(Concern.FIELDS_DIFFER, entry.fields_differ)
    if entry.merchant.settings_from is SettingsFrom.VTEX and not takes_secrets:
        yield MerchantWarning(Concern.SECRETS_IGNORED)
    if is_outdated:
        yield MerchantWarning(Concern.OUTDATED)
