"""One payment of a case: the steps that VTEX takes, each with its checks."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connector.domain import exact
from connector.rehearsal import checks, forms
from connector.rehearsal.checks import require
from connector.rehearsal.client import Answer, Caller, Exchange, Keys, read
from connector.rehearsal.forms import APPROVED, VALUE, Reading
from connector.rehearsal.sink import Callback, Sink, target_of

_IDS = "authorizationId tid nsu"
_DELAYS = "delayToAutoSettle delayToAutoSettleAfterAntifraud delayToCancel"
# The statuses of a failure: VTEX's API reference has 500 and 501, its older pages 200.
FAILURES = frozenset({200, 500, 501})
# A company that needs no settings.
_SANDBOX = "sandbox"


@dataclass(frozen=True)
class Times:
    """Seconds: for an answer, for a callback, for a second callback, until all is decided.

    `live` is how long VTEX needs at least, from the AppToken to the first request with it.
    """

    answer: float = 5.0
    callback: float = 30.0
    quiet: float = 2.0
    decided: float = 9.0
    live: float = 5.0


@dataclass(frozen=True)
class Applicant:
    """The merchant who connects: the VTEX account, the company, its settings, an invitation."""

    account: str = "rehearsal"
    provider: str = _SANDBOX
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)
    invitation: str = field(default="", repr=False)

    @property
    def admin(self) -> str:
        """The address to which VTEX's Admin wants the merchant back, without a query."""
        return f"https://{self.account}.myvtex.com/admin/provider-return"


@dataclass(frozen=True)
class Stage:
    """Where the suite is played, and who connects in the configuration flow."""

    url: str
    sink: Sink
    keys: Keys = Keys()  # noqa: RUF009 - it cannot be changed
    times: Times = Times()
    applicant: Applicant = Applicant()


class Player:
    """Plays VTEX for one payment. Every step raises Unmet."""

    def __init__(
        self, stage: Stage, method: str, reading: Reading, *, is_escaped: bool = False
    ) -> None:
        self.reading = reading
        self.method = method
        self.caller = Caller(stage.url, stage.keys, reading.marker, stage.times.answer)
        self._sink = stage.sink
        self._times = stage.times
        self.payment_id = reading.new_id()
        self.callback_url = stage.sink.address(self.payment_id, is_escaped=is_escaped)
        self._order: dict[str, Any] = {}
        self.answer: dict[str, Any] = {}

    def path(self, operation: str) -> str:
        return f"/payments/{self.payment_id}/{operation}"

    def create(
        self, status: str, number: str | None = APPROVED, family: str = "X-VTEX-API"
    ) -> dict[str, Any]:
        """Create the payment and check its status."""
        self.order(number)
        self.answer = self._create("create", status, family)
        return self.answer

    def order(self, number: str | None = APPROVED) -> dict[str, Any]:
        """Write the create without sending it."""
        self._order = forms.payment(
            self.reading, self.payment_id, self.method, number, self.callback_url
        )
        return self._order

    def create_again(self, status: str) -> dict[str, Any]:
        """Send the same create; the first answer must still hold."""
        again = self._create("create again", status)
        checks.same(again, self.answer, f"{_IDS} {_DELAYS}")
        self.answer = {**self.answer, **{name: value for name, value in again.items() if value}}
        return again

    def _create(self, step: str, status: str, family: str = "X-VTEX-API") -> dict[str, Any]:
        answer = self.caller.post(step, "/payments", self._order, family=family)
        checks.payment(answer.body, self.payment_id, status)
        return answer.body

    def cancellation(self) -> dict[str, Any]:
        return forms.cancellation(self.reading, self.payment_id, self.answer)

    def cancel(self, body: dict[str, Any] | None = None, family: str = "X-VTEX-API") -> Answer:
        """Cancel and check that it succeeded."""
        sent = body or self.cancellation()
        answer = self.caller.post("cancel", self.path("cancellations"), sent, family=family)
        checks.done(answer.body, sent, "cancellationId")
        return answer

    def settle(self) -> str:
        """Settle all and return the settleId."""
        sent = forms.settlement(self.reading, self.payment_id, self.answer, VALUE)
        answer = self.caller.post("settle", self.path("settlements"), sent)
        return checks.done(answer.body, sent, "settleId")

    def settle_in_vain(self) -> None:
        sent = forms.settlement(self.reading, self.payment_id, self.answer, VALUE)
        answer = self.caller.post("settle", self.path("settlements"), sent, FAILURES)
        checks.failed(answer.body, sent, "settleId")
        code = answer.body["code"]
        require(code not in checks.RESERVED, f"code is {code!r}, which makes VTEX refund twice")

    def refund(self, body: dict[str, Any]) -> str:
        """Refund and return the refundId."""
        answer = self.caller.post("refund", self.path("refunds"), body)
        return checks.done(answer.body, body, "refundId")

    def refund_in_vain(self, body: dict[str, Any]) -> None:
        answer = self.caller.post("refund", self.path("refunds"), body, FAILURES)
        checks.failed(answer.body, body, "refundId")

    def refund_of(self, settle_id: str, value: Decimal = VALUE) -> dict[str, Any]:
        """Write a refund without sending it."""
        return forms.refund(self.reading, self.payment_id, self.answer, settle_id, value)

    def expect_callback(self, status: str) -> None:
        """Check the first callback, then the same answer to a create, then that no other one comes.

        The page of the suite names 15 seconds. It does not say whether the callback must come
        before or after.
        """
        callback = self._sink.wait(self.payment_id, self._times.callback)
        if callback is None:
            self._note("callback")
        body = self._checked(callback, status)
        self.answer = {**self.answer, **{name: value for name, value in body.items() if value}}
        self.create_again(status)
        time.sleep(self._times.quiet)
        self.expect_callbacks(1)

    def _checked(self, callback: Callback | None, status: str) -> dict[str, Any]:
        require(callback, f"no callback within {self._times.callback:g} s to {self.callback_url}")
        if callback is None:
            return {}
        self._note("callback", callback)
        require(callback.method == "POST", f"method is {callback.method}, not POST")
        target = target_of(self.callback_url)
        require(callback.target == target, f"went to {callback.target}, not to {target} as given")
        content_type = callback.content_type.partition(";")[0].strip()
        require(content_type == "application/json", f"Content-Type is {content_type!r}")
        body = read(callback.body)
        checks.payment(body, self.payment_id, status)
        checks.same(body, self.answer, f"{_IDS} {_DELAYS}")
        return body

    def expect_callbacks(self, number: int) -> None:
        arrived = self._sink.of(self.payment_id)
        if len(arrived) > number:
            self._note("callback", arrived[-1])
        require(len(arrived) <= number, f"{len(arrived)} callbacks, not {number}")

    def expect_no_approval(self) -> None:
        """Wait until the payment would have been decided. Check that no callback approves it."""
        time.sleep(self._times.decided)
        for callback in self._sink.of(self.payment_id):
            self._note("callback", callback)
            status = read(callback.body).get("status")
            require(status != "approved", "a cancelled payment was told to be approved")

    def _note(self, step: str, callback: Callback | None = None) -> None:
        """Keep a callback for the report, as the answer to the create."""
        sent = exact.dumps(self._order)
        body = callback.body.decode(errors="replace") if callback else ""
        request = f"{callback.method} {callback.target}" if callback else "POST /payments"
        self.caller.last = Exchange(step, request, sent, None, body)
