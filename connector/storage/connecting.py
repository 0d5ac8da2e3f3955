"""Connects the merchant of a flow: finds or makes it, in one transaction."""

import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from connector.domain.authorization import CODE_SECONDS, Flow
from connector.domain.errors import ConnectorError
from connector.domain.merchant import CapturedPolicy, SettingsFrom
from connector.storage import admin_events, invitations
from connector.storage import authorizations as flows
from connector.storage import merchant_statements as sql
from connector.storage.authorizations import Authorizations
from connector.storage.columns import Row
from connector.storage.database import Connection, Database
from connector.storage.merchant_writer import MerchantWriter, new_credentials
from connector.storage.merchants import options_of
from connector.storage.stored_merchant import StoredMerchant, stored_from
from connector.storage.vault import Vault

# Characters of the longest name of a merchant, and of the store and company in it.
MOST_NAME, MOST_BASE = 64, 58
# Names that are tried with a number. A random ending follows.
MOST_NUMBER = 50
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")


class OvertakenBySomebody(ConnectorError):
    """The merchant, or the flow, changed in the meantime. Look again."""


@dataclass(frozen=True)
class Keys:
    """The settings that a person gave for an account at a company."""

    provider: str
    settings: Mapping[str, str] = field(repr=False)


class Connecting:
    """Finds the merchant of a store's account, or makes it."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        writer: MerchantWriter,
        authorizations: Authorizations,
    ) -> None:
        self._database = database
        self._vault = vault
        self._writer = writer
        self._authorizations = authorizations

    def merchant_of(self, store: str, keys: Keys) -> StoredMerchant | None:
        """Find the merchant that the store has for this account of the company."""
        with self._database.read() as connection:
            row = self._row_of(connection, store, keys)
        return None if row is None else stored_from(row, self._vault)

    def has_merchant(self, store: str, provider: str) -> bool:
        """Whether the store has a merchant of a company, with any account."""
        with self._database.read() as connection:
            row = connection.first_row(sql.OF_STORE, store=store, provider=provider)
        return row is not None

    def next_name(self, store: str, provider: str) -> str:
        """Return the first name that is free for a new merchant."""
        names = _names(store, provider)
        with self._database.read() as connection:
            return next(name for name in names if not connection.first_row(sql.NAMED, name=name))

    def make(self, token: str, keys: Keys, invitation: str | None, browser: str) -> tuple[str, str]:
        """Make the merchant of a flow; return its name, and the flow's code.

        An invitation is used up. `browser` is the secret of the person's browser. Raises
        AuthorizationEnded, OvertakenBySomebody, InvitationEnded, InvitationOfAnother.
        """
        with self._database.write() as connection:
            flow = self._unconnected(connection, token)
            name, merchant_id = self._insert(connection, flow.store, keys)
            if invitation is not None:
                invitations.use(connection, invitation, merchant_id, flow.store, keys.provider)
            self._record(connection, merchant_id, flow.store, keys, is_new=True)
            return name, self._finish(connection, flow, merchant_id, browser)

    def renew(
        self,
        token: str,
        keys: Keys,
        seen: StoredMerchant,
        invitation: str | None,
        browser: str,
    ) -> tuple[str, str]:
        """Replace a merchant's settings, and return its name and the flow's code.

        `seen` is the merchant as it was when the keys were judged. Raises as `make`.
        """
        with self._database.write() as connection:
            flow = self._unconnected(connection, token)
            row = connection.first_row(sql.TOUCH, name=seen.merchant.name)
            if row is None or stored_from(row, self._vault) != seen:
                raise OvertakenBySomebody
            by = _actor(flow.store)
            if keys.settings != seen.merchant.settings:
                options = {**options_of(), "store": None}
                self._writer.change(connection, row, keys.settings, by, "update", **options)
            if invitation is not None:
                invitations.use(connection, invitation, row["id"], flow.store, keys.provider)
            self._record(connection, row["id"], flow.store, keys, is_new=False)
            return row["name"], self._finish(connection, flow, row["id"], browser)

    def _row_of(self, connection: Connection, store: str, keys: Keys) -> Row | None:
        account = self._writer.account_of(keys.provider, keys.settings)
        return connection.first_row(
            sql.OF_ACCOUNT, store=store, provider=keys.provider, account=account
        )

    def _unconnected(self, connection: Connection, token: str) -> Flow:
        flow = self._authorizations.lock(connection, token)
        if flow.is_connected:
            raise OvertakenBySomebody
        return flow

    def _insert(self, connection: Connection, store: str, keys: Keys) -> tuple[str, int]:
        """Insert the merchant under the first name that is free."""
        options = options_of(
            sandbox=False, captured=CapturedPolicy.MANUAL, settings_from=SettingsFrom.CONNECTOR
        )
        for name in _names(store, keys.provider):
            credentials = new_credentials(name, keys.provider)
            merchant_id = self._writer.insert(
                connection, credentials, keys.settings, store=store, **options
            )
            if merchant_id is not None:
                return name, merchant_id
            if self._row_of(connection, store, keys):
                break
        raise OvertakenBySomebody

    def _record(
        self, connection: Connection, merchant_id: int, store: str, keys: Keys, *, is_new: bool
    ) -> None:
        before = {} if is_new else keys.settings
        changed = admin_events.changes(self._vault.fingerprint, before, keys.settings)
        told = {"provider": keys.provider, "store": store}
        admin_events.record(
            connection, merchant_id, _actor(store), "connect", settings=changed, **told
        )

    def _finish(self, connection: Connection, flow: Flow, merchant_id: int, browser: str) -> str:
        """Give the merchant a new AppToken. Connect the flow, and make its code."""
        # The last code may be made in the flow's last second.
        until = flow.expires_at + CODE_SECONDS
        token_id = self._writer.add_sealed_token(connection, merchant_id, until)
        flows.connect(connection, flow, merchant_id, token_id, browser)
        return flows.add_code(connection, replace(flow, token_id=token_id))


def _actor(store: str) -> str:
    """Name who changed a merchant by the pages of a flow, for the record."""
    return f"VTEX account {store}"


def _names(store: str, provider: str) -> Iterator[str]:
    """Yield the names that a new merchant may have, the best first."""
    base = _OTHER_CHARACTERS.sub("-", f"{store}-{provider}").strip("-_")[:MOST_BASE]
    yield base
    yield from (f"{base}-{number}" for number in range(2, MOST_NUMBER + 1))
    yield f"{base[: MOST_NAME - 9]}-{secrets.token_hex(4)}"
