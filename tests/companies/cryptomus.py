"""Cryptomus as its pages describe it."""

import base64
import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass, field

from tests.companies.base import Call, Company, Respond

FINAL = {"paid", "paid_over", "wrong_amount", "cancel", "fail", "system_fail", "refund_paid"}


@dataclass
class Invoice:
    order_id: str
    status: str
    is_final: bool
    amount: str
    currency: str


@dataclass
class Cryptomus(Company):
    """Knobs: the HTTP statuses of refusals and of a wrong sign, which no page gives."""

    refusal_status: int = 422
    sign_status: int = 401
    # A message that every look is refused with, where not empty.
    refusal: str = ""
    invoices: dict[str, Invoice] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "merchant_uuid": "8b03432e-385b-4670-8d06-064591096795",
            "payment_key": "Qm5hV3p5Ylp2c0RkVHhUa1pSb2tMeXRz",
        }
    )

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    # What the buyer and the company's people do.

    def create(
        self,
        order_id: str,
        status: str = "check",
        *,
        is_final: bool | None = None,
        amount: str = "15.00",
        currency: str = "USDT",
    ) -> Invoice:
        is_final = status in FINAL if is_final is None else is_final
        with self.lock:
            invoice = Invoice(order_id, status, is_final, amount, currency)
            return self.invoices.setdefault(order_id, invoice)

    def move(self, order_id: str, status: str, *, is_final: bool | None = None) -> None:
        with self.lock:
            invoice = self.invoices[order_id]
            invoice.status = status
            invoice.is_final = status in FINAL if is_final is None else is_final

    def state(self, order_id: str) -> str:
        with self.lock:
            return self.invoices[order_id].status

    # The company's side.

    def operation_of(self, method: str, path: str) -> str:
        operations = {"/v1/payment/info": "look", "/v1/payment/refund": "refund"}
        return operations.get(path, "other") if method == "POST" else "other"

    def respond(self, call: Call) -> Respond:
        if call.operation == "other":
            return 404, b"<html><body>404 Not Found</body></html>"
        if not self._is_signed(call):
            return self.sign_status, {"message": "Invalid Sign."}
        if self.refusal:
            return self._refuse(self.refusal)
        order_id = call.json().get("order_id", "")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", order_id):
            errors = {"order_id": ["validation.alpha_dash"]}
            return self.refusal_status, {"state": 1, "errors": errors}
        invoice = self.invoices.get(order_id)
        if not invoice:
            return self._refuse("Payment was not found")
        return self._show(invoice) if call.operation == "look" else self._refund(invoice, call)

    def _show(self, invoice: Invoice) -> Respond:
        link = uuid.uuid5(uuid.NAMESPACE_URL, invoice.order_id)
        result = {
            "uuid": str(link),
            "order_id": invoice.order_id,
            "amount": invoice.amount,
            "payment_amount": "0.00",
            "payer_amount": None,
            "payer_currency": None,
            "currency": invoice.currency,
            "comments": None,
            "network": None,
            "address": None,
            "from": None,
            "txid": None,
            "payment_status": invoice.status,
            "url": f"https://pay.cryptomus.com/pay/{link}",
            "expired_at": 1689099831,
            "status": invoice.status,
            "is_final": invoice.is_final,
            "additional_data": None,
            "created_at": "2023-07-11T20:23:52+03:00",
            "updated_at": "2023-07-11T21:24:17+03:00",
        }
        return 200, {"state": 0, "result": result}

    def _refund(self, invoice: Invoice, call: Call) -> Respond:
        if not {"address", "is_subtract"} <= set(call.json()):
            errors = {"address": ["validation.required"]}
            return self.refusal_status, {"state": 1, "errors": errors}
        if invoice.status not in {"paid", "paid_over", "wrong_amount"}:
            return self._refuse("Refunds are made only for completed payments")
        invoice.status, invoice.is_final = "refund_process", False
        self.effects[f"refund:{invoice.order_id}"] += 1
        return 200, {"state": 0, "result": []}

    def _refuse(self, message: str) -> Respond:
        return self.refusal_status, {"state": 1, "message": message}

    def _is_signed(self, call: Call) -> bool:
        signed = base64.b64encode(call.body) + self.settings["payment_key"].encode()
        sign = hashlib.md5(signed, usedforsecurity=False).hexdigest()
        return call.headers.get("merchant") == self.settings["merchant_uuid"] and (
            hmac.compare_digest(sign, call.headers.get("sign", ""))
        )
