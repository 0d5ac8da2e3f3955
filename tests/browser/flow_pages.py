"""The pages of the configuration flow, and the way to each."""

from playwright.sync_api import Page

from tests.browser.flow import Flow, keys_of, provider_of
from tests.browser.site import DEMO, Site


def invitation(site: Site, page: Page) -> None:
    invited = site.run("merchants", "invite", "--account", "mystore", "--provider", "tranzzo")
    page.goto(invited["link"])


def company(site: Site, page: Page) -> Flow:
    return Flow(site, page).begin()


def no_company(site: Site, page: Page) -> None:
    company(site, page).go_on()


def no_invitation(site: Site, page: Page) -> None:
    company(site, page).choose("tranzzo", "an-old-one").go_on()


def keys(site: Site, page: Page, shop: str = "toys") -> Flow:
    return company(site, page).choose(provider_of(shop)).go_on()


def keys_of_games(site: Site, page: Page) -> None:
    keys(site, page, "games")


def keys_of_coins(site: Site, page: Page) -> None:
    keys(site, page, "coins")


def no_keys(site: Site, page: Page) -> None:
    keys(site, page).go_on()


def wrong_keys(site: Site, page: Page) -> None:
    keys(site, page).give({**keys_of(site, "toys"), "api_secret": "mistyped"}).go_on()


def connected(site: Site, page: Page, shop: str = "books") -> None:
    keys(site, page, shop).close_admin().give(keys_of(site, shop)).go_on()


def connected_sandbox(site: Site, page: Page) -> None:
    connected(site, page, DEMO)


def unreachable(site: Site, page: Page) -> None:
    """A company that is down while its keys are tried."""
    for_books = keys(site, page, "books").close_admin().give(keys_of(site, "books"))
    site.company("books").inject("status_before", status=503, times=99)
    try:
        for_books.go_on()
    finally:
        site.company("books").show()
