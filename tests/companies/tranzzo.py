"""A stand-in for Tranzzo. What its documents leave open is marked, and can be set by a test."""

import json
import re
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.companies.base import Call, Company, Respond

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
SECONDARY = {"void", "capture", "refund"}
ROUTES = [
    ("GET", r"/api/v1/pos/(?P<pos>[^/]+)/orders/(?P<order>[^/]+)", "look"),
    ("POST", r"/api/v1/pos/(?P<pos>[^/]+)/order/(?P<order>[^/]+)/cancel", "cancel"),
    ("POST", r"/api/v1/void", "void"),
    ("POST", r"/api/v1/refund", "refund"),
]


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"message": message, "args": {"code": code}}


@dataclass
class TranzzoCompany(Company):
    """Orders are lists of operations. `effects` counts `cancel:`, `void:` and `refund:<order>`."""

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
    refund_ends_in: str = "success"
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
                self._add(order_id, method, status, code, part)
            if is_one_step:
                self.orders[order_id][0]["method"] = "purchase"
        return order_id

    def state(self, order_id: str) -> str:
        """Return the state, as one of STATES."""
        with self.lock:
            operations = self.orders[without_dashes(order_id)]
            refunds = self._done(operations, "refund")
            refunded = sum(Decimal(str(one["amount"])) for one in refunds)
            if 0 < refunded < Decimal(str(operations[0]["amount"])):
                return "partly_refunded"
            live = [operations[0]] + [one for one in operations[1:] if one["status"] != "failure"]
            made = [(one["method"], one["status"], one["status_code"] or "") for one in live]
        return next(name for name, parts in STATES.items() if mark(parts) == mark(made))

    def pay(self, order_id: str, status: str = "success") -> None:
        """The buyer pays (or starts to, or fails)."""
        with self.lock:
            primary = self.orders[without_dashes(order_id)][0]
            primary.update(status=status, status_code="1002" if status == "success" else None)

    def finish(self, order_id: str, status: str = "success") -> None:
        """End the operation that is pending."""
        order_id = without_dashes(order_id)
        with self.lock:
            running = next(one for one in self.orders[order_id] if one["status"] == "pending")
            running["status"] = status
            if status == "success":
                self.effects[f"{running['method']}:{order_id}"] += 1

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
        operations = self.orders.get(str(asked["order_id"]))
        if operations is None:
            # The code of an unknown order is not documented; this one is made up.
            return 404, refusal("P-404", "Payment not found")
        if call.operation == "look":
            return 200, operations
        return self._write(call.operation, asked, operations)

    def _asked(self, call: Call) -> dict[str, Any]:
        for _, pattern, operation in ROUTES[:2]:
            found = re.fullmatch(pattern, call.path)
            if found and operation == call.operation:
                return {"pos_id": found["pos"], "order_id": found["order"]}
        return call.json()

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
        return 200, self._end(operation, asked)

    def _is_allowed(
        self, operation: str, primary: dict[str, Any], operations: list[dict[str, Any]]
    ) -> bool:
        live = {one["method"] for one in operations[1:] if one["status"] != "failure"}
        kind = (primary["method"], primary["status"])
        if operation == "cancel":
            return kind[1] == "init" and primary["mode"] == "hosted"
        if operation == "void":
            return kind == ("auth", "success") and not live
        is_taken = kind == ("purchase", "success") or self._done(operations, "capture") != []
        return is_taken and "refund" not in live

    def _cancel(self, primary: dict[str, Any]) -> Respond:
        primary["status"] = self.cancel_ends_in
        if self.cancel_ends_in == "failure":
            primary.update(status_code="6007", status_description="Payment has cancelled")
            self.effects[f"cancel:{primary['order_id']}"] += 1
        return 200, [primary]

    def _end(self, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        order_id = asked["order_id"]
        status = self.void_ends_in if method == "void" else self.refund_ends_in
        amount = str(asked.get("refund_amount") or self.orders[order_id][0]["amount"])
        if status == "success":
            self.effects[f"{method}:{order_id}"] += 1
        return self._add(order_id, method, status, "1000" if status == "success" else "", amount)

    def _done(self, operations: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
        return [one for one in operations if (one["method"], one["status"]) == (method, "success")]

    def _add(
        self, order_id: str, method: str, status: str, code: str, amount: str
    ) -> dict[str, Any]:
        operations = self.orders[order_id]
        made = {
            "payment_id": operations[0]["payment_id"] if operations else str(uuid.uuid4()),
            "order_id": order_id,
            "pos_id": self.settings["pos_id"],
            "mode": "direct" if operations else "hosted",
            "method": method,
            "amount": json.loads(amount),
            "currency": "UAH",
            "status": status,
            "status_code": code or None,
            "status_description": None,
            "created_at": "2018-10-10T10:10:22.100",
        }
        if operations:
            made |= {"operation_id": str(uuid.uuid4()), "transaction_id": str(uuid.uuid4())}
        operations.append(made)
        return made


def mark(parts: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Leave out what does not tell states apart: codes of a success, the method of what failed."""
    method, status, code = parts[0]
    first = (method, status, "") if status == "success" else ("", status, code)
    return [first, *((method, status, "") for method, status, _ in parts[1:])]


def without_dashes(order_id: str) -> str:
    """A UUID with dashes does not fit Tranzzo's 32 characters."""
    return order_id.replace("-", "") if len(order_id) == 36 else order_id
