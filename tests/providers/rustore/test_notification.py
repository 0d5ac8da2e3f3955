"""What the company reports of a purchase, and what proves it."""

import base64
import json

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import InvalidRequest, NotAuthenticated
from connector.domain.merchant import Account
from connector.domain.payment import Notification
from connector.provider import Message
from connector.providers.rustore import RuStore
from tests.companies.rustore import APP_ID
from tests.companies.rustore import RuStore as Company

PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"


def read(provider: RuStore, body: bytes, account: Account) -> Notification | None:
    return provider.read_notification(Message(body, {}, account, Deadline.after(5)))


@pytest.mark.parametrize("sandbox", [False, True])
def test_it_binds_the_purchase_to_vtexs_payment(
    company: Company, provider: RuStore, account: Account, sandbox: bool
) -> None:
    purchase = company.start(PAYMENT, sandbox=sandbox)
    company.pay(PAYMENT)
    found = read(provider, company.notification(PAYMENT)[0], account)
    assert found
    expected = Notification(found.id, (PAYMENT,), purchase.purchase_id, purchase.invoice_id, "PAID")
    assert expected == found


def test_a_repeat_under_another_outer_id_is_the_same_message(
    company: Company, provider: RuStore, account: Account
) -> None:
    company.start(PAYMENT)
    bodies = [company.notification(PAYMENT)[0] for _ in range(2)]
    company.pay(PAYMENT)
    bodies.append(company.notification(PAYMENT)[0])
    outer = [json.loads(body)["id"] for body in bodies]
    first, again, other = (read(provider, body, account) for body in bodies)
    assert first and again and other  # noqa: PT018 - for the types
    assert len(set(outer)) == 3
    assert first.id == again.id
    assert first.id != other.id
    assert not set(outer) & {first.id, other.id}


def test_small_letters_and_numbers_are_read(
    company: Company, provider: RuStore, account: Account
) -> None:
    change = {"order_id": PAYMENT, "invoice_id": 123, "status_new": "confirmed"}
    found = read(provider, company.sealed("INVOICE_STATUS", change, APP_ID), account)
    assert found
    expected = Notification(found.id, (PAYMENT,), None, "123", "CONFIRMED")
    assert expected == found


def test_ids_that_are_unfit_for_a_path_are_left_out(
    company: Company, provider: RuStore, account: Account
) -> None:
    change = {"order_id": PAYMENT, "invoice_id": "1/../2", "purchase_id": "a b"}
    found = read(provider, company.sealed("INVOICE_STATUS", change), account)
    assert found
    assert (None, None) == (found.authorization_id, found.provider_payment_id)


@pytest.mark.parametrize("kind", ["TEST_EVENT", "TEST_EVENT_SANDBOX", "TOMORROWS_EVENT", ""])
def test_one_of_another_kind_is_about_no_payment(
    company: Company, provider: RuStore, account: Account, kind: str
) -> None:
    assert read(provider, company.sealed(kind, {"order_id": PAYMENT}), account) is None


@pytest.mark.parametrize("order_id", [None, ""])
def test_one_without_an_order_id_is_about_no_payment(
    company: Company, provider: RuStore, account: Account, order_id: str | None
) -> None:
    change = {"order_id": order_id, "purchase_id": "P", "invoice_id": "1"}
    assert read(provider, company.sealed("INVOICE_STATUS", change), account) is None


@pytest.mark.parametrize("at", [0, 11, 12, 100, -17, -16, -1])
def test_one_that_was_touched_anywhere_is_not_proven(
    company: Company, provider: RuStore, account: Account, at: int
) -> None:
    company.start(PAYMENT)
    notification = json.loads(company.notification(PAYMENT)[0])
    payload = bytearray(base64.b64decode(notification["payload"]))
    payload[at] ^= 1
    notification["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(NotAuthenticated):
        read(provider, json.dumps(notification).encode(), account)


def test_one_encrypted_with_another_key_is_not_proven(company: Company, provider: RuStore) -> None:
    company.start(PAYMENT)
    key = base64.b64encode(b"another merchant's key, 32 bytes").decode()
    other = Account({**company.settings, "notification_key": key})
    with pytest.raises(NotAuthenticated):
        read(provider, company.notification(PAYMENT)[0], other)


@pytest.mark.parametrize("app_id", [1704025, "com.example", None])
def test_one_of_another_application_is_not_proven(
    company: Company, provider: RuStore, account: Account, app_id: object
) -> None:
    body = company.sealed("INVOICE_STATUS", {"order_id": PAYMENT}, app_id)
    with pytest.raises(NotAuthenticated):
        read(provider, body, account)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"payload": 1.5}',
        b'{"payload": ["x"]}',
        b'{"payload": "not base64"}',
        b'{"payload": "\xd0\xb6"}',
        b'{"id": "1"}',
        b'{"payload": "c2hvcnQ="}',
    ],
)
def test_one_that_cannot_be_read_is_a_wrong_request(
    provider: RuStore, account: Account, body: bytes
) -> None:
    with pytest.raises(InvalidRequest):
        read(provider, body, account)


@pytest.mark.parametrize("change", ["PAID", ["PAID"], {"order_id": {}}, None])
def test_one_whose_content_cannot_be_read_is_a_wrong_request(
    company: Company, provider: RuStore, account: Account, change: object
) -> None:
    with pytest.raises(InvalidRequest):
        read(provider, company.sealed("INVOICE_STATUS", change), account)


def test_nothing_is_asked_of_the_company(
    company: Company, provider: RuStore, account: Account
) -> None:
    company.start(PAYMENT)
    read(provider, company.notification(PAYMENT)[0], account)
    assert not company.calls
