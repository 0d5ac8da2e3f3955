"""All that is recorded of one payment, for people."""

# ruff: noqa: S608 - only lists of columns are put in

from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.payment import Payment
from connector.domain.write import Write
from connector.storage import statements as sql
from connector.storage.admin_events import AdminEvent, event_from
from connector.storage.columns import listed, unescaped
from connector.storage.database import Database
from connector.storage.mapping import PAYMENT_READ_COLUMNS, payment_from, write_from

PAYMENT = f"""
    SELECT {listed(PAYMENT_READ_COLUMNS)}, transaction_id, order_id, created_at, updated_at,
        coalesce(lease_until > NOW, FALSE) AS is_held
    FROM payments WHERE merchant_id = :merchant_id AND payment_id = :payment_id"""
# The newest events of a payment that administrative commands, or people in the console, recorded.
EVENTS_OF_PAYMENT = """
    SELECT id, at, actor, command, changed, settings IS NOT NULL AS is_undoable
    FROM admin_events
    WHERE payment_id = :payment_id AND merchant_id = :merchant_id
    ORDER BY id DESC LIMIT :most"""


@dataclass(frozen=True)
class PaymentHistory:
    """A payment, its writes to the company, and the newest events of people, the newest first.

    Times are seconds since 1970. `callback_at` is the time of the next callback, if one is due.
    `is_held` says that a request acts on the payment at this moment.
    """

    payment: Payment
    transaction_id: str | None
    order_id: str | None
    created_at: float
    updated_at: float
    callback_at: float | None
    is_held: bool
    writes: Sequence[Write]
    events: Sequence[AdminEvent]


class PaymentHistories:
    """Finds what is recorded of a payment, besides its story."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, merchant_id: int, payment_id: str, most_events: int) -> PaymentHistory | None:
        """Return what is recorded of a payment. None: this merchant has no such payment."""
        key = {"merchant_id": merchant_id, "payment_id": payment_id}
        with self._database.read() as connection:
            row = connection.first_row(PAYMENT, **key)
            if row is None:
                return None
            writes = connection.all(sql.WRITES, **key)
            events = connection.all(EVENTS_OF_PAYMENT, most=most_events, **key)
        return PaymentHistory(
            payment=payment_from(payment_id, row),
            transaction_id=unescaped(row["transaction_id"]),
            order_id=unescaped(row["order_id"]),
            created_at=float(row["created_at"]),
            updated_at=float(row["updated_at"]),
            callback_at=row["callback_at"],
            is_held=bool(row["is_held"]),
            writes=tuple(map(write_from, writes)),
            events=tuple(map(event_from, events)),
        )
