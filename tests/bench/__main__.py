"""Measure, print the table, and fail when a bound is passed."""

import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.domain.merchant import CapturedPolicy
from connector.storage.database import Database
from connector.storage.migrate import migrate
from tests.bench.hostile import MOST_MS, told
from tests.rig import Rig, Served, free_port, headers

ROUNDS = 5
REQUESTS = 1500
CONNECTIONS = 8
SETTINGS = {"pos_id": "pos", "api_key": "key", "api_secret": "secret", "endpoints_key": "key"}
COMPANY_SECONDS = 0.2
BARE = """
import os, sys
from connector.config import Settings
from tests.bench.bare import BareServer
port, workers, threads = sys.argv[2].split(",")
settings = Settings(metrics_bind="", log_level="ERROR")
BareServer(settings, bind=f"127.0.0.1:{port}", workers=int(workers), threads=int(threads),
           has_reconcile=False).run()
"""


@dataclass
class Bound:
    """One line of the table."""

    what: str
    measured: float
    bound: float
    unit: str = ""
    is_least: bool = False

    @property
    def holds(self) -> bool:
        return self.measured >= self.bound if self.is_least else self.measured <= self.bound

    def __str__(self) -> str:
        sign = "at least" if self.is_least else "at most"
        verdict = "yes" if self.holds else "NO"
        measured = f"{self.measured:.2f}{self.unit}"
        return f"| {self.what} | {measured} | {sign} {self.bound:g}{self.unit} | {verdict} |"


@contextmanager
def company(delay: float) -> Iterator[str]:
    port = free_port()
    arguments = [sys.executable, "-m", "tests.bench.company", str(port), str(delay)]
    process = subprocess.Popen(arguments)
    try:
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        process.kill()
        process.wait()


@contextmanager
def connector(company_url: str, *, workers: int, threads: int) -> Iterator[Served]:
    """Serve the connector on SQLite, configured as `make run` does."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/connector.db"
        database = Database(url)
        migrate(database)
        database.close()
        with Rig(url, Path(folder), CONNECTOR_TRANZZO_URL=company_url) as rig:
            merchants = rig.connector.merchants
            rig.merchants["shop"] = merchants.add(
                "shop", "tranzzo", SETTINGS, sandbox=False, captured=CapturedPolicy.MANUAL
            )
            with Served(rig, workers=workers, threads=threads, reconcile=True) as served:
                yield served


@contextmanager
def bare(company_url: str, *, workers: int, threads: int) -> Iterator[Served]:
    with tempfile.TemporaryDirectory() as folder, Rig("", Path(folder)) as rig:
        rig.merchants["shop"] = _Nobody()
        served = Served(
            rig,
            script=["-c", BARE],
            workers=workers,
            threads=threads,
            BENCH_COMPANY_URL=company_url,
        )
        served._arguments = [sys.executable, "-c", BARE, "-", f"{served.port},{workers},{threads}"]
        with served:
            yield served


class _Nobody:
    """Credentials of the same length as real ones."""

    app_key = secrets.token_hex(16)
    app_token = secrets.token_urlsafe(32)


def cpu_seconds(served: Served) -> float:
    times = [worker.cpu_times() for worker in served.workers()]
    return sum(one.user + one.system for one in times)


def load(served: Served, path: str, **spec: Any) -> dict[str, Any]:
    """Send a load; return the seconds it took and how often each HTTP status came."""
    spec = {
        "port": served.port,
        "path": path,
        "prefix": secrets.token_hex(6),
        "headers": headers(served.rig.merchants["shop"]),
        "requests": REQUESTS,
        "connections": CONNECTIONS,
        "seconds": 60,
        "fresh": False,
        **spec,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(spec).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def microseconds(served: Served, path: str, **spec: Any) -> float:
    """Return the server's CPU time per request."""
    before = cpu_seconds(served)
    statuses = load(served, path, **spec)["statuses"]
    if set(statuses) != {"200"}:
        raise SystemExit(f"{path}: {statuses}")
    return (cpu_seconds(served) - before) / sum(statuses.values()) * 1e6


def costs() -> list[Bound]:
    """Measure in turns, so that whatever else the machine does weighs on all alike."""
    cancellations, calls = "/payments/{}/cancellations", "/calls/{}"
    with ExitStack() as stack:
        company_url = stack.enter_context(company(0))
        ours = stack.enter_context(connector(company_url, workers=2, threads=8))
        theirs = stack.enter_context(bare(company_url, workers=2, threads=8))
        runs: list[tuple[str, Served, str, bool]] = [
            ("echo", theirs, cancellations, False),
            ("replay", ours, cancellations, False),
            ("calls", theirs, calls, True),
            ("fresh", ours, cancellations, True),
        ]
        found: dict[str, list[float]] = {name: [] for name, *_ in runs}
        for _ in range(ROUNDS + 1):
            for name, served, path, fresh in runs:
                found[name].append(microseconds(served, path, fresh=fresh))
        memory = max(worker.memory_info().rss for worker in ours.workers()) / 2**20
    # The first round warms up.
    medians = {name: statistics.median(values[1:]) for name, values in found.items()}
    for name, value in medians.items():
        print(f"{name}: {value:.0f} µs of CPU a request")
    return [
        Bound("replay, CPU of a bare Flask echo", medians["replay"] / medians["echo"], 1.8, " x"),
        Bound(
            "fresh cancellation, CPU of a bare view with the same calls",
            medians["fresh"] / medians["calls"],
            2.0,
            " x",
        ),
        Bound("resident memory of a worker", memory, 90, " MB"),
    ]


def throughput() -> list[Bound]:
    """Two workers of 64 threads at a company that takes 200 ms for each of two calls."""
    workers, threads = 2, 64
    allowed = workers * threads / (2 * COMPANY_SECONDS)
    spec = {"fresh": True, "connections": workers * threads, "requests": 10**6}
    with ExitStack() as stack:
        url = stack.enter_context(company(COMPANY_SECONDS))
        served = stack.enter_context(connector(url, workers=workers, threads=threads))
        load(served, "/payments/{}/cancellations", seconds=3, **spec)
        result = load(served, "/payments/{}/cancellations", seconds=12, **spec)
    print(f"200 ms company: {result}")
    share = result["statuses"].get("200", 0) / result["seconds"] / allowed * 100
    return [
        Bound(
            "throughput at a 200 ms company, of what its threads allow",
            share,
            90,
            " %",
            is_least=True,
        )
    ]


def hostility() -> list[Bound]:
    """The most expensive of what anybody can send, keys or not."""
    return [Bound("request of whoever has no keys, CPU", told(), MOST_MS, " ms")]


def main() -> None:
    os.environ.setdefault("PYTHONHASHSEED", "0")
    bounds = [*hostility(), *costs(), *throughput()]
    print("\n| What | Measured | Bound | Holds |\n|---|---|---|---|")
    print(*bounds, sep="\n")
    if not all(bound.holds for bound in bounds):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
