"""A merchant at Tranzzo, for tests of what its payments do."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connector.domain.deadline import Deadline
from connector.domain.merchant import Account
from connector.domain.order import Order
from connector.domain.payment import CreateResult, Look, Notification, PaymentKey, WriteResult
from connector.provider import Call, Message
from connector.providers.tranzzo import Tranzzo
from tests.companies.tranzzo import TranzzoCompany
from tests.providers.contract import REFERENCE

ID = "B2F246B3CE46469FBDD23039868E95D0"
DASHED = "b2f246b3-ce46-469f-bdd2-3039868e95d0"
ORDER = Order(ID, Decimal("29.90"), "UAH", return_url="https://shop.example/back")


@dataclass
class TranzzoAccount:
    """A merchant's account, and the stand-in it is at."""

    company: TranzzoCompany
    provider: Tranzzo
    account: Account

    def call(self, payment_id: str = ID, **told: Any) -> Call:
        key = PaymentKey(payment_id)
        return Call(key, self.account, Deadline.after(5), REFERENCE, **told)

    def create(self, order: Order = ORDER) -> CreateResult:
        return self.provider.create(order, self.call(order.payment_id))

    def look(self, payment_id: str = ID) -> Look:
        return self.provider.look(self.call(payment_id))

    def settle(self, amount: str | None = None, look: Look | None = None) -> WriteResult:
        part = None if amount is None else Decimal(amount)
        return self.provider.settle(self.call(look=look or self.look(), amount=part))

    def refund(self, amount: str | None = None) -> WriteResult:
        part = None if amount is None else Decimal(amount)
        return self.provider.refund(self.call(look=self.look(), amount=part))

    def read(self, body: bytes) -> Notification | None:
        return self.provider.read_notification(Message(body, {}, self.account, Deadline.after(5)))

    def paid(self, stage: str = "auth", amount: str = "10.00") -> None:
        self.company.create(ID, amount, "paid" if stage == "purchase" else "held")

    def money(self) -> tuple[str, ...]:
        return tuple(f"{part:.2f}" for part in self.company.money(ID))

    def sent(self, operation: str) -> Any:
        return json.loads(self.company.calls_of(operation)[-1].body, parse_float=str)
