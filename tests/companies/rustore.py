"""RuStore as its pages describe it, with its own state for real and for test purchases."""

import base64
import functools
import itertools
import json
import os
import re
import secrets
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.companies.base import Call, Company, Respond
from tests.companies.payment import CompanyPayment

APP_ID = "1704024"
KEY_ID = "2351"
UNPAID = {"CREATED", "EXECUTED"}
# What of its amount is held, taken and returned in a status; in others nothing.
MONEY = {
    **dict.fromkeys(("PAID", "EXECUTING"), (1, 0, 0)),
    **dict.fromkeys(("CONFIRMED", "CONSUMED", "REFUNDING"), (0, 1, 0)),
    "REFUNDED": (0, 1, 1),
}
# What is under way in a status, where it ends, and where it ends when nothing comes of it.
UNDER_WAY = {
    "EXECUTING": ("settle", "CONFIRMED", "PAID"),
    "REFUNDING": ("refund", "REFUNDED", "CONFIRMED"),
}
OPERATIONS = (
    ("token", "POST", r"/public/auth/"),
    ("look", "GET", r"/public(?P<sandbox>/sandbox)?/v2/purchase/(?P<id>[^/]+)"),
    (
        "cancel",
        "PUT",
        r"/public(?P<sandbox>/sandbox)?/applications/(?P<app>\d+)/purchases/(?P<id>[^/:]+):cancel",
    ),
    (
        "settle",
        "PUT",
        r"/public(?P<sandbox>/sandbox)?/applications/(?P<app>\d+)/purchases/(?P<id>[^/:]+):confirm",
    ),
    (
        "refund",
        "PATCH",
        r"/public(?P<sandbox>/sandbox)?/applications/(?P<app>\d+)/invoices/(?P<id>[^/]+)",
    ),
)


def new_key() -> str:
    """Make a private key and return it as the console shows it.

    Half as long as RuStore's: to read one of 2048 bits takes 36 ms, to read this takes 5 ms.
    """
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    der = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return base64.b64encode(der).decode()


@functools.cache
def public_key(private_key: str) -> rsa.RSAPublicKey:
    key = serialization.load_der_private_key(base64.b64decode(private_key), password=None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key.public_key()


@functools.cache
def merchants_key() -> str:
    """Return one key for the whole session: making one takes long."""
    return new_key()


@dataclass
class Purchase:
    purchase_id: str
    invoice_id: str
    order_id: str
    status: str
    # In units of the currency.
    amount: Decimal = Decimal("100.00")
    currency: str = "RUB"
    is_test: bool = False
    # How a look shows the order, where not as the company shows every other.
    order: dict[str, Any] | None = None


@dataclass
class RuStore(Company):
    """Knobs: the letters of OK, the seconds a token lives, the HTTP status of refusals."""

    # How a look shows the order: "current", "older", or "" for not at all.
    shape: str = "current"
    # Whether a confirm and a refund are under way until `finish`.
    is_slow: bool = False
    # Whether a refund that is under way makes another one refused for the invoice's status.
    names_the_status: bool = False
    # How many refunds are not possible now.
    refunds_later: int = 0
    is_cyrillic: bool = False
    ttl: float = 900
    refusal_status: int = 400
    expired_status: int = 400
    # Where the key is missing this method, the answer is Forbidden.
    forbidden: set[str] = field(default_factory=set)
    # What the merchant gets wrong, by the company's clock.
    clock_offset: timedelta = timedelta()
    key_id: str = KEY_ID
    private_key: str = field(default_factory=merchants_key, repr=False)
    tokens: dict[str, float] = field(default_factory=dict)
    purchases: dict[bool, list[Purchase]] = field(default_factory=lambda: {False: [], True: []})
    invoice_ids: Any = field(default_factory=lambda: itertools.count(4567))

    @property
    def url(self) -> str:
        return f"{self.origin}/public"

    @property
    def sandbox_url(self) -> str:
        return f"{self.origin}/public/sandbox"

    @property
    def settings(self) -> dict[str, str]:
        return {
            "app_id": APP_ID,
            "key_id": self.key_id,
            "private_key": self.private_key,
            "notification_key": "c2VjcmV0LW5vdGlmaWNhdGlvbi1rZXktb2YtMzJieXQ=",
        }

    # What the buyer, the app and the company's people do.

    def create(
        self, order_id: str = "", status: str = "PAID", *, sandbox: bool = False
    ) -> Purchase:
        """Make a purchase: CREATED, EXECUTED, PAID, CONFIRMED, CANCELLED, REJECTED, EXPIRED ..."""
        with self.lock:
            invoice_id = str(next(self.invoice_ids))
            order_id = order_id or uuid.uuid4().hex
            purchase = Purchase(str(uuid.uuid4()), invoice_id, order_id, status, is_test=sandbox)
            self.purchases[sandbox].append(purchase)
        return purchase

    def put(self, payment_id: str, state: str) -> dict[str, str]:
        purchase = next(iter(self._all_of(payment_id)), None) or self.create(payment_id)
        self.move(purchase, state)
        return {"authorizationId": purchase.purchase_id, "tid": purchase.invoice_id}

    def names(self, payment_id: str) -> set[str]:
        purchases = self._all_of(payment_id)
        return {name for one in purchases for name in (one.purchase_id, one.invoice_id)}

    def cancellation_id(self, payment_id: str) -> str | None:
        return self._all_of(payment_id)[-1].purchase_id

    def start(
        self, payment_id: str, amount: str | Decimal = "100.00", *, sandbox: bool = False
    ) -> Purchase:
        """Start a purchase in the app, with VTEX's paymentId as its order id."""
        purchase = self.create(payment_id, "CREATED", sandbox=sandbox)
        purchase.amount = Decimal(amount)
        return purchase

    def pay(self, payment_id: str) -> None:
        """The buyer pays: the money is held."""
        self._leave(payment_id, dict.fromkeys(UNPAID, "PAID"))

    def decline(self, payment_id: str) -> None:
        """The buyer's bank refuses."""
        self._leave(payment_id, dict.fromkeys(UNPAID, "REJECTED"))

    def expire(self, payment_id: str) -> None:
        """Time is over: nobody paid, or nobody confirmed."""
        self._leave(payment_id, {**dict.fromkeys(UNPAID, "EXPIRED"), "PAID": "REVERSED"})

    def finish(self, payment_id: str, *, well: bool = True) -> None:
        """End a confirm or a refund that is under way, if one is."""
        with self.lock:
            for purchase in self._all_of(payment_id):
                if purchase.status in UNDER_WAY:
                    self._end(purchase, well=well)

    def _end(self, purchase: Purchase, *, well: bool = True) -> None:
        action, done, failed = UNDER_WAY[purchase.status]
        purchase.status = done if well else failed
        name = purchase.purchase_id if action == "settle" else purchase.invoice_id
        self.effects[f"{action}:{name}"] += well

    def money(self, payment_id: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return what is held, what was taken, and what of that was returned."""
        with self.lock:
            purchases = self._all_of(payment_id)
            parts = MONEY.get(purchases[-1].status, (0, 0, 0)) if purchases else (0, 0, 0)
            held, taken, returned = (
                (purchases[-1].amount if part else Decimal(0)) for part in parts
            )
            return held, taken, returned

    def notification(self, payment_id: str) -> tuple[bytes, dict[str, str]]:
        """Return what the company sends of the state now: a body and its headers."""
        with self.lock:
            purchase = self._all_of(payment_id)[-1]
            change = {
                "product_code": "cart",
                "change_status_time": "2025-11-18T10:38:58Z",
                "status_new": purchase.status,
                "status_old": "EXECUTED",
                "purchase_token": f"{purchase.invoice_id}.{APP_ID}",
                "invoice_id": purchase.invoice_id,
                "order_id": purchase.order_id,
                "purchase_id": purchase.purchase_id,
            }
            kind = "INVOICE_STATUS_SANDBOX" if purchase.is_test else "INVOICE_STATUS"
        return self.sealed(kind, change), {"Content-Type": "application/json"}

    def sealed(self, kind: str, change: object, app_id: object = int(APP_ID)) -> bytes:
        """Return the body of a notification, encrypted anew under a new id."""
        plain = {"notification_type": kind, "app_id": app_id, "data": json.dumps(change)}
        iv = os.urandom(12)
        key = AESGCM(base64.b64decode(self.settings["notification_key"]))
        payload = iv + key.encrypt(iv, json.dumps(plain).encode(), None)
        notification = {
            "id": str(uuid.uuid4()),
            "timestamp": "2025-11-18T10:38:58.619Z",
            "payload": base64.b64encode(payload).decode(),
        }
        return json.dumps(notification).encode()

    def _all_of(self, payment_id: str) -> list[Purchase]:
        """Return the purchases of an order, the latest last."""
        every = [*self.purchases[False], *self.purchases[True]]
        return [purchase for purchase in every if purchase.order_id == payment_id]

    def _leave(self, payment_id: str, ways: dict[str, str]) -> None:
        with self.lock:
            purchase = self._all_of(payment_id)[-1]
            purchase.status = ways.get(purchase.status, purchase.status)

    def move(self, purchase: Purchase, status: str) -> None:
        with self.lock:
            purchase.status = status

    def state(self, name: str, *, sandbox: bool = False) -> str:
        """Return the status of a purchase, by its purchase, invoice or order id."""
        with self.lock:
            (purchase,) = [
                purchase
                for purchase in self.purchases[sandbox]
                if name in {purchase.purchase_id, purchase.invoice_id, purchase.order_id}
            ]
            return purchase.status

    def expire_tokens(self) -> None:
        with self.lock:
            self.tokens = dict.fromkeys(self.tokens, 0.0)

    # The company's side.

    def operation_of(self, method: str, path: str) -> str:
        for operation, its_method, pattern in OPERATIONS:
            if method == its_method and re.fullmatch(pattern, path):
                return operation
        return "other"

    def respond(self, call: Call) -> Respond:
        if call.operation == "other":
            return 404, b"<html><body>404 Not Found</body></html>"
        if call.operation == "token":
            return self._issue(call)
        return self._refuse_token(call) or self._act(call)

    def _act(self, call: Call) -> Respond:
        pattern = next(pattern for name, _, pattern in OPERATIONS if name == call.operation)
        match = re.fullmatch(pattern, call.path)
        assert match
        parts = match.groupdict()
        purchase = self._find(call.operation, parts["id"], sandbox=bool(parts["sandbox"]))
        if call.operation in self.forbidden or parts.get("app", APP_ID) != APP_ID:
            return self._refuse("Forbidden")
        if not purchase:
            return self._envelope(404, "NOT_FOUND", "Purchase not found")
        act = {
            "look": self._show,
            "cancel": self._cancel,
            "settle": self._settle,
            "refund": self._refund,
        }
        return act[call.operation](purchase)

    def _show(self, purchase: Purchase) -> Respond:
        return self._ok(
            {
                "invoiceId": int(purchase.invoice_id),
                "invoiceDate": "2024-10-24T14:31:30+03:00",
                "refundDate": None,
                "invoiceStatus": purchase.status,
                "developerPayload": None,
                "appId": int(APP_ID),
                "ownerCode": 4384191,
                "paymentInfo": {"paymentDate": "2024-10-24T14:31:33+03:00"},
                **self._order(purchase),
            }
        )

    def _order(self, purchase: Purchase) -> dict[str, Any]:
        """Return what a look shows of the order; its amounts are in kopecks."""
        if purchase.order is not None:
            return {"order": purchase.order}
        kopecks = int(purchase.amount * 100)
        amounts = {"amountCreate": kopecks, "amountCurrent": kopecks}
        newer = {"orderId": purchase.order_id, **amounts, "currency": purchase.currency}
        older = {"order_id": purchase.order_id, "amount": kopecks, "currency": purchase.currency}
        shapes = {"current": {"order": newer}, "older": {"invoice": {"order": older}}}
        return shapes.get(self.shape, {})

    def _cancel(self, purchase: Purchase) -> Respond:
        if purchase.status != "PAID":
            return self._refuse("Purchase status must be PAID")
        purchase.status = "REVERSED"
        self.effects[f"cancel:{purchase.purchase_id}"] += 1
        return self._ok({})

    def _settle(self, purchase: Purchase) -> Respond:
        if purchase.status != "PAID":
            return self._refuse("Purchase status must be PAID")
        purchase.status = "EXECUTING"
        if not self.is_slow:
            self._end(purchase)
        return self._ok({})

    def _refund(self, purchase: Purchase) -> Respond:
        if self.refunds_later:
            self.refunds_later -= 1
            return self._refuse("Cannot refund now. Try again later")
        is_over = purchase.status == "REFUNDED"
        if is_over or (purchase.status == "REFUNDING" and not self.names_the_status):
            return self._refuse("Invoice has already been refunded")
        if purchase.status not in {"CONFIRMED", "CONSUMED"}:
            return self._refuse("Invoice status must be CONFIRMED")
        purchase.status = "REFUNDING"
        if not self.is_slow:
            self._end(purchase)
        return self._ok({})

    def _find(self, operation: str, name: str, *, sandbox: bool) -> Purchase | None:
        """Nothing goes by the order id."""
        by_purchase = operation in {"cancel", "settle"}
        for purchase in self.purchases[sandbox]:
            known = purchase.purchase_id if by_purchase else purchase.invoice_id
            if name == known:
                return purchase
        return None

    # Tokens.

    def _issue(self, call: Call) -> Respond:
        request = call.json()
        now = datetime.now(UTC) + self.clock_offset
        timestamp = datetime.fromisoformat(request["timestamp"])
        if timestamp.tzinfo is None or abs(now - timestamp) > timedelta(seconds=60):
            return self._refuse("Range timestamp not valid")
        if set(request) != {"keyId", "timestamp", "signature"} or not self._is_signed(request):
            return self._refuse("Forbidden")
        jwe = f"eyJjdHkiOiJK.{secrets.token_urlsafe(48)}.VkWuTw"
        self.tokens[jwe] = time.monotonic() + self.ttl
        ttl = int(self.ttl) if self.ttl == int(self.ttl) else self.ttl
        return self._ok({"jwe": jwe, "ttl": ttl})

    def _is_signed(self, request: dict[str, str]) -> bool:
        signature = base64.b64decode(request["signature"], validate=True)
        text = (self.key_id + request["timestamp"]).encode()
        try:
            key = public_key(self.private_key)
            key.verify(signature, text, padding.PKCS1v15(), hashes.SHA512())
        except InvalidSignature:
            return False
        return request["keyId"] == self.key_id

    def _refuse_token(self, call: Call) -> Respond | None:
        until = self.tokens.get(call.headers.get("Public-Token", ""))
        if until is None:
            return self._refuse("Forbidden")
        if time.monotonic() >= until:
            return self._envelope(self.expired_status, "ERROR", "Jwe token is expired")
        return None

    def _ok(self, body: object) -> Respond:
        return self._envelope(200, "\u041e\u041a" if self.is_cyrillic else "OK", None, body)

    def _refuse(self, message: str) -> Respond:
        return self._envelope(self.refusal_status, "ERROR", message)

    def _envelope(
        self, status: int, code: str, message: str | None, body: object = None
    ) -> Respond:
        timestamp = datetime.now(UTC).isoformat(timespec="milliseconds")
        return status, {"code": code, "message": message, "body": body, "timestamp": timestamp}


class RuStorePayment(CompanyPayment):
    @property
    def _purchases(self) -> list[Any]:
        purchases: list[Any] = self.company._all_of(self.payment_id)
        return purchases

    @property
    def exists(self) -> bool:
        return bool(self._purchases)

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._purchases[-1].status == "CREATED"

    def start(self) -> None:
        """A second purchase begins only when nothing came of the first."""
        is_over = not self.exists or self._purchases[-1].status in {"EXPIRED", "REJECTED"}
        if is_over and len(self._purchases) < 2:
            self.company.start(self.payment_id)

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self._purchases[-1].status = "EXECUTED"

    def underpay(self, amount: Decimal) -> bool:
        self._purchases[-1].amount = amount
        return True

    def finish(self, *, well: bool = True) -> None:
        if self._purchases[-1].status == "EXECUTED":
            self.pay() if well else self.decline()
            return
        self.company.finish(self.payment_id, well=well)

    def mood(self, word: str) -> None:
        """What does not go well is not possible for now."""
        self.company.is_slow = word == "later"
        self.company.refunds_later = 3 if word == "badly" else 0
