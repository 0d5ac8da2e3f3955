"""Among a million payments each page is as quick as among a few: it reads a few rows."""

import itertools
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psutil
import pytest

from connector.console.payments import ROWS_OF_A_PAGE, write_position
from connector.domain.payment import PaymentStatus
from connector.storage import (
    merchant_list,
    overview,
    payment_history,
    payment_search,
    statements,
)
from connector.storage.database import Database
from connector.storage.payment_search import Filters, Position
from tests.console import busy_week, million
from tests.console.million import COUNT, id_of, merchant_of, order_of, transaction_of
from tests.console.visitor import Visitor, ids, steps
from tests.rig import Rig
from tests.storage.plans import plan, wholly_read

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

# Rows that one page may read. A page has 50 payments, and reads one more of each of six statuses.
MOST_ROWS = 2_000
# Steps of SQLite's machine in which it reads such a page. To read all rows takes millions.
MOST_STEPS = 100_000
# Seconds of processor time for a page, as an average: the bound of the product.
MOST_SECONDS = 0.1
# The overview judges thousands of rows.
MOST_SECONDS_OF_OVERVIEW = 0.25
PAGES = 6
# The overview may read so many times as many rows as a page of payments.
MOST_SHARE = 100
MIDDLE = Position(million.BEGIN + COUNT / 16, 2, id_of(COUNT // 2))
NUMBER = 777_775

CONDITIONS: list[dict[str, Any]] = [
    {"merchant_id": merchant, "status": status, **span, "after": after, "id": id_}
    for merchant, status, span, after, id_ in itertools.product(
        (None, 1, 4),
        (None, PaymentStatus.SETTLED, PaymentStatus.REFUNDED, PaymentStatus.PENDING),
        ({}, {"since": million.BEGIN + 1000.0, "until": million.BEGIN + 60_000.0}),
        (None, MIDDLE),
        ("", transaction_of(NUMBER), order_of(NUMBER), id_of(NUMBER).lower()),
    )
]


@pytest.mark.timeout(300)
def test_each_page_reads_a_few_rows_of_an_index(rig_on_both: Rig) -> None:
    million.fill(rig_on_both)
    database = rig_on_both.connector.database
    for given in CONDITIONS:
        conditions = dict(given)
        after = conditions.pop("after") or payment_search._BEGIN
        filters = Filters(**conditions)
        values = {"most": ROWS_OF_A_PAGE + 1, **payment_search._values(filters, after)}
        check(database, payment_search._statement(filters), values)
    key = {"merchant_id": 1 + NUMBER % 3, "payment_id": id_of(NUMBER)}
    check(database, payment_history.PAYMENT, key)
    check(database, payment_history.EVENTS_OF_PAYMENT, {"most": 50, **key})
    check(database, statements.WRITES, key)
    name = {"merchant": merchant_of(NUMBER), "payment_id": id_of(NUMBER)}
    check(database, statements.STORY, {"most": 1001, **name})
    check(database, statements.MERCHANTS_OF_PAYMENT, {"payment_id": id_of(NUMBER)})
    check_that_a_bad_plan_is_seen(database)
    check_pages(rig_on_both)
    check_overview(rig_on_both)


def check_overview(rig: Rig) -> None:
    """The overview and the list of merchants read more rows than other pages, but a limited number.

    They are measured when more of everything waits than they count.
    """
    busy_week.fill(rig)
    database, since = rig.connector.database, time.time() - busy_week.WEEK
    for merchant_id in (None, 1):
        known = {"merchant_id": merchant_id, "since": since}
        waiting = overview.WAITING[merchant_id is not None]
        check_few(database, waiting, {"most": overview.MOST_WAITING, **known})
        judged = overview.JUDGED[merchant_id is not None]
        check_few(database, judged, {"most": overview.MOST_JUDGED, **known})
        for sql in (overview.DUE_CALLBACKS, overview.DUE_LOOKS):
            check_few(database, sql, {"most": overview.MOST_DUE, "merchant_id": merchant_id or 0})
    wanted = {"after": "busy-2", "wanted": "%", "suite": "", "merchant_id": 0, "most": 51}
    check_few(database, merchant_list.LISTED, wanted)
    operator, person = Visitor(rig), Visitor(rig, "shop")
    assert "Look at this." in operator.text("/console/")
    assert "busy-200" in operator.text("/console/merchants", after="busy-2")
    spent = {
        (visitor is operator, path): seconds_of(rig, partial(visitor.text, path)) / PAGES
        for visitor, path in (
            (operator, "/console/"),
            (person, "/console/"),
            (operator, "/console/merchants"),
            (operator, "/console/merchants?q=busy-2999"),
            (operator, "/console/merchants/shop"),
        )
    }
    late = {page: seconds for page, seconds in spent.items() if seconds >= MOST_SECONDS_OF_OVERVIEW}
    assert {} == late


def check_few(database: Database, sql: str, values: dict[str, Any]) -> None:
    """Check that a statement reads no large table wholly, and a limited number of rows.

    Each step of a plan counts its rows: a statement with many steps counts a row several times.
    """
    read = plan(database, sql, **values)
    assert set() == wholly_read(read) & {"payments", "requests", "events"}, read
    assert rows_read(database, sql, values) < MOST_SHARE, (read, values)


def check(database: Database, sql: str, values: dict[str, Any]) -> None:
    read = plan(database, sql, **values)
    assert set() == wholly_read(read) & {"payments", "requests", "events", "admin_events"}, read
    assert "SCAN admin_events" not in read
    assert rows_read(database, sql, values) < 1, (read, values)


def check_that_a_bad_plan_is_seen(database: Database) -> None:
    """The checks fail for a statement that no index serves."""
    sql = "SELECT payment_id FROM payments WHERE amount = :amount ORDER BY updated_at LIMIT 1"
    with pytest.raises(AssertionError):
        check(database, sql, {"amount": "1"})
    assert rows_read(database, sql, {"amount": "1"}) > 1


def rows_read(database: Database, sql: str, values: dict[str, Any]) -> float:
    """Run a statement. Return what it reads, as a share of the most that a page may read."""
    if database.engine.dialect.name == "sqlite":
        return _machine_steps(database, sql, values) / MOST_STEPS
    with database.read() as connection:
        connection.run("SET statement_timeout = 0")
        (row,) = connection.all(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", **values)
    (explained,) = row.values()
    explained = json.loads(explained) if isinstance(explained, str) else explained
    return _rows_of(explained[0]["Plan"]) / MOST_ROWS


def _machine_steps(database: Database, sql: str, values: dict[str, Any]) -> int:
    count = itertools.count()
    with database.read() as connection:
        driver: sqlite3.Connection = connection._cursor.connection
        driver.set_progress_handler(lambda: next(count) and 0, 100)
        connection.all(sql, **values)
        driver.set_progress_handler(None, 0)
    return 100 * next(count)


def _rows_of(node: dict[str, Any]) -> int:
    """Count the rows that a plan read, also those that it threw away."""
    each = node["Actual Rows"] + sum(
        rows for name, rows in node.items() if name.startswith("Rows Removed")
    )
    below = sum(_rows_of(child) for child in node.get("Plans", []))
    return int(each * node["Actual Loops"]) + below


def check_pages(rig: Rig) -> None:
    """Load the pages as people do, and measure the processors of this process and PostgreSQL."""
    operator, person = Visitor(rig), Visitor(rig, "shop")
    number = NUMBER - NUMBER % 15
    story = f"/console/payments/{merchant_of(number)}/{id_of(number)}"
    assert [id_of(number)] == ids(operator.text("/console/payments", q=transaction_of(number)))
    assert ["We told VTEX: the payment is approved.", "Anna used: console resend."] == steps(
        operator.text(story)
    )
    after = write_position(MIDDLE)
    list_ = "/console/payments"
    for load in (
        lambda: operator.text(list_),
        lambda: operator.text(list_, after=after),
        lambda: operator.text(list_, status="REFUNDED"),
        lambda: operator.text(list_, merchant="small", since="2023-11-14"),
        lambda: operator.text(list_, q=id_of(number)),
        lambda: operator.text(list_, q=order_of(number), status="DENIED"),
        lambda: person.text(list_),
        lambda: person.text(list_, status="SETTLED", after=after),
        lambda: person.text(list_, q=order_of(number)),
        lambda: operator.text(story),
    ):
        assert seconds_of(rig, load) / PAGES < MOST_SECONDS


def seconds_of(rig: Rig, load: Callable[[], str]) -> float:
    """Load a page several times. Return the processor time."""
    load()
    with _processor_time(rig) as spent:
        for _ in range(PAGES):
            load()
    return sum(spent)


@contextmanager
def _processor_time(rig: Rig) -> Iterator[list[float]]:
    spent: list[float] = []
    servers = _servers(rig)
    begin = time.thread_time() + sum(map(_seconds, servers))
    yield spent
    spent.append(time.thread_time() + sum(map(_seconds, servers)) - begin)


def _servers(rig: Rig) -> list[psutil.Process]:
    """Return the processes of PostgreSQL that serve this connector."""
    if rig.connector.database.engine.dialect.name == "sqlite":
        return []
    sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
    return [psutil.Process(row.pid) for row in rig.execute(sql)]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system
