"""VTEX gives its own payment id as the company's: when that proves that the payment was there."""

import pytest

from tests.companies.registry import HOLDING, CompanyEntry
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import P
from tests.rig import Rig

OWN = [{"authorizationId": P}, {"tid": P}, {"authorizationId": P, "tid": P}]
CREATING = [entry for entry in HOLDING if entry.has_page]


@pytest.mark.parametrize("fields", OWN)
@pytest.mark.parametrize("entry", CREATING, ids=str)
def test_a_payment_of_another_connector_that_is_not_there_is_a_persons(
    rig_on_both: Rig, entry: CompanyEntry, fields: dict[str, str]
) -> None:
    with entry.open() as company:
        rig_on_both.add(company)
        answers = [rig_on_both.cancel(P, **fields), rig_on_both.cancel(P, "request-2")]
        rig_on_both.reconcile()
        answers.append(rig_on_both.cancel(P))

    assert [(501, "cancel-manually")] * 3 == [
        (one.status_code, one.get_json()["code"]) for one in answers
    ]
    assert ["manual"] * 2 == rig_on_both.states()
    assert not company.effects


@pytest.mark.parametrize("entry", CREATING, ids=str)
def test_a_payment_of_another_connector_that_is_there_is_cancelled(
    rig: Rig, entry: CompanyEntry
) -> None:
    with entry.open() as company:
        rig.add(company)
        company.create(P)
        assert 200 == rig.cancel(P, authorizationId=P, tid=P).status_code


@pytest.mark.parametrize("entry", CREATING, ids=str)
def test_the_own_id_that_we_told_of_a_payment_that_waits_for_its_buyer_proves_nothing(
    rig: Rig, entry: CompanyEntry
) -> None:
    with entry.open() as company:
        rig.add(company)
        told = rig.create(P).get_json()
        answer = rig.cancel(P, tid=told["tid"])

    assert ("undefined", 200) == (told["status"], answer.status_code)


def test_the_own_id_that_we_told_of_a_payment_that_was_refused_proves_nothing(rig: Rig) -> None:
    refusal = b'{"status":"fail","reasonCode":"ORDER_CART_DATA_ERROR"}'
    with YandexPayCompany() as company:
        rig.add(company)
        company.inject("status_before", "create", status=400, body=refusal)
        told = rig.create(P).get_json()
        answer = rig.cancel(P, tid=told["tid"])

    assert ("denied", P, 200) == (told["status"], told["tid"], answer.status_code)
