"""The `connector` command, whose worker dies once, before a statement of a connection.

The file that CRASH_FILE names holds the statement's number. A number that is too large lets the
worker die after the last statement, before the answer. The file is taken away then.
"""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from connector import cli
from connector.domain.authorization import Connected
from connector.signup import MerchantSignUp, Submission
from connector.storage.database import Connection

# The statements that are left until this thread dies. None: it does not.
running = threading.local()


def die() -> None:
    Path(os.environ["CRASH_FILE"]).unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def armed() -> int | None:
    file = Path(os.environ["CRASH_FILE"])
    return int(file.read_text()) if file.exists() else None


def plant() -> None:
    execute, connect = Connection._execute, MerchantSignUp.connect

    def execute_or_die(connection: Connection, sql: str, values: dict[str, Any]) -> None:
        left = getattr(running, "left", None)
        if left is not None:
            running.left = left - 1
            if running.left == 0:
                die()
        execute(connection, sql, values)

    def connect_or_die(signup: MerchantSignUp, submission: Submission) -> Connected:
        running.left = armed()
        try:
            connected = connect(signup, submission)
            if running.left is not None:
                die()
        finally:
            running.left = None
        return connected

    Connection._execute = execute_or_die  # type: ignore[method-assign]
    MerchantSignUp.connect = connect_or_die  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    cli.main()
