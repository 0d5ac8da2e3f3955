"""The cookies of the pages. Other requests read and write no cookie."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from flask import Flask, Request, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from connector.config.parsers import LOOPBACK

# The addresses of pages begin so.
PAGES = ("/authorization/", "/console")
# The cookie that proves that a form comes from a page of ours.
NAME = "connector_form"
_PUBLIC_URL = "CONNECTOR_PUBLIC_URL"


def is_secure() -> bool:
    """Whether the cookies of this request are for https only.

    They are, unless the connector has no https address, or the browser is on this machine.
    """
    has_https = current_app.config[_PUBLIC_URL].startswith("https:")
    return has_https and urlsplit(f"//{request.host}").hostname not in LOOPBACK


def of_this_host(name: str) -> str:
    """Return the name of a cookie. With https, no other host and no page without https can set it.

    Else somebody could give a person's browser a cookie of their own, and know its secrets.
    """
    return f"__Host-{name}" if is_secure() else name


def prepare(app: Flask, public_url: str, keys: Sequence[str]) -> None:
    """Give the application the keys that sign the cookies, the newest first."""
    app.config[_PUBLIC_URL] = public_url
    app.config["SECRET_KEY"], *app.config["SECRET_KEY_FALLBACKS"] = keys
    app.config["SESSION_COOKIE_NAME"] = NAME
    app.config["SESSION_COOKIE_SAMESITE"] = "Lax"
    app.session_interface = PageSessions()


class PageSessions(SecureCookieSessionInterface):
    """Opens a session for pages only, so that a request of VTEX's costs nothing more."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if request.path.startswith(PAGES) else None

    def get_cookie_name(self, app: Flask) -> str:
        return of_this_host(super().get_cookie_name(app))

    def get_cookie_secure(self, app: Flask) -> bool:
        return is_secure()
