"""VTEX's side of a callback: a real socket that keeps what it was sent."""

import json
from dataclasses import dataclass, field
from typing import Any

from tests.companies.base import Call, Company, Respond


@dataclass
class Sink(Company):
    """Takes callbacks; `inject` makes it refuse them."""

    path: str = "/api/pvt/payment-provider/callback?accountName=shop&X-VTEX-signature=s%2Bg%3D"
    bodies: list[Any] = field(default_factory=list)

    def operation_of(self, method: str, path: str) -> str:
        return "callback"

    def respond(self, call: Call) -> Respond:
        self.bodies.append(json.loads(call.body))
        return 200, {}

    @property
    def url(self) -> str:
        return self.origin + self.path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"
