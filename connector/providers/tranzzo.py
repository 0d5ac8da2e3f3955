"""Tranzzo, cpay.tranzzo.com: https://docs.tranzzo.com/docs/api-usage/authentication/.

Every call carries `X-API-Auth: CPAY <api_key>:<api_secret>` and `X-API-Key: <endpoints_key>`.
Some pages show a signed scheme, CPAY-HMAC-SHA1, without saying what is signed; the plain one is
on the authentication and cancellation pages and is used here.

An order is a list of operations: primary ones (purchase, auth) and those made on them (void,
capture, refund). Quirks:
- an unpaid order that was cancelled reads `failure` with status_code 6007;
- there is no idempotency key; /void and /refund name the order only, so they are looked up, never
  repeated blindly;
- an order id has 32 characters at most (docs.tranzzo.com/docs/transactions-2-step/void/api), and
  the pages on cancelling and voiding differ (256 and 32): the smaller is kept to;
- the sandbox is a test project with its own keys on the same host.

It cannot: interrupt a buyer who is paying, void in part.
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

# docs.tranzzo.com/docs/status-codes/payment-cycle/: what the status of a primary operation means;
# what became of a success is for its secondary ones to say. The first wins where there are several.
UNPAID_STANDINGS = {
    "success": None,
    "pending": Standing.PAYING,
    "init": Standing.UNPAID,
    "failure": Standing.UNDONE,
}
# docs.tranzzo.com/docs/after-payments/info-on-transactions
PRIMARY_METHODS = ("purchase", "auth")
SECONDARY_METHODS = ("void", "capture", "refund")
# docs.tranzzo.com/docs/status-codes/payment-cycle/: the words after which nothing changes.
ENDED = ("success", "failure")
# The answer of /void and /refund, by the status of the operation it made.
EFFECTS = {"success": Effect.DONE, "failure": Effect.FAILED}
# docs.tranzzo.com/docs/cancellation-of-the-created-payment: "Payment has cancelled".
CANCELLED = ("failure", "6007")
# docs.tranzzo.com/docs/api-usage/authentication/: wrong keys or pos_id, at an HTTP status that
# the page does not name.
CREDENTIALS_CODE = "S-404"
# Characters (docs.tranzzo.com/docs/transactions-2-step/void/api).
MAX_ORDER_ID = 32


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
        if len(order) > MAX_ORDER_ID:
            return Look(Standing.ABSENT)
        try:
            return _look_from(self._operations(order, account, deadline))
        except _NotFound as absence:
            return Look(Standing.ABSENT, word=absence.evidence)

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        """Cancel an unpaid order, or void a hold."""
        order = _order_id(payment)
        if look.standing is Standing.HELD:
            body = _body(order, look, account, reference)
            return _sent_from(self._call("void", "/void", body, account, deadline), order, "void")
        path = f"{_pos(account)}/order/{order}/cancel"
        return _cancelled_from(self._call("cancel", path, b"", account, deadline), order)

    def refund(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        """Refund all: without `refund_amount` it is full (.../docs/transactions-refund/api)."""
        order = _order_id(payment)
        body = _body(order, look, account, reference)
        return _sent_from(self._call("refund", "/refund", body, account, deadline), order, "refund")

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after order 0, as cdn.tranzzo.com/tranzzo-api/index.html advises."""
        with suppress(_NotFound):
            self._operations("0", account, deadline)

    def _operations(self, order: str, account: Account, deadline: Deadline) -> "list[_Operation]":
        path = f"{_pos(account)}/orders/{order}"
        return _operations_from(self._call("look", path, None, account, deadline), order)

    def _call(
        self, operation: str, path: str, body: bytes | None, account: Account, deadline: Deadline
    ) -> object:
        """Return the JSON of an answer that is no error: with a body by POST, else by GET."""
        answer = self._http.send(
            "GET" if body is None else "POST",
            self._hosts.base(account) + path,
            operation=operation,
            deadline=deadline,
            headers=self._headers(account),
            body=body,
        )
        _refuse(answer)
        return answer.json()

    def _headers(self, account: Account) -> dict[str, str]:
        keys = account.settings
        return {
            "X-API-Auth": f"CPAY {keys['api_key']}:{keys['api_secret']}",
            "X-API-Key": keys["endpoints_key"],
            "Accept": "application/json",
            "Content-Type": "application/json",
        }


class _NotFound(ProviderRefused):
    """Tranzzo has no such payment."""


def _order_id(payment: PaymentKey) -> str:
    """Return the order's id at Tranzzo: a UUID without its dashes, to fit its 32 characters."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}", payment.payment_id):
        return payment.payment_id.replace("-", "")
    return payment.payment_id


def _pos(account: Account) -> str:
    return f"/pos/{account.settings['pos_id']}"


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


def _refuse(answer: Answer) -> None:
    """Raise what an error says; its code is that of docs.tranzzo.com/docs/error-handling.

    The code of "payment not found" is not published: every well-formed 404 is one, but that of
    wrong credentials. A proxy's 404 has no `args`.
    """
    code = _error_code(answer.json())
    if code == CREDENTIALS_CODE:
        raise ProviderCredentials(evidence=code)
    if answer.status >= HTTPStatus.BAD_REQUEST and not code:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, not Tranzzo's")
    if answer.status == HTTPStatus.NOT_FOUND:
        raise _NotFound(evidence=code or "")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise ProviderRefused(evidence=code or "")


def _error_code(content: object) -> str | None:
    """Return the code of `{"message": "...", "args": {"code": "..."}}`; None of anything else."""
    try:
        error = Fields(content)
        code = word(error.object("args").text("code"))
        return code if code and error.text("message") else None
    except AnswerNotUnderstood:
        return None


@dataclass(frozen=True)
class _Operation:
    """One operation of an order. `id` is its own; a primary one's is the payment's."""

    method: str
    status: str
    status_code: str | None
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
            method=method,
            status=status,
            status_code=fields.text("status_code"),
            id=fields.text("payment_id" if method in PRIMARY_METHODS else "operation_id"),
            mode=fields.text("mode"),
            amount=fields.decimal("amount"),
            currency=fields.text("currency"),
        )

    @property
    def is_open(self) -> bool:
        """Whether it may still take effect. Of a method nobody knows, only a failure is over."""
        return self.status not in (ENDED if self.method in SECONDARY_METHODS else ("failure",))


def _operations_from(content: object, order: str) -> list[_Operation]:
    """Read an array of operations, or one. An empty array is no documented answer."""
    listed = objects(content if isinstance(content, list) else [content])
    if not listed:
        raise AnswerNotUnderstood(evidence="no operations")
    if {fields.text("order_id") for fields in listed} - {None, order}:
        raise AnswerNotUnderstood(evidence="another order")
    return [_Operation.of(fields) for fields in listed]


def _look_from(operations: list[_Operation]) -> Look:
    primaries = [one for one in operations if one.method in PRIMARY_METHODS]
    others = [one for one in operations if one.method not in PRIMARY_METHODS]
    running = next((one for one in others if one.is_open), None)
    if running:
        return _as_seen(running, Standing.WORKING)
    if not primaries:
        raise AnswerNotUnderstood(evidence="no payment among the operations")
    primary = min(primaries, key=_rank)
    if primary.status == "success":
        return _paid(primary, others)
    return _as_seen(primary, _unpaid_standing(primary))


def _rank(operation: _Operation) -> int:
    """Return the place of a status among the known ones; an unknown word is before all."""
    known = list(UNPAID_STANDINGS)
    return known.index(operation.status) if operation.status in known else -1


def _unpaid_standing(primary: _Operation) -> Standing:
    """Only a hosted order is cancelled while unpaid (.../cancellation-of-the-created-payment)."""
    if primary.status == "init" and primary.mode not in {"hosted", None}:
        return Standing.WORKING
    return UNPAID_STANDINGS.get(primary.status) or Standing.WORKING


def _paid(primary: _Operation, others: list[_Operation]) -> Look:
    """Read what became of a paid order none of whose operations is running."""
    captures = _ended(others, "capture", "success")
    voids = _ended(others, "void", "success")
    if primary.method == "purchase":
        return _taken(primary, primary.amount or Decimal(), others)
    if captures:
        # A part may be captured, which releases the rest (.../docs/transactions-2-step/capture/).
        taken = sum((one.amount or primary.amount or Decimal() for one in captures), Decimal())
        return _taken(primary, taken, others)
    if voids:
        return _as_seen(primary, Standing.UNDONE, cancellation_id=voids[-1].id)
    return _as_seen(primary, Standing.HELD, failures=len(_ended(others, "void", "failure")))


def _taken(primary: _Operation, taken: Decimal, others: list[_Operation]) -> Look:
    """Read the refunds. An amount that is not shown counts as zero, which proves nothing."""
    refunds = _ended(others, "refund", "success")
    returned = sum((one.amount or Decimal() for one in refunds), Decimal())
    if not refunds:
        failures = len(_ended(others, "refund", "failure"))
        return _as_seen(primary, Standing.CAPTURED, failures=failures)
    if 0 < taken <= returned:
        return _as_seen(primary, Standing.UNDONE, cancellation_id=refunds[-1].id)
    return _as_seen(primary, Standing.PARTLY_REFUNDED)


def _ended(operations: list[_Operation], method: str, status: str) -> list[_Operation]:
    return [one for one in operations if (one.method, one.status) == (method, status)]


def _as_seen(
    shown: _Operation, standing: Standing, *, cancellation_id: str | None = None, failures: int = 0
) -> Look:
    """Return the look. A payment that failed or was cancelled unpaid is ended by itself."""
    if shown.status == "failure":
        cancellation_id = shown.id
    words = (word(shown.method), word(shown.status), word(shown.status_code))
    return Look(
        standing,
        amount=shown.amount,
        currency=shown.currency,
        cancellation_id=cancellation_id,
        failures=failures,
        word=" ".join(filter(None, words)),
    )


def _cancelled_from(content: object, order: str) -> Sent:
    """Read the answer of a cancellation. Any other status is for a look to explain."""
    operations = _operations_from(content, order)
    for one in operations:
        if (one.status, one.status_code) == CANCELLED:
            return Sent(Effect.DONE, cancellation_id=one.id, word=CANCELLED[1])
    return Sent(Effect.ACCEPTED, word=word(operations[0].status))


def _sent_from(content: object, order: str, method: str) -> Sent:
    """Read the answer of /void or /refund. One that shows another operation proves nothing."""
    operation = _operations_from(content, order)[-1]
    effect = EFFECTS.get(operation.status) if operation.method == method else None
    done_id = operation.id if effect is Effect.DONE else None
    return Sent(effect or Effect.ACCEPTED, cancellation_id=done_id, word=word(operation.status))
