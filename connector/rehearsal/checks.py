"""Checks an answer against VTEX's protocol: its required fields and their types.

Sources: VTEX's Payment Provider Protocol API reference, and its guides on implementing a provider.
"""

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

STATUSES = ("approved", "denied", "undefined")
# Seconds: the API reference's limits of the delays.
_LONGEST_SETTLE = 604_800
_SHORTEST_CANCEL, _LONGEST_CANCEL = 600, 2_592_000
# These fields name a buyer's page. The last three are older than the first.
_URLS = ("paymentUrl", "redirectUrl", "bankIssueInvoiceUrl", "bankIssueInvoiceId")
# VTEX acts on these codes. In the answer to a settlement they make VTEX refund twice.
RESERVED = ("cancel-manually", "refund-manually")


class Unmet(Exception):
    """A check failed. The message names the field and its value."""


class WrongStatus(Unmet):
    """The answer has another HTTP status than expected."""

    def __init__(self, status: int, expected: Collection[int]) -> None:
        self.status = status
        wanted = " or ".join(map(str, sorted(expected)))
        super().__init__(f"HTTP status {status}, not {wanted}")


class NotPlayed(Exception):
    """A case cannot be played here. The message says why, and what to give."""


def require(holds: object, fault: str) -> None:
    """Check a condition. Raises Unmet with the fault if it is false."""
    if not holds:
        raise Unmet(fault)


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _or_null(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


def _is_any_text(value: object) -> bool:
    return isinstance(value, str)


_TYPES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "text": (is_text, "a text that is not empty"),
    "any text": (_is_any_text, "a text"),
    "text or null": (_or_null(_is_any_text), "a text or null"),
    "number": (is_number, "a number"),
    "seconds": (is_whole, "whole seconds"),
}


def fields(body: Mapping[str, Any], shape: Mapping[str, str], optional: str = "") -> None:
    """Check that the body has each field of the shape, with its type.

    Fields in `optional`, separated by spaces, may be missing.
    """
    for name, kind in shape.items():
        if name not in body and name in optional.split():
            continue
        require(name in body, f"{name} is missing")
        check, wanted = _TYPES[kind]
        require(check(body[name]), f"{name} is {body[name]!r}, not {wanted}")


_PAYMENT = {
    "paymentId": "text",
    "status": "text",
    "authorizationId": "text or null",
    "tid": "text",
    "nsu": "text or null",
    "acquirer": "text or null",
    "code": "text or null",
    "message": "text or null",
    "delayToAutoSettle": "seconds",
    "delayToAutoSettleAfterAntifraud": "seconds",
    "delayToCancel": "seconds",
    "paymentUrl": "text or null",
}


def payment(body: Mapping[str, Any], payment_id: str, status: str) -> None:
    """Check the answer to a create, or a callback, which has the same form."""
    fields(body, _PAYMENT, optional="authorizationId code message paymentUrl")
    echoed(body, "paymentId", payment_id)
    require(body["status"] in STATUSES, f"status is {body['status']!r}, none of {STATUSES}")
    require(body["status"] == status, f"status is {body['status']!r}, not {status!r}")
    if status == "approved":
        require(body.get("authorizationId"), "approved without an authorizationId")
    for name in ("delayToAutoSettle", "delayToAutoSettleAfterAntifraud"):
        require(0 <= body[name] <= _LONGEST_SETTLE, f"{name} is {body[name]}, not 0 to 7 days")
    delay = body["delayToCancel"]
    is_allowed = _SHORTEST_CANCEL <= delay <= _LONGEST_CANCEL
    require(is_allowed, f"delayToCancel is {delay}, not 10 minutes to 30 days")


def page(body: Mapping[str, Any]) -> None:
    """Check that the answer has an address to send the buyer to."""
    pages = {name: body[name] for name in _URLS if body.get(name)}
    require(pages, f"none of {', '.join(_URLS)} is filled")
    for name, value in pages.items():
        parts = urlsplit(value) if isinstance(value, str) else None
        is_absolute = parts and parts.scheme in {"https", "http"} and parts.hostname
        require(is_absolute or name == "bankIssueInvoiceId", f"{name} is {value!r}, not a URL")


def same(body: Mapping[str, Any], before: Mapping[str, Any], names: str) -> None:
    """Check that values of an earlier answer have not changed."""
    for name in names.split():
        given = before.get(name)
        is_kept = given is None or body.get(name) == given
        require(is_kept, f"{name} is {body.get(name)!r}, but was {given!r}")


def echoed(body: Mapping[str, Any], name: str, sent: object) -> None:
    require(body.get(name) == sent, f"{name} is {body.get(name)!r}, not {sent!r} as sent")


_FORMS = {
    "cancellationId": {"code": "text or null", "message": "text"},
    "settleId": {"value": "number", "code": "text or null", "message": "text"},
    "refundId": {"value": "number", "code": "text or null", "message": "text"},
}


def done(body: Mapping[str, Any], sent: Mapping[str, Any], name: str) -> str:
    """Check that a cancellation, settlement or refund succeeded; return its id."""
    _check_echo(body, sent, name)
    fields(body, {name: "text"})
    if name != "cancellationId":
        require(body["value"] == sent["value"], f"value is {body['value']}, not {sent['value']}")
    return str(body[name])


def failed(body: Mapping[str, Any], sent: Mapping[str, Any], name: str) -> None:
    """Check that a cancellation, settlement or refund says that it failed."""
    _check_echo(body, sent, name)
    require(name in body, f"{name} is missing")
    require(body[name] is None, f"{name} is {body[name]!r}: a success where there can be none")
    fields(body, {"code": "text or null"})
    if name != "cancellationId":
        require(body["value"] == 0, f"value is {body['value']}, not 0")


def _check_echo(body: Mapping[str, Any], sent: Mapping[str, Any], name: str) -> None:
    fields(body, _FORMS[name])
    echoed(body, "paymentId", sent["paymentId"])
    if "requestId" in sent:
        echoed(body, "requestId", sent["requestId"])
    require("requestId" in body, "requestId is missing")
    fields(body, {"requestId": "any text"})
