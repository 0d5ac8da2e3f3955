"""Cancel a payment: look at the company, decide, send once, confirm."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
    NotDone,
    OutcomeUnknown,
    OutOfTime,
    ProviderRefused,
)
from connector.domain.merchant import CapturedPolicy, Merchant
from connector.domain.money import ValueUnit, is_whole
from connector.domain.operation import (
    CANCEL_MANUALLY,
    CancelRequest,
    Due,
    Outcome,
    Reply,
    State,
    own_cancellation_id,
)
from connector.domain.payment import Effect, Look, PaymentStatus, Sent, Standing
from connector.idempotency import Attempt, Once
from connector.provider import Provider

# How often an operation that ends in failure is sent for one payment; then a person must act.
# What the company refuses outright is sent again by every repeat, but from then on as a manual
# answer, so that the merchant is told.
MOST_SENDS = 3

# The write that ends a payment in a standing, where the provider can. Each has its own reference:
# a company could take another write under the same one for a repeat.
_WRITES = {
    Standing.UNPAID: "cancel",
    Standing.PAYING: "cancel",
    Standing.HELD: "release",
    Standing.UNSEEN: "release",
}
REFUND = "refund"

# Standings in which VTEX's cancel asks for what only a person can do: why, and whether that is
# final, because it cannot change by itself.
_MANUAL = {
    Standing.CAPTURED: ("the money is already captured", True),
    Standing.PARTLY_REFUNDED: ("the money is captured and partly refunded", True),
    Standing.UNPAID: ("the provider cannot cancel an unpaid payment; it expires by itself", False),
}
_UNSUPPORTED = ("the provider cannot cancel a payment in this state", False)


@dataclass(frozen=True)
class Cancel:
    """Answers cancellations, and finishes what VTEX no longer asks for.

    `render` makes VTEX's answer of an outcome and a request.
    """

    once: Once
    providers: Mapping[str, Provider]
    render: Callable[[CancelRequest, Outcome], Reply]
    value_unit: ValueUnit = ValueUnit.AUTO

    def answer(self, merchant: Merchant, request: CancelRequest, deadline: Deadline) -> Reply:
        """Cancel once and answer. Raises what `Once.run` raises."""
        job = _Job(self, merchant, request)
        return self.once.run(request, deadline, job.work, job.render)

    def reconcile(self, merchant: Merchant, due: Due, deadline: Deadline) -> bool:
        """Finish a cancellation; say whether it was this call's turn. Raises ProviderBusy."""
        job = _Job(self, merchant, due.request)
        with job.provider.slot():
            return self.once.reconcile(due, deadline, job.work_in_a_slot, job.render)


@dataclass(frozen=True)
class _Job:
    """One cancellation of one merchant at its provider."""

    cancel: Cancel
    merchant: Merchant
    request: CancelRequest

    @property
    def provider(self) -> Provider:
        """Raises ProviderUnavailable when it is switched off: what is kept needs it not."""
        return self.cancel.providers[self.merchant.provider]

    def render(self, outcome: Outcome) -> Reply:
        return self.cancel.render(self.request, outcome)

    def work(self, attempt: Attempt) -> Outcome:
        """Do what is still to be done of the cancellation, in a slot unless it is nothing."""
        if attempt.turn.status is PaymentStatus.CANCELLED:
            return self._cancelled(attempt.turn.cancellation_id)
        with self.provider.slot():
            return self.work_in_a_slot(attempt)

    def work_in_a_slot(self, attempt: Attempt) -> Outcome:
        """Say what came of it without any secret."""
        try:
            outcome = self._work(attempt)
        except ConnectorError as error:
            error.evidence = self.merchant.redacted(error.evidence)
            raise
        return replace(outcome, message=self.merchant.redacted(outcome.message))

    def _work(self, attempt: Attempt) -> Outcome:
        """At most one write."""
        if attempt.turn.status is PaymentStatus.CANCELLED:
            return self._cancelled(attempt.turn.cancellation_id)
        look = self._look(attempt)
        return self._without_a_write(look, attempt) or self._write(look, attempt)

    def _look(self, attempt: Attempt, reference: str | None = None) -> Look:
        send = attempt.open_send()
        return self.provider.look(
            attempt.turn.payment,
            self.merchant.account(sandbox=self._is_sandbox(attempt)),
            attempt.deadline,
            reference or (send.reference if send else None),
        )

    def _is_sandbox(self, attempt: Attempt) -> bool:
        """A recorded payment stays where it was made."""
        if attempt.sandbox is not None:
            return attempt.sandbox
        return self.merchant.sandbox or self.request.sandbox

    def _without_a_write(self, look: Look, attempt: Attempt) -> Outcome | None:
        """Decide what needs no write, or what no write could do."""
        standing = look.standing
        if standing is Standing.UNDONE:
            return self._cancelled(look.cancellation_id)
        if standing is Standing.ABSENT:
            return self._absent(attempt)
        if not is_whole(self.request.value, look.amount, self.cancel.value_unit):
            return _manual("only the whole payment can be cancelled", is_final=True)
        if standing is Standing.STUCK:
            return _manual(f"the provider says {look.word}", is_final=look.is_final)
        if standing is Standing.WORKING or standing in self._passing:
            return _pending(look)
        return None if self._action(standing) else _manual(*_MANUAL.get(standing, _UNSUPPORTED))

    @property
    def _passing(self) -> frozenset[Standing]:
        return self.provider.passing - self.provider.cancellable

    def _action(self, standing: Standing) -> str | None:
        """Name the write that ends a payment in this standing, if there is one."""
        if standing in self.provider.cancellable:
            return _WRITES[standing]
        may_refund = self.merchant.captured is CapturedPolicy.REFUND and self.provider.can_refund
        return REFUND if standing is Standing.CAPTURED and may_refund else None

    def _absent(self, attempt: Attempt) -> Outcome:
        if attempt.sandbox is not None:
            # It was there when something was sent for it: the company contradicts itself.
            raise OutcomeUnknown
        if attempt.turn.payment.was_authorized:
            return _manual("the provider does not know a payment that VTEX holds an id of")
        if not self.provider.absent_is_proof:
            return _manual("the provider cannot look this payment up")
        # That it is not in the sandbox, where this request alone looked, says nothing of the
        # real one.
        is_elsewhere = self.request.sandbox and not self.merchant.sandbox
        return replace(self._cancelled(None), is_of_payment=not is_elsewhere)

    def _write(self, look: Look, attempt: Attempt) -> Outcome:
        action = self._action(look.standing) or ""
        send = attempt.open_send(action)
        has_failed = send is not None and look.failures > send.failures_before
        if has_failed + attempt.ended(action, Effect.FAILED) >= MOST_SENDS:
            return _manual(f"the provider failed to {action} it {MOST_SENDS} times")
        if send and action == REFUND and not has_failed:
            self._refuse_an_early_repeat(send.age)
        if not attempt.deadline.allows_a_write():
            raise OutOfTime
        sandbox = self._is_sandbox(attempt)
        reference = attempt.start_send(action, look.failures, sandbox=sandbox, is_new=has_failed)
        sent = self._send(action, look, attempt, reference)
        return self._confirmed(action, look, attempt, reference, sent)

    def _refuse_an_early_repeat(self, age: float) -> None:
        """Wait until an unanswered refund has surely ended, where a repeat is a second refund.

        As long as a lease: the connection it was sent on is closed by then.
        """
        if not self.provider.refund_is_idempotent and age < self.cancel.once.lease:
            raise OutcomeUnknown

    def _send(self, action: str, look: Look, attempt: Attempt, reference: str) -> Sent:
        account = self.merchant.account(sandbox=self._is_sandbox(attempt))
        try:
            if not attempt.deadline.allows_a_write():
                # The database was slow, or this process stood still.
                raise OutOfTime
            payment, deadline = attempt.turn.payment, attempt.deadline
            if action == REFUND:
                return self.provider.refund(payment, look, None, account, deadline, reference)
            return self.provider.cancel(payment, look, account, deadline, reference)
        except ProviderRefused as error:
            return Sent(Effect.REFUSED, word=error.evidence)
        except NotDone:
            attempt.withdraw_send()
            raise

    def _is_all_refused(self, action: str, attempt: Attempt) -> bool:
        """Whether a refusal ends the write: of a repeated refund the first may still run."""
        return attempt.is_new or action != REFUND or self.provider.refund_is_idempotent

    def _confirmed(
        self, action: str, before: Look, attempt: Attempt, reference: str, sent: Sent
    ) -> Outcome:
        """Say what came of a write; look again unless the company called it done."""
        if sent.effect is not Effect.REFUSED or self._is_all_refused(action, attempt):
            attempt.end_send(sent.effect)
        if sent.effect is Effect.DONE:
            return self._cancelled(sent.id)
        after = self._look(attempt, reference)
        if after.standing is Standing.UNDONE:
            attempt.end_send(Effect.DONE)
            return self._cancelled(after.cancellation_id)
        if sent.effect is Effect.ACCEPTED or after.standing is not before.standing:
            return self._without_a_write(after, attempt) or _pending(after)
        times = 1 + attempt.ended(action, sent.effect)
        if after.standing is Standing.UNSEEN or times >= MOST_SENDS:
            return _manual("the provider refused it")
        raise ProviderRefused(evidence=sent.word)

    def _cancelled(self, cancellation_id: str | None) -> Outcome:
        payment_id = self.request.payment.payment_id
        own = own_cancellation_id(self.merchant.id, payment_id)
        return Outcome(State.DONE, None, "Cancelled", cancellation_id or own, is_final=True)


def _manual(reason: str, is_final: bool = False) -> Outcome:
    message = f"This payment needs to be cancelled manually: {reason}"
    return Outcome(State.MANUAL, CANCEL_MANUALLY, message, is_final=is_final)


def _pending(look: Look) -> Outcome:
    word = f" ({look.word})" if look.word else ""
    message = f"The provider is still working on this payment{word}; repeat the request"
    return Outcome(State.WAITING, "cancel-pending", message)
