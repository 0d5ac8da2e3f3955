"""What the connector is measured against: bare Flask, under the same server settings."""

import os

import requests
from flask import Flask, Response, jsonify, request

from connector.server import Server


class BareServer(Server):
    """The connector's server settings with another application."""

    def load(self) -> Flask:
        return create_app(os.environ["BENCH_COMPANY_URL"])


def create_app(company_url: str) -> Flask:
    app = Flask(__name__)
    session = requests.Session()
    headers = {"X-API-Auth": "CPAY key:secret", "X-API-Key": "key"}

    @app.post("/payments/<payment_id>/cancellations")
    def echo(payment_id: str) -> Response:  # noqa: ARG001 - the path is like the connector's
        return jsonify(request.get_json())

    @app.post("/calls/<payment_id>")
    def calls(payment_id: str) -> Response:
        """Make the two calls of a cancellation of a held payment, and nothing else."""
        session.get(f"{company_url}/pos/pos/orders/{payment_id}", headers=headers, timeout=8)
        body = {"pos_id": "pos", "order_id": payment_id, "order_currency": "UAH"}
        session.post(f"{company_url}/void", json=body, headers=headers, timeout=8)
        return jsonify(request.get_json())

    @app.get("/livez")
    def livez() -> str:
        return "ok"

    return app
