"""A week with more requests than the overview reads, of every kind, and thousands of merchants."""

# ruff: noqa: S608 - only constants are put in

import time

from sqlalchemy import create_engine, text

from connector.domain.operation import Operation, State
from tests.console.million import FASTER, NUMBERS
from tests.rig import Rig

# More of each operation and state than the overview counts.
COUNT, MERCHANTS = 60_000, 3_000
WEEK = 7 * 86_400.0
STEPS = ("asked", "told", "ended")


def fill(rig: Rig) -> None:
    """Add merchants, and payments with a request and three steps each, in the last week."""
    engine = create_engine(rig.connector.database.engine.url)
    dialect = engine.dialect.name
    with engine.begin() as connection:
        for statement in (*FASTER[dialect], *_statements(NUMBERS[dialect], time.time())):
            connection.execute(text(statement))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _statements(numbers: str, now: float) -> list[str]:
    operations = " ".join(f"WHEN {n} THEN '{one}'" for n, one in enumerate(Operation))
    states = " ".join(f"WHEN {n} THEN '{one}'" for n, one in enumerate(State))
    # Each operation is in each state, and the merchants share both.
    operation = f"CASE n % {len(Operation)} {operations} END"
    state = f"CASE n / {len(Operation)} % {len(State)} {states} END"
    at = f"{now} - {WEEK} * n / {COUNT}"
    # Nearly all are of one merchant, and have many attempts, so that their steps are read.
    merchant = f"CASE WHEN n % 20 = 0 THEN 5 + n % {MERCHANTS} ELSE 1 END"
    return [
        f"""
        INSERT INTO merchants (name, provider, app_key, settings, sandbox, captured, disabled,
            revision, created_at, updated_at)
        {numbers.format(MERCHANTS)}
        SELECT 'busy-' || n, provider, app_key || n, settings, sandbox, captured, disabled, n, 1, 1
        FROM s CROSS JOIN merchants WHERE id = 1""",
        f"""
        INSERT INTO payments (merchant_id, payment_id, status, sends, created_at, updated_at,
            callback_at)
        {numbers.format(COUNT)}
        SELECT {merchant}, 'busy-' || n, 'APPROVED', 1, {at}, {at}, {at} FROM s""",
        f"""
        INSERT INTO requests (id, merchant_id, operation, payment_id, request_id, sandbox, state,
            attempts, looks, next_look_at, created_at, updated_at)
        {numbers.format(COUNT)}
        SELECT 'busy-' || n, {merchant}, {operation}, 'busy-' || n, '', false, {state}, 3, 0, {at},
            {at}, {at} + 1
        FROM s""",
        f"""
        INSERT INTO events (request, at, state, kind)
        {numbers.format(COUNT)}
        SELECT 'busy-' || n, {at}, 'running', kind
        FROM s CROSS JOIN ({" UNION ALL ".join(f"SELECT '{kind}' AS kind" for kind in STEPS)}) AS
            kinds""",
    ]
