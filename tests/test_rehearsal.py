from collections.abc import Iterator
from typing import Any

import pytest

from connector.rehearsal import forms
from connector.rehearsal.authorization_cases import FLOW
from connector.rehearsal.cases import BEYOND, CASES, SUITE
from connector.rehearsal.client import Keys
from connector.rehearsal.player import Stage, Times
from connector.rehearsal.run import Result, rehearse
from connector.rehearsal.sink import Sink
from tests.rehearsed import DECIDED, MANIFEST, MISSING, Rehearsed

# The rehearsal waits for callbacks that do not come.
pytestmark = pytest.mark.slow

TIMES = Times(answer=5.0, callback=10.0, quiet=0.3, decided=2 * DECIDED)
BRIEF = Times(answer=5.0, callback=3.0, quiet=0.3, decided=2 * DECIDED)
METHODS = [item["name"] for item in MANIFEST["paymentMethods"]]


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as found:
        yield found


def play(connector: Rehearsed, sink: Sink, *cases: str, method: str = "", **values: Any) -> Any:
    times = values.pop("times", TIMES)
    stage = Stage(connector.url, sink, times=times, **values)
    return list(rehearse(stage, [method] if method else [], cases))


def faults(results: list[Result]) -> dict[str, str]:
    """Every fault, by case."""
    found: dict[str, str] = {}
    for result in results:
        if not result.is_success:
            found[result.case] = f"{found.get(result.case, '')}{result.fault}\n"
    return found


def fault_of(connector: Rehearsed, sink: Sink, case: str, times: Times = TIMES) -> str:
    method = {"bank-invoice": "BankInvoice", "redirect": "Promissories"}.get(case, "Visa")
    results = play(connector, sink, case, method=method, times=times)
    assert {case} == {result.case for result in results}
    return faults(results)[case]


# What is right passes.


def test_a_connector_that_does_all_right_passes(sink: Sink) -> None:
    with Rehearsed() as connector:
        results = play(connector, sink)
    assert {} == faults(results)
    # This one has no configuration flow.
    assert {case.name for case in FLOW} == {one.case for one in results if one.skipped}
    assert {(one.case, one.method) for one in results if not one.skipped} == {
        *{("manifest", method) for method in METHODS},
        *{(case.name, "Visa") for case in CASES if case.kind == "card"},
        ("bank-invoice", "BankInvoice"),
        ("redirect", "Promissories"),
        ("redirect", "Tranzzo"),
    }
    assert {True} == {one.is_beyond for one in results if one.case in {c.name for c in BEYOND}}
    assert {False} == {one.is_beyond for one in results if one.case in {c.name for c in SUITE}}


def test_a_connector_that_refunds_on_cancelling_passes_too(sink: Sink) -> None:
    with Rehearsed("cancels with a refund") as connector:
        assert {} == faults(play(connector, sink, "cancel-settled"))


def test_a_merchants_keys_are_sent_where_they_are_given(sink: Sink) -> None:
    with Rehearsed(tokens=("key", "secret-token")) as connector:
        keys = Keys("key", "secret-token")
        assert {} == faults(play(connector, sink, "cancellation", "header-families", keys=keys))
        found = faults(play(connector, sink, "cancellation"))
        assert "HTTP status 401, not 200" in found["cancellation"]


def test_both_readings_are_sent(sink: Sink) -> None:
    with Rehearsed() as connector:
        play(connector, sink, "approved", "cancellation", "redirect")
        sent = {operation: [] for operation, _, _ in connector.seen}  # type: ignore[var-annotated]
        for operation, headers, body in connector.seen:
            sent[operation].append((headers, body))
    ids = {body["paymentId"] for _, body in sent["payments"]}
    assert {32, 36} == {len(payment_id) for payment_id in ids}
    for payment_id in ids:
        is_upper = len(payment_id) == 32
        assert payment_id == (payment_id.upper() if is_upper else payment_id.lower())
    markers = {name for headers, _ in sent["payments"] for name in headers if "uite" in name}
    assert {"X-VTEX-API-Is-TestSuite", "X-Vtex-Api-Is-Testsuite"} == markers
    numbers = {body["card"]["number"] for _, body in sent["payments"]}
    assert {forms.APPROVED, None, "null"} == numbers
    settled = {("authorizationId" in body, "requestId" in body) for _, body in sent["settlements"]}
    assert {(True, True), (False, False)} == settled
    cancelled = [set(body) for _, body in sent["cancellations"]]
    assert {"paymentId", "requestId"} in cancelled
    assert any({"authorizationId", "tid", "value", "sandboxMode"} <= names for names in cancelled)
    items = {"deliveryType" in body["miniCart"]["items"][0] for _, body in sent["payments"]}
    assert {True, False} == items


# What is wrong fails, in the case that looks for it.


def changed(operation: str, **values: Any) -> dict[str, Any]:
    return {"changes": {operation: values}}


BROKEN_ANSWERS: list[tuple[str, dict[str, Any], str]] = [
    ("denied", changed("payments", status="approved"), "not 'denied'"),
    ("approved", changed("payments", status="authorized"), "none of"),
    ("approved", changed("payments", status=MISSING), "status is missing"),
    ("approved", changed("payments", paymentId="other"), "as sent"),
    ("approved", changed("payments", tid=MISSING), "tid is missing"),
    ("approved", changed("payments", tid=17), "tid is 17"),
    ("approved", changed("payments", nsu=MISSING), "nsu is missing"),
    ("approved", changed("payments", nsu=5), "nsu is 5"),
    ("approved", changed("payments", acquirer=MISSING), "acquirer is missing"),
    ("approved", changed("payments", authorizationId=None), "without an authorizationId"),
    ("approved", changed("payments", code=500), "code is 500"),
    ("approved", changed("payments", message=[]), "message is []"),
    ("approved", changed("payments", delayToCancel="21600"), "whole seconds"),
    ("approved", changed("payments", delayToCancel=True), "whole seconds"),
    ("approved", changed("payments", delayToCancel=599), "10 minutes to 30 days"),
    ("approved", changed("payments", delayToCancel=2_592_001), "10 minutes to 30 days"),
    ("approved", changed("payments", delayToAutoSettle=604_801), "0 to 7 days"),
    ("approved", changed("payments", delayToAutoSettle=MISSING), "is missing"),
    ("approved", changed("settlements", settleId=None), "settleId is None"),
    ("approved", changed("settlements", settleId=""), "settleId is ''"),
    ("approved", changed("settlements", value="100.25"), "value is '100.25'"),
    ("approved", changed("settlements", value=100), "value is 100, not 100.25"),
    ("approved", changed("settlements", message=None), "message is None"),
    ("approved", changed("settlements", code=MISSING), "code is missing"),
    ("approved", changed("settlements", paymentId=None), "paymentId is None"),
    ("approved", changed("settlements", requestId="other"), "requestId is 'other'"),
    ("approved", changed("settlements", requestId=MISSING), "requestId is "),
    ("approved", changed("refunds", refundId=None), "refundId is None"),
    ("approved", changed("refunds", value=57), "value is 57, not 100.25"),
    ("cancellation", changed("cancellations", cancellationId=None), "cancellationId is None"),
    ("cancellation", changed("cancellations", cancellationId=MISSING), "cancellationId is missing"),
    ("cancellation", changed("cancellations", requestId=None), "requestId is None"),
    ("cancellation", changed("cancellations", message=MISSING), "message is missing"),
    ("redirect", changed("payments", paymentUrl=None), "none of paymentUrl"),
    ("redirect", changed("payments", paymentUrl="/pay"), "not a URL"),
    ("bank-invoice", changed("payments", paymentUrl=None), "none of paymentUrl"),
    ("settle-cancelled", changed("settlements", value=100), "value is 100, not 0"),
    ("async-approved", changed("callback", status="denied"), "not 'approved'"),
    ("async-denied", changed("callback", status="approved", authorizationId="A"), "not 'denied'"),
    ("async-approved", changed("callback", paymentId="other"), "as sent"),
    ("async-approved", changed("callback", tid="other"), "tid is 'other', but was"),
    ("async-approved", changed("callback", authorizationId="other"), "but was 'other'"),
    ("async-approved", changed("callback", delayToCancel=700), "delayToCancel is 700, but was"),
]


@pytest.mark.parametrize(("case", "broken", "fault"), BROKEN_ANSWERS)
def test_a_wrong_answer_fails(sink: Sink, case: str, broken: dict[str, Any], fault: str) -> None:
    with Rehearsed(**broken) as connector:
        assert fault in fault_of(connector, sink, case)


@pytest.mark.parametrize(
    ("defect", "case", "fault"),
    [
        ("hangs up", "approved", "no answer (ConnectionError)"),
        ("reads capitals", "cancellation", "HTTP status 401"),
        ("calls nobody", "async-approved", "no callback within 3 s to http"),
        ("calls nobody", "async-denied", "no callback within 3 s to http"),
        ("calls nobody", "redirect", "no callback within"),
        ("calls nobody", "bank-invoice", "no callback within"),
        ("calls twice", "async-approved", "2 callbacks, not 1"),
        ("cuts the address", "async-approved", "as given"),
        ("calls with GET", "async-approved", "method is GET"),
        ("calls in text", "async-approved", "Content-Type is 'text/plain'"),
        ("respells", "callback-bytes", "as given"),
        ("never converges", "async-approved", "status is 'undefined', not 'approved'"),
        ("tells the time", "cancel-repeated", "the repeat was answered otherwise"),
        ("cancels anew", "cancel-repeated", "the repeat was answered otherwise"),
        ("cancels anew", "cancel-again", "but was"),
        ("needs a tid", "cancel-bare", "HTTP status 501, not 200"),
        ("needs a tid", "cancellation", "HTTP status 501, not 200"),
        ("forgets cancellations", "cancel-first", "status is 'approved', not 'denied'"),
        ("approves the cancelled", "cancel-undecided", "told to be approved"),
        ("cancels in words", "cancel-settled", "a success where there can be none"),
        ("settles the cancelled", "settle-cancelled", "a success where there can be none"),
        ("settles by hand", "settle-cancelled", "refund twice"),
        ("creates twice", "create-repeated", "tid is "),
        ("refunds by amount", "partial-refunds", "two refunds have one refundId"),
        ("refunds the repeat", "partial-refunds", "refundId is "),
        ("refunds too much", "partial-refunds", "a success where there can be none"),
        ("knows one family", "header-families", "HTTP status 401"),
        ("knows everybody", "no-credentials", "HTTP status 200, not 401 or 403"),
        ("needs a UUID", "opaque-request-id", "HTTP status 501"),
        ("believes the body", "two-payment-ids", "HTTP status 200, not 400"),
    ],
)
def test_a_wrong_connector_fails(sink: Sink, defect: str, case: str, fault: str) -> None:
    with Rehearsed(defect) as connector:
        assert fault in fault_of(connector, sink, case, BRIEF)


def test_a_slow_answer_fails(sink: Sink) -> None:
    with Rehearsed("slow") as connector:
        times = Times(answer=0.3)
        assert "s, not 0.3 s" in fault_of(connector, sink, "denied", times)
        assert {} == faults(play(connector, sink, "denied", method="Visa"))


def test_every_case_can_fail() -> None:
    (marks,) = list(test_a_wrong_connector_fails.pytestmark)  # type: ignore[attr-defined]
    broken = {case for _, case, _ in marks.args[1]} | {case for case, _, _ in BROKEN_ANSWERS}
    assert {case.name for case in CASES} - {"manifest"} == broken


JSON = "application/json"


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        ((500, JSON, b"{}"), "HTTP status 500, not 200"),
        ((302, JSON, b"{}"), "HTTP status 302, not 200"),
        ((200, "text/html", b"{}"), "Content-Type is 'text/html'"),
        ((200, JSON, b"[]"), "not a JSON object"),
        ((200, JSON, b""), "not a JSON object"),
        ((200, JSON, b"\xff{}"), "not a JSON object"),
    ],
)
@pytest.mark.parametrize("operation", ["payments", "settlements", "refunds"])
def test_an_answer_that_vtex_could_not_read_fails(
    sink: Sink, operation: str, raw: tuple[int, str, bytes], fault: str
) -> None:
    with Rehearsed(raw={operation: raw}) as connector:
        assert fault in fault_of(connector, sink, "approved")


def test_a_manifest_that_cannot_be_read_is_the_only_result(sink: Sink) -> None:
    with Rehearsed(raw={"manifest": (200, "text/html", b"<p>")}) as connector:
        (result,) = play(connector, sink)
    assert ("manifest", False) == (result.case, result.is_success)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://connector.invalid", "is not https"),
        ("https://connector.invalid:8443", "is not on port 443"),
        ("https://192.0.2.1", "has no domain name"),
        ("https://connector.invalid", ""),
    ],
)
def test_an_address_that_vtex_would_refuse_fails(sink: Sink, url: str, fault: str) -> None:
    first = next(rehearse(Stage(url, sink), ["Visa"], ["manifest"]))
    assert ("address", bool(fault)) == (first.case, not first.is_success)
    assert fault in first.fault
