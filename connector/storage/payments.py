"""The recorded payments, and their due callbacks."""

from connector.domain.operation import CreateRequest
from connector.domain.payment import Payment, PaymentKey
from connector.domain.story import Step
from connector.storage import statements as sql
from connector.storage.database import Connection, Database
from connector.storage.mapping import payment_from
from connector.storage.stories import write_steps


class Payments:
    """The recorded payments, for callers without a lease."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, merchant_id: int, payment_id: str) -> Payment | None:
        """Return a recorded payment, None for an unknown payment."""
        with self._database.read() as connection:
            row = connection.first_row(
                sql.FIND_PAYMENT, merchant_id=merchant_id, payment_id=payment_id
            )
        return None if row is None else payment_from(payment_id, row)

    def due_callbacks(self, most: int) -> list[tuple[int, str]]:
        """Return merchant id and payment id of the callbacks that are due now, the oldest first."""
        with self._database.read() as connection:
            rows = connection.all(sql.CALLBACKS_DUE, most=most)
        return [(row["merchant_id"], row["payment_id"]) for row in rows]

    def take_callback(
        self, merchant_id: int, payment_id: str, seconds: float
    ) -> tuple[Payment, int] | None:
        """Take a due callback for `seconds`.

        Returns the payment, and how often its callback was taken. None: another sender has the
        callback, or the callback is not due any more.
        """
        with self._database.write() as connection:
            row = connection.first_row(
                sql.TAKE_CALLBACK, merchant_id=merchant_id, payment_id=payment_id, seconds=seconds
            )
        return None if row is None else (payment_from(payment_id, row), row["callback_attempts"])

    def bring_callback_forward(self, merchant_id: int, payment_id: str, seconds: float) -> None:
        """Let a callback be due now whose next try comes later than in `seconds`.

        A callback that a sender has taken for `seconds` stays as it is.
        """
        key = {"merchant_id": merchant_id, "payment_id": payment_id}
        with self._database.write() as connection:
            connection.run(sql.BRING_CALLBACK_FORWARD, seconds=seconds, **key)

    def end_callback(
        self, merchant_id: int, payment_id: str, again: float | None, step: Step | None = None
    ) -> None:
        """Drop a callback, or let it be due in `again` seconds.

        `step` is a step for the payment's story, if a callback was sent.
        """
        key = {"merchant_id": merchant_id, "payment_id": payment_id}
        with self._database.write() as connection:
            if again is None:
                connection.run(sql.DROP_CALLBACK, **key)
            else:
                connection.run(sql.POSTPONE_CALLBACK, seconds=again, **key)
            if step:
                _write_step(connection, merchant_id, payment_id, step)


def _write_step(connection: Connection, merchant_id: int, payment_id: str, step: Step) -> None:
    """Write the step of a callback. It belongs to the create that named the address."""
    claim_id = CreateRequest(merchant_id, PaymentKey(payment_id)).claim_id
    if connection.first_row(sql.REQUEST_EXISTS, id=claim_id):
        write_steps(connection, claim_id, [step])
