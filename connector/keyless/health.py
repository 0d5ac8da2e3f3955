"""Whether this process and its database can answer."""

from typing import Protocol

from flask import Blueprint, Response

from connector import metrics
from connector.storage.database import Database

# A replica that cannot count still answers VTEX, so it must stay ready.
_UNCOUNTED = "ok, but metrics are not counted; the log says why"


class Parts(Protocol):
    @property
    def database(self) -> Database: ...


def blueprint(connector: Parts) -> Blueprint:
    routes = Blueprint("health", __name__)
    routes.add_url_rule("/livez", view_func=_livez, methods=["GET"])

    @routes.get("/readyz")
    def readyz() -> Response:
        if connector.database.is_ready():
            return _text("ok" if metrics.are_counted() else _UNCOUNTED, 200)
        return _text("the database does not answer or is not migrated", 503)

    return routes


def _livez() -> Response:
    return _text("ok", 200)


def _text(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")
