"""Payments made through the connector at each company, and what is asked of them."""

import json
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.domain.operation import derive_settle_id
from tests.companies.base import Call
from tests.companies.registry import COMPANIES, CompanyEntry
from tests.rig import Rig, Served
from tests.server.cancellations import new_id
from tests.server.shops import Shops, calls_of, effects_of
from tests.sink import Sink

# What happens to a payment, in its order. A notification tells that the buyer paid.
LIFE = ["create", "notification", "settle", "refund"]

# Lets as much time pass for a payment as a lease, a callback, a write and reconcile wait.
LONG_AGO = (
    "UPDATE payments SET lease_until = 1 WHERE lease_until IS NOT NULL AND payment_id = :id",
    "UPDATE payments SET callback_at = 1 WHERE callback_at IS NOT NULL AND payment_id = :id",
    "UPDATE sends SET sent_at = 1 WHERE payment_id = :id",
    "UPDATE requests SET next_look_at = 1 WHERE next_look_at IS NOT NULL AND payment_id = :id",
)


@dataclass(frozen=True)
class Act:
    """What is asked of a payment of 100: by VTEX, or by a company that tells of it."""

    entry: CompanyEntry
    verb: str
    value: int = 100

    @property
    def write(self) -> str:
        """The stand-in's word for the write it needs, empty where it needs none."""
        return self.entry.writes.get(self.verb, "")

    @property
    def effects(self) -> Counter[str]:
        """All that ever moves for the payment, once each."""
        lived = LIFE[: LIFE.index(self.verb) + 1]
        return Counter(self.entry.writes[verb] for verb in lived if verb in self.entry.writes)

    @property
    def money(self) -> tuple[int, int, int]:
        """What is held, what was taken, and what of that was returned, in the end."""
        paid = (100, 0, 0) if self.entry.is_held else (0, 100, 0)
        ends = {"create": (0, 0, 0), "notification": paid, "settle": (0, self.value, 0)}
        return ends.get(self.verb, (0, 100, self.value))

    def __str__(self) -> str:
        part = "" if self.value == 100 else "-part"
        return f"{self.verb}-{self.entry.name}{part}"


CREATES = [Act(entry, "create") for entry in COMPANIES if entry.has_page]
SETTLES = [
    Act(entry, "settle", value)
    for entry in COMPANIES
    for value in ([100, 60] if entry.in_part else [100])
    if entry.is_held
]
REFUNDS = [
    Act(entry, "refund", value)
    for entry in COMPANIES
    for value in ([100, 40] if entry.in_part else [100])
]
# What a company begins at once and ends later; what VTEX is told when it asks in between.
SLOW = [act for act in REFUNDS if act.entry.refunds_run]
RUNNING = {"refund-pending", "outcome-unknown"}
NEWS = [Act(entry, "notification") for entry in COMPANIES]
WRITES = [*CREATES, *SETTLES, *REFUNDS]


def told(answer: Any) -> Any:
    """Read an answer, whichever client it came by."""
    return json.loads(content(answer))


def content(answer: Any) -> bytes:
    raw: bytes = answer.data if hasattr(answer, "data") else answer.content
    return raw


class Payments(Shops):
    """Shops with a merchant at each company, and VTEX's callback address."""

    def __init__(
        self, url: str, folder: Path, entries: Iterable[CompanyEntry] = COMPANIES, **variables: str
    ) -> None:
        public = {"CONNECTOR_PUBLIC_URL": "https://pay.example.com"}
        super().__init__(url, folder, **public, **variables)
        self.sink = Sink()
        self._entries = entries

    def _open(self, stack: ExitStack) -> None:
        stack.enter_context(self.sink)
        self.rig.configure(CONNECTOR_CALLBACK_HOSTS=self.sink.host)
        for entry in self._entries:
            company = self.at(entry, stack)
            company.is_slow = False
            self.rig.add(company, name=entry.name, **entry.settings)

    def company(self, act: Act) -> Any:
        return self._companies[act.entry]

    @property
    def stand_ins(self) -> list[Any]:
        return [*self._companies.values(), self.sink]

    def calm(self) -> None:
        """Take away what a test left."""
        for stand_in in self.stand_ins:
            stand_in.hook = None
            stand_in.faults.clear()

    # What is asked.

    def ready(self, act: Act) -> str:
        """Make a payment that is ready for it, and return its id."""
        payment_id = new_id()
        for step in LIFE[: LIFE.index(act.verb)]:
            before = Act(act.entry, step)
            if step == "notification":
                self.pay(act, payment_id)
            answer = self.ask(before, payment_id)
            assert answer.status_code == 200, content(answer)
        if act.verb == "notification":
            self.pay(act, payment_id)
        return payment_id

    def pay(self, act: Act, payment_id: str) -> None:
        """The buyer pays; without a page they begin it in the shop's app."""
        company = self.company(act)
        if not act.entry.has_page:
            company.start(payment_id)
        company.pay(payment_id)

    def ask(self, act: Act, payment_id: str, by: Rig | Served | None = None) -> Any:
        """Ask for it, in this process unless a server is to be asked."""
        by, merchant = by or self.rig, act.entry.name
        if act.verb == "create":
            more = {"callbackUrl": self.sink.url, "currency": act.entry.currency}
            return by.create(payment_id, act.value, merchant, **more)
        if act.verb == "settle":
            return by.settle(payment_id, act.value, merchant=merchant)
        if act.verb == "refund":
            return by.refund(payment_id, act.value, merchant=merchant)
        return by.notify(self.company(act), payment_id, merchant)

    def ended(self, act: Act, payment_id: str, by: Rig | Served | None = None) -> Any:
        """Ask until what takes the company some time has come to its end."""
        answer = self.ask(act, payment_id, by)
        if act in SLOW and told(answer)["code"] in RUNNING:
            assert answer.status_code == 500
            self.company(act).finish(payment_id)
            answer = self.ask(act, payment_id, by)
        return answer

    def let_time_pass(self, *payment_ids: str) -> None:
        """Let leases end, what was sent be long ago, and all be due that waits."""
        for payment_id in payment_ids:
            for sql in LONG_AGO:
                self.rig.execute(sql, id=payment_id)

    # What became of it.

    def effects(self, act: Act, payment_id: str) -> Counter[str]:
        """What moved for a payment, by the stand-in's words."""
        company, words = self.company(act), set(act.entry.writes.values())
        return +Counter({word: effects_of(company, payment_id, word) for word in words})

    def calls(self, act: Act, payment_id: str, operation: str) -> list[Call]:
        """The calls of an operation that named a payment."""
        return calls_of(self.company(act), payment_id, operation)

    def money(self, act: Act, payment_id: str) -> tuple[int, ...]:
        return tuple(int(part) for part in self.company(act).money(payment_id))

    def callbacks(self, payment_id: str) -> list[Any]:
        """What VTEX was called back with."""
        with self.sink.lock:
            return [body for body in self.sink.bodies if body["paymentId"] == payment_id]

    def assert_once(self, act: Act, payment_id: str) -> None:
        """Check what the company did in all: each thing once."""
        assert act.effects == self.effects(act, payment_id)
        assert act.money == self.money(act, payment_id)

    def assert_true(self, act: Act, payment_id: str, answer: Any) -> None:
        """Check an answer, its repeat, and what the company did."""
        assert answer.status_code == 200, content(answer)
        self._check(act, payment_id, told(answer))
        assert content(answer) == content(self.ask(act, payment_id))
        self.assert_once(act, payment_id)

    def _check(self, act: Act, payment_id: str, body: Any) -> None:
        """Check what VTEX is told."""
        merchant = self.rig.connector.merchants.find(act.entry.name).merchant
        if act.verb == "create":
            assert ("undefined", None) == (body["status"], body["authorizationId"])
            assert act.entry.has_page is bool(body["paymentUrl"])
        elif act.verb == "settle":
            expected = (derive_settle_id(merchant.id, payment_id), act.value, None)
            assert expected == (body["settleId"], body["value"], body["code"])
        elif act.verb == "refund":
            assert body["refundId"]
            assert (act.value, None) == (body["value"], body["code"])
