"""A stand-in for Tranzzo. What its documents leave open is marked, and can be set by a test."""

import base64
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from tests.companies.base import Call, Company, Respond
from tests.companies.payment import CompanyPayment

# What an order is made of, by the state a test asks for: (method, status, status_code) each.
STATES: dict[str, list[tuple[str, str, str]]] = {
    "unpaid": [("auth", "init", "")],
    "paying": [("auth", "pending", "")],
    "held": [("auth", "success", "1002")],
    "voiding": [("auth", "success", "1002"), ("void", "pending", "")],
    "capturing": [("auth", "success", "1002"), ("capture", "pending", "")],
    "captured": [("auth", "success", "1002"), ("capture", "success", "1000")],
    "paid": [("purchase", "success", "1000")],
    "refunding": [("purchase", "success", "1000"), ("refund", "pending", "")],
    "refunded": [("purchase", "success", "1000"), ("refund", "success", "1000")],
    "partly_refunded": [("purchase", "success", "1000"), ("refund", "success", "1000")],
    "voided": [("auth", "success", "1002"), ("void", "success", "1000")],
    "cancelled": [("auth", "failure", "6007")],
    "declined": [("auth", "failure", "2010")],
    "expired": [("auth", "failure", "2099")],
}
ROUTES = [
    ("POST", r"/api/v1/payment", "create"),
    ("GET", r"/api/v1/pos/(?P<pos>[^/]+)/orders/(?P<order>[^/]+)", "look"),
    ("POST", r"/api/v1/pos/(?P<pos>[^/]+)/order/(?P<order>[^/]+)/cancel", "cancel"),
    ("POST", r"/api/v1/void", "void"),
    ("POST", r"/api/v1/capture", "capture"),
    ("POST", r"/api/v1/refund", "refund"),
]


ZERO = Decimal()


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"message": message, "args": {"code": code}}


def wrong_field(name: str) -> dict[str, Any]:
    """No page shows this shape; a client of Tranzzo has it in its tests."""
    violation = {"field_name": name, "violation": f"Invalid value for {name}"}
    return {"message": f"Invalid {name} provided", "args": [violation]}


def is_amount(value: Any) -> bool:
    """A number, not a text, with at most two decimals. Any JSON number is a Decimal here."""
    return isinstance(value, Decimal) and value > 0 and value == round(value, 2)


# The fields of a new order, and what makes each right. The others are texts, and may be left out.
REQUIRED: dict[str, Callable[[Any], Any]] = {
    "mode": lambda value: value == "hosted",
    "method": lambda value: value in {"auth", "purchase"},
    "amount": is_amount,
    "currency": lambda value: re.fullmatch("[A-Z]{3}", value),
    "description": lambda value: 0 < len(value) <= 2048,
    "order_id": lambda value: 0 < len(value) <= 32,
    "order_3ds_bypass": lambda value: value in {"supported", "always", "never"},
}
OPTIONAL = {"server_url", "result_url", "payload"}
OPTIONAL |= {f"customer_{name}" for name in ("email", "phone", "fname", "lname")}


@dataclass
class TranzzoCompany(Company):
    """Orders are lists of operations, found by VTEX's paymentId with or without its dashes.

    `effects` counts `create:`, `cancel:`, `void:`, `capture:` and `refund:<order>`.
    """

    orders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "pos_id": "dc728de1-51ef-4ef1-80f7-3b44b07b5667",
            "api_key": "test-api-key-4f1c",
            "api_secret": "test-api-secret-9d2e",
            "endpoints_key": "test-endpoints-key-77ab",
        }
    )
    # How the next operations end; "pending" ones are ended by `finish`.
    cancel_ends_in: str = "failure"
    void_ends_in: str = "success"
    capture_ends_in: str = "success"
    refund_ends_in: str = "success"
    # Whether the operations of a paid order stay pending until `finish`.
    is_slow: bool = False
    # Whether an unpaid order shows its page, which the documents leave open.
    shows_page: bool = True
    # The HTTP status of S-404, which the documents leave open.
    credentials_status: int = 401

    @property
    def url(self) -> str:
        return f"{self.origin}/api/v1"

    # What a test does.

    def create(
        self,
        order_id: str,
        amount: str = "10.00",
        state: str = "held",
        *,
        is_one_step: bool = False,
    ) -> str:
        """Make an order as if it had reached `state`; return its id there, without dashes."""
        order_id = without_dashes(order_id)
        with self.lock:
            self.orders[order_id] = []
            for method, status, code in STATES[state]:
                part = "2.50" if (state, method) == ("partly_refunded", "refund") else amount
                self._add(order_id, method, status, code, Decimal(part))
            if is_one_step:
                self.orders[order_id][0]["method"] = "purchase"
        return order_id

    def return_by_hand(self, order_id: str, amount: int) -> None:
        """A person refunds a part in the console."""
        with self.lock:
            self._add(without_dashes(order_id), "refund", "success", "1000", Decimal(amount))

    def put(self, payment_id: str, state: str) -> dict[str, str]:
        self.create(payment_id, state=state)
        return {}

    def names(self, payment_id: str) -> set[str]:
        return {without_dashes(payment_id)}

    def cancellation_id(self, payment_id: str) -> str | None:
        last = self.orders[without_dashes(payment_id)][-1]
        return last.get("operation_id") or last["payment_id"]

    def state(self, order_id: str) -> str:
        """Return the state, as one of STATES."""
        with self.lock:
            operations = self.orders[without_dashes(order_id)]
            _, taken, returned = self._money(operations)
            if returned:
                return "refunded" if returned >= taken else "partly_refunded"
            live = [operations[0]] + [one for one in operations[1:] if one["status"] != "failure"]
            made = [(one["method"], one["status"], one["status_code"] or "") for one in live]
        return next(name for name, parts in STATES.items() if mark(parts) == mark(made))

    def pay(self, payment_id: str, status: str = "success") -> None:
        """The buyer pays (or starts to), if the page is still open: an auth is held."""
        self._leave_page(payment_id, status, "")

    def decline(self, payment_id: str) -> None:
        """The buyer's bank refuses."""
        self._leave_page(payment_id, "failure", "2010")

    def expire(self, payment_id: str) -> None:
        """The page is closed with nothing paid. The code is made up."""
        self._leave_page(payment_id, "failure", "2099")

    def _leave_page(self, payment_id: str, status: str, code: str) -> None:
        with self.lock:
            primary = self.orders[without_dashes(payment_id)][0]
            if primary["status"] in {"init", "pending"}:
                paid = {"auth": "1002", "purchase": "1000"}[primary["method"]]
                code = paid if status == "success" else code
                primary.update(status=status, status_code=code or None, user_action_url=None)

    def finish(self, payment_id: str, *, well: bool = True) -> None:
        """End the operation that is pending, if there is one."""
        order_id = without_dashes(payment_id)
        with self.lock:
            for running in [one for one in self.orders[order_id] if one["status"] == "pending"]:
                running["status"] = "success" if well else "failure"
                if well:
                    self.effects[f"{running['method']}:{order_id}"] += 1

    def money(self, payment_id: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return what is held, what was taken, and what of that was returned."""
        with self.lock:
            return self._money(self.orders.get(without_dashes(payment_id), []))

    def notification(self, payment_id: str) -> tuple[bytes, dict[str, str]]:
        """Return what Tranzzo sends of the last operation: a form and its headers."""
        with self.lock:
            last = json.dumps(self.orders[without_dashes(payment_id)][-1])
        return self.signed(last.encode()), {"Content-Type": "application/x-www-form-urlencoded"}

    def signed(self, content: bytes) -> bytes:
        """Return a form of any content, rightly signed."""
        data = base64.urlsafe_b64encode(content).decode()
        secret = self.settings["api_secret"]
        digest = hashlib.sha1(f"{secret}{data}{secret}".encode(), usedforsecurity=False).digest()
        signature = base64.urlsafe_b64encode(digest).decode()
        return urlencode({"data": data, "signature": signature}).encode()

    # What Tranzzo does.

    def operation_of(self, method: str, path: str) -> str:
        for verb, pattern, operation in ROUTES:
            if verb == method and re.fullmatch(pattern, path):
                return operation
        return "unknown"

    def respond(self, call: Call) -> Respond:
        if call.operation == "unknown":
            return 404, refusal("E-404", "Endpoint not found")
        asked = self._asked(call)
        if not self._knows(call, asked.get("pos_id")):
            wrong = refusal("S-404", "Invalid pos_id field or credentials")
            return self.credentials_status, wrong
        if call.operation == "create":
            return self._open(asked)
        operations = self.orders.get(str(asked["order_id"]))
        if operations is None:
            # The code of an unknown order is not documented; this one is made up.
            return 404, refusal("P-404", "Payment not found")
        if call.operation == "look":
            return 200, operations
        return self._write(call.operation, asked, operations)

    def _asked(self, call: Call) -> dict[str, Any]:
        """Read what is asked, every number exact."""
        for _, pattern, operation in ROUTES:
            found = re.fullmatch(pattern, call.path)
            if found and operation == call.operation and found.groupdict():
                return {"pos_id": found["pos"], "order_id": found["order"]}
        asked: dict[str, Any] = json.loads(call.body, parse_float=Decimal, parse_int=Decimal)
        return asked

    def _open(self, asked: dict[str, Any]) -> Respond:
        """Make an order, and a page to pay it on."""
        for name in asked.keys() - {"pos_id", "amount"}:
            if not isinstance(asked[name], str) or name not in {*REQUIRED, *OPTIONAL}:
                return 400, wrong_field(name)
        for name, is_right in REQUIRED.items():
            if name not in asked or not is_right(asked[name]):
                return 400, wrong_field(name)
        order_id = asked["order_id"]
        if order_id in self.orders:
            return 400, refusal("P-409", "Order id is already used")
        self.orders[order_id] = []
        made = self._add(order_id, asked["method"], "init", "", asked["amount"])
        made["currency"] = asked["currency"]
        self.effects[f"create:{order_id}"] += 1
        return 200, {**made, "redirect_url": f"{self.origin}/page/{made['payment_id']}"}

    def _knows(self, call: Call, pos_id: Any) -> bool:
        keys = self.settings
        return (
            pos_id == keys["pos_id"]
            and call.headers["X-API-AUTH"] == f"CPAY {keys['api_key']}:{keys['api_secret']}"
            and call.headers["X-API-KEY"] == keys["endpoints_key"]
        )

    def _write(
        self, operation: str, asked: dict[str, Any], operations: list[dict[str, Any]]
    ) -> Respond:
        """Do it where the documents allow it. The code of a wrong state is made up."""
        primary = operations[0]
        if operation != "cancel" and asked.get("order_currency") != primary["currency"]:
            return 400, refusal("P-400", "Invalid order_currency")
        if not self._is_allowed(operation, primary, operations):
            return 400, refusal("P-400", "Invalid payment status")
        if operation == "cancel":
            return self._cancel(primary)
        amount = self._amount(operation, asked, operations)
        if amount is None:
            return 400, refusal("P-400", "Invalid amount")
        return 200, self._end(operation, asked["order_id"], amount)

    def _is_allowed(
        self, operation: str, primary: dict[str, Any], operations: list[dict[str, Any]]
    ) -> bool:
        live = {one["method"] for one in operations[1:] if one["status"] != "failure"}
        kind = (primary["method"], primary["status"])
        if operation == "cancel":
            return kind[1] == "init" and primary["mode"] == "hosted"
        if operation in {"void", "capture"}:
            return kind == ("auth", "success") and not live
        return self._money(operations)[1] > 0

    def _amount(
        self, operation: str, asked: dict[str, Any], operations: list[dict[str, Any]]
    ) -> Decimal | None:
        """Return what a write is of, None where that is wrong. What is left may be refunded."""
        held, taken, _ = self._money(operations)
        if operation == "refund":
            refunds = [one for one in operations if one["method"] == "refund"]
            begun = sum((exact(one) for one in refunds if one["status"] != "failure"), ZERO)
            part, whole, left = asked.get("refund_amount"), taken, taken - begun
        else:
            part, whole, left = asked.get("charge_amount"), held, held
        amount = whole if part is None else part
        return amount if is_amount(amount) and amount <= left else None

    def _cancel(self, primary: dict[str, Any]) -> Respond:
        primary["status"] = self.cancel_ends_in
        if self.cancel_ends_in == "failure":
            primary.update(status_code="6007", status_description="Payment has cancelled")
            self.effects[f"cancel:{primary['order_id']}"] += 1
        return 200, [primary]

    def _end(self, method: str, order_id: str, amount: Decimal) -> dict[str, Any]:
        status = "pending" if self.is_slow else getattr(self, f"{method}_ends_in")
        if status == "success":
            self.effects[f"{method}:{order_id}"] += 1
        return self._add(order_id, method, status, "1000" if status == "success" else "", amount)

    def _money(self, operations: list[dict[str, Any]]) -> tuple[Decimal, Decimal, Decimal]:
        """Return what is held, taken and returned. A part that was captured releases the rest."""
        done = [one for one in operations if one["status"] == "success"]
        sums = dict.fromkeys(("auth", "purchase", "capture", "void", "refund"), ZERO)
        for one in done:
            sums[one["method"]] += exact(one)
        is_over = sums["capture"] or sums["void"]
        held = ZERO if is_over else sums["auth"]
        return held, sums["capture"] + sums["purchase"], sums["refund"]

    def _add(
        self, order_id: str, method: str, status: str, code: str, amount: Decimal
    ) -> dict[str, Any]:
        operations = self.orders[order_id]
        made = {
            "payment_id": operations[0]["payment_id"] if operations else str(uuid.uuid4()),
            "order_id": order_id,
            "pos_id": self.settings["pos_id"],
            "mode": "direct" if operations else "hosted",
            "method": method,
            "amount": json.loads(str(amount)),
            "currency": operations[0]["currency"] if operations else "UAH",
            "status": status,
            "status_code": code or None,
            "status_description": None,
            "created_at": "2018-10-10T10:10:22.100",
        }
        if status == "init" and self.shows_page:
            made["user_action_url"] = f"{self.origin}/page/{made['payment_id']}"
        if operations:
            made |= {"operation_id": str(uuid.uuid4()), "transaction_id": str(uuid.uuid4())}
        operations.append(made)
        return made


def exact(operation: dict[str, Any]) -> Decimal:
    return Decimal(str(operation["amount"]))


def mark(parts: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Leave out what does not tell states apart: codes of a success, the method of what failed."""
    method, status, code = parts[0]
    first = (method, status, "") if status == "success" else ("", status, code)
    return [first, *((method, status, "") for method, status, _ in parts[1:])]


def without_dashes(order_id: str) -> str:
    """A UUID with dashes does not fit Tranzzo's 32 characters."""
    return order_id.replace("-", "") if len(order_id) == 36 else order_id


class TranzzoPayment(CompanyPayment):
    @property
    def exists(self) -> bool:
        return bool(self.company.orders.get(without_dashes(self.payment_id)))

    @property
    def _primary(self) -> dict[str, Any]:
        order: dict[str, Any] = self.company.orders[without_dashes(self.payment_id)][0]
        return order

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self._primary["status"] == "init"

    def underpay(self, amount: Decimal) -> bool:
        self._primary["amount"] = int(amount)
        return True
