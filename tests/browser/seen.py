"""What must not be there when a person looks: errors, faults for a screen reader, a wide page."""

from collections.abc import Iterable
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

from tests.browser.chromium import FOLDER

AXE = FOLDER / "axe.min.js"
# The browser says this of each answer that is no success. The answers themselves are looked at.
OF_A_STATUS = "Failed to load resource: the server responded with a status of"
# Why a request has no answer when a person does not wait for the page.
LEFT = "net::ERR_ABORTED"
# The stylesheets are not read a second time: that serves one rule, of which no page has need.
RUN = """rules => axe.run({
  preload: false, resultTypes: ["violations"],
  rules: Object.fromEntries(rules.map(rule => [rule, {enabled: false}])),
}).then(told => told.violations)"""
WIDTH = "document.documentElement.scrollWidth"


class Faults:
    """What goes wrong while pages are shown: all that the browser itself complains of.

    A page may itself be answered with one of `statuses`; what belongs to a page may not.
    """

    def __init__(self, context: BrowserContext, statuses: Iterable[int] = ()) -> None:
        self.found: list[str] = []
        self.statuses = set(statuses)
        self._context = context
        context.on("console", self._hear)
        context.on("requestfailed", self._see_failure)
        context.on("response", self._see_answer)
        context.on("page", self._watch_issues)

    def check(self) -> None:
        """Fail if anything was found since the last time."""
        for page in self._context.pages:
            page.title()  # what the browser said before this answer has been heard
        found, self.found = self.found, []
        assert not found, "\n".join(found)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not message.text.startswith(OF_A_STATUS):
            self.found.append(f"console {message.type}: {message.text}")

    def _see_failure(self, request: Request) -> None:
        if request.failure != LEFT:
            self.found.append(f"{request.method} {request.url} failed: {request.failure}")

    def _see_answer(self, answer: Response) -> None:
        is_page = answer.request.is_navigation_request()
        if answer.status >= 400 and not (is_page and answer.status in self.statuses):
            self.found.append(f"{answer.request.method} {answer.url} is {answer.status}")

    def _watch_issues(self, page: Page) -> None:
        """Hear what the browser's developers see in its panel of issues: CSP, cookies, forms."""
        session = self._context.new_cdp_session(page)
        session.on("Audits.issueAdded", self._see_issue)
        session.send("Audits.enable")

    def _see_issue(self, event: dict[str, Any]) -> None:
        self.found.append(f"issue: {event['issue']}")


def check_axe(page: Page, excused: Iterable[str] = ()) -> None:
    """Fail if axe-core finds a fault, but for the excused rules.

    It needs a page that runs JavaScript, and leaves the page's Content-Security-Policy as it is.
    """
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE.read_text())
    violations = page.evaluate(RUN, list(excused))
    found = [
        f"{fault['id']}: {fault['help']}: {node['html']} {node['failureSummary']}"
        for fault in violations
        for node in fault["nodes"]
    ]
    assert not found, "\n".join(found)


def check_width(page: Page) -> None:
    """Fail if the page is wider than the window, so that one must scroll sideways."""
    assert page.viewport_size
    wide, most = page.evaluate(WIDTH), page.viewport_size["width"]
    assert wide <= most, f"{page.url} is {wide} wide, in a window of {most}"
