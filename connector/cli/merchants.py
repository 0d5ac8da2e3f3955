"""`connector merchants`: who may call, and with which account at a company."""

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import click

from connector import providers
from connector.cli import invitations
from connector.cli.merchant_detail import print_merchant
from connector.cli.output import as_json, print_credentials, print_rows
from connector.cli.start import open_connector, os_user
from connector.domain.errors import ConfigurationError, UnknownMerchant
from connector.domain.merchant import CapturedPolicy, SettingsFrom
from connector.provider import Provider

if TYPE_CHECKING:
    from connector.app import Connector
    from connector.storage.stored_merchant import StoredMerchant

# A merchant's name stands in URLs and on the command line.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

settings_file = click.option(
    "--settings",
    "source",
    type=click.File("r", encoding="utf-8"),
    help="A JSON file with the provider's settings, or - for standard input.",
)


# The options of a merchant. `merchants update` names the changed options.
OPTIONS = ("captured", "sandbox", "settings_from", "store")


def _name(_: click.Context, __: click.Parameter, name: str) -> str:
    if not NAME.fullmatch(name):
        raise UnknownMerchant(f"There is no merchant named {name!a}")
    return name


def _choice(
    name: str, values: type[StrEnum], help_text: str, default: StrEnum | None = None
) -> Callable[[Any], Any]:
    """Make an option whose value is one of an enumeration."""
    return click.option(
        name,
        type=click.Choice([value.value for value in values]),
        callback=lambda _, __, text: values(text) if text else None,
        default=default and default.value,
        show_default=True,
        help=help_text,
    )


merchant_name = click.argument("name", callback=_name)
store_option = click.option(
    "--store",
    callback=invitations.store_name,
    help="Its VTEX account, by which it is found when the merchant connects itself.",
)


@click.group()
def merchants() -> None:
    """Add, change and list merchants."""


@merchants.command("add")
@click.argument("name")
@click.option("--provider", required=True)
@settings_file
@click.option("--sandbox", is_flag=True, help="Its payments are made in the provider's sandbox.")
@_choice(
    "--captured",
    CapturedPolicy,
    "What a cancellation does once the money is captured.",
    CapturedPolicy.MANUAL,
)
@_choice(
    "--settings-from",
    SettingsFrom,
    "Whose word counts: what is stored here, or the Provider Fields in VTEX's requests.",
    SettingsFrom.CONNECTOR,
)
@store_option
@as_json
def add(name: str, provider: str, source: Any, *, is_json: bool, **options: Any) -> None:
    """Add a merchant and print its AppKey and AppToken; the token is shown this once.

    A merchant whose settings come from VTEX needs no settings yet. But only this command can say
    where its refunds go.
    """
    connector = open_connector()
    if not NAME.fullmatch(name):
        raise ConfigurationError("NAME: use 1 to 64 letters, digits, - and _")
    settings = _check_settings(
        connector, provider, read_settings_file(source), options["settings_from"]
    )
    # With a wrong key, this merchant would be the only merchant that the key can read.
    connector.merchants.check_keys()
    credentials = connector.merchants.add(name, provider, settings, **options, by=os_user())
    print_credentials(credentials, is_json=is_json)


@merchants.command("list")
@as_json
def list_merchants(*, is_json: bool) -> None:
    """List the merchants, without anything secret."""
    rows = [
        {
            "merchant": entry.merchant.name,
            "provider": entry.merchant.provider,
            "appKey": entry.app_key,
            "sandbox": entry.merchant.sandbox,
            "captured": entry.merchant.captured.value,
            "disabled": entry.is_disabled,
            "settingsFrom": entry.merchant.settings_from.value,
        }
        for entry in open_connector().merchants.all()
    ]
    print_rows(rows, is_json=is_json)


@merchants.command("update")
@merchant_name
@settings_file
@_choice(
    "--captured",
    CapturedPolicy,
    "What a cancellation does from now on once the money is captured.",
)
@click.option(
    "--sandbox/--no-sandbox",
    default=None,
    help="Where payments are made that are not yet recorded; the others stay where they are.",
)
@_choice(
    "--settings-from",
    SettingsFrom,
    "Whose word counts from now on: what is stored here, or VTEX's Provider Fields.",
)
@store_option
@as_json
def update(name: str, source: Any, *, is_json: bool, **options: Any) -> None:
    """Change what is given; everything else stays as it is.

    Settings that are not in the file stay too. All settings are encrypted anew with the newest key,
    even if the file has no setting: {}.
    """
    connector = open_connector()
    entry = connector.merchants.find(name)
    changed = [option.replace("_", "-") for option in OPTIONS if options[option] is not None]
    if source is None and not changed:
        raise ConfigurationError(
            "--settings FILE: give the settings that are to change, "
            "or --captured, --sandbox, --no-sandbox, --settings-from or --store"
        )
    given = None if source is None else read_settings_file(source)
    settings = _merge_settings(connector, entry, given, options["settings_from"])
    connector.merchants.update(name, settings, **options, by=os_user())
    names = ", ".join([*sorted(given or ()), *changed])
    print_rows([{"merchant": name, "updated": names}], is_json=is_json)


def _merge_settings(
    connector: "Connector",
    entry: "StoredMerchant",
    given: Mapping[str, Any] | None,
    settings_from: SettingsFrom | None,
) -> dict[str, str] | None:
    """Return a merchant's settings, changed by the given settings. None: no setting is given."""
    merchant = entry.merchant
    origin = settings_from or merchant.settings_from
    if origin is not SettingsFrom.CONNECTOR and not entry.is_readable:
        # VTEX's fields would replace settings that cannot be read now.
        connector.merchants.check_keys()
    if given is None and settings_from is None:
        return None
    merged = {**merchant.settings, **(given or {})}
    checked = _check_settings(connector, merchant.provider, merged, origin)
    return None if given is None else checked


@merchants.command("show")
@merchant_name
@as_json
def show(name: str, *, is_json: bool) -> None:
    """Show all there is of a merchant, secrets as fingerprints, and who changed what."""
    stored = open_connector().merchants
    print_merchant(stored.find(name), stored.detail(name), is_json=is_json)


@merchants.command("restore")
@merchant_name
@click.option(
    "--event", type=int, default=None, help="The event to undo, with all that followed it."
)
@as_json
def restore(name: str, event: int | None, *, is_json: bool) -> None:
    """Bring back the settings that were replaced last, or by the event that is named.

    From then on the stored settings count. VTEX's fields are ignored, because they may be the
    settings that this command undoes. `merchants show` lists the events.
    """
    connector = open_connector()
    provider = connector.merchants.find(name).merchant.provider
    event_id, settings = connector.merchants.replaced(name, event)
    _check_whole(provider, settings, event_id)
    origin = SettingsFrom.CONNECTOR
    connector.merchants.update(
        name, settings, settings_from=origin, by=os_user(), command="restore"
    )
    row = {"merchant": name, "undone": event_id, "settingsFrom": origin.value}
    print_rows([row], is_json=is_json)


def _check_whole(provider: str, settings: Mapping[str, str], event_id: int) -> None:
    if missing := providers.discover()[provider].missing(settings):
        raise ConfigurationError(
            f"--event: before event {event_id} there was no {', '.join(missing)}; "
            "give the settings with `connector merchants update`"
        )


@merchants.command("rotate-token")
@merchant_name
@as_json
def rotate_token(name: str, *, is_json: bool) -> None:
    """Print a new AppToken; the previous one stays valid until the next rotation."""
    print_credentials(open_connector().merchants.rotate_token(name, by=os_user()), is_json=is_json)


@merchants.command("reencrypt")
@as_json
def reencrypt(*, is_json: bool) -> None:
    """Encrypt all settings anew with the newest key. Settings of that key stay unchanged."""
    names = open_connector().merchants.reencrypt(by=os_user())
    print_rows([{"merchant": name, "reencrypted": True} for name in names], is_json=is_json)


@merchants.command("disable")
@merchant_name
@as_json
def disable(name: str, *, is_json: bool) -> None:
    """Refuse a merchant's requests. The requests that have begun are still finished."""
    open_connector().merchants.disable(name, by=os_user())
    print_rows([{"merchant": name, "disabled": True}], is_json=is_json)


@merchants.command("enable")
@merchant_name
@as_json
def enable(name: str, *, is_json: bool) -> None:
    """Take a disabled merchant's requests again, with the AppTokens it had."""
    open_connector().merchants.enable(name, by=os_user())
    print_rows([{"merchant": name, "disabled": False}], is_json=is_json)


def read_settings_file(source: Any) -> Mapping[str, Any]:
    if source is None:
        return {}
    try:
        values = json.load(source)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("--settings FILE: not JSON; give an object of texts") from error
    if not isinstance(values, dict):
        raise ConfigurationError("--settings FILE: give a JSON object of texts")
    return values


def _check_settings(
    connector: "Connector", name: str, values: Mapping[str, Any], origin: SettingsFrom
) -> dict[str, str]:
    sold = connector.providers.sold
    provider: Provider | None = sold.get(name)
    if provider is None:
        names = ", ".join(sorted(sold))
        raise ConfigurationError(
            f"--provider {name}: not in CONNECTOR_PROVIDERS, which has {names}"
        )
    try:
        return provider.check_settings(values, is_whole=origin is SettingsFrom.CONNECTOR)
    except ConfigurationError as error:
        raise ConfigurationError(f"--settings FILE: {error.message}") from error


for command in (invitations.invite, invitations.list_invitations, invitations.revoke):
    merchants.add_command(command)
