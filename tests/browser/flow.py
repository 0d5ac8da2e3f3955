"""A merchant connects: VTEX's gateway and Admin on one side, a browser on the other."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from playwright.sync_api import Page, Route

from tests.browser.site import SHOPS, Site

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
        self.page.context.route(ADMIN, self._be_admin)

    def _be_admin(self, route: Route) -> None:
        route.fulfill(body=BACK, content_type="text/html; charset=utf-8")

    # VTEX's gateway.

    def token(self) -> str:
        body = {"applicationId": "vtex", "returnUrl": RETURN.format(store=self.store)}
        answer = requests.post(f"{self.site.url}/authorization/token", json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])

    def credentials(self, code: str) -> Any:
        """Fetch the AppKey and the AppToken with a code."""
        query = {"applicationId": "vtex", "authorizationCode": code}
        return requests.get(f"{self.site.url}/authorization/credentials", params=query, timeout=30)

    # The merchant's browser.

    def begin(self) -> None:
        address = f"{self.site.url}/authorization/redirect?applicationId=vtex&token={self.token()}"
        self.page.goto(address)

    def invitation(self) -> str:
        code: str = self.site.run("merchants", "invite", "--account", self.store)["code"]
        return code

    def fill(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self.page.locator(f"[name={name}]").fill(value)

    def go_on(self) -> None:
        self.page.locator("main form button").click()

    def code(self) -> str:
        """Wait until the browser is back in the Admin, and return the code it brings there."""
        self.page.wait_for_url(ADMIN)
        query = parse_qs(urlsplit(self.page.url).query, keep_blank_values=True)
        assert (["1"], [" c"]) == (query["a"], query["b"])
        (code,) = query["authorizationCode"]
        return code


def settings_of(site: Site, merchant: str) -> dict[str, str]:
    """Return what a merchant types: the keys of this shop's account at its company."""
    return {**site.company(merchant).settings, **SHOPS[merchant].settings}
