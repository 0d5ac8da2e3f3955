"""GET /openapi.yaml: the whole contract."""

from pathlib import Path

from flask import Blueprint, Response


def blueprint(_: object) -> Blueprint:
    routes = Blueprint("document", __name__)

    @routes.get("/openapi.yaml")
    def openapi() -> Response:
        return Response(openapi_document(), mimetype="application/yaml")

    return routes


def openapi_document() -> bytes:
    """Read openapi.yaml: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parents[1]
    for folder in (package, package.parent):
        if (folder / "openapi.yaml").exists():
            return (folder / "openapi.yaml").read_bytes()
    raise FileNotFoundError("openapi.yaml")
