"""Every answer of the endpoint, against openapi.yaml and against VTEX's own contract."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from werkzeug.test import TestResponse

from connector.domain.errors import ProviderBusy
from connector.domain.operation import CancelRequest
from connector.domain.payment import PaymentKey
from tests import certificates
from tests.companies.tranzzo import TranzzoCompany, refusal
from tests.rig import Rig, free_port, headers
from tests.vtex.openapi import OURS, VTEX_CONTRACT, answer_of, faults

CANCELLATIONS = "/payments/{paymentId}/cancellations"
PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"


def answer_schema(document: dict[str, Any], status: int) -> Any:
    return answer_of(document, CANCELLATIONS, status)


# One way to every answer there is. A way is given a connector and a company, and returns the
# answer.


@dataclass
class RigAndCompany:
    rig: Rig
    company: TranzzoCompany


Way = Callable[[RigAndCompany], TestResponse]


def cancelled(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(at.company.create(PAYMENT))


def cancelled_before(at: RigAndCompany) -> TestResponse:
    cancelled(at)
    return at.rig.cancel(PAYMENT, "request-2")


def repeated(at: RigAndCompany) -> TestResponse:
    cancelled(at)
    return at.rig.cancel(PAYMENT)


def unknown_there(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(PAYMENT)


def captured(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(at.company.create(PAYMENT, state="captured"))


def partial(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(at.company.create(PAYMENT), value=1)


def still_paying(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(at.company.create(PAYMENT, state="paying"))


def cut_off(at: RigAndCompany) -> TestResponse:
    at.rig.configure(CONNECTOR_ANSWER_SECONDS="2")
    at.company.hide("void")
    at.company.inject("reset_after", "void")
    return cancelled(at)


def unreadable(at: RigAndCompany) -> TestResponse:
    at.company.inject("answer", "look", body=b"<html>nginx</html>")
    return cancelled(at)


def unreachable(at: RigAndCompany) -> TestResponse:
    at.rig.configure(CONNECTOR_TRANZZO_URL=f"http://127.0.0.1:{free_port()}/api/v1")
    return at.rig.cancel(PAYMENT)


def distrusted(at: RigAndCompany) -> TestResponse:
    file = Path(at.rig.environment["CONNECTOR_DATA_DIR"]) / "company.pem"
    certificates.serve(at.company, certificates.make(file))
    at.rig.configure(CONNECTOR_TRANZZO_URL=at.company.url.replace("http:", "https:"))
    return at.rig.cancel(PAYMENT)


def bad_keys(at: RigAndCompany) -> TestResponse:
    at.company.settings["api_secret"] = "another"
    return at.rig.cancel(PAYMENT)


def refused(at: RigAndCompany) -> TestResponse:
    body = json.dumps(refusal("P-400", "Not now")).encode()
    at.company.inject("status_before", "void", status=400, body=body)
    return cancelled(at)


def full(at: RigAndCompany) -> TestResponse:
    provider = at.rig.connector.providers["tranzzo"]
    with ExitStack() as taken:
        with suppress(ProviderBusy):
            while True:
                taken.enter_context(provider.slot())
        return at.rig.cancel(PAYMENT)


def hold(rig: Rig, request_id: str) -> None:
    """Let another process have the turn of the payment."""
    rig.configure(CONNECTOR_ANSWER_SECONDS="0.3")
    request = CancelRequest(1, PaymentKey(PAYMENT), request_id)
    rig.connector.requests.claim(request, lease_seconds=60, first_look=60)


def same_running(at: RigAndCompany) -> TestResponse:
    hold(at.rig, "request-1")
    return at.rig.cancel(PAYMENT)


def another_running(at: RigAndCompany) -> TestResponse:
    hold(at.rig, "request-2")
    return at.rig.cancel(PAYMENT)


def other_value(at: RigAndCompany) -> TestResponse:
    cancelled(at)
    return at.rig.cancel(PAYMENT, value=10)


def wrong_field(at: RigAndCompany) -> TestResponse:
    return at.rig.cancel(PAYMENT, value="twelve")


def post(rig: Rig, body: bytes, content_type: str = "application/json") -> TestResponse:
    own = headers(rig.merchants["shop"])
    path = f"/payments/{PAYMENT}/cancellations"
    return rig.client.post(path, data=body, headers=own, content_type=content_type)


def no_json(at: RigAndCompany) -> TestResponse:
    return post(at.rig, b"[")


def too_large(at: RigAndCompany) -> TestResponse:
    return post(at.rig, b"x" * 300_000)


def not_as_json(at: RigAndCompany) -> TestResponse:
    return post(at.rig, b"{}", "text/plain")


def stranger(at: RigAndCompany) -> TestResponse:
    return at.rig.client.post(f"/payments/{PAYMENT}/cancellations", json={})


def suite(at: RigAndCompany) -> TestResponse:
    asked = {"X-VTEX-API-Is-TestSuite": "true"}
    return at.rig.client.post(f"/payments/{PAYMENT}/cancellations", json={}, headers=asked)


def no_database(at: RigAndCompany) -> TestResponse:
    at.rig.execute("ALTER TABLE requests RENAME TO gone")
    return at.rig.cancel(PAYMENT)


def another_secret_key(at: RigAndCompany) -> TestResponse:
    at.rig.configure(CONNECTOR_SECRET_KEYS=Fernet.generate_key().decode())
    return at.rig.cancel(PAYMENT)


def fault_of_ours(at: RigAndCompany) -> TestResponse:
    """No such row is ever written: whatever reads it fails in a way that nobody foresaw."""
    cancelled(at)
    at.rig.execute("UPDATE requests SET value = 'no number'")
    return at.rig.cancel(PAYMENT)


ANSWERS: list[tuple[Way, int, str | None]] = [
    (cancelled, 200, None),
    (cancelled_before, 200, None),
    (repeated, 200, None),
    (unknown_there, 200, None),
    (captured, 501, "cancel-manually"),
    (partial, 501, "cancel-manually"),
    (still_paying, 500, "cancel-pending"),
    (cut_off, 500, "outcome-unknown"),
    (unreadable, 500, "outcome-unknown"),
    (unreachable, 500, "provider-unavailable"),
    (distrusted, 500, "provider-certificate"),
    (bad_keys, 500, "provider-credentials"),
    (refused, 500, "provider-refused"),
    (full, 500, "provider-busy"),
    (same_running, 500, "request-in-progress"),
    (another_running, 500, "payment-busy"),
    (other_value, 422, "request-mismatch"),
    (wrong_field, 400, "invalid-request"),
    (no_json, 400, "invalid-request"),
    (too_large, 413, "invalid-request"),
    (not_as_json, 415, "invalid-request"),
    (stranger, 401, "unauthorized"),
    (suite, 403, "test-suite-off"),
    (no_database, 500, "storage-unavailable"),
    (another_secret_key, 500, "configuration"),
    (fault_of_ours, 500, "internal-error"),
]
# Of an address that is not there, and of the other operations.
ELSEWHERE = {
    "not-found",
    "illegal-transition",
    "payment-not-approved",
    "amount-too-large",
    "not-in-part",
    "currency-not-supported",
    "sandbox-not-supported",
    "card-not-taken",
}
TO_VTEX = [(way, status) for way, status, _ in ANSWERS if status in {200, 500, 501}]


@pytest.fixture
def company() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        yield company


@pytest.fixture
def scene(rig: Rig, company: TranzzoCompany) -> RigAndCompany:
    rig.add(company)
    return RigAndCompany(rig, company)


@pytest.fixture(scope="module")
def vtex_contract() -> Any:
    return VTEX_CONTRACT or pytest.skip("VTEX's own contract is not at hand")


def name_of(value: object) -> str:
    return str(getattr(value, "__name__", value))


# Answers.


@pytest.mark.parametrize(("way", "status", "code"), ANSWERS, ids=name_of)
def test_every_answer_is_one_of_openapi_yaml(
    scene: RigAndCompany, way: Way, status: int, code: str | None
) -> None:
    answer = way(scene)
    assert (status, code) == (answer.status_code, answer.get_json()["code"])
    assert [] == faults(OURS, answer_schema(OURS, status), answer.json)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("way", "status"), TO_VTEX)
def test_every_answer_fits_vtexs_own_contract(
    scene: RigAndCompany, vtex_contract: Any, way: Way, status: int
) -> None:
    answer = way(scene)
    assert status == answer.status_code
    name = "Success1" if status == 200 else "Fail-GenericError1"
    assert [] == faults(vtex_contract, {"$ref": f"#/components/schemas/{name}"}, answer.json)
    assert [] == faults(vtex_contract, answer_schema(vtex_contract, status), answer.json)


def test_no_code_in_openapi_yaml_is_without_an_answer() -> None:
    codes = OURS["components"]["schemas"]["CancellationAnswer"]["properties"]["code"]["enum"]
    assert set(codes) == {code for _, _, code in ANSWERS} | ELSEWHERE


def test_no_status_in_openapi_yaml_is_without_an_answer() -> None:
    described = OURS["paths"][CANCELLATIONS]["post"]["responses"]
    # What the server answers by itself: tests/server/test_http.py holds that against 4XX.
    assert set(described) - {"4XX"} == {str(status) for _, status, _ in ANSWERS}


def test_a_manual_answer_with_http_200_has_no_cancellation_id(
    scene: RigAndCompany,
) -> None:
    scene.rig.configure(CONNECTOR_MANUAL_STATUS="200")
    answer = captured(scene)
    assert answer.status_code == 200
    assert [] == faults(OURS, answer_schema(OURS, 200), answer.json)
    body = answer.get_json()
    assert ("cancel-manually", None) == (body["code"], body["cancellationId"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"status": "cancelled"},
        {"message": None},
        {"message": 7},
        {"cancellationId": 7},
        {"code": "another"},
    ],
)
def test_openapi_yaml_is_strict_about_answers(wrong: dict[str, Any]) -> None:
    example = OURS["paths"][CANCELLATIONS]["post"]["responses"]["200"]["content"]
    right = example["application/json"]["example"]
    assert [] == faults(OURS, answer_schema(OURS, 200), right)
    changed = right | wrong if wrong else {**right, "requestId": 7}
    assert [] != faults(OURS, answer_schema(OURS, 200), changed)


# Requests.


def request_examples() -> list[Any]:
    content = OURS["paths"][CANCELLATIONS]["post"]["requestBody"]["content"]["application/json"]
    return [example["value"] for example in content["examples"].values()]


def vtex_examples(contract: Any) -> list[Any]:
    """Make requests of the examples of the fields: all of them, and the required ones."""
    schema = contract["components"]["schemas"]["CancelPaymentRequest"]
    whole = {
        name: described["example"]
        for name, described in schema["properties"].items()
        if "example" in described
    }
    settings = schema["properties"]["merchantSettings"]["items"]["properties"]
    whole["merchantSettings"] = [{name: one["example"] for name, one in settings.items()}]
    return [whole, {name: whole[name] for name in schema["required"]}]


def assert_accepted(rig: Rig, request: Any) -> None:
    path = f"/payments/{request['paymentId']}/cancellations"
    answer = rig.client.post(path, json=request, headers=headers(rig.merchants["shop"]))
    assert answer.status_code == 200, answer.text
    assert (request["paymentId"], request["requestId"]) == (
        answer.get_json()["paymentId"],
        answer.get_json()["requestId"],
    )


@pytest.mark.parametrize("request_body", request_examples())
def test_the_requests_of_openapi_yaml_are_accepted(rig: Rig, request_body: Any) -> None:
    rig.add()
    described = {"$ref": "#/components/schemas/CancellationRequest"}
    assert [] == faults(OURS, described, request_body)
    assert_accepted(rig, request_body)


@pytest.mark.parametrize("number", [0, 1])
def test_the_requests_of_vtexs_own_contract_are_accepted(
    rig: Rig, vtex_contract: Any, number: int
) -> None:
    request_body = vtex_examples(vtex_contract)[number]
    rig.add()
    theirs = {"$ref": "#/components/schemas/CancelPaymentRequest"}
    assert [] == faults(vtex_contract, theirs, request_body)
    described = {"$ref": "#/components/schemas/CancellationRequest"}
    assert [] == faults(OURS, described, request_body)
    assert_accepted(rig, request_body)


def test_all_that_vtexs_contract_asks_of_an_answer_is_asked_by_ours(vtex_contract: Any) -> None:
    ours = OURS["components"]["schemas"]["CancellationAnswer"]
    for name in ("Success1", "Fail-GenericError1"):
        theirs = vtex_contract["components"]["schemas"][name]
        assert set(theirs["required"]) == set(ours["required"])
