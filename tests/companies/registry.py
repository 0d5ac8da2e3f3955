"""The companies, one entry each. A test of every company takes them from here."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tests.companies.base import Company
from tests.companies.cryptomus import ADDRESS, Cryptomus, CryptomusPayment
from tests.companies.payment import CompanyPayment
from tests.companies.rustore import RuStore, RuStorePayment
from tests.companies.tranzzo import TranzzoCompany, TranzzoPayment
from tests.companies.yandex_pay import YandexPayCompany, YandexPayPayment


@dataclass(frozen=True)
class Cancellable:
    """A payment that can be cancelled, in the company's words.

    `state` and `end` are its states before and after, `write` is the stand-in's word for the call
    between them. `captured` is the merchant's policy. VTEX does not know the fields `unknown`.
    """

    name: str
    state: str
    write: str = ""
    end: str = ""
    captured: str = "manual"
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class CompanyEntry:
    """A company as one merchant uses it. `name` is its provider's.

    `writes` gives the stand-in's word for each write; a verb that is not in it makes none.
    `settings` are those that the stand-in's own lack, `options` the stand-in's arguments.
    """

    name: str
    stand_in: type[Company]
    payment: type[CompanyPayment]
    writes: Mapping[str, str]
    # The first is the usual one.
    cancellables: tuple[Cancellable, ...]
    # The setting by which the company knows the merchant.
    credential: str
    settings: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    # What the papers leave open, as it is hardest for us: for histories made at random.
    hardest: Mapping[str, Any] = field(default_factory=dict)
    currency: str = "RUB"
    variant: str = ""
    # Whether what is paid is held until it is settled.
    is_held: bool = True
    # Whether a part can be settled and refunded.
    in_part: bool = True
    # Whether a write that comes twice with the same reference is done once there.
    is_keyed: bool = False
    # What the company may accept, to do it later.
    later: tuple[str, ...] = ()
    # Whether a refund always runs for a while before it ends.
    refunds_run: bool = False
    # Whether a call that is refused as unauthorized is made again, with a new token.
    renews_token: bool = False
    # The settings and options by which it takes the money when the buyer pays, if it can.
    at_once: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_page(self) -> bool:
        """Whether we create the payment; else the buyer begins it in the shop's app."""
        return "create" in self.writes

    @property
    def one_stage(self) -> Self:
        return replace(self, variant="one-stage", is_held=False, **self.at_once)

    def open(self, **options: Any) -> Any:
        """Return a stand-in to enter."""
        return self.stand_in(**{**self.options, **options})

    def words(self, *verbs: str) -> list[str]:
        """Return the stand-in's words for the writes it has of these, each word once."""
        return list(dict.fromkeys(self.writes[verb] for verb in verbs if verb in self.writes))

    def __str__(self) -> str:
        return f"{self.name}-{self.variant}" if self.variant else self.name


TRANZZO = CompanyEntry(
    name="tranzzo",
    stand_in=TranzzoCompany,
    payment=TranzzoPayment,
    writes={
        "create": "create",
        "cancel_unpaid": "cancel",
        "cancel": "void",
        "settle": "capture",
        "refund": "refund",
    },
    cancellables=(
        Cancellable("held", "held", "void", "voided"),
        Cancellable("unpaid", "unpaid", "cancel", "cancelled"),
        Cancellable("captured", "paid", "refund", "refunded", "refund"),
    ),
    credential="api_key",
    later=("cancel", "settle", "refund"),
    at_once={"settings": {"stage": "purchase"}},
)
YANDEX_PAY = CompanyEntry(
    name="yandex_pay",
    stand_in=YandexPayCompany,
    payment=YandexPayPayment,
    writes={
        "create": "create",
        "cancel": "cancel",
        "cancel_unpaid": "rollback",
        "settle": "capture",
        "refund": "refund",
    },
    cancellables=(
        Cancellable("held", "held", "cancel", "cancelled"),
        Cancellable("unpaid", "unpaid", "rollback", "declined"),
        Cancellable("captured", "captured", "refund", "refunded", "refund"),
    ),
    credential="api_key",
    later=("cancel", "settle", "refund"),
    hardest={"rest_shows": "success", "is_created_once": True},
    is_keyed=True,
    at_once={"options": {"one_stage": True}, "hardest": {}},
)
RUSTORE = CompanyEntry(
    name="rustore",
    stand_in=RuStore,
    payment=RuStorePayment,
    writes={"cancel": "cancel", "settle": "settle", "refund": "refund"},
    cancellables=(
        Cancellable("held", "PAID", "cancel", "REVERSED"),
        Cancellable("captured", "CONFIRMED", "refund", "REFUNDED", "refund"),
        Cancellable("blind", "PAID", "cancel", "REVERSED", unknown=("tid",)),
    ),
    credential="key_id",
    later=("settle", "refund"),
    hardest={"names_the_status": True},
    in_part=False,
    renews_token=True,
)
CRYPTOMUS = CompanyEntry(
    name="cryptomus",
    stand_in=Cryptomus,
    payment=CryptomusPayment,
    writes={"create": "create", "refund": "refund"},
    cancellables=(
        Cancellable("unpaid", "check", end="cancel"),
        Cancellable("cancelled", "cancel", end="cancel"),
    ),
    credential="payment_key",
    later=("refund",),
    settings={"refund_address": ADDRESS},
    currency="USD",
    is_keyed=True,
    refunds_run=True,
    is_held=False,
    in_part=False,
)

COMPANIES = [TRANZZO, YANDEX_PAY, RUSTORE, CRYPTOMUS]
# Where any company will do that creates, holds, and takes and returns parts.
ANY = TRANZZO
IN_PART = [entry for entry in COMPANIES if entry.in_part]
HOLDING = [entry for entry in COMPANIES if entry.is_held]
WITH_TOKEN = [entry for entry in COMPANIES if entry.renews_token]
BY_NAME = {entry.name: entry for entry in COMPANIES}
# Each of them with each way in which it takes the money.
VARIANTS = [
    variant
    for entry in COMPANIES
    for variant in ([entry, entry.one_stage] if entry.at_once else [entry])
]


def entry_of(company: Company) -> CompanyEntry:
    """Return the entry of a stand-in."""
    return next(entry for entry in COMPANIES if type(company) is entry.stand_in)


def provider_of(company: Company) -> str:
    return entry_of(company).name
