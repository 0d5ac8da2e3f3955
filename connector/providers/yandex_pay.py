"""Yandex Pay.

Pages, under https://pay.yandex.ru/docs/en/custom/backend/yandex-pay-api/: format (itself); under
order/ create (merchant_v1_orders-post), look (merchant_v1_order-get), rollback, cancel, capture
(merchant_v1_<name>-post) and refund (merchant_v2_refund-post); operation
(operation/merchant_v1_operations-get); and webhook (../merchant-api/webhook).

Authentication: a key in a header; in the sandbox the key is the merchant id. A notification is a
JWT, signed with a key of a public list.

An order that is not paid is ended by /rollback (then FAILED), a hold by /cancel (then VOIDED). A
rollback that meets a buyer's payment returns all of it, which is right for a cancellation; only
the order shows what came of it, and FAILED with a VOID or REFUND that is not done is not over. The
other writes make operations that may end later, found by our `externalOperationId`. A CONFIRMED
order (Split, paid on delivery) waits for a person. It cannot cancel in part; what is settled or
refunded in part needs the cart that is left, so `memo` is the cart as it was sent. Whether money
is held first is agreed with Yandex, not requested; what is paid by SBP never is.

The pages leave open:
- What `operationType` ours have: the samples print AUTHORIZE for each, so the id decides.
- The code of "no such order": every 404 with a `reasonCode`, which a proxy's has not.
- The HTTP status of an `externalOperationId` used before: its code decides, a look tells.
- Which sums of an order a capture or refund makes smaller: the largest is what was authorized.
- What a capture in part makes of the rest: a REFUND of just that, without a reference, is none.
"""

import hashlib
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from connector.company_json import Fields, safe_code
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    InvalidRequest,
    NotAuthenticated,
    ProviderCredentials,
    ProviderRefused,
)
from connector.domain.merchant import Account
from connector.domain.order import Delays, Line, Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    Notification,
    PaymentKey,
    Standing,
    WriteResult,
)
from connector.http_client import Answer, HttpClient
from connector.provider import Call, Hosts, Provider, Setting
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
# `paymentStatus`, page "look". None and "null" are of an order whose buyer did nothing yet.
# FAILED is not paid, expired, or rolled back.
_PARTLY = "PARTIALLY_REFUNDED"
_STANDINGS: dict[str | None, Standing] = {
    None: Standing.UNPAID,
    "null": Standing.UNPAID,
    "PENDING": Standing.PAYING,
    "AUTHORIZED": Standing.HELD,
    "CAPTURED": Standing.CAPTURED,
    "CONFIRMED": Standing.STUCK,
    "VOIDED": Standing.UNDONE,
    "REFUNDED": Standing.UNDONE,
    _PARTLY: Standing.PARTLY_REFUNDED,
    "FAILED": Standing.UNDONE,
}
_TAKEN = ("CAPTURED", _PARTLY, "REFUNDED")
# `operationType`, page "look": what ends what stands, or ended what is ended; what changes what
# stands, and is ahead of the status once it succeeded; and what takes a hold, so that its success
# is never our cancellation.
_ENDING = {"AUTHORIZED": "VOID", "VOIDED": "VOID", **dict.fromkeys(_TAKEN, "REFUND")}
_CHANGING = {"AUTHORIZED": ("VOID", "CAPTURE"), "CAPTURED": ("REFUND",), _PARTLY: ("REFUND",)}
_TAKING = ("CAPTURE", "SUBMIT")
# `status` of an operation, page "look". One without is PENDING.
_EFFECTS = {"PENDING": Effect.ACCEPTED, "SUCCESS": Effect.DONE, "FAIL": Effect.FAILED}
# `reasonCode`, pages "format" and "refund".
_WRONG_CREDENTIALS = "AUTHENTICATION_ERROR"
_DUPLICATE = "DUPLICATE_EXTERNAL_OPERATION_ID"
# Milliseconds of X-Request-Timeout, page "format".
_MIN_TIMEOUT, _MAX_TIMEOUT = 1000, 10_000
# The only currency, the most characters of a text, seconds an unpaid order lives: page "create".
_CURRENCY, _LONGEST, _TTL = "RUB", 2048, 1800
# Roubles: the least of an order, a refund, and what stays (page "refund"); and the smallest step.
_LEAST, _STEP = Decimal(1), Decimal("0.01")
_REASON = "Cancelled by the shop"
# `event`, page "webhook": what it is about.
_EVENTS = {"ORDER_STATUS_UPDATED": "order", "OPERATION_STATUS_UPDATED": "operation"}
_Object = dict[str, Any]


class YandexPay(Provider):
    """Sells by a payment page; releases or takes holds, and refunds in part too."""

    name = "yandex_pay"
    title = "Yandex Pay"
    url = "https://pay.yandex.ru/api/merchant"
    sandbox_url = "https://sandbox.pay.yandex.ru/api/merchant"
    settings = (
        Setting("merchant_id", "Merchant ID", is_secret=False),
        Setting("api_key", "API key"),
    )
    payment_methods = ("Yandex Pay",)
    currencies = frozenset({_CURRENCY})
    # An unpaid order fails after `_TTL`; as long again for a buyer who began to pay at its end.
    delays = Delays(cancel=2 * _TTL)
    create_is_idempotent = True
    cancellable = frozenset({Standing.UNPAID, Standing.PAYING, Standing.HELD})
    taken_at_once = "payments by SBP"
    can_refund = can_settle_partly = can_refund_partly = True
    refund_is_idempotent = True

    def __init__(self, http: HttpClient, hosts: Hosts) -> None:
        super().__init__(http, hosts)
        self._tokens = SignedTokens(http)

    def look(self, call: Call) -> Look:
        """Read the order; and our operation, where the order should show it and does not."""
        order, reference = call.payment.payment_id, call.reference
        try:
            content = self._call("look", call)
        except _NotFound as absence:
            return Look(Standing.ABSENT, provider_status=absence.evidence)
        seen = _order_from(content, order)
        made = [_operation_from(one, order, reference) for one in content.objects("operations")]
        is_shown = any(one.is_own for one in made)
        if reference and not is_shown and seen.text("paymentStatus") in _CHANGING:
            made += self._own(call)
        return _look_from(seen, made)

    def memo(self, order: Order) -> str | None:
        """Return the cart that `create` sends, none of an order that it refuses."""
        with suppress(ProviderRefused):
            return json.dumps(_cart_from(order), separators=(",", ":"))
        return None

    def create(self, order: Order, call: Call) -> CreateResult:
        """Make an order that the buyer pays at `paymentUrl`."""
        fields = {
            "orderId": order.payment_id,
            "currencyCode": order.currency,
            "cart": _cart_from(order),
            "redirectUrls": dict.fromkeys(("onSuccess", "onError", "onAbort"), order.return_url),
            "ttl": _TTL,
        }
        content = self._call("create", call, fields)
        payment_url = content.page_url("paymentUrl")
        if not payment_url:
            raise AnswerNotUnderstood(evidence="no paymentUrl")
        return CreateResult(payment_url=payment_url, memo=self.memo(order))

    def cancel(self, call: Call) -> WriteResult:
        """Release a hold, or stop a payment that is not made yet."""
        if call.look.standing is Standing.HELD:
            return self._operate("cancel", call, {"reason": _REASON})
        self._call("rollback", call)
        return WriteResult(Effect.ACCEPTED)

    def settle(self, call: Call) -> WriteResult:
        """Take the hold, or a part of it. Where the answer tells no end, ask the operation.

        A repeat is answered as the first time, so that a failure would never be seen.
        """
        fields, amount = _Object(), call.amount
        if amount is not None and amount != call.look.amount:
            cart = {"items": _cut(call.payment.memo, amount), "total": {"amount": _text(amount)}}
            fields = {"orderAmount": _text(amount), "cart": cart}
        sent = self._operate("settle", call, fields)
        with suppress(ConnectorError):
            if sent.effect is Effect.ACCEPTED:
                return next(map(_sent_from, self._own(call)), sent)
        return sent

    def refund(self, call: Call) -> WriteResult:
        """Refund what is left, or a part of it: then the cart that stays is told."""
        look = call.look
        is_open = look.standing is Standing.PARTLY_REFUNDED and look.refunded is None
        if look.captured is None or is_open:
            raise ProviderRefused(evidence="no amount")
        left = look.captured - (look.refunded or 0)
        part = left if call.amount is None else call.amount
        fields: _Object = {"refundAmount": _text(part)}
        if part != left:
            stays = _cut(call.payment.memo, left - part)
            fields["targetCart"] = {"items": [_priced(item) for item in stays]}
        return self._operate("refund", call, fields)

    def read_notification(
        self, body: bytes, headers: Mapping[str, str], account: Account, deadline: Deadline
    ) -> Notification | None:
        """Read a JWT. Raises what `HttpClient.send` does, too, where the keys cannot be had."""
        base = urlsplit(self._hosts.base(account))
        keys_url = f"{base.scheme}://{base.netloc}/api/jwks"
        payload = self._tokens.payload(body, keys_url, deadline)
        try:
            return _notification_from(payload, account)
        except AnswerNotUnderstood as error:
            raise InvalidRequest(evidence=error.evidence) from error

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after an order that nobody has."""
        with suppress(_NotFound):
            self._call("probe", Call(PaymentKey(uuid.uuid4().hex), account, deadline))

    def _own(self, call: Call) -> "list[_Operation]":
        """Ask after our operation: none, if it never arrived."""
        with suppress(_NotFound):
            operation = self._call("operation", call).object("operation")
            made = _operation_from(operation, call.payment.payment_id, call.reference)
            return [replace(made, is_own=True)]
        return []

    def _operate(self, operation: str, call: Call, fields: _Object) -> WriteResult:
        """Make an operation. One already made is for a look to explain."""
        fields = {**fields, "externalOperationId": call.reference}
        try:
            content = self._call(operation, call, fields)
        except ProviderRefused as refusal:
            if refusal.evidence != _DUPLICATE:
                raise
            return WriteResult(Effect.ACCEPTED, provider_status=_DUPLICATE)
        made = _operation_from(content.object("operation"), call.payment.payment_id, "")
        return _sent_from(made)

    def _call(self, operation: str, call: Call, fields: _Object | None = None) -> Fields:
        """Return `data` of an answer."""
        method, path = _CALLS[operation]
        ids = {"order": call.payment.payment_id, "reference": call.reference}
        is_write, left = method == "POST", self._http.bounded(call.deadline).left()
        answer = self._http.send(
            method,
            self._hosts.base(call.account)
            + path.format(**{name: quote(one, safe="") for name, one in ids.items()}),
            operation=operation,
            deadline=call.deadline,
            headers=_headers(call.account, left, call.reference if is_write else ""),
            body=json.dumps(fields).encode() if fields else None,
        )
        return _content_from(answer)


class _NotFound(ProviderRefused):
    """Yandex Pay has no such order or operation."""


@dataclass(frozen=True)
class _Operation:
    """One operation of an order; `is_own` says that it has the reference we asked for."""

    kind: str | None
    status: str
    id: str | None
    amount: Decimal | None
    reference: str | None
    is_own: bool


def _headers(account: Account, seconds: float, reference: str) -> dict[str, str]:
    """Return the headers. A write's reference makes its repeat a repeat there too."""
    key = account.settings["merchant_id" if account.sandbox else "api_key"]
    left = int(seconds * 1000)
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
    code = safe_code(envelope.text("reasonCode")) if status == "fail" else ""
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


def _operation_from(fields: Fields, order: str, reference: str) -> _Operation:
    told = fields.text("externalOperationId")
    if fields.text("orderId") not in {None, order}:
        raise AnswerNotUnderstood(evidence="an operation of another order")
    return _Operation(
        kind=fields.text("operationType"),
        status=fields.text("status") or "PENDING",
        id=fields.text("operationId"),
        amount=fields.decimal("amount"),
        reference=told,
        is_own=told is not None and told == reference,
    )


def _look_from(order: Fields, made: list[_Operation]) -> Look:
    status = order.text("paymentStatus")
    ending = _ENDING.get(status or "")
    made = [replace(one, kind=ending) if _is_end(one, ending) else one for one in made]
    shown = _shown(order, made)
    rest = _rest(made, shown)
    made = [one for one in made if one is not rest]
    refunds = [one for one in made if one.kind == "REFUND" and one.status != "FAIL"]
    if rest and status == _PARTLY and not refunds:
        status = "CAPTURED"
    amount, captured, refunded = _sums(status, shown, made)
    left = None if captured is None or refunded is None else captured - refunded
    standing = _standing(status, made, left)
    ends = [one for one in made if ending and one.kind == ending]
    ends.sort(key=lambda one: one.is_own)
    done = [one.id for one in ends if one.status == "SUCCESS"]
    held = [one.id for one in made if (one.kind, one.status) == ("AUTHORIZE", "SUCCESS")]
    own = next((one for one in made if one.is_own and one.kind not in _TAKING), None)
    return Look(
        standing,
        amount=amount,
        currency=_CURRENCY,
        captured=captured,
        refunded=refunded,
        cancellation_id=done[-1] if done and standing is Standing.UNDONE else None,
        failures=sum(one.status == "FAIL" for one in ends),
        provider_status=safe_code(status),
        write_effect=_EFFECTS.get(own.status, Effect.ACCEPTED) if own else None,
        write_id=own.id if own else None,
        authorization_id=held[0] if held else None,
        payment_url=order.page_url("paymentUrl"),
    )


def _is_end(made: _Operation, ending: str | None) -> bool:
    """Whether it is our end, whatever its printed type."""
    return made.is_own and ending is not None and made.kind not in {*_TAKING, "VOID", "REFUND"}


def _shown(order: Fields, made: list[_Operation]) -> list[Decimal]:
    """Return what the order, its cart and its authorizations cost."""
    total = order.object("cart").object("total").decimal("amount")
    authorized = [one.amount for one in made if one.kind == "AUTHORIZE"]
    return [one for one in (order.decimal("orderAmount"), total, *authorized) if one is not None]


def _rest(made: list[_Operation], shown: list[Decimal]) -> _Operation | None:
    """Return the refund that is none: what a settlement in part released of the hold.

    Of that amount, and with no reference of its own. Which it is the pages leave open.
    """
    settled = [one for one in made if one.kind in _TAKING and one.status == "SUCCESS"]
    names = {None, *(one.reference for one in settled)}
    rests = {max(shown) - one.amount for one in settled if one.amount is not None and shown}
    refunds = [one for one in made if one.kind == "REFUND" and one.status != "FAIL"]
    return next((one for one in refunds if one.amount in rests and one.reference in names), None)


def _sums(
    status: str | None, shown: list[Decimal], made: list[_Operation]
) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    """Return what was authorized, what of it was taken, and what of that was returned."""
    if status not in _TAKEN or not shown:
        return next(iter(shown), None), None, None
    done = [one for one in made if one.status == "SUCCESS"]
    captured = _captured(done, max(shown))
    if status == "REFUNDED":
        return max(shown), captured, captured
    refunds = [one.amount for one in done if one.kind == "REFUND"]
    known = [amount for amount in refunds if amount is not None]
    is_clear = len(known) == len(refunds) and (known or status != _PARTLY)
    return max(shown), captured, sum(known, Decimal(0)) if is_clear else None


def _captured(done: list[_Operation], whole: Decimal) -> Decimal | None:
    """Return what was taken; None where all that differ look like holds: one may be a part."""
    for kinds in (_TAKING, ("AUTHORIZE",)):
        amounts = {one.amount for one in done if one.kind in kinds} - {None}
        if amounts:
            return amounts.pop() if len(amounts) == 1 else None
    return whole


def _standing(status: str | None, made: list[_Operation], left: Decimal | None) -> Standing:
    """Return where a payment stands, whose operations may be ahead of its status."""
    ends = {one.status for one in made if one.kind in {"VOID", "REFUND"}}
    if status == "FAILED" and (ends == {"FAIL"} or ends - {"FAIL", "SUCCESS"}):
        # A rollback that met a payment: the money is still to come back, or does not.
        return Standing.STUCK if ends == {"FAIL"} else Standing.WORKING
    if status not in _CHANGING:
        return _STANDINGS.get(status, Standing.WORKING)
    ours = {one.kind for one in made if one.is_own and one.status == "SUCCESS"} - {*_TAKING}
    if ours and status == "AUTHORIZED":
        return Standing.UNDONE
    ended = {"FAIL", "SUCCESS"} if ours or status == _PARTLY else {"FAIL"}
    changes = {one.status for one in made if one.is_own or one.kind in _CHANGING[status]}
    # A captured order whose hold was released contradicts itself.
    if changes - ended or "VOID" in ours or (ours and left is None):
        return Standing.WORKING
    if ours and left is not None:
        return Standing.PARTLY_REFUNDED if left > 0 else Standing.UNDONE
    return _STANDINGS[status]


def _sent_from(made: _Operation) -> WriteResult:
    """Read the operation that was made. One without a known end is for a look to explain."""
    effect = _EFFECTS.get(made.status, Effect.ACCEPTED)
    return WriteResult(effect, made.id if effect is Effect.DONE else None, safe_code(made.status))


def _text(amount: Decimal) -> str:
    """Return roubles as they are sent. Raises ProviderRefused for a sum that is never taken."""
    if amount < _LEAST or amount % _STEP:
        raise ProviderRefused(evidence="amount")
    return f"{amount:.2f}"


def _cart_from(order: Order) -> _Object:
    """Return the cart. Each line is one piece, so that any part of its price can be taken."""
    lines = [line for line in order.lines if line.total]
    is_odd = any(line.total < 0 or line.total % _STEP for line in lines)
    if is_odd or sum(line.total for line in lines) != order.amount:
        lines = [Line("1", f"Order {order.reference}", 1, order.amount)]
    items: dict[str, _Object] = {}
    for line in lines:
        product = line.id[: _LONGEST - 8]
        if not product or product in items:
            product += f"-{len(items) + 1}"
        title = line.title if line.quantity == 1 else f"{line.quantity} \u00d7 {line.title}"
        items[product] = {
            "productId": product,
            "quantity": {"count": "1"},
            "title": title[:_LONGEST] or product,
            "total": f"{line.total:.2f}",
        }
    return {"items": [*items.values()], "total": {"amount": _text(order.amount)}}


def _cut(memo: str | None, amount: Decimal) -> list[_Object]:
    """Return the cart's lines, cut from the last one back until they cost `amount`."""
    if not memo:
        raise ProviderRefused(evidence="no cart")
    items, left = [], Decimal(_text(amount))
    for item in json.loads(memo)["items"]:
        cost = min(Decimal(item["total"]), left)
        left -= cost
        if cost:
            items.append({**item, "total": f"{cost:.2f}"})
    if left:
        raise ProviderRefused(evidence="more than the cart")
    return items


def _priced(item: _Object) -> _Object:
    """Return it as `targetCart` has it: `price` is of one piece."""
    return {"productId": item["productId"], "price": item["total"], "quantityCount": "1"}


def _notification_from(payload: Fields, account: Account) -> Notification | None:
    """Read {"merchantId", "event", "eventTime", "order" or "operation"}, page "webhook"."""
    # A UUID, so that case says nothing.
    its_merchant = payload.text("merchantId") or ""
    if its_merchant.lower() != account.settings["merchant_id"].lower():
        raise NotAuthenticated("The notification is of another merchant")
    event = payload.text("event") or ""
    if event not in _EVENTS:
        return None
    about = payload.object(_EVENTS[event])
    order, status = about.text("orderId"), about.text("paymentStatus") or about.text("status")
    if not order:
        raise InvalidRequest("The notification names no order")
    told = [event, order, status, about.text("operationId"), payload.text("eventTime")]
    digest = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    return Notification(digest, (order,), provider_status=safe_code(status))
