import os
import subprocess
import sys

import pytest

from tests.quick import ProcessStarted, is_quick


def test_a_quick_test_starts_no_process(request: pytest.FixtureRequest) -> None:
    assert is_quick(request.node)
    with pytest.raises(ProcessStarted):
        subprocess.run([sys.executable, "-c", ""], check=True)
    with pytest.raises(ProcessStarted):
        os.system("exit")  # noqa: S605


@pytest.mark.slow
def test_a_slow_test_may_start_one(request: pytest.FixtureRequest) -> None:
    assert not is_quick(request.node)
    subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize("kind", ["postgresql"])
def test_what_needs_postgresql_is_not_quick(request: pytest.FixtureRequest, kind: str) -> None:
    assert kind in request.node.name
    assert not is_quick(request.node)


def test_what_asks_for_a_database_server_is_not_quick(
    request: pytest.FixtureRequest, postgres_url: str
) -> None:
    assert postgres_url.startswith("postgresql://")
    assert not is_quick(request.node)
