"""A database that was restored from a backup: what was done since is not done again."""

from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from tests import postgres
from tests.companies.registry import IN_PART, CompanyEntry
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import P
from tests.rig import Rig

pytestmark = pytest.mark.slow

ORDERS = list(permutations(["A", "B"]))


class Backup:
    """A copy of a rig's database, to which it can go back."""

    def __init__(self, rig: Rig, copied: Callable[[str], str]) -> None:
        self._rig, self._copied = rig, copied
        rig.configure()
        self._url = copied(rig.environment["CONNECTOR_DATABASE_URL"])

    def restore(self) -> None:
        """Go on with the backup, and without what was written since."""
        self._rig.configure()
        self._rig.environment["CONNECTOR_DATABASE_URL"] = self._copied(self._url)


@pytest.fixture
def back_up(
    request: pytest.FixtureRequest, rig_on_both: Rig, tmp_path: Path
) -> Iterator[Callable[[], Backup]]:
    """Make a backup: of SQLite its file, of PostgreSQL a database with it as its template."""
    made: list[str] = []

    def copied(url: str) -> str:
        if url.startswith("sqlite"):
            file = tmp_path / f"copy-{len(made)}.db"
            copy(url.removeprefix("sqlite:///"), file)
            made.append(f"sqlite:///{file}")
        else:
            made.append(postgres.new_database(request.getfixturevalue("postgres_url"), url))
        return made[-1]

    yield lambda: Backup(rig_on_both, copied)
    rig_on_both.configure()
    for url in made:
        if not url.startswith("sqlite"):
            postgres.drop_database(request.getfixturevalue("postgres_url"), url)


@pytest.fixture
def yandex() -> Iterator[YandexPayCompany]:
    with YandexPayCompany() as company:
        yield company


def settled(rig: Rig, company: Any) -> None:
    rig.add(company)
    rig.create(P)
    company.pay(P)
    rig.notify(company, P)
    assert 200 == rig.settle(P).status_code


def returned(company: Any) -> int:
    return int(company.money(P)[2])


@pytest.mark.parametrize("order", ORDERS, ids="".join)
@pytest.mark.parametrize("amounts", [{"A": 30, "B": 30}, {"A": 30, "B": 60}, {"A": 40, "B": 60}])
def test_refunds_made_after_the_backup_are_not_made_again_in_whatever_order_vtex_repeats_them(
    rig_on_both: Rig,
    yandex: YandexPayCompany,
    back_up: Callable[[], Backup],
    amounts: dict[str, int],
    order: tuple[str, ...],
) -> None:
    settled(rig_on_both, yandex)
    backup = back_up()
    first = {one: rig_on_both.refund(P, amount, one) for one, amount in amounts.items()}
    backup.restore()

    again = {one: rig_on_both.refund(P, amounts[one], one) for one in order}

    assert sum(amounts.values()) == returned(yandex)
    assert {one: answer.get_json() for one, answer in first.items()} == {
        one: answer.get_json() for one, answer in again.items()
    }


def test_a_refund_that_was_first_refused_is_not_made_again_either(
    rig_on_both: Rig, yandex: YandexPayCompany, back_up: Callable[[], Backup]
) -> None:
    settled(rig_on_both, yandex)
    backup = back_up()
    yandex.inject("status_before", "refund", status=409, body=b'{"status":"fail","reasonCode":"X"}')
    answers = [rig_on_both.refund(P, 30, "A").status_code for _ in range(2)]
    backup.restore()
    answers.append(rig_on_both.refund(P, 30, "A").status_code)

    assert [500, 200, 200] == answers
    assert 30 == returned(yandex)


def test_a_refund_that_could_first_not_be_sent_is_not_made_again_either(
    rig_on_both: Rig, yandex: YandexPayCompany, back_up: Callable[[], Backup]
) -> None:
    settled(rig_on_both, yandex)
    backup = back_up()
    for _ in range(5):
        yandex.inject("status_before", "refund", status=429)
    answers = [rig_on_both.refund(P, 30, "A").status_code for _ in range(6)]
    backup.restore()
    answers.append(rig_on_both.refund(P, 30, "A").status_code)

    assert [500] * 5 + [200] * 2 == answers
    assert 30 == returned(yandex)


STEPS: dict[str, Callable[[Rig, Any], Any]] = {
    "create": lambda rig, _: rig.create(P),
    "pay": lambda _, company: company.pay(P),
    "settle": lambda rig, _: rig.settle(P),
    "settle-part": lambda rig, _: rig.settle(P, 40),
    "cancel": lambda rig, _: rig.cancel(P),
}
LIVES = [
    ([], "create", "create"),
    (["create", "pay"], "settle", "capture"),
    (["create", "pay"], "settle-part", "capture"),
    (["create"], "cancel", ("cancel", "rollback")),
    (["create", "pay"], "cancel", ("void", "cancel")),
    (["create", "pay", "settle"], "cancel", "refund"),
]


@pytest.mark.parametrize("entry", IN_PART, ids=str)
@pytest.mark.parametrize(("before", "step", "effects"), LIVES)
def test_what_else_was_done_after_the_backup_is_told_again_and_not_done_again(
    rig_on_both: Rig,
    back_up: Callable[[], Backup],
    entry: CompanyEntry,
    before: list[str],
    step: str,
    effects: str | tuple[str, ...],
) -> None:
    with entry.open() as company:
        rig_on_both.add(company, captured="refund")
        for one in before:
            STEPS[one](rig_on_both, company)
        backup = back_up()
        first = STEPS[step](rig_on_both, company)
        backup.restore()
        again = STEPS[step](rig_on_both, company)

        assert (200, first.get_json()) == (again.status_code, again.get_json())
        done = {name: count for name, count in company.effects.items() if name.startswith(effects)}
        assert [1] == list(done.values())
