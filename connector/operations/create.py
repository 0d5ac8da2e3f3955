"""Create a payment, and say how it stands whenever VTEX asks again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, cast

from connector.domain.deadline import Deadline
from connector.domain.merchant import Merchant
from connector.domain.money import ValueUnit
from connector.domain.operation import CreateRequest, DueRequest, Outcome, Reply
from connector.domain.payment import Payment, PaymentStatus
from connector.idempotency import IdempotentRunner
from connector.operations.creation import CreateJob, status_outcome
from connector.provider import Provider

Render = Callable[[Merchant, CreateRequest, Outcome, Payment | None], Reply]


class Payments(Protocol):
    """What the storage offers for it."""

    def find(self, merchant_id: int, payment_id: str) -> Payment | None: ...

    def end_callback(self, merchant_id: int, payment_id: str, again: float | None) -> None: ...


@dataclass(frozen=True)
class Create:
    """Answers creates, and looks at payments whose buyer has not paid yet.

    `seal` encrypts VTEX's callback address. `public_url` is this server's own, or "".
    """

    once: IdempotentRunner
    providers: Mapping[str, Provider]
    payments: Payments
    render: Render
    seal: Callable[[str, int, str], str]
    public_url: str = ""

    def answer(self, merchant: Merchant, request: CreateRequest, deadline: Deadline) -> Reply:
        """Create once, and answer with the same ids and the current status from then on.

        Raises InvalidRequest for a payment that the provider cannot take, RequestMismatch for
        another amount than before, and what `IdempotentRunner.run` raises.
        """
        job = self._job(merchant, request)
        known = self.payments.find(merchant.id, request.payment.payment_id)
        if known is None or not known.is_created:
            job.check()
        else:
            job.check_same(known)
            if known.status is not PaymentStatus.PENDING:
                return self._told(merchant, request, status_outcome(known), known)
        return self.once.run(request, deadline, job.work, self._render(merchant, request, job))

    def reconcile(self, merchant: Merchant, due: DueRequest, deadline: Deadline) -> bool:
        """Look at a payment; say whether it was this call's turn. Raises ProviderBusy."""
        request = cast("CreateRequest", due.request)
        job = self._job(merchant, request)
        with job.provider.slot():
            render = self._render(merchant, request, job)
            return self.once.reconcile(due, deadline, job.work_in_a_slot, render)

    def _job(self, merchant: Merchant, request: CreateRequest) -> "CreateJob":
        notification_url = None
        if self.public_url:
            path = f"/webhooks/{merchant.provider}/{merchant.name}"
            notification_url = self.public_url + path
        return CreateJob(
            self.providers,
            merchant,
            request,
            self.once.lease_seconds,
            ValueUnit.AUTO,
            seal=self.seal,
            notification_url=notification_url,
        )

    def _told(
        self, merchant: Merchant, request: CreateRequest, outcome: Outcome, known: Payment | None
    ) -> Reply:
        """Answer; once that is sent, VTEX need not be called back."""
        reply = self.render(merchant, request, outcome, known)
        if known is None or known.status is PaymentStatus.PENDING or not known.is_callback_due:
            return reply
        payment_id = request.payment.payment_id
        return replace(
            reply, after=lambda: self.payments.end_callback(merchant.id, payment_id, None)
        )

    def _render(
        self, merchant: Merchant, request: CreateRequest, job: "CreateJob"
    ) -> Callable[[Outcome], Reply]:
        """Answer with the payment as it is recorded after the turn."""

        def render(outcome: Outcome) -> Reply:
            known = self.payments.find(merchant.id, request.payment.payment_id)
            if known and known.is_created:
                # Another request, with another amount, may have come first.
                job.check_same(known)
            return self._told(merchant, request, outcome, known)

        return render
