"""People who look at the pages, each in a browser of their own, as it were."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.browser.site import Site

# Who looks: somebody without a session, an operator, or the people of this merchant.
NOBODY, OPERATOR, MERCHANT = "", "operator", "toys"
WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 360, "height": 740}


def some_address() -> dict[str, str]:
    """Return the header of a caller whom nobody has seen before: who asks often must wait."""
    number = [random.randrange(1, 255) for _ in range(3)]
    return {"X-Forwarded-For": ".".join(map(str, [198, *number]))}


class Visits:
    """Opens windows for people. Who is signed in once stays so in all windows of that person."""

    def __init__(self, browser: Browser, site: Site) -> None:
        self.site = site
        self._browser = browser
        self._cookies = cache(self._sign_in)

    @contextmanager
    def window(self, viewer: str = NOBODY, **options: Any) -> Iterator[Page]:
        """Open a window; with JavaScript off, unless the options say otherwise."""
        with self._context(viewer, **options) as context:
            yield context.new_page()

    @contextmanager
    def _context(self, viewer: str, **options: Any) -> Iterator[BrowserContext]:
        state = self._cookies(viewer) if viewer else None
        usual = {"java_script_enabled": False, "viewport": WIDE, "locale": "en"}
        usual["extra_http_headers"] = some_address()
        context = self._browser.new_context(storage_state=state, **usual | options)
        try:
            yield context
        finally:
            context.close()

    def link(self, viewer: str) -> str:
        """Return a new link into the console."""
        whose = ("Ann",) if viewer == OPERATOR else ("Bob", "--merchant", viewer)
        link: str = self.site.run("console", "link", "--name", *whose)["link"]
        return link

    def _sign_in(self, viewer: str) -> Any:
        with self._context(NOBODY) as context:
            page = context.new_page()
            page.goto(self.link(viewer))
            page.get_by_role("button").click()
            return context.storage_state()
