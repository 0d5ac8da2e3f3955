"""Connects the sandbox in a process of its own, and perhaps dies before a statement of it.

`python -m tests.signup.connecting_process TOKEN INVITATION NUMBER` says "ready", waits for a line,
and connects. It kills itself before the statement of that number; 0 means never. It prints the
merchant's name and the code.
"""

import itertools
import os
import signal
import sys
from typing import Any

from connector import config, providers
from connector.app import build
from connector.signup import Submission
from connector.storage.database import Connection


def die_before(number: int) -> None:
    """Kill this process before that statement, counted from 1; COMMIT is a statement, too."""
    execute, counter = Connection._execute, itertools.count(1)

    def execute_or_die(connection: Connection, sql: str, values: dict[str, Any]) -> None:
        if next(counter) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        execute(connection, sql, values)

    Connection._execute = execute_or_die  # type: ignore[method-assign]


def main() -> None:
    token, invitation, number = sys.argv[1:]
    connector = build(config.from_environment(os.environ, providers.discover()))
    print("ready", flush=True)
    sys.stdin.readline()
    die_before(int(number))
    made = connector.signup.connect(Submission(token, "sandbox", {}, invitation))
    print(made.merchant, made.code, flush=True)


if __name__ == "__main__":
    main()
