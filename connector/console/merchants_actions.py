"""What a person may do with a merchant: check its keys, rotate its AppToken, disable, enable it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import flash, redirect, render_template, request, url_for
from wtforms import IntegerField
from wtforms.validators import InputRequired, NumberRange
from wtforms.widgets import HiddenInput

from connector.console.merchants_words import shown
from connector.console.viewer import actor, viewer
from connector.domain.errors import ConnectorError, NotFound, ProviderBusy, ProviderCredentials
from connector.domain.page_errors import AlreadyRotated, StaleForm
from connector.pages.forms import Form
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.merchant_list import AppTokenTimes, ListedMerchant, MerchantList

if TYPE_CHECKING:
    from werkzeug.wrappers import Response as AnyResponse

    from connector.app import Connector

Find = Callable[[str], ListedMerchant]

CHECK = "check"
# The longest word of a company that a cookie carries to the next page.
MOST_OF_A_WORD = 300
# What a check told, with the colour of its note.
RESULTS: Mapping[str, tuple[Any, str]] = {
    "ok": (_("The company accepted the keys."), "good"),
    "refused": (_("The company refused the keys."), "bad"),
    "missing": (_("Settings are missing, so nothing was tried."), "bad"),
    "busy": (_("Too many keys are being tried at this moment. Try again in a minute."), "wait"),
    "unknown": (_("The company did not say if the keys are right. Try again later."), "wait"),
}
# Above the largest number of a row that a database may hold.
_MOST_NUMBER = 2**31 - 1


class RotateForm(Form):
    """`newest` is the row of the newest AppToken on the page: a form is good for one rotation."""

    newest = IntegerField(
        widget=HiddenInput(), validators=[InputRequired(), NumberRange(0, _MOST_NUMBER)]
    )


def add_routes(routes: Pages, connector: "Connector", merchants: MerchantList, find: Find) -> None:
    both = ["GET", "POST"]
    path = "/console/merchants/<name>"
    check = partial(_check, connector, find)
    routes.add_url_rule(f"{path}/check", "check_merchant", check, methods=["POST"])
    rotate = partial(_rotate, connector, merchants, find)
    routes.add_url_rule(f"{path}/rotate", "rotate_token", rotate, methods=both)
    for is_disabled, action in ((True, "disable"), (False, "enable")):
        switch = partial(_switch, connector, find, is_disabled=is_disabled)
        routes.add_url_rule(f"{path}/{action}", f"{action}_merchant", switch, methods=both)


def for_operators() -> None:
    """Raises NotFound for the people of a merchant."""
    if not viewer().is_operator:
        raise NotFound


def _check(connector: "Connector", find: Find, name: str) -> "AnyResponse":
    """Try the keys at the company, and tell on the page of the merchant what the company said."""
    result, word = _tried(connector, find(name))
    connector.merchants.record(name, actor(viewer()), CHECK, result=result)
    flash({"merchant": name, "result": result, "word": word[:MOST_OF_A_WORD]}, CHECK)  # type: ignore[arg-type]
    return redirect(url_for(".merchant", name=name), 303)


def _tried(connector: "Connector", listed: ListedMerchant) -> tuple[str, str]:
    """Return a key of RESULTS, and the company's word or the missing settings."""
    merchant = listed.stored.merchant
    provider = connector.providers.get(merchant.provider)
    missing = provider.missing(merchant.settings) if provider else []
    if missing:
        return "missing", ", ".join(missing)
    try:
        connector.probe.run(merchant)
    except ConnectorError as error:
        return _result_of(error), merchant.redacted(error.evidence)
    return "ok", ""


def _result_of(error: ConnectorError) -> str:
    if isinstance(error, ProviderBusy):
        return "busy"
    return "refused" if isinstance(error, ProviderCredentials) else "unknown"


def _rotate(connector: "Connector", merchants: MerchantList, find: Find, name: str) -> Any:
    """Show what a rotation does, or rotate. The answer is the only page with the new AppToken."""
    listed = find(name)
    if request.method == "GET":
        return _rotation_page(connector, merchants, listed)
    form = RotateForm()
    if not form.is_right():
        raise StaleForm
    try:
        made = connector.merchants.rotate_token(name, by=actor(viewer()), newest=form.newest.data)
    except AlreadyRotated:
        return _rotation_page(connector, merchants, listed, is_repeated=True), 409
    return render_template(
        "console/merchants_rotated.html", made=made, merchant=shown(connector, listed)
    )


def _rotation_page(
    connector: "Connector",
    merchants: MerchantList,
    listed: ListedMerchant,
    *,
    is_repeated: bool = False,
) -> str:
    tokens = merchants.tokens(listed.stored.merchant.id)
    # What was sent must not fill the form: the page shows newer AppTokens now.
    form = RotateForm(formdata=None, newest=tokens[0].id if tokens else 0)
    return render_template(
        "console/merchants_rotate.html",
        form=form,
        tokens=tokens,
        staying=staying(tokens),
        merchant=shown(connector, listed),
        is_repeated=is_repeated,
    )


def staying(tokens: Sequence[AppTokenTimes]) -> set[int]:
    """Return the AppTokens that stay live when a page makes one more. The newest is first."""
    used = [token for token in tokens if token.used_at]
    known = [token for token in tokens if token.used_at or token.fetched_at]
    return {token.id for token in (*tokens[:1], *used[:1], *known[:1])}


def _switch(connector: "Connector", find: Find, name: str, *, is_disabled: bool) -> Any:
    """Show what disabling or enabling does, or do it."""
    for_operators()
    listed = find(name)
    if request.method == "GET":
        return render_template(
            "console/merchants_switch.html",
            merchant=shown(connector, listed),
            is_to_disable=is_disabled,
        )
    if listed.stored.is_disabled is not is_disabled:
        change = connector.merchants.disable if is_disabled else connector.merchants.enable
        change(name, by=actor(viewer()))
    return redirect(url_for(".merchant", name=name), 303)
