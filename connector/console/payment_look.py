"""Look now: ask a company how one payment stands. The look changes nothing."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connector import context
from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError, ProviderCredentials
from connector.domain.merchant import Merchant
from connector.domain.page_errors import TooManyRequests
from connector.domain.payment import Look, Payment
from connector.operations.call_steps import reading_of
from connector.provider import Call, Provider

if TYPE_CHECKING:
    from connector.app import Connector

# What stands for the class of an error when the company was not asked.
NOT_ASKED = "NotAsked"
# The name of a look among the events of people.
COMMAND = "console look"
# Seconds of a look, which a person waits for.
SECONDS = 8.0
# Looks of a process at a time. The console has eight threads, and other pages need some of them.
MOST_LOOKS = 3


@dataclass
class Looks:
    """The looks that run now. A person has one at a time."""

    connector: "Connector"
    _people: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def look(self, person: str, merchant: Merchant, payment: Payment) -> Mapping[str, Any]:
        """Ask the company, and record the answer among the events of people.

        Raises TooManyRequests while this person, or too many people, look.
        """
        with self._place(person), context.of(merchant=merchant.name, provider=merchant.provider):
            answer = self._answer(merchant, payment)
        self.connector.merchants.record(
            merchant.name, person, COMMAND, payment=payment.key.payment_id, **answer
        )
        return answer

    @contextmanager
    def _place(self, person: str) -> Iterator[None]:
        with self._lock:
            if person in self._people or len(self._people) >= MOST_LOOKS:
                raise TooManyRequests
            self._people.add(person)
        try:
            yield
        finally:
            with self._lock:
                self._people.discard(person)

    def _answer(self, merchant: Merchant, payment: Payment) -> dict[str, Any]:
        context.note_status(None)
        try:
            provider = self.connector.providers[merchant.provider]
            look = self._ask(provider, merchant, payment)
        except ConnectorError as error:
            return {"failure": merchant.redacted(error.why), "http": context.last_status()}
        if context.last_status() is None and not look.provider_status:
            # Such a provider has no id to look with, and makes no call.
            return {"failure": NOT_ASKED, "http": None}
        return {**shown(look, provider, merchant), "http": context.last_status()}

    def _ask(self, provider: Provider, merchant: Merchant, payment: Payment) -> Look:
        """Ask in a thread and a place of the company, so that no other company waits for it."""
        if missing := provider.missing(merchant.settings):
            raise ProviderCredentials(evidence=f"missing: {', '.join(missing)}")
        is_sandbox = merchant.sandbox if payment.sandbox is None else payment.sandbox
        seconds = min(SECONDS, self.connector.settings.answer_seconds)
        call = Call(payment.key, merchant.account(sandbox=is_sandbox), Deadline.after(seconds))
        with ExitStack() as places:
            places.enter_context(self.connector.requesting.place(merchant.provider))
            places.enter_context(provider.slot())
            return provider.look(call)


def shown(look: Look, provider: Provider, merchant: Merchant) -> dict[str, Any]:
    """Return what a look shows, for people, without secrets. Amounts are in units."""
    options = [option for setting in provider.settings for option in setting.options]
    amounts = {"amount": look.amount, "captured": look.captured, "refunded": look.refunded}
    return {
        "standing": reading_of(look),
        "word": merchant.redacted(look.provider_status, options) or None,
        **{name: None if value is None else f"{value:f}" for name, value in amounts.items()},
        "currency": look.currency,
        "is_another": look.is_another,
    }


def failure_of(reason: str | None) -> str:
    """Return the class of an error, by which the reason of a step begins."""
    return (reason or "").split(":")[0]
