from collections.abc import Iterator

import pytest

from connector.domain.merchant import Account
from connector.http_client import HttpClient
from connector.provider import Hosts
from connector.providers.tranzzo import Tranzzo
from tests.companies.tranzzo import TranzzoCompany
from tests.providers.tranzzo.shop import TranzzoAccount


@pytest.fixture
def shop() -> Iterator[TranzzoAccount]:
    with TranzzoCompany() as company:
        http = HttpClient("tranzzo")
        provider = Tranzzo(http, Hosts(company.url, company.url))
        yield TranzzoAccount(company, provider, Account(company.settings))
        http.close()
