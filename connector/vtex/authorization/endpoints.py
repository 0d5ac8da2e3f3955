"""The two endpoints of the configuration flow that VTEX's gateway calls. They are open.

VTEX begins a flow for a merchant, and in the end fetches an AppKey and AppToken. It has no keys of
ours yet, so keys in a request are ignored.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flask import Blueprint, Response, g, request

from connector import context
from connector.bulkhead import Bulkhead
from connector.domain import exact
from connector.domain.errors import InvalidRequest, ProviderBusy
from connector.domain.operation import Reply
from connector.domain.page_errors import TooManyRequests
from connector.http_server import body, json_body, note_answer, respond
from connector.peers import Quota
from connector.signup import MerchantSignUp
from connector.vtex.authorization import return_url
from connector.vtex.schemas import read_json

# Requests that one caller may send at once, and the seconds after which it may send one more. VTEX
# calls for all merchants from few addresses.
BURST, REFILL_SECONDS = 120, 0.5
# Requests of an endpoint that a process answers at a time: each may wait for the database.
PLACES = 2
# Bytes of the largest body. The longest returnUrl has 2 KiB.
MAX_BODY_BYTES = 16 * 1024
# Characters of the longest applicationId and code that are read.
MOST_CHARACTERS = 256


def blueprint(signup: MerchantSignUp, return_hosts: Sequence[str]) -> Blueprint:
    """Make the routes. A merchant may only be sent back to one of the `return_hosts`."""
    token = _Endpoint(partial(_begin, signup, return_hosts))
    credentials = _Endpoint(partial(_fetch, signup))
    routes = Blueprint("authorization", __name__)
    routes.add_url_rule("/authorization/token", "token", token.view, methods=["POST"])
    path = "/authorization/credentials"
    routes.add_url_rule(path, "credentials", credentials.view, methods=["GET"])
    routes.before_request(_note_start)
    routes.after_request(_note_answer)
    return routes


@dataclass(frozen=True)
class _Endpoint:
    """One endpoint: its answer, and how many requests it takes."""

    answer: Callable[[], Mapping[str, str]]
    quota: Quota = field(default_factory=lambda: Quota(BURST, REFILL_SECONDS))
    places: Bulkhead = field(default_factory=lambda: Bulkhead(PLACES, threading.Semaphore(PLACES)))

    def view(self) -> Response:
        self.quota.take(g.peer)
        try:
            with self.places.slot():
                members = self.answer()
        except ProviderBusy:
            raise TooManyRequests from None
        return respond(Reply(200, exact.dumps(members).encode()))


def _note_start() -> None:
    g.started = time.monotonic()
    context.add(operation=_name())


def _note_answer(response: Response) -> Response:
    reply = Reply(response.status_code, b"", None)
    note_answer(_name(), None, reply, "", g.started)
    return response


def _name() -> str:
    """Return the name of the endpoint, in logs and metrics."""
    return request.path.removeprefix("/").replace("/", " ")


def _begin(signup: MerchantSignUp, return_hosts: Sequence[str]) -> dict[str, str]:
    body(MAX_BODY_BYTES)
    members = read_json(json_body())
    application_id = _text("applicationId", members.get("applicationId"))
    url = return_url.checked(members.get("returnUrl"), return_hosts)
    token = signup.begin(url, return_url.store_of(url), g.peer)
    return {"applicationId": application_id, "token": token}


def _fetch(signup: MerchantSignUp) -> dict[str, str]:
    application_id = _text("applicationId", request.args.get("applicationId"))
    code = _text("authorizationCode", request.args.get("authorizationCode"))
    made = signup.credentials(code)
    return {"applicationId": application_id, "appKey": made.app_key, "appToken": made.app_token}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise InvalidRequest(f"{name}: required, a text")
    if len(value) > MOST_CHARACTERS:
        raise InvalidRequest(f"{name}: at most {MOST_CHARACTERS} characters")
    return value
