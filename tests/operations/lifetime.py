"""The life of one payment, from its creation to its refund, at any company."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connector.domain.operation import DueRequest
from tests.companies.registry import ANY, VARIANTS, CompanyEntry
from tests.rig import Rig
from tests.sink import Sink

P = "9E2D4A6B8C0F41D3A5B7C9E1F2039485"

# A rig on PostgreSQL has this one, all others have SQLite.
ON_POSTGRESQL = replace(ANY, variant="on-postgresql")
ALL = [*VARIANTS, ON_POSTGRESQL]
HELD = [entry for entry in ALL if entry.is_held]
IN_PART = [entry for entry in ALL if entry.in_part]


@dataclass
class Lifetime:
    """The payment P on a connector with one company's stand-in, and VTEX's callback address."""

    entry: CompanyEntry
    rig: Rig
    company: Any
    sink: Sink

    def create(self, value: Any = 100, **fields: Any) -> Any:
        currency = self.entry.currency
        url = self.sink.url
        return self.rig.create(P, value, currency=currency, callbackUrl=url, **fields)

    def begin(self, value: Any = 100) -> dict[str, Any]:
        """Create a payment; the buyer comes to where it is paid."""
        answer = self.create(value)
        assert 200 == answer.status_code, answer.data
        if not self.entry.has_page:
            self.company.start(P, amount=value)
        told: dict[str, Any] = answer.get_json()
        return told

    def pay(self, value: Any = 100) -> None:
        self.begin(value)
        self.company.pay(P)
        assert 200 == self.notify().status_code

    def settle(self, value: Any = 100, request_id: str | None = "settle-1") -> Any:
        return self.rig.settle(P, value, request_id)

    def settled(self, value: Any = 100) -> None:
        self.pay(value)
        assert 200 == self.settle(value).status_code

    def refund(self, value: Any = 100, request_id: str = "refund-1") -> Any:
        return self.rig.refund(P, value, request_id)

    def notify(self) -> Any:
        return self.rig.notify(self.company, P)

    @property
    def money(self) -> tuple[int, int, int]:
        held, taken, returned = self.company.money(P)
        return int(held), int(taken), int(returned)

    @property
    def status(self) -> str:
        answer: str = self.create().get_json()["status"]
        return answer

    def finish(self) -> None:
        self.company.finish(P)

    def due(self, operation: str) -> DueRequest:
        """Let reconcile's time come; return what it is to look at."""
        self.rig.make_due()
        found = self.rig.connector.requests.due(100)
        return next(due for due in found if due.request.operation == operation)


@contextmanager
def lifetime(entry: CompanyEntry, rig: Rig, sink: Sink, **variables: str) -> Iterator[Lifetime]:
    with entry.open() as company:
        rig.add(company, **entry.settings)
        rig.configure(CONNECTOR_CALLBACK_HOSTS=sink.host, **variables)
        yield Lifetime(entry, rig, company, sink)


def of(*entries: CompanyEntry) -> Any:
    """Run a test once for each of these."""
    return pytest.mark.parametrize("scene", entries, indirect=True, ids=str)
