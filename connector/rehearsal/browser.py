"""A merchant's browser without scripts: it keeps cookies, follows redirects and sends forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

from connector.rehearsal.checks import Unmet, WrongStatus, require
from connector.rehearsal.client import LOOPBACK, PATIENCE, Exchange
from connector.rehearsal.html_page import Form, HtmlPage, read_page

_REDIRECTS = {302, 303}
_MOST_REDIRECTS = 5
# The headers that every page must have, and what they must say.
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Seen:
    """A page that the browser shows, from `url`."""

    url: str
    status: int
    page: HtmlPage

    @property
    def form(self) -> Form:
        """The one form of this page. Raises Unmet."""
        forms = self.page.forms
        require(len(forms) == 1, f"the page has {len(forms)} forms, not 1")
        form = forms[0]
        require(form.method == "post", f"the form is sent by {form.method}, not by post")
        own = urlsplit(self.url)
        target = urlsplit(urljoin(self.url, form.action or self.url))
        is_own = (target.scheme, target.netloc, target.path) == (own.scheme, own.netloc, own.path)
        require(is_own, f"the form goes to {form.action}, not to the page's own address")
        return form


class Browser:
    """Shows the pages of the connector at `url`, and no others. Keeps the last exchange."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = urlsplit(url).hostname not in LOOPBACK
        self._session.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        self.last: Exchange | None = None

    def close(self) -> None:
        self._session.close()

    def open(self, path: str, status: int = 200) -> Seen:
        """Show a page. Raises Unmet."""
        return self._show("GET", self._url + path, None, frozenset({status}))

    def send(
        self, seen: Seen, values: Mapping[str, str], statuses: frozenset[int] = frozenset({200})
    ) -> Seen:
        """Send the form of a page, and show the page that follows. Raises Unmet."""
        url = urljoin(seen.url, seen.form.action or seen.url)
        return self._show("POST", url, values, statuses)

    def _show(
        self, method: str, url: str, values: Mapping[str, str] | None, statuses: frozenset[int]
    ) -> Seen:
        response = self._ask(method, url, values)
        for _ in range(_MOST_REDIRECTS):
            if response.status_code not in _REDIRECTS:
                break
            url = urljoin(url, response.headers.get("Location", ""))
            require(urlsplit(url).netloc == urlsplit(self._url).netloc, "redirected elsewhere")
            response = self._ask("GET", url, None)
        if response.status_code not in statuses:
            raise WrongStatus(response.status_code, statuses)
        _check_headers(response)
        return Seen(url, response.status_code, read_page(response.text))

    def _ask(self, method: str, url: str, values: Mapping[str, str] | None) -> requests.Response:
        request = f"{method} {url.removeprefix(self._url)}"
        sent = " ".join(values or ())
        self.last = Exchange("browser", request, sent)
        try:
            response = self._session.request(
                method, url, data=values, timeout=PATIENCE, allow_redirects=False
            )
        except requests.RequestException as error:
            raise Unmet(f"no answer ({type(error).__name__})") from error
        self.last = Exchange("browser", request, sent, response.status_code, response.text)
        return response


def _check_headers(response: requests.Response) -> None:
    content_type = response.headers.get("Content-Type", "")
    require(content_type.startswith("text/html"), f"Content-Type is {content_type!r}, no page")
    for name, wanted in HEADERS.items():
        found = response.headers.get(name, "")
        require(wanted in found, f"{name} is {found!r}, without {wanted}")
