"""What is cancelled: a payment for each way in which a company has to end it."""

import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.domain.operation import derive_cancellation_id
from tests.companies.base import Call
from tests.companies.registry import COMPANIES, Cancellable, CompanyEntry
from tests.server.shops import Shops, calls_of, effects_of


@dataclass(frozen=True)
class Payment:
    """A payment: its id at VTEX, and what VTEX sends besides it."""

    id: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of payment that is cancelled. Its merchant has its name.

    Without an entry it is the sandbox's: no company, no calls.
    """

    entry: CompanyEntry | None
    way: Cancellable

    @property
    def name(self) -> str:
        return f"{self.entry.name}-{self.way.name}" if self.entry else self.way.name

    @property
    def write(self) -> str:
        return self.way.write

    @property
    def looks(self) -> bool:
        """Whether it can be looked at."""
        return bool(self.entry) and not self.way.unknown

    def __str__(self) -> str:
        return self.name


def new_id() -> str:
    """An id as VTEX makes them."""
    return uuid.uuid4().hex.upper()


SANDBOX = Kind(None, Cancellable("sandbox", ""))
ALL = [Kind(entry, way) for entry in COMPANIES for way in entry.cancellables]
KINDS = [*ALL, SANDBOX]
# Those that a write ends and that can be looked at: whatever happens, the truth can be found.
SEEN = [kind for kind in ALL if kind.write and kind.looks]
# What is over at the company already; what only a person there can end; what cannot be looked at.
ENDED = next(kind for kind in ALL if kind.way.state == kind.way.end)
MANUAL = next(kind for kind in ALL if not kind.write and kind is not ENDED)
BLIND = next(kind for kind in ALL if not kind.looks)
# Where any company will do, or any two.
HELD, OTHER_HELD, *_ = (kind for kind in SEEN if kind.way.name == "held")
UNPAID, OTHER_UNPAID, *_ = (kind for kind in SEEN if kind.way.name == "unpaid")
CAPTURED, OTHER_CAPTURED, *_ = (kind for kind in SEEN if kind.way.name == "captured")
# Where the buyer begins the payment in the shop's app.
APP_HELD = next(kind for kind in SEEN if kind.entry and not kind.entry.has_page)


RECORDED = (
    "SELECT * FROM payments WHERE payment_id = :id",
    "SELECT * FROM requests WHERE payment_id = :id ORDER BY id",
    "SELECT * FROM sends WHERE payment_id = :id ORDER BY action, number",
    "SELECT * FROM events WHERE request IN (SELECT id FROM requests WHERE payment_id = :id)",
)


class Cancellations(Shops):
    """Shops with a merchant for each kind of payment."""

    def __init__(self, url: str, folder: Path, kinds: list[Kind], **variables: str) -> None:
        super().__init__(url, folder, **variables)
        self._kinds = kinds

    def _open(self, stack: ExitStack) -> None:
        for kind in self._kinds:
            company = self.at(kind.entry, stack) if kind.entry else None
            self.rig.add(company, name=kind.name, captured=kind.way.captured)

    def company(self, kind: Kind) -> Any:
        return self._companies[kind.entry] if kind.entry else None

    def make(self, kind: Kind) -> Payment:
        payment_id, company = str(uuid.uuid4()), self.company(kind)
        shown = company.put(payment_id, kind.way.state) if company else {}
        known = {name: value for name, value in shown.items() if name not in kind.way.unknown}
        return Payment(payment_id, known)

    def effects(self, kind: Kind, payment: Payment) -> int:
        """How often anything moved for a payment."""
        return effects_of(self.company(kind), payment.id) if kind.entry else 0

    def calls(self, kind: Kind, payment: Payment, operation: str | None = None) -> list[Call]:
        """The calls that named a payment."""
        return calls_of(self.company(kind), payment.id, operation) if kind.entry else []

    def truth(self, kind: Kind, payment: Payment, request_id: str) -> dict[str, Any]:
        """The one true answer to a cancellation that took effect."""
        merchant = self.rig.connector.merchants.find(kind.name).merchant
        shown = self.company(kind).cancellation_id(payment.id) if kind.entry else None
        return {
            "paymentId": payment.id,
            "cancellationId": shown or derive_cancellation_id(merchant.id, payment.id),
            "code": None,
            "message": "Cancelled",
            "requestId": request_id,
        }

    def is_cancelled(self, kind: Kind, payment: Payment) -> bool:
        """Whether the company really ended it."""
        return not kind.entry or bool(self.company(kind).state(payment.id) == kind.way.end)

    def let_time_pass(self) -> None:
        """Let leases end, and what was sent be long ago."""
        self.rig.let_leases_end()
        self.rig.execute("UPDATE sends SET sent_at = 1")

    def recorded(self, payment: Payment) -> list[Any]:
        """All that is stored of a payment."""
        found = [self.rig.execute(sql, id=payment.id) for sql in RECORDED]
        return [tuple(row) for rows in found for row in rows]
