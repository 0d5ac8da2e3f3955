"""Invitations: the operator lets a merchant connect itself."""

import re
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect, render_template, request, url_for
from wtforms import Field, IntegerField, SelectField, StringField
from wtforms.validators import InputRequired, NumberRange, ValidationError
from wtforms.widgets import HiddenInput

from connector.console.merchants_actions import for_operators
from connector.console.viewer import actor, viewer
from connector.domain.authorization import MOST_DAYS, STORE, USUAL_DAYS, invitation_link
from connector.domain.errors import ConfigurationError, NotFound
from connector.domain.merchant import SignUp
from connector.pages.forms import Form, optional
from connector.pages.languages import gettext
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from connector.app import Connector

# Invitations on the page, the newest first.
MOST_SHOWN = 50
_PATH = "/console/invitations"
NUMBER = re.compile(r"[0-9]{1,9}")
_MOST_NUMBER = 2**31 - 1


def check_store(_form: Any, field: Field) -> None:
    if field.data and not STORE.fullmatch(field.data):
        raise ValidationError(
            gettext("Give the name of the VTEX account, as in the address of its Admin.")
        )


class InviteForm(Form):
    """Whom to invite. `newest` is the newest invitation on the page: a form is good for one."""

    newest = IntegerField(
        widget=HiddenInput(), validators=[InputRequired(), NumberRange(0, _MOST_NUMBER)]
    )
    store = StringField(
        _("VTEX account"),
        filters=[lambda text: (text or "").strip().lower()],
        validators=[*optional(), check_store],
        render_kw={"autocapitalize": "none", "spellcheck": "false"},
    )
    company = SelectField(_("Company"))
    days = IntegerField(
        _("Days until the link ends"),
        default=USUAL_DAYS,
        validators=[
            NumberRange(1, MOST_DAYS, _("Give a number from 1 to %(max)s.")),
        ],
        render_kw={"min": 1, "max": MOST_DAYS, "inputmode": "numeric"},
    )


def add_routes(routes: Pages, connector: "Connector") -> None:
    invite = partial(_invite, connector)
    routes.add_url_rule(_PATH, "invitations", invite, methods=["GET", "POST"])
    revoke = partial(_revoke, connector)
    path = f"{_PATH}/<number>/revoke"
    routes.add_url_rule(path, "revoke_invitation", revoke, methods=["POST"])


def _invite(connector: "Connector") -> Any:
    """Show the invitations and the form, or invite. Only the answer shows the link."""
    for_operators()
    form = _form(connector)
    if request.method == "GET":
        return _page(connector, form)
    if not form.is_right() or connector.signup.mode is SignUp.OFF:
        return _page(connector, form), 400
    if form.newest.data != _newest(connector):
        return _page(connector, _form(connector, formdata=None), is_repeated=True), 409
    return _made(connector, form)


def _form(connector: "Connector", **options: Any) -> InviteForm:
    form = InviteForm(newest=_newest(connector), **options)
    form.company.choices = list(_titles(connector).items())
    return form


def _titles(connector: "Connector") -> dict[str, str]:
    """Return the names of the companies that a merchant may connect, and of any company."""
    companies = {name: one.title for name, one in connector.providers.sold.items()}
    return {"": gettext("no limit"), **companies}


def _newest(connector: "Connector") -> int:
    made = connector.invitations.all()
    return made[0].id if made else 0


def _made(connector: "Connector", form: InviteForm) -> str:
    store, company = form.store.data or None, form.company.data or None
    code, invitation = connector.invitations.add(
        store, company, form.days.data or USUAL_DAYS, by=actor(viewer())
    )
    url = connector.settings.public_url or request.url_root
    return render_template(
        "console/merchants_invited.html",
        link=invitation_link(url, code),
        code=code,
        invitation=invitation,
        titles=_titles(connector),
        has_public_url=bool(connector.settings.public_url),
    )


def _page(connector: "Connector", form: InviteForm, *, is_repeated: bool = False) -> str:
    return render_template(
        "console/merchants_invitations.html",
        form=form,
        invitations=connector.invitations.all()[:MOST_SHOWN],
        titles=_titles(connector),
        now=time.time(),
        is_off=connector.signup.mode is SignUp.OFF,
        is_repeated=is_repeated,
    )


def _revoke(connector: "Connector", number: str) -> "AnyResponse":
    """End an invitation. A form that is sent again changes nothing."""
    for_operators()
    if not NUMBER.fullmatch(number):
        raise NotFound
    with suppress(ConfigurationError):
        connector.invitations.revoke(int(number), by=actor(viewer()))
    return redirect(url_for(".invitations"), 303)
