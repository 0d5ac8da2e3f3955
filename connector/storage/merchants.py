"""The stored merchants, their AppTokens, and the events of their changes."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from connector.domain.errors import ConfigurationError, MerchantExists, UnknownMerchant
from connector.domain.merchant import CapturedPolicy, Merchant, SettingsFrom
from connector.domain.money import ValueUnit
from connector.storage import admin_events
from connector.storage import merchant_statements as sql
from connector.storage.admin_events import ALL_EVENTS, CONNECTOR, VTEX, Detail
from connector.storage.columns import Row
from connector.storage.database import Connection, Database
from connector.storage.merchant_writer import MerchantWriter, new_credentials, new_token
from connector.storage.stored_merchant import (
    Credentials,
    StoredMerchant,
    stored_from,
)
from connector.storage.vault import Vault

# The most live tokens of a merchant: the newest two, the newest that was used, and the newest that
# VTEX fetched.
LIVE_TOKENS = 4
# The statement that records the unit in which VTEX certainly wrote a value.
_SEE_UNIT = {ValueUnit.CENTS: sql.SEE_CENTS, ValueUnit.UNITS: sql.SEE_UNITS}
_NO_KEYS: Mapping[str, str] = {}
_NO_TIMES: Row = {"created_at": 0.0, "updated_at": 0.0, "fields_seen_at": None}


class Merchants:
    """The stored merchants. Their settings are encrypted.

    `by` is the actor of a change: a user of the operating system, or the connector itself.
    `account_keys` are those of MerchantWriter.
    """

    def __init__(
        self, database: Database, vault: Vault, account_keys: Mapping[str, str] = _NO_KEYS
    ) -> None:
        self._database = database
        self._vault = vault
        self.writer = MerchantWriter(vault, account_keys)

    def add(
        self,
        name: str,
        provider: str,
        settings: Mapping[str, str],
        *,
        sandbox: bool,
        captured: CapturedPolicy,
        settings_from: SettingsFrom = SettingsFrom.CONNECTOR,
        store: str | None = None,
        by: str = CONNECTOR,
    ) -> Credentials:
        """Store a merchant. Raises MerchantExists."""
        credentials = new_credentials(name, provider)
        options = options_of(sandbox, captured, settings_from)
        with self._database.write() as connection:
            merchant_id = self.writer.insert(
                connection, credentials, settings, store=store, **options
            )
            if merchant_id is None:
                raise MerchantExists(_taken(name, provider, store))
            self.writer.add_token(connection, merchant_id, credentials.app_token)
            changed = admin_events.changes(self._vault.fingerprint, {}, settings)
            told = {"provider": provider, **options} | ({"store": store} if store else {})
            admin_events.record(connection, merchant_id, by, "add", settings=changed, **told)
        return credentials

    def update(
        self,
        name: str,
        settings: Mapping[str, str] | None = None,
        *,
        sandbox: bool | None = None,
        captured: CapturedPolicy | None = None,
        settings_from: SettingsFrom | None = None,
        store: str | None = None,
        by: str = CONNECTOR,
        command: str = "update",
    ) -> None:
        """Replace the settings and options that are given.

        Raises UnknownMerchant, and MerchantExists if another merchant of the store has the account.
        """
        options = {**options_of(sandbox, captured, settings_from), "store": store}
        with self._database.write() as connection:
            row = _locked_row(connection, name)
            self.writer.change(connection, row, settings, by, command, **options)

    def take_fields(self, name: str, given: Mapping[str, str]) -> bool:
        """Add settings from a request of VTEX's to the stored settings.

        Returns whether the settings in requests count. A command may have changed this while the
        request was running. They do not count if no key of this process decrypts the stored ones.
        """
        stored = self.find(name)
        if _takes_fields(stored) and not given.items() <= stored.merchant.settings.items():
            with self._database.write() as connection:
                row = _locked_row(connection, name)
                stored = self._stored(row)
                after = {**stored.merchant.settings, **given}
                if _takes_fields(stored) and after != stored.merchant.settings:
                    options = {**options_of(), "store": None}
                    self.writer.change(
                        connection, row, after, VTEX, "request", keeps_account=True, **options
                    )
        return _takes_fields(stored)

    def note_fields(self, merchant: Merchant, given: Mapping[str, str]) -> None:
        """Store the fingerprints of settings that VTEX sends and that do not count.

        Equal fingerprints are not written again.
        """
        seen = json.dumps(self._fingerprints(given), sort_keys=True)
        with self._database.read() as connection:
            if connection.first_row(sql.IS_SEEN, id=merchant.id, seen=seen):
                return
        with self._database.write() as connection:
            connection.run(sql.SEE, id=merchant.id, seen=seen)

    def record_unit(self, merchant: Merchant, unit: ValueUnit, payment_id: str) -> None:
        """Record the unit in which VTEX writes the value of a cancellation."""
        with self._database.write() as connection:
            if connection.run(_SEE_UNIT[unit], id=merchant.id, payment_id=payment_id):
                connection.first_row(sql.TOUCH, name=merchant.name)

    def replaced(self, name: str, event_id: int | None) -> tuple[int, dict[str, str]]:
        """Return an event and the settings that it replaced. Without `event_id`: the last event.

        Raises UnknownMerchant, and ConfigurationError when no event replaced settings.
        """
        with self._database.read() as connection:
            merchant_id = _row_named(connection, name)["id"]
            replaced = admin_events.replaced_by(connection, merchant_id, event_id)
        if replaced is None:
            raise ConfigurationError(
                f"No such event of {name} replaced settings; `connector merchants show {name}` "
                "lists those that did"
            )
        replacing_id, sealed = replaced
        return replacing_id, self._vault.decrypt(sealed, name)

    def record(self, name: str | None, by: str, command: str, **options: Any) -> None:
        """Record a command that changes no merchant's row."""
        with self._database.write() as connection:
            merchant_id = None if name is None else _row_named(connection, name)["id"]
            admin_events.record(connection, merchant_id, by, command, **options)

    def rotate_token(
        self, name: str, *, by: str = CONNECTOR, newest: int | None = None
    ) -> Credentials:
        """Make a new AppToken. The previous AppToken stays live. Raises UnknownMerchant.

        `newest` is the row of the newest AppToken that a person has seen. Then the AppToken that
        VTEX uses stays live until VTEX uses the new one. Raises AlreadyRotated if there is a newer
        AppToken.
        """
        token = new_token()
        with self._database.write() as connection:
            row = _locked_row(connection, name)
            self.writer.add_token(connection, row["id"], token, newest)
            admin_events.record(connection, row["id"], by, "rotate-token")
        return Credentials(name, row["provider"], row["app_key"], token)

    def outdated(self) -> list[str]:
        """Name the merchants whose settings are not encrypted with the newest key."""
        with self._database.read() as connection:
            rows = connection.all(sql.SEALED)
        is_newest = self._vault.is_newest
        return [row["name"] for row in rows if not is_newest(row["settings"], row["name"])]

    def reencrypt(self, *, by: str = CONNECTOR) -> list[str]:
        """Encrypt outdated settings with the newest key, and name their merchants.

        Raises ConfigurationError.
        """
        names = self.outdated()
        with self._database.write() as connection:
            for row in connection.all(sql.SEALED):
                if row["name"] in names:
                    self._reencrypt(connection, row)
                    admin_events.record(connection, row["id"], by, "reencrypt")
        return names

    def disable(self, name: str, *, by: str = CONNECTOR) -> None:
        """Refuse the merchant's requests from now on. Raises UnknownMerchant."""
        self._set_disabled(name, disabled=True, by=by)

    def enable(self, name: str, *, by: str = CONNECTOR) -> None:
        """Take the merchant's requests again. Raises UnknownMerchant."""
        self._set_disabled(name, disabled=False, by=by)

    def find(self, name: str) -> StoredMerchant:
        """Raises UnknownMerchant."""
        with self._database.read() as connection:
            return self._stored(_row_named(connection, name))

    def all(self) -> list[StoredMerchant]:
        """Return every merchant, with its tokens."""
        with self._database.read() as connection:
            rows = connection.all(sql.ALL)
            tokens = connection.all(sql.TOKENS)
        tokens_of: dict[int, list[Row]] = defaultdict(list)
        for token in tokens:
            tokens_of[token["merchant_id"]].append(token)
        return [stored_from(row, self._vault, tokens_of[row["id"]]) for row in rows]

    def note_use(self, merchant_id: int, app_token: str) -> None:
        """Record the first use of an AppToken, given by its digest. VTEX cannot fetch it again."""
        with self._database.write() as connection:
            connection.run(sql.USE, id=merchant_id, digest=app_token)

    def detail(self, name: str, most: int = ALL_EVENTS) -> Detail:
        """Return times, tokens and the newest events of a merchant. Raises UnknownMerchant."""
        with self._database.read() as connection:
            stored = self._stored(_row_named(connection, name))
            times = connection.first_row(sql.TIMES, id=stored.merchant.id) or _NO_TIMES
            tokens = connection.all(sql.TOKEN_TIMES, id=stored.merchant.id)
            events = admin_events.events_of(connection, stored.merchant.id, most)
        return Detail(
            **times,
            tokens=[token["created_at"] for token in tokens],
            events=events,
            fingerprints=self._fingerprints(stored.merchant.settings),
        )

    def check_keys(self) -> None:
        """Raises ConfigurationError when a merchant's settings cannot be decrypted."""
        unreadable = [stored.merchant.name for stored in self.all() if not stored.is_readable]
        if unreadable:
            names = ", ".join(unreadable)
            raise ConfigurationError(
                f"CONNECTOR_SECRET_KEYS: none of the keys decrypts the settings of {names}; "
                "give the keys they were stored with too"
            )

    def revision(self) -> tuple[int, int]:
        """Return a value that differs after every change of any merchant."""
        with self._database.read() as connection:
            row = connection.first_row(sql.REVISION)
        return (-1, 0) if row is None else (int(row["revision"]), row["merchants"])

    def _set_disabled(self, name: str, *, disabled: bool, by: str) -> None:
        with self._database.write() as connection:
            merchant_id = _locked_row(connection, name)["id"]
            connection.run(sql.DISABLE, id=merchant_id, disabled=disabled)
            admin_events.record(connection, merchant_id, by, "disable" if disabled else "enable")

    def _fingerprints(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {key: self._vault.fingerprint(key, value) for key, value in settings.items()}

    def _reencrypt(self, connection: Connection, row: Row) -> None:
        settings = self._vault.decrypt(row["settings"], row["name"])
        sealed = self._vault.encrypt(settings, row["name"])
        connection.run(sql.RESEAL, id=row["id"], sealed=sealed, before=row["settings"])

    def _stored(self, row: Row) -> StoredMerchant:
        return stored_from(row, self._vault)


def options_of(
    sandbox: bool | None = None,
    captured: CapturedPolicy | None = None,
    settings_from: SettingsFrom | None = None,
) -> dict[str, Any]:
    """Return the options as stored values. None: an update does not change the option."""
    return {
        "sandbox": sandbox,
        "captured": captured and captured.value,
        "settings_from": settings_from and settings_from.value,
    }


def _taken(name: str, provider: str, store: str | None) -> str:
    """Say which name or account is taken."""
    text = f"There is already a merchant named {name}"
    return f"{text}, or one of this account of {provider} in {store}" if store else text


def _takes_fields(stored: StoredMerchant) -> bool:
    return stored.is_readable and stored.merchant.settings_from is SettingsFrom.VTEX


def _row_named(connection: Connection, name: str, statement: str = sql.NAMED) -> Row:
    row = connection.first_row(statement, name=name)
    if row is None:
        raise UnknownMerchant(f"There is no merchant named {name}")
    return row


def _locked_row(connection: Connection, name: str) -> Row:
    """Find and lock a merchant. No other transaction changes it before this one ends."""
    return _row_named(connection, name, sql.TOUCH)
