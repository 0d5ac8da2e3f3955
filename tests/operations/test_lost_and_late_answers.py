"""Money and truth where answers are lost, late, or contradict what was known."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.companies.cryptomus import Cryptomus
from tests.companies.registry import CRYPTOMUS
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.lifetime import P
from tests.rig import Rig
from tests.sink import Sink

ADDRESS = CRYPTOMUS.settings


@pytest.fixture
def tranzzo() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def rustore() -> Iterator[RuStore]:
    with RuStore() as company:
        yield company


@pytest.fixture
def cryptomus() -> Iterator[Cryptomus]:
    with Cryptomus() as company:
        yield company


def settled(rig: Rig, company: Any, **fields: Any) -> None:
    rig.create(P, **fields)
    company.pay(P)
    rig.notify(company, P)
    assert 200 == rig.settle(P).status_code


def let_a_lease_time_pass(rig: Rig) -> None:
    rig.execute("UPDATE sends SET sent_at = sent_at - 60")


def returned(company: Any) -> int:
    return int(company.money(P)[2])


def state(rig: Rig, operation: str) -> str:
    rows = rig.connector.requests.rows()
    return next(row.state.value for row in rows if row.operation == operation)


class TestRuStore:
    def test_an_id_vtex_was_told_before_does_not_replace_the_bound_one(
        self, rig: Rig, rustore: RuStore, vtex: Sink
    ) -> None:
        rig.add(rustore)
        rig.create(P, callbackUrl=vtex.url)
        first = rustore.start(P, amount=100)
        rustore.decline(P)
        declined = rustore.notification(P)
        rustore.start(P, amount=100)
        rustore.pay(P)
        rig.notify(rustore, P)
        rig.send_notification(rustore, declined)

        answer = rig.cancel(P, tid=str(first.invoice_id))

        assert 200 == answer.status_code
        assert (0, 0, 0) == tuple(map(int, rustore.money(P)))

    def test_a_purchase_whose_payment_is_told_too_late_is_found(
        self, rig: Rig, rustore: RuStore
    ) -> None:
        """The message of its payment is lost; that it began was told."""
        rig.add(rustore)
        rig.create(P)
        rustore.start(P, amount=100)
        rustore.decline(P)
        rig.notify(rustore, P)
        rustore.start(P, amount=100)
        rig.notify(rustore, P)
        rustore.pay(P)

        rig.reconcile()

        assert (0, 0, 0) == tuple(map(int, rustore.money(P)))


class TestRefund:
    def test_a_request_that_moves_money_keeps_its_amount(
        self, rig: Rig, tranzzo: TranzzoCompany
    ) -> None:
        rig.add(tranzzo)
        settled(rig, tranzzo)
        tranzzo.inject("reset_after", "refund")
        rig.refund(P, 30)

        changed, same = rig.refund(P, 100), rig.refund(P, 30)

        assert (422, "request-mismatch") == (changed.status_code, changed.get_json()["code"])
        assert (200, 30) == (same.status_code, same.get_json()["value"])
        assert 30 == returned(tranzzo)

    def test_what_the_company_accepted_is_never_sent_again(
        self, rig: Rig, cryptomus: Cryptomus
    ) -> None:
        rig.add(cryptomus, **ADDRESS)
        settled(rig, cryptomus, currency="USD")
        accepted = b'{"state": 0, "result": []}'
        cryptomus.inject("answer", "refund", times=9, body=accepted)
        for _ in range(3):
            assert 500 == rig.refund(P).status_code
            let_a_lease_time_pass(rig)

        assert 1 == len(cryptomus.calls_of("refund"))

    def test_one_given_up_that_turns_up_after_all_is_not_sent_again(
        self, rig: Rig, tranzzo: TranzzoCompany
    ) -> None:
        rig.add(tranzzo)
        settled(rig, tranzzo)
        tranzzo.inject("reset_before", "refund")
        rig.refund(P, 30, "first")
        let_a_lease_time_pass(rig)
        assert 200 == rig.refund(P, 20, "second").status_code
        first = tranzzo.calls_of("refund")[0]
        its_headers = {name: first.headers[name] for name in ("X-API-Auth", "X-API-Key")}
        requests.post(tranzzo.origin + first.path, data=first.body, headers=its_headers, timeout=9)
        assert 50 == returned(tranzzo)

        late = rig.refund(P, 30, "first")

        assert (200, 30) == (late.status_code, late.get_json()["value"])
        assert 50 == returned(tranzzo)

    @pytest.mark.parametrize("status", [429, 401, 503])
    def test_a_company_that_cannot_be_asked_leaves_it_to_be_asked_again(
        self, rig: Rig, tranzzo: TranzzoCompany, status: int
    ) -> None:
        rig.add(tranzzo)
        settled(rig, tranzzo)
        tranzzo.inject("reset_after", "refund")
        tranzzo.hide("refund")
        rig.refund(P, 30)
        tranzzo.show()
        tranzzo.inject("status_before", "look", status=status)
        rig.reconcile()
        assert "manual" == state(rig, "refund")

        rig.reconcile()

        # VTEX was told that it failed.
        assert "manual" == state(rig, "refund")
        assert 200 == rig.refund(P, 30).status_code
        assert "done" == state(rig, "refund")


def test_a_settled_payment_is_not_refunded_by_an_earlier_cancellation(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo, captured="refund")
    rig.create(P)
    tranzzo.pay(P)
    rig.notify(tranzzo, P)
    tranzzo.inject("status_before", "void", status=429)
    assert 500 == rig.cancel(P).status_code
    assert 200 == rig.settle(P).status_code

    rig.reconcile()

    assert (0, 100, 0) == tuple(map(int, tranzzo.money(P)))


def test_the_cart_is_kept_though_the_companys_answer_was_lost(rig: Rig) -> None:
    with YandexPayCompany() as yandex:
        rig.add(yandex)
        yandex.inject("reset_after", "create")
        yandex.hide("create")
        assert 500 == rig.create(P).status_code
        yandex.show()
        assert "undefined" == rig.create(P).get_json()["status"]
        yandex.pay(P)
        rig.notify(yandex, P)

        assert (200, 60) == (rig.settle(P, 60).status_code, int(yandex.money(P)[1]))


def test_an_approval_whose_answer_was_not_sent_is_called_back(
    rig: Rig, tranzzo: TranzzoCompany, vtex: Sink
) -> None:
    rig.add(tranzzo)
    rig.create(P, callbackUrl=vtex.url)
    tranzzo.pay(P)
    unsent = rig.post_unsent("/payments", P, vtex.url)
    assert "approved" == unsent["status"]
    rig.let_callbacks_be_due()
    rig.reconcile()

    assert ["approved"] == [body["status"] for body in vtex.bodies]


def test_an_approval_that_was_answered_is_not_called_back(
    rig: Rig, tranzzo: TranzzoCompany, vtex: Sink
) -> None:
    rig.add(tranzzo)
    rig.create(P, callbackUrl=vtex.url)
    tranzzo.pay(P)
    assert "approved" == rig.create(P, callbackUrl=vtex.url).get_json()["status"]
    rig.let_callbacks_be_due()
    rig.reconcile()

    assert [] == vtex.bodies
