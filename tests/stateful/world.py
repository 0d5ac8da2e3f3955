"""One payment between VTEX, the connector and a company, with everything that can go wrong."""

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tests.companies.base import Call
from tests.companies.registry import CompanyEntry
from tests.rig import creation
from tests.sink import Sink
from tests.stateful.quick_rig import QuickRig
from tests.stateful.told import AMOUNT, Asked, Told

PATHS = {
    "create": "/payments",
    "cancel": "/payments/{}/cancellations",
    "settle": "/payments/{}/settlements",
    "refund": "/payments/{}/refunds",
}
ZERO = Decimal()


class Died(BaseException):
    """The worker is no more: nothing of ours catches this."""


class Lost(Exception):
    """A call that does not arrive: the company's thread closes the connection."""


class PaymentHistory:
    """What VTEX, the buyer, the company and the network do, and what must then be true."""

    def __init__(
        self, entry: CompanyEntry, rig: QuickRig, company: Any, sink: Sink, payment_id: str
    ) -> None:
        self.entry, self.rig, self.company, self.sink = entry, rig, company, sink
        self.payment_id = payment_id
        self.merchant = "manual"
        self.side = entry.payment(company, payment_id)
        self.told = Told(is_adopting=not entry.has_page)
        self.problems: list[BaseException] = []
        self.messages: list[tuple[bytes, dict[str, str]]] = []
        # What happens within the next call of these operations, before or after its effect.
        self.before: dict[str, Callable[[], None]] = {}
        self.after: dict[str, Callable[[], None]] = {}
        self.late: list[Call] = []
        self.was_whole = False
        self.paid_since = False
        self.is_underpaid = False
        # Whether VTEX heard of its cancellation before anybody paid.
        self.is_unwanted = False
        # Cancellations of a purchase that VTEX had not asked for: no company tells its amount.
        self.of_unknown_amount: set[Asked] = set()
        self.heard = 0
        company.hook = self._hook
        company.effects.clear()
        company.calls.clear()
        company.faults.clear()
        sink.faults.clear()
        sink.bodies.clear()
        self.side.mood("at once")

    # Within a call to the company, in its thread.

    def _hook(self, operation: str, when: str) -> None:
        self._see()
        if operation not in {"look", *self.entry.writes.values()}:
            # Of keys and tokens: whoever asks for them next waits for this one.
            return
        now = self.before if when == "before" else self.after
        for name in (operation, "*"):
            happens = now.pop(name, None)
            if happens:
                happens()
        self._see()

    def _see(self) -> None:
        held, taken, returned = self.side.money
        self.was_whole |= AMOUNT in {held, taken - returned}

    def lose(self) -> None:
        """The call is under way still when its sender hears that the connection broke."""
        self.late.append(self.company.calls[-1])
        raise Lost

    def arrive(self) -> None:
        """What was under way arrives."""
        late, self.late = self.late, []
        for call in late:
            with self.company.lock:
                self.company.respond(call)

    def within(self, act: Callable[[], None]) -> None:
        """Do something while another request of VTEX's, or news, is under way."""
        try:
            act()
        except BaseException as problem:  # noqa: BLE001 - it is raised again where it is seen
            self.problems.append(problem)

    # VTEX.

    def ask(self, asked: Asked, *, is_heard: bool = True) -> None:
        """Ask the connector, with what VTEX knows; a dead worker gives no answer."""
        self.let_a_dead_workers_lease_end()
        self._ask(asked, self.rig, is_heard=is_heard)

    def ask_in_haste(self, asked: Asked) -> None:
        """Ask another server on the same database, which has next to no time."""
        haste = {"CONNECTOR_ANSWER_SECONDS": "0.3", "CONNECTOR_PROVIDER_SECONDS": "0.2"}
        with self.rig.beside(**haste) as other:
            self._ask(asked, other)

    def _ask(self, asked: Asked, rig: QuickRig, *, is_heard: bool = True) -> None:
        if not self.entry.has_page and asked.operation == "settle" and self.told.status is None:
            # No amount is known of a purchase that VTEX did not create.
            return
        self.told.asked.add(asked)
        if not self.entry.has_page and not self.told.of("create"):
            self.of_unknown_amount.add(asked)
        self._hear_callbacks()
        before = self.told.status, self.told.cancellation_id
        was_kept = self.told.has_kept(asked)
        with suppress(Died):
            answer = self._post(asked, rig, is_lost=not is_heard)
            self._hear_callbacks()
            if is_heard:
                self._see_whether_it_is_a_part(asked, answer)
                self.told.hear(asked, answer, was_kept=was_kept)
                self._check_what_is_new(*before)
                self._learn_whether_it_is_unwanted(asked, answer)

    def _post(self, asked: Asked, rig: QuickRig, *, is_lost: bool) -> Any:
        value = asked.value if asked.value is None else json.loads(str(asked.value))
        body = {"requestId": asked.request_id, "paymentId": self.payment_id, "value": value}
        if asked.operation == "create":
            options = {"callbackUrl": self.sink.url, "currency": self.entry.currency}
            body = creation(self.payment_id, value, **options)
        elif self.told.status == "approved":
            body |= {"authorizationId": self.told.authorization_id, "tid": self.told.tid}
        path = PATHS[asked.operation].format(self.payment_id)
        known = {name: one for name, one in body.items() if one is not None}
        return rig.post(path, known, self.merchant, is_lost=is_lost)

    def _see_whether_it_is_a_part(self, asked: Asked, answer: Any) -> None:
        """What VTEX is told is cancelled of a payment that stays is neither held nor taken."""
        held, taken, returned = self.side.money
        is_part = asked.operation == "cancel" and asked not in self.whole_cancels
        if is_part and answer.status_code == 200 and taken > returned:
            self.told.parts.add(asked)
            assert held == ZERO, f"told a part is cancelled, but there is {self.side.money}"
            assert AMOUNT - taken + returned >= (asked.value or ZERO), self.side.money

    def _check_what_is_new(self, status: str | None, cancellation_id: str | None) -> None:
        """See that the money is where VTEX was just told it is."""
        if cancellation_id is None and self.told.is_cancelled:
            assert self.is_without_money, f"told cancelled, but there is {self.side.money}"
        if status != self.told.status == "approved":
            self._check_approval()
        if status != self.told.status == "denied" and not self.told.is_cancelled:
            assert self.is_without_money, f"told denied, but there is {self.side.money}"
            assert status != "approved" or self._is_ended, "denied what was approved"

    @property
    def _is_ended(self) -> bool:
        """Whether a cancellation took effect that VTEX has not heard of yet."""
        _, taken, _ = self.side.money
        return bool(self.whole_cancels) and (taken == ZERO or self.told.refunded < taken)

    def _learn_whether_it_is_unwanted(self, asked: Asked, answer: Any) -> None:
        is_heard = answer.get_json().get("code") in {"cancel-manually", "cancel-pending"}
        if is_heard and asked in self.whole_cancels and not self.was_whole:
            self.is_unwanted = True

    def _check_approval(self) -> None:
        moved = self.told.of("settle") or self.told.of("refund")
        assert moved or not self.is_unwanted, "told approved what VTEX wants gone"
        assert self.was_whole, f"told approved, but there is {self.side.money}"

    @property
    def is_without_money(self) -> bool:
        held, taken, returned = self.side.money
        return self.paid_since or (held, taken - returned) == (ZERO, ZERO)

    # The company's news, and what passes by itself.

    def notify(self, message: tuple[bytes, dict[str, str]]) -> int:
        try:
            answer = self.rig.send_notification(self.company, message, self.merchant)
        except Died:
            return 0
        return answer.status_code

    def forge(self) -> None:
        """Somebody changes a message: nothing may come of it."""
        body, headers = self.side.notification()
        middle = len(body) // 2
        other = b"A" if body[middle : middle + 1] != b"A" else b"B"
        rows, calls = self.states(), len(self.company.calls_of("look"))
        # A company whose keys cannot be read for now has to repeat even its own messages.
        faults, self.company.faults = self.company.faults, []
        code = self.notify((body[:middle] + other + body[middle + 1 :], headers))
        self.company.faults = faults
        assert code in {400, 401}, code
        assert (rows, calls) == (self.states(), len(self.company.calls_of("look")))

    def change_money(self, act: Callable[[], None]) -> None:
        """Let the buyer act, and keep whether there is money after VTEX was told of none."""
        if not self.side.exists:
            return
        before = self.side.money
        act()
        is_over = self.told.is_cancelled or self.told.status == "denied"
        self.paid_since |= is_over and self.side.money > before
        self._see()

    def reconcile(self) -> None:
        with suppress(Died):
            self.rig.reconcile()

    def let_a_dead_workers_lease_end(self) -> None:
        """VTEX comes again later than that."""
        self.rig.let_leases_end()

    def pass_time(self) -> None:
        """So much that nothing is under way any more."""
        self.arrive()
        self.rig.let_leases_end()
        self.rig.execute("UPDATE sends SET sent_at = 1")
        self.rig.let_callbacks_be_due()

    def restart(self) -> None:
        self.rig.configure()

    def die(self, method: str, *, is_done: bool) -> None:
        """Let the worker die when it next records this, before or after it did."""
        requests = self.rig.connector.requests
        real = getattr(type(requests), method)

        def dying(*args: Any, **named: Any) -> None:
            vars(requests).pop(method, None)
            if is_done:
                real(requests, *args, **named)
            raise Died

        setattr(requests, method, dying)

    # What must be true after every step.

    def check(self) -> None:
        for problem in self.problems:
            raise problem
        self._hear_callbacks()
        self._check_money()
        self._check_effects()
        self._check_list()

    def _hear_callbacks(self) -> None:
        bodies, self.heard = self.sink.bodies[self.heard :], len(self.sink.bodies)
        for body in bodies:
            before = self.told.status
            self.told.hear_callback(body)
            self._check_what_is_new(before, self.told.cancellation_id)

    def _check_money(self) -> None:
        told, money = self.told, self.side.money
        _, taken, returned = money
        assert returned <= taken, money
        assert told.refunded <= returned, f"told refunded {told.refunded}, but there is {money}"
        if told.settled is not None:
            assert taken == told.settled, f"told settled {told.settled}, but there is {money}"
            assert told.refunded <= told.settled, told.refunds
        if told.is_cancelled or told.status == "denied":
            assert self.is_without_money, f"told it is over, but there is {money}"
        self._check_returned(returned)

    def _check_returned(self, returned: Decimal) -> None:
        """Nothing is returned but what VTEX asked for."""
        open_refunds = [
            one for one in self.told.of("refund") if one.request_id not in self.told.manual
        ]
        asked = sum((one.value or ZERO for one in open_refunds), ZERO)
        if not (self.whole_cancels and self.may_refund):
            assert returned <= asked, f"{returned} is returned, of {asked} asked for"

    @property
    def whole_cancels(self) -> list[Asked]:
        """Cancellations of all; of a purchase whose amount nobody knows, of anything."""
        whole = {None, AMOUNT, 100 * AMOUNT}
        cancels = self.told.of("cancel")
        return [one for one in cancels if one.value in whole or one in self.of_unknown_amount]

    @property
    def may_refund(self) -> bool:
        """Whether a cancellation may return what is taken. A rollback returns it by itself."""
        return self.merchant == "refund" or self.side.count("rollback") > 0

    def _check_effects(self) -> None:
        side, told = self.side, self.told
        assert side.count(*self.entry.words("settle")) <= 1, self.company.effects
        assert side.count("create") <= 1, self.company.effects
        ends = side.count(*self.entry.words("cancel", "cancel_unpaid"))
        assert ends <= 1, self.company.effects
        assert not ends or self.whole_cancels or not told.has_page, "ended, though nobody asked"
        # One that failed there may have become a person's since.
        refunds = told.of("refund")
        by_cancel = bool(self.whole_cancels and self.merchant == "refund")
        most = len({one.request_id for one in refunds}) + by_cancel
        assert side.count("refund") <= most, self.company.effects
        assert len(told.refunds) <= side.count("refund"), self.company.effects

    def _check_list(self) -> None:
        """A refund of which VTEX was told a failure, and that may still be made, is a person's."""
        sql = """
            SELECT requests.request_id, requests.state, sends.state, reply_status
            FROM requests JOIN sends ON sends.claim_id = requests.id
            WHERE requests.operation = 'refund'"""
        for request_id, state, sent, kept in self.rig.execute(sql):
            may_be_made = sent in {"open", "accepted"}
            is_late = sent == "done" and kept is None and request_id not in self.told.refunds
            if may_be_made or is_late:
                # In the second case another request found its end, and reconcile is to tell.
                allowed = {"manual", "running"} | ({"unknown"} if is_late else set())
                assert state in allowed, (request_id, state, sent)

    def states(self) -> list[tuple[str, str]]:
        rows = self.rig.connector.requests.rows()
        return [(row.operation, row.state.value) for row in rows]
