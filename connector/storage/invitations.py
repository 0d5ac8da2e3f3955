"""Invitations to connect. An invitation is good once; only a hash of its code is kept."""

from connector.domain.authorization import Invitation, InvitationEnded, InvitationOfAnother
from connector.domain.errors import ConfigurationError
from connector.storage import admin_events
from connector.storage.columns import Row
from connector.storage.database import Connection, Database
from connector.storage.merchant_writer import new_token
from connector.storage.stored_merchant import digest

DAY = 24 * 60 * 60.0
# Seconds for which an invitation that has ended stays on the operator's list.
KEPT_SECONDS = 90 * DAY
# Expired rows that one transaction deletes.
MOST_PURGED = 200

_PURGE = f"""
    DELETE FROM invitations WHERE id IN (
        SELECT id FROM invitations WHERE expires_at <= NOW - {KEPT_SECONDS}
        ORDER BY id LIMIT {MOST_PURGED})"""  # noqa: S608 - the numbers above
_INSERT = """
    INSERT INTO invitations (code, store, provider, actor, created_at, expires_at)
    VALUES (:code, :store, :provider, :actor, NOW, NOW + :seconds)
    RETURNING id"""
_COLUMNS = """
    invitations.id, invitations.store, invitations.provider, actor, invitations.created_at,
    expires_at, used_at, merchants.name AS merchant"""
_TABLES = "invitations LEFT JOIN merchants ON merchants.id = merchant_id"
_ALL = f"SELECT {_COLUMNS} FROM {_TABLES} ORDER BY invitations.id DESC LIMIT 1000"  # noqa: S608 - the lists above
_NUMBERED = f"SELECT {_COLUMNS} FROM {_TABLES} WHERE invitations.id = :id"  # noqa: S608 - likewise
_FIND = f"""
    SELECT {_COLUMNS} FROM {_TABLES}
    WHERE code = :code AND used_at IS NULL AND expires_at > NOW"""  # noqa: S608 - likewise
_USE = """
    UPDATE invitations SET used_at = NOW, merchant_id = :merchant_id
    WHERE code = :code AND used_at IS NULL AND expires_at > NOW
        AND coalesce(store, :store) = :store AND coalesce(provider, :provider) = :provider"""
_REVOKE = """
    UPDATE invitations SET expires_at = NOW
    WHERE id = :id AND used_at IS NULL AND expires_at > NOW"""


class Invitations:
    """The invitations that the operator made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, store: str | None, provider: str | None, days: float, by: str
    ) -> tuple[str, Invitation]:
        """Make an invitation, and return its code, which is shown this once."""
        code = new_token()
        with self._database.write() as connection:
            connection.run(_PURGE)
            row = connection.first_row(
                _INSERT,
                code=digest(code),
                store=store,
                provider=provider,
                actor=by,
                seconds=days * DAY,
            )
            made = _invitation(connection.first_row(_NUMBERED, id=row and row["id"]))
            admin_events.record(
                connection, None, by, "invite", invitation=made.id, store=store, provider=provider
            )
        return code, made

    def find(self, code: str) -> Invitation:
        """Find an invitation that is good. Nothing changes. Raises InvitationEnded."""
        with self._database.read() as connection:
            return _invitation(connection.first_row(_FIND, code=digest(code)))

    def all(self) -> list[Invitation]:
        """Return the invitations, the newest first, also those that have ended."""
        with self._database.read() as connection:
            return [_invitation(row) for row in connection.all(_ALL)]

    def revoke(self, number: int, *, by: str) -> None:
        """End an invitation. Raises ConfigurationError if it is not good any more."""
        with self._database.write() as connection:
            if not connection.run(_REVOKE, id=number):
                raise ConfigurationError(f"There is no invitation {number} that is still good")
            admin_events.record(connection, None, by, "revoke", invitation=number)


def use(connection: Connection, code: str, merchant_id: int, store: str, provider: str) -> None:
    """Use an invitation up, for a new merchant. Raises InvitationEnded, InvitationOfAnother."""
    values = {"code": digest(code), "store": store, "provider": provider}
    if not connection.run(_USE, merchant_id=merchant_id, **values):
        is_good = connection.first_row(_FIND, code=digest(code))
        raise InvitationOfAnother if is_good else InvitationEnded


def _invitation(row: Row | None) -> Invitation:
    if row is None:
        raise InvitationEnded
    return Invitation(**row)
