"""Every page that a person can see, and the way there: for the checks and for the pictures."""

from collections.abc import Callable
from dataclasses import dataclass

from playwright.sync_api import Page

from tests.browser import flow_pages
from tests.browser.site import Site
from tests.browser.visits import MERCHANT, NOBODY, OPERATOR

PAYMENT = "/console/payments/<merchant>/<payment_id>"
Way = Callable[[Site, Page], object]


@dataclass(frozen=True)
class Shown:
    """A page. `rule` is its route's, `statuses` are what it may be answered with.

    `way` leads a window there, step by step. `viewer` is who looks. `excused` are rules of axe-core
    that the page breaks for a good reason.
    """

    name: str
    rule: str
    way: Way
    viewer: str = NOBODY
    statuses: tuple[int, ...] = ()
    excused: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.file

    @property
    def file(self) -> str:
        return self.name.replace(" ", "-")


def at(path: str) -> Way:
    return lambda site, page: page.goto(site.url + path)


def payment(word: str) -> Way:
    """Lead to the story of the payment with this word in the site's table."""
    return lambda site, page: page.goto(site.url + site.payments[word].path)


def look_at(word: str) -> Way:
    """Lead to the story of a payment, and ask its company."""

    def way(site: Site, page: Page) -> None:
        page.goto(site.url + site.payments[word].path)
        page.locator("form[action$='/look'] button").click()
        page.wait_for_url("**#look")

    return way


def link(site: Site, *merchant: str) -> str:
    """Return a link into the console, of an operator or of a merchant's person."""
    whose = ("--merchant", *merchant) if merchant else ()
    return str(site.run("console", "link", "--name", "Ann O'Neil", *whose)["link"])


def first_link(path: str, start: str) -> Way:
    """Lead to the first address on a page that begins so."""

    def way(site: Site, page: Page) -> None:
        page.goto(site.url + path)
        page.locator(f'a[href^="{start}"]').first.click()

    return way


def pressed(path: str, action: str) -> Way:
    """Lead to a page and press the button of the form whose address ends with a word."""

    def way(site: Site, page: Page) -> None:
        page.goto(site.url + path)
        page.locator(f'form[action$="/{action}"] button').click()

    return way


# The last page of the flow goes on by itself. A link on it stops that, which axe-core cannot know.
GOES_ON = ("meta-refresh",)
REDIRECT = "/authorization/redirect"
FLOW = [
    Shown("invitation", "/authorization/invitation", flow_pages.invitation),
    Shown(
        "invitation too late",
        "/authorization/invitation",
        at("/authorization/invitation?invitation=x"),
        statuses=(410,),
    ),
    Shown("flow too late", REDIRECT, at(f"{REDIRECT}?token=x"), statuses=(410,)),
    Shown("company", REDIRECT, flow_pages.company),
    Shown("company not chosen", REDIRECT, flow_pages.no_company),
    Shown("company without invitation", REDIRECT, flow_pages.no_invitation),
    Shown("keys", REDIRECT, flow_pages.keys),
    Shown("keys of games", REDIRECT, flow_pages.keys_of_games),
    Shown("keys of coins", REDIRECT, flow_pages.keys_of_coins),
    Shown("keys not given", REDIRECT, flow_pages.no_keys),
    Shown("keys refused", REDIRECT, flow_pages.wrong_keys),
    Shown("connected", REDIRECT, flow_pages.connected, excused=GOES_ON),
    Shown("connected sandbox", REDIRECT, flow_pages.connected_sandbox, excused=GOES_ON),
    Shown("connected unreachable", REDIRECT, flow_pages.unreachable, excused=GOES_ON),
]
MERCHANT_PAGE = "/console/merchants/<name>"
INVITATIONS = "/console/invitations"
MERCHANTS = [
    Shown("merchants", "/console/merchants", at("/console/merchants"), OPERATOR),
    Shown("no merchant", "/console/merchants", at("/console/merchants?q=none"), OPERATOR),
    Shown("merchants of a merchant", "/console/merchants", at("/console/merchants"), MERCHANT),
    Shown("merchant", MERCHANT_PAGE, at("/console/merchants/books"), OPERATOR),
    Shown("merchant of a merchant", MERCHANT_PAGE, at("/console/merchants/toys"), MERCHANT),
    Shown("merchant checked", MERCHANT_PAGE, pressed("/console/merchants/toys", "check"), OPERATOR),
    Shown("new token", f"{MERCHANT_PAGE}/rotate", at("/console/merchants/coins/rotate"), OPERATOR),
    Shown(
        "new token shown",
        f"{MERCHANT_PAGE}/rotate",
        pressed("/console/merchants/coins/rotate", "rotate"),
        OPERATOR,
    ),
    Shown(
        "disable a merchant",
        f"{MERCHANT_PAGE}/disable",
        at("/console/merchants/coins/disable"),
        OPERATOR,
    ),
    Shown(
        "enable a merchant",
        f"{MERCHANT_PAGE}/enable",
        at("/console/merchants/coins/enable"),
        OPERATOR,
    ),
    Shown("invite", INVITATIONS, at(INVITATIONS), OPERATOR),
    Shown("invited", INVITATIONS, pressed(INVITATIONS, "invitations"), OPERATOR),
]
PAGES = [
    *FLOW,
    Shown("nowhere", "/console/<path:rest>", at("/console/nowhere"), statuses=(401, 404)),
    Shown("sign in", "/console/sign-in", lambda site, page: page.goto(link(site))),
    Shown(
        "sign in for a merchant",
        "/console/sign-in",
        lambda site, page: page.goto(link(site, MERCHANT)),
    ),
    Shown("sign in without a link", "/console/sign-in", at("/console/sign-in")),
    Shown("sign in too late", "/console/sign-in", at("/console/sign-in?code=x"), statuses=(410,)),
    Shown("overview", "/console/", at("/console/"), OPERATOR),
    Shown("overview of a merchant", "/console/", at("/console/"), MERCHANT),
    Shown("work", "/console/work", at("/console/work"), OPERATOR),
    Shown("work of a merchant", "/console/work", at("/console/work"), MERCHANT),
    Shown(
        "close a row",
        "/console/close/<row_id>",
        first_link("/console/work", "/console/close/"),
        OPERATOR,
    ),
    Shown("payments", "/console/payments", at("/console/payments"), OPERATOR),
    Shown("payments of a merchant", "/console/payments", at("/console/payments"), MERCHANT),
    Shown("no payment", "/console/payments", at("/console/payments?q=none"), OPERATOR),
    Shown(
        "payments with faults",
        "/console/payments",
        at("/console/payments?status=x&since=x&until=x&merchant=x&after=x"),
        OPERATOR,
        statuses=(400,),
    ),
    *(
        Shown(f"payment {word}", PAYMENT, payment(word), OPERATOR)
        for word in ("settled in part", "returned in part", "closed by hand", "cut off", "markup")
    ),
    Shown("payment of a merchant", PAYMENT, payment("manual"), MERCHANT),
    Shown("payment looked at", PAYMENT, look_at("returned in part"), OPERATOR),
    Shown("notifications", "/console/notifications", at("/console/notifications"), OPERATOR),
    Shown(
        "notifications of a merchant",
        "/console/notifications",
        at("/console/notifications"),
        MERCHANT,
    ),
    Shown(
        "run a notification",
        "/console/notifications/run/<row_id>",
        first_link("/console/notifications", "/console/notifications/run/"),
        OPERATOR,
    ),
    Shown(
        "send a callback",
        "/console/notifications/callback/<merchant>/<payment_id>",
        first_link("/console/notifications", "/console/notifications/callback/"),
        OPERATOR,
    ),
    *MERCHANTS,
    Shown("signed in", "/console/", at("/console/nowhere"), OPERATOR, statuses=(404,)),
]
# Routes whose answers are text/html, but no pages of their own.
NO_PAGES: set[str] = {
    "/console",
    "/console/sign-out",
    "/console/payments.csv",
    f"{PAYMENT}/look",
    f"{MERCHANT_PAGE}/check",
    f"{INVITATIONS}/<number>/revoke",
}
