"""What every provider offers: the contract between the operations and a company's module."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, ClassVar

from connector.domain.deadline import Deadline
from connector.domain.errors import ConfigurationError, NotFound
from connector.domain.merchant import Account
from connector.domain.order import Delays, Order
from connector.domain.payment import (
    CreateResult,
    Look,
    Notification,
    PaymentKey,
    Standing,
    WriteResult,
)

if TYPE_CHECKING:
    from connector.http_client import HttpClient


@dataclass(frozen=True)
class Setting:
    """One key of a merchant's settings.

    `check` returns what is wrong with a value, or None. A secret never reaches a log. One with
    `options` takes one of these; a setting that is not required may be left out. One that says
    where money goes, `is_payout`, is neither asked for in VTEX's Admin nor taken from a request.
    """

    key: str
    title: str
    is_secret: bool = True
    check: Callable[[str], str | None] | None = None
    is_required: bool = True
    options: tuple[str, ...] = ()
    is_payout: bool = False


@dataclass(frozen=True)
class Hosts:
    """The base URLs of a company, without a trailing slash."""

    url: str
    sandbox_url: str

    def base(self, account: Account) -> str:
        return self.sandbox_url if account.sandbox else self.url


# The look of a verb that is called before there is one.
UNSEEN = Look(Standing.UNSEEN)


@dataclass(frozen=True)
class Call:
    """What a verb is asked to do: about which payment, for whom, and until when.

    `reference` is of the write; of a look it is that of an earlier write whose outcome is open,
    if there is such a write. A write is told how the payment stood when it was looked at, and,
    where it may be a part, the `amount` in units of the payment's currency; None is all.
    """

    payment: PaymentKey
    account: Account
    deadline: Deadline
    reference: str = ""
    look: Look = UNSEEN
    amount: Decimal | None = None


class Provider(ABC):
    """One payment company.

    It takes and returns domain values. It never sees Flask, SQL, the environment or VTEX's
    JSON; it never sleeps, never retries, never stores. One object serves all threads and all
    merchants. Every verb may raise the errors of `HttpClient.send`, and AnswerNotUnderstood.
    """

    # Who it is: `name` in URLs, settings and tables, `title` for people.
    name: ClassVar[str]
    title: ClassVar[str]
    # The documented base URLs. `sandbox_url` is None where the sandbox is on the same host, or
    # where the company has none.
    url: ClassVar[str]
    sandbox_url: ClassVar[str | None] = None
    settings: ClassVar[tuple[Setting, ...]]

    # What it sells: names of VTEX's manifest, ISO 4217 currencies (None: whichever the company
    # takes), the most decimals of an amount, and the delays VTEX is told.
    payment_methods: ClassVar[tuple[str, ...]] = ()
    currencies: ClassVar[frozenset[str] | None] = None
    decimals: ClassVar[int] = 2
    delays: ClassVar[Delays] = Delays()
    # Whether a create may carry a card: no company is shown any.
    takes_cards: ClassVar[bool] = False
    # Whether it has a sandbox at all, be it by other keys on the same host.
    has_sandbox: ClassVar[bool] = True
    # Whether the buyer begins the payment there by themselves, so that `create` is never called;
    # and whether a repeated create of one order is answered like the first.
    is_adopting: ClassVar[bool] = False
    create_is_idempotent: ClassVar[bool] = False

    # What it can do. The standings in which `cancel` may be called, and those besides WORKING
    # that end by themselves soon, so that a person need not be asked.
    cancellable: ClassVar[frozenset[Standing]] = frozenset()
    passing: ClassVar[frozenset[Standing]] = frozenset()
    # What a cancellation may do with captured money, and whether a part can be settled or refunded.
    can_refund: ClassVar[bool] = False
    # Which payments are taken at once where the others are held, for people.
    taken_at_once: ClassVar[str] = ""
    # Whether a cancellation's value says that only a part is meant.
    checks_cancel_value: ClassVar[bool] = True
    can_settle_partly: ClassVar[bool] = False
    can_refund_partly: ClassVar[bool] = False
    # What a person must still do once a refund is made, empty where the buyer then has the money.
    after_refund: ClassVar[str] = ""
    # Whether the company takes a repeated refund of one reference, or of one payment, for one.
    refund_is_idempotent: ClassVar[bool] = False
    # Whether a payment the company does not know, and VTEX has no id for, is surely none.
    absent_is_proof: ClassVar[bool] = True

    def __init__(self, http: "HttpClient", hosts: Hosts) -> None:
        self._http = http
        self._hosts = hosts

    def slot(self) -> AbstractContextManager[None]:
        """Hold a place among the operations at this company. Raises ProviderBusy."""
        return self._http.bulkhead.slot()

    def has_room(self) -> bool:
        """Whether an operation may keep its place there while it only waits."""
        return self._http.bulkhead.has_room()

    @abstractmethod
    def look(self, call: Call) -> Look:
        """Ask the company how a payment stands.

        Raises ProviderRefused for a readable refusal that is not "no such payment".
        """

    def memo(self, order: Order) -> str | None:
        """Return what is to be kept with a payment that is about to be created."""
        return None

    def create(self, order: Order, call: Call) -> CreateResult:
        """Create a payment. Raises ProviderRefused when the company certainly refused."""
        raise NotImplementedError

    def cancel(self, call: Call) -> WriteResult:
        """End a payment that stands, by `call.look`, in one of `cancellable`.

        Raises ProviderRefused when the company certainly refused.
        """
        raise NotImplementedError

    def settle(self, call: Call) -> WriteResult:
        """Take a held payment: `call.amount` of it, None for all; the rest is released.

        Raises ProviderRefused when the company certainly refused.
        """
        raise NotImplementedError

    def refund(self, call: Call) -> WriteResult:
        """Return `call.amount` of a captured payment.

        None is all of a payment of which nothing was returned. Raises ProviderRefused when the
        company certainly refused.
        """
        raise NotImplementedError

    def may_refund(self, account: Account) -> bool:
        """Whether a refund VTEX asks for can be sent for this merchant."""
        return self.can_refund

    def read_notification(
        self, body: bytes, headers: Mapping[str, str], account: Account, deadline: Deadline
    ) -> Notification | None:
        """Read a message the company sent, None for one that is about no payment.

        `body` is as received; header names are in small letters. Raises NotAuthenticated when
        it is not proven to be the company's, InvalidRequest when it cannot be read.
        """
        raise NotFound

    @abstractmethod
    def probe(self, account: Account, deadline: Deadline) -> None:
        """Prove the credentials with a call that changes nothing.

        Raises ProviderCredentials when the company does not accept them.
        """

    @classmethod
    def missing(cls, values: Mapping[str, str]) -> list[str]:
        """Name the required settings that a merchant does not have."""
        return [one.key for one in cls.settings if one.is_required and not values.get(one.key)]

    @classmethod
    def check_settings(
        cls, values: Mapping[str, object], *, is_whole: bool = True
    ) -> dict[str, str]:
        """Return the settings as text. Raises ConfigurationError that names every fault.

        Not `is_whole` are those that VTEX's requests are to complete.
        """
        known = {setting.key: setting for setting in cls.settings}
        faults = [f"{key}: not a setting of {cls.name}" for key in values if key not in known]
        checked = {}
        for key, setting in known.items():
            value = _as_text(values.get(key))
            if not value and not (setting.is_required and is_whole):
                continue
            fault = _fault(setting, value)
            if fault:
                faults.append(f"{key}: {fault}")
            else:
                checked[key] = value
        if faults:
            raise ConfigurationError("; ".join(faults))
        return checked


def _as_text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _fault(setting: Setting, value: str) -> str | None:
    if not value:
        return "missing"
    if not re.fullmatch(r"[!-~]+", value):
        return (
            "only printable ASCII, without spaces and line breaks, can be sent in a header or URL"
        )
    if setting.options and value not in setting.options:
        return f"give one of {', '.join(setting.options)}"
    return setting.check(value) if setting.check else None
