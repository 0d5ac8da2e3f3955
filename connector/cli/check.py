"""The checks of `connector check`, and their results."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from connector.config import Settings
from connector.domain.errors import ConnectorError
from connector.domain.merchant import CapturedPolicy, Merchant, SettingsFrom
from connector.merchant_warnings import Concern, MerchantWarning, warnings_of
from connector.provider import Provider
from connector.storage.stored_merchant import StoredMerchant

if TYPE_CHECKING:
    from connector.app import Connector

# A result that begins like this is no failure.
WARNING = "warning: "


def warnings(settings: Settings) -> list[str]:
    """List the warnings about these settings."""
    texts = []
    if not settings.public_url:
        texts.append("CONNECTOR_PUBLIC_URL is not set: no company is told where to report payments")
    if not (settings.vtex_app_key and settings.vtex_app_token):
        texts.append(
            "CONNECTOR_VTEX_APP_KEY and CONNECTOR_VTEX_APP_TOKEN are not set: VTEX may refuse "
            "callbacks and learn of payments only when it asks"
        )
    if settings.test_suite:
        texts.append("CONNECTOR_TEST_SUITE is on: switch it off after the homologation")
    return texts


def advice(connector: "Connector", name: str | None) -> list[str]:
    """Name the payments that a merchant's options leave to a person, and VTEX's unit of amounts."""
    units = [_units(entry.merchant) for entry in _entries(connector, name)]
    return [*filter(None, units), *_left_to_a_person(connector, name)]


def _units(merchant: Merchant) -> str:
    seen = " and ".join(sorted(merchant.units_seen))
    text = f"merchant {merchant.name}: VTEX writes the value of cancellations in {seen}"
    if len(merchant.units_seen) > 1:
        text += "; a value that can be both is left to a person: set CONNECTOR_CANCEL_VALUE_UNIT"
    return text if seen else ""


def _left_to_a_person(connector: "Connector", name: str | None) -> list[str]:
    return [
        f"merchant {entry.merchant.name}: {provider.taken_at_once} are taken at once, and "
        "cancelling them is left to a person; with --captured refund it is not"
        for entry in _entries(connector, name)
        if (provider := connector.providers.get(entry.merchant.provider))
        and provider.taken_at_once
        and entry.merchant.captured is CapturedPolicy.MANUAL
    ]


def results(connector: "Connector", name: str | None) -> list[dict[str, str]]:
    """Check the configuration, the database, and the named merchant or all merchants."""
    rows = [{"check": "configuration", "result": "ok"}]
    is_ready = connector.database.is_ready()
    rows.append({"check": "database", "result": "ok" if is_ready else "run `connector migrate`"})
    return rows + (_findings(connector, name) if is_ready else [])


def is_failure(row: dict[str, str]) -> bool:
    """Whether a check failed. A warning is no failure."""
    return row["result"] != "ok" and not row["result"].startswith(WARNING)


def _findings(connector: "Connector", name: str | None) -> list[dict[str, str]]:
    return [*_probes(connector, name), *_warned(connector, name)]


# What each warning is about. `_probe` tells which settings are missing.
_CHECKS = {
    Concern.UNREADABLE: "settings of",
    Concern.FIELDS_DIFFER: "Provider Fields of",
    Concern.SECRETS_IGNORED: "Provider Fields of",
    Concern.OUTDATED: "encryption of",
}
_RESULTS = {
    Concern.UNREADABLE: "none of the keys in CONNECTOR_SECRET_KEYS decrypts them; give the keys "
    "they were stored with too",
    Concern.FIELDS_DIFFER: f"{WARNING}VTEX sends another {{}} than is stored, which is ignored; "
    "correct the one that is wrong, or see --settings-from",
    Concern.SECRETS_IGNORED: f"{WARNING}CONNECTOR_PROVIDER_FIELDS is off, so secrets in VTEX's "
    "requests are ignored; give them with `connector merchants update`",
    Concern.OUTDATED: f"{WARNING}run `connector merchants reencrypt`",
}


def _warned(connector: "Connector", name: str | None) -> list[dict[str, str]]:
    outdated = set(connector.merchants.outdated())
    return [
        {
            "check": f"{_CHECKS[warning.concern]} {entry.merchant.name}",
            "result": _RESULTS[warning.concern].format(", ".join(warning.keys)),
        }
        for entry in _named(connector, name)
        for warning in _warnings_of(connector, entry, outdated)
    ]


def _warnings_of(
    connector: "Connector", entry: StoredMerchant, outdated: set[str]
) -> list[MerchantWarning]:
    """Return the warnings that `_CHECKS` names. Of a disabled merchant: only of its encryption."""
    told = {Concern.OUTDATED} if entry.is_disabled else set(_CHECKS)
    found = warnings_of(
        entry,
        connector.providers.get(entry.merchant.provider),
        takes_secrets=connector.settings.provider_fields,
        is_outdated=entry.merchant.name in outdated,
    )
    return [warning for warning in found if warning.concern in told]


def _probes(connector: "Connector", name: str | None) -> list[dict[str, str]]:
    return [
        {
            "check": f"merchant {entry.merchant.name} ({entry.merchant.provider})",
            "result": _probe(connector, entry.merchant),
        }
        for entry in _entries(connector, name)
        if entry.is_readable
    ]


def _entries(connector: "Connector", name: str | None) -> list[StoredMerchant]:
    """Return the merchants that are not disabled."""
    return [entry for entry in _named(connector, name) if not entry.is_disabled]


def _named(connector: "Connector", name: str | None) -> list[StoredMerchant]:
    return [connector.merchants.find(name)] if name else connector.merchants.all()


def _probe(connector: "Connector", merchant: Merchant) -> str:
    try:
        provider = connector.providers[merchant.provider]
        missing = provider.missing(merchant.settings)
        if missing:
            return _missing(merchant, missing, is_sent=_are_sent(connector, provider, missing))
        connector.probe.run(merchant)
    except ConnectorError as error:
        return merchant.redacted(str(error))
    return "ok"


def _are_sent(connector: "Connector", provider: Provider, keys: Sequence[str]) -> bool:
    """Whether VTEX's requests may bring all these settings."""
    secrets = {setting.key for setting in provider.settings if setting.is_secret}
    return connector.settings.provider_fields or not secrets.intersection(keys)


def _missing(merchant: Merchant, keys: Sequence[str], *, is_sent: bool) -> str:
    text = f"settings missing: {', '.join(keys)}"
    if merchant.settings_from is SettingsFrom.VTEX and is_sent:
        return f"{WARNING}{text}; VTEX's requests are to bring them"
    return f"{text}; run `connector merchants update`"
