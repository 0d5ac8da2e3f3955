"""The links into the console, and the sessions that they begin.

The code of a link and the cookie of a session are 256 random bits. Only their SHA-256 is stored.
"""

# ruff: noqa: S608 - only constants of this module are put in

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connector.domain.person import actor_of
from connector.storage import admin_events
from connector.storage.columns import Row
from connector.storage.database import Connection, Database
from connector.storage.stored_merchant import digest

# Seconds for which a link is good, seconds without a request after which a session ends, and the
# seconds after which a session ends in any case.
LINK_SECONDS = 10 * 60
IDLE_SECONDS = 8 * 3600
SESSION_SECONDS = 7 * 24 * 3600
# Seconds between two writes of `seen_at`, so that most pages cost no write.
SEEN_SECONDS = 60
# Seconds for which an ended link or session is kept. Its events stay.
KEPT_SECONDS = 30 * 24 * 3600

_INSERT_LINK = f"""
    INSERT INTO console_links (code, merchant_id, name, actor, created_at, expires_at)
    VALUES (:code, :merchant_id, :name, :actor, NOW, NOW + {LINK_SECONDS}) RETURNING expires_at"""
_IS_OPEN = "used_at IS NULL AND expires_at > NOW"
_OPEN_LINK = f"""
    SELECT console_links.name, merchants.name AS merchant
    FROM console_links LEFT JOIN merchants ON merchants.id = console_links.merchant_id
    WHERE code = :code AND {_IS_OPEN}
        AND (merchant_id IS NULL OR merchants.id = merchant_id)"""
_SPEND_LINK = f"""
    UPDATE console_links SET used_at = NOW WHERE code = :code AND {_IS_OPEN}
    RETURNING merchant_id, name"""
_INSERT_SESSION = """
    INSERT INTO console_sessions (digest, merchant_id, name, created_at, seen_at)
    VALUES (:digest, :merchant_id, :name, NOW, NOW) RETURNING id"""
_IS_LIVE = f"""
    ended_at IS NULL AND seen_at > NOW - {IDLE_SECONDS}
    AND console_sessions.created_at > NOW - {SESSION_SECONDS}"""
_SESSIONS = f"""
    SELECT console_sessions.id, console_sessions.merchant_id, console_sessions.name,
        merchants.name AS merchant, console_sessions.created_at, seen_at, NOW AS now
    FROM console_sessions LEFT JOIN merchants ON merchants.id = console_sessions.merchant_id
    WHERE {_IS_LIVE}"""
_SESSION = f"{_SESSIONS} AND digest = :digest"
_ALL_SESSIONS = f"{_SESSIONS} ORDER BY console_sessions.id"
_SEE = f"UPDATE console_sessions SET seen_at = NOW WHERE id = :id AND {_IS_LIVE}"
_CHOSEN = "(:merchant_id = 0 OR merchant_id = :merchant_id)"
_END = f"UPDATE console_sessions SET ended_at = NOW WHERE {_IS_LIVE}"
_END_COOKIE = f"{_END} AND digest = :digest RETURNING id, name, merchant_id"
_REVOKE = f"""
    {_END} AND (:id = 0 OR id = :id) AND {_CHOSEN} RETURNING id, name, merchant_id"""
_REVOKE_LINKS = f"""
    UPDATE console_links SET expires_at = NOW WHERE {_IS_OPEN} AND {_CHOSEN}
    RETURNING NULL AS id, name, merchant_id"""
_DROP = (
    f"DELETE FROM console_links WHERE expires_at < NOW - {KEPT_SECONDS}",
    f"DELETE FROM console_sessions WHERE coalesce(ended_at, seen_at) < NOW - {KEPT_SECONDS}",
)


@dataclass(frozen=True)
class Link:
    """A link that is still good. Without a merchant it is an operator's."""

    name: str
    merchant: str | None


@dataclass(frozen=True)
class Session:
    """A live session. Without a merchant it is an operator's. Times are seconds since 1970.

    `merchant` is the merchant's name.
    """

    id: int
    name: str
    merchant_id: int | None
    merchant: str | None
    created_at: float
    seen_at: float

    @property
    def ends_at(self) -> float:
        """The time at which the session ends if nothing more is asked."""
        return min(self.seen_at + IDLE_SECONDS, self.created_at + SESSION_SECONDS)


@dataclass(frozen=True)
class Revoked:
    """A session that a command ended, or a link that was still good: then without `id`."""

    id: int | None
    name: str
    merchant_id: int | None


class ConsoleAccess:
    """The links and the sessions. `by` is the actor of a change, for the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def make_link(self, name: str, merchant_id: int | None, *, by: str) -> tuple[str, float]:
        """Store a link for a person. Return its code, and the second at which the link ends."""
        code = secrets.token_urlsafe(32)
        link: dict[str, Any] = {"code": digest(code), "merchant_id": merchant_id, "name": name}
        with self._database.write() as connection:
            for statement in _DROP:
                connection.run(statement)
            (row,) = connection.all(_INSERT_LINK, **link, actor=by)
            admin_events.record(connection, merchant_id, by, "console link", name=name)
        return code, float(row["expires_at"])

    def link(self, code: str) -> Link | None:
        """Find a link that is still good. It stays good."""
        with self._database.read() as connection:
            row = connection.first_row(_OPEN_LINK, code=digest(code))
        return None if row is None else Link(row["name"], row["merchant"])

    def sign_in(self, code: str, old_cookie: str) -> str | None:
        """Spend a link, once, and begin its session. Return the session's cookie.

        The session of the browser's `old_cookie` ends. None: the link is not good any more.
        """
        cookie = secrets.token_urlsafe(32)
        with self._database.write() as connection:
            link = connection.first_row(_SPEND_LINK, code=digest(code))
            if link is None:
                return None
            _end(connection, old_cookie)
            (session,) = connection.all(_INSERT_SESSION, digest=digest(cookie), **link)
            _record({**link, **session}, connection, actor_of(link["name"]), "console sign-in")
        return cookie

    def session(self, cookie: str) -> Session | None:
        """Find the live session of a cookie, and note that the person was seen."""
        with self._database.read() as connection:
            row = connection.first_row(_SESSION, digest=digest(cookie))
        if row is None:
            return None
        if row["now"] - row["seen_at"] < SEEN_SECONDS:
            return _session_from(row)
        with self._database.write() as connection:
            connection.run(_SEE, id=row["id"])
        return _session_from({**row, "seen_at": row["now"]})

    def sign_out(self, cookie: str) -> None:
        """End the session of a cookie."""
        with self._database.write() as connection:
            _end(connection, cookie)

    def sessions(self) -> list[Session]:
        """Return the live sessions, the oldest first."""
        with self._database.read() as connection:
            return [_session_from(row) for row in connection.all(_ALL_SESSIONS)]

    def revoke(
        self, *, by: str, session_id: int | None = None, merchant_id: int | None = None
    ) -> Sequence[Revoked]:
        """End one session; or all sessions and all good links, of one merchant or of everybody."""
        chosen = {"merchant_id": merchant_id or 0}
        with self._database.write() as connection:
            rows = connection.all(_REVOKE, id=session_id or 0, **chosen)
            if not session_id:
                rows += connection.all(_REVOKE_LINKS, **chosen)
            for row in rows:
                _record(row, connection, by, "console revoke")
        return [Revoked(**row) for row in rows]


def _end(connection: Connection, cookie: str) -> None:
    """End the session of a cookie, if there is one."""
    for session in connection.all(_END_COOKIE, digest=digest(cookie)):
        _record(session, connection, actor_of(session["name"]), "console sign-out")


def _record(ended: Row, connection: Connection, by: str, command: str) -> None:
    options = {"session": ended["id"], "name": ended["name"]}
    admin_events.record(connection, ended["merchant_id"], by, command, **options)


def _session_from(row: Row) -> Session:
    return Session(
        id=row["id"],
        name=row["name"],
        merchant_id=row["merchant_id"],
        merchant=row["merchant"],
        created_at=float(row["created_at"]),
        seen_at=float(row["seen_at"]),
    )
