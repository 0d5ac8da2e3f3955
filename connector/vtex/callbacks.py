"""Callbacks: messages that tell VTEX a payment's status, at the address that VTEX gave for it.

Source: VTEX's help centre, "Payment Provider Protocol", "callbackUrl". A callback is a POST of the
whole answer to a create. It goes to exactly the address that VTEX gave, with the keys of our own
VTEX account. VTEX does not document which answer means that it took the callback. Here every 2xx
means that.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from connector import context
from connector.domain.deadline import Deadline, now
from connector.domain.errors import ConnectorError
from connector.domain.merchant import SUITE_NAME, Merchant
from connector.domain.operation import State
from connector.domain.payment import Payment, PaymentStatus
from connector.domain.story import Kind, Step
from connector.http_client import HttpClient
from connector.provider import Provider
from connector.storage.payments import Payments
from connector.vtex.addresses import is_allowed, is_of_form
from connector.vtex.answers import dump_payment

log = logging.getLogger(__name__)

# The hosts of VTEX's own addresses. Our keys go to no other host, whatever a request names.
HOSTS = ("*.vtexpayments.com.br", "*.vtexpayments.com")
# The form of VTEX's callback paths on these hosts (help centre, "callbackUrl"). Another path may
# belong to somebody else, so it gets no keys.
PATHS = ("*/payment-provider/*",)
# Seconds for which one sender leases a callback. A call gets fewer seconds, so that its outcome is
# recorded before the lease ends.
LEASE_SECONDS = 30.0
CALL_SECONDS = 8.0
# Seconds from one try to the next. After these pauses there is a try each hour, for a day.
_FIRST_PAUSES = (10.0, 30.0, 60.0, 300.0, 900.0)
_HOUR, _HOURS = 3600.0, 24
PAUSES = (*_FIRST_PAUSES, *(_HOUR,) * _HOURS)
# Callbacks in one round, and seconds of one round. The next round takes the rest, because
# reconcile has other work too.
MOST_IN_A_ROUND, ROUND_SECONDS = 50, 10.0
SUCCESSES = range(200, 300)
HOST_NOT_ALLOWED = "callback not sent: its host is not allowed"


@dataclass(frozen=True)
class Destinations:
    """Where a callback may go, and which addresses get our keys.

    Empty `hosts` and `paths` mean the defaults. `app_key` and `app_token` belong to our own VTEX
    account. They are empty if there is no account.
    """

    hosts: Sequence[str]
    paths: Sequence[str]
    app_key: str
    app_token: str = field(repr=False)

    def is_allowed(self, url: str) -> bool:
        return is_allowed(url, self.hosts or HOSTS)

    def keys_for(self, url: str, merchant: Merchant) -> Mapping[str, str]:
        """Return the keys for an address. The test suite gets none: anybody can play the suite."""
        if merchant.name == SUITE_NAME:
            return {}
        if not is_of_form(url, self.paths or PATHS):
            _warn("callback without keys: its path has another form", None)
            return {}
        keys = {"X-VTEX-API-AppKey": self.app_key, "X-VTEX-API-AppToken": self.app_token}
        return {name: value for name, value in keys.items() if value}


@dataclass(frozen=True)
class Callbacks:
    """Tells VTEX the status of payments, until VTEX takes each callback.

    Only one sender at a time sends the callback of a payment.

    `open_url` decrypts a payment's address.
    """

    payments: Payments
    http: HttpClient
    merchant_of: Callable[[int], Merchant]
    providers: Mapping[str, Provider]
    open_url: Callable[[str, int, str], str]
    destinations: Destinations

    def deliver_due(self) -> int:
        """Send the due callbacks, the oldest first. Return how many VTEX took. Never raises."""
        try:
            due = self.payments.due_callbacks(MOST_IN_A_ROUND)
        except ConnectorError as error:
            log.warning("callbacks cannot be read", extra={"code": error.code})
            return 0
        until, count = now() + ROUND_SECONDS, 0
        for merchant_id, payment_id in due:
            if now() < until:
                count += self.deliver(merchant_id, payment_id)
        return count

    def deliver(self, merchant_id: int, payment_id: str) -> bool:
        """Send a payment's callback if it is due and has no other sender. Say whether VTEX took it.

        Never raises: a callback that fails is due again.
        """
        with context.of(operation="callback", payment_id=payment_id):
            try:
                # If VTEX hangs, it must not hold all the threads that the companies need.
                with self.http.bulkhead.slot():
                    return self._deliver_leased(merchant_id, payment_id)
            except ConnectorError as error:
                _warn("callback put off", error)
            except Exception:
                log.exception("callback failed")
        return False

    def send_now(self, merchant_id: int, payment_id: str) -> bool:
        """Send a payment's callback as `deliver` does, also if its next try comes later."""
        self.payments.bring_callback_forward(merchant_id, payment_id, LEASE_SECONDS)
        return self.deliver(merchant_id, payment_id)

    def _deliver_leased(self, merchant_id: int, payment_id: str) -> bool:
        leased = self.payments.take_callback(merchant_id, payment_id, LEASE_SECONDS)
        if leased is None:
            return False
        payment, tries = leased
        step, pause = self._send(merchant_id, payment, tries)
        self.payments.end_callback(merchant_id, payment_id, pause, step)
        return step is not None and step.state == State.DONE

    def _send(
        self, merchant_id: int, payment: Payment, tries: int
    ) -> tuple[Step | None, float | None]:
        """Send once. Return the step of the story, and the seconds until the next try."""
        context.note_status(None)
        if payment.callback_address is None or payment.status is PaymentStatus.PENDING:
            # VTEX needs no callback of a pending payment: it asks again by itself.
            return None, None
        step = Step(Kind.CALLED_BACK, tries, reported_status=payment.status, state=State.FAILED)
        try:
            url = self.open_url(payment.callback_address, merchant_id, payment.key.payment_id)
            if not self.destinations.is_allowed(url):
                # The address itself is never logged: it carries a signature.
                _warn(HOST_NOT_ALLOWED, None)
                return replace(step, reason=HOST_NOT_ALLOWED), None
            self._post(url, merchant_id, payment)
        except ConnectorError as error:
            _warn("callback not taken", error)
            return _failed_try(step, error, tries)
        return replace(step, http_status=context.last_status(), state=State.DONE), None

    def _post(self, url: str, merchant_id: int, payment: Payment) -> None:
        """Call VTEX. Raises ConnectorError if VTEX did not take the callback."""
        merchant = self.merchant_of(merchant_id)
        context.add(merchant=merchant.name)
        keys = self.destinations.keys_for(url, merchant)
        answer = self.http.send(
            "POST",
            url,
            operation="callback",
            deadline=Deadline.after(CALL_SECONDS),
            headers={**keys, "Content-Type": "application/json"},
            body=dump_payment(payment, self.providers[merchant.provider]),
        )
        if answer.status not in SUCCESSES:
            raise ConnectorError(evidence=f"HTTP {answer.status}")


def _failed_try(step: Step, error: ConnectorError, tries: int) -> tuple[Step, float | None]:
    pause = PAUSES[tries - 1] if tries <= len(PAUSES) else None
    state = State.FAILED if pause is None else State.WAITING
    http_status = context.last_status()
    return replace(step, http_status=http_status, reason=error.why, state=state), pause


def _warn(event: str, error: ConnectorError | None) -> None:
    log.warning(event, extra={"code": error.code, "reason": error.why} if error else {})
