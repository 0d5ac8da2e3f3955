"""The command as a process of its own."""

import itertools
import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.cli.shell import CREDENTIALS, SETTINGS, Operator, command
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import SECRET_KEY, Rig, Served, free_port

pytestmark = pytest.mark.slow


def test_the_settings_are_never_arguments(operator: Operator) -> None:
    """Whoever lists the processes of the machine must not see a secret."""
    help_texts = [
        operator.run(*command, "--help").stdout
        for command in (["merchants", "add"], ["merchants", "update"], ["serve"], ["check"])
    ]
    for text in help_texts:
        assert not re.search(r"--(api|token|secret|key|password)", text)
    result = operator.run("merchants", "add", "shop", "--provider", "tranzzo", "--api-key", "x")
    assert result.exit_code == 2


def test_a_process_reads_settings_from_its_input(rig: Rig) -> None:
    environment = {**os.environ, **rig.environment}
    arguments = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings", "-", "--json")
    done = command(*arguments, input=json.dumps(SETTINGS), env=environment)
    assert (0, "") == (done.returncode, done.stderr)
    assert CREDENTIALS == list(json.loads(done.stdout))
    assert SETTINGS == rig.connector.merchants.find("shop").merchant.settings


def test_a_process_fails_with_a_message_and_status_1(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CONNECTOR_DATA_DIR": str(tmp_path),
        "CONNECTOR_TEST_SUITE": "maybe",
    }
    done = command("merchants", "list", env=environment)
    assert (1, "") == (done.returncode, done.stdout)
    assert "Error: CONNECTOR_TEST_SUITE: give one of on, off\n" == done.stderr


def test_a_misspelt_variable_is_warned_of(rig: Rig) -> None:
    environment = {**os.environ, **rig.environment, "CONNECTOR_ANSWERS_SECONDS": "7"}
    done = command("merchants", "list", "--json", env=environment)
    assert (0, []) == (done.returncode, json.loads(done.stdout))
    assert "warning: CONNECTOR_ANSWERS_SECONDS is not a setting of this connector\n" == done.stderr


def test_the_command_is_installed_by_its_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("connector"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    for name in ("serve", "migrate", "merchants", "operations", "reconcile", "check", "demo"):
        assert re.search(rf"^  {name} ", done.stdout, re.MULTILINE)


def test_a_first_start_needs_no_setting_but_the_sandboxs_name(tmp_path: Path) -> None:
    """Migrate, make the demo merchant, list it: what `make run` does before it serves."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")
    } | {"CONNECTOR_PROVIDERS": "sandbox"}
    for arguments in (("migrate",), ("demo",)):
        done = command(*arguments, env=environment, cwd=tmp_path)
        assert (0, "") == (done.returncode, done.stderr)
    listed = command("merchants", "list", "--json", env=environment, cwd=tmp_path)
    assert ["demo"] == [row["merchant"] for row in json.loads(listed.stdout)]
    kept = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert 0o700 == stat.S_IMODE((tmp_path / "data").stat().st_mode)
    assert (0o600, 0o600) == (kept["secret.key"], kept["demo.json"])


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CONNECTOR_DATABASE_URL": "postgresql://u:p-word-1@[::1/db"}, "CONNECTOR_DATABASE_URL"),
        ({"CONNECTOR_DATABASE_URL": "postgresql://u:p-w/ord-1@h:1/db"}, "CONNECTOR_DATABASE_URL"),
        ({"CONNECTOR_DATABASE_URL": "sqlite:////dev/null/connector.db"}, "/dev/null"),
        ({"CONNECTOR_DATA_DIR": "/dev/null/x"}, "/dev/null/x"),
    ],
)
def test_a_database_that_cannot_be_is_one_message(
    tmp_path: Path, variables: dict[str, str], said: str
) -> None:
    environment = {
        **os.environ,
        "CONNECTOR_DATA_DIR": str(tmp_path),
        "CONNECTOR_SECRET_KEYS": SECRET_KEY,
        **variables,
    }
    done = command("merchants", "list", env=environment, cwd=tmp_path)
    assert (1, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("Error: ")
    assert said in done.stderr
    assert "ord-1" not in done.stderr


def test_serve_refuses_a_database_that_is_not_migrated(tmp_path: Path) -> None:
    environment = {**os.environ, "CONNECTOR_DATA_DIR": str(tmp_path)}
    done = command("serve", "--bind", f"127.0.0.1:{free_port()}", env=environment)
    assert (1, "") == (done.returncode, done.stdout)
    assert "run `connector migrate` first" in done.stderr


def test_serve_refuses_a_port_that_is_taken(rig: Rig) -> None:
    rig.add()
    with Served(rig) as served:
        bind = f"127.0.0.1:{served.port}"
        done = command("serve", "--bind", bind, env={**os.environ, **rig.environment})
        assert done.returncode == 1
        assert f"--bind {bind}: cannot be bound" in done.stderr
        assert 200 == served.cancel("P1").status_code


def noticed(status: int, ask: Callable[[], requests.Response]) -> bool:
    """Ask until the answer has the status, for the 5 seconds that a change may take."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if ask().status_code == status:
            return True
        time.sleep(0.2)
    return False


def test_a_served_connector_notices_a_command_within_5_seconds(rig: Rig) -> None:
    rig.add()
    environment = {**os.environ, **rig.environment}
    with Served(rig) as served:
        assert 200 == served.cancel("P1").status_code
        assert 0 == command("merchants", "disable", "shop", env=environment).returncode
        assert noticed(401, lambda: served.cancel("P2"))
        assert 0 == command("merchants", "enable", "shop", env=environment).returncode
        assert noticed(200, lambda: served.cancel("P2"))


def test_a_served_connector_notices_another_policy_within_5_seconds(rig: Rig) -> None:
    numbers = itertools.count(2)
    with TranzzoCompany() as company:
        rig.add(company)
        company.create("P1", state="captured")

        def cancelled() -> requests.Response:
            # Another payment each time: what a person was told to return stays that person's.
            payment_id = company.create(f"P{next(numbers)}", state="captured")
            return served.cancel(payment_id)

        environment = {**os.environ, **rig.environment}
        with Served(rig) as served:
            assert 501 == served.cancel("P1", "first").status_code
            arguments = ("merchants", "update", "shop", "--captured", "refund")
            assert 0 == command(*arguments, env=environment).returncode
            assert noticed(200, cancelled)
        assert [1] == list(company.effects.values())
