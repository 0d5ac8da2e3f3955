"""The notifications of companies, the newest first, and one of them run once more.

Each query reads a few rows of one index, however many requests exist.
"""

# ruff: noqa: S608 - only constants of this module are put in

import math
from dataclasses import dataclass

from connector.domain.operation import DueRequest, ListedRequest
from connector.storage.columns import Row, listed, unescaped
from connector.storage.database import Database
from connector.storage.mapping import REQUEST_COLUMNS, due_from
from connector.storage.work_list import Place, listed_request

_NEWEST_FIRST = "created_at DESC, id DESC"
# A person closed a request of the payment. Perhaps this person returned the money.
_IS_CLOSED = """
    EXISTS (
        SELECT 1 FROM requests AS others JOIN events ON events.request = others.id
        WHERE others.merchant_id = requests.merchant_id
            AND others.payment_id = requests.payment_id AND events.kind = 'closed')"""
_READ = f"""
    SELECT requests.id, requests.merchant_id, merchants.name AS merchant, merchants.provider,
        requests.operation, requests.payment_id, requests.request_id, requests.state, requests.code,
        requests.message, requests.reason, requests.reference, requests.attempts,
        requests.created_at, requests.updated_at, {_IS_CLOSED} AS is_closed,
        (SELECT word FROM events WHERE events.request = requests.id AND kind = 'notified'
            ORDER BY events.id LIMIT 1) AS word"""
_FROM = "JOIN merchants ON merchants.id = requests.merchant_id"


def _newest(condition: str) -> str:
    return f"""
    WITH found AS MATERIALIZED (
        SELECT id FROM requests
        WHERE operation = 'notification' {condition}
            AND created_at <= :at AND (created_at, id) < (:at, :id)
        ORDER BY {_NEWEST_FIRST} LIMIT :most)
    {_READ} FROM found JOIN requests ON requests.id = found.id {_FROM}
    ORDER BY requests.created_at DESC, requests.id DESC"""


# The statements, by whether they are for one merchant.
NEWEST = {False: _newest(""), True: _newest("AND merchant_id = :merchant_id")}
ONE = f"""
    {_READ} FROM requests {_FROM}
    WHERE requests.id = :id AND requests.operation = 'notification'
        AND (:merchant_id = 0 OR requests.merchant_id = :merchant_id)"""
# A notification is due at once, if it has not run since the person saw it.
MAKE_DUE = f"""
    UPDATE requests SET next_look_at = NOW, looks = 0
    WHERE id = :id AND operation = 'notification' AND state <> 'running' AND attempts = :attempts
        AND NOT {_IS_CLOSED}
    RETURNING {listed(REQUEST_COLUMNS)}, looks, state, next_look_at"""


@dataclass(frozen=True)
class Notified:
    """A notification, and what was made of it.

    `id` is the claim's id. `word` is the company's status word. `is_closed` says that a person
    closed work of this payment.
    """

    id: str
    merchant_id: int
    request: ListedRequest
    word: str | None
    is_closed: bool

    @property
    def place(self) -> Place:
        return Place(self.request.created_at, self.id)


class NotificationList:
    """Finds notifications. Without a `merchant_id`, those of all merchants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, most: int, after: Place | None = None, merchant_id: int | None = None
    ) -> list[Notified]:
        """Return at most so many notifications that come after a place, the newest first."""
        begin = after or Place(math.inf)
        values = {"most": most, "at": begin.at, "id": begin.id, "merchant_id": merchant_id or 0}
        with self._database.read() as connection:
            rows = connection.all(NEWEST[merchant_id is not None], **values)
        return [_notified_from(row) for row in rows]

    def find(self, claim_id: str, merchant_id: int | None = None) -> Notified | None:
        """Return a notification. None: this merchant has no such notification."""
        with self._database.read() as connection:
            row = connection.first_row(ONE, id=claim_id, merchant_id=merchant_id or 0)
        return None if row is None else _notified_from(row)

    def make_due(self, claim_id: str, attempts: int) -> DueRequest | None:
        """Make a notification due at once, if it has had exactly so many attempts.

        None: it runs, or it ran since, or a person closed work of its payment.
        """
        with self._database.write() as connection:
            row = connection.first_row(MAKE_DUE, id=claim_id, attempts=attempts)
        return None if row is None else due_from(row)


def _notified_from(row: Row) -> Notified:
    return Notified(
        id=row["id"],
        merchant_id=row["merchant_id"],
        request=listed_request(row),
        word=unescaped(row["word"]),
        is_closed=bool(row["is_closed"]),
    )
