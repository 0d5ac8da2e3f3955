"""Counting, in a process whose disk has no room for its counts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

COUNT = """
import os, resource, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
if len(sys.argv) > 1:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
from connector import metrics
metrics.reserve(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
for _ in range(3):
    metrics.count_answer("cancel", "sandbox", 200)
    metrics.measure_call("tranzzo", "look", "ok", 0.1)
print(metrics.are_counted(), metrics.REQUESTS.labels("cancel", "sandbox", "200")._value.get()
      if metrics.are_counted() else "")
"""


def count(folder: Path, *limit: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", COUNT, *limit],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )


def test_counts_are_kept_in_the_room_that_was_reserved(tmp_path: Path) -> None:
    assert "True 3.0\n" == count(tmp_path).stdout
    sizes = {file.name.split("_")[0]: file.stat().st_size for file in tmp_path.iterdir()}
    assert {"counter": 128 * 1024, "histogram": 1024 * 1024} == sizes


def test_without_room_nothing_is_counted_and_it_is_said_once(tmp_path: Path) -> None:
    done = count(tmp_path, "65536")
    assert "False \n" == done.stdout
    assert 1 == done.stderr.count("metrics are not counted")
    assert [] == list(tmp_path.glob("*.db"))
