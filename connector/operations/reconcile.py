"""Finish requests that nobody repeats any more."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from connector import context
from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError
from connector.domain.merchant import Merchant
from connector.domain.operation import DueRequest

log = logging.getLogger(__name__)

# The number of requests that one query returns, and the seconds between two rounds.
MOST_IN_A_ROUND = 100
PAUSE_SECONDS = 5.0
# One look may take so many seconds. After a slower look the round skips that company, so that the
# requests of the other companies do not wait.
SLOW_SECONDS = 2.0

# Finishes a request. Returns whether this process claimed the request.
Finish = Callable[[Merchant, DueRequest, Deadline], bool]


class DueRequests(Protocol):
    """Lists the requests that are due."""

    def due(self, most: int, after: DueRequest | None = None) -> list[DueRequest]: ...


@dataclass(frozen=True)
class Reconciler:
    """Finishes requests that are due. Many reconcilers may run, but only one claims a request.

    `merchant` finds a merchant by its id. `answer_seconds` bounds one request. `deliver_due` sends
    the callbacks that are due, and counts them. `purge` deletes what has expired.
    """

    requests: DueRequests
    finish: Finish
    merchant: Callable[[int], Merchant]
    answer_seconds: float
    deliver_due: Callable[[], int]
    purge: Callable[[], None]

    def run_once(self) -> int:
        """Finish the requests that are due now. Return how many this process claimed."""
        count, slow = 0, set[str]()
        page = self.requests.due(MOST_IN_A_ROUND)
        while page:
            count += sum(self._take(due, slow) for due in page)
            self.deliver_due()
            page = self.requests.due(MOST_IN_A_ROUND, page[-1])
        self.deliver_due()
        self.purge()
        return count

    def run(self, stop: threading.Event) -> None:
        """Finish due requests, again and again, until `stop` is set."""
        while not stop.wait(PAUSE_SECONDS):
            try:
                self.run_once()
            except ConnectorError as error:
                log.warning("reconcile failed", extra={"code": error.code, "reason": error.why})
            except Exception:
                # If this thread ended, holds would stay, and nobody would notice.
                log.exception("reconcile failed")

    def _take(self, due: DueRequest, slow: set[str]) -> bool:
        """Finish one request. Its log lines name the operation and the payment."""
        request = due.request
        with context.of(
            operation=request.operation,
            payment_id=request.payment.payment_id,
            request_id=request.request_id or None,
        ):
            return self._finish_or_log(due, slow)

    def _finish_or_log(self, due: DueRequest, slow: set[str]) -> bool:
        try:
            return self._finish(due, slow)
        except ConnectorError as error:
            log.warning("reconcile left a request", extra={"code": error.code, "reason": error.why})
            return False
        except Exception:
            # The other requests must not wait for a request that cannot be finished.
            log.exception("reconcile left a request")
            return False

    def _finish(self, due: DueRequest, slow: set[str]) -> bool:
        """Finish one request, but skip a company that was slow in this round."""
        merchant = self.merchant(due.request.merchant_id)
        context.add(merchant=merchant.name, provider=merchant.provider)
        if merchant.provider in slow:
            return False
        deadline = Deadline.after(self.answer_seconds)
        is_finished = self.finish(merchant, due, deadline)
        if deadline.total - deadline.left() > SLOW_SECONDS:
            slow.add(merchant.provider)
        return is_finished
