"""The work for a person: what to do, what not to do, and that it is done."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect, render_template, request, url_for

from connector.console.viewer import actor, viewer
from connector.console.work_advice import advice_for
from connector.console.work_form import CloseForm
from connector.console.work_query import (
    ROWS_OF_A_PAGE,
    Query,
    is_row_id,
    read_query,
    seen_merchant_id,
    write_place,
)
from connector.console.work_words import OPERATIONS, STATES, TONES, story_address, titles
from connector.domain.errors import NotFound, PaymentBusy, StorageUnavailable
from connector.domain.operation import Operation
from connector.operations.closing import Closing, Obstacle, obstacle
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.database import Database
from connector.storage.work_list import MOST_COUNTED, Closed, WorkList, WorkRow

if TYPE_CHECKING:
    from connector.app import Connector

COMMAND = "console close"
# Why a row cannot be closed.
OBSTACLES = {
    Obstacle.IS_DONE: _("This row is closed, or the request ended by itself. Nothing was changed."),
    Obstacle.OPEN_REFUND: _(
        "This refund may still be made. If the row were closed, nobody would see its end. Wait for"
        " the end: the connector goes on looking."
    ),
    Obstacle.NO_TASK: _("No person needs to act on this request now."),
}
BUSY = _("The connector works on this payment at this moment. Send the form again in a minute.")
# The operations whose value is an amount in units of the payment's currency.
_WITH_AN_AMOUNT = {Operation.SETTLE, Operation.REFUND}


@dataclass(frozen=True)
class Task:
    """A row of the work, with the words for it."""

    row: WorkRow
    company: str

    def text(self, kind: str) -> str:
        """Return a text of the advice: `happened`, `do` or `avoid`."""
        return str(getattr(advice_for(self.row), kind)) % {"company": self.company}

    @property
    def amount(self) -> Any:
        """The amount of the settlement or the refund; else the amount of the whole payment."""
        is_of_a_part = self.row.request.operation in _WITH_AN_AMOUNT
        return self.row.value if is_of_a_part and self.row.value is not None else self.row.amount

    @property
    def obstacle(self) -> Any:
        """Why the row cannot be closed. None: it can."""
        found = obstacle(self.row.request)
        return found and OBSTACLES[found]


def add_routes(routes: Pages, connector: "Connector") -> None:
    work = WorkList(connector.database)
    routes.add_url_rule("/console/work", "work", partial(_show, connector, work))
    close = partial(_close, connector, work)
    routes.add_url_rule("/console/close/<row_id>", "close", close, methods=["GET", "POST"])


def waiting(database: Database) -> Callable[[], str]:
    """Return a function that says how many rows wait for the viewer; empty for none."""
    work = WorkList(database)

    def count() -> str:
        try:
            number = work.count(seen_merchant_id())
        except StorageUnavailable:
            # The page that says so has the same navigation.
            return ""
        return f"{MOST_COUNTED}+" if number > MOST_COUNTED else str(number or "")

    return count


def _show(connector: "Connector", work: WorkList) -> Any:
    query = read_query(connector.directory.by_name)
    rows = [] if query.faults else work.page(ROWS_OF_A_PAGE + 1, query.after, query.merchant_id)
    shown = rows[:ROWS_OF_A_PAGE]
    following = write_place(shown[-1].place) if len(rows) > len(shown) else None
    page = render_template(
        "console/work.html",
        tasks=[_task(row) for row in shown],
        query=query,
        following=following and _following(query, following),
        **_words(),
    )
    return page, query.status


def _following(query: Query, after: str) -> str:
    merchant = query.name if viewer().is_operator and query.name else None
    return url_for(".work", merchant=merchant, after=after)


def _task(row: WorkRow) -> Task:
    return Task(row, titles()[row.request.provider])


def _words() -> dict[str, Any]:
    return {
        "operations": OPERATIONS,
        "states": STATES,
        "tones": TONES,
        "story_address": story_address,
    }


def _close(connector: "Connector", work: WorkList, row_id: str) -> Any:
    """Show the form that closes a row, or close the row."""
    row = _found(work, row_id)
    form = CloseForm(who=viewer().name)
    if request.method == "GET":
        return _closing_page(work, row, form)
    if obstacle(row.request):
        return _when_closed_already(work, row, form)
    if not form.validate():
        return _closing_page(work, row, form), 400
    try:
        _closing(connector, form).close(row.merchant_id, row.request, form.note.data or "")
    except PaymentBusy:
        return _after_a_change(work, row_id, form)
    return redirect(url_for(".close", row_id=row_id), 303)


def _found(work: WorkList, row_id: str) -> WorkRow:
    """Find a row that the viewer may see. Raises NotFound."""
    row = work.find(row_id, seen_merchant_id()) if is_row_id(row_id) else None
    if row is None:
        raise NotFound
    return row


def _closing(connector: "Connector", form: CloseForm) -> Closing:
    name, by = viewer().name, actor(viewer())
    who = form.who.data
    person = who if who == name else f"{who} (signed in as {name})"
    return Closing(connector.requests, connector.merchants.record, by, COMMAND, person)


def _after_a_change(work: WorkList, row_id: str, form: CloseForm) -> Any:
    """Answer when the row changed since it was read, or its payment is worked on."""
    row = _found(work, row_id)
    if obstacle(row.request):
        return _when_closed_already(work, row, form)
    return _closing_page(work, row, form, BUSY), 409


def _when_closed_already(work: WorkList, row: WorkRow, form: CloseForm) -> Any:
    """Answer a form for a row that cannot be closed. A form that was sent twice is no fault."""
    closed = work.closed(row.id)
    if closed and closed.note == form.note.data:
        return redirect(url_for(".close", row_id=row.id), 303)
    return _closing_page(work, row, form), 409


def _closing_page(work: WorkList, row: WorkRow, form: CloseForm, fault: Any = None) -> str:
    is_done = obstacle(row.request) is Obstacle.IS_DONE
    closed: Closed | None = work.closed(row.id) if is_done else None
    return render_template(
        "console/work_close.html",
        task=_task(row),
        form=form,
        closed=closed,
        fault=fault,
        unkept=form.note.data if request.method == "POST" and obstacle(row.request) else "",
        **_words(),
    )
