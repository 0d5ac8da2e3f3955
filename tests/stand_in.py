"""A small server that stands in for a connector, right or wrong in one way."""

from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar, Self

from tests.companies.base import Server


class Handler(BaseHTTPRequestHandler):
    """Serves a stand-in. Nothing is printed."""

    connector: Any

    def log_message(self, *_: object) -> None:
        return

    def serve(self) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_GET  # noqa: N815 - likewise


class StandIn:
    """It serves while it is entered. `defect` names the way in which it is wrong."""

    handler: ClassVar[type[Handler]]

    def __init__(self, defect: str) -> None:
        self.defect = defect

    def __enter__(self) -> Self:
        handler = type("OfThisOne", (self.handler,), {"connector": self})
        self._server = Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def is_(self, defect: str) -> bool:
        return self.defect == defect
