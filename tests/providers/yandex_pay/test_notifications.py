"""What Yandex Pay tells by itself, and what only seems to be from it."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    InvalidRequest,
    NotAuthenticated,
)
from connector.domain.merchant import Account
from connector.provider import Hosts, Message
from connector.providers.yandex_pay import YandexPay
from tests.companies.yandex_pay import YandexPayCompany, packed, public, signed
from tests.providers.yandex_pay.conftest import ORDER, YandexPayAccount


@pytest.mark.parametrize("event", ["ORDER_STATUS_UPDATED", "OPERATION_STATUS_UPDATED"])
def test_a_notification_names_its_payment(shop: YandexPayAccount, event: str) -> None:
    shop.taken()
    body, headers = shop.company.notification(ORDER, event)
    read = shop.read(body)
    assert read is not None
    assert (read.payment_ids, len(read.id)) == ((ORDER,), 64)
    assert read.provider_status == {"ORDER_STATUS_UPDATED": "CAPTURED"}.get(event, "SUCCESS")
    assert headers["Content-Type"] == "application/octet-stream"


def test_a_repeat_with_a_new_signature_has_the_same_id_and_another_event_has_not(
    shop: YandexPayAccount,
) -> None:
    shop.paid()
    first, second = (shop.company.notification(ORDER)[0] for _ in range(2))
    assert first != second
    assert shop.read(first) == shop.read(second)
    shop.settle(None, shop.look())
    third = shop.read(shop.company.notification(ORDER)[0])
    fourth = shop.read(shop.company.notification(ORDER, "OPERATION_STATUS_UPDATED")[0])
    ids = {one.id for one in (shop.read(first), third, fourth) if one}
    assert len(ids) == 3


def test_another_event_is_none_of_ours(shop: YandexPayAccount) -> None:
    shop.create()
    body = shop.company.signed({**shop.company.event(ORDER), "event": "TOMORROWS_EVENT"})
    assert shop.read(body) is None


def test_only_the_p_256_keys_of_the_list_count(shop: YandexPayAccount) -> None:
    shop.create()
    good = shop.company.notification(ORDER)[0]
    body = shop.company.event(ORDER)
    other = ec.generate_private_key(ec.SECP384R1())
    (kid,) = shop.company.keys
    shown = [
        public(other, "large"),
        {"kty": "RSA", "kid": "rsa", "n": "AQAB", "e": "AQAB"},
        {**public(shop.company.keys[kid], "off"), "x": packed(bytes(32))},
        {**public(shop.company.keys[kid], "bad"), "y": "!"},
        public(shop.company.keys[kid], kid),
    ]
    shop.company.inject("answer", "keys", body=json.dumps({"keys": shown}).encode())
    assert shop.read(good)
    now = int(time.time())
    header = {"alg": "ES256", "typ": "JWT", "kid": "large", "iat": now, "exp": now + 9}
    for name in ("large", "rsa", "off", "bad"):
        with pytest.raises(NotAuthenticated):
            shop.read(signed({**header, "kid": name}, body, other))
    assert len(shop.company.calls_of("keys")) == 1


NOW = int(time.time())


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "es256"},
        {"alg": None},
        {"alg": ["ES256"]},
        {"typ": "JWE"},
        {"typ": None},
        {"kid": None},
        {"kid": "another"},
        {"kid": {}},
        {"iat": None},
        {"exp": None},
        {"exp": NOW - 61},
        {"iat": NOW + 500, "exp": NOW + 900},
        {"exp": 1e400},
        {"exp": "soon"},
        {"iat": 10**11 + 1},
        {"iat": -1},
        {"iat": "1e999999999"},
        {"exp": "1e999999999"},
        {"exp": 10**300},
        {"nbf": NOW + 500},
        {"nbf": "-1e999999999"},
        {"nbf": []},
        {"kid": "k" * 1024},
        {"exp": True},
        {"crit": ["b64"], "b64": False},
        {"crit": "exp"},
        {"crit": [{}]},
    ],
)
def test_a_header_that_is_not_exactly_right_is_refused(
    shop: YandexPayAccount, header: dict[str, Any]
) -> None:
    shop.create()
    body = shop.company.signed(shop.company.event(ORDER), **header)
    with pytest.raises(NotAuthenticated):
        shop.read(body)


def test_times_may_be_texts_and_clocks_may_differ_a_little(shop: YandexPayAccount) -> None:
    shop.create()
    now = int(time.time())
    body = shop.company.signed(shop.company.event(ORDER), iat=str(now + 50), exp=str(now - 50))
    assert shop.read(body)
    assert shop.read(b" " + body + b"\r\n")


def tampered(shop: YandexPayAccount) -> Iterator[bytes]:
    """Whatever is nearly a token."""
    body = shop.company.notification(ORDER)[0]
    head, payload, signature = body.split(b".")
    event = shop.company.event(ORDER)
    yield from (b"", b"..", b"a.b", body + b".", b"." + body, body[:-2], body[:40])
    yield from (head + b"." + payload + b".", head + b".." + signature, b"{}." + payload + b".x")
    yield from (body + b"A", body.replace(b".", b"=."), b"\xff" + body, body + b"A" * 20_000)
    yield head + b"." + packed({**event, "order": {"orderId": "x"}}).encode() + b"." + signature
    yield packed({"alg": "none", "typ": "JWT"}).encode() + b"." + payload + b"."
    twice = b'{"alg":"none","alg":"ES256","typ":"JWT","kid":"k","iat":1,"exp":9999999999}'
    yield packed(twice).encode() + b"." + payload + b"." + signature
    for raw in (bytes(64), b"\xff" * 64, b"\1" * 63, b"\1" * 65, b"0" * 132):
        yield head + b"." + payload + b"." + packed(raw).encode()
    yield packed(b"[" * 9000).encode() + b"." + payload + b"." + signature
    yield packed(b"[" * 700).encode() + b"." + payload + b"." + signature
    for number in ("1e999999999", "-1e999999999", "1e-999999999", "NaN", "Infinity", "9" * 600):
        header = (
            b'{"alg":"ES256","typ":"JWT","kid":"k","iat":%s,"exp":9999999999}' % number.encode()
        )
        yield packed(header).encode() + b"." + payload + b"." + signature
    (kid,) = shop.company.keys
    now = int(time.time())
    header = {"alg": "ES256", "typ": "JWT", "kid": kid, "iat": now, "exp": now + 9}
    yield signed(header, event, ec.generate_private_key(ec.SECP256R1()))
    yield signed(header, event, ec.generate_private_key(ec.SECP384R1()))
    yield shop.company.signed({**event, "merchantId": "another"})
    yield shop.company.signed({name: one for name, one in event.items() if name != "merchantId"})


def test_whatever_is_nearly_a_notification_is_refused(shop: YandexPayAccount) -> None:
    shop.create()
    assert shop.read(shop.company.notification(ORDER)[0])
    for number, body in enumerate(tampered(shop)):
        with pytest.raises(NotAuthenticated):
            pytest.fail(f"{number}: {shop.read(body)}")


def test_a_signed_notification_that_cannot_be_read_is_unreadable(shop: YandexPayAccount) -> None:
    shop.create()
    event = shop.company.event(ORDER)
    plain = json.dumps(event).encode()
    for payload in (
        {**event, "order": None},
        {**event, "order": {"orderId": ""}},
        {**event, "order": []},
        {**event, "event": 1.5},
        {**event, "merchantId": []},
        b"not JSON",
        plain.replace(b"{", b'{"event": "X", ', 1),
        b"[]",
    ):
        with pytest.raises(InvalidRequest):
            shop.read(shop.company.signed(payload))


def test_a_notification_is_of_the_merchant_it_is_told_to(shop: YandexPayAccount) -> None:
    shop.create()
    other = Account({**shop.account.settings, "merchant_id": "another"})
    with pytest.raises(NotAuthenticated):
        shop.read(shop.company.notification(ORDER)[0], account=other)


def test_a_merchant_id_in_capitals_is_the_same_merchant(shop: YandexPayAccount) -> None:
    shop.create()
    event = shop.company.event(ORDER)
    for told, known in ((str.upper, str.lower), (str.lower, str.upper)):
        settings = {**shop.account.settings}
        settings["merchant_id"] = known(settings["merchant_id"])
        body = shop.company.signed({**event, "merchantId": told(event["merchantId"])})
        assert shop.read(body, account=Account(settings))


def test_the_sandbox_has_keys_of_its_own_host(shop: YandexPayAccount) -> None:
    with YandexPayCompany() as sandbox:
        hosts = Hosts(shop.company.url, sandbox.url)
        provider = YandexPay(shop.http, hosts)
        sandbox.create(ORDER)
        body, headers = sandbox.notification(ORDER)
        deadline = Deadline.after(10)
        account = Account(sandbox.settings, sandbox=True)
        assert provider.read_notification(Message(body, headers, account, deadline))
        with pytest.raises(AnswerNotUnderstood):
            provider.read_notification(Message(body, headers, Account(sandbox.settings), deadline))
        assert len(sandbox.calls_of("keys")) == 1


def test_events_of_one_moment_are_told_apart(shop: YandexPayAccount) -> None:
    shop.taken()
    order = shop.company.event(ORDER)
    operation = shop.company.event(ORDER, "OPERATION_STATUS_UPDATED")
    changed = [
        order,
        {**order, "order": {**order["order"], "paymentStatus": "AUTHORIZED"}},
        {**order, "order": {**order["order"], "orderId": "another"}},
        {**order, "eventTime": "2023-11-26T08:11:09.359370+00:00"},
        {**operation, "eventTime": order["eventTime"]},
        {**operation, "operation": {**operation["operation"], "operationId": "another"}},
        {**operation, "operation": {**operation["operation"], "status": "FAIL"}},
        {**operation, "operation": {"orderId": ORDER, "status": "CAPTURED"}},
    ]
    read = [shop.read(shop.company.signed(one)) for one in changed]
    assert len({one.id for one in read if one}) == len(changed)


def test_a_list_of_keys_with_an_error_status_is_none(shop: YandexPayAccount) -> None:
    shop.create()
    body = shop.company.notification(ORDER)[0]
    shown = [public(key, kid) for kid, key in shop.company.keys.items()]
    listed = json.dumps({"keys": shown}).encode()
    shop.company.inject("status_before", "keys", status=404, body=listed)
    with pytest.raises(AnswerNotUnderstood):
        shop.read(body)
