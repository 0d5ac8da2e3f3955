"""The console: what people look at. Each page is a module with a function `add_routes`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from connector.bulkhead import PAGES
from connector.pages.routes import Pages, not_found

if TYPE_CHECKING:
    from connector.app import Connector

# Adds the routes of one page to the room.
AddRoutes = Callable[[Pages, "Connector"], None]
_ROOMS: Sequence[AddRoutes] = ()


def blueprint(connector: "Connector") -> Pages:
    """Make the console's pages. Every address below /console without a page is a page, too: 404."""
    routes = Pages("console", __name__, places=PAGES)
    for add_routes in _ROOMS:
        add_routes(routes, connector)
    routes.add_url_rule("/console/<path:rest>", "nowhere", not_found)
    return routes
