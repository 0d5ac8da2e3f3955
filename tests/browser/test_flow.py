"""A merchant connects in the browser, as VTEX's Admin leads there, with JavaScript off."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.flow import ADMIN, Flow, cancel, keys_of, provider_of
from tests.browser.keyboard import Keyboard
from tests.browser.site import DEMO, SHOPS, Site
from tests.browser.visits import Visits

TOKEN_ENDS = "UPDATE authorizations SET expires_at = 1"
# The company is asked for one second at most.
HANGS = {"kind": "slow_before", "operation": "*", "seconds": 4, "times": 5}
EVIL = "https://evil.example/"
Press = Callable[[Flow, Callable[[], object]], object]


@pytest.fixture
def flow(site: Site, visits: Visits) -> Iterator[Flow]:
    """The flow of a store that was never connected before; the browser complains of nothing."""
    number = str(site.count())
    store = "store" + "".join(chr(ord("a") + int(digit)) for digit in number)
    with visits.window() as page:
        flow = Flow(site, page, store)
        yield flow
        flow.faults.check()


def merchants_of(flow: Flow) -> list[str]:
    rows = flow.site.rig.execute("SELECT name FROM merchants WHERE store = :s", s=flow.store)
    return [row.name for row in rows]


def assert_connected(flow: Flow, shop: str, code: str) -> None:
    """Check that VTEX can fetch the keys and cancel with them, and that there is one merchant."""
    answer = flow.credentials(code)
    assert answer.status_code == 200, answer.text
    cancelled = cancel(flow.site, shop, answer.json())
    assert (200, None) == (cancelled.status_code, cancelled.json()["code"])
    assert 1 == len(merchants_of(flow))


@pytest.mark.parametrize("shop", [*SHOPS, DEMO])
def test_a_merchant_connects_and_the_first_cancellation_works(flow: Flow, shop: str) -> None:
    flow.begin()
    assert flow.store in flow.page.locator(".store").inner_text()
    flow.choose(provider_of(shop)).go_on()
    flow.give(keys_of(flow.site, shop)).go_on()
    flow.page.click("#return")
    assert_connected(flow, shop, flow.code())


def test_the_last_page_goes_on_by_itself(flow: Flow) -> None:
    flow.begin().choose("sandbox").go_on().give({}).go_on()
    assert flow.is_done
    assert_connected(flow, DEMO, flow.code())


def test_who_needs_more_time_can_stay_on_the_last_page(flow: Flow) -> None:
    flow.begin().choose("yandex_pay").go_on().give(keys_of(flow.site, "books")).go_on()
    assert 1 == flow.page.locator("meta[http-equiv=refresh]").count()
    flow.page.get_by_role("link", name="Stay on this page").click()
    flow.page.wait_for_url("**&stay=1")
    assert 0 == flow.page.locator("meta[http-equiv=refresh]").count()
    flow.page.click("#return")
    assert_connected(flow, "books", flow.code())


def test_a_keyboard_is_enough(flow: Flow) -> None:
    page, keyboard, shop = flow.page, Keyboard(flow.page), "toys"
    code = flow.invitation()
    flow.begin()
    keyboard.walk_to(page.locator("[name=provider]")).press("T")
    keyboard.walk_to(page.locator("[name=invitation]")).type(code)
    keyboard.press("Enter")
    page.wait_for_selector("[name=agree]")
    for name, value in keys_of(flow.site, shop).items():
        keyboard.walk_to(page.locator(f"[name={name}]")).type(value)
    keyboard.walk_to(page.locator("[name=agree]")).press("Space")
    keyboard.walk_to(flow.button).press("Enter")
    page.wait_for_selector("#return")
    keyboard.walk_to(page.locator("#return")).press("Enter")
    assert_connected(flow, shop, flow.code())


# What people do at a step, besides pressing its button once. `fill` fills the step in.


def press_twice(flow: Flow, _: Callable[[], object]) -> None:
    flow.button.dblclick()


def reload_after(flow: Flow, _: Callable[[], object]) -> None:
    flow.go_on().page.reload()


def reload_before(flow: Flow, fill: Callable[[], object]) -> None:
    flow.page.reload()
    fill()
    flow.go_on()


def go_back_and_press_again(flow: Flow, fill: Callable[[], object]) -> None:
    flow.go_on().page.go_back()
    if not flow.is_done:
        fill()
        flow.go_on()


def go_back_and_forward(flow: Flow, _: Callable[[], object]) -> None:
    flow.go_on().page.go_back()
    flow.page.go_forward()


MANNERS: list[Press] = [
    press_twice,
    reload_after,
    reload_before,
    go_back_and_press_again,
    go_back_and_forward,
]


@pytest.mark.parametrize("manner", MANNERS, ids=lambda manner: manner.__name__)
def test_whatever_is_pressed_there_is_one_merchant_and_a_way_back(
    flow: Flow, manner: Press
) -> None:
    keys, code = keys_of(flow.site, "books"), flow.invitation()
    flow.begin()
    for fill in (lambda: flow.choose("yandex_pay", code), lambda: flow.give(keys)):
        fill()
        manner(flow, fill)
    flow.page.click("#return")
    assert_connected(flow, "books", flow.code())


def test_from_the_admin_a_person_may_go_back_and_forward_again(flow: Flow) -> None:
    flow.begin().choose("yandex_pay").go_on().give(keys_of(flow.site, "books")).go_on()
    flow.page.click("#return")
    flow.code()
    flow.page.go_back()
    assert flow.is_done
    flow.page.click("#return")
    assert_connected(flow, "books", flow.code())


def test_an_ended_token_leads_nowhere(flow: Flow) -> None:
    flow.faults.statuses.add(410)
    flow.begin().choose("yandex_pay").go_on()
    flow.site.rig.execute(TOKEN_ENDS)
    flow.give(keys_of(flow.site, "books")).go_on()
    assert flow.page.get_by_role("alert").is_visible()
    assert not ADMIN.match(flow.page.url)
    assert "myvtex" not in flow.page.content()
    assert [] == merchants_of(flow)


def test_wrong_keys_are_refused_and_what_is_no_secret_stays(flow: Flow) -> None:
    keys = keys_of(flow.site, "toys")
    flow.begin().choose("tranzzo").go_on().give({**keys, "api_secret": "mistyped"}).go_on()
    assert not flow.is_done
    assert flow.page.get_by_role("alert").is_visible()
    assert [] == merchants_of(flow)
    assert keys["pos_id"] == flow.page.input_value("[name=pos_id]")
    assert "" == flow.page.input_value("[name=api_secret]")
    assert "mistyped" not in flow.page.content()
    flow.give(keys).go_on().page.click("#return")
    assert_connected(flow, "toys", flow.code())


def test_a_fault_stands_beside_its_field(flow: Flow) -> None:
    flow.begin().choose("tranzzo").go_on().go_on()
    for name in ("pos_id", "api_key", "agree"):
        field = flow.page.locator(f"[name={name}]")
        assert f"{name}-fault" in (field.get_attribute("aria-describedby") or "").split()
        assert flow.page.locator(f"#{name}-fault").inner_text()


def test_a_company_that_hangs_costs_a_moment_and_a_warning(flow: Flow) -> None:
    flow.begin().choose("yandex_pay").go_on().give(keys_of(flow.site, "books"))
    company = flow.site.company("books")
    company.inject(**HANGS)
    try:
        flow.go_on()
        assert flow.page.get_by_role("status").is_visible()
    finally:
        company.show()
    flow.page.click("#return")
    assert_connected(flow, "books", flow.code())


# Attacks that only a browser can show.


def test_somebody_with_the_link_of_a_connected_flow_gets_no_code(
    flow: Flow, visits: Visits
) -> None:
    flow.begin()
    link = flow.page.url
    flow.choose("sandbox").go_on().give({}).go_on()
    assert flow.is_done
    with visits.window() as thief:
        thief.goto(link)
        assert 0 == thief.locator("#return").count()
        assert "authorizationCode" not in thief.content()


def show_of_another_site(page: Page, body: str) -> None:
    """Show a page of a site that may call this machine, as it may call any server elsewhere."""
    page.context.grant_permissions(["local-network-access"])
    content = f"<!doctype html><html lang=en>{body}</html>"
    page.context.route(EVIL, lambda route: route.fulfill(content_type="text/html", body=content))
    page.goto(EVIL)


def test_another_site_cannot_post_a_form_of_ours(flow: Flow) -> None:
    address = f"{flow.begin().page.url}&provider=sandbox"
    fields = f"<input name=invitation value={flow.invitation()}><input name=agree value=y>"
    form = f"<form method=post action='{address}'>{fields}<button>Win</button></form>"
    show_of_another_site(flow.page, form)
    flow.faults.statuses.add(400)
    with flow.page.expect_navigation():
        flow.page.click("button")
    assert flow.page.get_by_role("alert").is_visible()
    assert [] == merchants_of(flow)


def test_another_site_cannot_show_a_page_of_ours_in_its_own(flow: Flow) -> None:
    address = flow.begin().page.url
    with flow.page.expect_console_message(lambda message: "frame-ancestors" in message.text):
        show_of_another_site(flow.page, f"<iframe src='{address}'></iframe>")
    (frame,) = [one for one in flow.page.frames if one != flow.page.main_frame]
    assert flow.store not in frame.content()
    flow.faults.found.clear()  # the browser has complained, as it must
