"""Starts a server for a rehearsal. Afterwards all its files are removed."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from connector.domain.errors import ConfigurationError

# Seconds in which the server must start, and in which it must end.
_START, _END = 60.0, 30.0
_COMMAND = (sys.executable, "-m", "connector.cli")
# Characters of the end of its log that are printed.
_TAIL = 2000


@contextmanager
def served(callback_port: int, providers: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Serve the test suite on a free port of this machine, with `providers`.

    Yields the base URL, and the code of an invitation to connect. Callbacks may go only to a port
    of this machine. The server uses none of this machine's CONNECTOR_ variables. Its errors are
    written to standard error. Raises ConfigurationError if the server does not start.
    """
    with tempfile.TemporaryDirectory(prefix="connector-rehearsal-") as folder:
        environment = _environment(Path(folder), callback_port, providers)
        bind = f"127.0.0.1:{_free_port()}"
        log = Path(folder) / "server.log"
        with log.open("wb") as output:
            _run(("migrate",), environment, output.fileno(), log)
            invitation = _invitation(environment, output.fileno(), log)
            with _run_server(bind, environment, output.fileno()) as process:
                _wait_until_ready(f"http://{bind}", process, log)
                yield f"http://{bind}", invitation
        sys.stderr.write(_faults(log))


def _environment(folder: Path, callback_port: int, providers: Iterable[str]) -> dict[str, str]:
    own = {name: text for name, text in os.environ.items() if not name.startswith("CONNECTOR_")}
    return {
        **own,
        "CONNECTOR_DATA_DIR": str(folder / "store"),
        "CONNECTOR_TEST_SUITE": "on",
        "CONNECTOR_PROVIDERS": ",".join(providers),
        "CONNECTOR_CALLBACK_HOSTS": f"127.0.0.1:{callback_port}",
        "CONNECTOR_METRICS_BIND": "off",
        "CONNECTOR_LOG_LEVEL": "ERROR",
    }


def _run(arguments: Iterable[str], environment: Mapping[str, str], errors: int, log: Path) -> str:
    """Run a command to its end, and return what it prints."""
    command = [*_COMMAND, *arguments]
    done = subprocess.run(  # noqa: S603 - ours
        command, check=False, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
    )
    if done.returncode:
        raise _start_failure(log)
    return done.stdout


def _invitation(environment: Mapping[str, str], errors: int, log: Path) -> str:
    """Return the code of an invitation for any VTEX account and any company."""
    made = json.loads(_run(("merchants", "invite", "--json"), environment, errors, log))
    return str(made["code"])


@contextmanager
def _run_server(
    bind: str, environment: Mapping[str, str], output: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the server, and always end its process."""
    command = [*_COMMAND, "serve", "--bind", bind, "--workers", "1"]
    process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + _START
    with requests.Session() as session:
        session.trust_env = False
        while time.monotonic() < until and process.poll() is None:
            with suppress(requests.RequestException):
                if session.get(f"{url}/readyz", timeout=5).ok:
                    return
            time.sleep(0.1)
    raise _start_failure(log)


def _start_failure(log: Path) -> ConfigurationError:
    return ConfigurationError(f"The server to rehearse with did not start:\n{_tail(log)}")


def _faults(log: Path) -> str:
    lines = _tail(log).splitlines(keepends=True)
    return "".join(line for line in lines if '"level": "INFO"' not in line)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-_TAIL:]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
