"""Signing in to the console by a link, and by a proxy that knows the person."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import flask
from flask import g, redirect, render_template, request, url_for

from connector import peers
from connector.console.viewer import Viewer
from connector.domain.page_errors import SignInNeeded
from connector.domain.person import person_name
from connector.pages import cookies
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.console_access import ConsoleAccess

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from connector.app import Connector

# A page and its status.
Ended = tuple[str, int]
COOKIE = "connector_console"
PATH = "/console"
HOME = "/console/"
# The pages without a viewer.
_OPEN = {"console.show_link", "console.sign_in"}
_LAYOUT = "console/layout.html"
LINKS: Sequence[tuple[str, str]] = (
    (HOME, _("Overview")),
    ("/console/payments", _("Payments")),
    ("/console/work", _("Work")),
    ("/console/notifications", _("Notifications")),
    ("/console/merchants", _("Merchants")),
)
# Pages whose address does not begin with that of the page above them.
_PAGES_ABOVE = {"console.close": "/console/work"}


def links() -> Sequence[tuple[str, str]]:
    """Return the address and the name of each page in the navigation."""
    return LINKS


def current(address: str) -> str | None:
    """Return `aria-current` of an address in the navigation: this page, or a page above it."""
    if request.path == address:
        return "page"
    is_above = request.path.startswith(f"{address}/") and address != HOME
    return "true" if is_above or _PAGES_ABOVE.get(request.endpoint or "") == address else None


class Admission:
    """Finds the viewer of each request."""

    def __init__(self, connector: "Connector") -> None:
        self._access = ConsoleAccess(connector.database)
        self._merchants = connector.merchants
        self._header = connector.settings.console_user_header
        self._peers = connector.settings.console_peers

    def __call__(self) -> None:
        """Set the viewer of a request. Raises SignInNeeded."""
        if request.endpoint not in _OPEN:
            g.viewer = self._viewer()
            g.layout = _LAYOUT

    def is_signed_in(self) -> bool:
        """Whether this browser's person needs no link."""
        try:
            return bool(self._viewer())
        except SignInNeeded:
            return False

    def _viewer(self) -> Viewer:
        return self._named_by_proxy() or self._of_session()

    def _named_by_proxy(self) -> Viewer | None:
        """Return the operator whom a named proxy knows. None: no such proxy names anybody."""
        is_named = self._header and self._header in request.headers
        # Only the other end of the connection counts: everybody can write X-Forwarded-For.
        if not is_named or not peers.is_among(request.remote_addr or "", self._peers):
            return None
        name = person_name(_utf_8(request.headers[self._header]))
        if name is None:
            raise SignInNeeded(reason="the proxy's header holds no name of a person")
        return Viewer(name)

    def _of_session(self) -> Viewer:
        cookie = _cookie()
        session = self._access.session(cookie) if cookie else None
        if session is None:
            raise SignInNeeded
        if session.merchant_id is None:
            return Viewer(session.name, until=session.ends_at)
        if session.merchant is None:
            raise SignInNeeded(reason="the merchant of this session is gone")
        merchant = self._merchants.find(session.merchant).merchant
        return Viewer(session.name, merchant, session.ends_at)


def _utf_8(header: str) -> str:
    """Read a header as UTF-8. WSGI gives its bytes as characters; other bytes make no name."""
    return header.encode("latin-1", "replace").decode("utf-8", "replace")


def add_routes(routes: Pages, connector: "Connector") -> None:
    access, admission = ConsoleAccess(connector.database), Admission(connector)
    show, begin = partial(_show_link, access, admission), partial(_sign_in, access, admission)
    routes.add_url_rule("/console/sign-in", "show_link", show)
    routes.add_url_rule("/console/sign-in", "sign_in", begin, methods=["POST"])
    end = partial(_sign_out, access)
    routes.add_url_rule("/console/sign-out", "sign_out", end, methods=["POST"])


def _show_link(access: ConsoleAccess, admission: Admission) -> "AnyResponse | str | Ended":
    """Show whom a link signs in. Programs open links, too, so only the button spends it."""
    code = request.args.get("code", "")
    if not code:
        is_in = admission.is_signed_in()
        return redirect(HOME) if is_in else render_template("console/signed_out.html")
    link = access.link(code)
    if link is None:
        return _ended(admission)
    return render_template("console/sign_in.html", link=link, code=code)


def _sign_in(access: ConsoleAccess, admission: Admission) -> "AnyResponse | Ended":
    cookie = access.sign_in(request.form.get("code", ""), _cookie())
    return _ended(admission) if cookie is None else _with_cookie(HOME, cookie)


def _sign_out(access: ConsoleAccess) -> "AnyResponse":
    access.sign_out(_cookie())
    return _with_cookie(url_for("console.show_link"), "", max_age=0)


def _ended(admission: Admission) -> Ended:
    """Say that a link has ended. Who is signed in, perhaps by this link, needs no other link."""
    is_in = admission.is_signed_in()
    return render_template("console/ended_link.html", is_signed_in=is_in, home=HOME), 410


def _cookie() -> str:
    """Return the cookie of the session that the browser has; empty without one."""
    return request.cookies.get(cookies.of_this_host(COOKIE), "")


def _with_cookie(address: str, cookie: str, **options: Any) -> "AnyResponse":
    """Lead to a page with another cookie. The forms of the time before are not ours any more."""
    flask.session.clear()
    response = redirect(address, 303)
    is_secure = cookies.is_secure()
    response.set_cookie(
        cookies.of_this_host(COOKIE),
        cookie,
        # A cookie of this host alone has no other path.
        path="/" if is_secure else PATH,
        secure=is_secure,
        httponly=True,
        # Lax, so that a link to a payment in a ticket opens the page. Forms have a proof.
        samesite="Lax",
        **options,
    )
    return response
