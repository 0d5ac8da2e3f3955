"""Answer VTEX's requests, and finish requests that nobody repeats. All operations come here."""

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
    """Runs each request by a job. `jobs` makes the job from a merchant and a request."""

    runner: IdempotentRunner
    providers: Mapping[str, Provider]
    jobs: Mapping[Operation, Callable[..., Job]]

    def answer(self, merchant: Merchant, request: Request, deadline: Deadline) -> Reply:
        """Run VTEX's request once, and return the reply.

        Raises the errors of `Job.reply_at_once` and of `IdempotentRunner.claim`.
        """
        job = self._job(merchant, request)
        if reply := job.reply_at_once():
            return reply
        claimed = self.runner.claim(job, deadline)
        return claimed if isinstance(claimed, Reply) else self.runner.run(job, claimed)

    def reconcile(self, merchant: Merchant, due: DueRequest, deadline: Deadline) -> bool:
        """Finish a request. Return whether this process claimed it. Raises ProviderBusy."""
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
