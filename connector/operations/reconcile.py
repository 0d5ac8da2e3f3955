"""Finish what nobody repeats any more."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError
from connector.domain.merchant import Merchant
from connector.domain.operation import Due
from connector.operations.cancel import Cancel

log = logging.getLogger(__name__)

# Requests looked at in one round, and the seconds between two rounds.
MOST_IN_A_ROUND = 100
PAUSE_SECONDS = 5.0


class Requests(Protocol):
    """What the storage offers for it."""

    def due(self, most: int) -> list[Due]: ...


@dataclass(frozen=True)
class Reconciler:
    """Looks at requests that are due; any number may run at once, one takes each request.

    `merchant` finds a merchant by its id; `answer_seconds` bounds one request.
    """

    requests: Requests
    cancel: Cancel
    merchant: Callable[[int], Merchant]
    answer_seconds: float

    def run_once(self) -> int:
        """Look at all that is due now; return how many requests that were."""
        count = 0
        while taken := sum(map(self._take, self.requests.due(MOST_IN_A_ROUND))):
            count += taken
        return count

    def run(self, stop: threading.Event) -> None:
        """Look again and again until `stop` is set."""
        while not stop.wait(PAUSE_SECONDS):
            try:
                self.run_once()
            except ConnectorError as error:
                log.warning("reconcile failed", extra={"code": error.code})
            except Exception:
                # A thread that ended would leave holds standing with nobody the wiser.
                log.exception("reconcile failed")

    def _take(self, due: Due) -> bool:
        try:
            merchant = self.merchant(due.request.merchant_id)
            return self.cancel.reconcile(merchant, due, Deadline.after(self.answer_seconds))
        except ConnectorError as error:
            log.warning(
                "reconcile left a request",
                extra={"payment_id": due.request.payment.payment_id, "code": error.code},
            )
            return False
