"""The `connector` command, whose process ends or stops itself once at a step of an operation.

The file that CRASH_FILE names holds a signal and a step, as "SIGKILL claimed"; it is taken away
when the step is reached. With "HOLD claimed" every thread that reaches the step stays there until
it is killed, and adds a line to the file of that name with ".held".
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connector import cli
from connector.domain import deadline
from connector.domain.operation import Lease
from connector.storage.database import Connection
from connector.storage.payments import Payments
from connector.storage.requests import Requests

# The step that a transaction of this thread is, between its last statement and its commit.
uncommitted = threading.local()
# Seconds; a test kills what is held long before.
HELD_SECONDS = 60


def reach(step: str) -> None:
    """Send this process the signal that is meant for this step, if any."""
    armed = Path(os.environ["CRASH_FILE"])
    try:
        name, awaited = armed.read_text().split()
    except FileNotFoundError:
        return
    if awaited == step and name == "HOLD":
        with armed.with_suffix(".held").open("a") as held:
            held.write(f"{threading.get_ident()}\n")
        time.sleep(HELD_SECONDS)
    elif awaited == step:
        armed.unlink()
        os.kill(os.getpid(), signal.Signals[name])
        # The signal reaches this thread a moment later: it must not go on until then.
        time.sleep(0.1)


def within(step: str, act: Callable[..., Any]) -> Callable[..., Any]:
    def acting(*args: Any, **values: Any) -> Any:
        uncommitted.step = step
        try:
            return act(*args, **values)
        finally:
            uncommitted.step = ""

    return acting


def around(step: str, act: Callable[..., Any], done: str) -> Callable[..., Any]:
    """Reach `step` before the commit of what is recorded, `done` after it."""
    acting = within(step, act)

    def acting_and_done(*args: Any, **values: Any) -> Any:
        result = acting(*args, **values)
        if result is not None:
            reach(done)
        return result

    return acting_and_done


def plant() -> None:
    run = Connection.run
    claim = within("claiming", Requests.claim)
    claim_due = within("claiming", Requests.claim_due)
    start_write = within("recording", Requests.start_write)
    record_outcome = within("ending", Requests.record_outcome)
    sleep = deadline.sleep

    def reach_and_sleep(seconds: float) -> None:
        reach("pausing")
        sleep(seconds)

    def run_and_perhaps_not_commit(connection: Connection, sql: str, **values: Any) -> int:
        if sql == "COMMIT":
            reach(getattr(uncommitted, "step", ""))
        return run(connection, sql, **values)

    def after_the_claim(claimed: Any) -> Any:
        if isinstance(claimed, Lease):
            reach("claimed")
        return claimed

    def after_start_send(*args: Any, **values: Any) -> None:
        start_write(*args, **values)
        reach("recorded")

    def around_record_outcome(*args: Any, **values: Any) -> None:
        reach("answered")
        record_outcome(*args, **values)
        reach("ended")

    deadline.sleep = reach_and_sleep
    Connection.run = run_and_perhaps_not_commit  # type: ignore[method-assign]
    Requests.claim = lambda *args, **values: after_the_claim(claim(*args, **values))  # type: ignore[method-assign]
    Requests.claim_due = lambda *args, **values: after_the_claim(claim_due(*args, **values))  # type: ignore[method-assign]
    Requests.start_write = after_start_send  # type: ignore[method-assign]
    Requests.record_outcome = around_record_outcome  # type: ignore[method-assign]
    Requests.record_notification = around("remembering", Requests.record_notification, "remembered")  # type: ignore[method-assign]
    Payments.take_callback = around("taking", Payments.take_callback, "taken")  # type: ignore[method-assign]
    Payments.end_callback = within("telling", Payments.end_callback)  # type: ignore[method-assign]


if __name__ == "__main__":
    plant()
    cli.main()
