from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests.companies.registry import COMPANIES
from tests.rig import Rig, Served
from tests.vtex.authorization.merchant import Merchant

PUBLIC_URL = "https://pay.example.com"


@pytest.fixture(scope="session")
def companies() -> Iterator[dict[str, Any]]:
    """A stand-in of each company, by name."""
    with ExitStack() as stack:
        yield {entry.name: stack.enter_context(entry.open()) for entry in COMPANIES}


@pytest.fixture(scope="module")
def flow_rig(
    companies: dict[str, Any], sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("flow")
    copy(sqlite_template, folder / "connector.db")
    url = f"sqlite:///{folder}/connector.db"
    variables = {"CONNECTOR_PUBLIC_URL": PUBLIC_URL, "CONNECTOR_PROXIES": "127.0.0.1/32"}
    with Rig(url, folder, **variables) as rig:
        for company in companies.values():
            rig.use(company)
        yield rig


@pytest.fixture(scope="module")
def server(flow_rig: Rig) -> Iterator[Served]:
    with Served(flow_rig, threads=8) as served:
        yield served


@pytest.fixture
def merchant(server: Served) -> Merchant:
    return Merchant(server)
