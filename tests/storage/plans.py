"""How a database reads for a statement, in a table with many rows."""

import re
from typing import Any

from connector.storage.database import Database

# ruff: noqa: S608 - only constants are put in

# So many rows make a database prefer an index.
MANY = 20_000
_NUMBERS = f"""
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})"""
TABLES = {"requests", "events", "payments", "sends"}


def add_requests(database: Database, rows: list[dict[str, Any]]) -> None:
    """Add requests with the values of these columns."""
    values = {
        "merchant_id": 1,
        "operation": "cancel",
        "payment_id": "P1",
        "request_id": "r",
        "sandbox": False,
        "state": "done",
        "attempts": 1,
        "looks": 0,
        "created_at": 1.0,
        "updated_at": 1.0,
    }
    rows = [values | row for row in rows]
    names = list(rows[0])
    sql = f"INSERT INTO requests ({', '.join(names)}) VALUES (:{', :'.join(names)})"
    with database.write() as connection:
        connection.run_for_each(sql, rows)


def add_many_requests(database: Database, operation: str = "cancel") -> None:
    """Add a request for each second. Those of merchant 1 are the oldest."""
    columns = "id, merchant_id, operation, payment_id, request_id, sandbox, state, attempts, looks"
    sql = f"""
        INSERT INTO requests ({columns}, created_at, updated_at) {_NUMBERS}
        SELECT 'many-' || n, CASE WHEN n <= {MANY // 50} THEN 1 ELSE 2 END, '{operation}',
            'P' || n, 'r', false, 'done', 1, 0, n, n FROM numbers"""
    with database.write() as connection:
        connection.run(sql)
    analyse(database)


def add_many_callbacks(database: Database) -> None:
    """Give each of many requests a payment and a step. One step of twenty is a callback."""
    steps = f"""
        INSERT INTO events (request, at, state, kind) {_NUMBERS}
        SELECT 'many-' || n, n, 'done',
            CASE WHEN n / 20 * 20 = n THEN 'called-back' ELSE 'ended' END FROM numbers"""
    payments = f"""
        INSERT INTO payments (merchant_id, payment_id, status, sends, created_at, updated_at)
        {_NUMBERS} SELECT 2, 'P' || n, 'PENDING', 0, n, n FROM numbers"""
    with database.write() as connection:
        connection.run(steps)
        connection.run(payments)
    analyse(database)


def analyse(database: Database) -> None:
    with database.read() as connection:
        connection._cursor.execute("ANALYZE")


def plan(database: Database, sql: str, **values: Any) -> str:
    """Return how the database would read, in its own words."""
    is_sqlite = database.engine.dialect.name == "sqlite"
    with database.read() as connection:
        rows = connection.all(f"EXPLAIN {'QUERY PLAN' if is_sqlite else ''} {sql}", **values)
    return "\n".join(str(row["detail"] if is_sqlite else row["QUERY PLAN"]) for row in rows)


def wholly_read(read: str) -> set[str]:
    """Name the tables that a plan reads without an index."""
    return set(re.findall(r"(?:Seq Scan on|SCAN) (\w+)(?! USING| using)\b", read)) & TABLES
