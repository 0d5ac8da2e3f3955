"""Many who ask at once, each server in its turn."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests import postgres
from tests.rig import Rig, Served

Ask = Callable[[Served], Any]


def ask_at_once(servers: list[Served], asks: list[Ask]) -> list[Any]:
    """Do all of it at the same moment; return the answers."""
    barrier = threading.Barrier(len(asks))

    def send(number: int, ask: Ask) -> Any:
        barrier.wait()
        return ask(servers[number % len(servers)])

    with ThreadPoolExecutor(len(asks)) as pool:
        sent = [pool.submit(send, *one) for one in enumerate(asks)]
        return [one.result() for one in sent]


@contextmanager
def served(rig: Rig, count: int) -> Iterator[list[Served]]:
    """Serve a rig by this many servers of two workers each."""
    with ExitStack() as stack:
        servers = [Served(rig, workers=2, is_killed=True) for _ in range(count)]
        for server in servers:
            stack.enter_context(server)
            stack.callback(server.kill)
        yield servers


@contextmanager
def database(request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    """Yield the address of a database of the kind that is the fixture's parameter."""
    if request.param == "sqlite":
        copy(request.getfixturevalue("sqlite_template"), folder / "connector.db")
        yield f"sqlite:///{folder}/connector.db"
        return
    server_url = request.getfixturevalue("postgres_url")
    url = postgres.new_database(server_url, request.getfixturevalue("postgres_template"))
    yield url
    postgres.drop_database(server_url, url)
