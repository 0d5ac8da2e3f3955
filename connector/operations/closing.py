"""Close a request on the operator's list: a person did what it asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from connector.domain.errors import PaymentBusy
from connector.domain.operation import REQUESTS, ListedRequest, Operation, Request, State
from connector.domain.payment import PaymentKey


class Obstacle(StrEnum):
    """Why a person cannot close a request."""

    IS_DONE = "is done"
    OPEN_REFUND = "open refund"
    NO_TASK = "no task"


class RequestCloser(Protocol):
    """Closes a request, unless another request holds the payment's lease."""

    def close(self, request: Request, who: str = "", note: str = "") -> None: ...


def obstacle(row: ListedRequest) -> Obstacle | None:
    """Return why a person cannot close a row. None: the row may be closed."""
    if row.state is State.MANUAL:
        return None
    if row.state is State.DONE:
        return Obstacle.IS_DONE
    # The company may still make the refund. A closed row would hide that.
    is_open = row.operation == Operation.REFUND and row.state is not State.FAILED
    return Obstacle.OPEN_REFUND if is_open else Obstacle.NO_TASK


def request_of(merchant_id: int, row: ListedRequest) -> Request:
    """Return the request of a row."""
    return REQUESTS[row.operation](merchant_id, PaymentKey(row.payment_id), row.request_id)


@dataclass(frozen=True)
class Closing:
    """Closes rows for `who`. `record` adds an event with the name of its `actor`."""

    requests: RequestCloser
    record: Callable[..., None]
    actor: str
    command: str
    who: str

    def close(self, merchant_id: int, row: ListedRequest, note: str = "") -> None:
        """Close a row. The story of its payment shows who closed it, and the note.

        Raises PaymentBusy while another request holds the payment's lease, or if the row cannot be
        closed any more.
        """
        if obstacle(row):
            raise PaymentBusy("The row is not on the list any more")
        self.requests.close(request_of(merchant_id, row), self.who, note)
        self.record(
            row.merchant,
            self.actor,
            self.command,
            payment=row.payment_id,
            operation=row.operation,
            request=row.request_id,
            **({"note": note} if note else {}),
        )
