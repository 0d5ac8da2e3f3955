"""Payments as rows, and the callbacks due for them."""

from collections.abc import Sequence
from typing import Any

from connector.domain.operation import CreateRequest
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.story import Step
from connector.storage import statements as sql
from connector.storage.columns import decimal, escaped, plain, text
from connector.storage.database import Connection, Database
from connector.storage.stories import write_steps


class Payments:
    """What is stored of payments, for those who do not act on them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, merchant_id: int, payment_id: str) -> Payment | None:
        """Return a payment as it is recorded, None for one never heard of."""
        with self._database.read() as connection:
            row = connection.one(sql.KNOWN, merchant_id=merchant_id, payment_id=payment_id)
        return None if row is None else payment_from(payment_id, row)

    def due_callbacks(self, most: int) -> list[tuple[int, str]]:
        """Return the merchant and payment ids of callbacks due now, the longest due first."""
        with self._database.read() as connection:
            rows = connection.all(sql.CALLBACKS_DUE, most=most)
        return [(merchant_id, payment_id) for merchant_id, payment_id in rows]

    def take_callback(
        self, merchant_id: int, payment_id: str, seconds: float
    ) -> tuple[Payment, int] | None:
        """Take a due callback for `seconds`; return the payment and how often it was taken.

        None when it is another's, or not due any more.
        """
        with self._database.write() as connection:
            row = connection.one(
                sql.TAKE_CALLBACK, merchant_id=merchant_id, payment_id=payment_id, seconds=seconds
            )
        return None if row is None else (payment_from(payment_id, row[:-1]), row[-1])

    def end_callback(
        self, merchant_id: int, payment_id: str, again: float | None, step: Step | None = None
    ) -> None:
        """Say that VTEX took a callback, or that it is due `again`, in seconds.

        `step` is that of the payment's story, where one was sent.
        """
        named = {"merchant_id": merchant_id, "payment_id": payment_id}
        with self._database.write() as connection:
            if again is None:
                connection.run(sql.DROP_CALLBACK, **named)
            else:
                connection.run(sql.END_CALLBACK, seconds=again, **named)
            if step:
                _write_step(connection, merchant_id, payment_id, step)


def _write_step(connection: Connection, merchant_id: int, payment_id: str, step: Step) -> None:
    """A callback is of the create that named its address."""
    claim_id = CreateRequest(merchant_id, PaymentKey(payment_id)).claim_id
    if connection.one(sql.EXISTS, id=claim_id):
        write_steps(connection, claim_id, [step])


def payment_from(payment_id: str, row: Sequence[Any]) -> Payment:
    """Read the columns of `sql.PAYMENT`."""
    authorization_id, provider_payment_id, memo = map(plain, row[:3])
    uses_payment_id, status, sandbox, amount, currency = row[3:8]
    payment_url, code, message, cancellation_id, settled, is_cancel_asked = row[8:14]
    is_manual, callback, callback_at = row[14:]
    return Payment(
        key=PaymentKey(
            payment_id, authorization_id, provider_payment_id, memo, bool(uses_payment_id)
        ),
        status=PaymentStatus(status),
        sandbox=None if sandbox is None else bool(sandbox),
        amount=decimal(amount),
        currency=currency,
        payment_url=plain(payment_url),
        code=plain(code),
        message=plain(message),
        cancellation_id=plain(cancellation_id),
        settled=decimal(settled),
        is_cancel_asked=bool(is_cancel_asked),
        is_manual=bool(is_manual),
        callback=callback,
        is_callback_due=callback_at is not None,
    )


def payment_values(payment: Payment) -> dict[str, Any]:
    """Write the columns of `sql.PAYMENT`."""
    return {
        "authorization_id": escaped(payment.key.authorization_id),
        "provider_payment_id": escaped(payment.key.provider_payment_id),
        "memo": escaped(payment.key.memo),
        "status": payment.status.value,
        "sandbox": payment.sandbox,
        "amount": text(payment.amount),
        "currency": payment.currency,
        "payment_url": escaped(payment.payment_url),
        "code": escaped(payment.code),
        "message": escaped(payment.message),
        "cancellation_id": escaped(payment.cancellation_id),
        "settled": text(payment.settled),
        "is_cancel_asked": payment.is_cancel_asked,
        "is_manual": payment.is_manual,
        "callback": payment.callback,
    }
