"""People who look at the console."""

import html
import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.console.signin import COOKIE
from connector.storage.console_access import ConsoleAccess
from tests.rig import Rig

# A page that has a form for everybody who is signed in by a link.
ANY_PAGE = "/console/any"


class Person:
    """A browser of a person."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, **options: Any) -> TestResponse:
        """Get an address. An answer that is sent in parts is read to its end."""
        return self.client.get(path, **{"buffered": True, **options})

    def post(
        self, path: str, /, *, page: str = ANY_PAGE, headers: Any = None, **fields: Any
    ) -> TestResponse:
        """Post a form with the proof of a page. A list gives a field several values."""
        form = {"csrf_token": self.proof(page), **fields}
        return self.client.post(path, data=form, headers=headers)

    def proof(self, page: str = ANY_PAGE) -> str:
        """Return the proof in a page's form."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page).text)
        assert found, f"{page} has no form"
        return html.unescape(found[1])

    def open_page(self, link: str) -> TestResponse:
        """Open the page of a whole link, and do not press its button."""
        return self.get(link[link.index("/console/") :])

    def open(self, code: str) -> TestResponse:
        """Open a link and press its button."""
        page = f"/console/sign-in?code={code}"
        return self.post("/console/sign-in", page=page, code=code)

    @property
    def cookie(self) -> str:
        """The cookie of the session; empty without one."""
        kept = self.client.get_cookie(COOKIE, path="/console")
        return kept.value if kept else ""


def stranger(rig: Rig) -> Person:
    """Return a browser without a cookie."""
    return Person(rig.client)


def code_for(rig: Rig, name: str = "Olga", merchant: str | None = None) -> str:
    """Return the code of a new link."""
    merchants = rig.connector.merchants
    merchant_id = merchants.find(merchant).merchant.id if merchant else None
    access = ConsoleAccess(rig.connector.database)
    return access.make_link(name, merchant_id, by="an operator")[0]


def sign_in(rig: Rig, name: str = "Olga", merchant: str | None = None) -> Person:
    """Sign a person in, by a link: an operator, or a merchant's person."""
    person = stranger(rig)
    assert 303 == person.open(code_for(rig, name, merchant)).status_code
    return person
