"""Found payments as a file for spreadsheets: CSV as in RFC 4180, in UTF-8."""

import csv
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from itertools import chain, islice

from flask import Response

from connector.domain.page_errors import TooManyRequests
from connector.pages.outside import plain
from connector.storage.payment_search import FoundPayment

# Rows of the longest file.
MOST_ROWS = 10_000
# Rows that are sent at a time.
_ROWS_OF_A_PART = 500
# Files that a process sends at a time: a slow reader keeps a thread.
MOST_DOWNLOADS = 2
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_COLUMNS = (
    *("createdAt", "merchant", "provider", "paymentId", "transactionId", "orderId"),
    *("authorizationId", "providerPaymentId", "status", "amount", "currency", "settled", "sandbox"),
)


class Downloads:
    """The files that this process sends now."""

    def __init__(self) -> None:
        self._places = threading.Semaphore(MOST_DOWNLOADS)

    def begin(self) -> None:
        """Raises TooManyRequests while other files are sent."""
        if not self._places.acquire(blocking=False):
            raise TooManyRequests

    def end(self) -> None:
        self._places.release()


def csv_response(found: Iterable[FoundPayment], downloads: Downloads) -> Response:
    """Return a file that is sent while the payments are read."""
    downloads.begin()
    response = Response(_parts(found), mimetype="text/csv")
    response.headers["Content-Disposition"] = 'attachment; filename="payments.csv"'
    response.call_on_close(downloads.end)
    return response


def _parts(found: Iterable[FoundPayment]) -> Iterator[bytes]:
    rows = chain([_COLUMNS], map(_cells, found))
    while part := list(islice(rows, _ROWS_OF_A_PART)):
        file = StringIO()
        csv.writer(file).writerows(part)
        yield file.getvalue().encode()


def _cells(payment: FoundPayment) -> list[str]:
    return [
        datetime.fromtimestamp(payment.created_at, UTC).isoformat(timespec="milliseconds"),
        *map(
            _cell,
            (
                payment.merchant,
                payment.provider,
                payment.payment_id,
                payment.transaction_id,
                payment.order_id,
                payment.authorization_id,
                payment.provider_payment_id,
            ),
        ),
        payment.status,
        _amount(payment.amount),
        payment.currency or "",
        _amount(payment.settled),
        "" if payment.sandbox is None else str(payment.sandbox).lower(),
    ]


def _cell(text: str | None) -> str:
    """Write a text that no spreadsheet takes for a formula."""
    shown = plain(text or "")
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _amount(value: Decimal | None) -> str:
    """Write an amount without an exponent."""
    return "" if value is None else f"{value:f}"
