"""A stand-in for Yandex Pay. What its documents leave open is marked, and can be set by a test."""

import base64
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from tests.companies.base import Call, Company, Respond
from tests.companies.payment import CompanyPayment

# What an order is, by the state a test asks for: its paymentStatus, and (operationType, status)
# of each operation.
STATES: dict[str, tuple[str | None, list[tuple[str, str]]]] = {
    "unpaid": (None, []),
    "paying": ("PENDING", [("AUTHORIZE", "PENDING")]),
    "held": ("AUTHORIZED", [("AUTHORIZE", "SUCCESS")]),
    "voiding": ("AUTHORIZED", [("AUTHORIZE", "SUCCESS"), ("VOID", "PENDING")]),
    "capturing": ("AUTHORIZED", [("AUTHORIZE", "SUCCESS"), ("CAPTURE", "PENDING")]),
    "captured": ("CAPTURED", [("AUTHORIZE", "SUCCESS"), ("CAPTURE", "SUCCESS")]),
    "refunding": ("CAPTURED", [("AUTHORIZE", "SUCCESS"), ("REFUND", "PENDING")]),
    "confirmed": ("CONFIRMED", []),
    "cancelled": ("VOIDED", [("AUTHORIZE", "SUCCESS"), ("VOID", "SUCCESS")]),
    "refunded": ("REFUNDED", [("AUTHORIZE", "SUCCESS"), ("REFUND", "SUCCESS")]),
    "partly_refunded": ("PARTIALLY_REFUNDED", [("AUTHORIZE", "SUCCESS"), ("REFUND", "SUCCESS")]),
    "declined": ("FAILED", [("AUTHORIZE", "FAIL")]),
    "expired": ("FAILED", []),
}
ORDER = r"/api/merchant/v1/orders/(?P<id>[^/]+)"
ROUTES = [
    ("POST", r"/api/merchant/v1/orders", "create"),
    ("GET", r"/api/jwks", "keys"),
    ("POST", ORDER + "/capture", "capture"),
    ("GET", ORDER, "look"),
    ("POST", ORDER + "/cancel", "cancel"),
    ("POST", ORDER + "/rollback", "rollback"),
    ("POST", ORDER.replace("v1", "v2") + "/refund", "refund"),
    ("GET", r"/api/merchant/v1/operations/(?P<id>[^/]+)", "operation"),
]
# What a call makes, and the states it is allowed in.
TYPES = {
    "cancel": ("VOID", {"AUTHORIZED"}),
    "capture": ("CAPTURE", {"AUTHORIZED"}),
    "refund": ("REFUND", {"CAPTURED", "PARTIALLY_REFUNDED"}),
}
VERBS = {"VOID": "cancel", "CAPTURE": "capture", "REFUND": "refund"}
ENDS = {"success": "SUCCESS", "failure": "FAIL", "pending": "PENDING"}
# No buyer pays after these.
OVER = {"FAILED", "VOIDED", "REFUNDED"}


class Refused(Exception):
    """A request is not as documented; the text is the reasonCode."""


def amount_of(text: object) -> Decimal:
    """Read an amount as Yandex takes it: a text with two decimals at most."""
    if not isinstance(text, str) or not re.fullmatch(r"\d+(\.\d{1,2})?", text):
        raise Refused("ORDER_CART_DATA_ERROR")
    return Decimal(text)


def prices_of(cart: dict[str, Any]) -> dict[str, Decimal]:
    """Check a cart with its total, and return what each product costs."""
    prices: dict[str, Decimal] = {}
    for item in cart["items"]:
        if item["productId"] in prices or not item["title"] or len(item["title"]) > 2048:
            raise Refused("ORDER_CART_DATA_ERROR")
        prices[item["productId"]] = amount_of(item["total"])
        if amount_of(item["quantity"]["count"]) <= 0 or not prices[item["productId"]]:
            raise Refused("ORDER_CART_DATA_ERROR")
    if sum(prices.values()) != amount_of(cart["total"]["amount"]):
        raise Refused("ORDER_AMOUNT_MISMATCH")
    return prices


def packed(content: bytes | dict[str, Any]) -> str:
    """Encode as base64url without padding."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def public(key: ec.EllipticCurvePrivateKey, kid: str) -> dict[str, str]:
    """Return the public part, as a list of keys has it."""
    numbers = key.public_key().public_numbers()
    size = (numbers.curve.key_size + 7) // 8
    point = {axis: packed(getattr(numbers, axis).to_bytes(size)) for axis in "xy"}
    curve = {"secp256r1": "P-256", "secp384r1": "P-384"}[numbers.curve.name]
    return {"kty": "EC", "crv": curve, "alg": "ES256", "use": "sig", "kid": kid, **point}


def signed(
    header: bytes | dict[str, Any],
    payload: bytes | dict[str, Any],
    key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Return a JWT: r and s of the signature have the length of the key's curve."""
    text = f"{packed(header)}.{packed(payload)}"
    size = (key.curve.key_size + 7) // 8
    pair = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{packed(b''.join(one.to_bytes(size) for one in pair))}".encode()


def success(content: dict[str, Any]) -> Respond:
    return 200, {"status": "success", "code": 200, "data": content}


def fail(status: int, code: str) -> Respond:
    return status, {"status": "fail", "reasonCode": code, "reason": "free text"}


@dataclass
class YandexPayCompany(Company):
    """Orders and operations.

    `effects` counts `create:`, `cancel:`, `capture:`, `rollback:` and `refund:<order>`.
    """

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    replayed: dict[str, tuple[str, Respond]] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "merchant_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "api_key": "test-api-key-51c0d7",
        }
    )
    # What is held, what was taken and what of that was returned, by order.
    sums: dict[str, list[Decimal]] = field(default_factory=dict)
    # The keys notifications are signed with, by `kid`; the last one signs.
    keys: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)
    event_times: dict[tuple[str, ...], str] = field(default_factory=dict)
    # Whether the merchant has no holds: what is paid is taken.
    one_stage: bool = False
    # Whether every operation is pending until `finish`.
    is_slow: bool = False
    # Whether `orderAmount` and the cart become smaller with a capture or a refund in part.
    amount_shrinks: bool = True
    capture_ends_in: str = "success"
    # How the next operations end; "pending" ones are ended by `finish`.
    void_ends_in: str = "success"
    refund_ends_in: str = "success"
    # How a rollback's VOID of a hold ends, and what a capture in part releases shows as; "" for
    # no operation.
    rollback_ends_in: str = ""
    rest_shows: str = ""
    # Whether an order shows where it is paid, and is created again only under its X-Request-Id.
    shows_page: bool = True
    is_created_once: bool = False
    # Whether an operation is printed with the type AUTHORIZE, as the documents' samples do.
    prints_authorize: bool = False
    # The paymentStatus that GET of an order still shows, without the operations made since.
    still_shows: str | None = None
    # The HTTP status of DUPLICATE_EXTERNAL_OPERATION_ID, which the documents leave open.
    duplicate_status: int = 409

    @property
    def url(self) -> str:
        return f"{self.origin}/api/merchant"

    @property
    def sandbox_url(self) -> str:
        """Its sandbox: another host, and the merchant id is the key."""
        return f"{self.origin}/sandbox/api/merchant"

    # What a test does.

    def create(self, order_id: str, amount: str = "10.00", state: str = "held") -> str:
        """Make an order as if it had reached `state`."""
        status, operations = STATES[state]
        half = f"{Decimal(amount) / 2:.2f}"
        with self.lock:
            self._make(order_id, amount, {"items": [], "total": {"amount": amount}})
            for kind, end in operations:
                is_part = state == "partly_refunded" and kind == "REFUND"
                self._add(order_id, kind, end, None, half if is_part else amount)
            self.orders[order_id]["paymentStatus"] = status
            taken = Decimal(amount) if status in {*TYPES["refund"][1], "REFUNDED"} else Decimal(0)
            held = Decimal(amount) if status == "AUTHORIZED" else Decimal(0)
            parts = {"PARTIALLY_REFUNDED": Decimal(half), "REFUNDED": Decimal(amount)}
            self.sums[order_id] = [held, taken, parts.get(status or "", Decimal(0))]
        return order_id

    def put(self, payment_id: str, state: str) -> dict[str, str]:
        self.create(payment_id, state=state)
        return {}

    def cancellation_id(self, payment_id: str) -> str | None:
        """A rollback makes no operation."""
        made = [one for one in self.operations[payment_id] if one["externalOperationId"]]
        return made[-1]["operationId"] if made else None

    def state(self, order_id: str) -> str:
        """Return the state, as one of STATES."""
        with self.lock:
            status = self.orders[order_id]["paymentStatus"]
            running = {one["operationType"] for one in self._running(order_id)}
        if running & {"VOID", "CAPTURE", "REFUND"}:
            return {"VOID": "voiding", "CAPTURE": "capturing", "REFUND": "refunding"}[running.pop()]
        return next(name for name, made in STATES.items() if made[0] == status)

    def pay(self, order_id: str, status: str | None = None) -> None:
        """The buyer pays (or starts to, or fails): the order takes this paymentStatus.

        Nobody can pay for what is over.
        """
        status = status or ("CAPTURED" if self.one_stage else "AUTHORIZED")
        with self.lock:
            order = self.orders[order_id]
            if order["paymentStatus"] in OVER:
                return
            order["paymentStatus"] = status
            for running in self._running(order_id):
                running["status"] = "SUCCESS"
            if not self.operations[order_id]:
                self._add(order_id, "AUTHORIZE", "SUCCESS", None)
            amount, nothing = Decimal(order["orderAmount"]), Decimal(0)
            held = {"AUTHORIZED": amount}.get(status, nothing)
            self.sums[order_id] = [held, {"CAPTURED": amount}.get(status, nothing), nothing]

    def decline(self, order_id: str) -> None:
        """The bank refuses the buyer's payment."""
        with self.lock:
            self._add(order_id, "AUTHORIZE", "FAIL", None)
            self.orders[order_id]["paymentStatus"] = "FAILED"

    def expire(self, order_id: str) -> None:
        """Nobody paid in time; or nobody took the hold in time, and it ends."""
        with self.lock:
            is_held = self.orders[order_id]["paymentStatus"] == "AUTHORIZED"
            self.orders[order_id]["paymentStatus"] = "VOIDED" if is_held else "FAILED"
            self.sums[order_id][0] = Decimal(0)

    def finish(self, order_id: str, *, well: bool = True) -> None:
        """End the operation that is pending, if there is one."""
        with self.lock:
            for running in self._running(order_id)[-1:]:
                if running["operationType"] == "AUTHORIZE":
                    self.pay(order_id)
                    return
                running["status"] = "SUCCESS" if well else "FAIL"
                if well and self.orders[order_id]["paymentStatus"] == "FAILED":
                    self.sums[order_id] = [Decimal(0)] * 3
                elif well:
                    self._effect(running)

    def return_by_hand(self, order_id: str, amount: int) -> None:
        """A person refunds a part in the console: the operation has no reference."""
        with self.lock:
            made = self._add(order_id, "REFUND", "SUCCESS", None, f"{amount:.2f}")
            made["_prices"] = self._prices(order_id)
            self._effect(made)

    def money(self, order_id: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return what is held now, what was taken, and what of that was returned."""
        with self.lock:
            held, taken, returned = self.sums.get(order_id, [Decimal(0)] * 3)
        return held, taken, returned

    def rotate_key(self, *, keep: bool = True) -> str:
        """Sign with a new key from now on, and publish the old ones too or no more."""
        with self.lock:
            if not keep:
                self.keys.clear()
            kid = f"{uuid.uuid4()}-merchant-api"
            self.keys[kid] = ec.generate_private_key(ec.SECP256R1())
        return kid

    def notification(
        self, order_id: str, event: str = "ORDER_STATUS_UPDATED"
    ) -> tuple[bytes, dict[str, str]]:
        """Return body and headers of a notification about the state now, newly signed."""
        return self.signed(self.event(order_id, event)), self.notification_headers

    notification_headers = {  # noqa: RUF012 - of every notification
        "Content-Type": "application/octet-stream",
        "User-Agent": "YandexPay/1.0",
    }

    def event(self, order_id: str, event: str = "ORDER_STATUS_UPDATED") -> dict[str, Any]:
        """Return what a notification says. That of one state has one time."""
        with self.lock:
            about: dict[str, Any] = {
                "orderId": order_id,
                "paymentStatus": self.orders[order_id]["paymentStatus"],
            }
            if event == "OPERATION_STATUS_UPDATED":
                last = self.operations[order_id][-1]
                names = ("operationId", "externalOperationId", "operationType", "status")
                about = {"orderId": order_id, **{name: last[name] for name in names}}
            now = datetime.now(UTC).isoformat()
            at = self.event_times.setdefault((event, *map(str, about.values())), now)
        name = "order" if event == "ORDER_STATUS_UPDATED" else "operation"
        merchant_id = self.settings["merchant_id"]
        return {"merchantId": merchant_id, "event": event, "eventTime": at, name: about}

    def signed(self, payload: bytes | dict[str, Any], **header: Any) -> bytes:
        """Sign a payload as Yandex Pay does; `header` replaces what its header has."""
        kid = next(reversed(self.keys), None) or self.rotate_key()
        now = int(time.time())
        usual = {"alg": "ES256", "exp": now + 300, "iat": now, "kid": kid, "typ": "JWT"}
        return signed({**usual, **header}, payload, self.keys[kid])

    # What Yandex Pay does.

    def operation_of(self, method: str, path: str) -> str:
        for verb, pattern, operation in ROUTES:
            if verb == method and re.fullmatch(pattern, path.removeprefix("/sandbox")):
                return operation
        return "unknown"

    def respond(self, call: Call) -> Respond:
        if call.operation == "keys":
            return 200, {"keys": [public(key, kid) for kid, key in self.keys.items()]}
        is_sandbox = call.path.startswith("/sandbox")
        key = self.settings["merchant_id" if is_sandbox else "api_key"]
        if call.headers["Authorization"] != f"Api-Key {key}":
            return fail(401, "AUTHENTICATION_ERROR")
        if call.operation == "unknown":
            return fail(404, "UNKNOWN_METHOD")
        if call.method == "GET":
            return self._answer(call)
        return self._once(call)

    def _once(self, call: Call) -> Respond:
        """Answer a repeat as the first time. One id for two methods is taken for a repeat too."""
        request_id = call.headers["X-Request-Id"]
        if request_id in self.replayed:
            operation, answer = self.replayed[request_id]
            return answer if operation == call.operation else success({})
        answer = self._answer(call)
        if answer[0] == 200:
            self.replayed[request_id] = (call.operation, answer)
        return answer

    def _answer(self, call: Call) -> Respond:
        path = call.path.removeprefix("/sandbox")
        found = next(
            match
            for _, pattern, operation in ROUTES
            if operation == call.operation and (match := re.fullmatch(pattern, path))
        )
        try:
            if call.operation == "create":
                return self._create(call.json())
            return self._answer_about(unquote(found["id"]), call)
        except (Refused, KeyError, TypeError) as refusal:
            code = str(refusal) if isinstance(refusal, Refused) else "VALIDATION_ERROR"
            return fail(400, code)

    def _answer_about(self, told: str, call: Call) -> Respond:
        if call.operation == "operation":
            return self._operation(told)
        if told not in self.orders:
            # The code of an unknown order is not documented; this one is made up.
            return fail(404, "ORDER_NOT_FOUND")
        if call.operation == "look":
            return self._order(told)
        if call.operation == "rollback":
            return self._rollback(told)
        return self._operate(call.operation, told, call.json())

    def _order(self, order_id: str) -> Respond:
        shown = [] if self.still_shows else self.operations[order_id]
        hidden = {"asked", "prices"} | (set() if self.shows_page else {"paymentUrl"})
        order = {key: one for key, one in self.orders[order_id].items() if key not in hidden}
        if self.still_shows:
            order["paymentStatus"] = self.still_shows
        return success({"order": order, "operations": [self._print(one) for one in shown]})

    def _operation(self, reference: str) -> Respond:
        for operation in self._all():
            if operation.get("externalOperationId") == reference:
                return success({"operation": self._print(operation)})
        return fail(404, "OPERATION_NOT_FOUND")

    def _create(self, body: dict[str, Any]) -> Respond:
        """Make an order; the same one again is the same order."""
        order_id, cart = body["orderId"], body["cart"]
        total = sum(prices_of(cart).values(), Decimal(0))
        urls = [body["redirectUrls"][name] for name in ("onSuccess", "onError")]
        is_good = body["currencyCode"] == "RUB" and 180 <= body.get("ttl", 1800) <= 604800
        if total < 1 or not is_good or not all(url.startswith("http") for url in urls):
            raise Refused("VALIDATION_ERROR")
        made = self.orders.get(order_id)
        if made and (made.get("asked") != body or self.is_created_once):
            # The code of an order id used before is not documented; this one is made up.
            return fail(409, "ORDER_EXISTS")
        if not made:
            self._make(order_id, f"{total:.2f}", cart)
            self.orders[order_id] |= {"paymentUrl": f"{self.origin}/pay/{order_id}", "asked": body}
            self.effects[f"create:{order_id}"] += 1
        return success({"paymentUrl": self.orders[order_id]["paymentUrl"]})

    def _make(self, order_id: str, amount: str, cart: dict[str, Any]) -> None:
        self.orders[order_id] = {
            "orderId": order_id,
            "paymentStatus": None,
            "orderAmount": amount,
            "currencyCode": "RUB",
            "cart": cart,
        }
        self.operations[order_id] = []
        self.sums[order_id] = [Decimal(0)] * 3

    def _rollback(self, order_id: str) -> Respond:
        """Any state is allowed; what is paid is returned. A repeat changes nothing."""
        order = self.orders[order_id]
        if order["paymentStatus"] not in OVER:
            order["paymentStatus"] = "FAILED"
            self.effects[f"rollback:{order_id}"] += 1
            held, taken, _ = self.sums[order_id]
            if held and self.rollback_ends_in:
                self._add(order_id, "VOID", ENDS[self.rollback_ends_in], None)
            if not held or self.rollback_ends_in in {"", "success"}:
                self.sums[order_id] = [Decimal(0), taken, taken]
        return success({})

    def _operate(self, verb: str, order_id: str, body: dict[str, Any]) -> Respond:
        kind, allowed = TYPES[verb]
        reference = body.get("externalOperationId")
        made = [one for one in self._all() if reference and one["externalOperationId"] == reference]
        if made and made[0]["status"] == "PENDING":
            return success({"operation": self._print(made[0])})
        if made:
            return fail(self.duplicate_status, "DUPLICATE_EXTERNAL_OPERATION_ID")
        if self._running(order_id):
            return fail(409, "ANOTHER_OPERATION_IN_PROGRESS")
        if self.orders[order_id]["paymentStatus"] not in allowed:
            # The code of a wrong state is not documented; this one is made up.
            return fail(400, "WRONG_STATE")
        amount, prices = getattr(self, f"_check_{verb}")(order_id, body)
        ends = {"cancel": self.void_ends_in, "capture": self.capture_ends_in}
        end = "pending" if self.is_slow else ends.get(verb, self.refund_ends_in)
        operation = self._add(order_id, kind, ENDS[end], reference, amount)
        operation["_prices"] = prices
        if operation["status"] == "SUCCESS":
            self._effect(operation)
        return success({"operation": self._print(operation)})

    # Each returns the amount, and what the products cost afterwards.

    def _check_cancel(self, order_id: str, body: dict[str, Any]) -> tuple[str, dict[str, Decimal]]:
        if not body["reason"]:
            raise Refused("VALIDATION_ERROR")
        return self.orders[order_id]["orderAmount"], {}

    def _check_capture(self, order_id: str, body: dict[str, Any]) -> tuple[str, dict[str, Decimal]]:
        """A smaller amount needs the final cart, which costs as much."""
        held, _, _ = self.sums[order_id]
        amount = amount_of(body.get("orderAmount", f"{held:.2f}"))
        if "cart" not in body and amount == held:
            return f"{amount:.2f}", self._prices(order_id)
        prices = prices_of(body["cart"])
        self._check_cart(order_id, prices, amount)
        return f"{amount:.2f}", prices

    def _check_refund(self, order_id: str, body: dict[str, Any]) -> tuple[str, dict[str, Decimal]]:
        """Without a cart all that is left is returned, else what is left costs as its cart."""
        _, taken, returned = self.sums[order_id]
        amount = amount_of(body["refundAmount"])
        rest = taken - returned - amount
        if amount < 1 or 0 < rest < 1 or (rest and "targetCart" not in body):
            raise Refused("ORDER_AMOUNT_MISMATCH")
        current, prices = self._prices(order_id), {}
        for item in body.get("targetCart", {"items": []})["items"]:
            product = item["productId"]
            price = amount_of(item["price"]) if "price" in item else current[product]
            prices[product] = price * amount_of(item.get("quantityCount", "1"))
        self._check_cart(order_id, prices, rest)
        return f"{amount:.2f}", prices

    def _check_cart(self, order_id: str, prices: dict[str, Decimal], amount: Decimal) -> None:
        current = self._prices(order_id)
        if any(price > current[product] for product, price in prices.items()):
            raise Refused("ORDER_CART_DATA_ERROR")
        if sum(prices.values()) != amount:
            raise Refused("ORDER_AMOUNT_MISMATCH")

    def _prices(self, order_id: str) -> dict[str, Decimal]:
        """What the products cost now."""
        first = prices_of(self.orders[order_id]["cart"]) if self._has_items(order_id) else {}
        return self.orders[order_id].get("prices", first)

    def _has_items(self, order_id: str) -> bool:
        return bool(self.orders[order_id]["cart"]["items"])

    def _effect(self, operation: dict[str, Any]) -> None:
        order_id, kind = operation["orderId"], operation["operationType"]
        amount, order, sums = (
            Decimal(operation["amount"]),
            self.orders[order_id],
            self.sums[order_id],
        )
        if kind == "REFUND":
            sums[2] += amount
        else:
            if kind == "CAPTURE" and self.rest_shows and amount < sums[0]:
                rest = f"{sums[0] - amount:.2f}"
                self._add(order_id, "REFUND", ENDS[self.rest_shows], None, rest)["_rest"] = True
            sums[:] = [Decimal(0), amount if kind == "CAPTURE" else Decimal(0), Decimal(0)]
        left = sums[1] - sums[2]
        refunded = "PARTIALLY_REFUNDED" if left else "REFUNDED"
        status = {"VOID": "VOIDED", "CAPTURE": "CAPTURED", "REFUND": refunded}[kind]
        order |= {"paymentStatus": status, "prices": operation.get("_prices", {})}
        if self.amount_shrinks and left:
            order |= {"orderAmount": f"{left:.2f}"}
        self.effects[f"{VERBS[kind]}:{order_id}"] += 1

    def _print(self, operation: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in operation.items() if name[0] != "_"}
        return shown | ({"operationType": "AUTHORIZE"} if self.prints_authorize else {})

    def _all(self) -> list[dict[str, Any]]:
        return [one for operations in self.operations.values() for one in operations]

    def _running(self, order_id: str) -> list[dict[str, Any]]:
        """What is under way; releasing the rest of a hold stands in nothing's way."""
        made = self.operations[order_id]
        return [one for one in made if one["status"] == "PENDING" and "_rest" not in one]

    def _add(
        self,
        order_id: str,
        kind: str,
        status: str,
        reference: str | None,
        amount: str | None = None,
    ) -> dict[str, Any]:
        made = {
            "operationId": str(uuid.uuid4()),
            "externalOperationId": reference,
            "orderId": order_id,
            "operationType": kind,
            "status": status,
            "amount": amount or self.orders[order_id]["orderAmount"],
            "created": "2022-12-29T18:02:01Z",
            "params": {},
        }
        self.operations[order_id].append(made)
        return made


class YandexPayPayment(CompanyPayment):
    @property
    def _status(self) -> str | None:
        status: str | None = self.company.orders[self.payment_id]["paymentStatus"]
        return status

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._status is None

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self.company.pay(self.payment_id, "PENDING")

    def pay(self) -> None:
        if self._status in {None, "PENDING"}:
            self.company.pay(self.payment_id)

    def decline(self) -> None:
        if self._status in {None, "PENDING"}:
            self.company.decline(self.payment_id)

    def expire(self) -> None:
        if self._status in {None, "AUTHORIZED"} and not self.company._running(self.payment_id):
            self.company.expire(self.payment_id)

    def finish(self, *, well: bool = True) -> None:
        if self._status == "PENDING":
            self.pay() if well else self.decline()
            return
        self.company.finish(self.payment_id, well=well)
