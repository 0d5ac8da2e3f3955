"""A shop with one payment at the stand-in."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.merchant import Account
from connector.domain.order import Line, Order
from connector.domain.payment import CreateResult, Look, Notification, PaymentKey, WriteResult
from connector.http_client import HttpClient
from connector.provider import Call, Hosts, Message
from connector.providers.yandex_pay import YandexPay
from tests.companies.yandex_pay import YandexPayCompany
from tests.providers.contract import REFERENCE

ORDER = "B2F246B3CE46469FBDD23039868E95D0"
LINES = (
    Line("sku-1", "Pen", 10, Decimal("33.33")),
    Line("sku-1", "Pen", 1, Decimal("6.67")),
    Line("free", "Sticker", 1, Decimal(0)),
    Line("sku-2", "Блокнот", 2, Decimal("60.00")),
)
WHOLE = Order(
    ORDER, Decimal("100.00"), "RUB", "1309", lines=LINES, return_url="https://shop.example/back"
)


class YandexPayAccount:
    """A payment of WHOLE at the stand-in, step by step."""

    def __init__(self, company: YandexPayCompany) -> None:
        self.company = company
        self.http = HttpClient("yandex_pay")
        self.provider = YandexPay(self.http, Hosts(company.url, company.sandbox_url))
        self.account = Account(company.settings)
        self.key = PaymentKey(ORDER)
        self.references = 0

    def call(self, reference: str, key: PaymentKey | None = None, **told: Any) -> Call:
        return Call(key or self.key, self.account, Deadline.after(10), reference, **told)

    def create(self, order: Order = WHOLE, reference: str = REFERENCE) -> CreateResult:
        created = self.provider.create(
            order, self.call(reference, key=PaymentKey(order.payment_id))
        )
        self.key = PaymentKey(order.payment_id, memo=created.memo)
        return created

    def look(self, reference: str = "") -> Look:
        return self.provider.look(self.call(reference))

    def paid(self) -> Look:
        self.create()
        self.company.pay(ORDER)
        return self.look()

    def taken(self, amount: str | None = None) -> Look:
        self.settle(amount, self.paid())
        return self.look()

    def settle(self, amount: str | None, look: Look, reference: str = "settle-1") -> WriteResult:
        part = None if amount is None else Decimal(amount)
        return self.provider.settle(self.call(reference, look=look, amount=part))

    def refund(self, amount: str | None, look: Look, reference: str = "refund-1") -> WriteResult:
        part = None if amount is None else Decimal(amount)
        return self.provider.refund(self.call(reference, look=look, amount=part))

    def cancel(self, look: Look) -> WriteResult:
        return self.provider.cancel(self.call("cancel-1", look=look))

    def read(self, body: bytes, *, seconds: float = 10, **changes: Any) -> Notification | None:
        account = changes.get("account", self.account)
        return self.provider.read_notification(Message(body, {}, account, Deadline.after(seconds)))

    def money(self) -> tuple[Decimal, ...]:
        return self.company.money(ORDER)


@pytest.fixture
def shop() -> Iterator[YandexPayAccount]:
    with YandexPayCompany() as company:
        shop = YandexPayAccount(company)
        yield shop
        shop.http.close()
