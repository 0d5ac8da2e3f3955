"""Metrics for Prometheus. A count that fails is skipped: no answer depends on a count."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

from prometheus_client import Counter, Histogram

log = logging.getLogger(__name__)

REQUESTS = Counter(
    "connector_requests_total", "Answers to VTEX", ["operation", "provider", "status"]
)
FIELDS = Counter(
    "connector_provider_fields_total",
    "Requests whose Provider Fields were not used as they came",
    ["provider", "outcome"],
)
UNAUTHORIZED = Counter("connector_unauthorized_total", "Callers that were not let in", ["reason"])
CALLS = Histogram(
    "connector_provider_call_seconds",
    "Calls to payment companies",
    ["provider", "operation", "outcome"],
    # Seconds: a company answers in tenths; CONNECTOR_PROVIDER_SECONDS ends a call.
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)

# Bytes of a process's file, for each kind of metric. All labels together take less.
RESERVED = {"counter": 128 * 1024, "histogram": 1024 * 1024}


def measure_call(provider: str, operation: str, outcome: str, seconds: float) -> None:
    _COUNTING.count(lambda: CALLS.labels(provider, operation, outcome).observe(seconds))


def count_answer(operation: str, provider: str, status: int) -> None:
    _COUNTING.count(lambda: REQUESTS.labels(operation, provider, str(status)).inc())


def count_fields(provider: str, outcome: str) -> None:
    _COUNTING.count(lambda: FIELDS.labels(provider, outcome).inc())


def count_unauthorized(reason: str) -> None:
    _COUNTING.count(lambda: UNAUTHORIZED.labels(reason).inc())


def are_counted() -> bool:
    """Whether every count of this process has succeeded."""
    return not _COUNTING.has_failed


def reserve(folder: Path) -> None:
    """Reserve disk space for the metrics of this process. Without the space, count nothing.

    The library maps its files into memory. On a full disk the system would kill a process that
    counts.
    """
    try:
        for kind, size in RESERVED.items():
            # The library uses an existing file of this name. Readers of the folder do not see the
            # file before it is complete, because it is renamed then.
            file = folder / f"{kind}_{os.getpid()}.new"
            file.write_bytes(bytes(size))
            file.replace(file.with_suffix(".db"))
    except OSError as error:
        _COUNTING.fail(error)
        _COUNTING.is_on = False


class _Counting:
    """The only place where metrics change. It logs the first failure, and never raises."""

    def __init__(self) -> None:
        self.is_on = True
        self.has_failed = False

    def count(self, change: Callable[[], None]) -> None:
        try:
            if self.is_on:
                change()
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is right
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """Log the first failure."""
        if not self.has_failed:
            self.has_failed = True
            log.error("metrics are not counted", exc_info=error)


_COUNTING = _Counting()
