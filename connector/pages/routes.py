"""The routes of pages: their threads, their headers, and the proof that a form is ours."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, g, request
from flask_wtf.csrf import generate_csrf, validate_csrf
from wtforms import ValidationError

from connector.bulkhead import Bulkhead
from connector.domain.errors import NotFound, ProviderBusy
from connector.domain.operation import Reply
from connector.domain.page_errors import StaleForm, TooManyRequests
from connector.http_server import note_answer
from connector.pages import languages
from connector.pages.failure import page_failure
from connector.pages.forms import described, fault_id
from connector.pages.outside import outside

STYLE = Path(__file__).parent / "style.css"
# Bytes of the largest form. A private key has some thousand bytes.
MAX_FORM_BYTES = 32 * 1024
# Nothing comes from another site, and no other site may show or address our pages. There are no
# scripts at all. `form-action` also limits where an answer to a form may redirect.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
}


class Pages(Blueprint):
    """The pages of one room. At most `places` of its requests are answered at a time.

    `admit` refuses strangers: it raises before a form of theirs is read.
    """

    def __init__(
        self, name: str, module: str, *, places: int, admit: Callable[[], None] | None = None
    ) -> None:
        super().__init__(name, module, template_folder="templates")
        self._bulkhead = Bulkhead(places)
        self._admit = admit
        self.before_request(self._begin)
        self.after_request(self._end)
        self.teardown_request(_give_place_back)

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        options.setdefault("failure", page_failure)
        options.setdefault("mimetype", "text/html")
        super().add_url_rule(rule, *args, **options)

    def _begin(self) -> None:
        """Take a thread's place, and refuse strangers and forms that are not ours."""
        g.started = time.monotonic()
        _take_place(self._bulkhead.slot())
        request.max_content_length = MAX_FORM_BYTES
        if self._admit:
            self._admit()
        if request.method == "POST":
            _check_form()

    def _end(self, response: Response) -> Response:
        response.headers.update(HEADERS)
        languages.remember(response)
        reply = Reply(response.status_code, b"", None)
        note_answer(self.name, None, reply, "", g.started)
        return response


def _take_place(place: AbstractContextManager[None]) -> None:
    try:
        place.__enter__()
    except ProviderBusy:
        raise TooManyRequests from None
    g.place = place


def _give_place_back(_: object) -> None:
    if place := g.pop("place", None):
        place.__exit__(None, None, None)


def _check_form() -> None:
    """Raises StaleForm, unless a page of ours made the form for this browser."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        raise StaleForm
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        raise StaleForm from None
    g.csrf_valid = True


def prepare(app: Flask) -> None:
    """Give the templates their functions, and serve the stylesheet."""
    app.config["WTF_CSRF_TIME_LIMIT"] = None
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(  # type: ignore[attr-defined]
        languages.gettext, languages.ngettext, newstyle=True
    )
    app.jinja_env.globals.update(
        amount=languages.amount,
        csrf_token=generate_csrf,
        described=described,
        fault_id=fault_id,
        instant=languages.instant,
        language=languages.current,
        language_links=languages.links,
        outside=outside,
    )
    app.register_blueprint(_shared())


def _shared() -> Blueprint:
    """Make the blueprint of the templates and the stylesheet that all pages share."""
    shared = Blueprint("pages", __name__, template_folder="templates")
    style = STYLE.read_bytes()

    @shared.get("/pages/style.css")
    def show_style() -> Response:
        return Response(style, mimetype="text/css")

    return shared


def not_found(**_: str) -> Response:
    """Answer every address of a room that has no page."""
    raise NotFound
