"""A serving process that is killed while a person connects: the person sends the form again."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.companies.registry import ANY
from tests.rig import Rig, Served
from tests.vtex.authorization.merchant import Merchant, begin, credentials, invited, typed

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

SCRIPT = ["-m", "tests.signup.crashing_server"]
# More than the statements of a connection: the worker then dies before its answer.
AFTER_ALL = 99


@pytest.fixture
def crash_file(tmp_path: Path) -> Path:
    return tmp_path / "crash"


@pytest.fixture
def company() -> Iterator[Any]:
    with ANY.open() as company:
        yield company


@pytest.fixture
def server(rig_on_both: Rig, company: Any, crash_file: Path) -> Iterator[Served]:
    rig_on_both.use(company)
    variables = {"CRASH_FILE": str(crash_file)}
    with Served(rig_on_both, script=SCRIPT, threads=8, is_killed=True, **variables) as served:
        yield served


def send_until_answered(merchant: Merchant, settings: dict[str, str]) -> int:
    """Press the button again and again, as a person does. Return how often there was no answer."""
    for lost in range(20):
        try:
            merchant.give(settings)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return lost
    raise AssertionError


def test_connecting_again_after_a_kill_ends_with_one_merchant(
    rig_on_both: Rig, server: Served, company: Any, crash_file: Path
) -> None:
    for number in (1, 4, 7, 10, 13, 16, AFTER_ALL):
        store = f"store-{number}"
        invitation = invited(rig_on_both, store)
        merchant = Merchant(server)
        merchant.choose("tranzzo", invitation, begin(server, f"https://{store}.myvtex.com/"))
        crash_file.write_text(str(number))
        assert send_until_answered(merchant, typed(company)) > 0
        assert not crash_file.exists()
        assert 200 == credentials(server, merchant.code).status_code
        names = [one.merchant.name for one in rig_on_both.connector.merchants.all()]
        assert [f"{store}-tranzzo"] == [name for name in names if name.startswith(f"{store}-")]
        # The form of another flow, after all, finds the same merchant.
        again = Merchant(server)
        again.connect(company, "", begin(server, f"https://{store}.myvtex.com/"))
        pairs = [credentials(server, one.code).json() for one in (merchant, again)]
        assert 1 == len({pair["appKey"] for pair in pairs})
    tokens = rig_on_both.execute(
        "SELECT merchant_id, count(*) AS n FROM merchant_tokens GROUP BY merchant_id"
    )
    assert {2} == {row.n for row in tokens}
