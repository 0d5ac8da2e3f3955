"""A write's recorded state moves as one table says, and in no other way."""

import ast
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from connector.domain.payment import Effect
from connector.domain.write import STATE_AFTER, WRITE_TRANSITIONS, Write, WriteState
from connector.storage import statements
from tests.diagrams import diagram, drawn

WRITE = Write("release", 1, "reference-1")
OPERATIONS = Path(__file__).parents[1] / "connector" / "operations"


# What may become of a write: its answer may be missing, promise its end, or be its end.
MOVES = {
    *[("open", end) for end in ("accepted", "lost", "done", "failed", "refused", "withdrawn")],
    *[("accepted", end) for end in ("lost", "done", "failed", "refused")],
    ("lost", "done"),
}


def test_the_documentation_draws_the_table() -> None:
    expected = diagram(WRITE_TRANSITIONS, WriteState.OPEN)
    update = f"Put this into the block in docs/architecture.md:\n{expected}"
    assert expected == drawn("The state of a write"), update


def test_every_state_is_in_the_table() -> None:
    assert set(WriteState) == set(WRITE_TRANSITIONS)


def test_the_stored_words_are_these() -> None:
    words = {"open", "accepted", "lost", "done", "failed", "refused", "withdrawn"}
    assert words == {state.value for state in WriteState}


@pytest.mark.parametrize(("before", "after"), list(product(WriteState, WriteState)))
def test_a_write_moves_in_these_ways_and_in_no_other(before: WriteState, after: WriteState) -> None:
    write = replace(WRITE, state=before)
    if after is before or (before.value, after.value) in MOVES:
        assert replace(WRITE, state=after) == write.moved(after)
        return
    with pytest.raises(ValueError, match=f"{before} does not become {after}"):
        write.moved(after)


def test_only_what_is_not_known_to_have_ended_may_take_effect() -> None:
    maybe = {state for state in WriteState if replace(WRITE, state=state).may_take_effect}
    assert {WriteState.OPEN, WriteState.ACCEPTED, WriteState.LOST} == maybe


def test_no_end_is_left_again() -> None:
    ends = {state for state in WriteState if not WRITE_TRANSITIONS[state]}
    assert {"done", "failed", "refused", "withdrawn"} == ends


def test_the_storage_changes_the_states_that_the_table_lets_change() -> None:
    (words,) = re.findall(r"state IN \((.*?)\)", statements.END_WRITE)
    changing = {state.value for state in WriteState if WRITE_TRANSITIONS[state]}
    assert changing == set(re.findall(r"'(\w+)'", words))


def test_only_an_answer_that_says_nothing_leaves_a_write_open() -> None:
    assert set(Effect) - {Effect.UNKNOWN} == set(STATE_AFTER)
    assert WriteState.OPEN not in STATE_AFTER.values()


def test_no_operation_decides_about_an_earlier_write_itself() -> None:
    facts = {"age", "failures_before", "refunded_before"}
    readers = {
        path.name
        for path in OPERATIONS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in facts
    }
    assert {"writes.py"} == readers
