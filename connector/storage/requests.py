"""Requests, the lease on a payment, and the writes sent to companies."""

import json
import uuid
from decimal import Decimal
from typing import Any

from connector.domain.errors import LeaseLost
from connector.domain.operation import (
    CancelRequest,
    Due,
    Kept,
    Outcome,
    Progress,
    Reply,
    Row,
    Send,
    State,
    Turn,
)
from connector.domain.payment import PaymentKey, PaymentStatus
from connector.storage import statements as sql
from connector.storage.database import Connection, Database


class _Undone(Exception):
    """Another request holds the lease, or there is nothing to do: nothing is recorded."""


class Requests:
    """What is stored of requests and payments. Every method is one transaction at most.

    A transaction locks the payment first and the request after it: in one order everywhere, so
    that no two wait for each other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept(self, request: CancelRequest) -> Kept | None:
        """Return the final reply of a request, if there is one."""
        with self._database.read() as connection:
            return _kept(connection, request)

    def claim(
        self, request: CancelRequest, *, lease: float, first_look: float
    ) -> Turn | Kept | None:
        """Record a request and take the lease on its payment, both or neither.

        Returns the turn, or the final reply when there is one by now, or None when another
        request holds the lease. `lease` and `first_look` are in seconds.
        """
        values = _columns(request)
        try:
            with self._database.write() as connection:
                turn = _lease(connection, request, lease)
                _record(connection, values, first_look)
                return turn
        except _Undone:
            return self.kept(request)

    def claim_due(self, request: CancelRequest, *, lease: float) -> Turn | None:
        """Take up a request that reconcile is to look at, unless another did meanwhile."""
        try:
            with self._database.write() as connection:
                turn = _lease(connection, request, lease)
                _take_up_due(connection, request)
                return turn
        except _Undone:
            return None

    def progress(self, request: CancelRequest) -> Progress:
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

    def start_send(self, turn: Turn, send: Send, *, sandbox: bool) -> None:
        """Record that a write is about to be sent. Raises LeaseLost when it must not be."""
        of_payment = _payment_of(turn)
        with self._database.write() as connection:
            if not connection.run(
                sql.MARK_SENDING, token=turn.token, sandbox=sandbox, **of_payment
            ):
                raise LeaseLost
            named = {"action": send.action, "number": send.number, **of_payment}
            if send.number > 1:
                connection.run(sql.FAIL_EARLIER, **named)
            connection.run(
                sql.SEND,
                reference=send.reference,
                failures_before=send.failures_before,
                **named,
            )
            connection.run(sql.REFERENCE, id=turn.claim_id, reference=send.reference)

    def end_turn(
        self,
        turn: Turn,
        outcome: Outcome,
        reply: Reply | None,
        *,
        sandbox: bool | None,
        closed: tuple[str, str] | None,
        looks: int,
        next_look: float | None,
    ) -> None:
        """Record what came of a turn and give the lease back, in one transaction.

        `reply` is kept when it is the first final one. `closed` names an action and how its
        open write ended. Raises LeaseLost when the turn is another's by now.
        """
        is_done = outcome.state is State.DONE and outcome.is_of_payment
        with self._database.write() as connection:
            ended = connection.run(
                sql.END_TURN,
                token=turn.token,
                status=PaymentStatus.CANCELLED.value if is_done else turn.status.value,
                cancellation_id=outcome.cancellation_id if is_done else turn.cancellation_id,
                sandbox=sandbox,
                **_payment_of(turn),
            )
            if not ended:
                raise LeaseLost
            if closed:
                action, state = closed
                connection.run(sql.CLOSE_SENDS, action=action, state=state, **_payment_of(turn))
            words = {"state": outcome.state.value, "code": outcome.code, "message": outcome.message}
            connection.run(
                sql.END_ATTEMPT,
                id=turn.claim_id,
                reply=reply and reply.status,
                body=reply and reply.body,
                looks=looks,
                next_look=next_look,
                **words,
            )
            connection.run(sql.EVENT, id=turn.claim_id, **words)

    def due(self, most: int, after: Due | None = None) -> list[Due]:
        """Return the requests reconcile is to look at now, the longest due first.

        `after` is the last one of those returned before.
        """
        at, claim_id = (after.at, after.request.claim_id) if after else (0.0, "")
        with self._database.read() as connection:
            return [_due(row) for row in connection.all(sql.DUE, most=most, at=at, id=claim_id)]

    def rows(self, *, state: str = "", merchant: str = "") -> list[Row]:
        """Return what `connector operations list` shows, oldest first."""
        with self._database.read() as connection:
            found = connection.all(sql.LIST, state=state, merchant=merchant)
        return [_row(row) for row in found]


def _kept(connection: Connection, request: CancelRequest) -> Kept | None:
    row = connection.one(sql.KEPT, id=request.claim_id)
    if row is None:
        return None
    status, body, code, value = row
    return Kept(Reply(status, bytes(body), code), None if value is None else Decimal(value))


def _record(connection: Connection, values: dict[str, Any], first_look: float) -> None:
    """Record a request, or take it up again unless its reply is final."""
    if connection.one(sql.INSERT, **values, first_look=first_look) is not None:
        return
    again = {"id": values["id"], "value": values["value"]}
    if not connection.run(sql.TAKE_UP, first_look=first_look, **again):
        raise _Undone


def _take_up_due(connection: Connection, request: CancelRequest) -> None:
    if not connection.run(sql.TAKE_UP_DUE, id=request.claim_id):
        raise _Undone


def _lease(connection: Connection, request: CancelRequest, seconds: float) -> Turn:
    of_payment = _payment(request)
    token = uuid.uuid4().hex
    row = connection.one(
        sql.LEASE,
        id=request.claim_id,
        token=token,
        seconds=seconds,
        authorization_id=_escaped(request.payment.authorization_id),
        provider_payment_id=_escaped(request.payment.provider_payment_id),
        **of_payment,
    )
    if row is None:
        raise _Undone
    authorization_id, provider_payment_id, status, sandbox, cancellation_id, count = row
    sends = connection.all(sql.SENDS, **of_payment) if count else []
    return Turn(
        claim_id=request.claim_id,
        token=token,
        merchant_id=request.merchant_id,
        payment=PaymentKey(
            request.payment.payment_id, _plain(authorization_id), _plain(provider_payment_id)
        ),
        status=PaymentStatus(status),
        sandbox=None if sandbox is None else bool(sandbox),
        cancellation_id=cancellation_id,
        sends=tuple(map(_send, sends)),
    )


def _send(row: tuple[Any, ...]) -> Send:
    action, number, reference, state, age, failures = row
    return Send(action, number, reference, state, float(age), failures)


def _row(row: tuple[Any, ...]) -> Row:
    merchant, provider, operation, payment_id, request_id, state, code = row[:7]
    reference, attempts, created_at, updated_at = row[7:]
    return Row(
        merchant=merchant,
        provider=provider,
        operation=operation,
        payment_id=payment_id,
        request_id=_plain(request_id) or "",
        state=State(state),
        code=code,
        reference=reference,
        attempts=attempts,
        created_at=created_at,
        updated_at=updated_at,
    )


def _columns(request: CancelRequest) -> dict[str, Any]:
    return {
        "id": request.claim_id,
        "operation": request.operation,
        "request_id": _escaped(request.request_id),
        "sandbox": request.sandbox,
        "value": None if request.value is None else str(request.value),
        **_payment(request),
    }


def _payment(request: CancelRequest) -> dict[str, Any]:
    return {"merchant_id": request.merchant_id, "payment_id": request.payment.payment_id}


def _payment_of(turn: Turn) -> dict[str, Any]:
    return {"merchant_id": turn.merchant_id, "payment_id": turn.payment.payment_id}


def _due(row: tuple[Any, ...]) -> Due:
    merchant_id, payment_id, request_id, sandbox, value, looks, state, at = row
    request = CancelRequest(
        merchant_id=merchant_id,
        payment=PaymentKey(payment_id),
        request_id=_plain(request_id) or "",
        value=None if value is None else Decimal(value),
        sandbox=bool(sandbox),
    )
    return Due(request, looks, State(state), at)


def _escaped(value: str | None) -> str | None:
    """Write any characters, NUL and lone surrogates too, as ones every database takes."""
    return None if value is None else json.dumps(value)[1:-1]


def _plain(value: str | None) -> str | None:
    return None if value is None else str(json.loads(f'"{value}"'))
