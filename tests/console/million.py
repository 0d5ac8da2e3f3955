"""A million payments of several merchants, with their requests and their stories."""

# ruff: noqa: S608 - only constants are put in

from sqlalchemy import create_engine, text

from connector.storage import tables
from tests.rig import Rig

COUNT = 1_000_000
# Three merchants have nearly all payments. The last one has five.
MERCHANTS = ("shop", "other", "third", "small")
BEGIN = 1_700_000_000
# One in so many payments is REFUNDED, and all of those are old. One in so many is of the last
# merchant.
RARE, SMALL = 50_000, 200_000

# The numbers from 1 to a count, as a table.
NUMBERS = {
    "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {0})",
    "postgresql": "WITH s AS (SELECT generate_series(1::bigint, {0}) AS n)",
}
# An id with 32 digits, whose beginning is as good as random.
_ID = {
    "sqlite": "printf('%08X%024X', (n * {0}) % 4294967296, n)",
    "postgresql": "lpad(upper(to_hex((n * {0}) % 4294967296)), 8, '0')"
    " || lpad(upper(to_hex(n)), 24, '0')",
}
_PAYMENT, _TRANSACTION, _AUTHORIZATION, _OTHER = 2654435761, 668265263, 2246822519, 3266489917
# Nothing here needs to survive a power cut.
FASTER = {
    "sqlite": ("PRAGMA synchronous = OFF", "PRAGMA cache_size = -300000"),
    "postgresql": (
        "SET statement_timeout = 0",
        "SET maintenance_work_mem = '256MB'",
        "SET session_replication_role = replica",
    ),
}
# One in so many payments has a request, a step and an event of a person.
STORIES = 5
_FILLED = (tables.payments, tables.requests, tables.events, tables.admin_events)


def id_of(number: int, factor: int = _PAYMENT) -> str:
    """Return the payment id with a number."""
    return f"{number * factor % 2**32:08X}{number:024X}"


def transaction_of(number: int) -> str:
    return id_of(number, _TRANSACTION)


def order_of(number: int) -> str:
    """Return the order of a payment: three payments have one order."""
    return f"{1_000_000_000_000 + number // 3}"


def merchant_of(number: int) -> str:
    return MERCHANTS[number % 3]


def fill(rig: Rig) -> None:
    """Fill the database of a rig. To make its indexes at the end takes a third of the time."""
    for name in MERCHANTS:
        rig.add(name=name)
    engine = create_engine(rig.connector.database.engine.url)
    dialect = engine.dialect.name
    with engine.connect() as connection:
        for statement in FASTER[dialect]:
            connection.exec_driver_sql(statement)
        indexes = [index for table in _FILLED for index in table.indexes]
        for index in indexes:
            index.drop(connection)
        for statement in _statements(dialect):
            connection.execute(text(statement))
        for index in indexes:
            index.create(connection)
        connection.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _statements(dialect: str) -> list[str]:
    """Return the statements that fill the tables."""
    numbers = NUMBERS[dialect]
    payment, transaction, authorization, other = (
        _ID[dialect].format(factor) for factor in (_PAYMENT, _TRANSACTION, _AUTHORIZATION, _OTHER)
    )
    merchant = f"CASE WHEN n % {SMALL} = 7 THEN 4 ELSE 1 + n % 3 END"
    no = "0" if dialect == "sqlite" else "FALSE"
    # Eight payments have the same moment.
    moment = f"{BEGIN} + n / 8"
    return [
        f"""
        INSERT INTO payments (
            merchant_id, payment_id, transaction_id, order_id, authorization_id,
            provider_payment_id, status, sandbox, sends, amount, currency, created_at, updated_at)
        {numbers.format(COUNT)}
        SELECT {merchant}, {payment}, {transaction}, CAST(1000000000000 + n / 3 AS TEXT),
            {authorization}, {other},
            CASE WHEN n % {RARE} = 0 AND n < {COUNT // 2} THEN 'REFUNDED'
                WHEN n % 10 < 6 THEN 'SETTLED' WHEN n % 10 < 9 THEN 'CANCELLED'
                ELSE 'DENIED' END,
            {no}, 1, '10.00', 'BRL', {moment}, {moment}
        FROM s""",
        f"""
        INSERT INTO requests (
            id, merchant_id, operation, payment_id, request_id, sandbox, state, attempts, looks,
            created_at, updated_at)
        {numbers.format(COUNT)}
        SELECT {authorization}, {merchant}, 'create', {payment}, '', {no}, 'done', 1, 0,
            {moment}, {moment}
        FROM s WHERE n % {STORIES} = 0""",
        f"""
        INSERT INTO events (
            request, at, state, kind, attempt, amount, http_status, word)
        {numbers.format(COUNT)}
        SELECT {authorization}, {moment}, 'done', 'told', 1, '10.00', 200, 'APPROVED'
        FROM s WHERE n % {STORIES} = 0""",
        f"""
        INSERT INTO admin_events (merchant_id, at, actor, command, changed, payment_id)
        {numbers.format(COUNT)}
        SELECT {merchant}, {moment}, 'Anna', 'console resend',
            '{{"settings": {{}}, "options": {{}}}}', {payment}
        FROM s WHERE n % {STORIES} = 0""",
    ]
