"""Cryptomus: invoices paid in cryptocurrencies.

Pages, under https://doc.cryptomus.com/business/:
format        general/request-format
create        payments/creating-invoice
look          payments/payment-information
statuses      payments/payment-statuses
refund        payments/refund

Authentication: every call is a POST whose `sign` header is an MD5 over its body and the
merchant's payment key.

There is no sandbox, nothing is ever held, and no call cancels an invoice: an unpaid one expires
by itself. A refund needs a wallet address that VTEX does not give, and the address a payment came
from may belong to an exchange, so a paid invoice is left to a person.

The pages leave open:
- Whether `payment_status` and `status` can differ: where they do, neither is believed.
- What a look at an unknown order is answered: the page "refund" has `Payment was not found`.
- What a wrong `sign` is answered: clients report {"message": "Invalid Sign."}.
"""

import base64
import hashlib
import json
import uuid

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.payment import Look, PaymentKey, Standing
from connector.http_client import Answer
from connector.provider import Fields, Provider, Setting, word

# `payment_status`, page "statuses".
_STANDINGS = {
    "check": Standing.UNPAID,
    "process": Standing.PAYING,
    "confirm_check": Standing.PAYING,
    "wrong_amount_waiting": Standing.PAYING,
    "paid": Standing.STUCK,
    "paid_over": Standing.STUCK,
    "wrong_amount": Standing.STUCK,
    "system_fail": Standing.STUCK,
    "refund_fail": Standing.STUCK,
    "locked": Standing.STUCK,
    "refund_process": Standing.WORKING,
    "cancel": Standing.UNDONE,
    "fail": Standing.UNDONE,
    "refund_paid": Standing.UNDONE,
}
# The money is in: only a person's refund changes that. The other stuck ones may go on by
# themselves (a check against money laundering ends, a refund is tried again).
_FINAL = {"paid", "paid_over"}
# An invoice that ended unpaid can be renewed (`is_refresh`, page "create") unless `is_final`.
_RENEWABLE = {"cancel", "fail"}

# `message`, the company's only error codes: page "refund", and one that clients report.
_NOT_FOUND = "Payment was not found"
_ERRORS: dict[str, type[ConnectorError]] = {
    "You are forbidden": ProviderCredentials,
    "Invalid Sign.": ProviderCredentials,
    "Undefined merchant wallet": ProviderRefused,
    "Server error": ProviderUnavailable,
}


class Cryptomus(Provider):
    """Looks at invoices. Ends none: the company has no call for it."""

    name = "cryptomus"
    title = "Cryptomus"
    url = "https://api.cryptomus.com/v1"
    settings = (
        Setting("merchant_uuid", "Merchant UUID", is_secret=False),
        Setting("payment_key", "Payment API key"),
    )
    passing = frozenset({Standing.PAYING})

    def look(
        self, payment: PaymentKey, account: Account, deadline: Deadline, reference: str | None
    ) -> Look:
        answer = self._call("/payment/info", {"order_id": payment.payment_id}, account, deadline)
        result = _result_from(answer)
        return Look(Standing.ABSENT) if result is None else _look_from(result, payment)

    def probe(self, account: Account, deadline: Deadline) -> None:
        """Ask after an order that cannot exist: "not found" is said only to a good sign."""
        _result_from(self._call("/payment/info", {"order_id": uuid.uuid4().hex}, account, deadline))

    def _call(
        self, path: str, request: dict[str, str], account: Account, deadline: Deadline
    ) -> Answer:
        body = json.dumps(request).encode()
        return self._http.send(
            "POST",
            self._hosts.base(account) + path,
            operation="look",
            deadline=deadline,
            headers=_headers(body, account),
            body=body,
        )


def _headers(body: bytes, account: Account) -> dict[str, str]:
    signed = base64.b64encode(body) + account.settings["payment_key"].encode()
    return {
        "Content-Type": "application/json",
        "merchant": account.settings["merchant_uuid"],
        # MD5 is the company's choice, page "format".
        "sign": hashlib.md5(signed, usedforsecurity=False).hexdigest(),
    }


def _result_from(answer: Answer) -> Fields | None:
    """Read {"state": 0, "result"} or {"state": 1, "message" or "errors"}, None for not found.

    Errors come with HTTP 422 (page "refund"); the message decides, whatever the status.
    """
    fields = Fields(answer.json())
    state = fields.text("state")
    message = fields.text("message") or ""
    if state == "0" and answer.status < 300:  # noqa: PLR2004 - a success
        return fields.object("result")
    if state == "1" and message == _NOT_FOUND:
        return None
    if state == "1" or message in _ERRORS:
        evidence = message if message in _ERRORS else ""
        raise _ERRORS.get(message, ProviderRefused)(evidence=evidence)
    raise AnswerNotUnderstood(evidence=f"HTTP {answer.status}")


def _look_from(result: Fields, payment: PaymentKey) -> Look:
    """Read {"order_id", "amount", "currency", "payment_status", "status", "is_final", ...}.

    `amount` is in units of `currency`, a text.
    """
    if result.text("order_id") not in {None, payment.payment_id}:
        raise AnswerNotUnderstood(evidence="another order_id")
    status = _status_from(result)
    standing = _STANDINGS.get(status, Standing.WORKING)
    is_open = result.flag("is_final") is False
    if is_open and status in _RENEWABLE:
        standing = Standing.UNPAID
    return Look(
        standing,
        amount=result.decimal("amount"),
        currency=result.text("currency"),
        is_final=status in _FINAL and not is_open,
        word=word(status),
    )


def _status_from(result: Fields) -> str:
    """Return the status word; of two that differ, a word that nobody knows."""
    status, other = result.text("payment_status"), result.text("status")
    if status and other and status != other:
        return f"{status}-{other}"
    if not (status or other):
        raise AnswerNotUnderstood(evidence="no status")
    return status or other or ""
