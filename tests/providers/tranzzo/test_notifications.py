"""What Tranzzo reports: read when it is proven to be Tranzzo's."""

import base64
import json
from decimal import Decimal
from urllib.parse import parse_qs, urlencode

import pytest

from connector.domain.errors import InvalidRequest, NotAuthenticated
from connector.domain.merchant import Account
from connector.domain.order import Order
from tests.providers.tranzzo.shop import DASHED, ID, TranzzoAccount

# Notifications.


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def test_the_documented_signature_is_accepted(shop: TranzzoAccount) -> None:
    shop.account = Account({**shop.company.settings, "api_secret": "changeme"})
    content = "eyJuYW1lIjoiSm9lIiwiYWdlIjoyMH0="
    body = f"data={content}&signature=Bcj3hb-h00HrEMIoJ5nPW5ZHlVQ=".encode()
    # It is authentic, and says only {"name":"Joe","age":20}.
    with pytest.raises(NotAuthenticated, match="POS_ID"):
        shop.read(body)
    with pytest.raises(NotAuthenticated, match="signature"):
        shop.read(body.replace(b"Bcj3", b"bcj3"))


@pytest.mark.parametrize("payment_id", [ID, DASHED])
def test_a_message_names_the_payment_as_vtex_may(shop: TranzzoAccount, payment_id: str) -> None:
    shop.create(Order(payment_id, Decimal(5), "UAH"))
    body, headers = shop.company.notification(payment_id)
    message = shop.read(body)
    assert message
    assert payment_id in message.payment_ids
    assert payment_id.replace("-", "") == message.payment_ids[0]
    assert len(message.payment_ids) == 2
    assert headers == {"Content-Type": "application/x-www-form-urlencoded"}


def test_an_order_id_that_is_no_uuid_is_the_payments_only(shop: TranzzoAccount) -> None:
    shop.create(Order("order-" + "f" * 26, Decimal(5), "UAH"))
    message = shop.read(shop.company.notification("order-" + "f" * 26)[0])
    assert message
    assert message.payment_ids == ("order-" + "f" * 26,)


def test_a_repeat_has_the_same_id_and_a_change_another(shop: TranzzoAccount) -> None:
    shop.create()
    ids = []
    for body in (shop.company.notification(ID)[0], shop.company.notification(ID)[0]):
        message = shop.read(body)
        assert message
        ids.append(message.id)
    shop.company.pay(ID)
    changed = shop.read(shop.company.notification(ID)[0])
    assert changed
    assert ids[0] == ids[1] != changed.id


def test_what_was_not_signed_so_is_not_believed(shop: TranzzoAccount) -> None:
    shop.paid()
    sent = parse_qs(shop.company.notification(ID)[0].decode())
    content, signature = sent["data"][0], sent["signature"][0]
    other = base64.urlsafe_b64encode(b'{"order_id":"other"}').decode()
    for body in (
        form(data=other, signature=signature),
        form(data=content.rstrip("=") + "=" * 3, signature=signature),
        form(data=content, signature=signature.rstrip("=")),
        form(data=content, signature=""),
        form(data=content, signature="підпис"),
        form(data=content, signature=signature.swapcase()),
    ):
        with pytest.raises(NotAuthenticated):
            shop.read(body)


def test_a_message_to_another_merchant_is_not_believed(shop: TranzzoAccount) -> None:
    shop.paid()
    body, _ = shop.company.notification(ID)
    for key in ("api_secret", "pos_id"):
        shop.account = Account({**shop.company.settings, key: "another"})
        with pytest.raises(NotAuthenticated):
            shop.read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"data=x",
        b"signature=x",
        b"data=x&data=x&signature=x",
        b"data=&data=x&signature=x",
        b"data=x&signature=x&signature=x",
        b"data=x&signature=x&noise",
        "data=x&signature=є".encode(),
    ],
)
def test_a_body_that_is_no_such_form_is_refused(shop: TranzzoAccount, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        shop.read(body)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"order_id":[]}', b"\xff", b"null"])
def test_signed_nonsense_is_refused(shop: TranzzoAccount, content: bytes) -> None:
    with pytest.raises(InvalidRequest):
        shop.read(shop.company.signed(content))


def test_a_message_about_no_order_is_about_no_payment(shop: TranzzoAccount) -> None:
    pos_id = shop.company.settings["pos_id"]
    assert shop.read(shop.company.signed(json.dumps({"pos_id": pos_id}).encode())) is None
