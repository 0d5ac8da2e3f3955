"""Metrics, for Prometheus."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "connector_requests_total", "Answers to VTEX", ["operation", "provider", "status"]
)
CALLS = Histogram(
    "connector_provider_call_seconds",
    "Calls to payment companies",
    ["provider", "operation", "outcome"],
    # Seconds: a company answers in tenths; CONNECTOR_PROVIDER_SECONDS ends a call.
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)


def measure_call(provider: str, operation: str, outcome: str, seconds: float) -> None:
    CALLS.labels(provider, operation, outcome).observe(seconds)


def count_answer(operation: str, provider: str, status: int) -> None:
    REQUESTS.labels(operation, provider, str(status)).inc()
