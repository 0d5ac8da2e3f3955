"""What nobody repeats any more is finished."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.companies.cryptomus import Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig


@pytest.fixture
def tranzzo() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        company.create("P1")
        yield company


def test_nothing_is_looked_at_within_the_first_minute(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    tranzzo.inject("reset_before", "look")
    rig.cancel("P1")

    count = rig.connector.reconciler.run_once()

    assert (0, ["unknown"]) == (count, rig.states())


def test_an_unknown_outcome_nobody_repeats_is_finished(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("reset_before", "void")
    rig_on_both.cancel("P1")

    count = rig_on_both.reconcile()

    assert (1, ["done"]) == (count, rig_on_both.states())
    assert {"void:P1": 1} == tranzzo.effects


def test_vtex_gets_the_answer_that_reconcile_found(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("reset_after", "void")
    rig_on_both.cancel("P1")
    rig_on_both.reconcile()
    calls = len(tranzzo.calls)

    answer = rig_on_both.cancel("P1")

    assert 200 == answer.status_code
    assert tranzzo.orders["P1"][1]["operation_id"] == answer.get_json()["cancellationId"]
    assert calls == len(tranzzo.calls)


def test_looks_come_less_and_less_often_and_end_with_the_operator(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.inject("status_before", "look", times=100, status=503)
    rig.cancel("P1")
    delays = [_delay(rig)]

    while delays[-1] is not None:
        assert 1 == rig.reconcile()
        delays.append(_delay(rig))

    assert [60, 300, 900, 3600, 14400, *[86400] * 7, None] == delays
    assert ["manual"] == rig.states()
    assert 0 == rig.reconcile()


def _delay(rig: Rig) -> float | None:
    ((delay,),) = rig.execute("SELECT round(next_look_at - updated_at) FROM requests")
    return None if delay is None else float(delay)


def test_a_repeat_by_vtex_starts_the_schedule_anew(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    tranzzo.inject("status_before", "look", times=3, status=503)
    rig.cancel("P1")
    rig.reconcile()

    rig.cancel("P1")

    assert 60 == _delay(rig)


def test_a_created_payment_is_looked_at_though_its_company_was_switched_off_meanwhile(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    rig.create("P2")
    rig.configure(CONNECTOR_PROVIDERS="sandbox")

    assert "provider-unavailable" == rig.create("P2").get_json()["code"]

    assert ["waiting"] == rig.states()
    rig.configure(CONNECTOR_PROVIDERS="tranzzo")
    assert 1 == rig.reconcile()


def test_a_manual_row_closes_when_the_payment_expires(rig_on_both: Rig) -> None:
    with Cryptomus() as company:
        rig_on_both.add(company)
        company.create("P1", "check")
        rig_on_both.cancel("P1")
        rig_on_both.reconcile()
        before = rig_on_both.states()
        company.move("P1", "cancel")

        rig_on_both.reconcile()

        assert (["manual"], ["done"]) == (before, rig_on_both.states())


def test_a_hold_that_appears_after_a_manual_answer_is_released(rig: Rig) -> None:
    with RuStore() as company:
        rig.add(company)
        made = company.create("P1", "CREATED")
        fields = {"authorizationId": made.purchase_id, "tid": made.invoice_id}
        first = rig.cancel("P1", **fields)
        company.move(made, "PAID")

        rig.reconcile()

        assert 501 == first.status_code
        assert "REVERSED" == company.state(made.purchase_id)
        assert 200 == rig.cancel("P1", **fields).status_code


def test_a_manual_answer_is_not_given_again_once_its_row_closed(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.create("P1", state="paid")
    first = rig.cancel("P1")
    tranzzo.create("P1", state="refunded")

    rig.reconcile()

    assert ["done"] == rig.states()
    assert [501, 200] == [first.status_code, rig.cancel("P1").status_code]


def test_a_manual_row_stays_on_the_list_while_the_company_is_down(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.create("P1", state="paid")
    rig.cancel("P1")
    tranzzo.inject("status_before", "look", status=503)

    rig.reconcile()

    assert ["manual"] == rig.states()


def test_what_was_begun_for_a_disabled_merchant_is_finished(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.inject("reset_before", "void")
    rig.cancel("P1")
    rig.connector.merchants.disable("shop")
    rig.configure()

    rig.reconcile()

    assert {"void:P1": 1} == tranzzo.effects


def test_one_that_fails_does_not_keep_the_others_waiting(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    with Cryptomus() as company:
        rig.add(company, name="other")
        company.create("P2", "check")
        rig.cancel("P2", merchant="other")
    tranzzo.inject("reset_before", "void")
    rig.cancel("P1")
    rig.configure(CONNECTOR_PROVIDERS="tranzzo")

    rig.reconcile()

    assert {"void:P1": 1} == tranzzo.effects


def test_a_request_that_vtex_is_making_now_is_left_to_it(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    tranzzo.inject("reset_before", "void")
    rig.cancel("P1")
    rig.execute("UPDATE payments SET lease_until = 99999999999, lease_token = 'other'")

    count = rig.reconcile()

    assert (0, 1) == (count, len(tranzzo.calls_of("void")))


def test_what_cannot_be_looked_at_does_not_hide_what_can(
    rig: Rig, tranzzo: TranzzoCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.operations.reconcile.MOST_IN_A_ROUND", 2)
    rig.add(tranzzo)
    with Cryptomus() as company:
        rig.add(company, name="other")
        for number in range(5):
            rig.cancel(f"C{number}", merchant="other", tid="1")
    tranzzo.inject("reset_before", "void")
    rig.cancel("P1")
    rig.configure(CONNECTOR_PROVIDERS="tranzzo")

    rig.reconcile()

    assert {"void:P1": 1} == tranzzo.effects


def test_a_hung_company_does_not_keep_the_others_waiting(
    rig: Rig, tranzzo: TranzzoCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.operations.reconcile.SLOW_SECONDS", 0.2)
    rig.add(tranzzo)
    for number in range(4):
        tranzzo.create(f"T{number}")
        tranzzo.inject("reset_before", "look")
        rig.cancel(f"T{number}")
    tranzzo.inject("slow_before", "look", times=9, seconds=0.4)
    before = len(tranzzo.calls_of("look"))

    rig.reconcile()

    assert 1 == len(tranzzo.calls_of("look")) - before


def test_a_repeat_that_waits_for_reconcile_is_told_what_reconcile_found(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.orders.clear()
    rig.cancel("P1", tid="t")
    rig.make_due()
    tranzzo.inject("status_before", "look", status=503)
    tranzzo.hook = lambda _, when: time.sleep(0.4) if when == "before" else None
    thread = threading.Thread(target=rig.connector.reconciler.run_once)
    thread.start()
    time.sleep(0.2)

    answer = rig.cancel("P1")
    thread.join()

    assert (500, "outcome-unknown") == (answer.status_code, answer.get_json()["code"])
