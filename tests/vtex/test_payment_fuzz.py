"""Whatever is sent to any endpoint: an answer of its shape, and never a fault of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.app import create_app
from tests.rig import Rig, headers
from tests.vtex.openapi import OURS, answer_of, faults

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

FUZZ = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PATHS = [
    "/payments",
    "/payments/{paymentId}/settlements",
    "/payments/{paymentId}/refunds",
    "/payments/{paymentId}/cancellations",
    "/payments/{paymentId}/inbound/{action}",
    "/payments/{paymentId}/inbound-request/{action}",
]
RIGHT: dict[str, Any] = {
    "paymentId": "P1",
    "requestId": "R1",
    "value": 29.9,
    "currency": "RUB",
    "paymentMethod": "Visa",
    "reference": "1",
    "card": {"number": "4444333322221111", "holder": "John"},
    "miniCart": {
        "items": [{"id": "1", "name": "One", "price": 10, "quantity": 2, "discount": 1}],
        "shippingValue": 1,
        "taxValue": 1,
        "buyer": {"email": "a@example.com", "phone": "1", "firstName": "A", "lastName": "B"},
    },
    "callbackUrl": "https://shop.myvtex.com/x",
    "returnUrl": "https://shop.example.com/x",
    "merchantSettings": [{"name": "Tranzzo POS_ID", "value": "1"}],
    "authorizationId": "A1",
    "tid": "T1",
    "settleId": "S1",
    "sandBoxMode": False,
    "sandboxMode": "false",
}
strange = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9)
    | st.sampled_from(["\0", "\ud800", "29,90", "1e400", "-1", "x" * 300, 10**400, 1e308, 5e-324]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


def spoiled(value: Any) -> st.SearchStrategy[Any]:
    """A body whose parts are right, strange or missing, at every depth."""
    if isinstance(value, dict):
        fields = st.fixed_dictionaries({}, optional={k: spoiled(v) for k, v in value.items()})
        return st.one_of(fields, fields, fields, strange)
    if isinstance(value, list):
        return st.lists(spoiled(value[0]), max_size=3) | strange
    return st.one_of(st.just(value), st.just(value), strange)


@pytest.fixture(scope="module")
def rig(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("fuzz")
    copy(sqlite_template, folder / "connector.db")
    with Rig(f"sqlite:///{folder}/connector.db", folder) as rig:
        rig.add()
        yield rig


@pytest.fixture(scope="module")
def client(rig: Rig) -> FlaskClient:
    return create_app(rig.connector).test_client()


def ask(client: FlaskClient, rig: Rig, path: str, body: bytes) -> dict[str, Any]:
    """Post, and check that the answer is one that openapi.yaml describes."""
    answer = client.post(
        path.format(paymentId="P1", action="status"),
        data=body,
        headers=headers(rig.merchants["shop"]),
        content_type="application/json",
    )
    described = answer_of(OURS, path, answer.status_code)
    told: dict[str, Any] = json.loads(answer.data)
    assert [] == faults(OURS, described, told)
    assert told["code"] != "internal-error"
    assert b"4444333322221111" not in answer.data
    return told


@pytest.mark.parametrize("path", PATHS)
@FUZZ
@given(body=st.binary(max_size=200))
def test_bytes_at_random_are_refused(client: FlaskClient, rig: Rig, path: str, body: bytes) -> None:
    assert ask(client, rig, path, body)["code"] == "invalid-request"


@pytest.mark.parametrize("path", PATHS)
@FUZZ
@given(body=st.fixed_dictionaries({}, optional={k: spoiled(v) for k, v in RIGHT.items()}))
def test_a_spoiled_body_is_answered_in_its_shape(
    client: FlaskClient, rig: Rig, path: str, body: dict[str, Any]
) -> None:
    ask(client, rig, path, json.dumps(body).encode())


@FUZZ
@given(
    wishes=st.fixed_dictionaries(
        {},
        optional={
            name: spoiled(RIGHT[name])
            for name in ("reference", "miniCart", "callbackUrl", "returnUrl", "merchantSettings")
        },
    ),
    number=st.integers(0, 10**9),
)
def test_no_wish_that_cannot_be_read_loses_a_payment(
    client: FlaskClient, rig: Rig, wishes: dict[str, Any], number: int
) -> None:
    required = ("value", "currency", "paymentMethod", "card")
    body = {**{name: RIGHT[name] for name in required}, **wishes, "paymentId": f"own-{number}"}
    assert ask(client, rig, "/payments", json.dumps(body).encode())["status"] == "approved"


@pytest.mark.parametrize("path", PATHS)
def test_a_stranger_learns_nothing(client: FlaskClient, path: str) -> None:
    answer = client.post(path.format(paymentId="P1", action="status"), json=RIGHT)
    assert (401, "unauthorized") == (answer.status_code, answer.get_json()["code"])
    assert [] == faults(OURS, answer_of(OURS, path, 401), answer.get_json())


@pytest.mark.parametrize("path", PATHS)
def test_another_payment_in_the_path_is_refused(client: FlaskClient, rig: Rig, path: str) -> None:
    if "{paymentId}" in path:
        body = json.dumps({**RIGHT, "paymentId": "P2"}).encode()
        assert "differs" in ask(client, rig, path, body)["message"]
