"""The overview: what waits, the share that succeeded, and the seconds it took."""

import re
from typing import Any

import pytest

from connector.console import overview
from connector.console.overview_figures import Figures, Heap, Kind, figures, heaps, kind_of, ranked
from connector.domain.operation import Operation, State
from connector.pages.languages import ABSENT
from connector.storage.overview import End, Judged, Waiting
from tests.companies.tranzzo import TranzzoCompany
from tests.console.people import Person, sign_in
from tests.rig import Rig

PAGE = "/console/"


def text_of(page: str) -> str:
    """Return the words of a page's main part, on one line."""
    main = page[page.index("<main") : page.index("</main>")]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def rows(page: str, heading: str) -> list[str]:
    """Return the rows of the table below a heading, each on one line."""
    part = page[page.index(f'<h2 id="{heading}">') :]
    body = part[part.index("<tbody>") : part.index("</tbody>")]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in body.split("</tr>")[:-1]]


def waiting(state: State, operation: Operation = Operation.CANCEL, **values: Any) -> Waiting:
    return Waiting(
        **{"provider": "tranzzo", "number": 1, "age": 1.0, "is_more": False, **values},
        state=state,
        operation=operation,
    )


def judged(end: End, seconds: float | None = 1.0, **values: Any) -> Judged:
    known = {"provider": "tranzzo", "operation": "cancel", "created_at": 100.0, **values}
    return Judged(end=end, seconds=seconds, **known)


# The figures


def test_each_open_state_waits_for_something() -> None:
    open_states = set(State) - {State.DONE, State.FAILED}
    kinds = {kind_of(waiting(state, one)) for state in open_states for one in Operation}
    assert set(Kind) == kinds
    assert Kind.BUYER is kind_of(waiting(State.WAITING, Operation.CREATE))
    assert Kind.COMPANY is kind_of(waiting(State.WAITING, Operation.REFUND))
    assert Kind.PERSON is kind_of(waiting(State.MANUAL, Operation.CREATE))


def test_heaps_have_the_age_of_the_oldest() -> None:
    found = heaps(
        [
            waiting(State.UNKNOWN, number=2, age=50.0),
            waiting(State.UNKNOWN, Operation.SETTLE, number=3, age=70.0, is_more=True),
            waiting(State.MANUAL, provider="rustore"),
        ]
    )
    assert ["rustore", "tranzzo"] == list(found)
    heap = found["tranzzo"][Kind.UNKNOWN]
    assert (5, 70.0, True) == (heap.number, heap.age, heap.is_more)
    assert 0 == found["tranzzo"][Kind.PERSON].number
    assert found["rustore"][Kind.PERSON].is_late


@pytest.mark.parametrize(("number", "age", "is_late"), [(1, 61.0, True), (1, 60.0, False)])
def test_a_heap_is_late_after_its_time(number: int, age: float, is_late: bool) -> None:
    assert is_late == Heap(number, age, late_after=60.0).is_late
    assert not Heap(0, 0.0, late_after=0.0).is_late


def test_only_what_has_ended_counts_for_the_share() -> None:
    ends = [End.SUCCEEDED, End.SUCCEEDED, End.SUCCEEDED, End.FAILED, End.PERSON]
    (row,) = figures([judged(end) for end in [*ends, End.OPEN, End.CANCELLED]])
    assert (0.6, 7) == (row.share, row.total)
    (unended,) = figures([judged(End.OPEN), judged(End.CANCELLED)])
    assert unended.share is None


def test_the_time_is_that_of_a_success_and_of_a_create_that_of_the_first_answer() -> None:
    ends = [(End.SUCCEEDED, 1.0), (End.FAILED, 50.0), (End.PERSON, 60.0), (End.OPEN, 70.0)]
    created = [judged(end, seconds, operation="create") for end, seconds in ends]
    others = [judged(end, seconds) for end, seconds in ends]
    rows = figures([*created, *others, judged(End.OPEN, None, operation="create")])
    assert [[1.0, 50.0, 60.0, 70.0], [1.0]] == [row.seconds for row in rows]


def test_the_median_and_the_95_of_100_are_times_that_were_taken() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (50.0, 95.0) == (ranked(values, 0.5), ranked(values, 0.95))
    assert (7.0, 7.0) == (ranked([7.0], 0.5), ranked([7.0], 0.95))
    assert (1.0, 2.0) == (ranked([1.0, 2.0], 0.5), ranked([1.0, 2.0], 0.95))
    assert ranked([], 0.5) is None


def test_a_period_has_only_what_began_in_it() -> None:
    found = [judged(End.SUCCEEDED), judged(End.FAILED, created_at=200.0)]
    assert [2, 1] == [figures(found, since=since)[0].total for since in (100.0, 100.5)]
    assert [] == figures(found, since=201.0)


def test_the_parts_of_a_bar_fill_it() -> None:
    row = Figures("tranzzo", Operation.CANCEL, dict.fromkeys(End, 3), [])
    parts = list(overview.bars(row))
    assert len(End) == len(parts)
    place, width, _ = parts[-1]
    assert overview.WIDTH == pytest.approx(place + width)
    assert parts[0] == (0.0, 40.0, "fill-good")


# The page


def test_a_fresh_installation_says_what_to_do_first(desk: Rig, operator: Person) -> None:
    words = text_of(operator.get(PAGE).text)
    assert "First steps" in words
    assert "send an invitation" in words
    desk.add(name="shop")
    words = text_of(operator.get(PAGE).text)
    assert "First steps" in words
    assert "send an invitation" not in words
    desk.cancel("P1")
    assert "First steps" not in text_of(operator.get(PAGE).text)


def test_the_first_steps_of_a_merchants_person_are_its_own(desk: Rig) -> None:
    desk.add(name="shop")
    desk.add(name="other")
    desk.cancel("P1", merchant="other")
    page = sign_in(desk, merchant="shop").get(PAGE).text
    assert 'href="/console/merchants/shop"' in page
    assert "invitation" not in page
    assert "No request waits." in page


def test_the_page_shows_what_ended_and_what_waits(desk_on_both: Rig) -> None:
    desk = desk_on_both
    with TranzzoCompany() as company:
        desk.add(company)
        desk.configure(CONNECTOR_CONSOLE="on")
        company.create("P1")
        assert desk.cancel("P1").status_code == 200
        company.create("P2", state="captured")
        assert desk.cancel("P2").status_code == 501
        assert desk.create("P3").status_code == 200
        page = sign_in(desk).get(PAGE).text
    (waits,) = rows(page, "waiting")
    assert waits.startswith("Tranzzo 1 oldest: 1 second Look at this. 0")
    assert waits.endswith("1 oldest: 1 second")
    payment, cancellation = rows(page, "today")
    assert f"Tranzzo payment {ABSENT} Tranzzo: payment Still open: 1 Still open: 1" in payment
    ends = "Succeeded: 1; Needed a person: 1"
    assert f"Tranzzo cancellation 50% Tranzzo: cancellation {ends} {ends}" in cancellation
    assert "Half took at most 0." in cancellation
    assert rows(page, "week") == rows(page, "today")
    assert "First steps" not in page


def test_a_merchants_person_sees_only_that_merchants_numbers(desk: Rig) -> None:
    desk.add(name="shop")
    desk.add(name="other")
    for payment in ("P1", "P2"):
        desk.cancel(payment, merchant="other")
    desk.cancel("P1", merchant="shop")
    shown = {name: sign_in(desk, merchant=name).get(PAGE).text for name in ("shop", "other")}
    assert "Succeeded: 1" in shown["shop"]
    assert "Succeeded: 2" in shown["other"]
    assert "Succeeded: 3" in sign_in(desk).get(PAGE).text
    assert "reconcile should" not in shown["shop"]


def test_a_count_that_is_cut_off_says_so(
    desk: Rig, operator: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.add(name="shop")
    for payment in ("P1", "P2"):
        desk.cancel(payment)
    assert "Only the newest" not in operator.get(PAGE).text
    monkeypatch.setattr("connector.storage.overview.MOST_JUDGED", 1)
    monkeypatch.setattr(overview, "MOST_JUDGED", 1)
    words = text_of(operator.get(PAGE).text)
    assert 'of the kind "cancellation" this week. Only the newest 1 are counted' in words


@pytest.mark.parametrize("language", ["ru", "uk", "es", "pt-BR"])
def test_the_page_is_there_in_every_language(desk: Rig, operator: Person, language: str) -> None:
    desk.add(name="shop")
    desk.cancel("P1")
    page = operator.get(f"{PAGE}?lang={language}").text
    assert f'<html lang="{language}">' in page
    assert "Overview" not in text_of(page)


def test_each_drawing_is_named_and_described(desk: Rig, operator: Person) -> None:
    desk.add(name="shop")
    desk.cancel("P1")
    page = operator.get(PAGE).text
    drawings = re.findall(r'<svg [^>]*aria-labelledby="(\S+) (\S+)"', page)
    # Two for each row of each of the two periods.
    assert 4 == len(drawings) == page.count("<svg")
    for named, described in drawings:
        assert 1 == page.count(f'<title id="{named}">') == page.count(f'<desc id="{described}">')


def test_a_stranger_sees_nothing(nobody: Person) -> None:
    assert 401 == nobody.get(PAGE).status_code
