"""The work of a day in a browser without scripts: a row is closed, and a button acts once."""

from playwright.sync_api import Page, expect

from tests.browser.site import Payment, Site
from tests.browser.visits import OPERATOR, Visits

NOTE = "Returned in the console of Tranzzo"


def manual(site: Site) -> Payment:
    """A cancellation that only a person can finish."""
    return site.payment("toys", 48).pay().settle().cancel(501)


def row_of(page: Page, payment: Payment) -> str:
    """Go to the work, and return the address of the form that closes the row of a payment."""
    page.goto(f"{payment.site.url}/console/work?merchant=toys")
    row = page.locator("article", has=page.get_by_role("link", name=payment.id))
    return str(row.get_by_role("link", name="close the row").get_attribute("href"))


def test_a_row_is_closed_and_the_story_has_the_note(visits: Visits) -> None:
    payment = manual(visits.site)
    with visits.window(OPERATOR) as page:
        address = visits.site.url + row_of(page, payment)
        page.goto(address)
        page.get_by_role("button", name="Close the row").click()
        expect(page.locator("textarea:invalid")).to_have_count(1)
        page.get_by_label("What was done").fill(NOTE)
        page.get_by_role("button", name="Close the row").click()
        expect(page.get_by_role("status")).to_contain_text(NOTE)
        assert page.url == address
        page.reload()
        expect(page.get_by_role("status")).to_contain_text("This row is closed.")
        page.get_by_role("link", name="The story of this payment").click()
        expect(page.locator("ol#story")).to_contain_text(NOTE)


def test_back_to_the_form_and_sent_again_it_says_what_is_so(visits: Visits) -> None:
    payment = manual(visits.site)
    with visits.window(OPERATOR) as page:
        page.goto(visits.site.url + row_of(page, payment))
        page.get_by_label("What was done").fill(NOTE)
        page.get_by_role("button", name="Close the row").click()
        page.get_by_text("This row is closed.").wait_for()
        page.go_back()
        if page.get_by_label("What was done").count():
            page.get_by_label("What was done").fill("Another note")
            page.get_by_role("button", name="Close the row").click()
            expect(page.get_by_role("alert")).to_contain_text("Another note")
        expect(page.get_by_role("status")).to_contain_text(NOTE)


def test_a_button_pressed_twice_runs_a_notification_once(visits: Visits) -> None:
    payment = visits.site.payment("toys", 49).pay()
    with visits.window(OPERATOR) as page:
        page.goto(f"{visits.site.url}/console/notifications?merchant=toys")
        button = page.get_by_role("button", name=f"Run once more: {payment.id}")
        button.dblclick(no_wait_after=True)
        expect(page.get_by_role("status")).to_contain_text("The notification has run since.")
        expect(page.locator("dl.facts")).to_contain_text(payment.id)
        assert "?seen=1" in page.url
    rows = visits.site.rig.execute("SELECT payment_id, command FROM admin_events")
    assert 1 == [tuple(row) for row in rows].count((payment.id, "console run notification"))
