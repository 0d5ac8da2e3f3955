"""Find payments, the newest first. Each search reads a few rows of one index, however many exist.

The indexes have the status before the time. So a search without a status reads the newest rows of
each status, and takes the newest of them. Then no index needs to have the time alone.
"""

# ruff: noqa: S608 - only constants of this module are put in

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector.domain.payment import PaymentStatus
from connector.storage.columns import Row, escaped, listed, parameters, unescaped
from connector.storage.database import Database
from connector.storage.mapping import PAYMENT_READ_COLUMNS, payment_from
from connector.storage.tables import MOST_INDEXED

# Payments of one query when all found payments are read, one query after another.
ROWS_OF_A_QUERY = 500

# An id of this form has several spellings: with dashes and without, in small letters or capitals.
_UUID = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
# A shop's number of an order is VTEX's id of the order with a number of two digits.
_ORDER_NUMBER = re.compile(r"(.+)-[0-9]{2}")
_READ = ("created_at", "payment_id", "transaction_id", "order_id", *PAYMENT_READ_COLUMNS)
_NEWEST_FIRST = "{0}created_at DESC, {0}merchant_id DESC, {0}payment_id DESC"
_KEY = "merchant_id, payment_id"
_IS_LATER = """
    {0}created_at >= :since
    AND ({0}created_at, {0}merchant_id, {0}payment_id) < (:at, :of_merchant, :of_payment)"""
# The same for rows of one merchant. Without the merchant in the comparison its index serves.
_IS_LATER_OF_MERCHANT = """
    merchant_id = :merchant_id AND created_at >= :since
    AND (created_at, payment_id) < (:at, :of_payment)"""
_SPELLINGS = ("spelling_a", "spelling_b", "spelling_c", "spelling_d", "spelling_e")
_IS_SPELLED = f"IN ({parameters(_SPELLINGS)})"
# VTEX's ids, and the company's, by which a payment is found. The indexes of the company's ids have
# no longer ids.
_HAS_ID = (
    *(f"{column} {_IS_SPELLED}" for column in ("transaction_id", "order_id")),
    *(
        f"{column} {_IS_SPELLED} AND length({column}) <= {MOST_INDEXED}"
        for column in ("authorization_id", "provider_payment_id")
    ),
)


def _newest_of(status: PaymentStatus, *, is_of_merchant: bool) -> str:
    """Select the newest keys of one status. The index of the statuses has the rows in order."""
    return f"""
        SELECT * FROM (
            SELECT {_KEY}, created_at FROM payments
            WHERE status = '{status}'
                AND {_IS_LATER_OF_MERCHANT if is_of_merchant else _IS_LATER.format("")}
            ORDER BY {_NEWEST_FIRST.format("")} LIMIT :most) AS {status.lower()}"""


def _newest(statuses: Sequence[PaymentStatus], *, is_of_merchant: bool) -> str:
    parts = [_newest_of(status, is_of_merchant=is_of_merchant) for status in statuses]
    return f"""
        SELECT {_KEY} FROM ({" UNION ALL ".join(parts)}) AS newest
        ORDER BY {_NEWEST_FIRST.format("")} LIMIT :most"""


def _with_keys(keys: str, condition: str = "") -> str:
    """Select the payments of some keys. The order of the tables is the order of reading."""
    return f"""
    WITH found AS MATERIALIZED ({keys})
    SELECT merchants.name AS merchant, provider, payments.merchant_id, {listed(_READ, "payments")}
    FROM found CROSS JOIN payments CROSS JOIN merchants
    WHERE payments.merchant_id = found.merchant_id AND payments.payment_id = found.payment_id
        AND merchants.id = payments.merchant_id {condition}
    ORDER BY {_NEWEST_FIRST.format("payments.")} LIMIT :most"""


# The newest payments, by their statuses, and by whether they are of one merchant.
NEWEST = {
    (statuses, is_of_merchant): _with_keys(_newest(statuses, is_of_merchant=is_of_merchant))
    for statuses in (tuple(PaymentStatus), *((status,) for status in PaymentStatus))
    for is_of_merchant in (False, True)
}

# VTEX's payment id has no index of its own: each merchant's payments are read by their key.
_KEYS_BY_ID = f"""
    SELECT merchants.id AS merchant_id, payment_id FROM merchants CROSS JOIN payments
    WHERE payments.merchant_id = merchants.id AND payment_id {_IS_SPELLED}
    {" ".join(f"UNION SELECT {_KEY} FROM payments WHERE {has_id}" for has_id in _HAS_ID)}"""

BY_ID = _with_keys(
    _KEYS_BY_ID,
    f"""
        AND (:merchant_id = 0 OR payments.merchant_id = :merchant_id)
        AND (:status = '' OR status = :status) AND {_IS_LATER.format("payments.")}""",
)


@dataclass(frozen=True)
class Position:
    """The place of a payment among all payments. Later pages have smaller positions."""

    at: float
    merchant_id: int = 0
    payment_id: str = ""


_BEGIN = Position(math.inf)


@dataclass(frozen=True)
class Filters:
    """The payments to find: those that fulfil all conditions.

    `id` is an id of VTEX's or of the company's. Without `merchant_id`, payments of all merchants
    are found. `since` and `until` are seconds since 1970. A payment of the time `until` is not
    found.
    """

    id: str = ""
    merchant_id: int | None = None
    status: PaymentStatus | None = None
    since: float = 0.0
    until: float = math.inf


@dataclass(frozen=True)
class FoundPayment:
    """A payment in a list. Amounts are in units of `currency`; `created_at` is as in `Filters`."""

    position: Position
    merchant: str
    provider: str
    payment_id: str
    transaction_id: str | None
    order_id: str | None
    authorization_id: str | None
    provider_payment_id: str | None
    status: PaymentStatus
    amount: Decimal | None
    currency: str | None
    settled: Decimal | None
    sandbox: bool | None

    @property
    def created_at(self) -> float:
        return self.position.at


class PaymentSearch:
    """Finds payments for people."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, filters: Filters, most: int, after: Position | None = None
    ) -> list[FoundPayment]:
        """Return at most so many payments, the newest first, that come after a position."""
        statement = _statement(filters)
        with self._database.read() as connection:
            rows = connection.all(statement, most=most, **_values(filters, after or _BEGIN))
        return [_found_from(row) for row in rows]

    def each(self, filters: Filters, most: int) -> Iterator[FoundPayment]:
        """Yield at most so many payments, the newest first. No query stays open meanwhile."""
        after, left = None, most
        while left > 0:
            found = self.page(filters, min(left, ROWS_OF_A_QUERY), after)
            yield from found
            if len(found) < min(left, ROWS_OF_A_QUERY):
                return
            after, left = found[-1].position, left - len(found)


def spellings(text: str) -> list[str]:
    """Return the ways in which an id may be stored, first as it was given."""
    found = [text]
    if match := _UUID.fullmatch(text.lower()):
        dashed, plain = "-".join(match.groups()), "".join(match.groups())
        found += [dashed, plain, dashed.upper(), plain.upper()]
    elif match := _ORDER_NUMBER.fullmatch(text):
        found.append(match[1])
    return list(dict.fromkeys(found))


def _statement(filters: Filters) -> str:
    if filters.id:
        return BY_ID
    statuses = (filters.status,) if filters.status else tuple(PaymentStatus)
    return NEWEST[statuses, filters.merchant_id is not None]


def _values(filters: Filters, after: Position) -> dict[str, str | float | int]:
    """Return the parameters of every statement. A merchant's id is above 0."""
    until = Position(filters.until)
    begin = min((after, until), key=lambda place: (place.at, place.merchant_id, place.payment_id))
    return {
        "merchant_id": filters.merchant_id or 0,
        "since": filters.since,
        "at": begin.at,
        "of_merchant": begin.merchant_id,
        "of_payment": begin.payment_id,
        **(_id_values(filters) if filters.id else {}),
    }


def _id_values(filters: Filters) -> dict[str, str]:
    stored = [escaped(text) or "" for text in spellings(filters.id)]
    # Each search has the same number of spellings.
    stored += stored[:1] * (len(_SPELLINGS) - len(stored))
    return {"status": filters.status or "", **dict(zip(_SPELLINGS, stored, strict=True))}


def _found_from(row: Row) -> FoundPayment:
    payment = payment_from(row["payment_id"], row)
    return FoundPayment(
        position=Position(float(row["created_at"]), row["merchant_id"], row["payment_id"]),
        merchant=row["merchant"],
        provider=row["provider"],
        payment_id=row["payment_id"],
        transaction_id=unescaped(row["transaction_id"]),
        order_id=unescaped(row["order_id"]),
        authorization_id=payment.key.authorization_id,
        provider_payment_id=payment.key.provider_payment_id,
        status=payment.status,
        amount=payment.amount,
        currency=payment.currency,
        settled=payment.settled,
        sandbox=payment.sandbox,
    )
