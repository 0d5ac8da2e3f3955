"""Tranzzo: payments in one step (purchase) or two (auth, then capture or void).

Pages, under https://docs.tranzzo.com/docs/:
authentication  api-usage/authentication            capture       transactions-2-step/capture
create          transactions-purchase/api           refund        transactions-refund/api
look            after-payments/info-on-transactions notification  webhooks/structure
void            transactions-2-step/void/api        statuses      status-codes/payment-cycle
cancel          cancellation-of-the-created-payment errors        error-handling

Authentication: keys in two headers. The sandbox is a test project on the same host. It has its own
keys and its own currency: Tranzzo's plugins send XTS there.

There is no idempotency key. An order id can be used only once. /void, /capture and /refund name
only the order. So we look before we repeat such a call. An order is a list of operations. Tranzzo
cannot stop a buyer who is paying, and cannot void a part. A capture of a part releases the rest.

The pages leave open:
- Where a new order shows its page: in `redirect_url` (Tranzzo's own plugin, which asks for JSON) or
  in the header Location. Only `redirect_url` is read, because a redirect is no answer here. Without
  it a look finds the order, and its page in `user_action_url`.
- The type of `refund_amount`: a number, like the other amounts, although the plugin sends a text.
- Whether a product's amount is of one piece or of all: `products` is optional and not sent.
- What a test project answers to a currency other than XTS: so the setting `sandbox_currency`.
- What CPAY-HMAC-SHA1 of some examples signs: we use the plain keys of page "authentication".
- Whether an order id may have 256 characters (page "cancel") or 32 (page "void"): we allow 32.
- The code of "payment not found" and the HTTP status of wrong credentials. Wrong credentials have a
  code; every other well-formed 404 is an absence.
"""

import base64
import hashlib
import hmac
import json
import re
from dataclasses import replace
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from urllib.parse import parse_qs

from connector.company_json import Fields, objects, refused_word, safe_code
from connector.domain import errors, exact
from connector.domain.merchant import Account
from connector.domain.order import Delays, Order
from connector.domain.payment import CreateResult, Effect, Look, Notification, Standing, WriteResult
from connector.http_client import Answer
from connector.provider import Call, Message, Provider, Setting, for_people

# `method`, pages "look" and "create". The first is the default: money is held until it is settled.
_PRIMARY = ("auth", "purchase")
# Page "authentication".
_KEYS_PLACE = for_people(
    "Tranzzo gives each project four values: POS_ID, API_KEY, API_SECRET and ENDPOINTS_KEY. Take "
    "all four from the same project."
)
_SECONDARY = ("void", "capture", "refund")
_CALLS = {
    "create": ("POST", "/payment"),
    "look": ("GET", "/pos/{pos_id}/orders/{order}"),
    "cancel": ("POST", "/pos/{pos_id}/order/{order}/cancel"),
    **{method: ("POST", f"/{method}") for method in _SECONDARY},
}
# `status` of a primary operation, page "statuses". After a success the secondary operations decide.
# If there are several primary operations, the first status of this table counts. An unknown status
# counts before the statuses of this table.
_STANDINGS = {
    "success": Standing.HELD,
    "pending": Standing.PAYING,
    "init": Standing.UNPAID,
    "failure": Standing.UNDONE,
}
_RANKS = {status: rank for rank, status in enumerate(_STANDINGS, 1)}
_PAID = _RANKS["success"]
# `status` of an operation of /void, /capture or /refund. These two statuses are final.
_EFFECTS = {"success": Effect.DONE, "failure": Effect.FAILED}
# `status` and `status_code` of an unpaid order that was cancelled, page "cancel".
_CANCELLED = ("failure", "6007")
# `args.code` of wrong keys or a wrong pos_id, page "authentication"; and of an order id that was
# used before, in whatever state that order is (Tranzzo's own plugin).
_WRONG_CREDENTIALS, _ORDER_USED = "S-404", "P-409"
# ISO 4217's code for tests, which Tranzzo's own plugins send to a test project.
_SANDBOX_CURRENCY = "XTS"
# Characters, page "void".
_MAX_ORDER_ID = 32
# A notification has two fields. In base64url only the padding needs an escape.
_read_form = partial(parse_qs, keep_blank_values=True, strict_parsing=True, max_num_fields=16)
_MOST_ESCAPES = 1000
# The parts of a UUID.
_UUID = [f"([0-9A-Fa-f]{{{digits}}})" for digits in (8, 4, 4, 4, 12)]


def _pos_id_fault(value: str) -> str | None:
    is_right = re.fullmatch(r"[A-Za-z0-9_-]+", value)
    return None if is_right else for_people("give the POS_ID of the project")


def _currency_fault(value: str) -> str | None:
    is_right = re.fullmatch("[A-Z]{3}", value)
    return None if is_right else for_people("give three capital letters, such as XTS")


class Tranzzo(Provider):
    """Sells by Tranzzo's page. Ends unpaid orders, releases or captures holds, and refunds."""

    name = "tranzzo"
    title = "Tranzzo"
    url = "https://cpay.tranzzo.com/api/v1"
    settings = (
        Setting(
            "pos_id",
            "POS_ID",
            is_secret=False,
            check=_pos_id_fault,
            is_account=True,
            hint=_KEYS_PLACE,
        ),
        Setting("api_key", "API_KEY"),
        Setting("api_secret", "API_SECRET"),
        Setting("endpoints_key", "ENDPOINTS_KEY"),
        Setting(
            "stage",
            for_people("One or two steps"),
            is_secret=False,
            is_required=False,
            options=_PRIMARY,
            hint=for_people(
                "auth: the money is held first, and taken when VTEX asks. purchase: the money is "
                "taken when the buyer pays. Without a choice it is auth."
            ),
        ),
        Setting(
            "sandbox_currency",
            for_people("Currency in test mode"),
            is_secret=False,
            is_required=False,
            check=_currency_fault,
            hint=for_people("Only for test payments. Tranzzo's own plugins use XTS."),
        ),
    )
    payment_methods = ("Tranzzo",)
    # A page never expires (page "statuses"). So VTEX cancels an unpaid payment after an hour.
    delays = Delays(cancel=3600)
    cancellable = frozenset({Standing.UNPAID, Standing.HELD})
    passing = frozenset({Standing.PAYING})
    can_refund = True
    can_settle_partly = True
    can_refund_partly = True

    def look(self, call: Call) -> Look:
        """Read all operations of the order."""
        try:
            return _look_from(self._call("look", call), call.account)
        except _NotFound as absence:
            return Look(Standing.ABSENT, provider_status=absence.evidence)

    def create(self, order: Order, call: Call) -> CreateResult:
        """Open a page on which the buyer pays. Without a page a look must show the result."""
        (fields, *_) = self._call("create", call, _create_body(order, call.account))
        return _create_result_from(fields)

    def cancel(self, call: Call) -> WriteResult:
        """Void a held order, or cancel an unpaid one."""
        if call.look.standing is Standing.HELD:
            return self._write("void", call, _write_body(call))
        return self._write("cancel", call)

    def settle(self, call: Call) -> WriteResult:
        """Capture all, or `charge_amount`. If that is more than the hold, refuse without a call."""
        held = call.look.amount
        if call.amount is not None and (held is None or call.amount > held):
            raise errors.ProviderRefused(evidence="charge_amount")
        return self._write("capture", call, _write_body(call, charge_amount=call.amount))

    def refund(self, call: Call) -> WriteResult:
        """Refund `refund_amount`. Without it all is refunded, page "refund"."""
        return self._write("refund", call, _write_body(call, refund_amount=call.amount))

    def read_notification(self, message: Message) -> Notification | None:
        """Read a form of `data`, an operation, and `signature`, page "notification"."""
        body, keys = message.body, message.account.settings
        try:
            form = _read_form(body.decode("ascii") if body.count(b"%") < _MOST_ESCAPES else "")
            (content,), (signature,) = form["data"], form["signature"]
        except (KeyError, ValueError) as error:
            raise errors.InvalidRequest("Send a form with data and signature, each once") from error
        signed = keys["api_secret"].join(("", content, "")).encode()
        proof = base64.urlsafe_b64encode(hashlib.sha1(signed, usedforsecurity=False).digest())
        if not hmac.compare_digest(proof, signature.encode()):
            raise errors.NotAuthenticated("The signature is not of this merchant's API_SECRET")
        return _notification_from(content, keys["pos_id"])

    def probe(self, call: Call) -> None:
        """Ask for order 0, as cdn.tranzzo.com/tranzzo-api/index.html advises."""
        self.look(replace(call, payment=replace(call.payment, payment_id="0")))

    def _write(self, operation: str, call: Call, body: bytes = b"") -> WriteResult:
        return _write_result_from(self._call(operation, call, body), operation)

    def _call(self, operation: str, call: Call, body: bytes | None = None) -> list[Fields]:
        """Return the operations that the answer shows."""
        method, path = _CALLS[operation]
        order = _order_id(call.payment.payment_id)
        path = path.format(pos_id=call.account.settings["pos_id"], order=order)
        answer = self._http.send(
            method,
            self._hosts.base(call.account) + path,
            operation=operation,
            deadline=call.deadline,
            headers=_headers(call.account),
            body=body,
            word=lambda answer: refused_word(_content_from, answer, order),
        )
        return _content_from(answer, order)


class _NotFound(errors.ProviderRefused):
    """Tranzzo has no such order, or can have none."""


class _Operation:
    """One operation of an order. The `id` of a primary operation is the payment's."""

    def __init__(self, fields: Fields) -> None:
        method, status = fields.text("method"), fields.text("status")
        if method is None or status is None:
            raise errors.AnswerNotUnderstood(evidence="an operation without method or status")
        self.method, self.status, self.code = method, status, fields.text("status_code")
        self.payment_id = fields.text("payment_id")
        self.id = self.payment_id if method in _PRIMARY else fields.text("operation_id")
        self.amount, self.currency = fields.decimal("amount"), fields.text("currency")
        self.payment_url = fields.page_url("user_action_url") if status == "init" else None
        # Only a hosted order can be cancelled while unpaid, page "cancel".
        is_direct = status == "init" and fields.text("mode") not in {"hosted", None}
        self.standing = _STANDINGS.get("" if is_direct else status, Standing.WORKING)
        self.rank = _RANKS.get(status, 0) if method in _PRIMARY else len(_RANKS) + 1
        # Whether it may still take effect. For an unknown method, only a failure is final.
        self.is_open = status not in (_EFFECTS if method in _SECONDARY else ("failure",))
        self.provider_status = " ".join(filter(None, map(safe_code, (method, status, self.code))))


def _headers(account: Account) -> dict[str, str]:
    keys = account.settings
    return {
        "X-API-Auth": f"CPAY {keys['api_key']}:{keys['api_secret']}",
        "X-API-Key": keys["endpoints_key"],
        "Accept": "application/json",
        "Content-Type": "application/json",
    }


def _order_id(payment_id: str) -> str:
    """Return the order's id at Tranzzo: a UUID without its dashes, to fit its 32 characters."""
    order = payment_id.replace("-", "") if re.fullmatch("-".join(_UUID), payment_id) else payment_id
    if len(order) > _MAX_ORDER_ID:
        raise _NotFound
    return order


def _payment_ids(order: str) -> tuple[str, ...]:
    """Return the ids that VTEX may use: the order's id, or the UUID that has these digits."""
    parts = re.fullmatch("".join(_UUID), order)
    return (order, "-".join(parts.groups())) if parts else (order,)


def _create_body(order: Order, account: Account) -> bytes:
    return _json(
        pos_id=account.settings["pos_id"],
        mode="hosted",
        method=account.settings.get("stage", _PRIMARY[0]),
        amount=order.amount,
        currency=_sandbox_currency(account) or order.currency,
        description=f"Order {order.reference or order.payment_id}",
        order_id=_order_id(order.payment_id),
        order_3ds_bypass="supported",
        server_url=order.notification_url,
        result_url=order.return_url,
        customer_email=order.buyer.email,
        customer_phone=order.buyer.phone,
        customer_fname=order.buyer.first_name,
        customer_lname=order.buyer.last_name,
    )


def _write_body(call: Call, **amount: Decimal | None) -> bytes:
    """Return what /void, /capture and /refund take. `comment` is for people."""
    currency = call.look.currency or _sandbox_currency(call.account)
    if currency is None:
        raise errors.ProviderRefused(evidence="no currency")
    return _json(
        pos_id=call.account.settings["pos_id"],
        order_id=_order_id(call.payment.payment_id),
        order_currency=currency,
        comment=call.reference,
        **amount,
    )


def _sandbox_currency(account: Account) -> str | None:
    """Return the currency of a test project, None for a real project."""
    return account.settings.get("sandbox_currency", _SANDBOX_CURRENCY) if account.sandbox else None


def _json(**members: str | Decimal | None) -> bytes:
    """Write the members that have a value, an amount as a number."""
    present = {name: value for name, value in members.items() if value not in {None, ""}}
    texts = [f'"{name}": {_literal(value)}' for name, value in present.items()]
    return f"{{{', '.join(texts)}}}".encode()


def _literal(value: str | Decimal | None) -> str:
    """Write an amount with exactly two decimals; more are not allowed (page "create")."""
    if not isinstance(value, Decimal):
        return json.dumps(value)
    if value <= 0 or Decimal(f"{value:.2f}") != value:
        raise errors.ProviderRefused(evidence="amount")
    return f"{value:.2f}"


def _content_from(answer: Answer, order: str) -> list[Fields]:
    """Read an array of operations, or a single operation. An empty array is not documented."""
    content = answer.json()
    _check_success(answer.status, content)
    operations = objects(content if isinstance(content, list) else [content])
    if not operations:
        raise errors.AnswerNotUnderstood(evidence="no operations")
    if {fields.text("order_id") for fields in operations} - {None, order}:
        raise errors.AnswerNotUnderstood(evidence="another order")
    return operations


def _check_success(status: int, content: object) -> None:
    """Raise for {"message", "args": {"code"}}, page "errors". A proxy's error has no `args`."""
    error = content if isinstance(content, dict) else {}
    reasons, name = error.get("args") or {}, "code"
    if status == HTTPStatus.BAD_REQUEST and isinstance(reasons, list):
        # A list names wrong fields: no page says so, but a client of Tranzzo knows it.
        reasons, name = reasons[0], "field_name"
    code = safe_code(Fields(reasons).text(name)) if Fields(error).text("message") else ""
    if code == _WRONG_CREDENTIALS:
        raise errors.ProviderCredentials(evidence=code)
    if code and (status >= HTTPStatus.BAD_REQUEST or code == _ORDER_USED):
        raise (_NotFound if status == HTTPStatus.NOT_FOUND else errors.ProviderRefused)(
            evidence=code
        )
    if status >= HTTPStatus.BAD_REQUEST:
        raise errors.AnswerNotUnderstood(evidence=f"HTTP {status}, not Tranzzo's")


def _create_result_from(fields: Fields) -> CreateResult:
    payment_url = fields.page_url("redirect_url")
    if payment_url is None:
        raise errors.AnswerNotUnderstood(evidence="no payment page")
    return CreateResult(provider_payment_id=fields.text("payment_id"), payment_url=payment_url)


def _look_from(content: list[Fields], account: Account) -> Look:
    """Read where the payment stands, and its money and ids, whatever is running now.

    The currency of a test project replaces VTEX's, so it is not shown for comparison.
    """
    operations = [_Operation(fields) for fields in content]
    primary = min(operations, key=lambda operation: operation.rank)
    return replace(
        _standing_from(primary, operations),
        amount=primary.amount,
        currency=None if primary.currency == _sandbox_currency(account) else primary.currency,
        captured=_total(_done(operations, "purchase", "capture")),
        refunded=_total(_done(operations, "refund")),
        authorization_id=primary.id if primary.rank == _PAID else None,
        provider_payment_id=primary.payment_id,
        payment_url=primary.payment_url,
    )


def _standing_from(primary: _Operation, operations: list[_Operation]) -> Look:
    running = [
        operation
        for operation in operations
        if operation.is_open and operation.method not in _PRIMARY
    ]
    if running:
        return Look(Standing.WORKING, provider_status=running[0].provider_status)
    status = primary.provider_status
    if primary.method not in _PRIMARY:
        raise errors.AnswerNotUnderstood(evidence="no payment among the operations")
    if len(_done(operations, *_PRIMARY)) > 1:
        # The pages do not say whether an order can be paid twice, or how to end such an order.
        return Look(Standing.STUCK, provider_status=status)
    if primary.rank == _PAID:
        return _paid_standing_from(primary, operations)
    cancellation_id = primary.id if primary.standing is Standing.UNDONE else None
    return Look(primary.standing, cancellation_id=cancellation_id, provider_status=status)


def _paid_standing_from(primary: _Operation, operations: list[_Operation]) -> Look:
    """Read where a paid order stands, if none of its operations is running."""
    status, taken = primary.provider_status, _done(operations, "purchase", "capture")
    end = "refund" if taken else "void"
    done = _done(operations, end)
    failures = sum(operation.method == end for operation in operations) - len(done)
    # A capture of a part releases the rest (page "capture"). Then the part counts as the whole.
    whole, returned = _total(taken, primary.amount), _total(done)
    if done and (not taken or (whole and returned and whole <= returned)):
        return Look(Standing.UNDONE, cancellation_id=done[-1].id, provider_status=status)
    standing = Standing.PARTLY_REFUNDED if done else Standing.CAPTURED
    return Look(standing if taken else Standing.HELD, failures=failures, provider_status=status)


def _done(operations: list[_Operation], *methods: str) -> list[_Operation]:
    return [
        operation
        for operation in operations
        if operation.method in methods and operation.status == "success"
    ]


def _total(operations: list[_Operation], default: Decimal | None = None) -> Decimal | None:
    """Add the amounts. If an amount is not shown, the sum is not known."""
    amounts = [
        default if operation.amount is None else operation.amount for operation in operations
    ]
    return None if None in amounts else sum(filter(None, amounts), Decimal())


def _write_result_from(content: list[Fields], method: str) -> WriteResult:
    """Read the answer to a write. If it proves nothing, a look must show the result."""
    operation = _Operation(content[-1])
    effects = _EFFECTS if operation.method == method else {}
    is_cancelled = method == "cancel" and (operation.status, operation.code) == _CANCELLED
    effect = Effect.DONE if is_cancelled else effects.get(operation.status, Effect.ACCEPTED)
    operation_id = operation.id if effect is Effect.DONE else None
    return WriteResult(effect, operation_id, operation.provider_status)


def _notification_from(content: str, pos_id: str) -> Notification | None:
    """Read which order the message is about; a look shows the rest."""
    try:
        decoded = base64.b64decode(content.encode("ascii"), altchars=b"-_", validate=True)
        fields = Fields(exact.loads(decoded))
        project, order = fields.text("pos_id"), fields.text("order_id")
    except (ValueError, errors.AnswerNotUnderstood) as error:
        raise errors.InvalidRequest("The form's data is not an operation") from error
    if project != pos_id:
        raise errors.NotAuthenticated("The message is not of this merchant's POS_ID")
    return Notification(hashlib.sha256(decoded).hexdigest(), _payment_ids(order)) if order else None
