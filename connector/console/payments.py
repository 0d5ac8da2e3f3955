"""The page on which people find payments."""

import base64
import math
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Response, render_template, request, url_for

from connector.console.payment_csv import MOST_ROWS, Downloads, csv_response
from connector.console.payment_form import SearchForm
from connector.console.payment_words import STATUSES, TONES, title_of
from connector.console.viewer import viewer
from connector.domain.payment import is_payment_id
from connector.pages.languages import amount
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.payment_search import FoundPayment, PaymentSearch, Position

if TYPE_CHECKING:
    from connector.app import Connector

ROWS_OF_A_PAGE = 50
# Above the largest id of a merchant that a database may hold.
_MOST_ID = 2**31
_AFTER_FAULT = _("This address is not whole, so these are the newest payments.")


@dataclass(frozen=True)
class _Page:
    """The found payments of one page. `following` is the position of the next page, if any."""

    found: list[FoundPayment]
    following: str | None = None


def add_routes(routes: Pages, connector: "Connector") -> None:
    search = PaymentSearch(connector.database)
    downloads = Downloads()
    show = partial(_show, connector, search)
    download = partial(_download, connector, search, downloads)
    routes.add_url_rule("/console/payments", "payments", show)
    routes.add_url_rule("/console/payments.csv", "payments_csv", download)


def _show(connector: "Connector", search: PaymentSearch) -> Any:
    form = _form(connector)
    after = request.args.get("after", "")
    position = read_position(after)
    is_readable = not after or position is not None
    page = _page(search, form, position) if form.validate() else _Page([])
    status = 200 if is_readable and not form.errors else 400
    return _rendered(connector, form, page, is_readable=is_readable), status


def _form(connector: "Connector") -> SearchForm:
    return SearchForm(request.args, connector.directory.by_name, viewer().merchant)


def _page(search: PaymentSearch, form: SearchForm, after: Position | None) -> _Page:
    found = search.page(form.filters(), ROWS_OF_A_PAGE + 1, after)
    if len(found) <= ROWS_OF_A_PAGE:
        return _Page(found)
    found = found[:ROWS_OF_A_PAGE]
    return _Page(found, write_position(found[-1].position))


def _rendered(
    connector: "Connector", form: SearchForm, page: _Page, *, is_readable: bool = True
) -> str:
    values = form.values()
    following = page.following and url_for(".payments", **values, after=page.following)
    return render_template(
        "console/payments.html",
        form=form,
        found=page.found,
        following=following,
        download=url_for(".payments_csv", **values),
        most_rows=amount(Decimal(MOST_ROWS)),
        after_fault=None if is_readable else _AFTER_FAULT,
        statuses=STATUSES,
        tones=TONES,
        title_of=partial(title_of, connector.providers),
    )


def _download(connector: "Connector", search: PaymentSearch, downloads: Downloads) -> Any:
    form = _form(connector)
    if not form.validate():
        return _rendered(connector, form, _Page([])), 400
    return _with_filters(search, form, downloads)


def _with_filters(search: PaymentSearch, form: SearchForm, downloads: Downloads) -> Response:
    return csv_response(search.each(form.filters(), MOST_ROWS), downloads)


def write_position(position: Position) -> str:
    """Write a position for an address. It names a place only, and gives no right to see it."""
    text = f"{position.at!r} {position.merchant_id} {position.payment_id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_position(text: str) -> Position | None:
    """Read a position. None: nobody wrote it here."""
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        at, merchant_id, payment_id = decoded.decode("ascii").split(" ")
        position = Position(float(at), int(merchant_id), payment_id)
    except ValueError:
        return None
    return position if _is_place(position) and write_position(position) == text else None


def _is_place(position: Position) -> bool:
    """Whether a database can compare a position with its rows."""
    is_id = 0 < position.merchant_id < _MOST_ID and is_payment_id(position.payment_id)
    return math.isfinite(position.at) and is_id
