"""Alembic's environment: the engine comes from `connector.storage.migrate`."""

from alembic import context
from sqlalchemy import Connection, Engine, text

from connector.storage.tables import metadata

# Any number: replicas that start together wait for one another under it.
MIGRATION_LOCK = 8_630_101


def _upgrade(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def _run(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            connection.exec_driver_sql("BEGIN EXCLUSIVE")
            _upgrade(connection)
            connection.exec_driver_sql("COMMIT")
        return
    with engine.begin() as connection:
        connection.exec_driver_sql("BEGIN")
        # An index of millions of rows takes more than the seconds of one request.
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        _upgrade(connection)
        connection.exec_driver_sql("COMMIT")


_run(context.config.attributes["engine"])
