"""The steps of a payment's story: written with what they tell of, read as a whole."""

from collections.abc import Iterable
from typing import Any

from connector.domain.story import Kind, Step
from connector.storage import statements as sql
from connector.storage.columns import decimal, escaped, plain, text
from connector.storage.database import Connection, Database


class Stories:
    """What is stored of payments' stories. They are only added to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def merchants(self, payment_id: str) -> list[str]:
        """Name the merchants that have requests of a payment of this id."""
        with self._database.read() as connection:
            rows = connection.all(sql.MERCHANTS_OF_PAYMENT, payment_id=payment_id)
        return [name for (name,) in rows]

    def steps(self, merchant: str, payment_id: str) -> list[Step]:
        """Return a payment's story, oldest first.

        The order is that of recording: a clock may jump, and two machines' may differ.
        """
        with self._database.read() as connection:
            rows = connection.all(sql.STORY, merchant=merchant, payment_id=payment_id)
        return [_step_from(row) for row in rows]


def write_steps(connection: Connection, claim_id: str, steps: Iterable[Step]) -> None:
    """Record steps of a request, in the transaction of what they tell of."""
    connection.many(sql.EVENT, [_columns(claim_id, step) for step in steps])


def _columns(claim_id: str, step: Step) -> dict[str, Any]:
    return {
        "id": claim_id,
        "kind": step.kind.value,
        "attempt": step.attempt,
        "action": step.action,
        "reference": step.reference,
        "amount": text(step.amount),
        "word": escaped(step.reported_status),
        "http_status": step.http_status,
        "state": step.state,
        "code": step.code,
        "message": step.message,
        "reason": step.reason,
        "who": escaped(step.who),
    }


def _step_from(row: tuple[Any, ...]) -> Step:
    kind, attempt, action, reference, amount, word, http_status = row[:7]
    state, code, message, reason, who, at, operation, request_id = row[7:]
    return Step(
        Kind(kind),
        attempt,
        action,
        reference,
        decimal(amount),
        plain(word),
        http_status,
        state,
        code,
        message,
        reason,
        plain(who),
        float(at),
        operation,
        plain(request_id) or "",
    )
