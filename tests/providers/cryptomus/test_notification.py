"""What the company reports of an invoice, and what proves it."""

import base64
import hashlib

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import InvalidRequest, NotAuthenticated
from connector.domain.merchant import Account
from connector.domain.payment import Notification
from connector.provider import Message
from connector.providers.cryptomus import Cryptomus
from tests.companies.cryptomus import Cryptomus as Company

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
# What the company signs, as PHP writes it: with letters as they are and with escapes.
SIGNED = (
    '{"type":"payment","uuid":"62f88b36","order_id":"' + PAYMENT + '","amount":"3.00000000",'
    '"commission":1.10,"rate":1e-7,"big":123456789012345678901234567890,"is_final":true,'
    '"status":"paid_over","from":"a\\/b","additional_data":"Заказ \\"7\\" \\n é 😀","txid":null,'
    '"convert":{"to_currency":"USDT","rate":0.90,"list":[1,-0,-2.50,[]],"url":"https:\\/\\/x"}}'
)
SIGNED_ESCAPED = SIGNED.replace("Заказ", "\\u0417\\u0430\\u043a\\u0430\\u0437").replace(
    "é 😀", "\\u00e9 \\ud83d\\ude00"
)


def sign(text: str, company: Company) -> str:
    whole = base64.b64encode(text.encode()).decode() + company.settings["payment_key"]
    return hashlib.md5(whole.encode(), usedforsecurity=False).hexdigest()


def with_sign(text: str, proof: str) -> bytes:
    return f'{text[:-1]},"sign":"{proof}"}}'.encode()


def read(provider: Cryptomus, body: bytes, account: Account) -> Notification | None:
    return provider.read_notification(Message(body, {}, account, Deadline.after(5)))


@pytest.mark.parametrize("signed", [SIGNED, SIGNED_ESCAPED])
@pytest.mark.parametrize("sent", [SIGNED, SIGNED_ESCAPED])
def test_the_sign_is_of_the_rest_as_php_writes_it(
    company: Company, provider: Cryptomus, account: Account, signed: str, sent: str
) -> None:
    assert "\\u0417" in SIGNED_ESCAPED
    found = read(provider, with_sign(sent, sign(signed, company)), account)
    expected = Notification(
        hashlib.sha256(SIGNED.encode()).hexdigest(),
        (PAYMENT,),
        provider_payment_id="62f88b36",
        provider_status="paid_over",
    )
    assert expected == found


def test_the_sign_may_stand_anywhere_and_spaces_and_slashes_do_not_count(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    proof = sign(SIGNED, company)
    body = '{ "sign" : "' + proof + '",\n' + SIGNED[1:].replace("\\/", "/").replace(',"', ', "')
    assert read(provider, body.encode(), account)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.10", "1.1"),
        ("1e-7", "1E-7"),
        ("paid_over", "paid"),
        ("true", "false"),
        ("-2.50", "-2.5"),
        ('"type":"payment","uuid":"62f88b36"', '"uuid":"62f88b36","type":"payment"'),
        ("[]", "{}"),
        ("null", '""'),
    ],
)
def test_one_that_was_touched_anywhere_is_not_proven(
    company: Company, provider: Cryptomus, account: Account, old: str, new: str
) -> None:
    assert old in SIGNED
    body = with_sign(SIGNED.replace(old, new, 1), sign(SIGNED, company))
    with pytest.raises(NotAuthenticated):
        read(provider, body, account)


@pytest.mark.parametrize("proof", ["", "0" * 32, "подпись", None])
def test_one_without_the_right_sign_is_not_proven(
    provider: Cryptomus, account: Account, proof: str | None
) -> None:
    body = SIGNED.encode() if proof is None else with_sign(SIGNED, proof)
    with pytest.raises(NotAuthenticated):
        read(provider, body, account)


def test_one_signed_with_another_key_is_not_proven(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    other = Account({**account.settings, "payment_key": "another"})
    with pytest.raises(NotAuthenticated):
        read(provider, with_sign(SIGNED, sign(SIGNED, company)), other)


def test_each_state_is_another_message_and_a_repeat_is_the_same(
    company: Company, provider: Cryptomus, account: Account
) -> None:
    company.create(PAYMENT)
    told = []
    for act in (company.pay, company.finish, lambda name: company.move(name, "refund_process")):
        act(PAYMENT)
        found = read(provider, company.notification(PAYMENT)[0], account)
        assert found
        told.append(found)
    assert ["paid", "paid", "refund_process"] == [one.provider_status for one in told]
    assert {(PAYMENT,)} == {one.payment_ids for one in told}
    assert told[0].id == told[1].id
    assert told[1].id != told[2].id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"type":"payment"', '"type":"wallet"'),
        ('"type":"payment",', ""),
        (f'"order_id":"{PAYMENT}"', '"order_id":null'),
        (f'"order_id":"{PAYMENT}",', ""),
    ],
)
def test_one_about_a_wallet_or_no_order_is_about_no_payment(
    company: Company, provider: Cryptomus, account: Account, old: str, new: str
) -> None:
    text = SIGNED.replace(old, new)
    assert text != SIGNED
    assert read(provider, with_sign(text, sign(text, company)), account) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'"sign"',
        b"type=payment",
        b'{"sign": 1.5, "a"}',
        b'{"sign": true}',
        b'{"sign": "", "a": "\\ud800"}',
        b"[" * 100_000,
        b'{"a": ' + b"[" * 700 + b"]" * 700 + b"}",
    ],
)
def test_one_that_cannot_be_read_is_a_wrong_request(
    provider: Cryptomus, account: Account, body: bytes
) -> None:
    with pytest.raises((InvalidRequest, NotAuthenticated)):
        read(provider, body, account)
