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
from connector.storage.database import Connection, Database

_KEPT = """
    SELECT reply_status, reply_body, value FROM requests
    WHERE id = :id AND reply_status IS NOT NULL"""

_INSERT = """
    INSERT INTO requests (
        id, merchant_id, operation, payment_id, request_id, authorization_id,
        provider_payment_id, sandbox, value, state, attempts, looks, next_look_at,
        created_at, updated_at)
    VALUES (
        :id, :merchant_id, :operation, :payment_id, :request_id, :authorization_id,
        :provider_payment_id, :sandbox, :value, 'running', 1, 0, NOW + :first_look,
        NOW, NOW)
    ON CONFLICT (id) DO NOTHING
    RETURNING id"""

# What VTEX repeats is taken up again; what it now leaves out is still known.
_TAKE_UP = """
    UPDATE requests SET
        state = 'running', attempts = attempts + 1, value = :value, looks = 0,
        authorization_id = coalesce(:authorization_id, authorization_id),
        provider_payment_id = coalesce(:provider_payment_id, provider_payment_id),
        next_look_at = NOW + :first_look, updated_at = NOW
    WHERE id = :id AND reply_status IS NULL"""

# A row on the operator's list stays there while reconcile looks.
_TAKE_UP_DUE = """
    UPDATE requests SET
        state = CASE WHEN state = 'manual' THEN state ELSE 'running' END,
        attempts = attempts + 1, updated_at = NOW
    WHERE id = :id AND next_look_at <= NOW"""

_LEASE = """
    INSERT INTO payments (
        merchant_id, payment_id, status, sends, lease_claim, lease_token, lease_until,
        created_at, updated_at)
    VALUES (:merchant_id, :payment_id, 'PENDING', 0, :id, :token, NOW + :seconds, NOW, NOW)
    ON CONFLICT (merchant_id, payment_id) DO UPDATE SET
        lease_claim = excluded.lease_claim, lease_token = excluded.lease_token,
        lease_until = excluded.lease_until
    WHERE payments.lease_until IS NULL OR payments.lease_until < NOW
    RETURNING status, sandbox, cancellation_id, sends"""

_PROGRESS = """
    SELECT requests.state, requests.attempts, requests.code, requests.message,
        payments.lease_until > NOW, payments.lease_claim = :id
    FROM payments LEFT JOIN requests ON requests.id = :id
    WHERE payments.merchant_id = :merchant_id AND payments.payment_id = :payment_id"""

_SENDS = """
    SELECT action, number, reference, state, NOW - sent_at FROM sends
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id ORDER BY sent_at, number"""

_MARK_SENDING = """
    UPDATE payments SET sandbox = :sandbox, sends = sends + 1, updated_at = NOW
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND lease_token = :token AND lease_until > NOW"""

_SEND = """
    INSERT INTO sends (merchant_id, payment_id, action, number, reference, state, sent_at)
    VALUES (:merchant_id, :payment_id, :action, :number, :reference, 'open', NOW)
    ON CONFLICT (merchant_id, payment_id, action, number) DO UPDATE SET
        sent_at = excluded.sent_at"""

_REFERENCE = "UPDATE requests SET reference = :reference WHERE id = :id"

_CLOSE_SENDS = """
    UPDATE sends SET state = :state
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND action = :action AND state = 'open'"""

# A new reference means that the one before it certainly failed.
_FAIL_EARLIER = """
    UPDATE sends SET state = 'failed'
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id
        AND action = :action AND number < :number AND state = 'open'"""

_END_TURN = """
    UPDATE payments SET
        lease_claim = NULL, lease_token = NULL, lease_until = NULL, status = :status,
        cancellation_id = :cancellation_id, sandbox = :sandbox, updated_at = NOW
    WHERE merchant_id = :merchant_id AND payment_id = :payment_id AND lease_token = :token"""

# A final reply, once kept, never changes.
_END_ATTEMPT = """
    UPDATE requests SET
        state = :state, code = :code, message = :message,
        reply_body = CASE WHEN reply_status IS NULL THEN :body ELSE reply_body END,
        reply_status = coalesce(reply_status, :reply),
        looks = :looks, next_look_at = NOW + :next_look, updated_at = NOW
    WHERE id = :id"""

_EVENT = """
    INSERT INTO events (request, at, state, code, message)
    VALUES (:id, NOW, :state, :code, :message)"""

_DUE = """
    SELECT merchant_id, payment_id, request_id, authorization_id, provider_payment_id,
        sandbox, value, looks, state
    FROM requests WHERE next_look_at <= NOW ORDER BY next_look_at LIMIT :most"""

_LIST = """
    SELECT merchants.name, merchants.provider, operation, payment_id, request_id, state, code,
        reference, attempts, requests.created_at, requests.updated_at
    FROM requests JOIN merchants ON merchants.id = requests.merchant_id
    WHERE (:state = '' OR state = :state) AND (:merchant = '' OR merchants.name = :merchant)
    ORDER BY requests.created_at, requests.id"""


class _Occupied(Exception):
    """Another request holds the lease: nothing of this one is recorded."""


class Requests:
    """What is stored of requests and payments. Every method is one transaction at most."""

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
                is_new = connection.one(_INSERT, **values, first_look=first_look) is not None
                if not is_new and not _take_up(connection, values, first_look):
                    return _kept(connection, request)
                return _lease(connection, request, lease)
        except _Occupied:
            return None

    def claim_due(self, request: CancelRequest, *, lease: float) -> Turn | None:
        """Take up a request that reconcile is to look at, unless another did meanwhile."""
        try:
            with self._database.write() as connection:
                if not connection.run(_TAKE_UP_DUE, id=request.claim_id):
                    return None
                return _lease(connection, request, lease)
        except _Occupied:
            return None

    def progress(self, request: CancelRequest) -> Progress:
        """Say what is going on with a payment and a request of it."""
        with self._database.read() as connection:
            row = connection.one(_PROGRESS, id=request.claim_id, **_payment(request))
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
            if not connection.run(_MARK_SENDING, token=turn.token, sandbox=sandbox, **of_payment):
                raise LeaseLost
            named = {"action": send.action, "number": send.number, **of_payment}
            if send.number > 1:
                connection.run(_FAIL_EARLIER, **named)
            connection.run(_SEND, reference=send.reference, **named)
            connection.run(_REFERENCE, id=turn.claim_id, reference=send.reference)

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
        open write ended, "done" or "failed". Raises LeaseLost when the turn is another's by now.
        """
        is_done = outcome.state is State.DONE
        with self._database.write() as connection:
            ended = connection.run(
                _END_TURN,
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
                connection.run(_CLOSE_SENDS, action=action, state=state, **_payment_of(turn))
            words = {"state": outcome.state.value, "code": outcome.code, "message": outcome.message}
            connection.run(
                _END_ATTEMPT,
                id=turn.claim_id,
                reply=reply and reply.status,
                body=reply and reply.body,
                looks=looks,
                next_look=next_look,
                **words,
            )
            connection.run(_EVENT, id=turn.claim_id, **words)

    def due(self, most: int) -> list[Due]:
        """Return the requests reconcile is to look at now, the longest due first."""
        with self._database.read() as connection:
            return [_due(row) for row in connection.all(_DUE, most=most)]

    def rows(self, *, state: str = "", merchant: str = "") -> list[Row]:
        """Return what `connector operations list` shows, oldest first."""
        with self._database.read() as connection:
            found = connection.all(_LIST, state=state, merchant=merchant)
        return [_row(row) for row in found]


def _kept(connection: Connection, request: CancelRequest) -> Kept | None:
    row = connection.one(_KEPT, id=request.claim_id)
    if row is None:
        return None
    status, body, value = row
    return Kept(Reply(status, bytes(body)), None if value is None else Decimal(value))


def _take_up(connection: Connection, values: dict[str, Any], first_look: float) -> bool:
    names = ("id", "value", "authorization_id", "provider_payment_id")
    kept = {name: values[name] for name in names}
    return bool(connection.run(_TAKE_UP, first_look=first_look, **kept))


def _lease(connection: Connection, request: CancelRequest, seconds: float) -> Turn:
    of_payment = _payment(request)
    token = uuid.uuid4().hex
    row = connection.one(_LEASE, id=request.claim_id, token=token, seconds=seconds, **of_payment)
    if row is None:
        raise _Occupied
    status, sandbox, cancellation_id, count = row
    sends = connection.all(_SENDS, **of_payment) if count else []
    return Turn(
        claim_id=request.claim_id,
        token=token,
        merchant_id=request.merchant_id,
        payment_id=request.payment.payment_id,
        status=PaymentStatus(status),
        sandbox=None if sandbox is None else bool(sandbox),
        cancellation_id=cancellation_id,
        sends=tuple(map(_send, sends)),
    )


def _send(row: tuple[Any, ...]) -> Send:
    action, number, reference, state, age = row
    return Send(action, number, reference, state, float(age))


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
    key = request.payment
    return {
        "id": request.claim_id,
        "operation": request.operation,
        "request_id": _escaped(request.request_id),
        "authorization_id": _escaped(key.authorization_id),
        "provider_payment_id": _escaped(key.provider_payment_id),
        "sandbox": request.sandbox,
        "value": None if request.value is None else str(request.value),
        **_payment(request),
    }


def _payment(request: CancelRequest) -> dict[str, Any]:
    return {"merchant_id": request.merchant_id, "payment_id": request.payment.payment_id}


def _payment_of(turn: Turn) -> dict[str, Any]:
    return {"merchant_id": turn.merchant_id, "payment_id": turn.payment_id}


def _due(row: tuple[Any, ...]) -> Due:
    merchant_id, payment_id, request_id, authorization_id, provider_payment_id = row[:5]
    sandbox, value, looks, state = row[5:]
    request = CancelRequest(
        merchant_id=merchant_id,
        payment=PaymentKey(payment_id, _plain(authorization_id), _plain(provider_payment_id)),
        request_id=_plain(request_id) or "",
        value=None if value is None else Decimal(value),
        sandbox=bool(sandbox),
    )
    return Due(request, looks, State(state))


def _escaped(value: str | None) -> str | None:
    """Write any characters, NUL and lone surrogates too, as ones every database takes."""
    return None if value is None else json.dumps(value)[1:-1]


def _plain(value: str | None) -> str | None:
    return None if value is None else str(json.loads(f'"{value}"'))
