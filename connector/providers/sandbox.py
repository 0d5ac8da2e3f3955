"""The sandbox: a company that does not exist.

It answers without any call, moves no money and needs no settings: for a first try, and the
specimen to copy. Every payment is held there until it is cancelled, whatever its id. It shows
no amount, so a cancellation is never partial.
"""

from connector.domain.deadline import Deadline
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Sent, Standing
from connector.provider import Provider


class Sandbox(Provider):
    """Holds every payment and releases it when asked."""

    name = "sandbox"
    title = "Sandbox"
    url = "https://sandbox.invalid"
    settings = ()
    cancellable = frozenset({Standing.HELD})

    def look(
        self, payment: PaymentKey, account: Account, deadline: Deadline, reference: str | None
    ) -> Look:
        return Look(Standing.HELD, word="held")

    def cancel(
        self, payment: PaymentKey, look: Look, account: Account, deadline: Deadline, reference: str
    ) -> Sent:
        return Sent(Effect.DONE, word="released")

    def probe(self, account: Account, deadline: Deadline) -> None:
        return None
