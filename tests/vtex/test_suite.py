"""VTEX's test suite: when it is let in, it meets the sandbox and nobody else."""

import threading
import time
from typing import Any

import pytest
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.domain.merchant import SUITE_NAME
from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig, headers

MARK = {"X-VTEX-API-Is-TestSuite": "true"}
EMPTY = {"X-VTEX-API-AppKey": "", "X-VTEX-API-AppToken": ""}
CARDS = {
    "approved": "4444333322221111",
    "denied": "4444333322221112",
    "later": "4222222222222224",
}


@pytest.fixture
def suite(rig: Rig) -> Rig:
    rig.configure(CONNECTOR_TEST_SUITE="on")
    return rig


def create(rig: Rig, own: dict[str, str], flow: str = "approved", **fields: Any) -> TestResponse:
    body = {
        "paymentId": "b8f1ddc8-62d5-4a2e-a5a1-6a1e1a1d5c11",
        "value": 29.9,
        "currency": "BRL",
        "paymentMethod": "Visa",
        "card": {"number": CARDS[flow], "document": None},
        **fields,
    }
    return rig.client.post("/payments", json=body, headers=own)


def post(rig: Rig, path: str, **fields: Any) -> Any:
    payment_id = "b8f1ddc8-62d5-4a2e-a5a1-6a1e1a1d5c11"
    answer = rig.client.post(
        f"/payments/{payment_id}/{path}",
        json={"paymentId": payment_id, **fields},
        headers=MARK | EMPTY,
    )
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def suite_rows(rig: Rig) -> list[Any]:
    return rig.execute(
        "SELECT merchants.name FROM payments JOIN merchants ON merchants.id = merchant_id"
    )


@pytest.mark.parametrize("mark", ["true", "True", "TRUE", " true ", "true,true", "true, True"])
@pytest.mark.parametrize("name", ["X-VTEX-API-Is-TestSuite", "X-Vtex-Api-Is-Testsuite"])
@pytest.mark.parametrize("own", [{}, EMPTY, {"X-VTEX-API-AppKey": "any"}])
def test_the_suite_is_let_in_whatever_its_credentials(
    suite: Rig, mark: str, name: str, own: dict[str, str]
) -> None:
    answer = create(suite, {name: mark, **own})
    assert (200, "approved") == (answer.status_code, answer.get_json()["status"])
    assert [(SUITE_NAME,)] == suite_rows(suite)


@pytest.mark.parametrize("mark", ["false", "", "1", "yes", "true,", "true,false"])
def test_another_mark_lets_nobody_in(suite: Rig, mark: str) -> None:
    assert create(suite, {"X-VTEX-API-Is-TestSuite": mark}).status_code == 401
    assert [] == suite_rows(suite)


SHAPES = {
    "/payments": {"status", "code", "message", "paymentId"},
    "/payments/P1/cancellations": {"paymentId", "cancellationId", "code", "message", "requestId"},
    "/payments/P1/settlements": {"paymentId", "settleId", "value", "code", "message", "requestId"},
    "/payments/P1/refunds": {"paymentId", "refundId", "value", "code", "message", "requestId"},
    "/payments/P1/inbound/status": {"requestId", "paymentId", "code", "message", "responseData"},
}


@pytest.mark.parametrize("path", SHAPES)
@pytest.mark.parametrize("own", ["none", "empty", "wrong", "real"])
def test_switched_off_whoever_is_marked_is_refused_and_reaches_nobody(
    rig: Rig, path: str, own: str
) -> None:
    with TranzzoCompany() as company:
        real = headers(rig.add(company))
        company.create("P1")
        calls = len(company.calls)
        sent = {"none": {}, "empty": EMPTY, "wrong": dict.fromkeys(real, "x"), "real": real}[own]
        body = {"paymentId": "P1", "requestId": "R1", "value": 1, "currency": "UAH"}
        body |= {"paymentMethod": "Tranzzo", "merchantSettings": []}
        for mark in ("true", "TRUE", "true,true"):
            asked = {"X-VTEX-API-Is-TestSuite": mark} | sent
            answer = rig.client.post(path, json=body, headers=asked)
            told = answer.get_json()
            assert (403, "test-suite-off") == (answer.status_code, told["code"])
            assert SHAPES[path] == set(told)
            assert told["paymentId"] == "P1"
            assert "CONNECTOR_TEST_SUITE" in told["message"]
        assert calls == len(company.calls)
    for table in ("payments", "requests", "events"):
        assert [] == rig.execute(f"SELECT * FROM {table}")  # noqa: S608 - names above


def test_switched_off_the_suite_may_ask_for_the_manifest(rig: Rig) -> None:
    assert 200 == rig.client.get("/manifest", headers=MARK | EMPTY).status_code


def test_a_real_merchants_key_and_payment_touch_no_real_merchant(suite: Rig) -> None:
    with TranzzoCompany() as company:
        real = headers(suite.add(company))
        suite.configure(CONNECTOR_TEST_SUITE="on")
        company.create("P1")
        calls = len(company.calls)
        body = {"paymentId": "P1", "requestId": "R1", "value": 1}
        given = [{"name": "Tranzzo API_SECRET", "value": "a-stranger's"}]
        for path in ("cancellations", "settlements", "refunds", "inbound/status"):
            answer = suite.client.post(
                f"/payments/P1/{path}",
                json={**body, "merchantSettings": given},
                headers=MARK | real,
            )
            assert answer.status_code != 401
        assert calls == len(company.calls)
        assert company.settings == suite.connector.merchants.find("shop").merchant.settings
    assert {(SUITE_NAME,)} == set(suite_rows(suite))


def test_the_suites_approved_flow(suite: Rig) -> None:
    created = create(suite, MARK | EMPTY).get_json()
    assert created["status"] == "approved"
    assert created["authorizationId"]
    settled = post(suite, "settlements", value=29.9, tid=created["tid"])
    assert settled["settleId"]
    assert settled["requestId"] == ""
    assert settled == post(suite, "settlements", value=29.9, tid=created["tid"])
    refunded = post(suite, "refunds", requestId="r-2", value=29.9, settleId=settled["settleId"])
    assert refunded["refundId"]


def test_the_suites_cancellation_flow(suite: Rig) -> None:
    assert create(suite, MARK | EMPTY).get_json()["status"] == "approved"
    assert post(suite, "cancellations", requestId="r-1")["cancellationId"]
    assert create(suite, MARK | EMPTY).get_json()["status"] == "denied"


def test_the_suites_denied_flow(suite: Rig) -> None:
    assert create(suite, MARK | EMPTY, "denied").get_json()["status"] == "denied"


def test_the_suites_asynchronous_flow_begins_undefined(suite: Rig) -> None:
    answer = create(suite, MARK | EMPTY, "later").get_json()
    assert ("undefined", None) == (answer["status"], answer["authorizationId"])


@pytest.mark.parametrize("number", [None, "null"])
def test_the_suites_redirect_and_invoice_flows_have_an_address(
    suite: Rig, number: str | None
) -> None:
    card = {"holder": number, "number": number, "csc": number}
    shown = create(suite, MARK | EMPTY, card=card, paymentMethod="BankInvoice").get_json()
    assert shown["status"] == "undefined"
    assert shown["redirectUrl"] == shown["paymentUrl"] == shown["bankIssueInvoiceUrl"]
    other = {"paymentId": "other", "card": card, "paymentMethod": "Promissories"}
    shown = create(suite, MARK | EMPTY, **other).get_json()
    assert shown["redirectUrl"] == shown["paymentUrl"]
    assert "bankIssueInvoiceUrl" not in shown


def test_the_suite_is_answered_in_its_time(suite: Rig) -> None:
    """Another process has the payment's turn: a request waits for it until its deadline."""
    asked = MARK | EMPTY
    client = create_app(suite.connector).test_client()
    assert create(suite, asked, "later").status_code == 200
    suite.execute("UPDATE payments SET lease_until = :far, lease_token = 'other'", far=9e9)
    began = time.monotonic()
    payment_id = "b8f1ddc8-62d5-4a2e-a5a1-6a1e1a1d5c11"
    answer = client.post(
        f"/payments/{payment_id}/cancellations",
        json={"paymentId": payment_id, "requestId": "r-1"},
        headers=asked,
    )
    assert answer.get_json()["code"] == "payment-busy"
    assert 4.0 < time.monotonic() - began < 5.0


def test_requests_at_once_make_one_merchant(rig_on_both: Rig) -> None:
    rig_on_both.configure(CONNECTOR_TEST_SUITE="on")
    client = create_app(rig_on_both.connector).test_client()
    ready, statuses = threading.Barrier(8), []

    def ask() -> None:
        ready.wait()
        answer = client.post("/payments/P1/inbound/status", json={}, headers=MARK | EMPTY)
        statuses.append(answer.status_code)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [400] * 8 == statuses
    assert [(SUITE_NAME, "sandbox")] == rig_on_both.execute("SELECT name, provider FROM merchants")


def test_nobody_can_be_the_suites_merchant_without_the_mark(suite: Rig) -> None:
    assert create(suite, MARK | EMPTY).status_code == 200
    ((app_key,),) = suite.execute("SELECT app_key FROM merchants")
    for token in ("", "x"):
        own = {"X-VTEX-API-AppKey": app_key, "X-VTEX-API-AppToken": token}
        assert create(suite, own).status_code == 401
