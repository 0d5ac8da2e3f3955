"""Writes a merchant's row and its AppTokens, in a transaction of the caller's."""

import secrets
from collections.abc import Mapping
from typing import Any

from connector.domain.errors import MerchantExists
from connector.domain.page_errors import AlreadyRotated
from connector.storage import admin_events
from connector.storage import merchant_statements as sql
from connector.storage.columns import Row
from connector.storage.database import Connection
from connector.storage.stored_merchant import Credentials, decrypted, digest
from connector.storage.vault import Vault

# Bytes of an AppToken, a code, or any other secret that we make.
TOKEN_BYTES = 32


def new_credentials(name: str, provider: str) -> Credentials:
    return Credentials(name, provider, secrets.token_hex(16), new_token())


def new_token() -> str:
    """Return 256 random bits, in URL-safe base64."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class MerchantWriter:
    """Writes merchants. Their settings are encrypted.

    `account_keys` has the key of the setting that names an account, for each provider that has one.
    """

    def __init__(self, vault: Vault, account_keys: Mapping[str, str]) -> None:
        self._vault = vault
        self._account_keys = account_keys

    def account_of(self, provider: str, settings: Mapping[str, str]) -> str | None:
        """Return the account at a company: empty if the company has none, None if it is missing.

        It is in small letters: most accounts are UUIDs, which some people write in capitals.
        """
        key = self._account_keys.get(provider)
        account = settings.get(key) if key else ""
        return account and account.lower()

    def insert(
        self,
        connection: Connection,
        credentials: Credentials,
        settings: Mapping[str, str],
        *,
        store: str | None,
        **options: Any,
    ) -> int | None:
        """Insert a merchant without a token.

        Returns its id, or None when the name or the account is another merchant's already.
        """
        name, provider = credentials.merchant, credentials.provider
        row = connection.first_row(
            sql.INSERT,
            name=name,
            provider=provider,
            app_key=credentials.app_key,
            settings=self._vault.encrypt(settings, name),
            store=store,
            account=self.account_of(provider, settings) if store else None,
            **options,
        )
        if row is None:
            return None
        connection.run(sql.TOUCH, name=name)
        return int(row["id"])

    def change(
        self,
        connection: Connection,
        row: Row,
        settings: Mapping[str, str] | None,
        by: str,
        command: str,
        *,
        keeps_account: bool = False,
        **options: Any,
    ) -> None:
        """Replace the settings and options that are given. None means: stays as it is.

        Raises MerchantExists if the account is another merchant's of the same store. With
        `keeps_account` the merchant is then found by its name only.
        """
        before = decrypted(row, self._vault) or {}
        after = before if settings is None else settings
        sealed = None if settings is None else self._vault.encrypt(settings, row["name"])
        store = options.get("store") or row["store"]
        account = self._free_account(connection, row, store, after, is_forced=keeps_account)
        connection.run(sql.UPDATE, id=row["id"], settings=sealed, account=account, **options)
        changed = admin_events.changes(self._vault.fingerprint, before, after)
        given = {option: value for option, value in options.items() if value is not None}
        replaced = row["settings"] if changed else None
        admin_events.record(
            connection, row["id"], by, command, settings=changed, replaced=replaced, **given
        )

    def _free_account(
        self,
        connection: Connection,
        row: Row,
        store: str | None,
        settings: Mapping[str, str],
        *,
        is_forced: bool,
    ) -> str | None:
        account = self.account_of(row["provider"], settings) if store else None
        other = connection.first_row(
            sql.OF_ACCOUNT, store=store, provider=row["provider"], account=account
        )
        if other is None or other["id"] == row["id"]:
            return account
        if is_forced:
            return None
        raise MerchantExists(
            f"{other['name']} is already the merchant of this account of {row['provider']} in the "
            f"VTEX account {store}"
        )

    def add_token(
        self, connection: Connection, merchant_id: int, token: str, newest: int | None = None
    ) -> None:
        """Add an AppToken that a person gets, and end the oldest.

        `newest` is the row of the newest AppToken that this person saw on a page. Such a person may
        miss the answer. So the AppToken counts as unused, and ends no used one. Raises
        AlreadyRotated if there is a newer AppToken.
        """
        if newest is not None and connection.first_row(sql.NEWER, id=merchant_id, newest=newest):
            raise AlreadyRotated
        insert = sql.INSERT_LIVE if newest is None else sql.INSERT_UNUSED
        connection.run(insert, id=merchant_id, digest=digest(token))
        connection.run(sql.DROP, id=merchant_id)

    def add_sealed_token(self, connection: Connection, merchant_id: int, until: float) -> int:
        """Add an AppToken that VTEX may fetch until then. Return the id of its row.

        `until` is in seconds since 1970.
        """
        token = new_token()
        sealed = self._vault.seal(token, token_owner(merchant_id))
        row = connection.first_row(
            sql.INSERT_SEALED,
            id=merchant_id,
            digest=digest(token),
            sealed=sealed,
            until=until,
        )
        connection.run(sql.DROP, id=merchant_id)
        return int(row["id"]) if row else 0


def token_owner(merchant_id: int) -> str:
    """Name the owner of a sealed AppToken, for the vault."""
    return f"AppToken of {merchant_id}"
