"""The `connector` command, whose process ends or stops itself once at a step of the cancellation.

The file that CRASH_FILE names holds a signal and a step, as "SIGKILL claimed"; it is taken away
when the step is reached.
"""

import os
import signal
from functools import wraps
from pathlib import Path
from typing import Any

from connector import cli
from connector.domain.operation import Turn
from connector.storage import requests as storage
from connector.storage.database import Connection
from connector.storage.requests import Requests

# The last statement of each transaction: reached, and not yet committed.
LAST_STATEMENTS = {
    storage._LEASE: "claiming",
    storage._REFERENCE: "recording",
    storage._EVENT: "ending",
}


def reach(step: str) -> None:
    """Send this process the signal that is meant for this step, if any."""
    armed = Path(os.environ["CRASH_FILE"])
    try:
        name, awaited = armed.read_text().split()
    except FileNotFoundError:
        return
    if awaited == step:
        armed.unlink()
        os.kill(os.getpid(), signal.Signals[name])


def plant() -> None:
    execute = Connection._execute
    claim, claim_due = Requests.claim, Requests.claim_due
    start_send, end_turn = Requests.start_send, Requests.end_turn

    @wraps(execute)
    def and_perhaps_die(self: Connection, sql: str, values: dict[str, Any]) -> None:
        execute(self, sql, values)
        if sql in LAST_STATEMENTS:
            reach(LAST_STATEMENTS[sql])

    def after_the_claim(claimed: Any) -> Any:
        if isinstance(claimed, Turn):
            reach("claimed")
        return claimed

    def after_start_send(*args: Any, **values: Any) -> None:
        start_send(*args, **values)
        reach("recorded")

    def around_end_turn(*args: Any, **values: Any) -> None:
        reach("answered")
        end_turn(*args, **values)
        reach("ended")

    Connection._execute = and_perhaps_die  # type: ignore[method-assign]
    Requests.claim = lambda *args, **values: after_the_claim(claim(*args, **values))  # type: ignore[method-assign]
    Requests.claim_due = lambda *args, **values: after_the_claim(claim_due(*args, **values))  # type: ignore[method-assign]
    Requests.start_send = after_start_send  # type: ignore[method-assign]
    Requests.end_turn = around_end_turn  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    cli.main()
