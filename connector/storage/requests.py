"""The recorded requests, the leases on payments, and the writes to companies."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.domain.attempt_end import AttemptEnd
from connector.domain.errors import LeaseLost, PaymentBusy, Rule
from connector.domain.operation import (
    DueRequest,
    Lease,
    ListedRequest,
    Operation,
    Progress,
    Request,
    State,
    StoredReply,
)
from connector.domain.operation_rules import RULES
from connector.domain.payment import Payment
from connector.domain.story import MOST_ATTEMPTS, Kind, Step
from connector.domain.write import Write, WriteStates
from connector.storage import statements as sql
from connector.storage.columns import Row, decimal
from connector.storage.database import Connection, Database
from connector.storage.mapping import (
    company_ids,
    due_from,
    listed_from,
    payment_from,
    payment_values,
    progress_from,
    reply_from,
    request_values,
    searched_ids,
    write_from,
    write_values,
)
from connector.storage.stories import write_steps

# The message of the step by which a person closes a request.
CLOSED = "An operator closed it"


class _LeaseNotTaken(Exception):
    """Another request holds the lease, or no attempt is needed. The transaction records nothing."""


class Requests:
    """The recorded requests and their payments. A method has one transaction at most.

    Every transaction locks the payment first, and the request after the payment. So no two
    transactions wait for each other.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def stored_reply(self, request: Request) -> StoredReply | None:
        """Return the final reply of a request, if there is one."""
        with self._database.read() as connection:
            row = connection.first_row(sql.FINAL_REPLY, id=request.claim_id)
        return None if row is None else reply_from(row)

    def claim(
        self, request: Request, *, lease_seconds: float, first_look: float
    ) -> Lease | StoredReply | None:
        """Record a request and take the lease on its payment, both or neither.

        Returns the lease, or the final reply if another request has stored one, or None if another
        request holds the lease. After `first_look` seconds reconcile may look at the request.
        """
        try:
            with self._database.write() as connection:
                payment = _take_lease(connection, request, lease_seconds)
                attempt = _begin_attempt(connection, request, first_look)
                lease = _lease_from(connection, request, lease_seconds, payment, attempt)
                if lease.attempt <= MOST_ATTEMPTS:
                    step = Step(Kind.ASKED, lease.attempt, amount=request.value)
                    write_steps(connection, lease.claim_id, [step])
                return lease
        except _LeaseNotTaken:
            return self.stored_reply(request)

    def claim_due(self, request: Request, *, lease_seconds: float) -> Lease | None:
        """Take the lease for a due request of reconcile's. None: another process was faster."""
        try:
            with self._database.write() as connection:
                payment = _take_lease(connection, request, lease_seconds)
                attempt = connection.first_row(sql.TAKE_UP_DUE, id=request.claim_id)
                return _lease_from(connection, request, lease_seconds, payment, attempt)
        except _LeaseNotTaken:
            return None

    def record_notification(self, request: Request, provider_status: str = "") -> bool:
        """Record a notification that is due for reconcile. Returns whether it is new.

        `provider_status` is the status word in the company's message.
        """
        with self._database.write() as connection:
            row = connection.first_row(sql.INSERT_NOTIFICATION, **request_values(request))
            if row is not None:
                status = provider_status or None
                step = Step(Kind.NOTIFIED, reported_status=status, state=State.WAITING)
                write_steps(connection, request.claim_id, [step])
            return row is not None

    def progress(self, request: Request) -> Progress:
        """Return the progress of a request, and whether a request holds the payment's lease."""
        with self._database.read() as connection:
            row = connection.first_row(
                sql.PROGRESS, id=request.claim_id, **_key_of_request(request)
            )
        return Progress(is_held=False, is_same=False) if row is None else progress_from(row)

    def start_write(
        self,
        lease: Lease,
        write: Write,
        payment: Payment,
        write_states: WriteStates,
        steps: Sequence[Step] = (),
    ) -> None:
        """Record a write before it is sent, and the `steps` before the write.

        Raises LeaseLost if another request has the lease now. Then the write must not be sent.
        """
        with self._database.write() as connection:
            _record_payment(connection, sql.BEGIN_WRITE, lease, payment)
            _record_write_states(connection, lease, write_states)
            connection.run(sql.INSERT_WRITE, **write_values(write), **_key_of_lease(lease))
            connection.run(sql.SET_REFERENCE, id=lease.claim_id, reference=write.reference)
            write_steps(connection, lease.claim_id, steps)

    def values(self, lease: Lease, operation: Operation) -> dict[str, Decimal]:
        """Return the values of the payment's requests of this operation, by claim."""
        with self._database.read() as connection:
            rows = connection.all(sql.VALUES, operation=operation.value, **_key_of_lease(lease))
        return {row["id"]: Decimal(row["value"]) for row in rows}

    def record_outcome(self, lease: Lease, end: AttemptEnd) -> None:
        """Record the end of an attempt and give the lease back, in one transaction.

        Raises LeaseLost if another request has the lease now.
        """
        change = end.callback_change.value
        with self._database.write() as connection:
            _record_payment(connection, sql.END_LEASE, lease, end.payment, callback_change=change)
            _record_write_states(connection, lease, end.write_states)
            connection.run(sql.END_ATTEMPT, id=lease.claim_id, **_end_values(end))
            write_steps(connection, lease.claim_id, end.steps)

    def due(self, most: int, after: DueRequest | None = None) -> list[DueRequest]:
        """Return the requests that are due for reconcile now, the oldest first.

        `after` is the last request that an earlier call returned.
        """
        at, claim_id = (after.at, after.request.claim_id) if after else (0.0, "")
        with self._database.read() as connection:
            rows = connection.all(sql.DUE_REQUESTS, most=most, at=at, id=claim_id)
        return [due_from(row) for row in rows]

    def close(self, request: Request, who: str = "", note: str = "") -> None:
        """Record that the person `who` finished the task of a request on the operator's list.

        `note` is what that person wrote about it.
        Raises PaymentBusy while another request holds the lease, or if the request is not on the
        list any more.
        """
        with self._database.write() as connection:
            is_free = connection.run(sql.REMOVE_OLD_LEASE, **_key_of_request(request))
            if not (is_free and connection.run(sql.CLOSE_REQUEST, id=request.claim_id)):
                raise PaymentBusy("The payment is being worked on; try again in a minute")
            step = Step(Kind.CLOSED, state=State.DONE, message=CLOSED, who=who or None)
            step = replace(step, note=note or None)
            write_steps(connection, request.claim_id, [step])

    def rows(
        self, *, state: str = "", merchant: str = "", payment_id: str = ""
    ) -> list[ListedRequest]:
        """Return the rows of `connector operations list`, the oldest first."""
        filters = {"state": state, "merchant": merchant, "payment_id": payment_id}
        with self._database.read() as connection:
            return [listed_from(row) for row in connection.all(sql.LISTED_REQUESTS, **filters)]


def _record_payment(
    connection: Connection, statement: str, lease: Lease, payment: Payment, **values: str
) -> None:
    """Record a payment, by a statement that changes it only for the lease's holder."""
    values |= {"token": lease.token, **_key_of_lease(lease)}
    if not connection.run(statement, **payment_values(payment), **values):
        raise LeaseLost(reason=Rule.LEASE_LOST)


def _record_write_states(connection: Connection, lease: Lease, write_states: WriteStates) -> None:
    for (action, number), state in write_states.items():
        values = {"action": action, "number": number, "state": state.value}
        connection.run(sql.END_WRITE, **values, **_key_of_lease(lease))


def _end_values(end: AttemptEnd) -> dict[str, Any]:
    return {
        "state": end.outcome.state.value,
        "code": end.outcome.code,
        "message": end.outcome.message,
        "reason": end.outcome.reason,
        "reply": end.reply and end.reply.status,
        "body": end.reply and end.reply.body,
        "looks": end.looks,
        "next_look": end.next_look,
    }


def _begin_attempt(connection: Connection, request: Request, first_look: float) -> Row | None:
    """Begin an attempt of a new or a repeated request, unless a final reply is stored."""
    values = request_values(request)
    if row := connection.first_row(sql.INSERT_REQUEST, **values, first_look=first_look):
        return row
    rules = RULES[request.operation]
    if rules.keeps_its_value:
        _refuse_another_value(connection, request)
    return connection.first_row(
        sql.REPEAT_REQUEST,
        id=request.claim_id,
        value=values["value"],
        stays_listed=rules.stays_listed,
        first_look=first_look,
    )


def _refuse_another_value(connection: Connection, request: Request) -> None:
    """Raises RequestMismatch if a write began for another value."""
    row = connection.first_row(sql.VALUE_OF_BEGUN, id=request.claim_id)
    if row is not None:
        request.check_repeats(decimal(row["value"]))


def _take_lease(connection: Connection, request: Request, seconds: float) -> Row:
    payment = connection.first_row(
        sql.TAKE_LEASE,
        id=request.claim_id,
        token=uuid.uuid4().hex,
        seconds=seconds,
        uses_payment_id=request.payment.uses_payment_id,
        **company_ids(request.payment),
        **searched_ids(request),
        **_key_of_request(request),
    )
    if payment is None:
        raise _LeaseNotTaken
    return payment


def _lease_from(
    connection: Connection, request: Request, seconds: float, payment: Row, attempt: Row | None
) -> Lease:
    """Make the lease from the rows of its payment and of its attempt."""
    if attempt is None:
        raise _LeaseNotTaken
    writes = connection.all(sql.WRITES, **_key_of_request(request)) if payment["sends"] else []
    return Lease(
        claim_id=payment["lease_claim"],
        token=payment["lease_token"],
        seconds=seconds,
        merchant_id=request.merchant_id,
        payment=payment_from(request.payment.payment_id, payment),
        writes=tuple(map(write_from, writes)),
        attempt=attempt["attempts"],
        previous_end=(attempt["code"], attempt["message"], attempt["reason"]),
        is_listed=bool(attempt["is_listed"]),
    )


def _key_of_request(request: Request) -> dict[str, Any]:
    return {"merchant_id": request.merchant_id, "payment_id": request.payment.payment_id}


def _key_of_lease(lease: Lease) -> dict[str, Any]:
    return {"merchant_id": lease.merchant_id, "payment_id": lease.payment.key.payment_id}
