"""Callbacks: news of a payment, sent to the address that VTEX gave for it.

VTEX's help centre, "Payment Provider Protocol", "callbackUrl": a POST of the whole create answer
to exactly the address that came, with the keys of our own VTEX account. Which answer counts as
taken is not documented: any 2xx does.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

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

# Where VTEX's own addresses lead; one that a request alone names gets none of our keys.
HOSTS = ("*.vtexpayments.com.br", "*.vtexpayments.com")
# The form of VTEX's callback addresses there (its help centre, "callbackUrl"). Other paths of these
# hosts may be somebody else's: they get no keys either.
PATHS = ("*/payment-provider/*",)
# Seconds a sender has for a callback before another may take it up, and the most of these that
# one call has: the outcome must be written within them, too.
LEASE_SECONDS = 30.0
CALL_SECONDS = 8.0
# Seconds from one try to the next; then hourly until a day is over.
_FIRST_PAUSES = (10.0, 30.0, 60.0, 300.0, 900.0)
_HOUR, _HOURS = 3600.0, 24
PAUSES = (*_FIRST_PAUSES, *(_HOUR,) * _HOURS)
# Callbacks of one round, and its seconds: what is left is due in the next. Holds wait for it.
MOST, ROUND_SECONDS = 50, 10.0
SUCCESSES = range(200, 300)
HOST_NOT_ALLOWED = "callback not sent: its host is not allowed"


class Callbacks:
    """Tells VTEX how payments stand, each by one sender at a time, until VTEX takes it.

    `open_url` unseals a payment's address, `hosts` are the allowed ones. `app_key` and `app_token`
    are of our own VTEX account, empty where there is none.
    """

    def __init__(
        self,
        payments: Payments,
        http: HttpClient,
        merchant_of: Callable[[int], Merchant],
        providers: Mapping[str, Provider],
        open_url: Callable[[str, int, str], str],
        hosts: Sequence[str],
        paths: Sequence[str],
        app_key: str,
        app_token: str,
    ) -> None:
        self._payments = payments
        self._http = http
        self._merchant_of = merchant_of
        self._providers = providers
        self._open_url = open_url
        self._hosts = tuple(hosts) or HOSTS
        self._paths = tuple(paths) or PATHS
        keys = {"X-VTEX-API-AppKey": app_key, "X-VTEX-API-AppToken": app_token}
        self._keys = {name: value for name, value in keys.items() if value}

    def deliver_due(self) -> int:
        """Send what is due, the longest due first; return how many VTEX took. Never raises."""
        try:
            due = self._payments.due_callbacks(MOST)
        except ConnectorError as error:
            log.warning("callbacks cannot be read", extra={"code": error.code})
            return 0
        until, count = now() + ROUND_SECONDS, 0
        for merchant_id, payment_id in due:
            if now() < until:
                count += self.deliver(merchant_id, payment_id)
        return count

    def deliver(self, merchant_id: int, payment_id: str) -> bool:
        """Send a payment's callback, if it is due and nobody else's; say whether VTEX took it.

        Never raises: what fails is due again.
        """
        with context.of(operation="callback", payment_id=payment_id):
            return self._delivered(merchant_id, payment_id)

    def _delivered(self, merchant_id: int, payment_id: str) -> bool:
        try:
            # Whoever tells VTEX holds a company's thread: few may, where VTEX hangs.
            with self._http.bulkhead.slot():
                return self._told(merchant_id, payment_id)
        except ConnectorError as error:
            _warn("callback put off", error)
            return False
        except Exception:
            log.exception("callback failed")
            return False

    def _told(self, merchant_id: int, payment_id: str) -> bool:
        taken = self._payments.take_callback(merchant_id, payment_id, LEASE_SECONDS)
        if taken is None:
            return False
        payment, tries = taken
        step, again = self._sent(merchant_id, payment, tries)
        self._payments.end_callback(merchant_id, payment_id, again, step)
        return step is not None and step.state == State.DONE

    def _sent(
        self, merchant_id: int, payment: Payment, tries: int
    ) -> tuple[Step | None, float | None]:
        """Send once; say what came of it, and in how many seconds it is due again."""
        context.note_status(None)
        step = Step(Kind.CALLED_BACK, tries, reported_status=payment.status, state=State.FAILED)
        again = PAUSES[tries - 1] if tries <= len(PAUSES) else None
        if payment.callback is None or payment.status is PaymentStatus.PENDING:
            # VTEX asks again by itself while there is nothing to tell.
            return None, None
        try:
            url = self._open_url(payment.callback, merchant_id, payment.key.payment_id)
            if not is_allowed(url, self._hosts):
                # Never the address itself: it carries a signature.
                _warn(HOST_NOT_ALLOWED, None)
                return replace(step, reason=HOST_NOT_ALLOWED), None
            merchant = self._merchant_of(merchant_id)
            context.add(merchant=merchant.name)
            keys = self._keys_for(url, merchant)
            provider = self._providers[merchant.provider]
            self._post(url, keys, dump_payment(payment, provider))
        except ConnectorError as error:
            _warn("callback not taken", error)
            said = replace(step, http_status=context.last_status(), reason=error.why)
            return (said if again is None else replace(said, state=State.WAITING)), again
        return replace(step, http_status=context.last_status(), state=State.DONE), None

    def _keys_for(self, url: str, merchant: Merchant) -> Mapping[str, str]:
        """Anybody can be the test suite: it is never shown our keys. Nor are other paths."""
        if merchant.name == SUITE_NAME:
            return {}
        if not is_of_form(url, self._paths):
            _warn("callback without keys: its path has another form", None)
            return {}
        return self._keys

    def _post(self, url: str, keys: Mapping[str, str], body: bytes) -> None:
        """Raises ConnectorError when VTEX did not take it."""
        deadline = Deadline.after(CALL_SECONDS)
        headers = {**keys, "Content-Type": "application/json"}
        answer = self._http.send(
            "POST", url, operation="callback", deadline=deadline, headers=headers, body=body
        )
        if answer.status not in SUCCESSES:
            raise ConnectorError(evidence=f"HTTP {answer.status}")


def _warn(event: str, error: ConnectorError | None) -> None:
    log.warning(event, extra={"code": error.code, "reason": error.why} if error else {})
