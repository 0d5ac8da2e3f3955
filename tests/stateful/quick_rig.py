"""A connector that starts quickly, on a database file that is there already."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.app import create_app
from tests.companies.registry import provider_of
from tests.rig import Rig, headers
from tests.sink import Sink


class QuickRig(Rig):
    """Makes its application once for each start."""

    _client: FlaskClient | None = None

    def __init__(self, file: Path, **variables: str) -> None:
        self.file = file
        super().__init__(f"sqlite:///{file}", file.parent, **variables)

    @property
    def client(self) -> FlaskClient:
        if self._client is None:
            self._client = create_app(self.connector).test_client()
        return self._client

    def post(self, path: str, body: Any, merchant: str = "shop", **options: Any) -> TestResponse:
        """Post as VTEX does, which reads the answer to its end unless it `is_lost`."""
        return self.client.post(
            path,
            json=body,
            headers=headers(self.merchants[merchant]),
            buffered=not options.get("is_lost"),
        )

    def beside(self, **variables: str) -> "QuickRig":
        """Return another server on the same database."""
        other = QuickRig(self.file, **variables)
        other.environment = self.environment | variables
        other.merchants = self.merchants
        return other

    def configure(self, **variables: str) -> None:
        self._client = None
        super().configure(**variables)


def quick_rig(file: Path, company: Any, sink: Sink) -> QuickRig:
    rig = QuickRig(file, CONNECTOR_CALLBACK_HOSTS=sink.host)
    rig.environment["CONNECTOR_PUBLIC_URL"] = "https://pay.example.com"
    rig.environment["CONNECTOR_PROVIDERS"] = provider_of(company)
    rig.use(company)
    return rig
