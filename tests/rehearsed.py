"""A small connector that VTEX's test suite can be rehearsed with, right or wrong in one way."""

import http.client
import json
import re
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tests.stand_in import Handler, StandIn

MISSING = object()
# Seconds until a payment is decided that was not at once.
DECIDED = 0.8
_LATER = {"4222222222222224": "approved", "4222222222222225": "denied"}
_FINAL = {"4444333322221112": "denied"}
MANIFEST: dict[str, Any] = {
    "paymentMethods": [
        {"name": "Visa", "allowsSplit": "disabled"},
        {"name": "BankInvoice", "allowsSplit": "onAuthorize"},
        {"name": "Promissories", "allowsSplit": "onCapture"},
        {"name": "Tranzzo", "allowsSplit": "disabled"},
    ],
    "customFields": [
        {"name": "Shop", "type": "text"},
        {"name": "API key", "type": "password"},
        {"name": "Mode", "type": "select", "options": [{"text": "Live", "value": "live"}]},
    ],
    "autoSettleDelay": {"minimum": "0", "maximum": "720"},
    "metadataFields": ["a", "b", "c"],
    "version": "1.0.0",
}

Reply = tuple[int, dict[str, Any]]


class _Handler(Handler):
    connector: "Rehearsed"

    def serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(length) or b"{}")
        operation = self.path.rsplit("/", 1)[-1]
        status, body = self.connector.answer(self.path, self.headers, sent)
        content_type, content = "application/json; charset=utf-8", json.dumps(body).encode()
        if operation in self.connector.raw:
            status, content_type, content = self.connector.raw[operation]
        if self.connector.is_("slow"):
            time.sleep(0.4)
        if self.connector.is_("hangs up"):
            return
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Rehearsed(StandIn):
    """It keeps payments as VTEX's papers ask, but for its `defect`.

    `changes` replaces fields of answers, by operation; MISSING takes one out. `raw` are whole
    answers, by operation: status, content type and body.
    """

    handler = _Handler

    def __init__(
        self,
        defect: str = "",
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        raw: Mapping[str, tuple[int, str, bytes]] | None = None,
        tokens: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(defect)
        self.changes = changes or {}
        self.raw = raw or {}
        self.tokens = tokens
        self.payments: dict[str, dict[str, Any]] = {}
        self.seen: list[tuple[str, Mapping[str, str], dict[str, Any]]] = []
        self.lock = threading.RLock()

    def answer(self, path: str, headers: Mapping[str, str], sent: dict[str, Any]) -> Reply:
        operation = path.rsplit("/", 1)[-1]
        with self.lock:
            self.seen.append((operation, dict(headers.items()), sent))
            status, body = self._answer(operation, path, headers, sent)
        changed = {**body, **self.changes.get(operation, {})}
        return status, {name: value for name, value in changed.items() if value is not MISSING}

    def _answer(
        self, operation: str, path: str, headers: Mapping[str, str], sent: dict[str, Any]
    ) -> Reply:
        if operation == "manifest":
            return 200, MANIFEST
        if operation == "token":
            return 404, {"code": "not-found"}
        if not self._knows(headers):
            return 401, {"code": "unauthorized", "message": "Who?"}
        if operation == "payments":
            return self._create(sent)
        if sent["paymentId"] != path.split("/")[2] and not self.is_("believes the body"):
            return 400, {"cancellationId": None, "code": "invalid-request"}
        verb = {
            "cancellations": self._cancel,
            "settlements": self._settle,
            "refunds": self._refund,
        }[operation]
        return verb(path.split("/")[2], sent)

    def _knows(self, headers: Mapping[str, str]) -> bool:
        if self.is_("knows everybody"):
            return True
        is_marked = headers.get("X-VTEX-API-Is-TestSuite") == "true"
        if self.is_("reads capitals"):
            is_marked = "X-VTEX-API-Is-TestSuite" in dict(headers.items())
        families = ["X-VTEX-API", "X-PROVIDER-API"][: 1 if self.is_("knows one family") else 2]
        pairs = [(headers.get(f"{one}-AppKey"), headers.get(f"{one}-AppToken")) for one in families]
        wanted = self.tokens or ("", "")
        return is_marked and wanted in pairs

    def _create(self, sent: dict[str, Any]) -> Reply:
        payment_id = sent["paymentId"]
        known = self.payments.get(payment_id)
        if known is None or (known.get("told") is None and self.is_("forgets cancellations")):
            known = self._new(sent)
        elif known.get("told") is None:
            known["told"] = {**self._new(sent)["told"], "status": "denied", "authorizationId": None}
            self.payments[payment_id] = known
        elif self.is_("creates twice"):
            known["told"] = {**known["told"], "tid": uuid.uuid4().hex}
        elif self.is_("never converges"):
            return 200, {**known["told"], "status": "undefined"}
        return 200, dict(known["told"])

    def _new(self, sent: dict[str, Any]) -> dict[str, Any]:
        payment_id, number = sent["paymentId"], (sent["card"] or {}).get("number")
        is_later = number in _LATER or number in {None, "null"}
        status = "undefined" if is_later else _FINAL.get(number, "approved")
        told = {
            "paymentId": payment_id,
            "status": status,
            "authorizationId": f"A-{payment_id}" if status == "approved" else None,
            "tid": f"T-{payment_id}",
            "nsu": None,
            "acquirer": "Test",
            "code": None,
            "message": None,
            "delayToAutoSettle": 21600,
            "delayToAutoSettleAfterAntifraud": 21600,
            "delayToCancel": 21600,
            "paymentUrl": "https://shop.example/pay" if number in {None, "null"} else None,
        }
        payment = {"told": told, "callback": sent["callbackUrl"], "settled": Decimal(0)}
        payment |= {"refunds": {}, "cancelled": None, "value": sent["value"]}
        self.payments[payment_id] = payment
        if is_later:
            end = _LATER.get(number, "approved")
            threading.Timer(DECIDED, self._decide, (payment, end)).start()
        return payment

    def _decide(self, payment: dict[str, Any], end: str) -> None:
        with self.lock:
            if payment["cancelled"] and not self.is_("approves the cancelled"):
                return
            told = payment["told"]
            given = f"A-{told['paymentId']}" if end == "approved" else None
            told |= {"status": end, "authorizationId": given}
        if self.is_("calls nobody"):
            return
        body = {**told, **self.changes.get("callback", {})}
        url = payment["callback"]
        url = url.split("&")[0] if self.is_("cuts the address") else url
        url = (
            re.sub("%..", lambda found: found[0].upper(), url) if self.defect == "respells" else url
        )
        method = "GET" if self.is_("calls with GET") else "POST"
        headers = {"Content-Type": "text/plain"} if self.is_("calls in text") else {}
        for _ in range(2 if self.is_("calls twice") else 1):
            send_exactly(method, url, body, headers)

    def _cancel(self, payment_id: str, sent: dict[str, Any]) -> Reply:
        payment = self.payments.setdefault(payment_id, {"told": None, "cancelled": None})
        body = {"paymentId": sent["paymentId"], "requestId": sent["requestId"], "code": None}
        if self._is_refused(payment, sent):
            failure = {"cancellationId": None, "code": "cancel-manually", "message": "By hand"}
            return 501, {**body, **failure}
        if payment.get("settled") and not self.is_("cancels in words"):
            payment["refunds"]["cancel"] = ("C", payment["settled"])
        is_new = payment["cancelled"] is None or self.is_("cancels anew")
        payment["cancelled"] = uuid.uuid4().hex if is_new else payment["cancelled"]
        if payment["told"]:
            payment["told"] |= {"status": "denied"}
        late = time.time() if self.is_("tells the time") else ""
        return 200, {**body, "cancellationId": payment["cancelled"], "message": f"Cancelled {late}"}

    def _is_refused(self, payment: dict[str, Any], sent: dict[str, Any]) -> bool:
        is_settled = payment.get("settled") and not self.defect.startswith("cancels")
        needs_more = self.is_("needs a tid") and "tid" not in sent
        needs_uuid = self.is_("needs a UUID") and len(sent["requestId"]) > 36
        return bool(is_settled or needs_more or needs_uuid)

    def _settle(self, payment_id: str, sent: dict[str, Any]) -> Reply:
        payment = self.payments[payment_id]
        body = {
            "paymentId": payment_id,
            "requestId": sent.get("requestId", ""),
            "message": "Settled",
        }
        if payment["cancelled"] and not self.is_("settles the cancelled"):
            code = "refund-manually" if self.is_("settles by hand") else "failed"
            return 500, {**body, "settleId": None, "value": 0, "code": code}
        payment["settled"] = Decimal(str(sent["value"]))
        return 200, {**body, "settleId": f"S-{payment_id}", "value": sent["value"], "code": None}

    def _refund(self, payment_id: str, sent: dict[str, Any]) -> Reply:
        payment, value = self.payments[payment_id], Decimal(str(sent["value"]))
        body = {"paymentId": payment_id, "requestId": sent["requestId"], "message": "Refunded"}
        key = str(value) if self.is_("refunds by amount") else sent["requestId"]
        key = uuid.uuid4().hex if self.is_("refunds the repeat") else key
        total = sum(amount for _, amount in payment["refunds"].values())
        is_new = key not in payment["refunds"]
        if is_new and total + value > payment["settled"] and not self.is_("refunds too much"):
            return 500, {**body, "refundId": None, "value": 0, "code": "failed"}
        if is_new:
            payment["refunds"][key] = (uuid.uuid4().hex, value)
        found = payment["refunds"][key][0]
        return 200, {**body, "refundId": found, "value": sent["value"], "code": None}


def send_exactly(method: str, url: str, body: object, headers: Mapping[str, str]) -> None:
    """Send to a URL without any change to it, as urllib3 would make."""
    origin, _, rest = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(origin, timeout=5)
    types = {"Content-Type": "application/json", **headers}
    with suppress(OSError):  # the test may have ended by now
        connection.request(method, f"/{rest}", json.dumps(body), types)
        connection.getresponse().read()
    connection.close()
