"""The browser of the tests: `make test` installs the program, Playwright drives it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

# Where make has unpacked what it needs, and what else would do: any Chromium, named by its path.
FOLDER = Path(sys.prefix) / "browser"
PROGRAM = os.environ.get("TEST_BROWSER") or str(FOLDER / "chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    assert Path(PROGRAM).exists(), "there is no browser: run `make .venv/browser/.installed`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=PROGRAM, env=_environment(), args=["--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()


def _environment() -> dict[str, str | float | bool]:
    """Its libraries and fonts are those beside it, so that all machines see the same."""
    libraries = {"LD_LIBRARY_PATH": str(FOLDER / "lib"), "FONTCONFIG_PATH": str(FOLDER)}
    return {**os.environ, **libraries}
