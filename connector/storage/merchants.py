"""Merchants and their AppTokens."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.domain.errors import ConfigurationError, MerchantExists, UnknownMerchant
from connector.domain.merchant import SUITE_NAME, CapturedPolicy, Merchant
from connector.storage.database import Connection, Database
from connector.storage.vault import Vault

# Live tokens of a merchant: the one in VTEX's Admin and the one that is to replace it.
LIVE_TOKENS = 2

_INSERT = """
    INSERT INTO merchants (
        name, provider, app_key, settings, sandbox, captured, disabled, revision,
        created_at, updated_at)
    VALUES (
        :name, :provider, :app_key, :settings, :sandbox, :captured, :disabled, 0, NOW, NOW)
    ON CONFLICT (name) DO NOTHING
    RETURNING id"""

# One merchant's change is everyone's: running servers compare the revisions' sum.
_TOUCH = """
    UPDATE merchants SET
        revision = (SELECT max(revision) + 1 FROM merchants), updated_at = NOW
    WHERE id = :id"""

_INSERT_DIGEST = """
    INSERT INTO merchant_tokens (merchant_id, digest, created_at) VALUES (:id, :digest, NOW)"""

_DROP_TOKENS = """
    DELETE FROM merchant_tokens WHERE merchant_id = :id AND id NOT IN (
        SELECT id FROM merchant_tokens WHERE merchant_id = :id ORDER BY id DESC LIMIT :live)"""

_COLUMNS = "id, name, provider, settings, sandbox, captured, app_key, disabled"
_ALL = f"SELECT {_COLUMNS} FROM merchants ORDER BY name"  # noqa: S608 - the column list above
_NAMED = f"SELECT {_COLUMNS} FROM merchants WHERE name = :name"  # noqa: S608 - likewise
_TOKENS = "SELECT merchant_id, digest FROM merchant_tokens"
# The sum, because two changes at once may get the same revision.
_REVISION = "SELECT coalesce(sum(revision), -1), count(*) FROM merchants"
_UPDATE = """
    UPDATE merchants SET
        settings = coalesce(:settings, settings), sandbox = coalesce(:sandbox, sandbox),
        captured = coalesce(:captured, captured)
    WHERE id = :id"""
_SEALED = "SELECT id, name, settings FROM merchants ORDER BY name"
# Only what was read: whoever changed the settings since has written them with the newest key.
_RESEAL = "UPDATE merchants SET settings = :sealed WHERE id = :id AND settings = :before"
_DISABLE = "UPDATE merchants SET disabled = :disabled WHERE id = :id"


@dataclass(frozen=True)
class Credentials:
    """What VTEX's Admin needs. The AppToken is known only here and now."""

    merchant: str
    provider: str
    app_key: str
    app_token: str


@dataclass(frozen=True)
class Entry:
    """A merchant as stored, with how it is recognised: `digests` are SHA-256 in hex.

    One whose settings none of our keys decrypts is not readable, and has none.
    """

    merchant: Merchant
    app_key: str
    is_disabled: bool
    digests: tuple[str, ...] = ()
    is_readable: bool = True


def digest(token: str) -> str:
    """Hash an AppToken. It has 256 random bits, so that one plain round is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class Merchants:
    """What is stored of merchants; the settings are encrypted."""

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
    ) -> Credentials:
        """Store a merchant. Raises MerchantExists."""
        credentials = Credentials(name, provider, secrets.token_hex(16), secrets.token_urlsafe(32))
        with self._database.write() as connection:
            row = connection.one(
                _INSERT,
                name=name,
                provider=provider,
                app_key=credentials.app_key,
                settings=self._vault.encrypt(settings, name),
                sandbox=sandbox,
                captured=captured.value,
                disabled=False,
            )
            if row is None:
                raise MerchantExists(f"There is already a merchant named {name}")
            connection.run(_INSERT_DIGEST, id=row[0], digest=digest(credentials.app_token))
            connection.run(_TOUCH, id=row[0])
        return credentials

    def update(
        self,
        name: str,
        settings: Mapping[str, str] | None = None,
        *,
        sandbox: bool | None = None,
        captured: CapturedPolicy | None = None,
    ) -> None:
        """Replace what is given; what is None stays. Raises UnknownMerchant."""
        with self._database.write() as connection:
            merchant_id = _named(connection, name)[0]
            connection.run(
                _UPDATE,
                id=merchant_id,
                settings=None if settings is None else self._vault.encrypt(settings, name),
                sandbox=sandbox,
                captured=captured and captured.value,
            )
            connection.run(_TOUCH, id=merchant_id)

    def rotate_token(self, name: str) -> Credentials:
        """Give a new AppToken; the one before it stays live. Raises UnknownMerchant."""
        token = secrets.token_urlsafe(32)
        with self._database.write() as connection:
            row = _named(connection, name)
            connection.run(_INSERT_DIGEST, id=row[0], digest=digest(token))
            connection.run(_DROP_TOKENS, id=row[0], live=LIVE_TOKENS)
            connection.run(_TOUCH, id=row[0])
        return Credentials(name, row[2], row[6], token)

    def outdated(self) -> list[str]:
        """Name the merchants whose settings are not bound to them by the newest key."""
        with self._database.read() as connection:
            rows = connection.all(_SEALED)
        return [name for _, name, sealed in rows if not self._vault.is_newest(sealed, name)]

    def reencrypt(self) -> list[str]:
        """Encrypt anew what is outdated, and name it. Raises ConfigurationError."""
        names = self.outdated()
        with self._database.write() as connection:
            for merchant_id, name, before in connection.all(_SEALED):
                if name in names:
                    sealed = self._vault.encrypt(self._vault.decrypt(before, name), name)
                    connection.run(_RESEAL, id=merchant_id, sealed=sealed, before=before)
        return names

    def disable(self, name: str) -> None:
        """Refuse the merchant's requests from now on. Raises UnknownMerchant."""
        self._set_disabled(name, disabled=True)

    def enable(self, name: str) -> None:
        """Take the merchant's requests again. Raises UnknownMerchant."""
        self._set_disabled(name, disabled=False)

    def entry(self, name: str) -> Entry:
        """Raises UnknownMerchant."""
        with self._database.read() as connection:
            return self._entry(_named(connection, name))

    def entries(self) -> list[Entry]:
        """Return every merchant, with its tokens."""
        with self._database.read() as connection:
            rows = connection.all(_ALL)
            tokens = connection.all(_TOKENS)
        digests: dict[int, tuple[str, ...]] = {}
        for merchant_id, token in tokens:
            digests[merchant_id] = (*digests.get(merchant_id, ()), token)
        return [self._entry(row, digests.get(row[0], ())) for row in rows]

    def check_keys(self) -> None:
        """Raises ConfigurationError when a merchant's settings cannot be decrypted."""
        unreadable = [entry.merchant.name for entry in self.entries() if not entry.is_readable]
        if unreadable:
            names = ", ".join(unreadable)
            raise ConfigurationError(
                f"CONNECTOR_SECRET_KEYS: none of the keys decrypts the settings of {names}; "
                "give the keys they were stored with too"
            )

    def revision(self) -> tuple[int, int]:
        """A value that differs after every change of any merchant."""
        with self._database.read() as connection:
            revision, count = connection.one(_REVISION) or (-1, 0)
        return int(revision), count

    def _set_disabled(self, name: str, *, disabled: bool) -> None:
        with self._database.write() as connection:
            merchant_id = _named(connection, name)[0]
            connection.run(_DISABLE, id=merchant_id, disabled=disabled)
            connection.run(_TOUCH, id=merchant_id)

    def _entry(self, row: tuple[Any, ...], digests: tuple[str, ...] = ()) -> Entry:
        merchant_id, name, provider, settings, sandbox, captured, app_key, disabled = row
        try:
            plain, is_readable = self._vault.decrypt(settings, name), True
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
        )
        return Entry(merchant, app_key, bool(disabled), digests, is_readable)


def _named(connection: Connection, name: str) -> tuple[Any, ...]:
    row = connection.one(_NAMED, name=name)
    if row is None:
        raise UnknownMerchant(f"There is no merchant named {name}")
    return row
