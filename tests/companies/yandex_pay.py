"""A stand-in for Yandex Pay. What its documents leave open is marked, and can be set by a test."""

import re
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from tests.companies.base import Call, Company, Respond

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
    ("GET", ORDER, "look"),
    ("POST", ORDER + "/cancel", "cancel"),
    ("POST", ORDER + "/rollback", "rollback"),
    ("POST", ORDER.replace("v1", "v2") + "/refund", "refund"),
    ("GET", r"/api/merchant/v1/operations/(?P<id>[^/]+)", "operation"),
]
# What an operation makes of the order, when it succeeds, and the state it is allowed in.
BECOMES = {"VOID": "VOIDED", "REFUND": "REFUNDED"}
TYPES = {"cancel": ("VOID", {"AUTHORIZED"}), "refund": ("REFUND", {"CAPTURED"})}


def success(content: dict[str, Any]) -> Respond:
    return 200, {"status": "success", "code": 200, "data": content}


def fail(status: int, code: str) -> Respond:
    return status, {"status": "fail", "reasonCode": code, "reason": "free text"}


@dataclass
class YandexPayCompany(Company):
    """Orders and operations. `effects` counts `cancel:`, `rollback:` and `refund:<order>`."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    operations: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    replayed: dict[str, tuple[str, Respond]] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "merchant_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
            "api_key": "test-api-key-51c0d7",
        }
    )
    # How the next operations end; "pending" ones are ended by `finish`.
    void_ends_in: str = "success"
    refund_ends_in: str = "success"
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
        with self.lock:
            self.orders[order_id] = {
                "orderId": order_id,
                "paymentStatus": status,
                "orderAmount": amount,
                "currencyCode": "RUB",
                "cart": {"items": [], "total": {"amount": amount}},
            }
            self.operations[order_id] = []
            for kind, end in operations:
                self._add(order_id, kind, end, None)
        return order_id

    def state(self, order_id: str) -> str:
        """Return the state, as one of STATES."""
        with self.lock:
            status = self.orders[order_id]["paymentStatus"]
            running = {one["operationType"] for one in self._running(order_id)}
        if running & {"VOID", "CAPTURE", "REFUND"}:
            return {"VOID": "voiding", "CAPTURE": "capturing", "REFUND": "refunding"}[running.pop()]
        return next(name for name, made in STATES.items() if made[0] == status)

    def pay(self, order_id: str, status: str = "AUTHORIZED") -> None:
        """The buyer pays (or starts to, or fails): the order takes this paymentStatus."""
        with self.lock:
            self.orders[order_id]["paymentStatus"] = status
            for running in self._running(order_id):
                running["status"] = "SUCCESS"
            if not self.operations[order_id]:
                self._add(order_id, "AUTHORIZE", "SUCCESS", None)

    def finish(self, order_id: str, status: str = "SUCCESS") -> None:
        """End the operation that is pending."""
        with self.lock:
            running = self._running(order_id)[-1]
            running["status"] = status
            if status == "SUCCESS":
                self._effect(running)

    # What Yandex Pay does.

    def operation_of(self, method: str, path: str) -> str:
        for verb, pattern, operation in ROUTES:
            if verb == method and re.fullmatch(pattern, path.removeprefix("/sandbox")):
                return operation
        return "unknown"

    def respond(self, call: Call) -> Respond:
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
        told = unquote(found["id"])
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
        order = dict(self.orders[order_id])
        if self.still_shows:
            order["paymentStatus"] = self.still_shows
        return success({"order": order, "operations": [self._print(one) for one in shown]})

    def _operation(self, reference: str) -> Respond:
        for operation in self._all():
            if operation.get("externalOperationId") == reference:
                return success({"operation": self._print(operation)})
        return fail(404, "OPERATION_NOT_FOUND")

    def _rollback(self, order_id: str) -> Respond:
        """Any state is allowed; what is paid is returned. A repeat changes nothing."""
        order = self.orders[order_id]
        if order["paymentStatus"] not in {"FAILED", "VOIDED", "REFUNDED"}:
            order["paymentStatus"] = "FAILED"
            self.effects[f"rollback:{order_id}"] += 1
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
        if self.orders[order_id]["paymentStatus"] not in allowed or not self._is_whole(verb, body):
            # The code of a wrong state is not documented; this one is made up.
            return fail(400, "WRONG_STATE")
        end = self.void_ends_in if verb == "cancel" else self.refund_ends_in
        status = {"success": "SUCCESS", "failure": "FAIL", "pending": "PENDING"}[end]
        operation = self._add(order_id, kind, status, reference)
        if status == "SUCCESS":
            self._effect(operation)
        return success({"operation": self._print(operation)})

    def _is_whole(self, verb: str, body: dict[str, Any]) -> bool:
        """A reason is required of a cancellation, an amount (a text) of a refund."""
        if verb == "cancel":
            return bool(body.get("reason"))
        return isinstance(body["refundAmount"], str) and Decimal(body["refundAmount"]) >= 1

    def _effect(self, operation: dict[str, Any]) -> None:
        order_id, kind = operation["orderId"], operation["operationType"]
        self.orders[order_id]["paymentStatus"] = BECOMES.get(kind, "CAPTURED")
        verb = {"VOID": "cancel", "REFUND": "refund"}.get(kind, "capture")
        self.effects[f"{verb}:{order_id}"] += 1

    def _print(self, operation: dict[str, Any]) -> dict[str, Any]:
        return operation | ({"operationType": "AUTHORIZE"} if self.prints_authorize else {})

    def _all(self) -> list[dict[str, Any]]:
        return [one for operations in self.operations.values() for one in operations]

    def _running(self, order_id: str) -> list[dict[str, Any]]:
        return [one for one in self.operations[order_id] if one["status"] == "PENDING"]

    def _add(self, order_id: str, kind: str, status: str, reference: str | None) -> dict[str, Any]:
        made = {
            "operationId": str(uuid.uuid4()),
            "externalOperationId": reference,
            "orderId": order_id,
            "operationType": kind,
            "status": status,
            "amount": self.orders[order_id]["orderAmount"],
            "created": "2022-12-29T18:02:01Z",
            "params": {},
        }
        self.operations[order_id].append(made)
        return made
