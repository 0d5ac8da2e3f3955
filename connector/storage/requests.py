"""Requests, the lease on a payment, and the writes sent to companies."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.domain.errors import LeaseLost, PaymentBusy, RequestMismatch, Rule
from connector.domain.operation import (
    CallbackChange,
    DueRequest,
    Lease,
    NotificationRequest,
    Operation,
    Outcome,
    Progress,
    Reply,
    Request,
    Row,
    State,
    StoredReply,
)
from connector.domain.operation_rules import RULES
from connector.domain.payment import Payment, PaymentKey
from connector.domain.story import MOST_ATTEMPTS, Kind, Step
from connector.domain.write import Write, WriteState
from connector.storage import statements as sql
from connector.storage.columns import decimal, escaped, text
from connector.storage.database import Connection, Database
from connector.storage.payments import payment_from, payment_values
from connector.storage.rows import due_from, row_from, send_from
from connector.storage.stories import write_steps

# What an event says of a row that a person closed.
CLOSED = "An operator closed it"


class _Undone(Exception):
    """Another request holds the lease, or there is nothing to do: nothing is recorded."""


class Requests:
    """What is stored of requests and payments. Every method is one transaction at most.

    A transaction locks the payment first and the request after it: in one order everywhere, so
    that no two wait for each other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def stored_reply(self, request: Request) -> StoredReply | None:
        """Return the final reply of a request, if there is one."""
        with self._database.read() as connection:
            return _kept(connection, request)

    def claim(
        self, request: Request, *, lease_seconds: float, first_look: float
    ) -> Lease | StoredReply | None:
        """Record a request and take the lease on its payment, both or neither.

        Returns the turn, or the final reply when there is one by now, or None when another
        request holds the lease. `lease` and `first_look` are in seconds.
        """
        values = _columns(request)
        try:
            with self._database.write() as connection:
                lease = _lease(connection, request, lease_seconds)
                attempt, is_listed, *before = _record(connection, values, first_look)
                if attempt <= MOST_ATTEMPTS:
                    asked = Step(Kind.ASKED, attempt, amount=request.value)
                    write_steps(connection, lease.claim_id, [asked])
                return replace(lease, attempt=attempt, is_listed=is_listed, before=tuple(before))
        except _Undone:
            return self.stored_reply(request)

    def record_notification(self, request: Request, provider_status: str = "") -> bool:
        """Keep a request for reconcile to look at; say whether it is new.

        `provider_status` is the status word in the company's message.
        """
        with self._database.write() as connection:
            is_new = connection.one(sql.REMEMBER, **_columns(request)) is not None
            if is_new:
                step = Step(
                    Kind.NOTIFIED, reported_status=provider_status or None, state=State.WAITING
                )
                write_steps(connection, request.claim_id, [step])
            return is_new

    def claim_due(self, request: Request, *, lease_seconds: float) -> Lease | None:
        """Take up a request that reconcile is to look at, unless another did meanwhile."""
        try:
            with self._database.write() as connection:
                lease = _lease(connection, request, lease_seconds)
                attempt, is_listed, *before = _take_up_due(connection, request)
                return replace(lease, attempt=attempt, is_listed=is_listed, before=tuple(before))
        except _Undone:
            return None

    def progress(self, request: Request) -> Progress:
        """Say what is going on with a payment and a request of it."""
        with self._database.read() as connection:
            row = connection.one(sql.PROGRESS, id=request.claim_id, **_payment(request))
        if row is None:
            return Progress(is_held=False, is_same=False)
        state, attempts, code, message, is_held, is_same = row
        return Progress(
            is_held=bool(is_held),
            is_same=bool(is_same),
            state=state and State(state),
            attempts=attempts or 0,
            code=code,
            message=message or "",
        )

    def start_write(
        self,
        lease: Lease,
        write: Write,
        payment: Payment,
        closed: Mapping[tuple[str, int], WriteState],
        steps: Sequence[Step] = (),
    ) -> None:
        """Record that a write is about to be sent, and the `steps` up to that.

        Raises LeaseLost when it must not be.
        """
        of_payment = _payment_of(lease)
        with self._database.write() as connection:
            if not connection.run(
                sql.MARK_SENDING, token=lease.token, **payment_values(payment), **of_payment
            ):
                raise LeaseLost(reason=Rule.TURN_LOST)
            _close(connection, lease, closed)
            connection.run(
                sql.SEND,
                action=write.action,
                number=write.number,
                reference=write.reference,
                failures_before=write.failures_before,
                claim_id=write.claim_id,
                amount=text(write.amount),
                refunded_before=text(write.refunded_before),
                **of_payment,
            )
            connection.run(sql.REFERENCE, id=lease.claim_id, reference=write.reference)
            write_steps(connection, lease.claim_id, steps)

    def values(self, lease: Lease, operation: Operation) -> dict[str, Decimal]:
        """Return what requests of this kind asked for of the payment, by claim."""
        with self._database.read() as connection:
            rows = connection.all(sql.VALUES, operation=operation.value, **_payment_of(lease))
        return {claim_id: Decimal(value) for claim_id, value in rows}

    def record_outcome(
        self,
        lease: Lease,
        outcome: Outcome,
        reply: Reply | None,
        *,
        payment: Payment,
        closed: Mapping[tuple[str, int], WriteState],
        looks: int,
        next_look: float | None,
        callback_change: CallbackChange,
        steps: Sequence[Step] = (),
    ) -> None:
        """Record what came of a turn and give the lease back, in one transaction.

        `payment` is as it is known now. `reply` is kept when it is the first final one.
        `closed` says how writes ended. `steps` are those since the last ones that were recorded.
        Raises LeaseLost when the payment is leased to another request by now.
        """
        with self._database.write() as connection:
            if not connection.run(
                sql.END_TURN,
                token=lease.token,
                callback_change=callback_change.value,
                **payment_values(payment),
                **_payment_of(lease),
            ):
                raise LeaseLost(reason=Rule.TURN_LOST)
            _close(connection, lease, closed)
            connection.run(
                sql.END_ATTEMPT,
                id=lease.claim_id,
                reply=reply and reply.status,
                body=reply and reply.body,
                looks=looks,
                next_look=next_look,
                state=outcome.state.value,
                code=outcome.code,
                message=outcome.message,
                reason=outcome.reason,
            )
            write_steps(connection, lease.claim_id, steps)

    def due(self, most: int, after: DueRequest | None = None) -> list[DueRequest]:
        """Return the requests reconcile is to look at now, the longest due first.

        `after` is the last one of those returned before.
        """
        at, claim_id = (after.at, after.request.claim_id) if after else (0.0, "")
        with self._database.read() as connection:
            return [due_from(row) for row in connection.all(sql.DUE, most=most, at=at, id=claim_id)]

    def close(self, request: Request, who: str = "") -> None:
        """Say that a person did it, for a request on the operator's list.

        `who` said so.
        Raises PaymentBusy while another has the turn, or when it is not on the list any more.
        """
        with self._database.write() as connection:
            is_free = connection.run(sql.FREE, **_payment(request))
            if not (is_free and connection.run(sql.CLOSE, id=request.claim_id)):
                raise PaymentBusy("The payment is being worked on; try again in a minute")
            step = Step(Kind.CLOSED, state=State.DONE, message=CLOSED, who=who or None)
            write_steps(connection, request.claim_id, [step])

    def rows(self, *, state: str = "", merchant: str = "", payment_id: str = "") -> list[Row]:
        """Return what `connector operations list` shows, oldest first."""
        named = {"state": state, "merchant": merchant, "payment_id": payment_id}
        with self._database.read() as connection:
            return [row_from(row) for row in connection.all(sql.LIST, **named)]


def _kept(connection: Connection, request: Request) -> StoredReply | None:
    row = connection.one(sql.KEPT, id=request.claim_id)
    if row is None:
        return None
    status, body, code, value = row
    return StoredReply(Reply(status, bytes(body), code), None if value is None else Decimal(value))


def _close(
    connection: Connection, lease: Lease, closed: Mapping[tuple[str, int], WriteState]
) -> None:
    for (action, number), state in closed.items():
        named = {"action": action, "number": number, "state": state.value}
        connection.run(sql.CLOSE_SEND, **named, **_payment_of(lease))


def _record(connection: Connection, values: dict[str, Any], first_look: float) -> tuple[Any, ...]:
    """Record a request, or take it up unless its reply is final; see `sql.TAKE_UP`."""
    if made := connection.one(sql.INSERT, **values, first_look=first_look):
        return made
    rules = RULES[Operation(values["operation"])]
    if rules.keeps_its_value:
        _refuse_another_value(connection, values)
    again = {"id": values["id"], "value": values["value"], "stays_listed": rules.stays_listed}
    taken = connection.one(sql.TAKE_UP, first_look=first_look, **again)
    if taken is None:
        raise _Undone
    return taken


def _refuse_another_value(connection: Connection, values: dict[str, Any]) -> None:
    """A refund that may be under way is of one amount. Raises RequestMismatch."""
    started = connection.one(sql.STARTED, id=values["id"])
    if started is not None and decimal(started[0]) != decimal(values["value"]):
        raise RequestMismatch


def _take_up_due(connection: Connection, request: Request) -> tuple[Any, ...]:
    taken = connection.one(sql.TAKE_UP_DUE, id=request.claim_id)
    if taken is None:
        raise _Undone
    return taken


def _lease(connection: Connection, request: Request, seconds: float) -> Lease:
    of_payment = _payment(request)
    token = uuid.uuid4().hex
    row = connection.one(
        sql.LEASE,
        id=request.claim_id,
        token=token,
        seconds=seconds,
        authorization_id=escaped(request.payment.authorization_id),
        provider_payment_id=escaped(request.payment.provider_payment_id),
        uses_payment_id=request.payment.uses_payment_id,
        **of_payment,
    )
    if row is None:
        raise _Undone
    sends = connection.all(sql.SENDS, **of_payment) if row[-1] else []
    return Lease(
        claim_id=request.claim_id,
        token=token,
        seconds=seconds,
        merchant_id=request.merchant_id,
        payment=payment_from(request.payment.payment_id, row[:-1]),
        writes=tuple(map(send_from, sends)),
    )


def _columns(request: Request) -> dict[str, Any]:
    told = request.purchase if isinstance(request, NotificationRequest) else None
    purchase = told or PaymentKey(request.payment.payment_id)
    return {
        "id": request.claim_id,
        "operation": request.operation.value,
        "request_id": escaped(request.request_id),
        "sandbox": request.sandbox,
        "value": text(request.value),
        "authorization_id": escaped(purchase.authorization_id),
        "provider_payment_id": escaped(purchase.provider_payment_id),
        **_payment(request),
    }


def _payment(request: Request) -> dict[str, Any]:
    return {"merchant_id": request.merchant_id, "payment_id": request.payment.payment_id}


def _payment_of(lease: Lease) -> dict[str, Any]:
    return {"merchant_id": lease.merchant_id, "payment_id": lease.payment.key.payment_id}
