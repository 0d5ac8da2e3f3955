"""Migrate a database to the tables that this code needs."""

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config

from connector.storage.database import Database

# Alembic keeps the state of a migration in a global.
_ONE_AT_A_TIME = threading.Lock()


def migrate(database: Database) -> None:
    """Run the missing migrations. Several replicas may do this again, and at the same time."""
    with _ONE_AT_A_TIME, database.alone():
        _migrate(database)


def _migrate(database: Database) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = database.engine
    command.upgrade(config, "head")
