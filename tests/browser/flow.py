"""A merchant connects: VTEX's gateway and Admin on one side, a browser on the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from playwright.sync_api import Locator, Page, Route

from tests.browser.seen import Faults
from tests.browser.site import SHOPS, Site
from tests.browser.visits import some_address

# What an Admin adds to its address stays as it is.
RETURN = "https://{store}.myvtex.com/admin/provider-return?a=1&authorizationCode=&b=%20c"
ADMIN = re.compile(r"^https://[a-z]+\.myvtex\.com/")
BACK = "<!doctype html><html lang=en><title>Admin</title><h1>Back in the Admin</h1></html>"


@dataclass
class Flow:
    """One configuration flow of a VTEX account. `page` is the merchant's browser."""

    site: Site
    page: Page
    store: str = "mystore"

    def __post_init__(self) -> None:
        self.faults = Faults(self.page.context)
        self.page.context.route(ADMIN, be_admin)

    def close_admin(self) -> "Flow":
        """Let the Admin answer with no page, so that the last page stays while it is looked at."""
        self.page.context.unroute(ADMIN)
        self.page.context.route(ADMIN, lambda route: route.fulfill(status=204))
        return self

    # VTEX's gateway.

    def token(self) -> str:
        body = {"applicationId": "vtex", "returnUrl": RETURN.format(store=self.store)}
        answer = requests.post(
            f"{self.site.url}/authorization/token", json=body, headers=some_address(), timeout=30
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def credentials(self, code: str) -> requests.Response:
        """Fetch the AppKey and the AppToken with a code."""
        query = {"applicationId": "vtex", "authorizationCode": code}
        address = f"{self.site.url}/authorization/credentials"
        return requests.get(address, params=query, headers=some_address(), timeout=30)

    # The merchant's browser.

    def begin(self) -> "Flow":
        """Press the Admin's button."""
        path = f"/authorization/redirect?applicationId=vtex&token={self.token()}"
        self.page.goto(self.site.url + path)
        return self

    def choose(self, provider: str, invitation: str | None = None) -> "Flow":
        """Fill in the first step."""
        code = self.invitation() if invitation is None else invitation
        self.page.select_option("[name=provider]", provider)
        self.page.fill("[name=invitation]", code)
        return self

    def give(self, settings: Mapping[str, str]) -> "Flow":
        """Fill in the second step."""
        self.page.check("[name=agree]")
        for name, value in settings.items():
            field = self.page.locator(f"[name={name}]")
            tag = field.evaluate("one => one.tagName") if field.count() else ""
            if tag:
                field.select_option(value) if tag == "SELECT" else field.fill(value)
        return self

    def go_on(self) -> "Flow":
        with self.page.expect_navigation():
            self.button.click()
        return self

    @property
    def button(self) -> Locator:
        return self.page.locator("main form button")

    @property
    def is_done(self) -> bool:
        return self.page.locator("#return").count() == 1

    def invitation(self) -> str:
        """Return a new invitation for the store."""
        code: str = self.site.run("merchants", "invite", "--account", self.store)["code"]
        return code

    def code(self) -> str:
        """Wait until the browser is back in the Admin, and return the code it brings there."""
        self.page.wait_for_url(ADMIN)
        query = parse_qs(urlsplit(self.page.url).query, keep_blank_values=True)
        assert ([f"{self.store}.myvtex.com"], ["1"], [" c"]) == (
            [urlsplit(self.page.url).netloc],
            query["a"],
            query["b"],
        )
        (code,) = query["authorizationCode"]
        return code


def be_admin(route: Route) -> None:
    route.fulfill(body=BACK, content_type="text/html; charset=utf-8")


def keys_of(site: Site, shop: str) -> dict[str, str]:
    """Return what a merchant types: the keys of this shop's account at its company."""
    return {**site.company(shop).settings, **SHOPS[shop].settings} if shop in SHOPS else {}


def provider_of(shop: str) -> str:
    return SHOPS[shop].name if shop in SHOPS else "sandbox"


def cancel(site: Site, shop: str, credentials: Mapping[str, Any]) -> requests.Response:
    """Cancel a payment of the shop's company, with the keys that VTEX was given."""
    payment_id = f"P-{site.count()}"
    known = {}
    if shop in SHOPS:
        ways = SHOPS[shop].cancellables
        way = next((way for way in ways if way.write), ways[-1])
        known = site.company(shop).put(payment_id, way.state)
    return requests.post(
        f"{site.url}/payments/{payment_id}/cancellations",
        json={"paymentId": payment_id, "requestId": "C-1", **known},
        headers={
            "X-VTEX-API-AppKey": credentials["appKey"],
            "X-VTEX-API-AppToken": credentials["appToken"],
        },
        timeout=30,
    )
