"""The callbacks to VTEX: those that are due, and those that were sent.

Each query reads a few rows of one index, however many payments and steps exist.
"""

# ruff: noqa: S608 - only constants of this module are put in

from dataclasses import dataclass

from connector.domain.payment import PaymentStatus
from connector.storage.columns import Row, unescaped
from connector.storage.database import Database

# A page is made of so many callbacks at most, whether they are of the wanted merchant or not. So a
# page of a merchant with few callbacks is never slow.
MOST_SCANNED = 2_000
# Above the id of any step.
_LAST_ID = 2**62

DUE = """
    SELECT merchants.name AS merchant, merchants.provider, payments.merchant_id, payment_id, status,
        callback_at, callback_attempts, callback_at <= NOW AS is_due
    FROM payments JOIN merchants ON merchants.id = payments.merchant_id
    WHERE callback_at IS NOT NULL
        AND (:merchant_id = 0 OR payments.merchant_id = :merchant_id)
    ORDER BY callback_at LIMIT :most"""
ONE_DUE = """
    SELECT merchants.name AS merchant, merchants.provider, payments.merchant_id, payment_id, status,
        callback_at, callback_attempts, callback_at <= NOW AS is_due
    FROM payments JOIN merchants ON merchants.id = payments.merchant_id
    WHERE payments.merchant_id = :merchant_id AND payment_id = :payment_id"""
_SCANNED = """
    SELECT id FROM events WHERE kind = 'called-back' AND id < :before
    ORDER BY id DESC LIMIT :scanned"""
_SENT_READ = """
    SELECT events.id, at, merchants.name AS merchant, payment_id, events.attempt, word, http_status,
        events.state, events.reason"""
_SENT_FROM = """
    JOIN requests ON requests.id = events.request
    JOIN merchants ON merchants.id = requests.merchant_id"""
SENT = f"""
    WITH scanned AS MATERIALIZED ({_SCANNED})
    {_SENT_READ} FROM scanned JOIN events ON events.id = scanned.id {_SENT_FROM}
    WHERE :merchant_id = 0 OR requests.merchant_id = :merchant_id
    ORDER BY events.id DESC LIMIT :most"""
SCANNED_TO = f"""
    SELECT min(id) AS last, count(*) AS number FROM ({_SCANNED}) AS scanned"""
SENT_OF_PAYMENT = f"""
    {_SENT_READ} FROM events {_SENT_FROM}
    WHERE requests.merchant_id = :merchant_id AND requests.payment_id = :payment_id
        AND events.kind = 'called-back'
    ORDER BY events.id DESC LIMIT :most"""


@dataclass(frozen=True)
class DueCallback:
    """A callback that VTEX has not taken yet. `at` is the time of the next try.

    After the last try, and before an attempt makes a callback due, `at` is None. Times are seconds
    since 1970.
    """

    merchant: str
    provider: str
    merchant_id: int
    payment_id: str
    status: PaymentStatus
    at: float | None
    attempts: int
    is_due: bool


@dataclass(frozen=True)
class SentCallback:
    """A callback that was sent, and VTEX's answer. Without an answer `reason` says why."""

    id: int
    at: float
    merchant: str
    payment_id: str
    attempt: int | None
    status: str | None
    http_status: int | None
    is_taken: bool
    reason: str | None


@dataclass(frozen=True)
class SentPage:
    """Sent callbacks. `following` is the place of the next page, if there may be one."""

    sent: list[SentCallback]
    following: int | None


class CallbackList:
    """Finds callbacks. Without a `merchant_id`, those of all merchants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, most: int, merchant_id: int | None = None) -> list[DueCallback]:
        """Return at most so many callbacks that VTEX has not taken, the next to send first."""
        with self._database.read() as connection:
            rows = connection.all(DUE, most=most, merchant_id=merchant_id or 0)
        return [_due_from(row) for row in rows]

    def one(self, merchant_id: int, payment_id: str) -> DueCallback | None:
        """Return the callback of a payment. None: there is no such payment."""
        with self._database.read() as connection:
            row = connection.first_row(ONE_DUE, merchant_id=merchant_id, payment_id=payment_id)
        return None if row is None else _due_from(row)

    def sent(
        self, most: int, before: int | None = None, merchant_id: int | None = None
    ) -> SentPage:
        """Return at most so many callbacks that were sent before a step, the newest first."""
        window = {"before": before or _LAST_ID, "scanned": MOST_SCANNED}
        with self._database.read() as connection:
            rows = connection.all(SENT, most=most, merchant_id=merchant_id or 0, **window)
            end = connection.first_row(SCANNED_TO, **window)
        sent = [_sent_from(row) for row in rows]
        if len(sent) == most:
            return SentPage(sent, sent[-1].id)
        is_more = end is not None and end["number"] == MOST_SCANNED
        return SentPage(sent, end["last"] if end and is_more else None)

    def sent_of(self, merchant_id: int, payment_id: str, most: int) -> list[SentCallback]:
        """Return the callbacks of a payment, the newest first."""
        key = {"merchant_id": merchant_id, "payment_id": payment_id}
        with self._database.read() as connection:
            rows = connection.all(SENT_OF_PAYMENT, most=most, **key)
        return [_sent_from(row) for row in rows]


def _due_from(row: Row) -> DueCallback:
    return DueCallback(
        merchant=row["merchant"],
        provider=row["provider"],
        merchant_id=row["merchant_id"],
        payment_id=row["payment_id"],
        status=PaymentStatus(row["status"]),
        at=row["callback_at"],
        attempts=row["callback_attempts"],
        is_due=bool(row["is_due"]),
    )


def _sent_from(row: Row) -> SentCallback:
    return SentCallback(
        id=row["id"],
        at=float(row["at"]),
        merchant=row["merchant"],
        payment_id=row["payment_id"],
        attempt=row["attempt"],
        status=unescaped(row["word"]),
        http_status=row["http_status"],
        is_taken=row["state"] == "done",
        reason=row["reason"],
    )
