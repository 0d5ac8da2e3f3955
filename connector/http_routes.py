"""The web application of all routes. Each route knows how its own failures are written."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.routing import Map, Rule

from connector import context, http_server
from connector.domain import exact
from connector.domain.errors import BodyTooLarge, ConnectorError, NotFound
from connector.domain.operation import Reply
from connector.domain.page_errors import TooManyRequests
from connector.peers import Network, Refusals

log = logging.getLogger(__name__)

# Writes the body of a failure: the error, its HTTP status, and the values in the path.
Failure = Callable[[ConnectorError, int, Mapping[str, Any]], bytes]


def plain_failure(error: ConnectorError, status: int, _: Mapping[str, Any]) -> bytes:
    """Write a failure in the form of a route that has no form of its own."""
    body = {"status": status, "code": error.code, "message": str(error)}
    return exact.dumps(body).encode()


class Route(Rule):
    """A rule that says how its failures are written.

    `failure` and `mimetype` are given where the rule is registered.
    """

    def __init__(
        self,
        *args: Any,
        failure: Failure = plain_failure,
        mimetype: str = http_server.JSON,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.failure = failure
        self.mimetype = mimetype


def application(proxies: Sequence[Network]) -> Flask:
    """Make an application without routes. Its settings hold for every route."""
    app = Flask("connector", static_folder=None)
    app.url_rule_class = Route
    # A nearly right path is not found: Flask would answer with a redirect in HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    # One byte above our own limit: the view finds the body too large and answers with our message.
    app.config["MAX_CONTENT_LENGTH"] = http_server.MAX_BODY_BYTES + 1
    app.after_request(partial(http_server.end, Refusals()))
    app.before_request(partial(http_server.begin, proxies))
    app.teardown_request(lambda _: context.begin())
    app.register_error_handler(HTTPException, _http_failure)
    app.register_error_handler(ConnectorError, _failure)
    app.register_error_handler(Exception, _unexpected_failure)
    return app


def failure_at(routes: Map, path: str, error: ConnectorError, status: int) -> tuple[bytes, str]:
    """Write a failure in the form of the path's route. Return the body and its type.

    Without a route the form is plain.
    """
    route, values = _route_at(routes, path)
    if route is None:
        return plain_failure(error, status, values), http_server.JSON
    return route.failure(error, status, values), route.mimetype


def _route_at(routes: Map, path: str) -> tuple[Route | None, Mapping[str, Any]]:
    """Find the route of a path, whatever the method."""
    adapter = routes.bind("")
    try:
        # No route has this method. So for a path with a route, the error names the route's methods.
        adapter.match(path, method="NONE")
    except MethodNotAllowed as error:
        route, values = adapter.match(path, next(iter(error.valid_methods or ())), return_rule=True)
        return cast("Route", route), values
    except HTTPException:
        pass
    return None, {}


def _http_failure(error: HTTPException) -> Response:
    """Answer a request with a wrong address or method, or a request that Flask could not read."""
    is_large = isinstance(error, RequestEntityTooLarge)
    fault = BodyTooLarge() if is_large else NotFound(f"{error.name}: see /openapi.yaml")
    response = _response(fault, error.code or 500)
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _failure(error: ConnectorError) -> Response:
    http_server.note_failure(error)
    return _response(error, http_server.status_of(error))


def _unexpected_failure(error: Exception) -> Response:
    log.error("request failed", exc_info=error)
    return _response(ConnectorError(), 500)


def _response(error: ConnectorError, status: int) -> Response:
    body, mimetype = failure_at(current_app.url_map, request.path, error, status)
    response = http_server.respond(Reply(status, body, error.code), mimetype)
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.seconds)
    return response
