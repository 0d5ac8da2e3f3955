"""The checks of the other tests find what they must find."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.seen import Faults, check_axe, check_width

PLACE = "http://shop.example.com/"
POLICY = "default-src 'none'; style-src 'self'; form-action 'self'"
GOOD = "<p>Nothing is wrong here.</p>"
# What a browser complains of, by the word in its complaint.
COMPLAINTS = {
    "inline style": "<p style='color: red'>red</p>",
    "img-src": "<img src='https://elsewhere.example.com/x.png' alt='x'>",
    "/missing.css is 404": "<link rel=stylesheet href=/missing.css>",
    "/cut.css failed": "<link rel=stylesheet href=/cut.css>",
}
SHORTCOMINGS = {
    "image-alt": "<img src=/x.png>",
    "label": "<input name=unnamed>",
    "color-contrast": "<p class=pale>hardly seen</p>",
}


def written(body: str) -> str:
    head = "<title>A page</title><link rel=stylesheet href=/good.css>"
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8>{head}</head>"
        f"<body><main><h1>A page</h1>{body}</main></body></html>"
    )


@pytest.fixture(params=[False, True], ids=["without-javascript", "with-javascript"])
def context(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(java_script_enabled=request.param)
    yield made
    made.close()


def show(context: BrowserContext, body: str, status: int = 200) -> Page:
    """Show a page with this body, and answer what belongs to the page."""

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(PLACE)
        if path == "cut.css":
            route.abort()
        elif path == "good.css":
            route.fulfill(body=".pale { color: #ddd; background: #fff }", content_type="text/css")
        elif path:
            route.fulfill(status=404)
        else:
            headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html"}
            route.fulfill(status=status, body=written(body), headers=headers)

    context.route("**", answer)
    page = context.new_page()
    page.goto(PLACE)
    return page


@pytest.mark.parametrize("word", COMPLAINTS)
def test_what_the_browser_complains_of_is_a_fault(context: BrowserContext, word: str) -> None:
    faults = Faults(context)
    show(context, COMPLAINTS[word])
    assert word in "\n".join(faults.found)
    with pytest.raises(AssertionError):
        faults.check()


def test_a_script_is_a_fault_where_scripts_run(browser: Browser) -> None:
    context = browser.new_context()
    faults = Faults(context)
    show(context, "<script>1</script>")
    assert "inline script" in "\n".join(faults.found)
    context.close()


def test_an_issue_of_the_developers_panel_is_a_fault(context: BrowserContext) -> None:
    faults = Faults(context)
    context.route("**", lambda route: route.fulfill(body="no doctype", content_type="text/html"))
    context.new_page().goto(PLACE)
    with pytest.raises(AssertionError, match="QuirksModeIssue"):
        faults.check()


def test_a_good_page_has_no_fault(context: BrowserContext) -> None:
    faults = Faults(context)
    check_width(show(context, GOOD))
    faults.check()


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_page_that_fails_is_a_fault_unless_it_is_expected(
    context: BrowserContext, status: int
) -> None:
    faults = Faults(context)
    show(context, GOOD, status)
    assert [f"GET {PLACE} is {status}"] == faults.found
    faults.found.clear()
    faults.statuses.add(status)
    show(context, GOOD, status)
    faults.check()


@pytest.mark.parametrize("name", SHORTCOMINGS)
def test_axe_finds_what_a_screen_reader_would_miss(browser: Browser, name: str) -> None:
    context = browser.new_context()
    with pytest.raises(AssertionError, match=name):
        check_axe(show(context, SHORTCOMINGS[name]))
    check_axe(show(context, GOOD))
    context.close()


def test_a_page_wider_than_the_window_is_found(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800})
    check_width(show(context, GOOD))
    with pytest.raises(AssertionError):
        check_width(show(context, f"<p>{'w' * 100}</p>"))
    context.close()
