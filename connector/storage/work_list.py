"""The work for a person: requests on the operator's list, and refunds that may still come.

Each query reads a few rows of one index, however many requests exist.
"""

# ruff: noqa: S608 - only constants of this module are put in

from dataclasses import dataclass
from decimal import Decimal

from connector.domain.operation import ListedRequest, Operation, State
from connector.domain.operation_rules import RULES
from connector.storage.columns import Row, decimal, listed, unescaped
from connector.storage.database import Database
from connector.storage.mapping import PRICE_COLUMNS, price_from

# Whoever returns the money of these by hand returns it twice.
_MAY_STILL_MOVE_MONEY = [
    operation for operation, rules in RULES.items() if rules.is_listed_while_open
]
# A refund in one of these states may still move money.
OPEN = (State.RUNNING, State.UNKNOWN, State.WAITING)
# The state and the operation of all work. The index has the times of each pair in order.
_WORK = (
    *((State.MANUAL, operation) for operation in Operation),
    *((state, operation) for state in OPEN for operation in _MAY_STILL_MOVE_MONEY),
)
# More work than this is not counted.
MOST_COUNTED = 99

_READ = f"""
    SELECT requests.id, requests.merchant_id, merchants.name AS merchant, merchants.provider,
        requests.operation, requests.payment_id, requests.request_id, requests.state, requests.code,
        requests.message, requests.reason, requests.reference, requests.attempts, requests.value,
        requests.next_look_at, requests.created_at, requests.updated_at,
        {listed(PRICE_COLUMNS, "payments")}"""
_JOINED = """
    JOIN merchants ON merchants.id = requests.merchant_id
    LEFT JOIN payments ON payments.merchant_id = requests.merchant_id
        AND payments.payment_id = requests.payment_id"""
_OLDEST_FIRST = "created_at, id"


def _oldest_of(number: int, state: State, operation: Operation, condition: str) -> str:
    """Select the oldest requests of one kind of work."""
    # SQLite uses the index only if the condition of the index stands in the statement.
    return f"""
        SELECT * FROM (
            SELECT id, created_at FROM requests
            WHERE state = '{state}' AND operation = '{operation}' AND state != 'done' {condition}
                AND created_at >= :at AND (created_at, id) > (:at, :id)
            ORDER BY {_OLDEST_FIRST} LIMIT :most) AS work_{number}"""


def _oldest(*, is_of_merchant: bool) -> str:
    condition = "AND merchant_id = :merchant_id" if is_of_merchant else ""
    parts = (_oldest_of(number, *kind, condition) for number, kind in enumerate(_WORK))
    return f"SELECT id FROM ({' UNION ALL '.join(parts)}) AS work"


# The statements, by whether they are for one merchant.
PAGE = {
    is_of_merchant: f"""
    WITH found AS MATERIALIZED (
        {_oldest(is_of_merchant=is_of_merchant)} ORDER BY {_OLDEST_FIRST} LIMIT :most)
    {_READ} FROM found JOIN requests ON requests.id = found.id {_JOINED}
    ORDER BY requests.created_at, requests.id"""
    for is_of_merchant in (False, True)
}
COUNT = {
    is_of_merchant: f"""
    SELECT count(*) AS found
    FROM ({_oldest(is_of_merchant=is_of_merchant)} LIMIT :most) AS counted"""
    for is_of_merchant in (False, True)
}
ROW = f"""
    {_READ} FROM requests {_JOINED}
    WHERE requests.id = :id AND (:merchant_id = 0 OR requests.merchant_id = :merchant_id)"""

# How a person closed a request.
CLOSED = """
    SELECT at, who, note FROM events WHERE request = :id AND kind = 'closed'
    ORDER BY id DESC LIMIT 1"""


@dataclass(frozen=True)
class Place:
    """The place of a request in a list: its time, in seconds since 1970, and its claim's id."""

    at: float = 0.0
    id: str = ""


@dataclass(frozen=True)
class WorkRow:
    """A request with its payment. Amounts are in units of `currency`, times are as in `Place`.

    `id` is the claim's id. `value` is the number in VTEX's request; of a cancellation its unit is
    unknown. `amount` is the whole payment's. Without `next_look_at` reconcile does not look again.
    """

    id: str
    merchant_id: int
    request: ListedRequest
    value: Decimal | None
    amount: Decimal | None
    currency: str | None
    next_look_at: float | None

    @property
    def place(self) -> Place:
        return Place(self.request.created_at, self.id)


@dataclass(frozen=True)
class Closed:
    """The end of a request by a person: when, in seconds since 1970, who, and the note."""

    at: float
    who: str | None
    note: str | None


class WorkList:
    """Finds the work for people. Without a `merchant_id`, that of all merchants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, most: int, after: Place | None = None, merchant_id: int | None = None
    ) -> list[WorkRow]:
        """Return at most so many rows that come after a place, the oldest first."""
        with self._database.read() as connection:
            values = _values(most, after or Place(), merchant_id)
            rows = connection.all(PAGE[merchant_id is not None], **values)
        return [_work_from(row) for row in rows]

    def count(self, merchant_id: int | None = None) -> int:
        """Count the rows. A number above MOST_COUNTED means: more."""
        with self._database.read() as connection:
            values = _values(MOST_COUNTED + 1, Place(), merchant_id)
            row = connection.first_row(COUNT[merchant_id is not None], **values)
        return int(row["found"]) if row else 0

    def find(self, claim_id: str, merchant_id: int | None = None) -> WorkRow | None:
        """Return a request in any state. None: this merchant has no such request."""
        with self._database.read() as connection:
            row = connection.first_row(ROW, id=claim_id, merchant_id=merchant_id or 0)
        return None if row is None else _work_from(row)

    def closed(self, claim_id: str) -> Closed | None:
        """Return how a person closed a request the last time. None: no person did."""
        with self._database.read() as connection:
            row = connection.first_row(CLOSED, id=claim_id)
        if row is None:
            return None
        return Closed(float(row["at"]), unescaped(row["who"]), unescaped(row["note"]))


def _values(most: int, after: Place, merchant_id: int | None) -> dict[str, str | float | int]:
    return {"most": most, "at": after.at, "id": after.id, "merchant_id": merchant_id or 0}


def _work_from(row: Row) -> WorkRow:
    amount, currency = price_from(row)
    return WorkRow(
        id=row["id"],
        merchant_id=row["merchant_id"],
        request=listed_request(row),
        value=decimal(row["value"]),
        amount=amount,
        currency=currency,
        next_look_at=row["next_look_at"],
    )


def listed_request(row: Row) -> ListedRequest:
    return ListedRequest(
        merchant=row["merchant"],
        provider=row["provider"],
        operation=row["operation"],
        payment_id=row["payment_id"],
        request_id=unescaped(row["request_id"]) or "",
        state=State(row["state"]),
        code=row["code"],
        reference=row["reference"],
        attempts=row["attempts"],
        created_at=float(row["created_at"]),
        updated_at=float(row["updated_at"]),
        message=row["message"],
        reason=row["reason"],
    )
