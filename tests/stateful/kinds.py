"""The companies, each as one merchant uses it: what a buyer and the company itself may do."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.companies.cryptomus import ADDRESS, Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany, without_dashes
from tests.companies.yandex_pay import YandexPayCompany

Money = tuple[Decimal, Decimal, Decimal]
ENDS = ("cancel", "void", "rollback")
CAPTURES = ("capture", "settle")


class Side:
    """One payment at its company."""

    def __init__(self, company: Any, payment_id: str) -> None:
        self.company = company
        self.payment_id = payment_id

    @property
    def exists(self) -> bool:
        return self.payment_id in self.company.orders

    @property
    def is_unpaid(self) -> bool:
        """Whether nothing happened yet, so that a buyer may begin."""
        return self.exists

    def start(self) -> None:
        """The app begins a purchase, where it is the app that does."""

    def underpay(self, _amount: Decimal) -> bool:
        """Let another amount be asked of the buyer than VTEX said; say whether that can be."""
        return False

    def begin_paying(self) -> None:
        self.company.pay(self.payment_id, "pending")

    def pay(self) -> None:
        self.company.pay(self.payment_id)

    def decline(self) -> None:
        self.company.decline(self.payment_id)

    def expire(self) -> None:
        self.company.expire(self.payment_id)

    def finish(self, *, well: bool = True) -> None:
        self.company.finish(self.payment_id, well=well)

    def mood(self, word: str) -> None:
        """Let operations end "at once", "later" (by `finish`) or "badly"."""

    @property
    def money(self) -> Money:
        held, taken, returned = self.company.money(self.payment_id)
        return Decimal(held), Decimal(taken), Decimal(returned)

    def notification(self) -> tuple[bytes, dict[str, str]]:
        message: tuple[bytes, dict[str, str]] = self.company.notification(self.payment_id)
        return message

    def count(self, *names: str) -> int:
        """Add up what these writes did to this payment."""
        effects = self.company.effects
        return sum(effects[f"{name}:{one}"] for name in names for one in self._names())

    def _names(self) -> list[str]:
        return [self.payment_id]


class TranzzoSide(Side):
    @property
    def exists(self) -> bool:
        return bool(self.company.orders.get(without_dashes(self.payment_id)))

    @property
    def _primary(self) -> dict[str, Any]:
        order: dict[str, Any] = self.company.orders[without_dashes(self.payment_id)][0]
        return order

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._primary["status"] == "init"

    def underpay(self, amount: Decimal) -> bool:
        self._primary["amount"] = int(amount)
        return True

    def mood(self, word: str) -> None:
        self.company.is_slow = word == "later"
        for name in ("void", "capture", "refund"):
            setattr(self.company, f"{name}_ends_in", "failure" if word == "badly" else "success")


class YandexSide(Side):
    @property
    def _status(self) -> str | None:
        status: str | None = self.company.orders[self.payment_id]["paymentStatus"]
        return status

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._status is None

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self.company.pay(self.payment_id, "PENDING")

    def pay(self) -> None:
        if self._status in {None, "PENDING"}:
            self.company.pay(self.payment_id)

    def decline(self) -> None:
        if self._status in {None, "PENDING"}:
            self.company.decline(self.payment_id)

    def expire(self) -> None:
        if self._status in {None, "AUTHORIZED"} and not self.company._running(self.payment_id):
            self.company.expire(self.payment_id)

    def finish(self, *, well: bool = True) -> None:
        if self._status == "PENDING":
            self.pay() if well else self.decline()
            return
        self.company.finish(self.payment_id, well=well)

    def mood(self, word: str) -> None:
        self.company.is_slow = word == "later"
        for name in ("void", "capture", "refund"):
            setattr(self.company, f"{name}_ends_in", "failure" if word == "badly" else "success")


class RuStoreSide(Side):
    @property
    def _purchases(self) -> list[Any]:
        purchases: list[Any] = self.company._all_of(self.payment_id)
        return purchases

    @property
    def exists(self) -> bool:
        return bool(self._purchases)

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._purchases[-1].status == "CREATED"

    def start(self) -> None:
        """A second purchase begins only when nothing came of the first."""
        is_over = not self.exists or self._purchases[-1].status in {"EXPIRED", "REJECTED"}
        if is_over and len(self._purchases) < 2:
            self.company.start(self.payment_id)

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self._purchases[-1].status = "EXECUTED"

    def underpay(self, amount: Decimal) -> bool:
        self._purchases[-1].amount = amount
        return True

    def finish(self, *, well: bool = True) -> None:
        if self._purchases[-1].status == "EXECUTED":
            self.pay() if well else self.decline()
            return
        self.company.finish(self.payment_id, well=well)

    def mood(self, word: str) -> None:
        """What does not go well is not possible for now."""
        self.company.is_slow = word == "later"
        self.company.refunds_later = 3 if word == "badly" else 0

    def _names(self) -> list[str]:
        return [name for one in self._purchases for name in (one.purchase_id, one.invoice_id)]


class CryptomusSide(Side):
    @property
    def exists(self) -> bool:
        return self.payment_id in self.company.invoices

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self.company.state(self.payment_id) == "check"

    def underpay(self, amount: Decimal) -> bool:
        self.company.invoices[self.payment_id].amount = f"{amount:.2f}"
        return True

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self.company.move(self.payment_id, "confirm_check")

    def finish(self, *, well: bool = True) -> None:
        if self.company.state(self.payment_id) == "confirm_check":
            self.pay() if well else self.decline()
            return
        self.company.refunds_fail = not well
        self.company.finish(self.payment_id)

    def mood(self, word: str) -> None:
        self.company.refunds_fail = word == "badly"


@dataclass(frozen=True)
class Kind:
    """One company as one merchant uses it. `writes` are the stand-in's words for them."""

    name: str
    stand_in: Any
    side: type[Side]
    writes: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    currency: str = "RUB"
    is_adopting: bool = False

    def __str__(self) -> str:
        return self.name

    def company(self) -> Any:
        return self.stand_in(**self.options)


_TRANZZO = ("create", "cancel", "void", "capture", "refund")
_YANDEX = ("create", "cancel", "rollback", "capture", "refund")
KINDS = [
    Kind("tranzzo-auth", TranzzoCompany, TranzzoSide, _TRANZZO),
    Kind("tranzzo-purchase", TranzzoCompany, TranzzoSide, _TRANZZO, {"stage": "purchase"}),
    Kind(
        "yandex-two-stages",
        YandexPayCompany,
        YandexSide,
        _YANDEX,
        options={"rest_shows": "success", "is_created_once": True},
    ),
    Kind("yandex-one-stage", YandexPayCompany, YandexSide, _YANDEX, options={"one_stage": True}),
    Kind(
        "rustore",
        RuStore,
        RuStoreSide,
        ("cancel", "settle", "refund"),
        options={"names_the_status": True},
        is_adopting=True,
    ),
    Kind(
        "cryptomus",
        Cryptomus,
        CryptomusSide,
        ("create", "refund"),
        {"refund_address": ADDRESS},
        currency="USDT",
    ),
]
