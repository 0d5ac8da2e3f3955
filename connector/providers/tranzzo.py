"""Tranzzo: payments in one step (purchase) or two (auth, then capture or void).

Pages, under https://docs.tranzzo.com/docs/:
authentication  api-usage/authentication
look            after-payments/info-on-transactions
statuses        status-codes/payment-cycle
errors          error-handling
cancel          cancellation-of-the-created-payment
void            transactions-2-step/void/api
capture         transactions-2-step/capture
refund          transactions-refund/api

Authentication: keys in two headers. The sandbox is a test project with its own keys.

An order is a list of operations. There is no idempotency key; /void and /refund name the order
only, so they are looked up, never repeated blindly. It cannot interrupt a buyer who is paying,
nor void in part.

The pages leave open:
- What CPAY-HMAC-SHA1 signs, which some show: the plain keys of page "authentication" are used.
- How long an order id may be: 256 characters (page "cancel") or 32 (page "void"): the smaller.
- The code of "payment not found", and the HTTP status of wrong credentials, which have a code:
  every other well-formed 404 is an absence.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Self

from connector.domain.deadline import Deadline
from connector.domain.errors import AnswerNotUnderstood, ProviderCredentials, ProviderRefused
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Sent, Standing
from connector.http_client import Answer
from connector.provider import Fields, Provider, Setting, objects, word

_PATHS = {
    "look": "/pos/{pos_id}/orders/{order}",
    "cancel": "/pos/{pos_id}/order/{order}/cancel",
    "void": "/void",
    "refund": "/refund",
}
# `method`, page "look".
_PRIMARY = ("purchase", "auth")
_SECONDARY = ("void", "capture", "refund")
# `status` of a primary operation, page "statuses". What became of a success is for the secondary
# ones to say. Of several primary ones the first of these words counts, an unknown one before all.
_STANDINGS = {
    "success": Standing.HELD,
    "pending": Standing.PAYING,
    "init": Standing.UNPAID,
    "failure": Standing.UNDONE,
}
_RANKS = {status: rank for rank, status in enumerate(_STANDINGS, 1)}
# `status` of the operation that /void and /refund made. After these words nothing changes.
_EFFECTS = {"success": Effect.DONE, "failure": Effect.FAILED}
# `status` and `status_code` of an unpaid order that was cancelled, page "cancel".
_CANCELLED = ("failure", "6007")
# `args.code` of wrong keys or a wrong pos_id, page "authentication".
_WRONG_CREDENTIALS = "S-404"
# Characters, page "void".
_MAX_ORDER_ID = 32


def _pos_id_fault(value: str) -> str | None:
    return None if re.fullmatch(r"[A-Za-z0-9_-]+", value) else "give the POS_ID of the project"


class Tranzzo(Provider):
    """Cancels unpaid orders, voids holds and, by policy, refunds what was taken."""

    name = "tranzzo"
    title = "Tranzzo"
    url = "https://cpay.tranzzo.com/api/v1"
    settings = (
        Setting("pos_id", "POS_ID", is_secret=False, check=_pos_id_fault),
        Setting("api_key", "API_KEY"),
        Setting("api_secret", "API_SECRET"),
        Setting("endpoints_key", "ENDPOINTS_KEY"),
    )
    cancellable = frozenset({Standing.UNPAID, Standing.HELD})
    passing = frozenset({Standing.PAYING})
    can_refund = True

    def look(
        self, payment: PaymentKey, account: Account, deadline: Deadline, reference: str | None
    ) -> Look:
        """Read all operations of the order. One whose id is too long cannot be there."""
        order = _order_id(payment)
        if len(order) > _MAX_ORDER_ID:
            return Look(Standing.ABSENT)
        try:
            return _look_from(self._call("look", order, account, deadline, None))
        except _NotFound as absence:
            return Look(Standing.ABSENT, word=absence.evidence)

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        order = _order_id(payment)
        if look.standing is Standing.HELD:
            body = _body(order, look, account, reference)
            return _sent_from(self._call("void", order, account, deadline, body), "void")
        return _cancelled_from(self._call("cancel", order, account, deadline, b""))

    def refund(
        self,
        payment: PaymentKey,
        look: Look,
        amount: Decimal | None,
        account: Account,
        deadline: Deadline,
        reference: str,
    ) -> Sent:
        """Refund all: without `refund_amount` it is full, page "refund"."""
        order = _order_id(payment)
        body = _body(order, look, account, reference)
        return _sent_from(self._call("refund", order, account, deadline, body), "refund")

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after order 0, as cdn.tranzzo.com/tranzzo-api/index.html advises."""
        with suppress(_NotFound):
            self._call("look", "0", account, deadline, None)

    def _call(
        self, operation: str, order: str, account: Account, deadline: Deadline, body: bytes | None
    ) -> "list[_Operation]":
        """Return the operations an answer shows: with a body by POST, else by GET."""
        path = _PATHS[operation].format(pos_id=account.settings["pos_id"], order=order)
        answer = self._http.send(
            "GET" if body is None else "POST",
            self._hosts.base(account) + path,
            operation=operation,
            deadline=deadline,
            headers=_headers(account),
            body=body,
        )
        return _operations_from(answer, order)


class _NotFound(ProviderRefused):
    """Tranzzo has no such payment."""


@dataclass(frozen=True)
class _Operation:
    """One operation of an order. `id` is its own; a primary one's is the payment's."""

    method: str
    status: str
    code: str | None
    id: str | None
    mode: str | None
    amount: Decimal | None
    currency: str | None

    @classmethod
    def of(cls, fields: Fields) -> Self:
        method, status = fields.text("method"), fields.text("status")
        if method is None or status is None:
            raise AnswerNotUnderstood(evidence="an operation without method or status")
        return cls(
            method,
            status,
            code=fields.text("status_code"),
            id=fields.text("payment_id" if method in _PRIMARY else "operation_id"),
            mode=fields.text("mode"),
            amount=fields.decimal("amount"),
            currency=fields.text("currency"),
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still take effect. Of a method nobody knows, only a failure is over."""
        return self.status not in (_EFFECTS if self.method in _SECONDARY else ("failure",))


def _headers(account: Account) -> dict[str, str]:
    keys = account.settings
    return {
        "X-API-Auth": f"CPAY {keys['api_key']}:{keys['api_secret']}",
        "X-API-Key": keys["endpoints_key"],
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def _order_id(payment: PaymentKey) -> str:
    """Return the order's id at Tranzzo: a UUID without its dashes, to fit its 32 characters."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", payment.payment_id):
        return payment.payment_id.replace("-", "")
    return payment.payment_id


def _body(order: str, look: Look, account: Account, reference: str) -> bytes:
    """Return what /void and /refund take: the whole order, and our reference for people."""
    if look.currency is None:
        raise ProviderRefused(evidence="no currency")
    fields = {
        "pos_id": account.settings["pos_id"],
        "order_id": order,
        "order_currency": look.currency,
        "comment": reference,
    }
    return json.dumps(fields).encode()


def _operations_from(answer: Answer, order: str) -> list[_Operation]:
    """Read an array of operations, or one. An empty array is no documented answer."""
    content = answer.json()
    _refuse(answer.status, content)
    listed = objects(content if isinstance(content, list) else [content])
    if not listed:
        raise AnswerNotUnderstood(evidence="no operations")
    if {fields.text("order_id") for fields in listed} - {None, order}:
        raise AnswerNotUnderstood(evidence="another order")
    return [_Operation.of(fields) for fields in listed]


def _refuse(status: int, content: object) -> None:
    """Raise what {"message", "args": {"code"}} says, page "errors". A proxy's has no `args`."""
    error = Fields(content if isinstance(content, dict) else {})
    code = word(error.object("args").text("code")) if error.text("message") else ""
    if code == _WRONG_CREDENTIALS:
        raise ProviderCredentials(evidence=code)
    if code and status >= HTTPStatus.BAD_REQUEST:
        raise (_NotFound if status == HTTPStatus.NOT_FOUND else ProviderRefused)(evidence=code)
    if status >= HTTPStatus.BAD_REQUEST:
        raise AnswerNotUnderstood(evidence=f"HTTP {status}, not Tranzzo's")


def _look_from(operations: list[_Operation]) -> Look:
    primaries = [one for one in operations if one.method in _PRIMARY]
    others = [one for one in operations if one.method not in _PRIMARY]
    running = [one for one in others if one.is_open]
    if running:
        return _as_seen(running[0], Standing.WORKING)
    if not primaries:
        raise AnswerNotUnderstood(evidence="no payment among the operations")
    if sum(one.status == "success" for one in primaries) > 1:
        # No page says that an order can be paid twice, nor what ends it then.
        return _as_seen(primaries[0], Standing.STUCK)
    primary = min(primaries, key=lambda one: _RANKS.get(one.status, 0))
    if primary.status == "success":
        return _paid(primary, others)
    return _as_seen(primary, _unpaid_standing(primary), ended_by=primary)


def _unpaid_standing(primary: _Operation) -> Standing:
    """Only a hosted order is cancelled while unpaid, page "cancel"."""
    if primary.status == "init" and primary.mode not in {"hosted", None}:
        return Standing.WORKING
    return _STANDINGS.get(primary.status, Standing.WORKING)


def _paid(primary: _Operation, others: list[_Operation]) -> Look:
    """Read what became of a paid order none of whose operations is running."""
    captures = [one for one in others if (one.method, one.status) == ("capture", "success")]
    taken = [primary] if primary.method == "purchase" else captures
    ends = [one for one in others if one.method == ("refund" if taken else "void")]
    done = [one for one in ends if one.status == "success"]
    if not done:
        return _as_seen(primary, Standing.CAPTURED if taken else Standing.HELD, len(ends))
    # A part may be captured, which releases the rest (page "capture"): that part is then all.
    if taken and not 0 < _total(taken, primary.amount) <= _total(done):
        return _as_seen(primary, Standing.PARTLY_REFUNDED)
    return _as_seen(primary, Standing.UNDONE, ended_by=done[-1])


def _total(operations: list[_Operation], default: Decimal | None = None) -> Decimal:
    """Add up. An amount that is not shown counts as zero, which proves nothing."""
    return sum((one.amount or default or Decimal() for one in operations), Decimal())


def _as_seen(
    shown: _Operation, standing: Standing, failures: int = 0, ended_by: _Operation | None = None
) -> Look:
    words = (word(shown.method), word(shown.status), word(shown.code))
    return Look(
        standing,
        amount=shown.amount,
        currency=shown.currency,
        cancellation_id=ended_by.id if ended_by and standing is Standing.UNDONE else None,
        failures=failures,
        word=" ".join(filter(None, words)),
    )


def _cancelled_from(operations: list[_Operation]) -> Sent:
    """Read the answer of a cancellation. Any other status is for a look to explain."""
    done = [one for one in operations if (one.status, one.code) == _CANCELLED]
    if done:
        return Sent(Effect.DONE, id=done[0].id, word=_CANCELLED[1])
    return Sent(Effect.ACCEPTED, word=word(operations[0].status))


def _sent_from(operations: list[_Operation], method: str) -> Sent:
    """Read the answer of /void or /refund. One that shows another operation proves nothing."""
    made = operations[-1]
    known = _EFFECTS if made.method == method else {}
    effect = known.get(made.status, Effect.ACCEPTED)
    return Sent(effect, made.id if effect is Effect.DONE else None, word(made.status))
