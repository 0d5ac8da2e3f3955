from collections.abc import Iterator
from pathlib import Path
from shutil import copy

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import chromium
from tests.browser.site import Site
from tests.browser.visits import Visits


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests of a process."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def site(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One server for all tests of a process."""
    folder = tmp_path_factory.mktemp("site")
    copy(sqlite_template, folder / "connector.db")
    with Site(f"sqlite:///{folder}/connector.db", folder) as served:
        served.fill()
        yield served


@pytest.fixture(scope="session")
def visits(browser: Browser, site: Site) -> Visits:
    return Visits(browser, site)
