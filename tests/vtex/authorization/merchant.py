"""A merchant's browser without scripts, in front of a served connector."""

import itertools
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import parse_qs, urljoin, urlsplit

import requests

from connector.rehearsal.html_page import Field, HtmlPage, read_page
from tests.companies.registry import provider_of
from tests.rig import Rig, Served
from tests.signup.flow import RETURN_URL, settings_of

REDIRECT = "/authorization/redirect"


def begin(server: Served, return_url: str = RETURN_URL) -> str:
    """Begin a flow as VTEX does; return its token."""
    body = {"applicationId": "vtex", "returnUrl": return_url}
    answer = requests.post(f"{server.url}/authorization/token", json=body, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def credentials(server: Served, code: str) -> requests.Response:
    query = {"applicationId": "vtex", "authorizationCode": code}
    return requests.get(f"{server.url}/authorization/credentials", params=query, timeout=30)


def invited(rig: Rig, store: str | None = "mystore", provider: str | None = None) -> str:
    code, _ = rig.connector.invitations.add(store, provider, days=7, by="operator")
    return code


_numbers = itertools.count(1)


class Merchant:
    """It keeps cookies, follows redirects and sends forms. `page` is what it shows.

    Each has an address of its own, behind a proxy.
    """

    def __init__(self, server: Served, language: str = "en") -> None:
        self.server = server
        self.session = requests.Session()
        number = next(_numbers)
        peer = f"198.51.{number // 250}.{number % 250}"
        self.session.headers.update({"Accept-Language": language, "X-Forwarded-For": peer})
        self.answer: requests.Response
        self.page: HtmlPage

    def open(self, path: str) -> Self:
        return self._see(self.session.get(urljoin(self.server.url, path), timeout=30))

    def start(self, token: str = "", **more: str) -> Self:
        """Go where VTEX's Admin sends the browser."""
        query = {"applicationId": "vtex", "token": token or begin(self.server), **more}
        return self._see(self.session.get(f"{self.server.url}{REDIRECT}", params=query, timeout=30))

    def send(self, values: Mapping[str, str] | None = None, **options: Any) -> Self:
        """Send the one form of the page, with these values in its fields."""
        given = {**self.filled(), **(values or {})}
        return self._see(self.session.post(self.target, data=given, timeout=30, **options))

    @property
    def target(self) -> str:
        (form,) = self.page.forms
        assert form.method == "post"
        target = urljoin(self.answer.url, form.action or self.answer.url)
        assert urlsplit(target).path == urlsplit(self.answer.url).path
        return target

    def filled(self) -> dict[str, str]:
        """Return the values that the form already has."""
        fields = self.page.forms[0].fields
        return {name: field.value for name, field in fields.items() if field.kind != "checkbox"}

    @property
    def fields(self) -> dict[str, Field]:
        return self.page.forms[0].fields

    @property
    def faults(self) -> dict[str, str]:
        return {name: text.strip() for name, text in self.page.faults.items()}

    @property
    def code(self) -> str:
        """The code in the way back to VTEX."""
        assert self.page.way_back, self.answer.text
        assert self.page.refresh == self.page.way_back
        (code,) = parse_qs(urlsplit(self.page.way_back).query)["authorizationCode"]
        return code

    def choose(self, provider: str, invitation: str = "", token: str = "") -> Self:
        """Take the first step, and show the second."""
        self.start(token)
        self.send({"provider": provider, "invitation": invitation})
        assert "agree" in self.fields, self.faults
        return self

    def give(self, settings: Mapping[str, str]) -> Self:
        """Fill in the second step, and send it."""
        return self.send({**settings, "agree": "y"})

    def connect(self, company: Any, invitation: str = "", token: str = "", **changes: str) -> Self:
        """Take both steps."""
        return self.choose(provider_name(company), invitation, token).give(
            typed(company, **changes)
        )

    def _see(self, answer: requests.Response) -> Self:
        self.answer, self.page = answer, read_page(answer.text)
        return self


def provider_name(company: Any) -> str:
    return company if isinstance(company, str) else provider_of(company)


def typed(company: Any, **changes: str) -> dict[str, str]:
    return {} if isinstance(company, str) else settings_of(company, **changes)
