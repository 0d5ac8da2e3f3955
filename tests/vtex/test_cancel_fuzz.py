"""Whatever is sent: five fields, a 4xx that names what to change, and nothing half-written."""

import io
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from shutil import copy
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks as conformance
from werkzeug.test import TestResponse

from connector.app import create_app
from connector.domain.exact import MOST_MEMBERS
from connector.vtex.failures import MOST_ECHOED
from tests import postgres
from tests.rig import FIELDS, Rig, Served, headers
from tests.vtex.openapi import OURS, faults

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
PATH = f"/payments/{PAYMENT}/cancellations"
# What no answer may hold: a page, a trace, or the name of a file of ours.
NEVER = (b"<", b"Traceback", b'File "', b".py", b"connector.")
# The same examples every time: a test run that fails, fails again.
FUZZ = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class FuzzedConnector:
    """A connector with one merchant, asked by a client that raises what the server raises."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.credentials = rig.add()
        self.app = create_app(rig.connector)
        self.client: FlaskClient = self.app.test_client()

    def ask(
        self,
        body: bytes,
        path: str = PATH,
        *,
        method: str = "POST",
        content_type: str | None = "application/json",
        credentials: dict[str, str] | None = None,
    ) -> TestResponse:
        return self.client.open(
            path,
            method=method,
            data=body,
            content_type=content_type,
            headers=headers(self.credentials) if credentials is None else credentials,
        )

    def rows(self) -> list[Any]:
        """Everything a request writes."""
        tables = ("requests", "payments", "sends", "events")
        return [self.rig.execute(f"SELECT * FROM {table}") for table in tables]  # noqa: S608

    def refuses(self, body: bytes, path: str = PATH, **asked: Any) -> TestResponse:
        """Ask, and check that the answer is a refusal and that nothing was written."""
        before = self.rows()
        answer = self.ask(body, path, **asked)
        assert before == self.rows()
        assert_refusal(answer)
        assert self.credentials.app_token.encode() not in answer.data
        return answer


# How a refusal looks beside a create, whose address is the shortest, and where no address is.
CREATION = ["status", "code", "message", "paymentId"]
PLAIN = ["status", "code", "message"]


def assert_refusal(answer: TestResponse) -> None:
    assert 400 <= answer.status_code <= 499
    assert answer.headers["Content-Type"] == "application/json"
    body = json.loads(answer.data)
    assert list(body) == (PLAIN if answer.status_code == 404 else FIELDS)
    assert body.get("cancellationId") is None
    assert body.get("status", answer.status_code) == answer.status_code
    assert body["code"]
    assert body["message"].strip()
    echoed = json.dumps(body.get("requestId")).encode()
    for word in NEVER:
        assert word not in answer.data.replace(echoed, b"")


def message(answer: TestResponse) -> str:
    assert answer.json
    return str(answer.json["message"])


def encoded(**fields: Any) -> bytes:
    return json.dumps({"paymentId": PAYMENT, "requestId": "request-1", **fields}).encode()


def with_member(member: str) -> bytes:
    """Write a body whose last member is as given, valid JSON or not."""
    return f'{{"paymentId":"{PAYMENT}","requestId":"request-1",{member}}}'.encode()


@pytest.fixture(scope="module")
def shop(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FuzzedConnector]:
    folder = tmp_path_factory.mktemp("fuzz")
    copy(sqlite_template, folder / "connector.db")
    with Rig(f"sqlite:///{folder}/connector.db", folder) as rig:
        yield FuzzedConnector(rig)


@pytest.fixture(scope="module")
def postgres_shop(
    postgres_url: str, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FuzzedConnector]:
    url = postgres.new_database(postgres_url, postgres_template)
    with Rig(url, tmp_path_factory.mktemp("fuzz")) as rig:
        yield FuzzedConnector(rig)
    postgres.drop_database(postgres_url, url)


@pytest.fixture(params=["shop", "postgres_shop"])
def each_shop(request: pytest.FixtureRequest) -> FuzzedConnector:
    shop: FuzzedConnector = request.getfixturevalue(request.param)
    return shop


# Bodies that are no JSON object.

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers()
scalars = st.none() | st.booleans() | numbers | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


@FUZZ
@given(body=st.binary(max_size=400))
def test_bytes_at_random_are_refused(shop: FuzzedConnector, body: bytes) -> None:
    answer = shop.refuses(body)
    assert answer.status_code == 400
    assert PAYMENT in answer.text


@FUZZ
@given(value=values.filter(lambda value: not isinstance(value, dict)))
def test_json_that_is_no_object_is_refused(shop: FuzzedConnector, value: Any) -> None:
    answer = shop.refuses(json.dumps(value).encode())
    assert answer.status_code == 400
    assert message(answer) == "The body must be a JSON object"


@FUZZ
@given(cut=st.integers(0, len(encoded(value="23.00", tid="1")) - 1))
def test_a_body_that_was_cut_off_is_refused(shop: FuzzedConnector, cut: int) -> None:
    assert shop.refuses(encoded(value="23.00", tid="1")[:cut]).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"{}{}",
        b"{'paymentId': 1}",
        b"[" * 100_000,
        b'{"a":' * 40_000,
        b'{"a":' * 40_000 + b"1" + b"}" * 40_000,
        b"9" * 100_000,
        b"1e400",
        b'{"paymentId":"\xff"}',
        b'{"paymentId":"\xc3("}',
        b"\xff\xfe\x00",
        "\ufeff".encode("utf-16"),
    ],
)
def test_a_body_nobody_can_read_is_refused(shop: FuzzedConnector, body: bytes) -> None:
    assert shop.refuses(body).status_code == 400


@pytest.mark.parametrize(
    "member",
    [
        '"value":NaN',
        '"value":Infinity',
        '"value":-Infinity',
        '"unknown":NaN',
        '"value":' + "9" * 5000,
        '"unknown":' + "9" * 200_000,
        '"value":1e9999999999999999999',
        '"unknown":1e9999999999999999999',
        '"unknown":-1.5E-99999999999999999999999',
        '"value":"1e9999999999999999999"',
        '"value":"NaN"',
        '"value":"sNaN"',
        '"value":"Infinity"',
        '"value":-1',
        '"value":-1e400',
        '"value":01',
        '"value":+1',
        '"value":0x10',
        '"value":1.',
        '"value":true,',
        '"tid":"\x01"',
        '"tid":"\\x41"',
        '"tid":"\\ud8"',
    ],
    ids=lambda member: member[:40],
)
def test_a_number_or_text_that_is_none_is_refused(shop: FuzzedConnector, member: str) -> None:
    assert shop.refuses(with_member(member)).status_code == 400
    stranger = shop.refuses(with_member(member), credentials={})
    assert stranger.status_code == 401


@pytest.mark.parametrize(
    "member",
    [
        '"value":1e400',
        '"value":1e-400',
        '"value":-0',
        '"value":-0.0',
        '"value":' + "9" * 4000,
        '"value":0.' + "9" * 100_000,
        '"value":"23,00"',
        '"unknown":-0.0',
        '"unknown":[[[[[[[[[[]]]]]]]]]]',
        '"":""',
    ],
    ids=lambda member: member[:40],
)
def test_a_number_of_any_size_is_read(each_shop: FuzzedConnector, member: str) -> None:
    request_id = json.dumps(f"number {member[:60]}")
    body = f'{{"paymentId":"{PAYMENT}","requestId":{request_id},{member}}}'.encode()
    first = each_shop.ask(body)
    assert first.status_code == 200
    assert each_shop.ask(body).data == first.data


# Fields of the wrong kind. A body is made of good and bad values; exactly the bad are named.

NO_TEXT: list[Any] = [True, False, [], ["x"], {}, {"x": 1}, 1.5]
WRONG: dict[str, list[Any]] = {
    "paymentId": [*NO_TEXT, 7, "a b", "й", "P" * 129, "P\n", "P\0", "../P", "P/1"],
    "requestId": [*NO_TEXT, 7, "x" * 257, "\U0001f4b3" * 257],
    "authorizationId": NO_TEXT,
    "tid": NO_TEXT,
    "value": [True, False, [], {}, "twelve", "1,2,3", "1.2.3", "--1", "0x10", -1, "-0.01", " "],
    "sandboxMode": [[], {}, "maybe", 2, -1, 1.5],
}
RIGHT: dict[str, list[Any]] = {
    "paymentId": [PAYMENT],
    "requestId": ["request-1"],
    "authorizationId": [None, "", "5784589", 5784589],
    "tid": [None, "", "10022005181543584603", 10022005181543584603],
    "value": [None, "", 23, "23.00", "23,00", 0],
    "sandboxMode": [None, "", False, "false", "False"],
}
MISSING = object()
one_field_each = st.fixed_dictionaries(
    {name: st.sampled_from(WRONG[name] + RIGHT[name]) for name in WRONG}
)
REQUIRED = ("paymentId", "requestId")
absent_or_empty = st.fixed_dictionaries(
    {name: st.sampled_from([MISSING, None, "", RIGHT[name][0]]) for name in REQUIRED}
)


def wrong_fields(body: dict[str, Any]) -> set[str]:
    return {
        name
        for name, value in body.items()
        if any(type(bad) is type(value) and bad == value for bad in WRONG[name])
    }


@FUZZ
@given(body=one_field_each.filter(wrong_fields))
def test_every_wrong_field_is_named_at_once(shop: FuzzedConnector, body: dict[str, Any]) -> None:
    answer = shop.refuses(json.dumps(body).encode())
    assert answer.status_code == 400
    named = {part.split(":")[0] for part in message(answer).split("; ")}
    assert named == wrong_fields(body)
    request_id = body["requestId"] if isinstance(body["requestId"], str) else None
    assert answer.json
    assert answer.json["requestId"] == request_id


@pytest.mark.parametrize(
    ("field", "wrong"), [(field, wrong) for field, every in WRONG.items() for wrong in every]
)
def test_a_wrong_field_is_named(shop: FuzzedConnector, field: str, wrong: Any) -> None:
    answer = shop.refuses(encoded(**{field: wrong}))
    assert answer.status_code == 400
    assert message(answer).startswith(f"{field}: ")


@FUZZ
@given(asked=absent_or_empty.filter(lambda asked: asked != {n: RIGHT[n][0] for n in REQUIRED}))
def test_an_empty_text_and_null_count_as_absent(
    shop: FuzzedConnector, asked: dict[str, Any]
) -> None:
    body = {name: value for name, value in asked.items() if value is not MISSING}
    answer = shop.refuses(json.dumps(body).encode())
    missing = [name for name in REQUIRED if asked[name] in (MISSING, None, "")]
    assert message(answer) == "; ".join(f"{name}: required" for name in missing)


def test_another_payment_in_the_body_than_in_the_path_is_refused(shop: FuzzedConnector) -> None:
    answer = shop.refuses(encoded(paymentId=PAYMENT.lower()))
    assert answer.status_code == 400
    assert "paymentId in the body differs" in message(answer)
    assert answer.json
    assert answer.json["paymentId"] == PAYMENT


@FUZZ
@given(extra=st.dictionaries(st.text(max_size=12).map(lambda name: f"x{name}"), values, max_size=6))
def test_unknown_fields_are_ignored(shop: FuzzedConnector, extra: dict[str, Any]) -> None:
    answer = shop.ask(encoded(requestId="unknown fields", **extra))
    assert answer.status_code == 200


@pytest.mark.parametrize("field", list(RIGHT))
def test_every_right_kind_of_a_field_is_taken(shop: FuzzedConnector, field: str) -> None:
    for number, right in enumerate(RIGHT[field]):
        own = f"{field} {number}" if field != "requestId" else right
        answer = shop.ask(encoded(**{"requestId": own, field: right}))
        assert (200, own) == (answer.status_code, (answer.json or {})["requestId"])


@pytest.mark.parametrize("written", [True, False, "true", "false", "True", "FALSE", "1", "0"])
def test_the_sandbox_mode_is_a_boolean_or_a_text(shop: FuzzedConnector, written: Any) -> None:
    answer = shop.ask(encoded(requestId=f"sandbox {written!r}", sandboxMode=written))
    assert answer.status_code == 200


def test_of_a_key_given_twice_the_last_counts_everywhere(shop: FuzzedConnector) -> None:
    body = f'{{"paymentId":"{PAYMENT}","requestId":"first","requestId":"last"}}'.encode()
    answer = shop.ask(body)
    assert (200, "last") == (answer.status_code, (answer.json or {})["requestId"])
    refused = shop.refuses(body.replace(PAYMENT.encode(), b"P2"))
    assert (refused.json or {})["requestId"] == "last"


# requestId is any text of 1 to 256 characters.

any_text = st.text(st.characters(exclude_categories=()), min_size=1, max_size=256).map(
    lambda text: json.loads(json.dumps(text))
)  # two surrogates that belong together are one
SPECIAL = [
    "\0",
    "\ud800",
    "\udfff\ud800",
    "💳" * 256,
    "\U0010ffff",
    "Ω≈ç",
    '"',
    "\\",
    "\\u0000",
    "'; DROP TABLE requests; --",
    "%s %(id)s :id NOW",
    " ",
    "\r\n",
    "x" * 256,
    "\u202e",
    "null",
]


def assert_kept_exactly(shop: FuzzedConnector, payment_id: str, request_id: str) -> None:
    body = json.dumps({"paymentId": payment_id, "requestId": request_id}).encode()
    path = f"/payments/{payment_id}/cancellations"
    first, again = shop.ask(body, path), shop.ask(body, path)
    assert (200, 200) == (first.status_code, again.status_code)
    assert request_id == json.loads(first.data)["requestId"]
    assert first.data == again.data
    found = [row for row in shop.rig.connector.requests.rows() if row.payment_id == payment_id]
    assert [(request_id, 1)] == [(row.request_id, row.attempts) for row in found]


@pytest.mark.parametrize("request_id", SPECIAL, ids=ascii)
def test_a_strange_request_id_is_kept_and_echoed_exactly(
    each_shop: FuzzedConnector, request_id: str
) -> None:
    payment_id = f"special-{SPECIAL.index(request_id)}"
    assert_kept_exactly(each_shop, payment_id, request_id)


@settings(FUZZ, max_examples=60)
@given(request_id=any_text)
def test_any_request_id_is_kept_and_echoed_exactly(
    each_shop: FuzzedConnector, request_id: str
) -> None:
    payment_id = f"any-{len(each_shop.rig.connector.requests.rows())}"
    assert_kept_exactly(each_shop, payment_id, request_id)


@pytest.mark.parametrize("length", [1, 255, 256])
def test_a_request_id_may_have_256_characters(shop: FuzzedConnector, length: int) -> None:
    for character in ("x", "💳"):
        answer = shop.ask(encoded(requestId=character * length))
        assert (200, character * length) == (answer.status_code, (answer.json or {})["requestId"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_another_encoding_is_read_or_refused(shop: FuzzedConnector, encoding: str) -> None:
    text = json.dumps({"paymentId": PAYMENT, "requestId": f"in {encoding}"})
    answer = shop.ask(text.encode(encoding))
    if answer.status_code == 200:
        assert (answer.json or {})["requestId"] == f"in {encoding}"
    else:
        assert shop.refuses(text.encode(encoding)).status_code == 400


@pytest.mark.parametrize("surrogates", [b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb8\x80"])
def test_surrogates_as_bytes_are_no_utf_8(shop: FuzzedConnector, surrogates: bytes) -> None:
    body = encoded().replace(b"request-1", surrogates)
    assert shop.refuses(body).status_code == 400


# The same requestId with another content.


@pytest.mark.parametrize("same", [23, "23", "23.00", "23,00", 23.0, "2.3e1", "023"])
def test_a_value_is_compared_as_a_number(each_shop: FuzzedConnector, same: Any) -> None:
    first = each_shop.ask(encoded(requestId="by value", value="23.00"))
    assert 200 == first.status_code
    assert first.data == each_shop.ask(encoded(requestId="by value", value=same)).data


@pytest.mark.parametrize("other", [22, "23.01", 2300, 0, None, "", 23.000000000000004])
def test_another_value_after_a_final_answer_is_a_mismatch(
    each_shop: FuzzedConnector, other: Any
) -> None:
    each_shop.ask(encoded(requestId="by value", value="23.00"))
    answer = each_shop.refuses(encoded(requestId="by value", value=other))
    assert answer.status_code == 422
    assert answer.json == {
        "paymentId": PAYMENT,
        "cancellationId": None,
        "code": "request-mismatch",
        "message": "This requestId was already answered for another value; send a new requestId.",
        "requestId": "by value",
    }


def test_a_value_that_was_absent_at_first_is_a_mismatch_too(shop: FuzzedConnector) -> None:
    shop.ask(encoded(requestId="without value"))
    assert shop.refuses(encoded(requestId="without value", value=0)).status_code == 422


# Size and content type.


@pytest.mark.parametrize("length", [256 * 1024 + 1, 1024 * 1024])
def test_a_large_body_is_refused_unread(shop: FuzzedConnector, length: int) -> None:
    body = encoded(padding="x" * length)
    answer = shop.refuses(body)
    assert (413, "The body is too large.") == (answer.status_code, message(answer))


def test_a_body_of_256_kib_is_read(shop: FuzzedConnector) -> None:
    room = 256 * 1024 - len(encoded(requestId="large", padding=""))
    assert shop.ask(encoded(requestId="large", padding="x" * room)).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/vnd.api+json",
        "application/json5",
        "json",
        "application/",
        "\xe9",
    ],
)
def test_another_content_type_is_refused(shop: FuzzedConnector, content_type: str) -> None:
    answer = shop.refuses(encoded(), content_type=content_type)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in message(answer)
    assert (answer.json or {})["requestId"] == "request-1"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", None],
)
def test_json_is_taken_however_its_type_is_written(
    shop: FuzzedConnector, content_type: str | None
) -> None:
    body = encoded(requestId=f"as {content_type}")
    assert shop.ask(body, content_type=content_type).status_code == 200


# Methods and addresses.


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_another_method_is_refused_in_json(shop: FuzzedConnector, method: str) -> None:
    answer = shop.refuses(encoded(), method=method)
    assert answer.status_code == 405
    assert (PAYMENT, "request-1") == ((answer.json or {})["paymentId"], answer.json["requestId"])


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_refused_method_names_those_that_are_allowed(shop: FuzzedConnector, method: str) -> None:
    assert shop.refuses(b"", method=method).headers.get("Allow") == "POST"


@pytest.mark.parametrize("path", [PATH, "/", "/nowhere"])
def test_head_has_no_body(shop: FuzzedConnector, path: str) -> None:
    answer = shop.ask(b"", path, method="HEAD")
    assert answer.status_code == (405 if path == PATH else 404)
    assert (b"", "application/json") == (answer.data, answer.headers["Content-Type"])


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/nowhere",
        f"/{PATH}",
        f"/payments//{PAYMENT}/cancellations",
        "/payments//cancellations",
        f"/payments/{PAYMENT}/cancellation",
        f"/payments/{PAYMENT}/CANCELLATIONS",
        f"{PATH}/1",
        f"{PATH}/..",
        f"{PATH}%00",
        f"{PATH}%0a",
        f"{PATH};x=1",
        f"/payments/{PAYMENT}%2Fcancellations/x",
        "/payments/%2F/cancellations",
        "/static/x",
        "/favicon.ico",
    ],
)
def test_an_address_that_is_nearly_right_is_not_found(shop: FuzzedConnector, path: str) -> None:
    answer = shop.refuses(encoded(), path)
    assert (404, "not-found") == (answer.status_code, (answer.json or {})["code"])


@pytest.mark.parametrize(
    "payment_id",
    [
        "a" * 129,
        "a" * 4000,
        ".",
        "..",
        "%00",
        "P%00",
        "P%0A",
        "%20",
        "й",
        "%FF",
        "a%25b",
        "a.b",
        "a%2Fb",
        "a/",
        "a/b",
        "~",
    ],
)
def test_a_payment_id_of_other_characters_is_refused(
    shop: FuzzedConnector, payment_id: str
) -> None:
    answer = shop.refuses(encoded(), f"/payments/{payment_id}/cancellations")
    assert answer.status_code == 400
    assert message(answer).startswith("paymentId in the path must be 1 to 128 characters")
    assert (answer.json or {})["paymentId"] is None


@FUZZ
@given(segments=st.lists(st.text(max_size=12), min_size=1, max_size=4).filter(any))
def test_any_other_address_is_refused(shop: FuzzedConnector, segments: list[str]) -> None:
    escaped = "/".join(quote(part.encode("utf-8", "surrogatepass"), safe="") for part in segments)
    answer = shop.refuses(encoded(), f"/payments/{escaped}")
    assert answer.status_code == 404


# Credentials come first.


@FUZZ
@given(body=st.binary(max_size=200))
def test_a_stranger_learns_nothing_of_the_body(shop: FuzzedConnector, body: bytes) -> None:
    answer = shop.refuses(body, credentials={})
    assert (401, "unauthorized") == (answer.status_code, (answer.json or {})["code"])


@pytest.mark.parametrize(
    ("body", "asked", "echoed"),
    [
        (encoded(), {}, "request-1"),
        (encoded(paymentId="P2"), {}, "request-1"),
        (encoded(requestId="x" * 257), {}, "x" * 257),
        (encoded(requestId=""), {}, ""),
        (encoded(requestId=7), {}, None),
        (encoded(value=-1), {"content_type": "text/plain"}, "request-1"),
        (encoded(tid="x" * MOST_ECHOED), {}, None),
        (encoded(connectorMetadata=[0] * MOST_MEMBERS), {}, None),
        (b"", {}, None),
        (b"[", {}, None),
        (b"x" * 300_000, {}, None),
    ],
)
def test_credentials_are_judged_before_the_body(
    shop: FuzzedConnector, body: bytes, asked: dict[str, Any], echoed: str | None
) -> None:
    """Of a stranger's body a small and plain one is looked into, to name the request."""
    answer = shop.refuses(body, credentials={}, **asked)
    assert (401, "unauthorized") == (answer.status_code, (answer.json or {})["code"])
    assert (PAYMENT, echoed) == ((answer.json or {})["paymentId"], answer.json["requestId"])


class Unread(io.RawIOBase):
    """A body that says how much of it was read."""

    length = 0

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        self.length += len(into)
        into[:] = b"[" * len(into)
        return len(into)


@pytest.mark.parametrize("path", [PATH, "/payments", "/payments/p/nothing", "/nothing"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_nothing_is_read_of_a_large_body_that_comes_without_keys(
    shop: FuzzedConnector, path: str, method: str
) -> None:
    body = Unread()
    server = {"wsgi.input": body, "CONTENT_LENGTH": str(MOST_ECHOED + 1)}
    answer = shop.app.test_client().open(
        path, method=method, content_type="application/json", environ_overrides=server
    )
    assert answer.status_code in {401, 404, 405}
    assert (0, None) == (body.length, (answer.json or {}).get("requestId"))


@pytest.mark.parametrize("marked", ["true", "True", "1", "on"])
def test_the_mark_of_a_test_suite_relaxes_nothing(shop: FuzzedConnector, marked: str) -> None:
    mark = {"X-VTEX-API-Is-TestSuite": marked}
    is_marked = marked.lower() == "true"
    right = headers(shop.credentials) | mark
    assert shop.refuses(encoded(), credentials=mark).status_code == (403 if is_marked else 401)
    assert shop.refuses(b"[", credentials=right).status_code == (403 if is_marked else 400)


names = st.sampled_from(
    [f"X-{family}-API-{kind}" for family in ("VTEX", "PROVIDER") for kind in ("AppKey", "AppToken")]
)
latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=40)


@FUZZ
@given(given_headers=st.dictionaries(names, latin, max_size=4))
def test_headers_at_random_open_nothing(
    shop: FuzzedConnector, given_headers: dict[str, str]
) -> None:
    assert shop.refuses(encoded(), credentials=given_headers).status_code == 401


# Against openapi.yaml.


@pytest.fixture(scope="module")
def described(shop: FuzzedConnector) -> Any:
    document = schemathesis.openapi.from_wsgi("/openapi.yaml", shop.app)
    return document["/payments/{paymentId}/cancellations"]["POST"]


CHECKS = (
    conformance.status_code_conformance,
    conformance.content_type_conformance,
    conformance.response_schema_conformance,
)


@FUZZ
@given(draw=st.data())
def test_what_openapi_yaml_allows_is_accepted(
    shop: FuzzedConnector, described: Any, draw: Any
) -> None:
    case = draw.draw(described.as_strategy(generation_mode=GenerationMode.POSITIVE))
    case.body["paymentId"] = case.path_parameters["paymentId"]
    answer = case.call(headers=headers(shop.credentials))
    case.validate_response(answer, checks=CHECKS)
    # The document does not tell which texts are numbers or booleans, nor that they are compared.
    loose = {name for name in ("value", "sandboxMode") if isinstance(case.body.get(name), str)}
    named = {part.split(":")[0] for part in answer.json()["message"].split("; ")}
    assert answer.status_code in {200, 422} or named <= loose
    assert case.body["requestId"] == answer.json()["requestId"]


CANCELLATION_REQUEST = {"$ref": "#/components/schemas/CancellationRequest"}


@FUZZ
@given(draw=st.data())
def test_what_openapi_yaml_forbids_is_refused_as_it_says(
    shop: FuzzedConnector, described: Any, draw: Any
) -> None:
    case = draw.draw(described.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    answer = case.call(headers=headers(shop.credentials))
    if answer.status_code == 200:
        # The generator takes values from other tests of the process: they may be right after all.
        # And what cannot be read of these two never stops a cancellation.
        body = json.loads(answer.request.body or b"")
        needed = {name: body[name] for name in body.keys() - {"merchantSettings", "sandboxMode"}}
        assert [] == faults(OURS, CANCELLATION_REQUEST, needed)
        return
    assert 400 <= answer.status_code <= 499
    if answer.status_code not in {404, 405}:
        case.validate_response(answer, checks=CHECKS)


# On a real socket: what gunicorn itself answers.


@pytest.fixture(scope="module")
def served(shop: FuzzedConnector) -> Iterator[Served]:
    shop.rig.merchants["shop"] = shop.credentials
    with Served(shop.rig, threads=4) as served:
        yield served


def exchange(served: Served, request: bytes) -> tuple[int, str, bytes]:
    """Send bytes, read to the end; return status, content type and body."""
    with closing(socket.create_connection(("127.0.0.1", served.port), timeout=10)) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), fields.get("content-type", ""), body


def post(path: str, body: bytes, *extra: str) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", *extra]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in extra):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"POST " + b"/" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (post(PATH, b"", "X-Long: " + "x" * 9000), 431),
        (post(PATH, b"", *[f"X-{number}: x" for number in range(200)]), 431),
        (post(PATH, b"", "X-Bad Name: x"), 400),
        (post(PATH, b"x", "Content-Length: -1"), 400),
        (post(PATH, b"x", "Content-Length: x"), 400),
        (post(PATH, b"x", "Content-Length: 1", "Content-Length: 2"), 400),
        (post(PATH, b"0\r\n\r\n", CHUNKED, "Content-Length: 5"), 400),
        (post(PATH, b"", "Transfer-Encoding: other"), 400),
        (post(PATH, encoded()), 401),
        (post(PATH, b'{"x":1e9999999999999999999}'), 401),
        (post("/nowhere", b'{"x":1e9999999999999999999}'), 404),
        (post(f"{PATH}?x=%ff", encoded()), 401),
        (post("/payments/%2e%2e/cancellations", encoded()), 401),
        (post("*", encoded()), 400),
        (post("http://elsewhere" + PATH, encoded()), 401),
        (post(PATH, b"zz\r\nno chunk\r\n", CHUNKED), 401),
    ],
    ids=lambda value: ascii(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_what_is_hardly_http_gets_a_4xx_in_json(
    served: Served, request_bytes: bytes, status: int
) -> None:
    found, content_type, body = exchange(served, request_bytes)
    assert (status, "application/json") == (found, content_type)
    has_path = PATH.encode() in request_bytes or b"/payments/%2e%2e/cancellations" in request_bytes
    assert list(json.loads(body)) == (FIELDS if has_path else PLAIN)


def test_a_large_body_is_answered_before_it_is_read(served: Served, shop: FuzzedConnector) -> None:
    credentials = [f"{name}: {value}" for name, value in headers(shop.credentials).items()]
    extra = [*credentials, "Content-Type: application/json"]
    body = encoded(padding="x" * 2_000_000)
    found, content_type, answer = exchange(served, post(PATH, body, *extra))
    assert (413, "application/json") == (found, content_type)
    assert "too large" in json.loads(answer)["message"]


@pytest.mark.parametrize("end", [b" " * 300_000, b" " * 300_000 + b"x", b"x" * 300_000])
def test_a_chunked_body_is_not_cut_to_the_largest_size(
    served: Served, shop: FuzzedConnector, end: bytes
) -> None:
    credentials = [f"{name}: {value}" for name, value in headers(shop.credentials).items()]
    body = encoded(requestId="in chunks") + end
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    extra = [*credentials, "Content-Type: application/json", CHUNKED]
    found, content_type, _ = exchange(served, post(PATH, chunks, *extra))
    assert (413, "application/json") == (found, content_type)


def test_a_chunked_body_is_read(served: Served, shop: FuzzedConnector) -> None:
    credentials = [f"{name}: {value}" for name, value in headers(shop.credentials).items()]
    body = encoded(requestId="in chunks")
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    extra = [*credentials, "Content-Type: application/json", CHUNKED]
    found, _, answer = exchange(served, post(PATH, chunks, *extra))
    assert (200, "in chunks") == (found, json.loads(answer)["requestId"])
