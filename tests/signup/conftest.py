from collections.abc import Iterator
from typing import Any

import pytest

from connector import merchants
from tests.companies.registry import ANY, COMPANIES
from tests.rig import Rig
from tests.signup.flow import Gateway, Person


@pytest.fixture
def person(rig_on_both: Rig) -> Person:
    return Person(rig_on_both)


@pytest.fixture
def gateway(person: Person) -> Gateway:
    return person.gateway


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Directory ask the database each time."""
    monkeypatch.setattr(merchants, "FRESH_SECONDS", -1.0)


@pytest.fixture(params=COMPANIES, ids=str)
def company(request: pytest.FixtureRequest, person: Person) -> Iterator[Any]:
    """Each company, with an account whose keys the company knows."""
    with request.param.open() as company:
        person.rig.use(company)
        yield company


@pytest.fixture
def tranzzo(person: Person) -> Iterator[Any]:
    """A company whose probe proves whose the keys are."""
    with ANY.open() as company:
        person.rig.use(company)
        yield company
