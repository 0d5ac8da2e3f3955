"""Cryptomus: invoices paid in cryptocurrencies.

Pages, under https://doc.cryptomus.com/business/: format (general/request-format); and under
payments/: create (creating-invoice), look (payment-information), statuses (payment-statuses),
refund (itself) and notification (webhook).

Authentication: every call is a POST. Its `sign` header is an MD5 over its body and the merchant's
payment key. A notification has such a `sign` in its body, over all other members.

There is no sandbox, and money is never held. No call cancels an invoice. An unpaid invoice expires
by itself. A refund returns the whole invoice to a wallet, but VTEX does not name the buyer's.
The wallet of the payment may belong to an exchange. So the refund goes to a wallet of the merchant,
or a person makes the refund.

Three statuses are neither approved nor denied, because the company has or may have the buyer's
money: `wrong_amount` (a part was paid), `system_fail` (the company does not say where the money is)
and `locked` (held as suspicious). A person decides.

The pages leave open:
- Whether `payment_status` and `status` can differ: if they differ, we believe neither.
- What the company answers for an unknown order: the page "refund" has `Payment was not found`.
- What the company answers to a wrong `sign`: clients report {"message": "Invalid Sign."}.
- What a second refund does: we do not assume that the company recognises a repeat.
- Whether the signed text of a notification has letters beyond ASCII or their escapes: both count.
"""

import base64
import functools
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from decimal import Decimal

from connector.company_json import Fields, refused_word, safe_code
from connector.domain import errors, exact
from connector.domain.merchant import Account
from connector.domain.order import Delays, Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    Notification,
    PaymentKey,
    Standing,
    WriteResult,
)
from connector.http_client import Answer
from connector.provider import Call, Message, Provider, Setting, for_people

_PATHS = {"create": "/payment", "look": "/payment/info", "refund": "/payment/refund"}
# `payment_status`, page "statuses".
_STANDINGS = {
    "check": Standing.UNPAID,
    **dict.fromkeys(("process", "confirm_check", "wrong_amount_waiting"), Standing.PAYING),
    **dict.fromkeys(("paid", "paid_over"), Standing.CAPTURED),
    **dict.fromkeys(("wrong_amount", "system_fail", "refund_fail", "locked"), Standing.STUCK),
    "refund_process": Standing.WORKING,
    **dict.fromkeys(("cancel", "fail", "refund_paid"), Standing.UNDONE),
}
# These statuses can still change until `is_final` is true: another payment may arrive, or the buyer
# may renew an invoice that ended unpaid (`is_refresh`, page "create").
_NOT_FINAL = {
    **dict.fromkeys(("paid", "paid_over"), Standing.STUCK),
    **dict.fromkeys(("cancel", "fail"), Standing.UNPAID),
}
# In these statuses the whole invoice was paid.
_TAKEN = {"paid", "paid_over", "refund_process", "refund_fail", "refund_paid"}
# `message` is the company's only error code (pages "create" and "refund"). Clients report "Invalid
# Sign.". Every other message is a refusal. Only its words in `_REFUSAL` are shown.
_NOT_FOUND = "Payment was not found"
_ERRORS: dict[str, type[errors.ConnectorError]] = {
    "You are forbidden": errors.ProviderCredentials,
    "Invalid Sign.": errors.ProviderCredentials,
    "Gateway error": errors.ProviderUnavailable,
    "Server error": errors.ProviderUnavailable,
}
_REFUSAL = re.compile(
    r"(The (network|currency|terminal)|Payment) was not found|Wallet not found"
    r"|Not found service to_currency|Error convert to_currency|(Minimum|Maximum) amount"
    r"|Undefined merchant wallet|Refunds are made only for completed payments"
    r"|The refund amount should not be more than the amount paid"
)
# Seconds in which an invoice can be paid (page "create": 300 to 43200). VTEX gives the payment up
# an hour later: the blockchain must confirm what was paid in the last minute.
_LIFETIME, _CONFIRMATION = 3600, 3600
_PAYERS = ("merchant", "customer")


def _wallet_fault(text: str) -> str | None:
    return None if 16 <= len(text) <= 255 else "give the address of a wallet"  # noqa: PLR2004


class Cryptomus(Provider):
    """Creates invoices, and refunds them if the merchant names a wallet. Ends no invoice."""

    name = "cryptomus"
    title = "Cryptomus"
    url = "https://api.cryptomus.com/v1"
    settings = (
        Setting("merchant_uuid", "Merchant UUID", is_secret=False, is_account=True),
        Setting(
            "payment_key",
            for_people("Payment API key"),
            hint=for_people("Cryptomus has another key for payouts: do not give that key."),
        ),
        Setting(
            "refund_address",
            "Refund wallet",
            is_secret=False,
            check=_wallet_fault,
            is_required=False,
            is_payout=True,
        ),
        Setting(
            "refund_fee",
            for_people("Refund fee paid by"),
            is_secret=False,
            is_required=False,
            options=_PAYERS,
            hint=for_people("It counts only if the operator of this connector has set refunds up."),
        ),
    )
    payment_methods = ("Cryptomus",)
    decimals = 8  # of its cryptocurrencies; page "create" gives no limit
    delays = Delays(cancel=_LIFETIME + _CONFIRMATION)
    has_sandbox = False
    create_is_idempotent = True
    passing = frozenset({Standing.PAYING})
    after_refund = "The money is in the merchant's refund wallet: pay the buyer from there"

    def look(self, call: Call) -> Look:
        try:
            content = self._call("look", call, {"order_id": call.payment.payment_id})
        except errors.ProviderRefused as refusal:
            if refusal.evidence != _NOT_FOUND:
                raise
            return Look(Standing.ABSENT)
        return _look_from(content.object("result"), call.payment)

    def create(self, order: Order, call: Call) -> CreateResult:
        """Create an invoice. For a known order id the company returns the existing invoice."""
        content = self._call("create", call, _create_body(order))
        return _create_result_from(content.object("result"), order)

    def refund(self, call: Call) -> WriteResult:
        if call.amount is not None or not self.may_refund(call.account):
            raise errors.ProviderRefused(evidence="full amount to a refund_address only")
        try:
            self._call("refund", call, _refund_body(call))
        except errors.ProviderUnavailable as error:
            if error.evidence in _ERRORS:
                # The company may have accepted the refund before its own failure.
                raise errors.OutcomeUnknown(evidence=error.evidence) from error
            raise
        return WriteResult(Effect.ACCEPTED)

    def may_refund(self, account: Account) -> bool:
        return bool(account.settings.get("refund_address"))

    def read_notification(self, message: Message) -> Notification | None:
        try:
            return _notification_from(message.body, message.account)
        except (ValueError, RecursionError, errors.AnswerNotUnderstood) as error:
            raise errors.InvalidRequest("This is no notification of Cryptomus's") from error

    def probe(self, call: Call) -> None:
        """Ask for an order that cannot exist. Only a right sign gets the answer "not found"."""
        self.look(call)

    def _call(self, operation: str, call: Call, request: Mapping[str, object]) -> Fields:
        body = json.dumps(request).encode()
        answer = self._http.send(
            "POST",
            self._hosts.base(call.account) + _PATHS[operation],
            operation=operation,
            deadline=call.deadline,
            headers=_headers(body, call.account),
            body=body,
            word=lambda answer: refused_word(_content_from, answer),
        )
        return _content_from(answer)


def _headers(body: bytes, account: Account) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "merchant": account.settings["merchant_uuid"],
        "sign": _sign(body, account),
    }


def _sign(text: bytes, account: Account) -> str:
    """Sign as page "format" says. MD5 is the company's choice."""
    signed = base64.b64encode(text) + account.settings["payment_key"].encode()
    return hashlib.md5(signed, usedforsecurity=False).hexdigest()


def _create_body(order: Order) -> dict[str, object]:
    """Return the invoice to create. `is_payment_multiple` stays true, its default.

    So a buyer who paid too little can pay the rest. Otherwise the invoice would end as
    `wrong_amount`, with a part of the money taken.
    """
    urls = dict.fromkeys(("url_return", "url_success"), order.return_url)
    urls["url_callback"] = order.notification_url or ""
    return {
        "amount": f"{order.amount:f}",
        "currency": order.currency,
        "order_id": order.payment_id,
        "lifetime": _LIFETIME,
        # The company takes no other lengths.
        **{name: url for name, url in urls.items() if re.fullmatch(r".{6,255}", url)},
    }


def _refund_body(call: Call) -> dict[str, object]:
    settings = call.account.settings
    return {
        "order_id": call.payment.payment_id,
        "address": settings["refund_address"],
        # True: the merchant pays the commission, and the buyer gets all.
        "is_subtract": settings.get("refund_fee") != "customer",
    }


def _content_from(answer: Answer) -> Fields:
    """Read {"state": 0, "result"}; raise for {"state": 1, "message" or "errors"}.

    Errors have HTTP status 422 (page "refund"), but the message decides, whatever the status. Only
    the answer to a wrong sign has no state.
    """
    fields = Fields(answer.json())
    state = fields.text("state")
    if state == "0" and answer.status < 300:  # noqa: PLR2004 - a success
        return fields
    message = fields.text("message") or ""
    kind = _ERRORS.get(message, errors.ProviderRefused)
    if state == "1" or kind is errors.ProviderCredentials:
        refusal = _REFUSAL.match(message)
        raise kind(evidence=message if message in _ERRORS else refusal[0] if refusal else "")
    raise errors.AnswerNotUnderstood(evidence=f"HTTP {answer.status}")


def _create_result_from(result: Fields, order: Order) -> CreateResult:
    """Read {"uuid", "order_id", "amount", "currency", "url", ...}."""
    _check_order(result, order.payment_id)
    price = result.decimal("amount"), result.text("currency")
    invoice_id, payment_url = result.text("uuid"), result.page_url("url")
    if None in price or not (invoice_id and payment_url):
        raise errors.AnswerNotUnderstood(evidence="no invoice")
    if price != (order.amount, order.currency):
        raise errors.ProviderRefused(evidence="another amount")
    return CreateResult(provider_payment_id=invoice_id, payment_url=payment_url)


def _look_from(result: Fields, payment: PaymentKey) -> Look:
    """Read {"order_id", "amount" in units of "currency", "payment_status", "is_final", ...}."""
    _check_order(result, payment.payment_id)
    status = _status_from(result)
    standing = _standing_from(result, status)
    amount = result.decimal("amount")
    is_taken = status in _TAKEN and standing is _STANDINGS[status]
    refunded = amount if status == "refund_paid" else Decimal()
    return Look(
        standing,
        amount=amount,
        currency=result.text("currency"),
        failures=int(status == "refund_fail"),
        provider_status=safe_code(status),
        captured=amount if is_taken else None,
        refunded=refunded if is_taken else None,
        provider_payment_id=result.text("uuid"),
        payment_url=result.page_url("url"),
    )


def _standing_from(result: Fields, status: str) -> Standing:
    standing = _STANDINGS.get(status, Standing.WORKING)
    return _NOT_FINAL.get(status, standing) if result.flag("is_final") is False else standing


def _check_order(result: Fields, payment_id: str) -> None:
    if result.text("order_id") not in {None, payment_id}:
        raise errors.AnswerNotUnderstood(evidence="another order_id")


def _status_from(result: Fields) -> str:
    """Return the status. If the two statuses differ, join them to an unknown status."""
    statuses = dict.fromkeys(filter(None, map(result.text, ("payment_status", "status"))))
    if not statuses:
        raise errors.AnswerNotUnderstood(evidence="no status")
    return "-".join(statuses)


class _Number(str):
    __slots__ = ()  # a number with its original spelling


def _notification_from(body: bytes, account: Account) -> Notification | None:
    """Read {"type", "uuid", "order_id", "status", ..., "sign"}."""
    exact.check_members(body)
    if not re.search(rb'"sign"\s*:\s*"[0-9a-f]{32}"', body):
        raise errors.NotAuthenticated("It has no sign")
    members = json.loads(body, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
    fields = Fields(members)
    signed = _signed_text(members, fields.text("sign") or "", account)
    order_id = fields.text("order_id")
    if fields.text("type") != "payment" or not order_id:
        return None
    return Notification(
        hashlib.sha256(signed).hexdigest(),
        (order_id,),
        provider_payment_id=fields.text("uuid"),
        provider_status=safe_code(fields.text("status")),
    )


def _signed_text(members: dict[str, object], sign: str, account: Account) -> bytes:
    """Return the message without its sign. Raises NotAuthenticated for a wrong sign."""
    rest = {name: value for name, value in members.items() if name != "sign"}
    texts = [_php_json(rest, is_ascii=is_ascii).encode() for is_ascii in (False, True)]
    signs = [_sign(text, account).encode() for text in texts]
    if not any(hmac.compare_digest(right, sign.encode()) for right in signs):
        raise errors.NotAuthenticated("Not signed with the merchant's key")
    return texts[0]


def _php_json(value: object, *, is_ascii: bool) -> str:
    """Write JSON as PHP's json_encode does, with or without JSON_UNESCAPED_UNICODE."""
    if isinstance(value, _Number):
        return value
    write = functools.partial(_php_json, is_ascii=is_ascii)
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{write(name)}:{write(value[name])}" for name in value) + "}"
    text = json.dumps(value, ensure_ascii=is_ascii).replace("/", "\\/")
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
