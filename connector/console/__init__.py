"""The console: what people look at. Each page is a module with a function `add_routes`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flask import redirect

from connector.bulkhead import PAGES
from connector.console import (
    merchants,
    notifications,
    overview,
    payment,
    payments,
    signin,
    work,
)
from connector.console.viewer import viewer
from connector.pages.routes import Pages, not_found

if TYPE_CHECKING:
    from connector.app import Connector

# Adds the routes of one page to the room.
AddRoutes = Callable[[Pages, "Connector"], None]
_ROOMS: Sequence[AddRoutes] = (
    signin.add_routes,
    overview.add_routes,
    payments.add_routes,
    payment.add_routes,
    work.add_routes,
    notifications.add_routes,
    merchants.add_routes,
)
# The functions that the templates use.
_GLOBALS: Mapping[str, Callable[..., object]] = {
    "console_links": signin.links,
    "current": signin.current,
    "viewer": viewer,
}


def blueprint(connector: "Connector") -> Pages:
    """Make the console's pages. Every address below /console without a page is a page, too: 404.

    A stranger gets 401 at each address, so that no answer shows which pages exist.
    """
    routes = Pages("console", __name__, places=PAGES, admit=signin.Admission(connector))
    for name, function in _GLOBALS.items():
        routes.add_app_template_global(function, name)
    routes.add_app_template_global(work.waiting(connector.database), "waiting_work")
    for add_routes in _ROOMS:
        add_routes(routes, connector)
    routes.add_url_rule(signin.PATH, "home", lambda: redirect(signin.HOME), methods=["GET", "POST"])
    for path in (signin.HOME, f"{signin.HOME}<path:rest>"):
        routes.add_url_rule(path, "nowhere", not_found, methods=["GET", "POST"])
    return routes
