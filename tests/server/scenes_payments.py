"""Payments made through the connector at each company, and what is asked of them."""

import json
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from connector.domain.operation import own_settle_id
from tests.companies.base import Call
from tests.companies.cryptomus import ADDRESS, Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.sink import Sink
from tests.rig import Rig, Served
from tests.server import new_id

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
class Shop:
    """A merchant at a company. `words` are its stand-in's for the writes it has."""

    name: str
    stand_in: Any
    words: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    currency: str = "RUB"

    @property
    def has_page(self) -> bool:
        return "create" in self.words

    @property
    def is_held(self) -> bool:
        """Whether what is paid waits for its settlement."""
        return "settle" in self.words


WORDS = {"create": "create", "settle": "capture", "refund": "refund"}
TRANZZO = Shop("tranzzo", TranzzoCompany, WORDS)
YANDEX = Shop("yandex", YandexPayCompany, WORDS)
RUSTORE = Shop("rustore", RuStore, {"settle": "settle", "refund": "refund"})
CRYPTOMUS = Shop(
    "cryptomus",
    lambda: Cryptomus(looks_until_refunded=1),
    {"create": "create", "refund": "refund"},
    {"refund_address": ADDRESS},
    "USD",
)
SHOPS = [TRANZZO, YANDEX, RUSTORE, CRYPTOMUS]


@dataclass(frozen=True)
class Act:
    """What is asked of a payment of 100: by VTEX, or by a company that tells of it."""

    shop: Shop
    verb: str
    value: int = 100

    @property
    def write(self) -> str:
        """The stand-in's word for the write it needs, empty where it needs none."""
        return self.shop.words.get(self.verb, "")

    @property
    def effects(self) -> Counter[str]:
        """All that ever moves for the payment, once each."""
        lived = LIFE[: LIFE.index(self.verb) + 1]
        return Counter(self.shop.words[verb] for verb in lived if verb in self.shop.words)

    @property
    def money(self) -> tuple[int, int, int]:
        """What is held, what was taken, and what of that was returned, in the end."""
        paid = (100, 0, 0) if self.shop.is_held else (0, 100, 0)
        ends = {"create": (0, 0, 0), "notification": paid, "settle": (0, self.value, 0)}
        return ends.get(self.verb, (0, 100, self.value))

    def __str__(self) -> str:
        part = "" if self.value == 100 else "-part"
        return f"{self.verb}-{self.shop.name}{part}"


CREATES = [Act(shop, "create") for shop in (TRANZZO, YANDEX, CRYPTOMUS)]
SETTLES = [
    Act(TRANZZO, "settle"),
    Act(TRANZZO, "settle", 60),
    Act(YANDEX, "settle"),
    Act(YANDEX, "settle", 60),
    Act(RUSTORE, "settle"),
]
REFUNDS = [
    Act(TRANZZO, "refund"),
    Act(TRANZZO, "refund", 40),
    Act(YANDEX, "refund"),
    Act(YANDEX, "refund", 40),
    Act(RUSTORE, "refund"),
    Act(CRYPTOMUS, "refund"),
]
# What the company begins at once and ends later; what VTEX is told when it asks in between.
SLOW = Act(CRYPTOMUS, "refund")
RUNNING = {"refund-pending", "outcome-unknown"}
NEWS = [Act(shop, "notification") for shop in SHOPS]
WRITES = [*CREATES, *SETTLES, *REFUNDS]


def told(answer: Any) -> Any:
    """Read an answer, whichever client it came by."""
    return json.loads(content(answer))


def content(answer: Any) -> bytes:
    raw: bytes = answer.data if hasattr(answer, "data") else answer.content
    return raw


class Shops:
    """A rig with the companies' stand-ins, a merchant at each, and VTEX's callback address."""

    def __init__(self, url: str, folder: Path, shops: list[Shop] = SHOPS, **variables: str) -> None:
        public = {"CONNECTOR_PUBLIC_URL": "https://pay.example.com"}
        self.rig = Rig(url, folder, **public, **variables)
        self.sink = Sink()
        self._shops = shops
        self._companies: dict[str, Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.sink)
            stack.enter_context(self.rig)
            self.rig.configure(CONNECTOR_CALLBACK_HOSTS=self.sink.host)
            for shop in self._shops:
                company = stack.enter_context(shop.stand_in())
                self._companies[shop.name] = company
                self.rig.add(company, name=shop.name, **shop.settings)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def company(self, act: Act) -> Any:
        return self._companies[act.shop.name]

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
            before = Act(act.shop, step)
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
        if not act.shop.has_page:
            company.start(payment_id)
        company.pay(payment_id)

    def ask(self, act: Act, payment_id: str, by: Rig | Served | None = None) -> Any:
        """Ask for it, in this process unless a server is to be asked."""
        by, merchant = by or self.rig, act.shop.name
        if act.verb == "create":
            more = {"callbackUrl": self.sink.url, "currency": act.shop.currency}
            return by.create(payment_id, act.value, merchant, **more)
        if act.verb == "settle":
            return by.settle(payment_id, act.value, merchant=merchant)
        if act.verb == "refund":
            return by.refund(payment_id, act.value, merchant=merchant)
        return by.notify(self.company(act), payment_id, merchant)

    def ended(self, act: Act, payment_id: str, by: Rig | Served | None = None) -> Any:
        """Ask until what takes the company some time has come to its end."""
        answer = self.ask(act, payment_id, by)
        if act == SLOW and told(answer)["code"] in RUNNING:
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
        ends = self._names(act, payment_id)
        company, found = self.company(act), Counter[str]()
        with company.lock:
            for name, count in company.effects.items():
                word, _, end = name.partition(":")
                found[word] += count if end in ends else 0
        return +found

    def calls(self, act: Act, payment_id: str, operation: str) -> list[Call]:
        """The calls of an operation that named a payment."""
        names, company = self._names(act, payment_id), self.company(act)
        made = company.calls_of(operation)
        return [
            call
            for call in made
            if any(name in call.path or name.encode() in call.body for name in names)
        ]

    def _names(self, act: Act, payment_id: str) -> set[str]:
        company = self.company(act)
        bought = company._all_of(payment_id) if isinstance(company, RuStore) else []
        ids = {name for one in bought for name in (one.purchase_id, one.invoice_id)}
        return ids | {payment_id}

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
        merchant = self.rig.connector.merchants.find(act.shop.name).merchant
        if act.verb == "create":
            assert ("undefined", None) == (body["status"], body["authorizationId"])
            assert act.shop.has_page is bool(body["paymentUrl"])
        elif act.verb == "settle":
            expected = (own_settle_id(merchant.id, payment_id), act.value, None)
            assert expected == (body["settleId"], body["value"], body["code"])
        elif act.verb == "refund":
            assert body["refundId"]
            assert (act.value, None) == (body["value"], body["code"])
