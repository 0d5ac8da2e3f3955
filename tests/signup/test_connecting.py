"""Who connects which merchant, with which keys, and what VTEX gets."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector import merchants
from tests.companies.registry import BY_NAME, COMPANIES
from tests.signup.flow import Person, cancel


@pytest.fixture(params=COMPANIES, ids=str)
def company(request: pytest.FixtureRequest, person: Person) -> Iterator[Any]:
    with request.param.open() as company:
        person.rig.use(company)
        yield company


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a change reach the Directory at once."""
    monkeypatch.setattr(merchants, "FRESH_SECONDS", -1.0)


def test_from_token_to_the_first_cancellation(person: Person, company: Any) -> None:
    made = person.connect(company, invitation=person.invited("mystore"))
    assert (made.is_new, made.is_proven) == (True, True)
    assert made.merchant == f"mystore-{made.provider}"
    pair = person.gateway.pair(made.code)
    assert pair == person.gateway.pair(made.code)
    company.put("P1", BY_NAME[made.provider].cancellables[0].state)
    assert 401 != cancel(person.rig, pair)
    assert 410 == person.gateway.credentials(made.code).status_code
