"""An operator, who runs commands."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from click.testing import CliRunner, Result

from connector.cli import main
from connector.domain.operation import CancelRequest
from connector.domain.payment import PaymentKey
from tests.rig import Rig

SETTINGS = {
    "pos_id": "pos-1",
    "api_key": "key-first-4711",
    "api_secret": "secret-second-4712",
    "endpoints_key": "endpoints-third-4713",
}
# The keys of what the commands print as JSON.
CREDENTIALS = ["merchant", "provider", "appKey", "appToken"]
OPERATION = [
    "merchant",
    "provider",
    "operation",
    "paymentId",
    "requestId",
    "state",
    "code",
    "reference",
    "attempts",
    "createdAt",
    "updatedAt",
]
STATES = ["running", "unknown", "waiting", "done", "manual", "failed"]


class Operator:
    """Runs commands beside a rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> Result:
        return CliRunner(env={**self.rig.environment, **environment}).invoke(
            main, list(arguments), input=stdin, catch_exceptions=False
        )

    def json(self, *arguments: str, stdin: str | None = None) -> Any:
        result = self.run(*arguments, "--json", stdin=stdin)
        assert (0, []) == (result.exit_code, warnings(result))
        return json.loads(result.stdout)

    def add(self, name: str = "shop", provider: str = "sandbox", *arguments: str) -> Any:
        return self.json("merchants", "add", name, "--provider", provider, *arguments)

    def add_tranzzo(self, settings: Any = SETTINGS, name: str = "shop") -> Result:
        arguments = ("merchants", "add", name, "--provider", "tranzzo", "--settings", "-")
        return self.run(*arguments, stdin=json.dumps(settings))

    def fails(self, *arguments: str, stdin: str | None = None, **environment: str) -> str:
        """Run what fails: one message on standard error, no trace, and status 1."""
        result = self.run(*arguments, stdin=stdin, **environment)
        assert (1, "") == (result.exit_code, result.stdout)
        assert result.stderr.startswith("Error: ")
        assert "Traceback" not in result.stderr
        return result.stderr


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """Undo what a command sets up in the logs, which is meant for a process of its own."""
    named = {name: logging.getLogger(name) for name in (None, "connector", "gunicorn.error")}
    before = {name: (logger.level, list(logger.handlers)) for name, logger in named.items()}
    try:
        yield
    finally:
        for name, (level, handlers) in before.items():
            named[name].setLevel(level)
            named[name].handlers = handlers


def warnings(result: Result) -> list[str]:
    """What stands on standard error besides the lines of the calls to companies."""
    lines = result.stderr.splitlines()
    return [line for line in lines if '"event": "provider call"' not in line]


def command(*arguments: str, **options: Any) -> Any:
    """Run the command as a process of its own."""
    whole = [sys.executable, "-m", "connector.cli", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, check=False, **options)


def lose_the_end(company: Any) -> None:
    """Cut the answer of a write off, and every look after it."""

    def lose(operation: str, when: str) -> None:
        if (operation, when) == ("void", "before"):
            company.inject("status_before", "look", status=502, times=99)

    company.hook = lose
    company.inject("reset_after", "void")


def cancel_one_of_each_state(operator: Operator, company: Any) -> None:
    """Let each payment of the shop be in the state that is its id."""
    rig = operator.rig
    rig.add(company)
    rig.add(name="other")
    # Seconds; as long as a write whose answer was lost is looked for.
    rig.configure(CONNECTOR_ANSWER_SECONDS="1.5")
    rig.cancel(company.create("done"))
    rig.cancel(company.create("manual", state="captured"))
    rig.cancel(company.create("waiting", state="paying"))
    company.inject("status_before", "look", status=429)
    rig.cancel(company.create("failed"))
    lose_the_end(company)
    rig.cancel(company.create("unknown"))
    company.hook = None
    company.faults.clear()
    rig.cancel("other", merchant="other")
    running = CancelRequest(1, PaymentKey("running"), "request-1")
    rig.connector.requests.claim(running, lease_seconds=60, first_look=60)
