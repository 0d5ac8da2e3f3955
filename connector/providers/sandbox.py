"""The sandbox: a company that does not exist.

It answers without any call, moves no money and needs no settings. It serves a first try and
VTEX's test suite. A developer can copy it for a new company. Its API reference is VTEX's page
"Payment Provider Homologation", which lists the cards of the test suite.

Authentication: none. Its books are the memo of a payment. They have the payment's first values and
every write since then. If the books have a write's reference, the write changes nothing.

Quirks: a payment that was not created here has no books. With any id it is held until it is
cancelled. It shows no amount, so its cancellation is never partial. The page to pay on is the
shop's own return address. The buyer returns at once, and has paid a few seconds later.

What it cannot do: settle twice; settle or refund without books. It sends no notification. If a
payment is not decided at once, a look decides it.
"""

import json
import re
import time
from dataclasses import asdict, dataclass, replace
from decimal import Decimal

from connector.company_json import Fields
from connector.domain import exact
from connector.domain.errors import AnswerNotUnderstood, ProviderRefused
from connector.domain.merchant import Account
from connector.domain.order import Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    PaymentKey,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.provider import Call, Provider

# Seconds until an undecided payment is decided. VTEX's test suite waits 15 s for the callback.
_SECONDS = 5
# By the card's number: the payment's end, and the seconds until then. The numbers are public.
_CARDS = {
    "4444333322221111": (PaymentStatus.APPROVED, 0),
    "4444333322221112": (PaymentStatus.DENIED, 0),
    "4222222222222224": (PaymentStatus.APPROVED, _SECONDS),
    "4222222222222225": (PaymentStatus.DENIED, _SECONDS),
}
_OTHER_CARD = (PaymentStatus.APPROVED, 0)
_NO_CARD = (PaymentStatus.APPROVED, _SECONDS)
# The buyer pays an invoice at a counter, even if the create has a card.
_INVOICE = "BankInvoice"
_STATUSES = {
    Standing.PAYING: "paying",
    Standing.HELD: "held",
    Standing.CAPTURED: "captured",
    Standing.PARTLY_REFUNDED: "partly-refunded",
    Standing.UNDONE: "ended",
}
_NOTHING = Decimal(0)
# The memo of a cancelled payment that was not created here, and all memos without books.
_RELEASED = "released"
_NO_BOOKS = (None, _RELEASED)


class Sandbox(Provider):
    """Decides a payment by its card, and keeps exact books."""

    name = "sandbox"
    title = "Sandbox"
    url = "https://sandbox.invalid"
    settings = ()
    payment_methods = ("Visa", "Mastercard", "American Express", "BankInvoice", "Promissories")
    takes_cards = True
    create_is_idempotent = True
    cancellable = frozenset({Standing.PAYING, Standing.HELD})
    can_refund = True
    checks_cancel_value = False
    can_settle_partly = True
    can_refund_partly = True
    refund_is_idempotent = True

    def look(self, call: Call) -> Look:
        payment = call.payment
        if payment.memo in _NO_BOOKS:
            standing = Standing.UNDONE if payment.memo else Standing.HELD
            return Look(standing, provider_status=_STATUSES[standing])
        books = _Books.read(payment.memo)
        standing = books.standing(time.time())
        write = books.find(call.reference)
        return Look(
            standing,
            amount=books.amount,
            currency=books.currency,
            provider_status=_STATUSES[standing],
            captured=books.total("settle"),
            refunded=books.total("refund"),
            write_effect=Effect.DONE if write else None,
            write_id=write.id if write else None,
            authorization_id=_authorization_id(payment.payment_id, standing),
            again=books.decided_at - time.time() if standing is Standing.PAYING else None,
        )

    def create(self, order: Order, call: Call) -> CreateResult:
        number = re.sub(r"\D", "", order.card_number or "")
        has_page = order.method == _INVOICE or not number
        end, seconds = _NO_CARD if has_page else _CARDS.get(number, _OTHER_CARD)
        books = _Books(order.amount, order.currency, end, int(time.time()) + seconds)
        standing = books.standing(time.time())
        return CreateResult(
            PaymentStatus.PENDING if seconds else end,
            authorization_id=_authorization_id(order.payment_id, standing),
            provider_payment_id=f"sandbox-{order.payment_id}",
            payment_url=self._page(order, call.account) if has_page else None,
            memo=books.memo(),
            again=seconds or None,
            provider_status=_STATUSES[standing],
        )

    def cancel(self, call: Call) -> WriteResult:
        if call.payment.memo in _NO_BOOKS:
            return WriteResult(Effect.DONE, provider_status="released", memo=_RELEASED)
        result = _Books.read(call.payment.memo).write(_Write("cancel", call.reference))
        return replace(result, id=None, provider_status="released")

    def settle(self, call: Call) -> WriteResult:
        books = _books(call.payment)
        amount = books.amount if call.amount is None else call.amount
        return books.write(_Write("settle", call.reference, amount))

    def refund(self, call: Call) -> WriteResult:
        books = _books(call.payment)
        amount = books.left_to_refund if call.amount is None else call.amount
        return books.write(_Write("refund", call.reference, amount))

    def probe(self, call: Call) -> None:
        return None

    def _page(self, order: Order, account: Account) -> str:
        """Return the page for the buyer. It works in a browser and holds no secret."""
        return order.return_url or f"{self._hosts.base(account)}/pay/{order.payment_id}"


@dataclass(frozen=True)
class _Write:
    """One write in the books. `amount` is in units of the payment's currency."""

    verb: str
    reference: str
    amount: Decimal = _NOTHING

    @property
    def id(self) -> str:
        return f"{self.verb}-{self.reference}"


@dataclass(frozen=True)
class _Books:
    """A payment: its end, the time of its decision (seconds since 1970), and its writes."""

    amount: Decimal
    currency: str
    end: PaymentStatus
    decided_at: int
    writes: tuple[_Write, ...] = ()

    @classmethod
    def read(cls, memo: str) -> "_Books":
        """Read a memo. Raises AnswerNotUnderstood if it is not ours."""
        try:
            fields = Fields(exact.loads(memo))
            amount, decided_at = fields.decimal("amount"), fields.decimal("decided_at")
            end = PaymentStatus(fields.text("end") or "")
        except ValueError as error:
            raise AnswerNotUnderstood(evidence="memo") from error
        if amount is None or decided_at is None:
            raise AnswerNotUnderstood(evidence="memo")
        writes = tuple(map(_write_from, fields.objects("writes")))
        return cls(amount, fields.text("currency") or "", end, int(decided_at), writes)

    def memo(self) -> str:
        return json.dumps({**asdict(self), "end": self.end.value}, default=str)

    def find(self, reference: str) -> _Write | None:
        return next((write for write in self.writes if write.reference == reference), None)

    def total(self, verb: str) -> Decimal:
        return sum((write.amount for write in self.writes if write.verb == verb), _NOTHING)

    @property
    def left_to_refund(self) -> Decimal:
        return self.total("settle") - self.total("refund")

    def standing(self, at: float) -> Standing:
        """Return the standing of the payment at a time."""
        if any(write.verb == "cancel" for write in self.writes):
            return Standing.UNDONE
        if at < self.decided_at:
            return Standing.PAYING
        if self.end is PaymentStatus.DENIED:
            return Standing.UNDONE
        if not self.total("settle"):
            return Standing.HELD
        if not self.left_to_refund:
            return Standing.UNDONE
        return Standing.PARTLY_REFUNDED if self.total("refund") else Standing.CAPTURED

    def most(self, verb: str) -> Decimal | None:
        """Return the most that a write may move. None: the write is not allowed now."""
        standing = self.standing(time.time())
        if verb == "cancel":
            return _NOTHING if standing in Sandbox.cancellable else None
        if verb == "settle":
            return self.amount if standing is Standing.HELD else None
        is_settled = standing in {Standing.CAPTURED, Standing.PARTLY_REFUNDED}
        return self.left_to_refund if is_settled else None

    def write(self, write: _Write) -> WriteResult:
        """Do a write once. Raises ProviderRefused."""
        if before := self.find(write.reference):
            return WriteResult(Effect.DONE, id=before.id, provider_status="repeated")
        most = self.most(write.verb)
        if most is None:
            raise ProviderRefused(evidence=f"not-to-{write.verb}")
        if write.amount > most or (write.verb != "cancel" and write.amount <= 0):
            raise ProviderRefused(evidence="amount")
        books = replace(self, writes=(*self.writes, write))
        return WriteResult(
            Effect.DONE, id=write.id, provider_status=f"{write.verb}-done", memo=books.memo()
        )


def _books(payment: PaymentKey) -> _Books:
    if payment.memo is None or payment.memo == _RELEASED:
        raise ProviderRefused(evidence="no-books")
    return _Books.read(payment.memo)


def _write_from(fields: Fields) -> _Write:
    verb, reference = fields.text("verb") or "", fields.text("reference") or ""
    return _Write(verb, reference, fields.decimal("amount") or _NOTHING)


def _authorization_id(payment_id: str, standing: Standing) -> str | None:
    """Return the authorization id of an approved payment."""
    is_approved = standing in {Standing.HELD, Standing.CAPTURED, Standing.PARTLY_REFUNDED}
    return f"sandbox-auth-{payment_id}" if is_approved else None
