"""What every provider offers: the contract between the operations and a company's module."""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
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


def for_people(text: str) -> str:
    """Mark an English text that pages show, so that the catalogues have its translations."""
    return text


# Characters of the longest account at a company. The database keeps accounts in an index.
MOST_ACCOUNT = 256


@dataclass(frozen=True)
class Setting:
    """One key of a merchant's settings.

    `check` returns the fault of a value, or None. A secret never reaches a log. If there are
    `options`, the value must be one of them. A setting that is not required may be absent.
    `is_payout` marks a setting that says where money goes. VTEX's Admin does not ask for such a
    setting, and no request can set it. `is_account` marks the setting that names the merchant's
    account at the company. Such a name is no secret. `hint` says where the company shows the value,
    or how to choose it. If `needs_address`, the company shows the value to whoever gives it our
    address for notifications.
    """

    key: str
    title: str
    is_secret: bool = True
    check: Callable[[str], str | None] | None = None
    is_required: bool = True
    options: tuple[str, ...] = ()
    is_payout: bool = False
    is_account: bool = False
    hint: str = ""
    needs_address: bool = False


@dataclass(frozen=True)
class Hosts:
    """The base URLs of a company, without a trailing slash."""

    url: str
    sandbox_url: str

    def base(self, account: Account) -> str:
        return self.sandbox_url if account.sandbox else self.url


# The look of a `Call` before which there was no look.
UNSEEN = Look(Standing.UNSEEN)


@dataclass(frozen=True)
class Call:
    """The argument of a verb: the payment, the merchant's account and the deadline.

    A write has a `reference`, and the `look` that came before the write. `amount` is the amount to
    settle or refund, in units of the payment's currency. None means all. In a call of `look`,
    `reference` names an earlier write whose outcome is unknown. It is empty if there is no such
    write.
    """

    payment: PaymentKey
    account: Account
    deadline: Deadline
    reference: str = ""
    look: Look = UNSEEN
    amount: Decimal | None = None

    @classmethod
    def about_nobody(cls, account: Account, deadline: Deadline) -> "Call":
        """Return a call about a payment that no company has."""
        return cls(PaymentKey(uuid.uuid4().hex), account, deadline)


@dataclass(frozen=True)
class Message:
    """A message that arrived at a merchant's address for notifications.

    `body` has the received bytes. Header names are in small letters. The message counts only if its
    signature belongs to `account`.
    """

    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    account: Account
    deadline: Deadline


class Provider(ABC):
    """One payment company.

    It takes and returns domain values. It never sees Flask, SQL, the environment or VTEX's
    JSON; it never sleeps, never retries, never stores. One object serves all threads and all
    merchants. Every verb may raise the errors of `HttpClient.send`, and AnswerNotUnderstood.
    """

    # `name` stands in URLs, settings and tables. `title` is for people.
    name: ClassVar[str]
    title: ClassVar[str]
    # The documented base URLs. `sandbox_url` is None if the sandbox is on the same host, or if
    # there is no sandbox.
    url: ClassVar[str]
    sandbox_url: ClassVar[str | None] = None
    settings: ClassVar[tuple[Setting, ...]]

    # What can be sold: names of VTEX's manifest, ISO 4217 currencies (None: all that the company
    # takes), the most decimals of an amount, and the delays that VTEX is told.
    payment_methods: ClassVar[tuple[str, ...]] = ()
    currencies: ClassVar[frozenset[str] | None] = None
    decimals: ClassVar[int] = 2
    delays: ClassVar[Delays] = Delays()
    # Whether a create may carry a card. No company ever gets the card.
    takes_cards: ClassVar[bool] = False
    # Whether the company has any sandbox; it may be on the same host, with other keys.
    has_sandbox: ClassVar[bool] = True
    # Whether the buyer starts the payment at the company, so that `create` is never called; and
    # whether the company answers a repeated create of an order like the first.
    is_adopting: ClassVar[bool] = False
    create_is_idempotent: ClassVar[bool] = False

    # What can be done: the standings in which `cancel` may be called; and the standings besides
    # WORKING that end by themselves soon, so that no person is needed.
    cancellable: ClassVar[frozenset[Standing]] = frozenset()
    passing: ClassVar[frozenset[Standing]] = frozenset()
    # Whether a cancellation may return captured money.
    can_refund: ClassVar[bool] = False
    # For people: which payments are taken at once where all others are held.
    taken_at_once: ClassVar[str] = ""
    # Whether the value of a cancellation is compared with the payment's amount.
    checks_cancel_value: ClassVar[bool] = True
    # Whether a part can be settled or refunded.
    can_settle_partly: ClassVar[bool] = False
    can_refund_partly: ClassVar[bool] = False
    # For people: where at the company our address for notifications is entered. Empty if nobody has
    # to enter it.
    notification_place: ClassVar[str] = ""
    # What a person must do after a refund; empty if the buyer then has the money.
    after_refund: ClassVar[str] = ""
    # Whether a repeated refund (of one reference, or of one payment) returns money only once.
    refund_is_idempotent: ClassVar[bool] = False
    # Whether `probe` shows that the keys belong to the account that the settings name.
    probe_proves_account: ClassVar[bool] = True
    # Whether a payment surely does not exist if the company does not know it and VTEX has no id of
    # it.
    absent_is_proof: ClassVar[bool] = True

    def __init__(self, http: "HttpClient", hosts: Hosts) -> None:
        self._http = http
        self._hosts = hosts

    def slot(self) -> AbstractContextManager[None]:
        """Hold a place among the operations at this company. Raises ProviderBusy."""
        return self._http.bulkhead.slot()

    def has_room(self) -> bool:
        """Whether an operation may keep its place at the company while it only waits."""
        return self._http.bulkhead.has_room()

    @abstractmethod
    def look(self, call: Call) -> Look:
        """Ask the company for the state of a payment.

        Raises ProviderRefused for a readable refusal that is not "no such payment".
        """

    def memo(self, order: Order) -> str | None:
        """Return a text to store with a payment, before the payment is created."""
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

        None means all of the payment. Then nothing of it was returned before. Raises
        ProviderRefused when the company certainly refused.
        """
        raise NotImplementedError

    def may_refund(self, account: Account) -> bool:
        """Whether VTEX's refunds can be sent to the company for this merchant."""
        return self.can_refund

    def read_notification(self, message: Message) -> Notification | None:
        """Read a message of the company. None: the message is about no payment.

        Raises NotAuthenticated if nothing proves that the company sent the message. Raises
        InvalidRequest if the message cannot be read.
        """
        raise NotFound

    @abstractmethod
    def probe(self, call: Call) -> None:
        """Try the credentials with a call that changes nothing. Its payment exists nowhere.

        Raises ProviderCredentials when the company does not accept them.
        """

    @classmethod
    def missing(cls, values: Mapping[str, str]) -> list[str]:
        """Return the keys of the required settings that a merchant does not have."""
        required = [setting.key for setting in cls.settings if setting.is_required]
        return [key for key in required if not values.get(key)]

    @classmethod
    def check_settings(
        cls, values: Mapping[str, object], *, is_whole: bool = True
    ) -> dict[str, str]:
        """Return the settings as text. Raises ConfigurationError that names every fault.

        If `is_whole` is false, required settings may be missing: VTEX's requests will bring them.
        """
        faults = cls.faults(values, is_whole=is_whole)
        if faults:
            raise ConfigurationError("; ".join(f"{key}: {fault}" for key, fault in faults.items()))
        texts = {setting.key: _as_text(values.get(setting.key)) for setting in cls.settings}
        return {key: text for key, text in texts.items() if text}

    @classmethod
    def faults(cls, values: Mapping[str, object], *, is_whole: bool = True) -> dict[str, str]:
        """Return the fault of each wrong setting, by the setting's key."""
        keys = [setting.key for setting in cls.settings]
        faults = {key: f"not a setting of {cls.name}" for key in values if key not in keys}
        for setting in cls.settings:
            is_needed = setting.is_required and is_whole
            fault = _fault(setting, _as_text(values.get(setting.key)), is_needed=is_needed)
            if fault:
                faults[setting.key] = fault
        return faults

    @classmethod
    def account_key(cls) -> str | None:
        """Return the key of the setting that names the account at the company, if there is one."""
        return next((setting.key for setting in cls.settings if setting.is_account), None)


def _as_text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""


def _fault(setting: Setting, value: str, *, is_needed: bool) -> str | None:
    """Return the fault of a value, or None."""
    if not value:
        return "missing" if is_needed else None
    if not re.fullmatch(r"[!-~]+", value):
        return (
            "only printable ASCII, without spaces and line breaks, can be sent in a header or URL"
        )
    if setting.is_account and len(value) > MOST_ACCOUNT:
        return f"at most {MOST_ACCOUNT} characters"
    if setting.options and value not in setting.options:
        return f"give one of {', '.join(setting.options)}"
    return setting.check(value) if setting.check else None
