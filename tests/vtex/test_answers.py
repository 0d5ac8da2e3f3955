"""What VTEX reads: the JSON of every answer, to the last digit."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import providers
from connector.app import create_app
from connector.domain import exact
from connector.domain.errors import ConnectorError, InvalidRequest, NotAuthenticated
from connector.domain.merchant import Merchant
from connector.domain.operation import (
    CancelRequest,
    CreateRequest,
    Outcome,
    RefundRequest,
    SettleRequest,
    State,
)
from connector.domain.order import Order
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.http_client import HttpClient
from connector.http_routes import failure_at
from connector.provider import Hosts, Provider
from connector.vtex import answers
from connector.vtex.manifest import field_name, manifest
from tests.companies.registry import BY_NAME
from tests.rig import Rig

EVERY = settings(max_examples=300, deadline=None, derandomize=True, database=None)
ENABLED: dict[str, Provider] = {
    name: kind(HttpClient(name), Hosts(kind.url, kind.sandbox_url or kind.url))
    for name, kind in providers.discover().items()
}
MERCHANT = Merchant(1, "shop", "tranzzo", {})
URL = "https://pay.example.com/r/1?a=%2f"


# Numbers.


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("4307.23"), "4307.23"),
        (Decimal("0.1") + Decimal("0.2"), "0.3"),
        (Decimal(57), "57"),
        (Decimal("57.00"), "57"),
        (Decimal("29.90"), "29.90"),
        (Decimal("1e-7"), "0.0000001"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0E-10"), "0"),
        (Decimal("123456789012345.123456789012345"), "123456789012345.123456789012345"),
        (0, "0"),
        (True, "true"),
        (None, "null"),
        ("й\u2028\ud800", '"\\u0439\\u2028\\ud800"'),
    ],
)
def test_a_number_has_exactly_its_digits_and_no_exponent(value: object, written: str) -> None:
    assert exact.dumps(value) == written


@EVERY
@given(
    value=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text()
        | st.decimals(Decimal(10) ** -9, 10**9, places=9),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_what_is_written_is_read_back_exactly(value: object) -> None:
    written = exact.dumps(value)
    assert exact.loads(written) == value
    assert written.isascii()


@pytest.mark.parametrize("value", [0.1, {"a": [1.0]}])
def test_a_float_is_never_written(value: object) -> None:
    with pytest.raises(TypeError):
        exact.dumps(value)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "sNaN"])
def test_what_is_no_number_is_never_written(value: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact.dumps(Decimal(value))


# Cancellations, settlements, refunds.

CANCEL = CancelRequest(1, PaymentKey("P1"), "R1")
SETTLE = SettleRequest(1, PaymentKey("P1"), "R1")
REFUND = RefundRequest(1, PaymentKey("P1"), "R1")
DONE = Outcome(State.DONE, None, "Done", "ID1", Decimal("4307.23"))
MANUAL = Outcome(State.MANUAL, "refund-manually", "A person must", "ID1", Decimal(5))
STATES = [state for state in State if state is not State.DONE]


def test_a_settlement_is_told_with_its_id_and_what_was_taken() -> None:
    reply = answers.render_settlement()(SETTLE, DONE)
    assert reply.status == 200
    assert reply.body == (
        b'{"paymentId": "P1", "settleId": "ID1", "value": 4307.23, "code": null, '
        b'"message": "Done", "requestId": "R1"}'
    )


def test_a_refund_is_told_with_its_id_and_what_was_returned() -> None:
    reply = answers.render_refund(501)(REFUND, DONE)
    assert (200, None) == (reply.status, reply.code)
    assert reply.body == (
        b'{"paymentId": "P1", "refundId": "ID1", "value": 4307.23, "code": null, '
        b'"message": "Done", "requestId": "R1"}'
    )


def test_a_settlement_without_a_request_id_is_answered_with_an_empty_one() -> None:
    reply = answers.render_settlement()(SettleRequest(1, PaymentKey("P1")), DONE)
    assert json.loads(reply.body)["requestId"] == ""


@pytest.mark.parametrize("state", STATES)
def test_what_was_not_done_has_no_id_and_no_value(state: State) -> None:
    outcome = Outcome(state, "some-code", "Why", "ID1", Decimal(5))
    for reply, name in (
        (answers.render_settlement()(SETTLE, outcome), "settleId"),
        (answers.render_refund(501)(REFUND, outcome), "refundId"),
        (answers.render_cancellation(501)(CANCEL, outcome), "cancellationId"),
    ):
        told = json.loads(reply.body)
        assert told[name] is None
        assert told.get("value", 0) == 0
        assert reply.status >= 500


@pytest.mark.parametrize("code", ["refund-manually", "cancel-manually"])
@pytest.mark.parametrize("state", list(State))
def test_a_settlement_never_asks_for_a_person(state: State, code: str) -> None:
    reply = answers.render_settlement()(SETTLE, Outcome(state, code, "Why", "ID1"))
    assert b"-manually" not in reply.body
    assert reply.code == "provider-refused"
    assert reply.status in {200, 500}


@pytest.mark.parametrize("status", [501, 200])
def test_a_manual_refund_has_the_status_that_is_set(status: int) -> None:
    reply = answers.render_refund(status)(REFUND, MANUAL)
    assert (status, "refund-manually") == (reply.status, reply.code)
    assert (None, 0) == (json.loads(reply.body)["refundId"], json.loads(reply.body)["value"])


# Payments.


def payment(status: PaymentStatus = PaymentStatus.PENDING, **own: Any) -> Payment:
    key = PaymentKey("P1", own.pop("authorization_id", None), own.pop("provider_payment_id", None))
    return Payment(key, status, amount=Decimal("29.90"), currency="RUB", **own)


def told(shown: Payment | None, method: str = "Visa", **outcome: Any) -> dict[str, Any]:
    given_outcome = Outcome(**{"state": State.DONE, "code": None, "message": "Done", **outcome})
    order = Order("P1", Decimal("29.90"), "RUB", method=method)
    asked = CreateRequest(1, PaymentKey("P1"), order=order)
    reply = answers.render_creation(ENABLED)(MERCHANT, asked, given_outcome, shown)
    body: dict[str, Any] = json.loads(reply.body)
    assert reply.status == (500 if body["status"] == "error" else 200)
    return body


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (PaymentStatus.PENDING, "undefined"),
        (PaymentStatus.APPROVED, "approved"),
        (PaymentStatus.SETTLED, "approved"),
        (PaymentStatus.REFUNDED, "approved"),
        (PaymentStatus.DENIED, "denied"),
        (PaymentStatus.CANCELLED, "denied"),
    ],
)
def test_a_payment_is_told_as_it_stands(status: PaymentStatus, word: str) -> None:
    shown = payment(
        status,
        authorization_id="A1",
        provider_payment_id="T1",
        code="ok",
        message="Fine",
        payment_url=URL,
    )
    body = told(shown)
    pages = {"paymentUrl": URL, "redirectUrl": URL} if word == "undefined" else {"paymentUrl": None}
    assert body == {
        "paymentId": "P1",
        "status": word,
        "authorizationId": "A1" if word == "approved" else None,
        "tid": "T1",
        "nsu": "T1",
        "acquirer": "Tranzzo",
        "code": "ok",
        "message": "Fine",
        "delayToAutoSettle": 21600,
        "delayToAutoSettleAfterAntifraud": 21600,
        "delayToCancel": 3600,
        **pages,
    }


@pytest.mark.parametrize(
    ("ids", "authorization_id", "tid"),
    [
        ({"authorization_id": "A1", "provider_payment_id": "T1"}, "A1", "T1"),
        ({"provider_payment_id": "T1"}, "P1", "T1"),
        ({"authorization_id": "A1"}, "A1", "P1"),
        ({}, "P1", "P1"),
    ],
)
def test_an_approved_payment_has_an_authorization_id_whatever_the_company_shows(
    ids: dict[str, str], authorization_id: str, tid: str
) -> None:
    body = told(payment(PaymentStatus.APPROVED, **ids))
    assert (authorization_id, tid, tid) == (body["authorizationId"], body["tid"], body["nsu"])


def test_a_bank_invoice_is_where_the_test_suite_looks_for_it() -> None:
    body = told(payment(payment_url=URL), "BankInvoice")
    names = ("paymentUrl", "redirectUrl", "bankIssueInvoiceUrl", "bankIssueInvoiceId")
    assert [URL] * 4 == [body[name] for name in names]
    approved = told(payment(PaymentStatus.APPROVED, payment_url=URL), "BankInvoice")
    assert not set(names[1:]) & set(approved)


def test_a_payment_that_waits_is_told_with_http_200() -> None:
    assert told(payment(), state=State.WAITING)["status"] == "undefined"


@pytest.mark.parametrize("state", [one for one in STATES if one is not State.WAITING])
def test_a_payment_that_was_not_created_is_an_error(state: State) -> None:
    body = told(payment(), state=state, code="outcome-unknown", message="Nobody knows")
    assert body == {
        "status": "error",
        "code": "outcome-unknown",
        "message": "Nobody knows",
        "paymentId": "P1",
    }


def test_without_a_payment_there_is_nothing_to_tell() -> None:
    assert ("error", "internal-error") == (told(None)["status"], told(None)["code"])


# Failures.


OF_OPERATIONS = [
    ("/payments", ["status", "code", "message", "paymentId"]),
    ("/payments/", ["status", "code", "message", "paymentId"]),
    (
        "/payments/P1/settlements",
        ["paymentId", "settleId", "value", "code", "message", "requestId"],
    ),
    (
        "/payments/P1/refunds/",
        ["paymentId", "refundId", "value", "code", "message", "requestId"],
    ),
    (
        "/payments/P1/cancellations",
        ["paymentId", "cancellationId", "code", "message", "requestId"],
    ),
    ("/payments/P1/inbound/x", ["requestId", "paymentId", "code", "message", "responseData"]),
    (
        "/payments/P1/inbound-request/x",
        ["requestId", "paymentId", "code", "message", "responseData"],
    ),
]
ERRORS = [ConnectorError(), InvalidRequest("value: no"), NotAuthenticated()]


def failure(rig: Rig, path: str, error: ConnectorError, body: str = "") -> dict[str, Any]:
    """Write the failure of a request that came to a path, or came to no end before it."""
    app = create_app(rig.connector)
    if not body:
        return dict(json.loads(failure_at(app.url_map, path, error, 400)[0]))
    with app.test_request_context(path, method="POST", data=body):
        return dict(json.loads(failure_at(app.url_map, path, error, 400)[0]))


@pytest.mark.parametrize(("path", "fields"), OF_OPERATIONS)
@pytest.mark.parametrize("error", ERRORS)
def test_a_failure_has_the_shape_of_its_paths_answers(
    rig: Rig, path: str, fields: list[str], error: ConnectorError
) -> None:
    body = failure(rig, path, error, '{"paymentId": "P1", "requestId": "R1"}')
    assert list(body) == fields
    assert (error.code, str(error), "P1") == (body["code"], body["message"], body["paymentId"])
    assert body.get("requestId", "R1") == "R1"
    assert body.get("value", 0) == 0


@pytest.mark.parametrize(("path", "fields"), OF_OPERATIONS)
def test_what_was_not_read_is_not_echoed(rig: Rig, path: str, fields: list[str]) -> None:
    body = failure(rig, path, InvalidRequest())
    assert list(body) == fields
    assert not body.get("requestId")
    assert body["paymentId"] == ("P1" if "P1" in path else None)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/nowhere", ["status", "code", "message"]),
        ("/payments/P1/nothing", ["status", "code", "message"]),
        ("/manifest", ["status", "code", "message"]),
        ("/livez", ["status", "code", "message"]),
        ("", ["status", "code", "message"]),
        ("/webhooks/tranzzo/shop", ["code", "message"]),
    ],
)
@pytest.mark.parametrize("error", ERRORS)
def test_a_failure_elsewhere_is_no_cancellation(
    rig: Rig, path: str, fields: list[str], error: ConnectorError
) -> None:
    body = failure(rig, path, error)
    assert list(body) == fields
    assert (error.code, str(error), 400) == (body["code"], body["message"], body.get("status", 400))


# The manifest.


def test_the_manifest_names_every_method_once_and_every_setting() -> None:
    shown = json.loads(manifest(ENABLED.values()))
    methods = [one["name"] for one in shown["paymentMethods"]]
    sold = [name for provider in ENABLED.values() for name in provider.payment_methods]
    assert methods == list(dict.fromkeys(sold))
    assert {"disabled"} == {one["allowsSplit"] for one in shown["paymentMethods"]}
    every = [
        (one, setting)
        for one in ENABLED.values()
        for setting in one.settings
        if not setting.is_payout
    ]
    assert [one["name"] for one in shown["customFields"]] == [field_name(*one) for one in every]
    assert len(every) == len({field_name(*one) for one in every})


def test_the_manifest_hides_secrets_and_offers_choices() -> None:
    fields = {one["name"]: one for one in json.loads(manifest(ENABLED.values()))["customFields"]}
    for provider in ENABLED.values():
        for setting in (one for one in provider.settings if not one.is_payout):
            field = fields[field_name(provider, setting)]
            kind = "select" if setting.options else "text"
            assert field["type"] == ("password" if setting.is_secret else kind)
            shown = [option["value"] for option in field.get("options", [])]
            assert shown == list(setting.options)


def test_the_manifest_asks_for_no_secret_when_secrets_are_off(rig: Rig) -> None:
    def names(**variables: str) -> set[str]:
        rig.configure(**variables)
        return {one["name"] for one in rig.client.get("/manifest").get_json()["customFields"]}

    all_names = names()
    secrets = {
        field_name(provider, setting)
        for provider in ENABLED.values()
        for setting in provider.settings
        if setting.is_secret
    }
    assert secrets & all_names
    assert all_names - secrets == names(CONNECTOR_PROVIDER_FIELDS="off")


def test_without_the_sandbox_no_card_is_in_the_manifest(rig: Rig) -> None:
    def methods(**variables: str) -> set[str]:
        rig.configure(**variables)
        shown = rig.client.get("/manifest").get_json()
        return {one["name"] for one in shown["paymentMethods"]}

    assert methods() >= {"Visa", "Mastercard", "American Express"}
    for suite in ("off", "on"):
        assert methods(CONNECTOR_PROVIDERS="", CONNECTOR_TEST_SUITE=suite) == {
            ENABLED[name].title for name in BY_NAME
        }


def test_only_the_enabled_providers_are_in_the_manifest() -> None:
    shown = json.loads(manifest([ENABLED["sandbox"]]))
    assert [] == shown["customFields"]
    assert [one["name"] for one in shown["paymentMethods"]] == list(
        ENABLED["sandbox"].payment_methods
    )
