"""A test project of Tranzzo's speaks a currency of its own, whatever VTEX's is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.companies.tranzzo import TranzzoCompany
from tests.operations.lifetime import P
from tests.rig import Rig
from tests.sink import Sink


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


def currencies(company: TranzzoCompany) -> set[str]:
    """What was sent as a currency, in whatever call."""
    bodies = [json.loads(call.body) for call in company.calls if call.body]
    return {body.get("currency") or body.get("order_currency") for body in bodies}


def paid(rig: Rig, company: TranzzoCompany, vtex: Sink, **fields: Any) -> None:
    rig.create(P, currency="UAH", callbackUrl=vtex.url, **fields)
    company.pay(P)
    rig.notify(company, P)


@pytest.mark.parametrize(
    ("sandbox", "mode"), [(True, {}), (False, {"sandboxMode": True}), (True, {"sandboxMode": True})]
)
@pytest.mark.parametrize(
    ("settings", "expected"), [({}, "XTS"), ({"sandbox_currency": "USD"}, "USD")]
)
def test_a_test_payment_goes_its_whole_way_in_the_sandboxs_currency(
    rig: Rig,
    company: TranzzoCompany,
    vtex: Sink,
    sandbox: bool,
    mode: dict[str, bool],
    settings: dict[str, str],
    expected: str,
) -> None:
    rig.add(company, sandbox=sandbox, **settings)
    paid(rig, company, vtex, **mode)
    assert ["approved"] == [body["status"] for body in vtex.bodies]
    # It is recorded where it was made; the mark need not come again.
    assert 200 == rig.settle(P, 60).status_code
    assert 200 == rig.refund(P, 20).status_code
    assert {expected} == currencies(company)
    assert (0, 60, 20) == tuple(map(int, company.money(P)))


def test_a_test_payment_is_released_in_the_sandboxs_currency(
    rig: Rig, company: TranzzoCompany, vtex: Sink
) -> None:
    rig.add(company, sandbox=True)
    paid(rig, company, vtex)
    assert 200 == rig.cancel(P, value=100).status_code
    assert {"XTS"} == currencies(company)


def test_a_real_payment_keeps_vtexs_currency_in_test_mode_too(
    rig: Rig, company: TranzzoCompany, vtex: Sink
) -> None:
    rig.add(company, sandbox_currency="XTS")
    paid(rig, company, vtex)
    assert 200 == rig.settle(P, 100, sandboxMode=True).status_code
    assert {"UAH"} == currencies(company)


def test_the_sandboxs_currency_approves_no_real_payment(
    rig: Rig, company: TranzzoCompany, vtex: Sink
) -> None:
    rig.add(company)
    rig.create(P, currency="UAH", callbackUrl=vtex.url)
    company.orders[P][0]["currency"] = "XTS"
    company.pay(P)
    rig.notify(company, P)
    assert "undefined" == rig.create(P, currency="UAH").get_json()["status"]
    assert [] == vtex.bodies
