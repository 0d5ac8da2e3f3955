"""What others send, over real HTTP: VTEX's own collection of requests, its older types, its guides.

The bodies are data, in `foreign_clients.json`: the shapes are those of VTEX's pages and of public
connectors, the values are made up.
"""

import json
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from tests.rig import Served, headers
from tests.server.cancellations import SANDBOX, Cancellations, Kind
from tests.server.test_serving import exchange

pytestmark = pytest.mark.slow

DATA: dict[str, Any] = json.loads((Path(__file__).parent / "foreign_clients.json").read_text())
KINDS: list[Kind] = [SANDBOX]
# How a payment's id is written, from a UUID.
IDS: dict[str, Callable[[str], str]] = {
    "hex": lambda made: made.replace("-", "").upper(),
    "uuid": str.lower,
    "UUID": str.upper,
    "word": lambda made: f"payment_2026-{made[:6]}",
}
VTEX, PROVIDER = "X-VTEX-API-App", "X-PROVIDER-API-App"


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("foreign")
    copy(sqlite_template, folder / "connector.db")
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, KINDS) as made:
        yield made


@pytest.fixture(scope="module")
def server(scene: Cancellations) -> Iterator[Served]:
    with Served(scene.rig) as served:
        yield served


def body_of(case: dict[str, Any]) -> dict[str, Any]:
    body = {**DATA["bases"][case["base"]], **case.get("change", {})}
    body = {name: value for name, value in body.items() if name not in case.get("without", [])}
    return {**body, "paymentId": IDS[case.get("id", "hex")](str(uuid.uuid4()))}


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


def post(scene: Cancellations, server: Served, path: str, body: Any) -> requests.Response:
    own = headers(scene.rig.merchants[SANDBOX.name])
    return requests.post(f"{server.url}{path}", json=body, headers=own, timeout=30)


@named(DATA["creates"])
def test_a_foreign_create_is_read_or_refused_by_name(
    scene: Cancellations, server: Served, case: dict[str, Any]
) -> None:
    body = body_of(case)
    answer = post(scene, server, "/payments", body)
    told, sql = answer.json(), "SELECT amount FROM payments WHERE payment_id = :id"
    recorded = scene.rig.execute(sql, id=body["paymentId"])
    if field := case.get("refused"):
        assert (400, "invalid-request") == (answer.status_code, told["code"]), told
        assert told["message"].startswith(f"{field}: ")
        assert [] == recorded
        return
    assert (200, case["told"]) == (answer.status_code, told["status"]), told
    assert body["paymentId"] == told["paymentId"]
    ((amount,),) = recorded
    assert Decimal(amount) == Decimal(case.get("amount", amount))
    again = post(scene, server, "/payments", body).json()
    assert [told[name] for name in ("tid", "nsu")] == [again[name] for name in ("tid", "nsu")]


def test_there_are_fifty_creates() -> None:
    names = [case["name"] for case in DATA["creates"]]
    assert 50 <= len(set(names)) == len(names)


@named(DATA["operations"])
def test_a_foreign_operation_is_done_or_refused_by_name(
    scene: Cancellations, server: Served, case: dict[str, Any]
) -> None:
    created = body_of({"base": "card"})
    payment_id, path = created["paymentId"], case["path"]
    assert "approved" == post(scene, server, "/payments", created).json()["status"]
    if path == "refunds":
        whole = {"paymentId": payment_id, "requestId": "settle", "value": 150.25}
        assert post(scene, server, f"/payments/{payment_id}/settlements", whole).json()["settleId"]
    body = {"paymentId": payment_id, "requestId": "2019-02-04T22:53:42-40000", **case["body"]}
    first = post(scene, server, f"/payments/{payment_id}/{path}", body)
    told, done = first.json(), path.removesuffix("s").replace("ment", "") + "Id"
    if field := case.get("refused"):
        assert (400, None) == (first.status_code, told[done])
        assert told["message"].startswith(f"{field}: ")
        return
    assert 200 == first.status_code, told
    assert told[done]
    assert told["requestId"] == (body["requestId"] or "")
    assert told.get("value") == case.get("moved")
    assert first.content == post(scene, server, f"/payments/{payment_id}/{path}", body).content


# VTEX's collection of requests, as a collection runner sends it.


def sent_twice(
    path: str, body: dict[str, Any], types: list[str], keys: list[tuple[str, str]]
) -> str:
    """Write a request whose every type is a header of its own, as in the collection."""
    text = json.dumps(body)
    lines = [f"POST {path} HTTP/1.1", "Accept: application/json"]
    lines += [f"Content-Type: {one}" for one in types[:1]]
    lines += [f"{name}: {value}" for name, value in keys]
    lines += [f"content-type: {one}" for one in types[1:]]
    lines += ["User-Agent: a collection", "Cache-Control: no-cache", "Host: localhost"]
    lines += ["Accept-Encoding: gzip, deflate, br", "Connection: close"]
    return "\r\n".join([*lines, f"Content-Length: {len(text)}", "", text])


JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("types", "status"),
    [
        ([JSON, JSON], 200),
        ([JSON, JSON.upper(), JSON], 200),
        ([f"{JSON}; charset=utf-8"] * 2, 200),
        ([JSON], 200),
        ([], 200),
        ([JSON, FORM], 415),
        ([FORM, JSON], 415),
        ([JSON, FORM, JSON], 415),
        ([JSON, f"{JSON}; charset=utf-16"], 415),
        ([FORM, FORM], 415),
        ([f"{JSON},{FORM}"], 415),
    ],
)
def test_a_content_type_that_came_twice_alike_is_one(
    scene: Cancellations, server: Served, types: list[str], status: int
) -> None:
    body = body_of({"base": "redirect"})
    keys = list(headers(scene.rig.merchants[SANDBOX.name]).items())
    for path, sent in (
        ("/payments", body),
        (f"/payments/{body['paymentId']}/cancellations", {**body, "requestId": "r"}),
    ):
        code, _, told = exchange(server, sent_twice(path, sent, types, keys))
        assert status == code, told
        if status != 200:
            assert "invalid-request" == json.loads(told)["code"]


@pytest.mark.parametrize("half", ["Key", "Token"])
@pytest.mark.parametrize("value", ["{{appKey}}", "", "own"])
@pytest.mark.parametrize("is_right", [True, False])
def test_the_collection_as_it_is_shipped_is_answered(
    scene: Cancellations, server: Served, half: str, value: str, *, is_right: bool
) -> None:
    """It has a type twice, a whole pair of keys, and half of the other pair."""
    own = scene.rig.merchants[SANDBOX.name]
    token = own.app_token if is_right else "wrong"
    keys = [(f"{PROVIDER}Key", own.app_key), (f"{PROVIDER}Token", token)]
    keys.insert(0, (f"{VTEX}{half}", own.app_key if value == "own" else value))
    created = body_of({"base": "card"})
    payment_id = created["paymentId"]
    ids = {"paymentId": payment_id, "requestId": "D12D9B80", "value": 150.25}
    for path, body in (
        ("/payments", created),
        (f"/payments/{payment_id}/settlements", {**ids, "authorizationId": "1", "tid": "1"}),
        (f"/payments/{payment_id}/refunds", {**ids, "settleId": "1", "tid": "1"}),
        (f"/payments/{payment_id}/cancellations", {**ids, "authorizationId": "1"}),
    ):
        code, _, told = exchange(server, sent_twice(path, body, [JSON, JSON], keys))
        assert code == (200 if is_right else 401), (path, told)


def test_a_compressed_body_is_refused_by_name(scene: Cancellations, server: Served) -> None:
    own = headers(scene.rig.merchants[SANDBOX.name])
    for coding in ("gzip", "deflate", "br", "GZIP", "identity, gzip"):
        answer = requests.post(
            f"{server.url}/payments",
            data=b"\x1f\x8b\x08",
            headers=own | {"Content-Type": JSON, "Content-Encoding": coding},
            timeout=30,
        )
        assert (415, "invalid-request") == (answer.status_code, answer.json()["code"])
        assert "Content-Encoding" in answer.json()["message"]
    body = body_of({"base": "redirect"})
    own["Content-Encoding"] = "identity"
    assert (
        200
        == requests.post(f"{server.url}/payments", json=body, headers=own, timeout=30).status_code
    )
