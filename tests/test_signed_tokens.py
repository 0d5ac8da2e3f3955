"""Whatever comes as a token: proven, or not; never a fault of ours."""

import json
from typing import Any, NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    InvalidRequest,
    NotAuthenticated,
    NotDone,
)
from connector.http_client import Answer, HttpClient
from connector.signed_tokens import SignedTokens
from tests.companies.yandex_pay import packed, public, signed

# Another machine may be slow; the same cases everywhere.
FUZZ = settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)
SIGNATURE = "A" * 86
HEADER = {"alg": "ES256", "typ": "JWT", "kid": "k", "iat": 1, "exp": 9_999_999_999}


KEY = ec.generate_private_key(ec.SECP256R1())


class OneKey(HttpClient):
    """A company with the one key "k"."""

    def __init__(self, shown: dict[str, str] | None = None) -> None:
        super().__init__("acme")
        self._shown = shown or public(KEY, "k")

    def send(self, *_: Any, **__: Any) -> Answer:
        return Answer(200, json.dumps({"keys": [self._shown]}).encode())


class NoKeys(HttpClient):
    """A company whose keys cannot be had: a header that asks for them was read as right."""

    def send(self, *_: Any, **__: Any) -> NoReturn:
        raise NotDone


def token(header: bytes, payload: str = "e30", signature: str = SIGNATURE) -> bytes:
    return f"{packed(header)}.{payload}.{signature}".encode()


def is_refused(body: bytes) -> bool:
    """Whether it is refused without the company's keys. Anything else but NotDone is a fault."""
    try:
        SignedTokens(NoKeys("acme")).payload(body, "http://127.0.0.1:9/keys", Deadline.after(5))
    except NotAuthenticated:
        return True
    except NotDone:
        return False
    raise AssertionError


TEXT = st.text("0123456789eE+-._ NaInfity\x00é", max_size=20)
NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    TEXT,
    st.integers(min_value=0, max_value=10**11),
    st.sampled_from([None, True, [], {}, "1e999999999", "-1e99999999", "NaN", "sNaN", "1_0"]),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=8,
)


@FUZZ
@given(st.binary(max_size=300))
@example(b"")
@example(b"..")
@example(b"." * 100_000)
@example(b"A" * 1_000_000)
def test_any_bytes_are_refused_without_a_fault(body: bytes) -> None:
    assert is_refused(body)


@FUZZ
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_three_parts_are_refused_without_a_fault(header: bytes, payload: bytes) -> None:
    assert is_refused(token(header or b"x", packed(payload or b"x")))


@FUZZ
@given(st.dictionaries(st.sampled_from([*HEADER, "nbf", "crit", "b64"]), ANYTHING))
def test_a_header_of_any_content_is_no_fault(header: dict[str, Any]) -> None:
    changed = json.dumps({**HEADER, **header}).encode()
    is_refused(token(changed))


@FUZZ
@given(st.sampled_from(["iat", "nbf", "exp"]), NUMBERS)
def test_a_time_of_any_kind_is_no_fault(name: str, value: Any) -> None:
    is_refused(token(json.dumps({**HEADER, name: value}).encode()))


@pytest.mark.parametrize("number", [b"1e999999999", b"-1E999999999", b"9" * 700, b"1e12", b"-0.1"])
@pytest.mark.parametrize("name", [b"iat", b"nbf", b"exp"])
def test_a_time_beyond_all_bounds_is_refused(name: bytes, number: bytes) -> None:
    times = {b"iat": b"1", b"exp": b"9999999999", name: number}
    members = b"".join(b',"%s":%s' % member for member in times.items())
    assert is_refused(token(b'{"alg":"ES256","typ":"JWT","kid":"k"%s}' % members))


def test_a_header_that_is_right_asks_for_the_keys() -> None:
    assert not is_refused(token(json.dumps(HEADER).encode()))
    assert not is_refused(token(json.dumps({**HEADER, "nbf": 1.5}).encode()))


def test_a_payload_is_not_read_before_it_is_proven() -> None:
    """Whoever cannot sign must not have us parse."""
    assert not is_refused(token(json.dumps(HEADER).encode(), "A" * 16_384))
    assert is_refused(token(json.dumps(HEADER).encode(), "A" * 16_385))


def read(body: bytes, company: OneKey | None = None) -> Any:
    tokens = SignedTokens(company or OneKey())
    return tokens.payload(body, "http://127.0.0.1:9/keys", Deadline.after(5))


def test_a_token_of_the_company_is_read() -> None:
    assert read(signed(HEADER, {"event": "paid"}, KEY)).text("event") == "paid"


@pytest.mark.parametrize(
    "header",
    [
        json.dumps(HEADER).replace("{", '{"alg": "none", ', 1).encode(),
        json.dumps(HEADER).replace("{", '{"kid": "another", ', 1).encode(),
        json.dumps(HEADER).replace("{", '{"x": NaN, ', 1).encode(),
        json.dumps(HEADER).replace("{", '{"x": {"y": 1, "y": 2}, ', 1).encode(),
        {**HEADER, "crit": []},
        {**HEADER, "crit": ["b64"], "b64": True},
        {**HEADER, "crit": ["exp"]},
        {**HEADER, "b64": False},
        {**HEADER, "typ": "jwt"},
        {**HEADER, "iat": True},
        {**HEADER, "iat": -1},
        {**HEADER, "exp": 10**11 + 1},
    ],
)
def test_a_signature_does_not_make_up_for_a_wrong_header(header: bytes | dict[str, Any]) -> None:
    with pytest.raises(NotAuthenticated):
        read(signed(header, {}, KEY))


@pytest.mark.parametrize("payload", [b'{"a":1,"a":2}', b'{"a":{"b":1,"b":2}}', b'{"a":NaN}', b"[]"])
def test_a_payload_that_is_no_plain_object_is_unreadable(payload: bytes) -> None:
    with pytest.raises(InvalidRequest):
        read(signed(HEADER, payload, KEY))


def test_claims_of_a_payload_are_the_companys_own() -> None:
    """They are fields of its event, and no claims of RFC 7519."""
    claims = {"aud": "x", "exp": 1, "nbf": 10**12, "iat": "soon", "sub": 5, "jti": [], "iss": {}}
    assert read(signed(HEADER, claims, KEY)).text("aud") == "x"


def test_a_token_has_one_spelling() -> None:
    """The last of 86 characters has four bits to spare, which must be nought."""
    body = signed(HEADER, {}, KEY)
    others = {body[:-1] + bytes([last]) for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"} - {body}
    for other in (*others, body.replace(b".", b"=.", 1), body + b"="):
        with pytest.raises(NotAuthenticated):
            read(other)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_key_that_is_not_exactly_spelled_is_left_out(axis: str) -> None:
    shown = public(KEY, "k")
    for spelling in (f"!{shown[axis]}", f"{shown[axis]}=", shown[axis][1:], ""):
        with pytest.raises(AnswerNotUnderstood):
            read(signed(HEADER, {}, KEY), OneKey({**shown, axis: spelling}))
