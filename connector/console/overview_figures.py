"""The figures of the overview: what waits, how many succeeded, and how long they took."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from connector.domain.operation import ASKED_BY_VTEX, Operation, State
from connector.pages.languages import lazy_gettext as _
from connector.storage.overview import End, Judged, Waiting

# The share of the requests that took at most the "95 %" time.
MOST = 0.95
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Kind(StrEnum):
    """What a request waits for."""

    PERSON = "person"
    UNKNOWN = "unknown"
    COMPANY = "company"
    NOTIFICATION = "notification"
    RUNNING = "running"
    BUYER = "buyer"


KINDS: Mapping[Kind, Any] = {
    Kind.PERSON: _("For a person"),
    Kind.UNKNOWN: _("End unknown"),
    Kind.COMPANY: _("At the company"),
    Kind.NOTIFICATION: _("Notifications"),
    Kind.RUNNING: _("Running"),
    Kind.BUYER: _("Buyers"),
}
# Seconds after which a person should look why a request of this kind still waits. Buyers may take
# their time: VTEX cancels what they do not pay.
LATE_AFTER: Mapping[Kind, float] = {
    Kind.PERSON: 0.0,
    Kind.UNKNOWN: HOUR,
    Kind.COMPANY: DAY,
    Kind.NOTIFICATION: 10 * MINUTE,
    Kind.RUNNING: 10 * MINUTE,
    Kind.BUYER: math.inf,
}
# The same for callbacks and looks that are due. Reconcile looks at them every few seconds.
DUE_LATE_AFTER = 10 * MINUTE
_KIND_OF_STATE = {
    State.MANUAL: Kind.PERSON,
    State.UNKNOWN: Kind.UNKNOWN,
    State.RUNNING: Kind.RUNNING,
}
_KIND_OF_WAITING = {
    Operation.CREATE: Kind.BUYER,
    Operation.NOTIFICATION: Kind.NOTIFICATION,
}


@dataclass(frozen=True)
class Heap:
    """Requests that wait for the same. `age` is the age of the oldest, in seconds."""

    number: int = 0
    age: float = 0.0
    is_more: bool = False
    late_after: float = math.inf

    @property
    def is_late(self) -> bool:
        return self.number > 0 and self.age > self.late_after

    def with_more(self, waiting: Waiting) -> "Heap":
        return Heap(
            self.number + waiting.number,
            max(self.age, waiting.age),
            self.is_more or waiting.is_more,
            self.late_after,
        )


@dataclass(frozen=True)
class Figures:
    """How the requests of one operation at one company ended.

    `seconds` are sorted. They are those of the succeeded requests; of a create, those to the first
    answer.
    """

    provider: str
    operation: Operation
    ends: Mapping[str, int]
    seconds: Sequence[float]

    @property
    def total(self) -> int:
        return sum(self.ends.values())

    @property
    def share(self) -> float | None:
        """The share that succeeded, of those that have ended. None: none has ended."""
        ended = sum(self.ends.get(end, 0) for end in (End.SUCCEEDED, End.FAILED, End.PERSON))
        return self.ends.get(End.SUCCEEDED, 0) / ended if ended else None

    @property
    def median(self) -> float | None:
        return ranked(self.seconds, 0.5)

    @property
    def most(self) -> float | None:
        """The seconds that 95 % of the requests did not exceed."""
        return ranked(self.seconds, MOST)


def kind_of(waiting: Waiting) -> Kind:
    if waiting.state is State.WAITING:
        return _KIND_OF_WAITING.get(waiting.operation, Kind.COMPANY)
    return _KIND_OF_STATE[waiting.state]


def heaps(rows: Iterable[Waiting]) -> dict[str, dict[Kind, Heap]]:
    """Return a heap of each kind for each company."""
    found: dict[str, dict[Kind, Heap]] = {}
    for row in sorted(rows, key=lambda row: row.provider):
        of_company = found.setdefault(row.provider, _empty_heaps())
        kind = kind_of(row)
        of_company[kind] = of_company[kind].with_more(row)
    return found


def _empty_heaps() -> dict[Kind, Heap]:
    return {kind: Heap(late_after=LATE_AFTER[kind]) for kind in Kind}


def figures(rows: Iterable[Judged], since: float = 0.0) -> list[Figures]:
    """Return the figures of the requests that began at that time or later, by company."""
    ends: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    seconds: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows:
        if row.created_at >= since:
            key = (row.provider, row.operation)
            ends[key][row.end] += 1
            if row.seconds is not None and _has_its_time(row):
                seconds[key].append(row.seconds)
    return [
        Figures(
            provider, operation, ends[provider, operation], sorted(seconds[provider, operation])
        )
        for provider in sorted({provider for provider, _operation in ends})
        for operation in ASKED_BY_VTEX
        if (provider, operation) in ends
    ]


def _has_its_time(row: Judged) -> bool:
    """Whether the seconds count: those until a success, or until the first answer to a create."""
    return row.operation == Operation.CREATE or row.end == End.SUCCEEDED


def ranked(values: Sequence[float], share: float) -> float | None:
    """Return the value that this share of the sorted values does not exceed."""
    return values[math.ceil(share * len(values)) - 1] if values else None
