"""A cancellation that only a person can make: what VTEX hears until, and once, it is made."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connector.domain.merchant import CapturedPolicy
from tests.companies.cryptomus import Cryptomus
from tests.companies.registry import IN_PART
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.rig import Rig

# By company: what is taken, what is partly returned, and where all is returned by a person.
RETURNED = [
    (TranzzoCompany, "captured", "refunded"),
    (TranzzoCompany, "partly_refunded", "refunded"),
    (YandexPayCompany, "captured", "refunded"),
    (YandexPayCompany, "partly_refunded", "refunded"),
    (YandexPayCompany, "confirmed", "refunded"),
    (RuStore, "CONFIRMED", "REFUNDED"),
    (Cryptomus, "paid", "refund_paid"),
    (Cryptomus, "check", "cancel"),
]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("status", ["501", "200"])
@pytest.mark.parametrize(("stand_in", "before", "after"), RETURNED)
def test_the_same_request_is_200_once_a_person_has_done_it(
    rig: Rig, stack: ExitStack, stand_in: Any, before: str, after: str, status: str
) -> None:
    company = stack.enter_context(stand_in())
    rig.configure(CONNECTOR_MANUAL_STATUS=status)
    rig.add(company)
    known = company.put("P1", before)
    asked = [rig.cancel("P1", **known) for _ in range(2)]
    listed = rig.states()
    company.put("P1", after)
    done = [rig.cancel("P1", **known) for _ in range(2)]

    assert [(int(status), "cancel-manually")] * 2 == [
        (one.status_code, one.get_json()["code"]) for one in asked
    ]
    assert [(200, None)] * 2 == [(one.status_code, one.get_json()["code"]) for one in done]
    assert done[0].data == done[1].data
    assert (["manual"], ["done"]) == (listed, rig.states())
    assert not company.effects


@pytest.mark.parametrize("stand_in", [entry.stand_in for entry in IN_PART])
@pytest.mark.parametrize("request_id", ["request-1", "request-2"])
def test_what_a_person_was_told_to_return_is_not_returned_beside_them_after_a_change_of_policy(
    rig_on_both: Rig, stack: ExitStack, stand_in: Any, request_id: str
) -> None:
    rig, company = rig_on_both, stack.enter_context(stand_in())
    rig.add(company)
    company.put("P1", "captured")
    rig.cancel("P1")
    rig.connector.merchants.update("shop", captured=CapturedPolicy.REFUND)
    rig.configure()
    answers = [rig.cancel("P1", request_id)]
    rig.reconcile()

    assert [(501, "cancel-manually")] == [
        (one.status_code, one.get_json()["code"]) for one in answers
    ]
    assert not company.effects
    assert {"manual"} == set(rig.states())


def test_a_row_stays_on_the_list_while_vtex_repeats_and_the_company_is_down(
    rig_on_both: Rig, stack: ExitStack
) -> None:
    company = stack.enter_context(TranzzoCompany())
    rig_on_both.add(company)
    company.put("P1", "captured")
    rig_on_both.cancel("P1")
    company.inject("status_before", "look", status=503)
    failed = rig_on_both.cancel("P1")

    assert (500, "outcome-unknown") == (failed.status_code, failed.get_json()["code"])
    assert ["manual"] == rig_on_both.states()


def test_another_value_may_be_asked_for_while_the_answer_is_a_persons(
    rig: Rig, stack: ExitStack
) -> None:
    company = stack.enter_context(TranzzoCompany())
    rig.add(company)
    company.put("P1", "held")
    part = rig.cancel("P1", value=4)
    whole = rig.cancel("P1", value=10)

    assert [501, 200] == [part.status_code, whole.status_code]
    assert 422 == rig.cancel("P1", value=4).status_code
