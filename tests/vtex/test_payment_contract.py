"""Every answer to a create, a settlement, a refund and the rest, against both contracts."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.companies.tranzzo import TranzzoCompany
from tests.rig import Rig, headers
from tests.vtex.openapi import OURS, VTEX_CONTRACT, answer_of, faults

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
CARD = "4444333322221111"
DENIED_CARD = "4444333322221112"
LATER_CARD = "4222222222222224"
CREATE = "/payments"
SETTLE = "/payments/{paymentId}/settlements"
REFUND = "/payments/{paymentId}/refunds"
INBOUND = "/payments/{paymentId}/inbound/{action}"
OTHER_INBOUND = "/payments/{paymentId}/inbound-request/{action}"
# What the operation's own tests say.
ANY = "any code"
WHOLE = {"requestId": "request-1", "value": 29.9, "tid": "T1", "settleId": "S1"}


@dataclass
class RigAndCompany:
    """A connector with a merchant of the sandbox, and one of a company's stand-in."""

    rig: Rig
    company: TranzzoCompany

    def post(self, path: str, *, merchant: str = "shop", **fields: Any) -> TestResponse:
        own = headers(self.rig.merchants[merchant]) if merchant else {}
        where = path.format(paymentId=PAYMENT, action="status")
        return self.rig.client.post(where, json={"paymentId": PAYMENT, **fields}, headers=own)

    def create(self, number: str | None = CARD, **fields: Any) -> TestResponse:
        whole = {
            "value": 29.9,
            "currency": "RUB",
            "paymentMethod": "Visa",
            "card": {"number": number},
            "returnUrl": "https://shop.example.com/back",
            **fields,
        }
        return self.post(CREATE, **whole)

    def settled(self, **fields: Any) -> TestResponse:
        self.create()
        return self.post(SETTLE, **{**WHOLE, **fields})

    def refunded(self, **fields: Any) -> TestResponse:
        self.settled()
        return self.post(REFUND, **{**WHOLE, **fields})


Way = Callable[[RigAndCompany], TestResponse]


def stranger(path: str) -> Way:
    return lambda at: at.post(path, merchant="", **WHOLE)


def suite(path: str) -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        where = path.format(paymentId=PAYMENT, action="status")
        return at.rig.client.post(where, json={}, headers={"X-VTEX-API-Is-TestSuite": "true"})

    return ask


def raw(path: str, body: bytes, content_type: str = "application/json") -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        where = path.format(paymentId=PAYMENT, action="status")
        own = headers(at.rig.merchants["shop"])
        return at.rig.client.post(where, data=body, headers=own, content_type=content_type)

    return ask


def compressed(path: str) -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        where = path.format(paymentId=PAYMENT, action="status")
        own = headers(at.rig.merchants["shop"]) | {"Content-Encoding": "gzip"}
        body = gzip.compress(b'{"paymentId": "P1"}')
        return at.rig.client.post(where, data=body, headers=own, content_type="application/json")

    return ask


def no_database(path: str) -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        at.create()
        for table in ("requests", "payments"):
            at.rig.execute(f"ALTER TABLE {table} RENAME TO gone_{table}")
        return at.post(path, **{**WHOLE, "currency": "RUB", "paymentMethod": "Visa"})

    return ask


def another_value(at: RigAndCompany) -> TestResponse:
    at.create()
    return at.create(value=30)


def another_settlement(at: RigAndCompany) -> TestResponse:
    at.settled()
    return at.post(SETTLE, **{**WHOLE, "value": 1})


def another_refund(at: RigAndCompany) -> TestResponse:
    at.refunded()
    return at.post(REFUND, **{**WHOLE, "value": 1})


def cancelled(at: RigAndCompany) -> TestResponse:
    at.create()
    at.rig.cancel(PAYMENT)
    return at.create()


def unreachable(path: str) -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        at.company.inject("reset_after", "*", times=99)
        whole = {**WHOLE, "currency": "UAH", "paymentMethod": "Visa"}
        return at.post(path, merchant="company", **whole)

    return ask


def by_hand(at: RigAndCompany) -> TestResponse:
    """A payment that another connector made: nothing is known of what may be returned."""
    return at.post(REFUND, **WHOLE)


def refund_too_much(at: RigAndCompany) -> TestResponse:
    return at.refunded(value=1000)


def inbound(path: str = INBOUND) -> Way:
    def ask(at: RigAndCompany) -> TestResponse:
        at.create()
        return at.post(path, requestId="request-1")

    return ask


def other_action(at: RigAndCompany) -> TestResponse:
    at.create()
    return at.post(INBOUND.replace("{action}", "hook"), requestId="request-1")


def malformed(path: str) -> list[tuple[str, Way, int, str | None]]:
    """What goes wrong in the same way for all of them."""
    return [
        (path, stranger(path), 401, "unauthorized"),
        (path, suite(path), 403, "test-suite-off"),
        (path, raw(path, b"["), 400, "invalid-request"),
        (path, raw(path, b"{}"), 400, "invalid-request"),
        (path, raw(path, b"x" * 300_000), 413, "invalid-request"),
        (path, raw(path, b"{}", "text/plain"), 415, "invalid-request"),
        (path, compressed(path), 415, "invalid-request"),
        (path, no_database(path), 500, "storage-unavailable"),
    ]


ANSWERS: list[tuple[str, Way, int, str | None]] = [
    (CREATE, lambda at: at.create(), 200, None),
    (CREATE, lambda at: at.create(DENIED_CARD), 200, None),
    (CREATE, lambda at: at.create(LATER_CARD), 200, None),
    (CREATE, lambda at: at.create(None), 200, None),
    (CREATE, lambda at: at.create(None, paymentMethod="BankInvoice"), 200, None),
    (CREATE, cancelled, 200, None),
    (CREATE, another_value, 422, "request-mismatch"),
    (CREATE, lambda at: at.create(value=0.001), 400, "invalid-request"),
    (CREATE, unreachable(CREATE), 500, "outcome-unknown"),
    *malformed(CREATE),
    (SETTLE, lambda at: at.settled(), 200, None),
    (SETTLE, lambda at: at.settled(value=0.3), 200, None),
    (SETTLE, lambda at: at.settled(requestId=None), 200, None),
    (SETTLE, another_settlement, 422, "request-mismatch"),
    (SETTLE, lambda at: at.post(SETTLE, **WHOLE), 500, ANY),
    (SETTLE, unreachable(SETTLE), 500, ANY),
    *malformed(SETTLE),
    (REFUND, lambda at: at.refunded(), 200, None),
    (REFUND, lambda at: at.refunded(value=0.3), 200, None),
    (REFUND, another_refund, 422, "request-mismatch"),
    (REFUND, refund_too_much, 500, "amount-too-large"),
    (REFUND, by_hand, 500, ANY),
    *malformed(REFUND),
    (INBOUND, inbound(), 200, "ok"),
    (OTHER_INBOUND, inbound(OTHER_INBOUND), 200, "ok"),
    (INBOUND, lambda at: at.post(INBOUND, requestId="request-1"), 200, "not-found"),
    (INBOUND, other_action, 200, "unsupported-action"),
    *malformed(INBOUND),
    *malformed(OTHER_INBOUND),
]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def scene(rig: Rig, company: TranzzoCompany) -> RigAndCompany:
    rig.add(company, name="company")
    rig.add()
    return RigAndCompany(rig, company)


def code_of(answer: TestResponse) -> Any:
    body = answer.get_json()
    return body["code"]


@pytest.mark.parametrize(("path", "way", "status", "code"), ANSWERS)
def test_every_answer_is_one_of_openapi_yaml(
    scene: RigAndCompany, path: str, way: Way, status: int, code: str | None
) -> None:
    answer = way(scene)
    assert status == answer.status_code, answer.text
    if code or path != CREATE:
        assert code in {code_of(answer), ANY}
    assert [] == faults(OURS, answer_of(OURS, path, status), answer.json)
    assert answer.headers["Content-Type"] == "application/json"


THEIRS = VTEX_CONTRACT["paths"] if VTEX_CONTRACT else {}
TO_VTEX = [
    (path, way, status)
    for path, way, status, _ in ANSWERS
    if path in THEIRS and str(status) in THEIRS[path]["post"]["responses"]
]
# VTEX's own example of an undefined payment has it null, which its schema does not allow.
NULL_IN_ITS_EXAMPLE = "authorizationId"


@pytest.mark.parametrize(("path", "way", "status"), TO_VTEX)
def test_every_answer_fits_vtexs_own_contract(
    scene: RigAndCompany, path: str, way: Way, status: int
) -> None:
    answer = way(scene)
    told = answer.get_json()
    if "status" in told and told["status"] != "approved":
        assert told.pop(NULL_IN_ITS_EXAMPLE, None) is None
        told[NULL_IN_ITS_EXAMPLE] = ""
    assert [] == faults(VTEX_CONTRACT, answer_of(VTEX_CONTRACT, path, status), told)


def test_the_manifest_fits_both_contracts(rig: Rig) -> None:
    answer = rig.client.get("/manifest")
    assert (200, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    for contract in (OURS, VTEX_CONTRACT):
        if contract:
            described = answer_of(contract, "/manifest", 200, "get")
            assert [] == faults(contract, described, answer.get_json())


@pytest.mark.parametrize("path", [CREATE, SETTLE, REFUND, INBOUND, OTHER_INBOUND])
def test_no_status_in_openapi_yaml_is_without_an_answer(path: str) -> None:
    described = set(OURS["paths"][path]["post"]["responses"])
    # A refund that a person must do is the operation's own test, what is no HTTP the server's.
    assert described - {"501", "4XX"} == {
        str(status) for own, _, status, _ in ANSWERS if own == path
    }


def examples() -> list[tuple[str, Any]]:
    found = []
    for path in (CREATE, SETTLE, REFUND, INBOUND, OTHER_INBOUND):
        content = OURS["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        found += [(path, one["value"]) for one in content["examples"].values()]
    return found


@pytest.mark.parametrize(("path", "example"), examples())
def test_the_requests_of_openapi_yaml_are_read(
    scene: RigAndCompany, path: str, example: Any
) -> None:
    content = OURS["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    assert [] == faults(OURS, content["schema"], example)
    assert scene.post(path, **example).status_code in {200, 500}


def vtex_examples() -> list[tuple[str, Any]]:
    """VTEX's own requests: its examples, or one made of those of its fields."""
    found = []
    for path in (CREATE, SETTLE, REFUND, INBOUND) if THEIRS else ():
        content = THEIRS[path]["post"]["requestBody"]["content"]["application/json"]
        given = [one["value"] for one in content.get("examples", {}).values()]
        given = given or [content.get("example") or example_of(content["schema"])]
        own = {"paymentId": PAYMENT, "sandboxMode": "false"}
        found += [(path, {**example, **own}) for example in given]
    assert not THEIRS or len(found) >= 4
    return found


def example_of(described: Any) -> Any:
    if "$ref" in described:
        name = described["$ref"].rpartition("/")[2]
        return example_of(VTEX_CONTRACT["components"]["schemas"][name])
    if described.get("type") == "object":
        return {name: example_of(one) for name, one in described["properties"].items()}
    if described.get("type") == "array":
        return [example_of(described["items"])]
    return described.get("example", 57 if described["type"] == "number" else "text")


@pytest.mark.parametrize(("path", "example"), vtex_examples())
def test_the_requests_of_vtexs_own_contract_are_read(
    scene: RigAndCompany, path: str, example: Any
) -> None:
    answer = scene.post(path, **example)
    assert answer.status_code in {200, 500}, answer.text
    assert json.loads(answer.data)["paymentId"] == PAYMENT
