"""The first page of the console: what waits, what succeeded, and how long it took."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import render_template

from connector import providers
from connector.console.overview_figures import (
    DAY,
    DUE_LATE_AFTER,
    KINDS,
    Figures,
    Heap,
    figures,
    heaps,
)
from connector.console.viewer import viewer
from connector.domain.operation import Operation
from connector.pages import quantities
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.overview import MOST_JUDGED, MOST_WAITING, Due, End, Judged, Overview

if TYPE_CHECKING:
    from connector.app import Connector

DAYS_OF_A_WEEK = 7
OPERATIONS: Mapping[str, Any] = {
    Operation.CREATE: _("payment"),
    Operation.CANCEL: _("cancellation"),
    Operation.SETTLE: _("settlement"),
    Operation.REFUND: _("refund"),
}
# The parts of a bar, with their colours.
PARTS: Mapping[str, tuple[Any, str]] = {
    End.SUCCEEDED: (_("Succeeded"), "fill-good"),
    End.PERSON: (_("Needed a person"), "fill-held"),
    End.FAILED: (_("Failed"), "fill-bad"),
    End.OPEN: (_("Still open"), "fill-line"),
    End.CANCELLED: (_("Payment cancelled"), "fill-line"),
}
# The width of a drawing, in units of its own.
WIDTH = 200
_WORDS: Mapping[str, Any] = {
    "kinds": KINDS,
    "operations": OPERATIONS,
    "parts": PARTS,
    "width": WIDTH,
    "number": quantities.number,
    "share": quantities.share,
    "seconds": quantities.seconds,
    "age": quantities.age,
    "most_waiting": MOST_WAITING,
}


@dataclass(frozen=True)
class Period:
    """The figures of a period. `longest` is the time, in seconds, that is as wide as a drawing."""

    name: str
    title: Any
    rows: Sequence[Figures]

    @property
    def longest(self) -> float:
        return max((row.most or 0.0 for row in self.rows), default=0.0)

    def width_of(self, seconds: float | None) -> float:
        """Return the width of a time in its drawing."""
        return round(WIDTH * (seconds or 0.0) / self.longest, 1) if self.longest else 0.0


def add_routes(routes: Pages, connector: "Connector") -> None:
    overview = Overview(connector.database)
    titles = {name: kind.title for name, kind in providers.discover().items()}
    routes.add_url_rule("/console/", "overview", partial(_show, overview, titles))


def _show(overview: Overview, titles: Mapping[str, str]) -> str:
    person = viewer()
    merchant_id = person.merchant.id if person.merchant else None
    now = overview.now()
    judged = overview.judged(now - DAYS_OF_A_WEEK * DAY, merchant_id)
    return render_template(
        "console/overview.html",
        begun=overview.begun(merchant_id),
        heaps=heaps(overview.waiting(merchant_id)),
        due_callbacks=_due(overview.due_callbacks(merchant_id)),
        due_looks=_due(overview.due_looks()) if person.is_operator else None,
        periods=_periods(judged, now),
        begins=_begins(judged),
        most_judged=MOST_JUDGED,
        titles=titles,
        bars=bars,
        **_WORDS,
    )


def _due(due: Due) -> Heap:
    return Heap(due.number, due.age, due.is_more, DUE_LATE_AFTER)


def _periods(judged: Sequence[Judged], now: float) -> list[Period]:
    """Return the periods. A day begins at midnight, UTC."""
    return [
        Period("today", _("Today, since 00:00 UTC"), figures(judged, since=now - now % DAY)),
        Period("week", _("This week: the last 7 days"), figures(judged)),
    ]


def _begins(judged: Sequence[Judged]) -> dict[Operation, float]:
    """Return the begin of the oldest request of each operation that has more than are shown."""
    begins: dict[Operation, float] = {}
    for operation in OPERATIONS:
        times = [row.created_at for row in judged if row.operation == operation]
        if len(times) >= MOST_JUDGED:
            begins[Operation(operation)] = min(times)
    return begins


def bars(row: Figures) -> Iterator[tuple[float, float, str]]:
    """Yield the place, the width and the class of each part of a bar."""
    place = 0.0
    for end, (_title, colour) in PARTS.items():
        width = round(WIDTH * row.ends.get(end, 0) / row.total, 1)
        if width:
            yield place, width, colour
        place = round(place + width, 1)
