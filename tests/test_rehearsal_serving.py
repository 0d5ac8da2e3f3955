import os
import sys
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner

from connector.cli.rehearse import rehearse as command
from connector.domain.errors import ConfigurationError
from connector.rehearsal import serving
from connector.rehearsal.authorization_cases import FLOW
from connector.rehearsal.serving import served

pytestmark = pytest.mark.slow

# A server that is ready at once, and shows what it was started with.
STAND_IN = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({**os.environ, "pid": os.getpid()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
if "invite" in sys.argv:
    print(json.dumps({"code": "an-invitation"}))
if "serve" in sys.argv:
    host, port = sys.argv[sys.argv.index("--bind") + 1].split(":")
    print("a fault", file=sys.stderr, flush=True)
    HTTPServer((host, int(port)), Handler).serve_forever()
"""


def use(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(serving, "_COMMAND", (sys.executable, "-c", script))


def test_the_server_is_of_its_own_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, STAND_IN)
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", "postgresql://shop@db.example/shop")
    with served(4711, ["tranzzo", "sandbox"]) as (url, invitation):
        environment = requests.get(f"{url}/readyz", timeout=5).json()
        folder = Path(environment["CONNECTOR_DATA_DIR"]).parent
        assert folder.is_dir()
    assert invitation == "an-invitation"
    assert "CONNECTOR_DATABASE_URL" not in environment
    assert environment["CONNECTOR_TEST_SUITE"] == "on"
    assert environment["CONNECTOR_PROVIDERS"] == "tranzzo,sandbox"
    assert environment["CONNECTOR_CALLBACK_HOSTS"] == "127.0.0.1:4711"
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(environment["pid"], 0)
    assert "a fault" in capsys.readouterr().err


@pytest.mark.parametrize(
    "script",
    [
        "raise SystemExit('broken')",
        "import sys; sys.exit('broken' if 'serve' in sys.argv else print('{\"code\": \"\"}'))",
    ],
)
def test_a_server_that_does_not_start_says_why(
    monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    use(monkeypatch, script)
    with pytest.raises(ConfigurationError, match="did not start:\nbroken"), served(1, []):
        pytest.fail("it did not start")


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--method", "Visa"],
        ["--method", "BankInvoice", "--method", "Promissories"],
        [argument for case in FLOW for argument in ("--case", case.name)],
    ],
)
def test_this_connector_passes(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, ["--serve", *arguments])
    assert result.exit_code == 0, result.output
    assert "fail " not in result.output
