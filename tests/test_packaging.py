"""The connector that a wheel installs, as in the container: whole, and its pages work."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Prints where the package is, then each answer's status and text.
SHOW = """
import os, sys, connector
from connector.app import build, create_app
from connector.config import from_environment
from connector.providers import discover
print(connector.__file__)
client = create_app(build(from_environment(os.environ, discover()))).test_client()
for path in sys.argv[1:]:
    answer = client.get(path, base_url="https://payments.example.com")
    print(path, answer.status_code, answer.get_data(as_text=True))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel with the pinned backend, as the Dockerfile does, and unpack it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    environment = {**os.environ, "PYTHONPATH": str(Path(sys.prefix) / ".backend")}
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, env=environment)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder / "installed")
    return folder / "installed"


def files_of(folder: Path) -> set[str]:
    files = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    return {path.relative_to(folder).as_posix() for path in files}


def test_the_wheel_has_every_file_of_the_package_and_the_contract(installed: Path) -> None:
    expected = files_of(ROOT / "connector") | {"openapi.yaml"}
    assert expected == files_of(installed / "connector")
    kinds = {Path(name).suffix for name in expected}
    assert {".py", ".html", ".css", ".po", ".yaml"} <= kinds


def run(installed: Path, data: Path, *arguments: str) -> str:
    own = {name: text for name, text in os.environ.items() if not name.startswith("CONNECTOR_")}
    environment = {
        **own,
        "PYTHONPATH": str(installed),
        "CONNECTOR_DATA_DIR": str(data),
        "CONNECTOR_CONSOLE": "on",
    }
    command = [sys.executable, "-P", *arguments]
    done = subprocess.run(
        command, check=True, env=environment, cwd=data, capture_output=True, text=True
    )
    return done.stdout


def test_the_pages_of_an_installed_connector_work(installed: Path, tmp_path: Path) -> None:
    run(installed, tmp_path, "-m", "connector.cli", "migrate")
    paths = ["/authorization/redirect?lang=ru", "/console/?lang=ru"]
    paths += ["/pages/style.css", "/openapi.yaml"]
    shown = run(installed, tmp_path, "-c", SHOW, *paths)
    assert str(installed / "connector" / "__init__.py") in shown
    flow, console, style, contract = shown.partition("\n/")[2].split("\n/", 3)
    for page in (flow, console):
        assert "<!doctype html>" in page
        assert '<html lang="ru">' in page
        assert "Перейти к содержанию" in page
    assert " 410 " in flow.splitlines()[0]
    assert style.startswith("pages/style.css 200 ")
    assert "openapi: 3" in contract
