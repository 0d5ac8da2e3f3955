"""The words of merchants, and of their warnings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector.domain.merchant import CapturedPolicy, SettingsFrom, notification_url
from connector.merchant_warnings import Concern, warnings_of
from connector.pages.languages import lazy_gettext as _
from connector.provider import Provider
from connector.storage.merchant_list import ListedMerchant

if TYPE_CHECKING:
    from connector.app import Connector

CAPTURED: Mapping[CapturedPolicy, Any] = {
    CapturedPolicy.MANUAL: _("a person gives it back"),
    CapturedPolicy.REFUND: _("it is refunded"),
}
SETTINGS_FROM: Mapping[SettingsFrom, Any] = {
    SettingsFrom.CONNECTOR: _("those that are stored here"),
    SettingsFrom.VTEX: _("those in the requests of VTEX"),
}
CONCERNS: Mapping[Concern, Any] = {
    Concern.UNREADABLE: _(
        "No key of this connector decrypts the settings. Add the key with which they were stored to"
        " CONNECTOR_SECRET_KEYS."
    ),
    Concern.MISSING: _("These settings are missing: %(keys)s."),
    Concern.FIELDS_DIFFER: _(
        "VTEX sends other values than are stored here, and they are ignored: %(keys)s. Correct the"
        " wrong ones. If nobody changed them in the Admin, somebody else may have the AppToken."
    ),
    Concern.SECRETS_IGNORED: _(
        "Secrets should come from VTEX, but this connector takes none from there"
        " (CONNECTOR_PROVIDER_FIELDS is off). The operator must store them."
    ),
    Concern.OUTDATED: _(
        "The settings are not encrypted with the newest key. The operator should run the command"
        " connector merchants reencrypt."
    ),
}


@dataclass(frozen=True)
class ShownMerchant:
    """A merchant as a page shows it. `provider` is None if it is switched off."""

    listed: ListedMerchant
    provider: Provider | None
    warnings: Sequence[str]
    notification_url: str | None

    @property
    def name(self) -> str:
        return self.listed.stored.merchant.name

    @property
    def company(self) -> str:
        return self.provider.title if self.provider else self.listed.stored.merchant.provider

    @property
    def is_disabled(self) -> bool:
        return self.listed.stored.is_disabled


def shown(connector: "Connector", listed: ListedMerchant) -> ShownMerchant:
    merchant = listed.stored.merchant
    provider = connector.providers.get(merchant.provider)
    return ShownMerchant(
        listed,
        provider,
        warning_texts(connector, listed, provider),
        notification_url(connector.settings.public_url, merchant.provider, merchant.name),
    )


def warning_texts(
    connector: "Connector", listed: ListedMerchant, provider: Provider | None
) -> list[str]:
    titles = {one.key: one.title for one in provider.settings} if provider else {}
    found = warnings_of(
        listed.stored,
        provider,
        takes_secrets=connector.settings.provider_fields,
        is_outdated=listed.is_outdated,
    )
    return [
        str(CONCERNS[one.concern]) % {"keys": ", ".join(titles.get(key, key) for key in one.keys)}
        for one in found
    ]
