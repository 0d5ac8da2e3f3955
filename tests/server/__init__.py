"""What these tests cancel: a kind of payment for each way a company has to end one."""

import re
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

from connector.domain.operation import own_cancellation_id
from tests.companies.base import Call
from tests.companies.cryptomus import Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.rig import Rig


@dataclass(frozen=True)
class Payment:
    """A payment: its id at VTEX, its names at the company, what VTEX sends besides the ids."""

    id: str
    names: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of payment. `name` is also its merchant's, `captured` that merchant's policy.

    `state` and `end` are the company's words for it before and after, `write` is the stand-in's
    for the call between them. `looks` says whether it can be looked at.
    """

    name: str
    state: str = ""
    write: str = ""
    end: str = ""
    captured: str = "manual"

    company: ClassVar[Any] = None
    looks: ClassVar[bool] = True

    def make(self, company: Any) -> Payment:
        raise NotImplementedError

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        """Whether the company really ended it."""
        raise NotImplementedError

    def shown_id(self, company: Any, payment: Payment) -> str | None:
        """The id by which the company shows what ended it; None where it shows none."""
        return None

    def __str__(self) -> str:
        return self.name


class Tranzzo(Kind):
    company = TranzzoCompany

    def make(self, company: Any) -> Payment:
        payment_id = str(uuid.uuid4())
        return Payment(payment_id, (company.create(payment_id, state=self.state),))

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        return bool(company.state(payment.id) == self.end)

    def shown_id(self, company: Any, payment: Payment) -> str | None:
        last = company.orders[payment.names[0]][-1]
        return last.get("operation_id") or last["payment_id"]


class YandexPay(Kind):
    company = YandexPayCompany

    def make(self, company: Any) -> Payment:
        payment_id = new_id()
        return Payment(payment_id, (company.create(payment_id, state=self.state),))

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        return bool(company.orders[payment.id]["paymentStatus"] == self.end)

    def shown_id(self, company: Any, payment: Payment) -> str | None:
        """A rollback makes no operation."""
        ended = [one for one in company.operations[payment.id] if one["externalOperationId"]]
        return ended[-1]["operationId"] if ended else None


class RuStorePurchase(Kind):
    company = RuStore

    def make(self, company: Any) -> Payment:
        made = company.create(new_id(), self.state)
        fields = {"authorizationId": made.purchase_id, "tid": made.invoice_id}
        return Payment(made.order_id, (made.purchase_id, made.invoice_id), fields)

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        return bool(company.state(payment.names[0]) == self.end)

    def shown_id(self, company: Any, payment: Payment) -> str | None:
        return payment.names[0]


class BlindRuStorePurchase(RuStorePurchase):
    """VTEX knows its purchaseId only: it cannot be looked at."""

    looks = False

    def make(self, company: Any) -> Payment:
        made = super().make(company)
        return replace(made, fields={"authorizationId": made.names[0]})


class CryptomusInvoice(Kind):
    company = Cryptomus

    def make(self, company: Any) -> Payment:
        payment_id = new_id()
        return Payment(payment_id, (company.create(payment_id, self.state).order_id,))

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        return bool(company.state(payment.id) == self.end)


class Sandbox(Kind):
    """No company, no calls."""

    looks = False

    def make(self, company: Any) -> Payment:
        return Payment(new_id())

    def is_cancelled(self, company: Any, payment: Payment) -> bool:
        return True


def new_id() -> str:
    """An id as VTEX makes them."""
    return uuid.uuid4().hex.upper()


TRANZZO_UNPAID = Tranzzo("tranzzo-unpaid", "unpaid", "cancel", "cancelled")
TRANZZO_HELD = Tranzzo("tranzzo-held", "held", "void", "voided")
TRANZZO_CAPTURED = Tranzzo("tranzzo-captured", "paid", "refund", "refunded", "refund")
YANDEX_UNPAID = YandexPay("yandex-unpaid", "unpaid", "rollback", "FAILED")
YANDEX_HELD = YandexPay("yandex-held", "held", "cancel", "VOIDED")
YANDEX_CAPTURED = YandexPay("yandex-captured", "captured", "refund", "REFUNDED", "refund")
RUSTORE_HELD = RuStorePurchase("rustore-held", "PAID", "cancel", "REVERSED")
RUSTORE_CAPTURED = RuStorePurchase("rustore-captured", "CONFIRMED", "refund", "REFUNDED", "refund")
RUSTORE_BLIND = BlindRuStorePurchase("rustore-blind", "PAID", "cancel", "REVERSED")
CRYPTOMUS_CANCELLED = CryptomusInvoice("cryptomus-cancelled", "cancel", end="cancel")
CRYPTOMUS_UNPAID = CryptomusInvoice("cryptomus-unpaid", "check", end="cancel")
SANDBOX = Sandbox("sandbox")

# Those that a write ends and that can be looked at: whatever happens, the truth can be found.
SEEN: list[Kind] = [
    TRANZZO_UNPAID,
    TRANZZO_HELD,
    TRANZZO_CAPTURED,
    YANDEX_UNPAID,
    YANDEX_HELD,
    YANDEX_CAPTURED,
    RUSTORE_HELD,
    RUSTORE_CAPTURED,
]
KINDS: list[Kind] = [*SEEN, RUSTORE_BLIND, CRYPTOMUS_CANCELLED, CRYPTOMUS_UNPAID, SANDBOX]


RECORDED = (
    "SELECT * FROM payments WHERE payment_id = :id",
    "SELECT * FROM requests WHERE payment_id = :id ORDER BY id",
    "SELECT * FROM sends WHERE payment_id = :id ORDER BY action, number",
    "SELECT * FROM events WHERE request IN (SELECT id FROM requests WHERE payment_id = :id)",
)


class Scene:
    """A rig with the companies' stand-ins, and a merchant for each kind of payment."""

    def __init__(self, url: str, folder: Path, kinds: list[Kind], **variables: str) -> None:
        self.rig = Rig(url, folder, **variables)
        self._kinds = kinds
        self._companies: dict[Any, Any] = {None: None}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.rig)
            for kind in self._kinds:
                if kind.company not in self._companies:
                    self._companies[kind.company] = stack.enter_context(kind.company())
                self.rig.add(self.company(kind), name=kind.name, captured=kind.captured)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def company(self, kind: Kind) -> Any:
        return self._companies[kind.company]

    def make(self, kind: Kind) -> Payment:
        return kind.make(self.company(kind))

    def effects(self, kind: Kind, payment: Payment) -> int:
        """How often anything moved for a payment."""
        counted = self.company(kind).effects if kind.company else {}
        ends = tuple(f":{name}" for name in payment.names)
        return sum(count for name, count in counted.items() if name.endswith(ends))

    def calls(self, kind: Kind, payment: Payment, operation: str | None = None) -> list[Call]:
        """The calls that named a payment."""
        company = self.company(kind)
        made = list(company.calls) if company else []
        return [
            call
            for call in made
            if operation in {None, call.operation} and not _named(call).isdisjoint(payment.names)
        ]

    def truth(self, kind: Kind, payment: Payment, request_id: str) -> dict[str, Any]:
        """The one true answer to a cancellation that took effect."""
        merchant = self.rig.connector.merchants.find(kind.name).merchant
        shown = kind.shown_id(self.company(kind), payment)
        return {
            "paymentId": payment.id,
            "cancellationId": shown or own_cancellation_id(merchant.id, payment.id),
            "code": None,
            "message": "Cancelled",
            "requestId": request_id,
        }

    def is_cancelled(self, kind: Kind, payment: Payment) -> bool:
        return kind.is_cancelled(self.company(kind), payment)

    def let_time_pass(self) -> None:
        """Let leases end, and what was sent be long ago."""
        self.rig.let_leases_end()
        self.rig.execute("UPDATE sends SET sent_at = 1")

    def recorded(self, payment: Payment) -> list[Any]:
        """All that is stored of a payment."""
        found = [self.rig.execute(sql, id=payment.id) for sql in RECORDED]
        return [tuple(row) for rows in found for row in rows]


def _named(call: Call) -> set[str]:
    """The ids that a call names: in its path, or as the order in its body."""
    in_body = {str(call.json().get("order_id"))} if call.body.startswith(b"{") else set()
    return in_body | set(re.split("[/:]", call.path))
