"""Cryptomus as its pages describe it."""

import base64
import hashlib
import hmac
import json
import re
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.companies.base import Call, Company, Respond
from tests.companies.payment import CompanyPayment

OPERATIONS = {"/v1/payment": "create", "/v1/payment/info": "look", "/v1/payment/refund": "refund"}
CURRENCIES = {"USDT", "USD", "EUR", "BTC"}
# A wallet of the merchant's, on TRON.
ADDRESS = "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"
UNPAID = {"check", "process", "confirm_check", "wrong_amount_waiting"}
TAKEN = {"paid", "paid_over", "refund_process", "refund_fail", "refund_paid"}
FINAL = {"paid", "paid_over", "wrong_amount", "cancel", "fail", "system_fail", "refund_paid"}


@dataclass
class Invoice:
    order_id: str
    status: str
    is_final: bool
    amount: str
    currency: str
    # What the merchant sent to create it.
    order: dict[str, Any] = field(default_factory=dict)
    # How often its refund was seen running.
    looks: int = 0


@dataclass
class Cryptomus(Company):
    """Knobs: the HTTP statuses of refusals and of a wrong sign, which no page gives."""

    refusal_status: int = 422
    sign_status: int = 401
    # A message that every call is refused with, where not empty.
    refusal: str = ""
    # How many looks show a refund as running before it ends; None for ever, until `finish`.
    looks_until_refunded: int | None = None
    # Whether refunds come to nothing in the end.
    refunds_fail: bool = False
    invoices: dict[str, Invoice] = field(default_factory=dict)
    settings: dict[str, str] = field(
        default_factory=lambda: {
            "merchant_uuid": "8b03432e-385b-4670-8d06-064591096795",
            "payment_key": "Qm5hV3p5Ylp2c0RkVHhUa1pSb2tMeXRz",
        }
    )

    @property
    def is_slow(self) -> bool:
        """Whether refunds run until `finish`."""
        return self.looks_until_refunded is None

    @is_slow.setter
    def is_slow(self, is_so: bool) -> None:
        self.looks_until_refunded = None if is_so else 1

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

    def put(self, payment_id: str, state: str) -> dict[str, str]:
        self.create(payment_id)
        self.move(payment_id, state)
        return {}

    def move(self, order_id: str, status: str, *, is_final: bool | None = None) -> None:
        with self.lock:
            invoice = self.invoices[order_id]
            invoice.status = status
            invoice.is_final = status in FINAL if is_final is None else is_final

    def state(self, order_id: str) -> str:
        with self.lock:
            return self.invoices[order_id].status

    def pay(self, payment_id: str) -> None:
        """The buyer pays, and the blockchain confirms it."""
        self._leave(payment_id, dict.fromkeys(UNPAID, "paid"))

    def decline(self, payment_id: str) -> None:
        """The payment goes wrong."""
        self._leave(payment_id, dict.fromkeys(UNPAID, "fail"))

    def expire(self, payment_id: str) -> None:
        """Its life ends unpaid."""
        self._leave(payment_id, dict.fromkeys(UNPAID, "cancel"))

    def finish(self, payment_id: str, *, well: bool = True) -> None:
        """A refund that is running ends."""
        end = "refund_paid" if well and not self.refunds_fail else "refund_fail"
        self._leave(payment_id, {"refund_process": end})

    def money(self, payment_id: str) -> tuple[Decimal, Decimal, Decimal]:
        """Return what is held (never anything), what was taken, and what of that was returned."""
        with self.lock:
            invoice = self.invoices.get(payment_id)
            if not invoice or invoice.status not in TAKEN:
                return Decimal(0), Decimal(0), Decimal(0)
            amount = Decimal(invoice.amount)
            returned = amount if invoice.status == "refund_paid" else Decimal(0)
            return Decimal(0), amount, returned

    def notification(self, payment_id: str) -> tuple[bytes, dict[str, str]]:
        """Return what the company sends of the state now: a body and its headers."""
        with self.lock:
            invoice = self.invoices[payment_id]
            content = {
                "type": "payment",
                "uuid": invoice_uuid(invoice),
                "order_id": invoice.order_id,
                "amount": invoice.amount,
                "payment_amount": invoice.amount,
                "payment_amount_usd": invoice.amount,
                "merchant_amount": invoice.amount,
                "commission": "0.00",
                "is_final": invoice.is_final,
                "status": invoice.status,
                "from": None,
                "wallet_address_uuid": None,
                "network": "tron",
                "currency": invoice.currency,
                "payer_currency": "USDT",
                "additional_data": None,
                "txid": None,
            }
        return self.signed(php_json(content)), {"Content-Type": "application/json"}

    def signed(self, text: str) -> bytes:
        """Return a notification: an object, signed as the company does, with the sign in it."""
        return f'{text[:-1]},"sign":"{self._sign_of(text.encode())}"}}'.encode()

    def _leave(self, payment_id: str, ways: dict[str, str]) -> None:
        with self.lock:
            invoice = self.invoices[payment_id]
            if invoice.status in ways:
                self.move(payment_id, ways[invoice.status])

    # The company's side.

    def operation_of(self, method: str, path: str) -> str:
        return OPERATIONS.get(path, "other") if method == "POST" else "other"

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
        return self._act(call, self.invoices.get(order_id))

    def _act(self, call: Call, invoice: Invoice | None) -> Respond:
        if call.operation == "create":
            return self._create(call.json(), invoice)
        if not invoice:
            return self._refuse("Payment was not found")
        return self._show(invoice) if call.operation == "look" else self._refund(invoice, call)

    def _create(self, order: dict[str, Any], known: Invoice | None) -> Respond:
        """Create an invoice, or show the one of that order id, whatever else is asked."""
        fault = known is None and self._fault_of(order)
        if fault:
            return fault
        if not known:
            known = self.create(order["order_id"], amount=order["amount"])
            known.currency, known.order = order["currency"], order
            self.effects[f"create:{known.order_id}"] += 1
        return self._show(known)

    def _fault_of(self, order: dict[str, Any]) -> Respond | None:
        urls = [value for name, value in order.items() if name.startswith("url_")]
        is_valid = (
            isinstance(order.get("amount"), str)
            and re.fullmatch(r"\d+(\.\d+)?", order["amount"])
            and 300 <= order.get("lifetime", 3600) <= 43200
            and all(6 <= len(url) <= 255 for url in urls)
        )
        if not is_valid:
            return self.refusal_status, {"state": 1, "errors": {"amount": ["validation.string"]}}
        if order.get("currency") not in CURRENCIES:
            return self._refuse("The currency was not found")
        if Decimal(order["amount"]) < Decimal("0.5"):
            return self._refuse("Minimum amount 0.5 USDT")
        return None

    def _show(self, invoice: Invoice) -> Respond:
        if self.looks_until_refunded is not None and invoice.status == "refund_process":
            if invoice.looks >= self.looks_until_refunded:
                self.finish(invoice.order_id)
            invoice.looks += 1
        link = invoice_uuid(invoice)
        result = {
            "uuid": link,
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

    def _sign_of(self, text: bytes) -> str:
        signed = base64.b64encode(text) + self.settings["payment_key"].encode()
        return hashlib.md5(signed, usedforsecurity=False).hexdigest()

    def _is_signed(self, call: Call) -> bool:
        sign = self._sign_of(call.body)
        return call.headers.get("merchant") == self.settings["merchant_uuid"] and (
            hmac.compare_digest(sign, call.headers.get("sign", ""))
        )


def invoice_uuid(invoice: Invoice) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, invoice.order_id))


def php_json(value: object) -> str:
    """Write JSON as PHP does with JSON_UNESCAPED_UNICODE."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).replace("/", "\\/")


class CryptomusPayment(CompanyPayment):
    @property
    def exists(self) -> bool:
        return self.payment_id in self.company.invoices

    @property
    def is_unpaid(self) -> bool:
        return self.exists and self.company.state(self.payment_id) == "check"

    def underpay(self, amount: Decimal) -> bool:
        self.company.invoices[self.payment_id].amount = f"{amount:.2f}"
        return True

    def begin_paying(self) -> None:
        if self.is_unpaid:
            self.company.move(self.payment_id, "confirm_check")

    def finish(self, *, well: bool = True) -> None:
        if self.company.state(self.payment_id) == "confirm_check":
            self.pay() if well else self.decline()
            return
        self.company.refunds_fail = not well
        self.company.finish(self.payment_id)

    def mood(self, word: str) -> None:
        self.company.refunds_fail = word == "badly"
