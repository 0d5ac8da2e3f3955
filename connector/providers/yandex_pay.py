"""Yandex Pay, https://pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/.

Every call carries `Authorization: Api-Key <key>`; in the sandbox the key is the merchant id.

An order has a payment status and a list of operations. Quirks:
- an order that is not paid is ended by /rollback (then FAILED), a hold by /cancel (then VOIDED);
  a rollback that meets a buyer's payment returns all of it, which is right for a cancellation;
- /rollback makes no operation that could be asked after: only the order shows what came of it;
- /cancel and /refund make operations that may end later, found by our `externalOperationId`;
  the pages' samples print `operationType: AUTHORIZE` for each, so ours are known by that id;
- the reason codes of "no such order" and of an operation in the wrong state are not published:
  every well-formed 404 is an absence, and an operation already made is looked up;
- a CONFIRMED order (Split, paid on delivery) waits for a person.

It cannot: cancel in part.
"""

import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Self
from urllib.parse import quote

from connector.domain.deadline import Deadline
from connector.domain.errors import AnswerNotUnderstood, ProviderCredentials, ProviderRefused
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Sent, Standing
from connector.http_client import Answer
from connector.provider import Fields, Provider, Setting, word

# .../yandex-pay-api/order/merchant_v1_order-get: paymentStatus. None and "null" are of an order
# whose buyer did nothing yet. FAILED is not paid, expired, or rolled back.
STANDINGS: dict[str | None, Standing] = {
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
# The same page: the operations that end what stands, and those that ended what is ended.
ENDING = {"AUTHORIZED": "VOID", "CAPTURED": "REFUND", "VOIDED": "VOID", "REFUNDED": "REFUND"}
# The same page: the operations that change what stands. One that succeeded is ahead of the status.
CHANGING = {"AUTHORIZED": ("VOID", "CAPTURE"), "CAPTURED": ("REFUND",)}
# The same page: operationType of what takes a hold, so that its success is never our cancellation.
TAKING = ("CAPTURE", "SUBMIT")
# The same page: an operation without a status is PENDING.
RUNNING = "PENDING"
EFFECTS = {"SUCCESS": Effect.DONE, "FAIL": Effect.FAILED}
# pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/: HTTP 401.
AUTHENTICATION_ERROR = "AUTHENTICATION_ERROR"
# .../order/merchant_v2_refund-post: this externalOperationId was used, at an HTTP status that the
# page does not name. The operation is there to be looked up.
DUPLICATE = "DUPLICATE_EXTERNAL_OPERATION_ID"
# Milliseconds of X-Request-Timeout (pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/).
MIN_TIMEOUT, MAX_TIMEOUT = 1000, 10_000
# The versions of the paths that make operations; .../order/merchant_v1_refund-post is the older.
VERSIONS = {"cancel": "v1", "refund": "v2"}
# The only currency (.../order/merchant_v1_orders-post).
CURRENCY = "RUB"
REASON = "Cancelled by the shop"


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
            content = self._call("look", _order_path(order), account, deadline)
        except _NotFound as absence:
            return Look(Standing.ABSENT, word=absence.evidence)
        seen = _order_from(content, order)
        operations = [_Operation.of(fields, order) for fields in content.objects("operations")]
        is_shown = any(one.is_of(reference) for one in operations)
        if reference and not is_shown and seen.text("paymentStatus") in CHANGING:
            operations += self._own(reference, order, account, deadline)
        return _look_from(seen, operations, reference)

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        """Release a hold, or stop a payment that is not made yet."""
        if look.standing is Standing.HELD:
            write = _Write.of({"reason": REASON}, reference)
            return self._operate("cancel", payment, write, account, deadline)
        write = _Write(b"", _rollback_id(reference))
        path = _order_path(payment.payment_id) + "/rollback"
        self._call("rollback", path, account, deadline, write)
        return Sent(Effect.ACCEPTED)

    def refund(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        """Refund the order's amount (.../order/merchant_v2_refund-post)."""
        if look.amount is None:
            raise ProviderRefused(evidence="no amount")
        write = _Write.of({"refundAmount": f"{look.amount:f}"}, reference)
        return self._operate("refund", payment, write, account, deadline)

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after an order that nobody has."""
        with suppress(_NotFound):
            self._call("probe", _order_path(uuid.uuid4().hex), account, deadline)

    def _own(
        self, reference: str, order: str, account: Account, deadline: Deadline
    ) -> "list[_Operation]":
        """Ask after our operation: none, if it never arrived."""
        path = f"/v1/operations/{quote(reference, safe='')}"
        with suppress(_NotFound):
            content = self._call("operation", path, account, deadline)
            own = _Operation.of(content.object("operation"), order)
            return [replace(own, reference=reference)]
        return []

    def _operate(
        self,
        operation: str,
        payment: PaymentKey,
        write: "_Write",
        account: Account,
        deadline: Deadline,
    ) -> Sent:
        """Cancel or refund: the path has the operation's name."""
        order = payment.payment_id
        path = f"{_order_path(order, VERSIONS[operation])}/{operation}"
        try:
            return _sent_from(self._call(operation, path, account, deadline, write), order)
        except ProviderRefused as refusal:
            if refusal.evidence == DUPLICATE:
                return Sent(Effect.ACCEPTED, word=DUPLICATE)
            raise

    def _call(
        self,
        operation: str,
        path: str,
        account: Account,
        deadline: Deadline,
        write: "_Write | None" = None,
    ) -> Fields:
        """Return `data` of an answer that is no error: by POST for a write, else by GET."""
        answer = self._http.send(
            "POST" if write else "GET",
            self._hosts.base(account) + path,
            operation=operation,
            deadline=deadline,
            headers=self._headers(account, deadline, write),
            body=write.body if write else None,
        )
        _refuse(answer)
        return _content(answer)

    def _headers(
        self, account: Account, deadline: Deadline, write: "_Write | None"
    ) -> dict[str, str]:
        key = account.settings["merchant_id" if account.sandbox else "api_key"]
        left = int(deadline.left() * 1000)
        return {
            "Authorization": f"Api-Key {key}",
            "X-Request-Id": write.request_id if write else str(uuid.uuid4()),
            "X-Request-Timeout": str(min(max(left, MIN_TIMEOUT), MAX_TIMEOUT)),
            "X-Request-Attempt": "0",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }


class _NotFound(ProviderRefused):
    """Yandex Pay has no such order or operation."""


@dataclass(frozen=True)
class _Write:
    """What a write sends. `request_id` makes its repeat a repeat there too."""

    body: bytes
    request_id: str

    @classmethod
    def of(cls, body: dict[str, str], reference: str) -> Self:
        return cls(json.dumps({**body, "externalOperationId": reference}).encode(), reference)


@dataclass(frozen=True)
class _Operation:
    """One operation of an order. `reference` is ours, if it is of our making."""

    kind: str | None
    status: str
    id: str | None
    reference: str | None
    amount: Decimal | None

    def is_of(self, reference: str | None) -> bool:
        return reference is not None and self.reference == reference

    @classmethod
    def of(cls, fields: Fields, order: str) -> Self:
        if fields.text("orderId") not in {None, order}:
            raise AnswerNotUnderstood(evidence="an operation of another order")
        return cls(
            kind=fields.text("operationType"),
            status=fields.text("status") or RUNNING,
            id=fields.text("operationId"),
            reference=fields.text("externalOperationId"),
            amount=fields.decimal("amount"),
        )


def _order_path(order: str, version: str = "v1") -> str:
    return f"/{version}/orders/{quote(order, safe='')}"


def _rollback_id(reference: str) -> str:
    """Return the X-Request-Id of a rollback.

    A payment that is made meanwhile is then cancelled for the same reference: with the same
    X-Request-Id that might be answered as a repeat of the rollback, without effect.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"rollback {reference}"))


def _refuse(answer: Answer) -> None:
    """Raise what an error says. A proxy's 404 has no `reasonCode`."""
    code = _error_code(answer.json())
    if code == AUTHENTICATION_ERROR:
        raise ProviderCredentials(evidence=code)
    if answer.status >= HTTPStatus.BAD_REQUEST and not code:
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, not Yandex Pay's")
    if answer.status == HTTPStatus.NOT_FOUND:
        raise _NotFound(evidence=code or "")
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise ProviderRefused(evidence=code or "")


def _error_code(content: object) -> str | None:
    """Return the code of `{"status": "fail", "reasonCode": "..."}`; None of anything else."""
    try:
        error = Fields(content)
        return (word(error.text("reasonCode")) or None) if error.text("status") == "fail" else None
    except AnswerNotUnderstood:
        return None


def _content(answer: Answer) -> Fields:
    """Return `data` of `{"status": "success", "data": {...}}`."""
    envelope = Fields(answer.json())
    if envelope.text("status") != "success":
        raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}, neither success nor fail")
    return envelope.object("data")


def _order_from(content: Fields, order: str) -> Fields:
    """Return `order`. An absent status means unpaid, so it must at least name its id."""
    seen = content.object("order")
    told = seen.text("orderId")
    if told not in {None, order} or not (told or seen.text("paymentStatus")):
        raise AnswerNotUnderstood(evidence="another order, or none")
    return seen


def _look_from(order: Fields, operations: list[_Operation], reference: str | None) -> Look:
    status = order.text("paymentStatus")
    standing = STANDINGS.get(status, Standing.WORKING)
    ends = _ends(status, operations, reference)
    if status in CHANGING:
        standing = _changing(standing, CHANGING[status], operations, reference)
    return Look(
        standing,
        amount=_amount(order, operations),
        currency=CURRENCY,
        cancellation_id=_ended_by(ends) if standing is Standing.UNDONE else None,
        failures=sum(one.status == "FAIL" for one in ends),
        word=word(status),
    )


def _ends(
    status: str | None, operations: list[_Operation], reference: str | None
) -> list[_Operation]:
    """Return the operations that end what stands; those of our reference last."""
    if status not in ENDING:
        return []
    ends = [one for one in operations if one.kind == ENDING[status]]
    own = [one for one in operations if one.is_of(reference) and one.kind not in TAKING]
    return [one for one in ends if one not in own] + own


def _changing(
    standing: Standing,
    changes: tuple[str, ...],
    operations: list[_Operation],
    reference: str | None,
) -> Standing:
    """Return where a payment stands whose operations may be ahead of its status."""
    own = [one for one in operations if one.is_of(reference)]
    if any(one.status == "SUCCESS" and one.kind not in TAKING for one in own):
        return Standing.UNDONE
    others = [one for one in operations if one.kind in changes]
    if any(one.status != "FAIL" for one in own + others):
        return Standing.WORKING
    return standing


def _ended_by(ends: list[_Operation]) -> str | None:
    return next((one.id for one in reversed(ends) if one.status == "SUCCESS"), None)


def _amount(order: Fields, operations: list[_Operation]) -> Decimal | None:
    """Return what the order costs, in roubles; else what was authorized."""
    total = order.object("cart").object("total").decimal("amount")
    authorized = [one.amount for one in operations if one.kind == "AUTHORIZE"]
    shown = (order.decimal("orderAmount"), total, *authorized)
    return next((amount for amount in shown if amount is not None), None)


def _sent_from(content: Fields, order: str) -> Sent:
    """Read the operation that was made. One without a known end is for a look to explain."""
    operation = _Operation.of(content.object("operation"), order)
    effect = EFFECTS.get(operation.status, Effect.ACCEPTED)
    done_id = operation.id if effect is Effect.DONE else None
    return Sent(effect, cancellation_id=done_id, word=word(operation.status))
