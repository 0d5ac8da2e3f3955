"""Yandex Pay.

Pages, under https://pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/:
format        (itself)
create        order/merchant_v1_orders-post
look          order/merchant_v1_order-get
rollback      order/merchant_v1_rollback-post
cancel        order/merchant_v1_cancel-post
refund        order/merchant_v2_refund-post
operation     operation/merchant_v1_operations-get

Authentication: a key in a header; in the sandbox the key is the merchant id.

An order that is not paid is ended by /rollback (then FAILED), a hold by /cancel (then VOIDED). A
rollback that meets a buyer's payment returns all of it, which is right for a cancellation; only
the order shows what came of it. /cancel and /refund make operations that may end later, found by
our `externalOperationId`. A CONFIRMED order (Split, paid on delivery) waits for a person. It
cannot cancel in part.

The pages leave open:
- What `operationType` ours have: the samples print AUTHORIZE for each, so the id decides.
- The code of "no such order": every 404 with a `reasonCode`, which a proxy's has not.
- The HTTP status of an `externalOperationId` used before: its code decides, a look tells.
"""

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from urllib.parse import quote

from connector.domain.deadline import Deadline
from connector.domain.errors import AnswerNotUnderstood, ProviderCredentials, ProviderRefused
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Sent, Standing
from connector.http_client import Answer
from connector.provider import Fields, Provider, Setting, word

# By order, or by our reference.
_PATHS = {
    "look": "/v1/orders/{}",
    "probe": "/v1/orders/{}",
    "operation": "/v1/operations/{}",
    "rollback": "/v1/orders/{}/rollback",
    "cancel": "/v1/orders/{}/cancel",
    "refund": "/v2/orders/{}/refund",
}
# `paymentStatus`, page "look". None and "null" are of an order whose buyer did nothing yet.
# FAILED is not paid, expired, or rolled back.
_STANDINGS: dict[str | None, Standing] = {
    None: Standing.UNPAID,
    "null": Standing.UNPAID,
    "PENDING": Standing.PAYING,
    "AUTHORIZED": Standing.HELD,
    "CAPTURED": Standing.CAPTURED,
    "CONFIRMED": Standing.STUCK,
    "VOIDED": Standing.UNDONE,
    "REFUNDED": Standing.UNDONE,
    "PARTIALLY_REFUNDED": Standing.PARTLY_REFUNDED,
    "FAILED": Standing.UNDONE,
}
# `operationType`, page "look": what ends what stands, or ended what is ended; what changes what
# stands, and is ahead of the status once it succeeded; and what takes a hold, so that its success
# is never our cancellation.
_ENDING = {"AUTHORIZED": "VOID", "CAPTURED": "REFUND", "VOIDED": "VOID", "REFUNDED": "REFUND"}
_CHANGING = {"AUTHORIZED": ("VOID", "CAPTURE"), "CAPTURED": ("REFUND",)}
_TAKING = ("CAPTURE", "SUBMIT")
# `status` of an operation, page "look". One without is PENDING.
_EFFECTS = {"PENDING": Effect.ACCEPTED, "SUCCESS": Effect.DONE, "FAIL": Effect.FAILED}
# `reasonCode`, pages "format" and "refund".
_WRONG_CREDENTIALS = "AUTHENTICATION_ERROR"
_DUPLICATE = "DUPLICATE_EXTERNAL_OPERATION_ID"
# Milliseconds of X-Request-Timeout, page "format".
_MIN_TIMEOUT, _MAX_TIMEOUT = 1000, 10_000
# The only currency, page "create".
_CURRENCY = "RUB"
_REASON = "Cancelled by the shop"

# The body of a write, and our reference.
_Write = tuple[bytes, str]


class YandexPay(Provider):
    """Rolls back unpaid orders, releases holds and, by policy, refunds what was taken."""

    name = "yandex_pay"
    title = "Yandex Pay"
    url = "https://pay.yandex.ru/api/merchant"
    sandbox_url = "https://sandbox.pay.yandex.ru/api/merchant"
    settings = (
        Setting("merchant_id", "Merchant ID", is_secret=False),
        Setting("api_key", "API key"),
    )
    cancellable = frozenset({Standing.UNPAID, Standing.PAYING, Standing.HELD})
    can_refund = True
    refund_is_idempotent = True

    def look(
        self, payment: PaymentKey, account: Account, deadline: Deadline, reference: str | None
    ) -> Look:
        """Read the order; and our operation, where the order should show it and does not."""
        order = payment.payment_id
        try:
            content = self._call("look", order, account, deadline, None)
        except _NotFound as absence:
            return Look(Standing.ABSENT, word=absence.evidence)
        seen = _order_from(content, order)
        operations = [
            _operation_from(one, order, reference) for one in content.objects("operations")
        ]
        is_shown = any(one.is_own for one in operations)
        if reference and not is_shown and seen.text("paymentStatus") in _CHANGING:
            operations += self._own(order, account, deadline, reference)
        return _look_from(seen, operations)

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        """Release a hold, or stop a payment that is not made yet."""
        if look.standing is Standing.HELD:
            fields = {"reason": _REASON, "externalOperationId": reference}
            return self._end("cancel", fields, payment.payment_id, account, deadline)
        self._call("rollback", payment.payment_id, account, deadline, (b"", reference))
        return Sent(Effect.ACCEPTED)

    def refund(
        self,
        payment: PaymentKey,
        look: Look,
        amount: Decimal | None,
        account: Account,
        deadline: Deadline,
        reference: str,
    ) -> Sent:
        """Refund the order's amount, page "refund"."""
        if look.amount is None:
            raise ProviderRefused(evidence="no amount")
        fields = {"refundAmount": f"{look.amount:f}", "externalOperationId": reference}
        return self._end("refund", fields, payment.payment_id, account, deadline)

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after an order that nobody has."""
        with suppress(_NotFound):
            self._call("probe", uuid.uuid4().hex, account, deadline, None)

    def _own(
        self, order: str, account: Account, deadline: Deadline, reference: str
    ) -> "list[_Operation]":
        """Ask after our operation: none, if it never arrived."""
        with suppress(_NotFound):
            content = self._call("operation", reference, account, deadline, None)
            made = _operation_from(content.object("operation"), order, reference)
            return [replace(made, is_own=True)]
        return []

    def _end(
        self, verb: str, fields: dict[str, str], order: str, account: Account, deadline: Deadline
    ) -> Sent:
        """Make an operation that ends the payment. One already made is for a look to explain."""
        write = json.dumps(fields).encode(), fields["externalOperationId"]
        try:
            content = self._call(verb, order, account, deadline, write)
        except ProviderRefused as refusal:
            if refusal.evidence != _DUPLICATE:
                raise
            return Sent(Effect.ACCEPTED, word=_DUPLICATE)
        return _sent_from(content, order)

    def _call(
        self, operation: str, about: str, account: Account, deadline: Deadline, write: _Write | None
    ) -> Fields:
        """Return `data` of an answer: by POST for a write, else by GET."""
        body, reference = write or (None, None)
        answer = self._http.send(
            "POST" if write else "GET",
            self._hosts.base(account) + _PATHS[operation].format(quote(about, safe="")),
            operation=operation,
            deadline=deadline,
            headers=_headers(account, self._http.bounded(deadline), reference),
            body=body,
        )
        return _content_from(answer)


class _NotFound(ProviderRefused):
    """Yandex Pay has no such order or operation."""


@dataclass(frozen=True)
class _Operation:
    """One operation of an order; `is_own` says that it is of our making."""

    kind: str | None
    status: str
    id: str | None
    amount: Decimal | None
    is_own: bool

    @property
    def is_own_end(self) -> bool:
        return self.is_own and self.kind not in _TAKING


def _headers(account: Account, deadline: Deadline, reference: str | None) -> dict[str, str]:
    """Return the headers. A write's reference makes its repeat a repeat there too."""
    key = account.settings["merchant_id" if account.sandbox else "api_key"]
    left = int(deadline.left() * 1000)
    return {
        "Authorization": f"Api-Key {key}",
        "X-Request-Id": reference or str(uuid.uuid4()),
        "X-Request-Timeout": str(min(max(left, _MIN_TIMEOUT), _MAX_TIMEOUT)),
        "X-Request-Attempt": "0",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def _content_from(answer: Answer) -> Fields:
    """Read {"status": "success", "data"} or {"status": "fail", "reasonCode"}."""
    envelope = Fields(answer.json())
    status = envelope.text("status")
    code = word(envelope.text("reasonCode")) if status == "fail" else ""
    if code == _WRONG_CREDENTIALS:
        raise ProviderCredentials(evidence=code)
    if code and answer.status >= HTTPStatus.BAD_REQUEST:
        is_absence = answer.status == HTTPStatus.NOT_FOUND
        raise (_NotFound if is_absence else ProviderRefused)(evidence=code)
    if status != "success" or answer.status >= HTTPStatus.BAD_REQUEST:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, neither success nor fail")
    return envelope.object("data")


def _order_from(content: Fields, order: str) -> Fields:
    """Return `order`. An absent status means unpaid, so it must at least name its id."""
    seen = content.object("order")
    told = seen.text("orderId")
    if told not in {None, order} or not (told or seen.text("paymentStatus")):
        raise AnswerNotUnderstood(evidence="another order, or none")
    return seen


def _operation_from(fields: Fields, order: str, reference: str | None) -> _Operation:
    told = fields.text("externalOperationId")
    if fields.text("orderId") not in {None, order}:
        raise AnswerNotUnderstood(evidence="an operation of another order")
    return _Operation(
        kind=fields.text("operationType"),
        status=fields.text("status") or "PENDING",
        id=fields.text("operationId"),
        amount=fields.decimal("amount"),
        is_own=told is not None and told == reference,
    )


def _look_from(order: Fields, operations: list[_Operation]) -> Look:
    status = order.text("paymentStatus")
    standing = _standing(status, operations)
    ends = _ends(status, operations)
    done = [one for one in ends if one.status == "SUCCESS"]
    return Look(
        standing,
        amount=_amount(order, operations),
        currency=_CURRENCY,
        cancellation_id=done[-1].id if done and standing is Standing.UNDONE else None,
        failures=sum(one.status == "FAIL" for one in ends),
        word=word(status),
    )


def _standing(status: str | None, operations: list[_Operation]) -> Standing:
    """Return where a payment stands, whose operations may be ahead of its status."""
    refunds = [one.status for one in operations if one.kind == "REFUND"]
    if status == "FAILED" and refunds and "SUCCESS" not in refunds:
        # A rollback that met a payment: the money is still to come back, or does not.
        return Standing.STUCK if "PENDING" not in refunds else Standing.WORKING
    if status not in _CHANGING:
        return _STANDINGS.get(status, Standing.WORKING)
    if any(one.is_own_end and one.status == "SUCCESS" for one in operations):
        # A captured order whose hold was released contradicts itself.
        is_released = any(one.is_own and one.kind == "VOID" for one in operations)
        is_odd = status == "CAPTURED" and is_released
        return Standing.WORKING if is_odd else Standing.UNDONE
    changes = [one for one in operations if one.is_own or one.kind in _CHANGING[status]]
    is_changing = any(one.status != "FAIL" for one in changes)
    return Standing.WORKING if is_changing else _STANDINGS[status]


def _ends(status: str | None, operations: list[_Operation]) -> list[_Operation]:
    """Return the operations that end what stands, or ended it; ours last."""
    if status not in _ENDING:
        return []
    ends = [one for one in operations if one.is_own_end or one.kind == _ENDING[status]]
    return sorted(ends, key=lambda one: one.is_own)


def _amount(order: Fields, operations: list[_Operation]) -> Decimal | None:
    """Return what the order costs, in roubles; else what was authorized."""
    total = order.object("cart").object("total").decimal("amount")
    authorized = [one.amount for one in operations if one.kind == "AUTHORIZE"]
    shown = (order.decimal("orderAmount"), total, *authorized)
    return next((amount for amount in shown if amount is not None), None)


def _sent_from(content: Fields, order: str) -> Sent:
    """Read the operation that was made. One without a known end is for a look to explain."""
    made = _operation_from(content.object("operation"), order, None)
    effect = _EFFECTS.get(made.status, Effect.ACCEPTED)
    return Sent(effect, made.id if effect is Effect.DONE else None, word(made.status))
