"""A refund that VTEX was told failed, and that may still be made, is a person's to know of at once.

VTEX may never repeat it, and tells the merchant to make it by hand: then it would be made twice.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from connector.domain.operation import ListedRequest, RefundRequest
from connector.domain.payment import PaymentKey
from tests.companies.cryptomus import ADDRESS, Cryptomus
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import P
from tests.rig import Rig

BY_HAND = "Do not refund this by hand: "
LATE = "VTEX was told that this refund failed; it is done"
PAY = "The money is in the merchant's refund wallet: pay the buyer from there"


@pytest.fixture
def yandex(rig_on_both: Rig) -> Iterator[YandexPayCompany]:
    with YandexPayCompany() as company:
        rig_on_both.add(company)
        settled(rig_on_both, company)
        yield company


@pytest.fixture
def tranzzo(rig: Rig) -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        rig.add(company)
        settled(rig, company)
        yield company


@pytest.fixture
def cryptomus(rig: Rig) -> Iterator[Cryptomus]:
    with Cryptomus() as company:
        rig.add(company, refund_address=ADDRESS)
        settled(rig, company, currency="USD")
        yield company


def settled(rig: Rig, company: Any, **fields: Any) -> None:
    rig.create(P, **fields)
    company.pay(P)
    rig.create(P, **fields)
    assert 200 == rig.settle(P).status_code


def row_of(rig: Rig, request_id: str = "refund-1") -> ListedRequest:
    rows = rig.connector.requests.rows(payment_id=P)
    return next(row for row in rows if row.request_id == request_id)


def listed(rig: Rig, request_id: str = "refund-1") -> tuple[str, str | None, str]:
    row = row_of(rig, request_id)
    return row.state.value, row.code, row.message or ""


def is_due(rig: Rig) -> bool:
    rig.make_due()
    return bool([due for due in rig.connector.requests.due(9) if due.request.operation == "refund"])


def close(rig: Rig, request_id: str = "refund-1") -> None:
    rig.connector.requests.close(RefundRequest(1, PaymentKey(P), request_id))


def test_a_refund_that_still_runs_is_listed_until_vtex_hears_that_it_is_done(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig, yandex.is_slow = rig_on_both, True
    first = rig.refund(P, 40)
    state, code, message = listed(rig)

    assert (500, "refund-pending") == (first.status_code, first.get_json()["code"])
    assert ("manual", "refund-pending", True) == (state, code, message.startswith(BY_HAND))
    assert message == first.get_json()["message"]

    rig.reconcile()
    assert ("manual", "refund-pending", message) == listed(rig)
    yandex.finish(P)
    rig.reconcile()
    assert ("manual", "refunded-late", LATE) == listed(rig)
    assert not is_due(rig)

    again = rig.refund(P, 40)
    assert (200, 40) == (again.status_code, again.get_json()["value"])
    assert ("done", None, "Refunded") == listed(rig)
    assert again.data == rig.refund(P, 40).data
    assert 1 == yandex.effects[f"refund:{P}"]


def test_a_repeat_that_waits_while_reconcile_finds_it_done_hears_so(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig, yandex.is_slow = rig_on_both, True
    rig.refund(P, 40)
    yandex.finish(P)
    answers: list[Any] = []
    repeat = threading.Thread(target=lambda: answers.append(rig.refund(P, 40)))

    def let_the_repeat_wait(_operation: str, _when: str) -> None:
        yandex.hook = None
        repeat.start()
        time.sleep(0.5)

    yandex.hook = let_the_repeat_wait
    rig.reconcile()
    repeat.join()

    assert [(200, 40)] == [(one.status_code, one.get_json()["value"]) for one in answers]
    assert "done" == listed(rig)[0]


def test_a_person_who_knows_closes_the_row_and_vtex_may_ask_again_all_the_same(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig, yandex.is_slow = rig_on_both, True
    rig.refund(P, 40)
    yandex.finish(P)
    rig.reconcile()
    close(rig)

    assert "done" == listed(rig)[0]
    assert 200 == rig.refund(P, 40).status_code
    assert "done" == listed(rig)[0]
    assert 1 == yandex.effects[f"refund:{P}"]


def test_a_refund_of_which_nothing_is_known_is_listed_too(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig = rig_on_both
    yandex.inject("reset_after", "refund")
    yandex.hide("refund")
    first = rig.refund(P, 40)
    yandex.show()

    assert "outcome-unknown" == first.get_json()["code"]
    assert ("manual", "outcome-unknown", first.get_json()["message"]) == listed(rig)
    assert first.get_json()["message"].startswith(BY_HAND)
    rig.reconcile()
    assert ("manual", "refunded-late", LATE) == listed(rig)


def test_a_listed_refund_that_fails_at_last_stays_listed_as_what_vtex_was_told(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig, yandex.is_slow = rig_on_both, True
    rig.refund(P, 40)
    yandex.finish(P, well=False)
    rig.reconcile()
    state, code, message = listed(rig)

    assert ("manual", "not-refunded") == (state, code)
    assert "as VTEX was told" in message
    yandex.is_slow = False
    assert 200 == rig.refund(P, 40).status_code
    assert "done" == listed(rig)[0]
    assert 1 == yandex.effects[f"refund:{P}"]


def test_a_refund_without_a_trace_is_looked_for_as_long_as_anything_is(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    tranzzo.lose("refund")
    rig.refund(P, 40)
    lost = tranzzo.calls_of("refund")[-1]
    assert listed(rig)[2].startswith(BY_HAND)
    rig.execute("UPDATE sends SET sent_at = sent_at - 60")
    rig.reconcile()
    state, code, message = listed(rig)

    assert ("manual", "not-refunded") == (state, code)
    assert "no trace" in message
    assert is_due(rig)
    tranzzo.respond(lost)
    rig.reconcile()
    assert ("manual", "refunded-late", LATE) == listed(rig)
    assert 200 == rig.refund(P, 40).status_code
    assert 40 == tranzzo.money(P)[2]


@pytest.mark.parametrize(("call", "status"), [("look", 503), ("refund", 429)])
def test_a_refund_without_a_trace_stays_listed_and_due_while_vtex_asks_in_vain(
    rig: Rig, tranzzo: TranzzoCompany, call: str, status: int
) -> None:
    tranzzo.lose("refund")
    rig.refund(P, 40)
    lost = tranzzo.calls_of("refund")[-1]
    rig.execute("UPDATE sends SET sent_at = sent_at - 60")
    rig.reconcile()
    tranzzo.inject("status_before", call, status=status)
    answer = rig.refund(P, 40)
    state, _, message = listed(rig)

    assert (500, "manual") == (answer.status_code, state)
    assert message.startswith(BY_HAND)
    assert is_due(rig)
    rig.reconcile()
    assert "no trace" in listed(rig)[2]
    tranzzo.respond(lost)
    rig.reconcile()
    assert ("manual", "refunded-late", LATE) == listed(rig)


def test_another_refund_that_waits_for_it_is_not_listed(rig: Rig, tranzzo: TranzzoCompany) -> None:
    tranzzo.is_slow = True
    rig.refund(P, 40)
    second = rig.refund(P, 30, "refund-2")

    assert "payment-busy" == second.get_json()["code"]
    assert "manual" != listed(rig, "refund-2")[0]


def test_what_cryptomus_paid_to_the_merchants_wallet_is_listed_until_a_person_paid_the_buyer(
    rig: Rig, cryptomus: Cryptomus
) -> None:
    cryptomus.looks_until_refunded = 1
    first = rig.refund(P)

    assert (200, None, 100) == (
        first.status_code,
        first.get_json()["code"],
        first.get_json()["value"],
    )
    assert ("manual", None, f"Refunded. {PAY}") == listed(rig)
    assert first.data == rig.refund(P).data
    assert "manual" == listed(rig)[0]
    close(rig)
    assert first.data == rig.refund(P).data
    assert "done" == listed(rig)[0]
    assert 1 == cryptomus.effects[f"refund:{P}"]


def test_what_cryptomus_paid_after_vtex_was_told_is_a_persons_though_vtex_asks_again(
    rig: Rig, cryptomus: Cryptomus
) -> None:
    assert "refund-pending" == rig.refund(P).get_json()["code"]
    assert listed(rig)[2].startswith(BY_HAND)
    cryptomus.finish(P)
    rig.reconcile()

    assert ("manual", None, f"{LATE}. {PAY}") == listed(rig)
    answers = [rig.refund(P) for _ in range(2)]
    assert [200, 200] == [answer.status_code for answer in answers]
    assert "manual" == listed(rig)[0]
    close(rig)
    assert answers[0].data == rig.refund(P).data
    assert "done" == listed(rig)[0]


def test_nobody_is_told_to_refund_by_hand_what_may_still_be_made(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig = rig_on_both
    yandex.lose("refund")
    rig.refund(P, 40)
    yandex.orders[P]["paymentStatus"] = "CONFIRMED"

    assert "outcome-unknown" == rig.refund(P, 40).get_json()["code"]
    assert listed(rig)[2].startswith(BY_HAND)
    yandex.orders[P]["paymentStatus"] = "CAPTURED"
    assert 200 == rig.refund(P, 40).status_code
    assert "done" == listed(rig)[0]


def test_what_cannot_come_any_more_may_be_told_to_be_refunded_by_hand(
    rig: Rig, cryptomus: Cryptomus
) -> None:
    cryptomus.lose("refund")
    rig.refund(P)
    cryptomus.move(P, "locked")
    assert "outcome-unknown" == rig.refund(P).get_json()["code"]
    rig.execute("UPDATE sends SET sent_at = sent_at - 60")
    answer = rig.refund(P)

    assert (501, "refund-manually") == (answer.status_code, answer.get_json()["code"])
    message = "This payment needs to be refunded manually: the provider says locked"
    assert ("manual", "refund-manually", message) == listed(rig)
