"""Merchants at the companies' stand-ins, on one connector."""

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from tests.companies.base import Call, Company
from tests.companies.registry import CompanyEntry
from tests.rig import Rig


class Shops:
    """A rig with a stand-in for each company. Subclasses add the merchants."""

    def __init__(self, url: str, folder: Path, **variables: str) -> None:
        self.rig = Rig(url, folder, **variables)
        self._companies: dict[CompanyEntry, Any] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.rig)
            self._open(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open(self, stack: ExitStack) -> None:
        """Enter the stand-ins and add the merchants."""
        raise NotImplementedError

    def at(self, entry: CompanyEntry, stack: ExitStack) -> Any:
        """Return the company's stand-in, entered once."""
        if entry not in self._companies:
            self._companies[entry] = stack.enter_context(entry.open())
        return self._companies[entry]


def effects_of(company: Company, payment_id: str, write: str = "") -> int:
    """How often anything, or one write, moved something for a payment."""
    names = company.names(payment_id)
    with company.lock:
        parts = [(name.partition(":"), count) for name, count in company.effects.items()]
    return sum(count for (word, _, name), count in parts if name in names and write in {"", word})


def calls_of(company: Company, payment_id: str, operation: str | None = None) -> list[Call]:
    """The calls, of an operation or any, that named a payment."""
    names = company.names(payment_id)
    with company.lock:
        calls = list(company.calls)
    return [call for call in calls if operation in {None, call.operation} and names & _named(call)]


def _named(call: Call) -> set[str]:
    """The ids that a call names: in its path, or as the order in its body."""
    body = call.json() if call.body.startswith(b"{") else {}
    return {str(body.get("order_id")), str(body.get("orderId")), *re.split("[/:]", call.path)}
