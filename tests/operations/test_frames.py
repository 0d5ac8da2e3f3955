"""Few frames stand between VTEX's request and the company's call: a reader follows all of them."""

import re
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import connector
from connector.http_client import Answer, HttpClient
from tests.companies.registry import ANY, HOLDING, CompanyEntry, entry_of
from tests.operations.test_create_settle_refund import P
from tests.rig import Rig

MOST_FRAMES = 12
ROOT = str(Path(connector.__file__).parent)

Frames = dict[str, list[str]]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Frames:
    """The connector's frames from the view to each call of a company, by the call's name."""
    frames: Frames = {}
    send = HttpClient.send

    def recorded_send(self: HttpClient, *arguments: Any, operation: str, **named: Any) -> Answer:
        # Of several looks the first: the others confirm the write.
        frames.setdefault(operation, _frames_from_the_view())
        return send(self, *arguments, operation=operation, **named)

    monkeypatch.setattr(HttpClient, "send", recorded_send)
    return frames


def _frames_from_the_view() -> list[str]:
    """Name the frames of `connector`; the stand-in of `HttpClient.send` is the last."""
    stack = traceback.extract_stack()
    ours = [frame for frame in stack if frame.filename.startswith(ROOT)]
    return [f"{frame.filename.removeprefix(ROOT)} {frame.name}" for frame in ours] + ["send"]


def live(rig: Rig, company: Any, calls: Frames, *verbs: str) -> None:
    """Let VTEX ask for each of these; keep the calls of the last."""
    asks: dict[str, Callable[[str], Any]] = {
        "create": rig.create,
        "cancel": rig.cancel,
        "settle": rig.settle,
        "refund": rig.refund,
    }
    for count, verb in enumerate(verbs):
        if count == 1:
            pay(rig, company)
        calls.clear()
        answer = asks[verb](P)
        assert 200 == answer.status_code, answer.data


def pay(rig: Rig, company: Any) -> None:
    if not entry_of(company).has_page:
        company.start(P, amount=100)
    company.pay(P)
    rig.notify(company, P)


CREATE = ("create",)
LIVES = [CREATE, (*CREATE, "cancel"), (*CREATE, "settle"), (*CREATE, "settle", "refund")]
# Where the buyer begins the payment in an app, a create calls nobody.
CASES = [(entry, life) for entry in HOLDING for life in LIVES if entry.has_page or life != CREATE]


@pytest.mark.parametrize(("entry", "verbs"), CASES, ids=str)
def test_from_the_view_to_a_companys_call_are_at_most_twelve_frames(
    rig: Rig, calls: Frames, entry: CompanyEntry, verbs: tuple[str, ...]
) -> None:
    with entry.open() as company:
        rig.add(company)
        live(rig, company, calls, *verbs)

    assert set(calls) - {"look"}, "no write was seen"
    longest = max(calls.values(), key=len)
    assert MOST_FRAMES >= len(longest), "\n".join(longest)


def test_the_frames_of_a_cancellation_are_those_of_the_architecture(
    rig: Rig, calls: Frames
) -> None:
    with ANY.open() as company:
        rig.add(company)
        live(rig, company, calls, "create", "cancel")

    page = (Path(ROOT).parent / "docs" / "architecture.md").read_text()
    described = re.findall(r"^\| `(\w+/?\w+\.py)` `(\w+)` \|", page, flags=re.MULTILINE)
    (frames,) = [frames for name, frames in calls.items() if name != "look"]
    before_the_provider = [one for one in frames if not one.startswith("/providers/")][:-1]
    assert ["/" + " ".join(one) for one in described][:-1] == before_the_provider
