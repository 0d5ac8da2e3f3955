"""Signing in to the console, in a real browser and beside other sites."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.visits import MERCHANT, NOBODY, OPERATOR, Visits

# A site that is not ours. Each of its pages is answered by the test.
OTHER_SITE = "http://other.example.com/"
PRESS = "Sign in as"


@pytest.fixture
def window(visits: Visits) -> Iterator[Page]:
    with visits.window(NOBODY) as page:
        yield page


def show_other_site(page: Page, html: str) -> None:
    page.context.route(
        f"{OTHER_SITE}**", lambda route: route.fulfill(body=html, content_type="text/html")
    )
    page.goto(OTHER_SITE)


def is_signed_in(visits: Visits, page: Page) -> bool:
    page.goto(f"{visits.site.url}/console/")
    return page.get_by_role("button", name="Sign out").count() == 1


def test_a_link_from_another_site_signs_in_by_the_keyboard_alone(
    visits: Visits, window: Page
) -> None:
    show_other_site(window, f'<a href="{visits.link(OPERATOR)}">link</a>')
    window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    window.get_by_role("button", name=PRESS).wait_for()
    # First the link to the content, then the button.
    for _ in range(2):
        window.keyboard.press("Tab")
    window.keyboard.press("Enter")
    window.get_by_text("Ann, for all merchants").wait_for()
    assert window.url == f"{visits.site.url}/console/"


def test_a_link_to_a_payment_in_another_site_opens_it_for_who_is_signed_in(
    visits: Visits,
) -> None:
    path = visits.site.payments["held"].path
    with visits.window(OPERATOR) as page:
        show_other_site(page, f'<a href="{visits.site.url}{path}">payment</a>')
        page.get_by_role("link").click()
        page.locator("ol#story").wait_for()
        assert page.url == visits.site.url + path


def test_a_form_of_another_site_does_not_sign_out(visits: Visits, window: Page) -> None:
    window.goto(visits.link(MERCHANT))
    window.get_by_role("button", name=PRESS).click()
    assert is_signed_in(visits, window)
    proof = window.locator('input[name="csrf_token"]').first.get_attribute("value")
    action = f"{visits.site.url}/console/sign-out"
    form = f'<form method="post" action="{action}"><input name="csrf_token" value="{proof}">'
    show_other_site(window, f"{form}<button>win</button></form>")
    with window.expect_response(action) as answered:
        window.get_by_role("button").click()
    # The browser sends no cookie with such a form.
    assert answered.value.status == 401
    assert is_signed_in(visits, window)


def test_back_and_reload_after_the_sign_in_lead_on_to_the_console(
    visits: Visits, window: Page
) -> None:
    window.goto(visits.link(OPERATOR))
    window.get_by_role("button", name=PRESS).click()
    window.get_by_role("button", name="Sign out").wait_for()
    window.go_back()
    window.reload()
    window.get_by_role("link", name="You are signed in").click()
    assert window.url == f"{visits.site.url}/console/"


def test_the_button_pressed_twice_signs_in_once_and_leads_on(visits: Visits, window: Page) -> None:
    window.goto(visits.link(OPERATOR))
    before = len(visits.site.run("console", "sessions"))
    window.get_by_role("button", name=PRESS).dblclick(no_wait_after=True)
    window.get_by_text("Ann, for all merchants").wait_for()
    assert len(visits.site.run("console", "sessions")) == before + 1
    assert is_signed_in(visits, window)


def test_who_signs_out_sees_no_page_again_by_going_back(visits: Visits, window: Page) -> None:
    window.goto(visits.link(MERCHANT))
    window.get_by_role("button", name=PRESS).click()
    window.goto(f"{visits.site.url}/console/payments")
    window.get_by_role("button", name="Sign out").click()
    window.get_by_text("Nobody is signed in").wait_for()
    window.go_back()
    assert "toys" not in window.content()
    window.get_by_role("heading", name="Please sign in").wait_for()
