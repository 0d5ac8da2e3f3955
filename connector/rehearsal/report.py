"""Writes the report of a rehearsal, without card numbers and secrets."""

import re
from collections.abc import Iterable
from typing import Any

from connector.rehearsal.client import Keys
from connector.rehearsal.run import Result

# Anything that could be a card number, and its security code.
_CARD = re.compile(r"(?<![\w.-])(\d{6})\d{3,9}(\d{4})(?![\w.-])")
_CODE = re.compile(r'("csc"\s*:\s*)"[^"]*"')
# Characters; an answer may be a whole page of HTML.
_LONGEST = 4000
_NAMES = (26, 16)


def masked(text: str, keys: Keys) -> str:
    """Hide all secrets, and all digits of a card number but the first six and the last four."""
    for secret in filter(None, (keys.app_key, keys.app_token)):
        text = text.replace(secret, "***")
    return _CODE.sub(r'\1"***"', _CARD.sub(r"\1******\2", text))


def lines(result: Result, keys: Keys) -> list[str]:
    """Write a result as one line, and a failure with its last exchange."""
    name = f"{result.case} {result.reading}".strip()
    mark = "skipped" if result.skipped else "success" if result.is_success else "fail"
    note = "  beyond the suite" if result.is_beyond else ""
    widths = zip((name, result.method), _NAMES, strict=True)
    cells = "  ".join(text.ljust(width) for text, width in widths)
    first = f"{mark:<7}  {cells}  {result.seconds:5.2f} s{note}"
    return [first, *(f"         {line}" for line in _reasons(result, keys))]


def _reasons(result: Result, keys: Keys) -> list[str]:
    if result.skipped:
        return [_one_line(result.skipped, keys)]
    if result.is_success:
        return []
    exchange = result.exchange
    if exchange is None:
        return [_one_line(result.fault, keys)]
    return [
        _one_line(f"{exchange.step}: {result.fault}", keys),
        _one_line(f"sent     {exchange.request} {exchange.sent}", keys),
        _one_line(f"received {exchange.status or ''} {exchange.answer}", keys),
    ]


def _one_line(text: str, keys: Keys) -> str:
    """Write a text on one line. Escape it if a terminal could obey it."""
    text = " ".join(masked(text, keys).split())[:_LONGEST]
    return text if text.isprintable() else ascii(text)


def row(result: Result, keys: Keys) -> dict[str, Any]:
    """Write a result as JSON."""
    exchange = result.exchange
    record = exchange and {
        "step": exchange.step,
        "request": masked(exchange.request, keys),
        "sent": masked(exchange.sent, keys),
        "status": exchange.status,
        "received": masked(exchange.answer, keys),
    }
    return {
        "case": result.case,
        "method": result.method,
        "reading": result.reading,
        "beyondTheSuite": result.is_beyond,
        "success": result.is_success and not result.skipped,
        "skipped": result.skipped,
        "seconds": round(result.seconds, 2),
        "fault": masked(result.fault, keys),
        "exchange": record,
    }


def summary(results: Iterable[Result]) -> str:
    played = list(results)
    skipped = [result for result in played if result.skipped]
    failures = [result for result in played if not result.is_success]
    of_suite = [result for result in failures if not result.is_beyond]
    succeeded = len(played) - len(failures) - len(skipped)
    beyond = len(failures) - len(of_suite)
    rest = f"; {len(skipped)} not played" if skipped else ""
    return (
        f"{succeeded} of {len(played)} succeeded; "
        f"{len(of_suite)} of the suite's own failed, {beyond} beyond it{rest}"
    )
