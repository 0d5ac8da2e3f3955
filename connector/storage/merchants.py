"""Merchants, their AppTokens, and who changed what of them."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from connector.domain.errors import ConfigurationError, MerchantExists, UnknownMerchant
from connector.domain.merchant import SUITE_NAME, CapturedPolicy, Merchant, SettingsFrom
from connector.domain.money import ValueUnit
from connector.storage import admin_events
from connector.storage import merchant_statements as sql
from connector.storage.admin_events import CONNECTOR, VTEX, Detail
from connector.storage.database import Connection, Database
from connector.storage.stored_merchant import Credentials, StoredMerchant, digest
from connector.storage.vault import Vault

# Live tokens of a merchant: the one in VTEX's Admin and the one that is to replace it.
LIVE_TOKENS = 2
# What keeps that VTEX wrote a value in a unit, in the order of the columns.
_UNITS = {ValueUnit.CENTS: sql.SEE_CENTS, ValueUnit.UNITS: sql.SEE_UNITS}
# The options of an update that changes none of them.
_UNCHANGED: dict[str, Any] = dict.fromkeys(("sandbox", "captured", "settings_from"))


class Merchants:
    """What is stored of merchants; the settings are encrypted.

    `by` is who makes a change: a user of the operating system, or the connector itself.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def add(
        self,
        name: str,
        provider: str,
        settings: Mapping[str, str],
        *,
        sandbox: bool,
        captured: CapturedPolicy,
        settings_from: SettingsFrom = SettingsFrom.CONNECTOR,
        by: str = CONNECTOR,
    ) -> Credentials:
        """Store a merchant. Raises MerchantExists."""
        credentials = Credentials(name, provider, secrets.token_hex(16), secrets.token_urlsafe(32))
        options: dict[str, Any] = {
            "provider": provider,
            "sandbox": sandbox,
            "captured": captured.value,
            "settings_from": settings_from.value,
        }
        with self._database.write() as connection:
            sealed = self._vault.encrypt(settings, name)
            app_key = credentials.app_key
            row = connection.one(sql.INSERT, name=name, app_key=app_key, settings=sealed, **options)
            if row is None:
                raise MerchantExists(f"There is already a merchant named {name}")
            connection.run(sql.INSERT_DIGEST, id=row[0], digest=digest(credentials.app_token))
            connection.run(sql.TOUCH, name=name)
            changed = admin_events.changes(self._vault.fingerprint, {}, settings)
            admin_events.record(connection, row[0], by, "add", settings=changed, **options)
        return credentials

    def update(
        self,
        name: str,
        settings: Mapping[str, str] | None = None,
        *,
        sandbox: bool | None = None,
        captured: CapturedPolicy | None = None,
        settings_from: SettingsFrom | None = None,
        by: str = CONNECTOR,
        command: str = "update",
    ) -> None:
        """Replace what is given; what is None stays. Raises UnknownMerchant."""
        given = {
            "sandbox": sandbox,
            "captured": captured and captured.value,
            "settings_from": settings_from and settings_from.value,
        }
        with self._database.write() as connection:
            self._change(connection, _locked(connection, name), settings, given, by, command)

    def take_fields(self, name: str, given: Mapping[str, str]) -> bool:
        """Store the settings that came with a request of VTEX's, beside those stored by now.

        Returns whether they count: a command may have said otherwise since the request came, or
        what they stand beside was encrypted with a key that this process does not have.
        """
        known = self.find(name)
        if _takes_fields(known) and not given.items() <= known.merchant.settings.items():
            with self._database.write() as connection:
                row = _locked(connection, name)
                known = self._entry(row)
                after = {**known.merchant.settings, **given}
                if _takes_fields(known) and after != known.merchant.settings:
                    self._change(connection, row, after, _UNCHANGED, VTEX, "request")
        return _takes_fields(known)

    def note_fields(self, merchant: Merchant, given: Mapping[str, str]) -> None:
        """Keep fingerprints of what VTEX sends and nobody uses; write nothing when it is known."""
        seen = json.dumps(self._prints(given), sort_keys=True)
        with self._database.read() as connection:
            if connection.one(sql.IS_SEEN, id=merchant.id, seen=seen):
                return
        with self._database.write() as connection:
            connection.run(sql.SEE, id=merchant.id, seen=seen)

    def see_unit(self, merchant: Merchant, unit: ValueUnit, payment_id: str) -> None:
        """Remember in which unit VTEX writes the value of a cancellation."""
        with self._database.write() as connection:
            if connection.run(_UNITS[unit], id=merchant.id, payment_id=payment_id):
                connection.one(sql.TOUCH, name=merchant.name)

    def replaced(self, name: str, event_id: int | None) -> tuple[int, dict[str, str]]:
        """Return an event and the settings it replaced: the one named, else the last such.

        Raises UnknownMerchant, and ConfigurationError when there is none.
        """
        with self._database.read() as connection:
            found = admin_events.replaced_by(connection, _named(connection, name)[0], event_id)
        if found is None:
            raise ConfigurationError(
                f"No such event of {name} replaced settings; `connector merchants show {name}` "
                "lists those that did"
            )
        return found[0], self._vault.decrypt(found[1], name)

    def record(self, name: str | None, by: str, command: str, **options: Any) -> None:
        """Record a command that changes something else than a merchant's row."""
        with self._database.write() as connection:
            merchant_id = None if name is None else _named(connection, name)[0]
            admin_events.record(connection, merchant_id, by, command, **options)

    def rotate_token(self, name: str, *, by: str = CONNECTOR) -> Credentials:
        """Give a new AppToken; the one before it stays live. Raises UnknownMerchant."""
        token = secrets.token_urlsafe(32)
        with self._database.write() as connection:
            row = _locked(connection, name)
            connection.run(sql.INSERT_DIGEST, id=row[0], digest=digest(token))
            connection.run(sql.DROP_TOKENS, id=row[0], live=LIVE_TOKENS)
            admin_events.record(connection, row[0], by, "rotate-token")
        return Credentials(name, row[2], row[6], token)

    def outdated(self) -> list[str]:
        """Name the merchants whose settings are not bound to them by the newest key."""
        with self._database.read() as connection:
            rows = connection.all(sql.SEALED)
        return [name for _, name, sealed in rows if not self._vault.is_newest(sealed, name)]

    def reencrypt(self, *, by: str = CONNECTOR) -> list[str]:
        """Encrypt anew what is outdated, and name it. Raises ConfigurationError."""
        names = self.outdated()
        with self._database.write() as connection:
            for merchant_id, name, before in connection.all(sql.SEALED):
                if name in names:
                    sealed = self._vault.encrypt(self._vault.decrypt(before, name), name)
                    connection.run(sql.RESEAL, id=merchant_id, sealed=sealed, before=before)
                    admin_events.record(connection, merchant_id, by, "reencrypt")
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
            return self._entry(_named(connection, name))

    def all(self) -> list[StoredMerchant]:
        """Return every merchant, with its tokens."""
        with self._database.read() as connection:
            rows = connection.all(sql.ALL)
            tokens = connection.all(sql.TOKENS)
        digests: dict[int, tuple[str, ...]] = {}
        for merchant_id, token in tokens:
            digests[merchant_id] = (*digests.get(merchant_id, ()), token)
        return [self._entry(row, digests.get(row[0], ())) for row in rows]

    def detail(self, name: str) -> Detail:
        """Return what there is of a merchant besides its entry. Raises UnknownMerchant."""
        with self._database.read() as connection:
            entry = self._entry(_named(connection, name))
            times = connection.one(sql.TIMES, id=entry.merchant.id) or (0.0, 0.0, None)
            tokens = connection.all(sql.TOKEN_TIMES, id=entry.merchant.id)
            events = admin_events.events_of(connection, entry.merchant.id)
        prints = self._prints(entry.merchant.settings)
        return Detail(times[0], times[1], times[2], [at for (at,) in tokens], events, prints)

    def check_keys(self) -> None:
        """Raises ConfigurationError when a merchant's settings cannot be decrypted."""
        unreadable = [entry.merchant.name for entry in self.all() if not entry.is_readable]
        if unreadable:
            names = ", ".join(unreadable)
            raise ConfigurationError(
                f"CONNECTOR_SECRET_KEYS: none of the keys decrypts the settings of {names}; "
                "give the keys they were stored with too"
            )

    def revision(self) -> tuple[int, int]:
        """A value that differs after every change of any merchant."""
        with self._database.read() as connection:
            revision, count = connection.one(sql.REVISION) or (-1, 0)
        return int(revision), count

    def _change(
        self,
        connection: Connection,
        row: tuple[Any, ...],
        settings: Mapping[str, str] | None,
        options: Mapping[str, Any],
        by: str,
        command: str,
    ) -> None:
        before = self._plain(row)
        sealed = None if settings is None else self._vault.encrypt(settings, row[1])
        connection.run(sql.UPDATE, id=row[0], settings=sealed, **options)
        after = before if settings is None else settings
        changed = admin_events.changes(self._vault.fingerprint, before, after)
        said = {option: value for option, value in options.items() if value is not None}
        kept = row[3] if changed else None
        admin_events.record(
            connection, row[0], by, command, settings=changed, replaced=kept, **said
        )

    def _set_disabled(self, name: str, *, disabled: bool, by: str) -> None:
        with self._database.write() as connection:
            merchant_id = _locked(connection, name)[0]
            connection.run(sql.DISABLE, id=merchant_id, disabled=disabled)
            admin_events.record(connection, merchant_id, by, "disable" if disabled else "enable")

    def _prints(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {key: self._vault.fingerprint(key, value) for key, value in settings.items()}

    def _plain(self, row: tuple[Any, ...]) -> dict[str, str]:
        """Decrypt a row's settings; those that no key decrypts are replaced as a whole."""
        try:
            return self._vault.decrypt(row[3], row[1])
        except ConfigurationError:
            return {}

    def _entry(self, row: tuple[Any, ...], digests: tuple[str, ...] = ()) -> StoredMerchant:
        merchant_id, name, provider, sealed, sandbox, captured, app_key, disabled = row[:8]
        settings_from, seen, *units = row[8:]
        try:
            plain, is_readable = self._vault.decrypt(sealed, name), True
        except ConfigurationError:
            # The test suite's merchant has no settings that a lost key could hide.
            plain, is_readable = {}, name == SUITE_NAME
        merchant = Merchant(
            id=merchant_id,
            name=name,
            provider=provider,
            settings=plain,
            sandbox=bool(sandbox),
            captured=CapturedPolicy(captured),
            settings_from=SettingsFrom(settings_from),
            units_seen=frozenset(unit for unit, one in zip(_UNITS, units, strict=True) if one),
        )
        differ = self._differing(merchant, seen) if is_readable else ()
        return StoredMerchant(merchant, app_key, bool(disabled), digests, is_readable, differ)

    def _differing(self, merchant: Merchant, seen: str | None) -> tuple[str, ...]:
        if seen is None or merchant.settings_from is SettingsFrom.VTEX:
            return ()
        prints: dict[str, str] = json.loads(seen)
        stored = merchant.settings
        return tuple(
            key
            for key, one in prints.items()
            if not self._vault.fits(one, key, stored.get(key, ""))
        )


def _takes_fields(entry: StoredMerchant) -> bool:
    return entry.is_readable and entry.merchant.settings_from is SettingsFrom.VTEX


def _named(connection: Connection, name: str, statement: str = sql.NAMED) -> tuple[Any, ...]:
    row = connection.one(statement, name=name)
    if row is None:
        raise UnknownMerchant(f"There is no merchant named {name}")
    return row


def _locked(connection: Connection, name: str) -> tuple[Any, ...]:
    """Find a merchant that is about to be changed: from here on nobody else changes it."""
    return _named(connection, name, sql.TOUCH)
