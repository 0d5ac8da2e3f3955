"""What waits, and how the newest requests ended. Each query reads a limited number of rows."""

# ruff: noqa: S608 - only constants of this module are put in

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from typing import NamedTuple

from connector.domain.merchant import SUITE_NAME
from connector.domain.operation import ASKED_BY_VTEX, Operation, State
from connector.storage.columns import Row
from connector.storage.database import Database

# At most so many open requests of each state and operation are counted, the oldest first.
MOST_WAITING = 200
# At most so many due callbacks, and so many due looks, are counted, the oldest first.
MOST_DUE = 2000
# At most so many requests of each operation are judged, the newest first.
MOST_JUDGED = 500

_OPEN_STATES = (State.RUNNING, State.UNKNOWN, State.WAITING, State.MANUAL)


class End(StrEnum):
    """How a request ended. The values are those of the query below."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PERSON = "person"
    """The request was at some time on the list of work for a person."""
    OPEN = "open"
    CANCELLED = "cancelled"
    """Of a create: the payment is cancelled."""


def _of_each(parts: Sequence[str]) -> str:
    return " UNION ALL ".join(f"SELECT * FROM ({part}) AS part{n}" for n, part in enumerate(parts))


def _oldest_open(state: State, operation: Operation, condition: str) -> str:
    # `state != 'done'` is in the condition of the index, and SQLite derives nothing.
    return f"""
        SELECT merchant_id, '{state}' AS state, '{operation}' AS operation, created_at
        FROM requests
        WHERE {condition} state = '{state}' AND state != 'done' AND operation = '{operation}'
        ORDER BY created_at LIMIT :most"""


def _waiting(condition: str) -> str:
    parts = [_oldest_open(*pair, condition) for pair in product(_OPEN_STATES, Operation)]
    return f"""
        SELECT provider, state, operation, count(*) AS number, NOW - min(open.created_at) AS age
        FROM ({_of_each(parts)}) AS open CROSS JOIN merchants
        WHERE merchants.id = open.merchant_id
        GROUP BY provider, state, operation"""


def _newest(operation: Operation, condition: str) -> str:
    return f"""
        SELECT id, merchant_id, payment_id, operation, state, attempts, created_at, updated_at
        FROM requests
        WHERE {condition} operation = '{operation}' AND created_at >= :since
        ORDER BY created_at DESC LIMIT :most"""


# How a request ended. A create ended as its payment did, whoever cancelled it later: a cancelled
# payment says nothing. A request with one attempt was never on a person's list, because closing
# counts as an attempt.
# PostgreSQL might read all events for EXISTS, but not for a count.
_NEEDED_A_PERSON = """newest.attempts > 1 AND 0 < (
        SELECT count(*) FROM events
        WHERE request = newest.id AND (events.state = 'manual' OR kind = 'closed'))"""
_END = f"""
    CASE WHEN operation = 'create' THEN (
        SELECT CASE
            WHEN status IN ('APPROVED', 'SETTLED', 'REFUNDED') THEN '{End.SUCCEEDED}'
            WHEN status = 'DENIED' OR newest.state = 'failed' THEN '{End.FAILED}'
            WHEN status = 'CANCELLED' THEN '{End.CANCELLED}'
            ELSE '{End.OPEN}' END
        FROM payments
        WHERE merchant_id = newest.merchant_id AND payment_id = newest.payment_id)
    WHEN newest.state = 'manual' OR {_NEEDED_A_PERSON} THEN '{End.PERSON}'
    WHEN newest.state = 'done' THEN '{End.SUCCEEDED}'
    WHEN newest.state = 'failed' THEN '{End.FAILED}'
    ELSE '{End.OPEN}' END"""
_SECONDS = """
    CASE WHEN operation = 'create' THEN (
        SELECT min(at) FROM events WHERE request = newest.id AND kind = 'told')
    ELSE newest.updated_at END - newest.created_at"""


def _judged(condition: str) -> str:
    """Select the newest requests of each operation."""
    parts = [_newest(operation, condition) for operation in ASKED_BY_VTEX]
    return f"""
        SELECT provider, operation, newest.created_at, {_END} AS ending, {_SECONDS} AS seconds
        FROM ({_of_each(parts)}) AS newest CROSS JOIN merchants
        WHERE merchants.id = newest.merchant_id"""


_OF_MERCHANT = "merchant_id = :merchant_id AND"
# The statements, by whether they are about one merchant.
WAITING = {False: _waiting(""), True: _waiting(_OF_MERCHANT)}
JUDGED = {False: _judged(""), True: _judged(_OF_MERCHANT)}

# Of all merchants, at most so many rows are read. Then the rows of one merchant are counted.
_COUNT_DUE = """
    SELECT count(*) AS seen, count(CASE WHEN {0} THEN 1 END) AS number,
        NOW - min(CASE WHEN {0} THEN at END) AS age
    FROM ({{}}) AS due""".format(":merchant_id IN (0, merchant_id)")
DUE_CALLBACKS = _COUNT_DUE.format("""
    SELECT merchant_id, callback_at AS at FROM payments WHERE callback_at <= NOW
    ORDER BY callback_at LIMIT :most""")
DUE_LOOKS = _COUNT_DUE.format("""
    SELECT merchant_id, next_look_at AS at FROM requests WHERE next_look_at <= NOW
    ORDER BY next_look_at LIMIT :most""")
_NOW = "SELECT NOW AS now"
_HAS_REQUEST = {
    False: "SELECT 1 FROM requests LIMIT 1",
    True: "SELECT 1 FROM requests WHERE merchant_id = :merchant_id LIMIT 1",
}
_HAS_MERCHANT = f"SELECT 1 FROM merchants WHERE name != '{SUITE_NAME}' LIMIT 1"


@dataclass(frozen=True)
class Waiting:
    """Open requests of one company in one state. `age` is the age of the oldest, in seconds.

    `is_more` says that there are more of this kind than were counted.
    """

    provider: str
    state: State
    operation: Operation
    number: int
    age: float
    is_more: bool


@dataclass(frozen=True)
class Due:
    """Rows that are due. `age` tells for how many seconds the oldest has been due.

    `is_more` says that there may be more than were counted.
    """

    number: int
    age: float
    is_more: bool


class Judged(NamedTuple):
    """A request as it stands now. `created_at` is in seconds since 1970.

    `seconds` are those from VTEX's first request to the end of the newest attempt; for a create, to
    the first answer to VTEX. None: VTEX got no answer yet.
    """

    provider: str
    operation: str
    created_at: float
    end: str
    seconds: float | None


@dataclass(frozen=True)
class Begun:
    """What a fresh installation has already."""

    has_merchant: bool
    has_request: bool


class Overview:
    """Reads what waits, and how requests ended, of all merchants or of one merchant by its id."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> float:
        """Return the time of the database's clock, in seconds since 1970."""
        with self._database.read() as connection:
            row = connection.first_row(_NOW)
        return float(row["now"]) if row else 0.0

    def begun(self, merchant_id: int | None = None) -> Begun:
        has_request = _HAS_REQUEST[merchant_id is not None]
        with self._database.read() as connection:
            return Begun(
                bool(connection.first_row(_HAS_MERCHANT)),
                bool(connection.first_row(has_request, merchant_id=merchant_id)),
            )

    def waiting(self, merchant_id: int | None = None) -> list[Waiting]:
        """Return the open requests by company, state and operation."""
        rows = self._rows(WAITING, merchant_id, most=MOST_WAITING)
        totals: dict[tuple[str, str], int] = {}
        for row in rows:
            kind = (row["state"], row["operation"])
            totals[kind] = totals.get(kind, 0) + row["number"]
        return [_waiting_from(row, totals) for row in rows]

    def judged(self, since: float, merchant_id: int | None = None) -> list[Judged]:
        """Return the newest requests of each operation, at most MOST_JUDGED of each."""
        rows = self._rows(JUDGED, merchant_id, most=MOST_JUDGED, since=since)
        return [Judged(*row.values()) for row in rows]

    def due_callbacks(self, merchant_id: int | None = None) -> Due:
        return self._due(DUE_CALLBACKS, merchant_id)

    def due_looks(self, merchant_id: int | None = None) -> Due:
        """Return the requests at which reconcile should have looked by now."""
        return self._due(DUE_LOOKS, merchant_id)

    def _due(self, statement: str, merchant_id: int | None) -> Due:
        with self._database.read() as connection:
            row = connection.all(statement, merchant_id=merchant_id or 0, most=MOST_DUE)[0]
        return Due(row["number"], float(row["age"] or 0.0), row["seen"] >= MOST_DUE)

    def _rows(
        self, statements: dict[bool, str], merchant_id: int | None, **values: float
    ) -> list[Row]:
        statement = statements[merchant_id is not None]
        with self._database.read() as connection:
            return connection.all(statement, merchant_id=merchant_id, **values)


def _waiting_from(row: Row, totals: dict[tuple[str, str], int]) -> Waiting:
    return Waiting(
        provider=row["provider"],
        state=State(row["state"]),
        operation=Operation(row["operation"]),
        number=row["number"],
        age=float(row["age"]),
        is_more=totals[row["state"], row["operation"]] >= MOST_WAITING,
    )
