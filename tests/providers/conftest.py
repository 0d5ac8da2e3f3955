"""The company that a folder of tests is about: its stand-in, its provider, and an account there."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector.domain.merchant import Account
from connector.http_client import HttpClient
from connector.provider import Hosts
from connector.providers import discover
from tests.companies.registry import BY_NAME, CompanyEntry


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> CompanyEntry:
    return BY_NAME[request.path.parent.name]


@pytest.fixture
def company(entry: CompanyEntry) -> Iterator[Any]:
    with entry.open() as company:
        yield company


@pytest.fixture
def provider(entry: CompanyEntry, company: Any) -> Iterator[Any]:
    http = HttpClient(entry.name)
    sandbox_url = getattr(company, "sandbox_url", company.url)
    yield discover()[entry.name](http, Hosts(company.url, sandbox_url))
    http.close()


@pytest.fixture
def account(entry: CompanyEntry, company: Any) -> Account:
    return Account({**company.settings, **entry.settings})
