"""The steps of payments' stories. A step is written in the transaction of its change."""

from collections.abc import Iterable

from connector.domain.story import Step
from connector.storage import statements as sql
from connector.storage.database import Connection, Database
from connector.storage.mapping import step_from, step_values

# More steps than any payment has.
_ALL = 2**31


class Stories:
    """The recorded stories of payments. Steps are only added."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def merchants(self, payment_id: str) -> list[str]:
        """Name the merchants that have requests for a payment with this id."""
        with self._database.read() as connection:
            rows = connection.all(sql.MERCHANTS_OF_PAYMENT, payment_id=payment_id)
        return [row["name"] for row in rows]

    def steps(self, merchant: str, payment_id: str, most: int = _ALL) -> list[Step]:
        """Return the first steps of a payment's story, oldest first.

        The steps are in the order of recording, not of time, because clocks may jump and differ.
        """
        with self._database.read() as connection:
            rows = connection.all(sql.STORY, merchant=merchant, payment_id=payment_id, most=most)
        return [step_from(row) for row in rows]


def write_steps(connection: Connection, claim_id: str, steps: Iterable[Step]) -> None:
    """Record steps of a request, in the transaction of their change."""
    connection.run_for_each(
        sql.INSERT_STEP, [{"id": claim_id, **step_values(step)} for step in steps]
    )
