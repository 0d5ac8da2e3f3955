"""The differences between the operations stand in one table, and nothing else branches on them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import connector
from connector.domain.operation import CallbackChange, Operation, State
from connector.domain.operation_rules import RULES

ROOT = Path(connector.__file__).parent
RUNNERS = [
    ROOT / "idempotency.py",
    ROOT / "outcomes.py",
    ROOT / "attempt.py",
    *sorted(ROOT.glob("storage/*.py")),
]


def branches(text: str) -> Iterator[int]:
    """Find the lines that compare with an operation, or look one up."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "Operation":
            yield node.lineno


@pytest.mark.parametrize("path", RUNNERS, ids=lambda path: path.name)
def test_who_runs_and_stores_requests_names_no_operation(path: Path) -> None:
    assert [] == list(branches(path.read_text()))


def test_a_branch_on_an_operation_is_seen() -> None:
    assert [1] == list(branches("if operation is Operation.CREATE: ..."))


def test_each_operation_has_its_rules() -> None:
    assert list(Operation) == list(RULES)


NOT_DONE = set(State) - {State.DONE}
MAY_HAVE_HAPPENED = {State.UNKNOWN, State.WAITING}


@pytest.mark.parametrize(
    ("operation", "states"),
    [
        (Operation.CREATE, MAY_HAVE_HAPPENED),
        (Operation.CANCEL, NOT_DONE),
        (Operation.SETTLE, MAY_HAVE_HAPPENED),
        (Operation.REFUND, MAY_HAVE_HAPPENED),
        (Operation.NOTIFICATION, NOT_DONE),
    ],
)
def test_reconcile_looks_again_at_what_may_have_happened_or_is_wanted_in_any_case(
    operation: Operation, states: set[State]
) -> None:
    assert states == RULES[operation].looked_at_after


def having(rule: str) -> set[str]:
    return {operation.value for operation, rules in RULES.items() if getattr(rules, rule)}


@pytest.mark.parametrize(
    ("rule", "operations"),
    [
        ("is_unknown_after_a_failed_look", {"create", "settle", "refund"}),
        ("may_become_the_operators", {"cancel", "settle", "refund", "notification"}),
        ("is_listed_while_open", {"refund"}),
        ("stays_listed", {"cancel"}),
        ("keeps_its_value", {"refund"}),
        ("is_answered_from_the_payment", {"create"}),
    ],
)
def test_a_rule_holds_for_these_operations(rule: str, operations: set[str]) -> None:
    assert operations == having(rule)


def test_only_the_answer_to_a_create_delays_its_callback() -> None:
    delayed = {operation: rules.callback_change for operation, rules in RULES.items()}

    assert CallbackChange.LATER is delayed.pop(Operation.CREATE)
    assert {CallbackChange.UNCHANGED} == set(delayed.values())
