"""A database with two merchants, and what one process may see of it."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from cryptography.fernet import Fernet

from connector.domain.attempt_end import AttemptEnd
from connector.domain.merchant import CapturedPolicy
from connector.domain.operation import (
    CallbackChange,
    CancelRequest,
    Lease,
    NotificationRequest,
    Outcome,
    Reply,
    Request,
    State,
    StoredReply,
)
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.story import Kind, Step
from connector.domain.write import Write, WriteState
from connector.storage.database import Database
from connector.storage.merchants import Merchants
from connector.storage.payments import Payments
from connector.storage.requests import Requests
from connector.storage.vault import Vault

DONE = Outcome(State.DONE, None, "Cancelled", "cancellation-1", is_final=True)
FAILED = Outcome(State.FAILED, "provider-unavailable", "Not now")
REPLY = Reply(200, b'{"any": "bytes", \xff\x00}')
SEND = Write("release", 1, "reference-1")
TABLES = ("requests", "payments", "sends", "events")


def as_cancelled(lease: Lease, sandbox: bool | None = None) -> Payment:
    return replace(
        lease.payment.moved(PaymentStatus.CANCELLED),
        cancellation_id="cancellation-1",
        sandbox=sandbox,
    )


def ended(outcome: Outcome) -> Step:
    words = {"code": outcome.code, "message": outcome.message, "reason": outcome.reason}
    return Step(Kind.ENDED, state=outcome.state, **words)


class Store:
    """Requests and payments of the merchants 1 and 2."""

    def __init__(self, url: str) -> None:
        url = url.replace("postgresql://", "postgresql+psycopg://")
        self.database = Database(url, pool_size=60)
        self.requests = Requests(self.database)
        self.payments = Payments(self.database)
        self.vault = Vault([Fernet.generate_key().decode()])
        self.merchants = Merchants(self.database, self.vault)
        for name in ("shop", "other"):
            self.merchants.add(name, "sandbox", {}, sandbox=False, captured=CapturedPolicy.MANUAL)

    def claim(
        self, request: Request, *, lease_seconds: float = 60, first_look: float = 60
    ) -> Lease | StoredReply | None:
        return self.requests.claim(request, lease_seconds=lease_seconds, first_look=first_look)

    def lease(self, request: Request, **values: Any) -> Lease:
        lease = self.claim(request, **values)
        assert isinstance(lease, Lease)
        return lease

    def end(
        self,
        lease: Lease,
        outcome: Outcome = FAILED,
        reply: Reply | None = None,
        *,
        payment: Payment | None = None,
        write_states: dict[tuple[str, int], WriteState] | None = None,
        looks: int = 0,
        next_look: float | None = None,
        callback_change: CallbackChange = CallbackChange.UNCHANGED,
    ) -> None:
        """End a turn; `payment` is as it was unless given."""
        end = AttemptEnd(
            outcome,
            payment or lease.payment,
            reply,
            write_states=write_states or {},
            looks=looks,
            next_look=next_look,
            callback_change=callback_change,
            steps=[ended(outcome)],
        )
        self.requests.record_outcome(lease, end)

    def finish(self, lease: Lease, sandbox: bool | None = None, **values: Any) -> None:
        """End a turn with the payment cancelled and the reply kept."""
        self.end(lease, DONE, REPLY, payment=as_cancelled(lease, sandbox), **values)

    def start(self, lease: Lease, send: Write = SEND, payment: Payment | None = None) -> None:
        self.requests.start_write(lease, send, payment or lease.payment, {})

    def record(
        self,
        payment_id: str = "P1",
        *,
        callback_change: CallbackChange = CallbackChange.UNCHANGED,
        **known: Any,
    ) -> Payment:
        """Let a payment be known as `known`; return it as it was recorded."""
        lease = self.lease(asked(f"record-{payment_id}", payment_id))
        payment = replace(lease.payment, **known)
        self.end(lease, payment=payment, callback_change=callback_change)
        return payment

    def known(self, payment_id: str = "P1", merchant_id: int = 1) -> Payment:
        payment = self.payments.find(merchant_id, payment_id)
        assert payment
        return payment

    def run(self, sql: str, **values: Any) -> None:
        with self.database.write() as connection:
            connection.run(sql, **values)

    def all(self, sql: str, **values: Any) -> list[Any]:
        with self.database.read() as connection:
            return [tuple(row.values()) for row in connection.all(sql, **values)]

    def ends(self) -> list[tuple[str, str | None, str | None]]:
        """How attempts ended, and what a person closed."""
        kinds = "('told', 'ended', 'closed')"
        sql = f"SELECT state, code, message FROM events WHERE kind IN {kinds} ORDER BY id"  # noqa: S608
        return self.all(sql)

    def contents(self) -> dict[str, list[Any]]:
        return {table: self.all(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608

    def let_the_lease_end(self) -> None:
        self.run("UPDATE payments SET lease_until = 1 WHERE lease_until IS NOT NULL")


def asked(
    request_id: str = "request-1", payment_id: str = "P1", *, merchant_id: int = 1, **values: Any
) -> CancelRequest:
    return CancelRequest(merchant_id, PaymentKey(payment_id), request_id, **values)


def told(request_id: str = "message-1", payment_id: str = "P1", **values: Any) -> Any:
    return NotificationRequest(1, PaymentKey(payment_id), request_id, **values)


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Do work in threads that begin at once; return what came of it, failures too."""
    found: list[Any] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        ready.wait()
        try:
            found.append(work(number))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            found.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found
