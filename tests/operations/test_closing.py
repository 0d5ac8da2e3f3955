"""Which rows a person may close: the command and the console ask the same function."""

import pytest

from connector.domain.errors import PaymentBusy
from connector.domain.operation import ListedRequest, Operation, Request, State
from connector.operations.closing import Closing, Obstacle, obstacle, request_of


def row(operation: str, state: State) -> ListedRequest:
    return ListedRequest("shop", "tranzzo", operation, "P1", "r-1", state, None, None, 1, 0.0, 0.0)


@pytest.mark.parametrize("operation", list(Operation))
def test_only_what_a_person_must_do_may_be_closed(operation: Operation) -> None:
    may_be = [state for state in State if obstacle(row(operation, state)) is None]
    assert [State.MANUAL] == may_be


@pytest.mark.parametrize("state", [State.RUNNING, State.UNKNOWN, State.WAITING])
def test_a_refund_that_may_still_come_is_called_so(state: State) -> None:
    assert Obstacle.OPEN_REFUND is obstacle(row("refund", state))
    assert Obstacle.NO_TASK is obstacle(row("cancel", state))


def test_what_is_done_or_failed_needs_no_person() -> None:
    assert Obstacle.IS_DONE is obstacle(row("refund", State.DONE))
    assert Obstacle.NO_TASK is obstacle(row("refund", State.FAILED))


class Closed(list[tuple[Request, str, str]]):
    """Keeps what is closed."""

    def close(self, request: Request, who: str = "", note: str = "") -> None:
        self.append((request, who, note))


@pytest.mark.parametrize("state", [state for state in State if state is not State.MANUAL])
def test_a_row_that_changed_meanwhile_is_not_closed(state: State) -> None:
    closed, events = Closed(), list[str]()
    closing = Closing(closed, lambda *_, **__: events.append(""), "ann", "close", "ann")
    with pytest.raises(PaymentBusy):
        closing.close(1, row("refund", state))
    assert ([], []) == (closed, events)


def test_the_event_names_the_actor_and_the_step_names_the_person() -> None:
    closed, events = Closed(), list[object]()
    closing = Closing(closed, lambda *a, **k: events.append((a, k)), "ann", "console close", "Bob")
    listed = row("refund", State.MANUAL)
    closing.close(1, listed, "Paid in cash")
    assert [(request_of(1, listed), "Bob", "Paid in cash")] == closed
    options = {"payment": "P1", "operation": "refund", "request": "r-1", "note": "Paid in cash"}
    assert [(("shop", "ann", "console close"), options)] == events
