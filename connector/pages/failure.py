"""A failure, as a page."""

from collections.abc import Mapping
from typing import Any

from flask import has_request_context, render_template
from markupsafe import escape

from connector.domain.authorization import (
    AuthorizationDone,
    AuthorizationElsewhere,
    InvitationEnded,
    SignUpOff,
)
from connector.domain.errors import ConnectorError
from connector.pages.languages import lazy_gettext as _

# The texts for people, by the failure, else by its HTTP status. Any other status has that of 500.
_TEXTS_OF = {
    AuthorizationDone: _(
        "This store is connected, and VTEX uses the connection already. Nothing is left to do here."
    ),
    AuthorizationElsewhere: _(
        "This store was connected in another browser. Go on there, or start again in VTEX's Admin."
    ),
    InvitationEnded: _(
        "This invitation is unknown, was used, or has ended. Ask the person who sent it for a new "
        "invitation."
    ),
    SignUpOff: _(
        "Stores cannot be connected here by their owners. Ask the person who runs this connector."
    ),
}
_TEXTS = {
    400: _("This form is old, or a different site sent it. Load the page again."),
    401: _(
        "You need a link. Ask the person who runs this connector for a link. This command prints "
        "one: connector console link"
    ),
    403: _("This is not allowed here."),
    404: _("There is no such page."),
    405: _("There is no such page."),
    410: _("This link has ended. Start again in VTEX's Admin."),
    413: _("The form is too large."),
    429: _("Too many people ask at this moment. Wait a little, then load the page again."),
}
_UNKNOWN = _("Something failed here, and it is recorded. Load the page again in a minute.")
_BARE = "<!doctype html><html lang=en><title>{0}</title><h1>{0}</h1><p>{1}</p></html>"


def page_failure(error: ConnectorError, status: int, _: Mapping[str, Any]) -> bytes:
    """Write a failure as a page. Bytes that are not HTTP get a page without a layout."""
    if not has_request_context():
        return _BARE.format(status, escape(error)).encode()
    text = _TEXTS_OF.get(type(error)) or _TEXTS.get(status, _UNKNOWN)
    return render_template("pages/failure.html", status=status, text=text).encode()
