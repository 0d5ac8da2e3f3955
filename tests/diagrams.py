"""The diagrams of docs/architecture.md, and the tables that they are drawn from."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"

State = TypeVar("State", bound=StrEnum)


def diagram(transitions: Mapping[State, Collection[State]], first: State) -> str:
    """Draw a table of transitions."""
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    for state in type(first):
        followers = [one for one in type(first) if one in transitions[state]]
        lines += [f"    {state} --> {one}" for one in followers or ["[*]"]]
    return "\n".join(lines)


def drawn(heading: str) -> str:
    """Return the diagram that stands under a heading."""
    _, section = ARCHITECTURE.read_text().split(f"\n## {heading}\n")
    (found,) = re.findall(r"```mermaid\n(.*?)\n```", section.split("\n## ")[0], re.DOTALL)
    return str(found)
