"""A merchant at Tranzzo, for tests of what its payments do."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.domain.deadline import Deadline
from connector.domain.merchant import Account
from connector.domain.order import Order
from connector.domain.payment import CreateResult, Look, Notification, PaymentKey, WriteResult
from connector.providers.tranzzo import Tranzzo
from tests.companies.tranzzo import TranzzoCompany
from tests.providers.contract import REFERENCE

ID = "B2F246B3CE46469FBDD23039868E95D0"
DASHED = "b2f246b3-ce46-469f-bdd2-3039868e95d0"
ORDER = Order(ID, Decimal("29.90"), "UAH", return_url="https://shop.example/back")


@dataclass
class Shop:
    """A merchant's account, and the stand-in it is at."""

    company: TranzzoCompany
    provider: Tranzzo
    account: Account

    def create(self, order: Order = ORDER) -> CreateResult:
        return self.provider.create(order, self.account, Deadline.after(5), REFERENCE)

    def look(self, payment_id: str = ID) -> Look:
        return self.provider.look(PaymentKey(payment_id), self.account, Deadline.after(5), None)

    def settle(self, amount: str | None = None, look: Look | None = None) -> WriteResult:
        part = None if amount is None else Decimal(amount)
        now, deadline = look or self.look(), Deadline.after(5)
        key = PaymentKey(ID)
        return self.provider.settle(key, now, part, self.account, deadline, REFERENCE)

    def refund(self, amount: str | None = None) -> WriteResult:
        part = None if amount is None else Decimal(amount)
        key, deadline = PaymentKey(ID), Deadline.after(5)
        return self.provider.refund(key, self.look(), part, self.account, deadline, REFERENCE)

    def read(self, body: bytes) -> Notification | None:
        return self.provider.read_notification(body, {}, self.account, Deadline.after(5))

    def paid(self, stage: str = "auth", amount: str = "10.00") -> None:
        self.company.create(ID, amount, "paid" if stage == "purchase" else "held")

    def money(self) -> tuple[str, ...]:
        return tuple(f"{part:.2f}" for part in self.company.money(ID))

    def sent(self, operation: str) -> Any:
        return json.loads(self.company.calls_of(operation)[-1].body, parse_float=str)
