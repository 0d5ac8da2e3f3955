"""Yandex Pay.

Pages, under https://pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/: format (itself); under
order/ create (merchant_v1_orders-post), look (merchant_v1_order-get), rollback, cancel, capture
(merchant_v1_<name>-post) and refund (merchant_v2_refund-post); operation
(operation/merchant_v1_operations-get); and webhook (../merchant-api/webhook).

Authentication: a key in a header. In the sandbox the key is the merchant id. A notification is a
JWT, signed with a key of a public list.

- An unpaid order is ended by /rollback and becomes FAILED. A hold is ended by /cancel and becomes
  VOIDED.
- If the buyer pays during a rollback, Yandex returns all of the money, as a cancellation wants.
  Only the order shows the result. A FAILED order with an unfinished VOID or REFUND is not over.
- Every other write makes an operation. It may end later. We find it by our `externalOperationId`.
- An order that is CONFIRMED (Split, paid on delivery) waits for a person.
- Yandex cannot cancel a part. A settlement or a refund of a part must send the remaining cart. So
  `memo` has the cart of the create.
- The merchant agrees with Yandex whether money is held first; a request cannot choose it. A
  payment by SBP is never held.

The pages leave open:
- Which `operationType` our operations have: the samples print AUTHORIZE for all. The id decides.
- The code of "no such order": every 404 with a `reasonCode` counts. A proxy's 404 has none.
- The HTTP status for an `externalOperationId` that was used before: the code decides, and a look
  shows the result.
- Which amounts of an order a capture or refund reduces: we take the largest as authorized.
- How the order shows the released rest after a capture in part: a REFUND of exactly the rest,
  without a reference of its own, does not count as a refund.
"""

import hashlib
import json
import uuid
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from connector.company_json import Fields, refused_word, safe_code
from connector.domain import errors
from connector.domain.merchant import Account
from connector.domain.order import Delays, Line, Order
from connector.domain.payment import CreateResult, Effect, Look, Notification, Standing, WriteResult
from connector.http_client import Answer, HttpClient
from connector.provider import Call, Hosts, Message, Provider, Setting, for_people
from connector.signed_tokens import SignedTokens

_CALLS = {
    "create": ("POST", "/v1/orders"),
    "look": ("GET", "/v1/orders/{order}"),
    "probe": ("GET", "/v1/orders/{order}"),
    "operation": ("GET", "/v1/operations/{reference}"),
    "rollback": ("POST", "/v1/orders/{order}/rollback"),
    "cancel": ("POST", "/v1/orders/{order}/cancel"),
    "settle": ("POST", "/v1/orders/{order}/capture"),
    "refund": ("POST", "/v2/orders/{order}/refund"),
}
# `paymentStatus`, page "look". None or "null": the buyer has done nothing yet. FAILED: not paid,
# expired, or rolled back.
_PARTLY_REFUNDED = "PARTIALLY_REFUNDED"
_STANDINGS: dict[str | None, Standing] = {
    None: Standing.UNPAID,
    "null": Standing.UNPAID,
    "PENDING": Standing.PAYING,
    "AUTHORIZED": Standing.HELD,
    "CAPTURED": Standing.CAPTURED,
    "CONFIRMED": Standing.STUCK,
    _PARTLY_REFUNDED: Standing.PARTLY_REFUNDED,
    **dict.fromkeys(("VOIDED", "REFUNDED", "FAILED"), Standing.UNDONE),
}
_TAKEN = ("CAPTURED", _PARTLY_REFUNDED, "REFUNDED")
# `operationType`, page "look", by the order's status. The first table has the operation that ends
# the payment. The second has the operations that change the payment: their success may appear
# before the order's new status.
_END_TYPES = {"AUTHORIZED": "VOID", "VOIDED": "VOID", **dict.fromkeys(_TAKEN, "REFUND")}
_CHANGE_TYPES = {"AUTHORIZED": ("VOID", "CAPTURE"), **dict.fromkeys(_TAKEN[:2], ("REFUND",))}
# These take a hold: their success is never our cancellation.
_CAPTURE_TYPES = ("CAPTURE", "SUBMIT")
# `status` of an operation, page "look". An absent status is PENDING.
_EFFECTS = {"PENDING": Effect.ACCEPTED, "SUCCESS": Effect.DONE, "FAIL": Effect.FAILED}
# `reasonCode`, pages "format" and "refund".
_WRONG_CREDENTIALS = "AUTHENTICATION_ERROR"
_DUPLICATE = "DUPLICATE_EXTERNAL_OPERATION_ID"
# Milliseconds of X-Request-Timeout, page "format".
_MIN_TIMEOUT, _MAX_TIMEOUT = 1000, 10_000
# Page "create": the only currency, characters of a text, seconds that an unpaid order lives.
_CURRENCY, _MAX_TEXT, _TTL = "RUB", 2048, 1800
# Roubles: the least amount of an order, of a refund, and of the rest after it (page "refund"). And
# the smallest step.
_MIN_AMOUNT, _STEP = Decimal(1), Decimal("0.01")
_REASON = "Cancelled by the shop"
# `event`, page "webhook": the object that it is about.
_EVENTS = {"ORDER_STATUS_UPDATED": "order", "OPERATION_STATUS_UPDATED": "operation"}
_Object = dict[str, Any]


class YandexPay(Provider):
    """Sells by a payment page; releases or takes holds, and refunds in part too."""

    name = "yandex_pay"
    title = "Yandex Pay"
    url = "https://pay.yandex.ru/api/merchant"
    sandbox_url = "https://sandbox.pay.yandex.ru/api/merchant"
    settings = (
        Setting(
            "merchant_id",
            "Merchant ID",
            is_secret=False,
            is_account=True,
            hint=for_people("The id of your shop at Yandex Pay, a UUID."),
        ),
        Setting(
            "api_key",
            for_people("API key"),
            hint=for_people("The key for the Yandex Pay API of the same shop, not of the sandbox."),
        ),
    )
    notification_place = for_people(
        "In Yandex Pay's console, as the Callback URL, without /v1/webhook at the end: Yandex "
        "adds it."
    )
    payment_methods = ("Yandex Pay",)
    currencies = frozenset({_CURRENCY})
    # An unpaid order fails after `_TTL`. A buyer may begin to pay at its end: allow `_TTL` again.
    delays = Delays(cancel=2 * _TTL)
    create_is_idempotent = True
    cancellable = frozenset({Standing.UNPAID, Standing.PAYING, Standing.HELD})
    taken_at_once = "payments by SBP"
    can_refund = can_settle_partly = can_refund_partly = True
    refund_is_idempotent = True
    probe_proves_account = False  # no call of the API names the merchant

    def __init__(self, http: HttpClient, hosts: Hosts) -> None:
        super().__init__(http, hosts)
        self._tokens = SignedTokens(http)

    def look(self, call: Call) -> Look:
        """Read the order. Read our operation too, if the order should show it but does not."""
        try:
            content = self._call("look", call)
        except _NotFound as absence:
            return Look(Standing.ABSENT, provider_status=absence.evidence)
        order = _order_fields(content, call)
        operations = [_operation_from(fields, call) for fields in content.objects("operations")]
        is_shown = any(operation.is_ours for operation in operations)
        if call.reference and not is_shown and order.text("paymentStatus") in _CHANGE_TYPES:
            operations += self._our_operation(call)
        return _look_from(order, operations)

    def memo(self, order: Order) -> str | None:
        """Return the cart that `create` sends, or None for an order that it refuses."""
        with suppress(errors.ProviderRefused):
            return json.dumps(_cart(order), separators=(",", ":"))
        return None

    def create(self, order: Order, call: Call) -> CreateResult:
        """Make an order that the buyer pays at `paymentUrl`."""
        content = self._call("create", call, _create_body(order))
        return replace(_create_result_from(content), memo=self.memo(order))

    def cancel(self, call: Call) -> WriteResult:
        """Release a hold, or stop an unpaid payment."""
        if call.look.standing is Standing.HELD:
            return self._operate("cancel", call, {"reason": _REASON})
        self._call("rollback", call)
        return WriteResult(Effect.ACCEPTED)

    def settle(self, call: Call) -> WriteResult:
        """Take the hold, or a part of it. If the answer shows no end, ask for the operation.

        Yandex Pay answers a repeat like the first call, so its answer would never show a failure.
        """
        result = self._operate("settle", call, _settle_body(call))
        with suppress(errors.ConnectorError):
            if result.effect is Effect.ACCEPTED:
                return next(map(_write_result_from, self._our_operation(call)), result)
        return result

    def refund(self, call: Call) -> WriteResult:
        """Refund the rest, or a part of it. A refund of a part must name the remaining cart."""
        return self._operate("refund", call, _refund_body(call))

    def read_notification(self, message: Message) -> Notification | None:
        """Read a JWT. Also raises what `HttpClient.send` does, if the keys cannot be fetched."""
        base = urlsplit(self._hosts.base(message.account))
        keys_url = f"{base.scheme}://{base.netloc}/api/jwks"
        payload = self._tokens.payload(message.body, keys_url, message.deadline)
        try:
            return _notification_from(payload, message.account)
        except errors.AnswerNotUnderstood as error:
            raise errors.InvalidRequest(evidence=error.evidence) from error

    def probe(self, call: Call) -> None:
        """Ask for an order that does not exist."""
        with suppress(_NotFound):
            self._call("probe", call)

    def _our_operation(self, call: Call) -> "list[_Operation]":
        """Ask for the operation with our reference. None is there if our write never arrived."""
        with suppress(_NotFound):
            fields = self._call("operation", call).object("operation")
            return [replace(_operation_from(fields, call), is_ours=True)]
        return []

    def _operate(self, operation: str, call: Call, body: _Object) -> WriteResult:
        """Make an operation. If the operation exists already, a look must show the result."""
        body = {**body, "externalOperationId": call.reference}
        try:
            content = self._call(operation, call, body)
        except errors.ProviderRefused as refusal:
            if refusal.evidence != _DUPLICATE:
                raise
            return WriteResult(Effect.ACCEPTED, provider_status=_DUPLICATE)
        return _write_result_from(_operation_from(content.object("operation"), call))

    def _call(self, operation: str, call: Call, body: _Object | None = None) -> Fields:
        method, path = _CALLS[operation]
        order, reference = call.payment.payment_id, call.reference
        path = path.format(order=quote(order, safe=""), reference=quote(reference, safe=""))
        seconds = self._http.bounded(call.deadline).left()
        answer = self._http.send(
            method,
            self._hosts.base(call.account) + path,
            operation=operation,
            deadline=call.deadline,
            headers=_headers(call.account, seconds, reference if method == "POST" else ""),
            body=json.dumps(body).encode() if body else None,
            word=lambda answer: refused_word(_content_from, answer),
        )
        return _content_from(answer)


class _NotFound(errors.ProviderRefused):
    """Yandex Pay has no such order or operation."""


@dataclass(frozen=True)
class _Operation:
    """One operation of an order; `is_ours` says that it has the reference of our write."""

    type: str | None
    status: str
    id: str | None
    amount: Decimal | None
    reference: str | None
    is_ours: bool


@dataclass(frozen=True)
class _Order:
    """An order: its status, the amounts that it and its authorizations show, and its operations."""

    status: str | None
    amounts: list[Decimal]
    operations: list[_Operation]

    def successes(self, *types: str) -> list[_Operation]:
        done = [operation for operation in self.operations if operation.status == "SUCCESS"]
        return [operation for operation in done if operation.type in types]

    def our_operation(self) -> _Operation | None:
        """Return the operation that our write made, unless it takes the hold."""
        ours = (operation for operation in self.operations if operation.is_ours)
        return next((entry for entry in ours if entry.type not in _CAPTURE_TYPES), None)

    def ends(self) -> list[_Operation]:
        """Return the operations that end the payment, ours last."""
        end_type = _END_TYPES.get(self.status or "")
        ends = [entry for entry in self.operations if end_type and entry.type == end_type]
        return sorted(ends, key=lambda end: end.is_ours)

    def amount(self) -> Decimal | None:
        """Return what was authorized."""
        if not self.amounts:
            return None
        return max(self.amounts) if self.status in _TAKEN else self.amounts[0]

    def captured(self) -> Decimal | None:
        """Return what was taken, or None if the amounts differ: one of them may be of a part."""
        if self.status not in _TAKEN or not self.amounts:
            return None
        for types in (_CAPTURE_TYPES, ("AUTHORIZE",)):
            amounts = {operation.amount for operation in self.successes(*types)} - {None}
            if amounts:
                return amounts.pop() if len(amounts) == 1 else None
        return max(self.amounts)

    def refunded(self) -> Decimal | None:
        """Return what was returned, or None if an amount is missing."""
        if self.status not in _TAKEN or not self.amounts:
            return None
        if self.status == "REFUNDED":
            return self.captured()
        refunds = [operation.amount for operation in self.successes("REFUND")]
        amounts = [amount for amount in refunds if amount is not None]
        is_clear = len(amounts) == len(refunds) and (amounts or self.status != _PARTLY_REFUNDED)
        return sum(amounts, Decimal(0)) if is_clear else None

    def standing(self) -> Standing:
        if self.status == "FAILED":
            return self._standing_after_rollback()
        if self.status in _CHANGE_TYPES:
            return self._standing_by_operations(_CHANGE_TYPES[self.status])
        return _STANDINGS.get(self.status, Standing.WORKING)

    def _standing_after_rollback(self) -> Standing:
        """The buyer may have paid during a rollback. Then the money comes back later, or never."""
        statuses = {entry.status for entry in self.operations if entry.type in {"VOID", "REFUND"}}
        if statuses == {"FAIL"}:
            return Standing.STUCK
        return Standing.WORKING if statuses - {"FAIL", "SUCCESS"} else Standing.UNDONE

    def _standing_by_operations(self, change_types: tuple[str, ...]) -> Standing:
        """An operation may show a change before the order's status shows it."""
        ours = {entry.type for entry in self.successes("VOID", "REFUND") if entry.is_ours}
        if ours and self.status == "AUTHORIZED":
            return Standing.UNDONE
        final = {"FAIL", "SUCCESS"} if ours or self.status == _PARTLY_REFUNDED else {"FAIL"}
        changes = [
            entry for entry in self.operations if entry.is_ours or entry.type in change_types
        ]
        # A captured order whose hold was released contradicts itself.
        if {change.status for change in changes} - final or "VOID" in ours:
            return Standing.WORKING
        return self._standing_after_our_refund() if ours else _STANDINGS[self.status]

    def _standing_after_our_refund(self) -> Standing:
        captured, refunded = self.captured(), self.refunded()
        if captured is None or refunded is None:
            return Standing.WORKING
        return Standing.PARTLY_REFUNDED if captured > refunded else Standing.UNDONE


def _headers(account: Account, seconds: float, reference: str) -> dict[str, str]:
    """Return the headers. The company recognises a repeated write by its X-Request-Id."""
    key = account.settings["merchant_id" if account.sandbox else "api_key"]
    timeout = min(max(int(seconds * 1000), _MIN_TIMEOUT), _MAX_TIMEOUT)
    return {
        "Authorization": f"Api-Key {key}",
        "X-Request-Id": reference or str(uuid.uuid4()),
        "X-Request-Timeout": str(timeout),
        "X-Request-Attempt": "0",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def _create_body(order: Order) -> _Object:
    return {
        "orderId": order.payment_id,
        "currencyCode": order.currency,
        "cart": _cart(order),
        "redirectUrls": dict.fromkeys(("onSuccess", "onError", "onAbort"), order.return_url),
        "ttl": _TTL,
    }


def _settle_body(call: Call) -> _Object:
    if call.amount is None or call.amount == call.look.amount:
        return {}
    amount = _amount(call.amount)
    cart = {"items": _cart_part(call.payment.memo, call.amount), "total": {"amount": amount}}
    return {"orderAmount": amount, "cart": cart}


def _refund_body(call: Call) -> _Object:
    captured, refunded = call.look.captured, call.look.refunded
    is_open = call.look.standing is Standing.PARTLY_REFUNDED and refunded is None
    if captured is None or is_open:
        raise errors.ProviderRefused(evidence="no amount")
    left = captured - (refunded or 0)
    amount = left if call.amount is None else call.amount
    body: _Object = {"refundAmount": _amount(amount)}
    if amount != left:
        items = _cart_part(call.payment.memo, left - amount)
        # `price` is the price of one piece, and each line is one piece.
        body["targetCart"] = {
            "items": [
                {"productId": item["productId"], "price": item["total"], "quantityCount": "1"}
                for item in items
            ]
        }
    return body


def _amount(amount: Decimal) -> str:
    """Return roubles as a text. Raises ProviderRefused for an amount that Yandex never takes."""
    if amount < _MIN_AMOUNT or amount % _STEP:
        raise errors.ProviderRefused(evidence="amount")
    return f"{amount:.2f}"


def _cart(order: Order) -> _Object:
    """Return the cart. Each line is one piece, so that a part of its price can be settled."""
    lines = [line for line in order.lines if line.total]
    is_odd = any(line.total < 0 or line.total % _STEP for line in lines)
    if is_odd or sum(line.total for line in lines) != order.amount:
        lines = [Line("1", f"Order {order.reference}", 1, order.amount)]
    items: dict[str, _Object] = {}
    for line in lines:
        product = line.id[: _MAX_TEXT - 8]
        if not product or product in items:
            product += f"-{len(items) + 1}"
        items[product] = _cart_item(product, line)
    return {"items": [*items.values()], "total": {"amount": _amount(order.amount)}}


def _cart_item(product: str, line: Line) -> _Object:
    title = line.title if line.quantity == 1 else f"{line.quantity} \u00d7 {line.title}"
    return {
        "productId": product,
        "quantity": {"count": "1"},
        "title": title[:_MAX_TEXT] or product,
        "total": f"{line.total:.2f}",
    }


def _cart_part(memo: str | None, amount: Decimal) -> list[_Object]:
    """Return the first lines of the cart up to `amount`. The last line may be reduced."""
    if not memo:
        raise errors.ProviderRefused(evidence="no cart")
    items, left = [], Decimal(_amount(amount))
    for item in json.loads(memo)["items"]:
        cost = min(Decimal(item["total"]), left)
        left -= cost
        if cost:
            items.append({**item, "total": f"{cost:.2f}"})
    if left:
        raise errors.ProviderRefused(evidence="more than the cart")
    return items


def _content_from(answer: Answer) -> Fields:
    """Read {"status": "success", "data"}; raise for {"status": "fail", "reasonCode"}."""
    envelope = Fields(answer.json())
    status = envelope.text("status")
    code = safe_code(envelope.text("reasonCode")) if status == "fail" else ""
    if code == _WRONG_CREDENTIALS:
        raise errors.ProviderCredentials(evidence=code)
    if code and answer.status >= HTTPStatus.BAD_REQUEST:
        is_absence = answer.status == HTTPStatus.NOT_FOUND
        raise (_NotFound if is_absence else errors.ProviderRefused)(evidence=code)
    if status != "success" or answer.status >= HTTPStatus.BAD_REQUEST:
        raise errors.AnswerNotUnderstood(evidence=f"HTTP {answer.status}, neither success nor fail")
    return envelope.object("data")


def _create_result_from(content: Fields) -> CreateResult:
    payment_url = content.page_url("paymentUrl")
    if not payment_url:
        raise errors.AnswerNotUnderstood(evidence="no paymentUrl")
    return CreateResult(payment_url=payment_url)


def _order_fields(content: Fields, call: Call) -> Fields:
    """Return `order`. It must have an id or a status, because an absent status means unpaid."""
    order = content.object("order")
    order_id = order.text("orderId")
    is_named = order_id or order.text("paymentStatus")
    if order_id not in {None, call.payment.payment_id} or not is_named:
        raise errors.AnswerNotUnderstood(evidence="another order, or none")
    return order


def _operation_from(fields: Fields, call: Call) -> _Operation:
    reference = fields.text("externalOperationId")
    if fields.text("orderId") not in {None, call.payment.payment_id}:
        raise errors.AnswerNotUnderstood(evidence="an operation of another order")
    return _Operation(
        type=fields.text("operationType"),
        status=fields.text("status") or "PENDING",
        id=fields.text("operationId"),
        amount=fields.decimal("amount"),
        reference=reference,
        is_ours=reference is not None and reference == call.reference,
    )


def _write_result_from(operation: _Operation) -> WriteResult:
    """Read the operation in the answer. Without a known end a look must show the result."""
    effect = _EFFECTS.get(operation.status, Effect.ACCEPTED)
    operation_id = operation.id if effect is Effect.DONE else None
    return WriteResult(effect, operation_id, safe_code(operation.status))


def _order_from(fields: Fields, operations: list[_Operation]) -> _Order:
    status = fields.text("paymentStatus")
    operations = [_with_end_type(operation, status) for operation in operations]
    amounts = _amounts_from(fields, operations)
    rest = _released_rest(operations, amounts)
    operations = [operation for operation in operations if operation is not rest]
    if rest and status == _PARTLY_REFUNDED and not any(map(_is_refund, operations)):
        status = "CAPTURED"
    return _Order(status, amounts, operations)


def _with_end_type(operation: _Operation, status: str | None) -> _Operation:
    """Give our own operation its true type, because the answer may print another type."""
    end_type = _END_TYPES.get(status or "")
    has_type = operation.type in {*_CAPTURE_TYPES, "VOID", "REFUND"}
    is_our_end = operation.is_ours and end_type is not None and not has_type
    return replace(operation, type=end_type) if is_our_end else operation


def _amounts_from(order: Fields, operations: list[_Operation]) -> list[Decimal]:
    """Return what the order, its cart and its authorizations cost."""
    total = order.object("cart").object("total").decimal("amount")
    authorized = [operation.amount for operation in operations if operation.type == "AUTHORIZE"]
    amounts = (order.decimal("orderAmount"), total, *authorized)
    return [amount for amount in amounts if amount is not None]


def _released_rest(operations: list[_Operation], amounts: list[Decimal]) -> _Operation | None:
    """Return the release of the rest after a partial settlement. It only looks like a refund.

    It has the amount of the rest, and no reference of its own.
    """
    captures = [
        entry for entry in operations if entry.type in _CAPTURE_TYPES and entry.status == "SUCCESS"
    ]
    references = {None, *(capture.reference for capture in captures)}
    taken = [capture.amount for capture in captures if capture.amount is not None]
    rests = {max(amounts) - amount for amount in taken if amounts}
    refunds = (entry for entry in operations if _is_refund(entry) and entry.reference in references)
    return next((refund for refund in refunds if refund.amount in rests), None)


def _is_refund(operation: _Operation) -> bool:
    return operation.type == "REFUND" and operation.status != "FAIL"


def _look_from(fields: Fields, operations: list[_Operation]) -> Look:
    order = _order_from(fields, operations)
    ends, ours, standing = order.ends(), order.our_operation(), order.standing()
    done = [end.id for end in ends if end.status == "SUCCESS"]
    held = [operation.id for operation in order.successes("AUTHORIZE")]
    return Look(
        standing,
        amount=order.amount(),
        currency=_CURRENCY,
        captured=order.captured(),
        refunded=order.refunded(),
        cancellation_id=done[-1] if done and standing is Standing.UNDONE else None,
        failures=sum(end.status == "FAIL" for end in ends),
        provider_status=safe_code(order.status),
        write_effect=_EFFECTS.get(ours.status, Effect.ACCEPTED) if ours else None,
        write_id=ours.id if ours else None,
        authorization_id=held[0] if held else None,
        payment_url=fields.page_url("paymentUrl"),
    )


def _notification_from(payload: Fields, account: Account) -> Notification | None:
    """Read {"merchantId", "event", "eventTime", "order" or "operation"}, page "webhook"."""
    # The id is a UUID, so capital letters do not matter.
    merchant_id = payload.text("merchantId") or ""
    if merchant_id.lower() != account.settings["merchant_id"].lower():
        raise errors.NotAuthenticated("The notification is of another merchant")
    event = payload.text("event") or ""
    if event not in _EVENTS:
        return None
    fields = payload.object(_EVENTS[event])
    order, status = fields.text("orderId"), fields.text("paymentStatus") or fields.text("status")
    if not order:
        raise errors.InvalidRequest("The notification names no order")
    content = [event, order, status, fields.text("operationId"), payload.text("eventTime")]
    digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return Notification(digest, (order,), provider_status=safe_code(status))
