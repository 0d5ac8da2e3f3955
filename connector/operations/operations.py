"""Answer a request of VTEX's, and finish a request that nobody repeats: one way for all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connector.domain.deadline import Deadline
from connector.domain.merchant import Merchant
from connector.domain.operation import DueRequest, Operation, Reply, Request
from connector.idempotency import IdempotentRunner
from connector.operations.job import Job
from connector.provider import Provider


@dataclass(frozen=True)
class Operations:
    """Runs each operation by its job; `jobs` makes the job of a merchant and a request."""

    runner: IdempotentRunner
    providers: Mapping[str, Provider]
    jobs: Mapping[Operation, Callable[..., Job]]

    def answer(self, merchant: Merchant, request: Request, deadline: Deadline) -> Reply:
        """Do once what VTEX asks for, and answer.

        Raises what the job refuses at once, and what `IdempotentRunner.claim` raises.
        """
        job = self._job(merchant, request)
        if reply := job.reply_at_once():
            return reply
        claimed = self.runner.claim(job, deadline)
        return claimed if isinstance(claimed, Reply) else self.runner.run(job, claimed)

    def reconcile(self, merchant: Merchant, due: DueRequest, deadline: Deadline) -> bool:
        """Finish a request; say whether it was still to be claimed. Raises ProviderBusy."""
        job = self._job(merchant, due.request)
        with job.provider.slot():
            attempt = self.runner.claim_due(due, deadline)
            if attempt:
                self.runner.run(job, attempt)
        job.after_reconcile()
        return attempt is not None

    def _job(self, merchant: Merchant, request: Request) -> Job:
        return self.jobs[request.operation](
            providers=self.providers,
            merchant=merchant,
            request=request,
        )
