"""How a database reads for a statement, in a table with many rows."""

import re
from typing import Any

from connector.storage.database import Database

# So many rows make a database prefer an index.
MANY = 5_000
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
    sql = f"INSERT INTO requests ({', '.join(names)}) VALUES (:{', :'.join(names)})"  # noqa: S608
    with database.write() as connection:
        connection.run_for_each(sql, rows)


def add_many_requests(database: Database, **values: Any) -> None:
    """Fill the table, each request a second after the one before."""
    many = [{"id": f"many-{n:06}", "created_at": float(n), **values} for n in range(MANY)]
    add_requests(database, many)
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
