"""What the audit of the lock files says, and that silence is no answer."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
CLEAN = {"name": "flask", "version": "3.1.3", "vulns": []}
SKIPPED = {"name": "flask", "skip_reason": "Dependency not found and could not be audited"}
FAULT = {"id": "CVE-2026-1", "fix_versions": ["3.1.4"], "aliases": [], "description": "bad"}
FAULTY = {"name": "werkzeug", "version": "3.1.9", "vulns": [FAULT]}


def audited(folder: Path, printed: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the audit with a pip-audit that prints this."""
    package = folder / "pip_audit"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(
        f"import sys\nsys.stderr.write(' '.join(sys.argv))\nprint({printed!r})\nsys.exit({status})"
    )
    return subprocess.run(
        [sys.executable, ROOT / ".ci" / "audit.py", "requirements.txt"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def report(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_nothing_known_is_a_success(tmp_path: Path) -> None:
    done = audited(tmp_path, report(CLEAN))
    assert (0, "audit: none of 1 packages has a published fault\n") == (
        done.returncode,
        done.stdout,
    )


@pytest.mark.parametrize("beside", [CLEAN, SKIPPED])
def test_a_fault_fails_and_is_named(tmp_path: Path, beside: dict[str, Any]) -> None:
    done = audited(tmp_path, report(beside, FAULTY), status=1)
    assert (1, "werkzeug 3.1.9: CVE-2026-1, mended in 3.1.4\n") == (done.returncode, done.stdout)


@pytest.mark.parametrize("printed", ["", "<html>", "[]", "{}", report(), report(CLEAN, SKIPPED)])
@pytest.mark.parametrize("status", [0, 1])
def test_that_nobody_could_be_asked_is_said_aloud(
    tmp_path: Path, printed: str, status: int
) -> None:
    done = audited(tmp_path, printed, status)
    assert 75 == done.returncode
    assert done.stderr.startswith("NOT AUDITED: ")
    assert "" == done.stdout
