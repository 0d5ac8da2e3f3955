"""One request of one merchant at its provider. Here is the part that all jobs share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from connector.attempt import Attempt
from connector.domain.errors import (
    ConnectorError,
    NotDone,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
)
from connector.domain.merchant import Account, Merchant
from connector.domain.operation import Outcome, Reply, Request, State
from connector.domain.order import Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    PaymentKey,
    Standing,
    WriteResult,
)
from connector.domain.write import Write
from connector.operations.call_steps import note_answer, noting_failed_call
from connector.operations.verdict import record_ids
from connector.provider import UNSEEN, Call, Provider

# So many writes of one kind may fail for one payment. Then a person must act. Every repeat of
# VTEX's sends a refused write again. After this number of refusals the answer is "manual", so that
# VTEX tells the merchant.
MOST_WRITES = 3

# The first pause before another look, as a part of the request's time, and the growth of the
# pauses: 0.3, 0.4, 0.6, 0.9, 1.4, 2.1, 3.2 s of 18 s, with a look after each, and then the rest.
FIRST_PAUSE = 1 / 64
PAUSES_GROW = 1.5
_MAY_TAKE_EFFECT = {Effect.ACCEPTED, Effect.UNKNOWN}

Result = TypeVar("Result", WriteResult, CreateResult)
# Whether the end of a write is still open after a look.
IsOpen = Callable[[Look], bool]


@dataclass(frozen=True, kw_only=True)
class Job(ABC):
    """One request of one merchant. `render` makes VTEX's answer, if VTEX sent the request."""

    providers: Mapping[str, Provider]
    merchant: Merchant
    request: Request
    render: Callable[[Any, Outcome], Reply] = lambda *_: Reply(200, b"")

    @property
    def provider(self) -> Provider:
        """Raises ProviderUnavailable when the provider is switched off."""
        return self.providers[self.merchant.provider]

    def reply_at_once(self) -> Reply | None:
        """Return the reply to a request that needs no attempt. None: an attempt is needed."""
        return None

    def run(self, attempt: Attempt) -> Outcome:
        """Do the work that is left. The outcome, or the error, holds no secret.

        Work that calls the company takes a place in the company's bulkhead.
        """
        if outcome := self.outcome_without_a_call(attempt):
            return outcome
        try:
            with self._place(attempt), self._evidence_without_secrets():
                return self._outcome_without_secrets(self.work(attempt))
        except ConnectorError as error:
            return self.outcome_after(error, attempt)

    def outcome_without_a_call(self, attempt: Attempt) -> Outcome | None:
        """Return the outcome if the recorded payment decides the request. Else None."""
        return None

    @abstractmethod
    def work(self, attempt: Attempt) -> Outcome:
        """Look, decide, write once and confirm."""

    def outcome_after(self, error: ConnectorError, attempt: Attempt) -> Outcome:
        """Return the outcome of failed work, or raise the error again."""
        raise error

    def reply(self, outcome: Outcome) -> Reply:
        """Make VTEX's answer from an outcome."""
        return self.render(self.request, outcome)

    def after_reconcile(self) -> None:
        """Do the work that follows reconcile, even if another process finished the request."""
        return

    def _place(self, attempt: Attempt) -> AbstractContextManager[None]:
        """Hold a place at the company. Reconcile already holds its place before the claim."""
        return self.provider.slot() if attempt.vtex_waits else nullcontext()

    def without_secrets(self, text: str) -> str:
        """Remove the merchant's secrets from a text."""
        options = [option for setting in self.provider.settings for option in setting.options]
        return self.merchant.redacted(text, options)

    @contextmanager
    def _evidence_without_secrets(self) -> Iterator[None]:
        try:
            yield
        except ConnectorError as error:
            error.evidence = self.without_secrets(error.evidence)
            raise

    def _outcome_without_secrets(self, outcome: Outcome) -> Outcome:
        reason = outcome.reason and self.without_secrets(outcome.reason)
        return replace(outcome, message=self.without_secrets(outcome.message), reason=reason)

    def is_sandbox(self, attempt: Attempt) -> bool:
        """Whether the payment is in the sandbox. The place of a recorded payment never changes."""
        if attempt.payment.sandbox is not None:
            return attempt.payment.sandbox
        return self.merchant.sandbox or self.request.sandbox

    def check_settings(self) -> None:
        """Raises ProviderCredentials when the merchant's settings are not complete."""
        missing = self.provider.missing(self.merchant.settings)
        if missing:
            evidence = f"missing: {', '.join(missing)}"
            raise ProviderCredentials("The merchant's settings are not complete", evidence=evidence)

    def account(self, attempt: Attempt) -> Account:
        """Raises ProviderCredentials when the merchant's settings are not complete."""
        self.check_settings()
        return self.merchant.account(sandbox=self.is_sandbox(attempt))

    def call(
        self,
        attempt: Attempt,
        reference: str = "",
        look: Look = UNSEEN,
        amount: Decimal | None = None,
    ) -> Call:
        """Make the Call of a verb. Raises ProviderCredentials like `account`."""
        account, key = self.account(attempt), attempt.payment.key
        return Call(key, account, attempt.deadline, reference, look, amount)

    def look(self, attempt: Attempt, write: Write | None = None) -> Look:
        """Ask the company for the state of the payment, and for the end of an open `write`."""
        reference = write.reference if write else ""
        look = self.look_at(attempt.payment.key, attempt, reference)
        record_ids(attempt, look)
        return look

    def look_at(self, key: PaymentKey, attempt: Attempt, reference: str = "") -> Look:
        """Ask the company for the state of the payment with these ids.

        An answer about another order becomes STUCK: the connector believes nothing and writes
        nothing. Payments of another connector may have other order ids, so `is_own_order` decides.
        """
        call = replace(self.call(attempt, reference), payment=key)
        with noting_failed_call(attempt, "look", self.without_secrets):
            look = self.provider.look(call)
        note_answer(attempt, "look", look, self.without_secrets)
        if not (look.is_another and self.is_own_order(attempt)):
            return look
        return Look(
            Standing.STUCK,
            is_another=True,
            provider_status=f"{look.provider_status} of another order",
        )

    def is_own_order(self, attempt: Attempt) -> bool:
        """Whether the company's order id must be VTEX's payment id."""
        return attempt.payment.is_created

    def watch(
        self, attempt: Attempt, result: WriteResult, is_open: IsOpen, write: Write | None = None
    ) -> Look:
        """Look for the end of a write, while `is_open`. Raises if no look succeeds."""
        if result.lost and not attempt.deadline.allows_a_write():
            raise result.lost
        last_look: Look | None = None
        failure: ConnectorError | None = result.lost
        for pause in _pauses(attempt.deadline.total):
            try:
                last_look = self.look(attempt, write)
            except (NotDone, OutcomeUnknown, ProviderRefused) as error:
                failure = result.lost or error
            if (last_look and not is_open(last_look)) or not self._pause(
                attempt, result, last_look, pause
            ):
                break
        if last_look:
            return last_look
        raise failure or AssertionError

    def _pause(
        self, attempt: Attempt, result: WriteResult, last_look: Look | None, pause: float
    ) -> bool:
        """Pause before another look. Return False if there is no other look.

        Another look needs a write that may still take effect, and VTEX must wait for the answer.
        A pause keeps its place in the bulkhead. So there is no pause when others need the places.
        """
        if result.effect not in _MAY_TAKE_EFFECT or not attempt.vtex_waits:
            return False
        deadline = attempt.deadline
        again = last_look.again if last_look else None
        # The last pause takes the rest of the time, if another look still fits.
        wanted = again or min(pause, deadline.spare())
        is_in_time = (again or FIRST_PAUSE * deadline.total) <= deadline.spare()
        return is_in_time and self.provider.has_room() and deadline.pause(wanted)

    def create(self, attempt: Attempt, order: Order, call: Call) -> CreateResult:
        """Send the recorded create. Raises the errors of `Provider.create`."""
        with self._noting_failed_write(attempt):
            result = self.provider.create(order, call)
        return self._with_its_step(attempt, result)

    def send(
        self, attempt: Attempt, verb: Callable[[Call], WriteResult], call: Call
    ) -> WriteResult:
        """Send the recorded write. A refusal and a lost answer are results, too."""
        try:
            with self._noting_failed_write(attempt):
                result = verb(call)
        except ProviderRefused as error:
            return WriteResult(Effect.REFUSED, provider_status=error.evidence)
        except OutcomeUnknown as error:
            return WriteResult(Effect.UNKNOWN, lost=error)
        return self._with_its_step(attempt, result)

    @contextmanager
    def _noting_failed_write(self, attempt: Attempt) -> Iterator[None]:
        """Note a write that fails. Withdraw a write that certainly did not happen."""
        try:
            # Since the first check the database was slow, or this process was stopped for a while.
            attempt.deadline.check_write()
            with noting_failed_call(attempt, attempt.action, self.without_secrets):
                yield
        except NotDone:
            attempt.withdraw_write()
            raise

    def _with_its_step(self, attempt: Attempt, result: Result) -> Result:
        note_answer(attempt, attempt.action, result, self.without_secrets)
        record_ids(attempt, result)
        return result


def _pauses(seconds: float) -> Iterator[float]:
    """Yield growing pauses in a request that takes this many seconds."""
    pause = FIRST_PAUSE * seconds
    while True:
        yield pause
        pause *= PAUSES_GROW


# In these standings the money was taken.
MONEY_TAKEN = frozenset({Standing.CAPTURED, Standing.PARTLY_REFUNDED})


def pending(look: Look, subject: str, code: str) -> Outcome:
    """Return the outcome of an operation that the company is still working on."""
    status = f" ({look.provider_status})" if look.provider_status else ""
    message = f"The provider is still working on this {subject}{status}; repeat the request"
    reason = look.provider_status or None
    return Outcome(State.WAITING, code, message, again=look.again, reason=reason)
