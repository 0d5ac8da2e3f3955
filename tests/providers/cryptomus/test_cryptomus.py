import base64
import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    OutcomeUnknown,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.payment import Look, PaymentKey, Standing
from connector.provider import Call
from connector.providers.cryptomus import Cryptomus
from tests.companies.cryptomus import Cryptomus as Company
from tests.providers.contract import ProviderContract

HERE = Path(__file__).parent
ORDER = "65bbe87b4098c17a31cff3e71e515243"
KEY = PaymentKey(ORDER)


def recorded(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def changed(**values: Any) -> bytes:
    """Return the recorded look with some of its values changed, None for taken out."""
    answer = json.loads(recorded("look_cancelled"))
    answer["result"] |= values
    answer["result"] = {name: v for name, v in answer["result"].items() if v is not None}
    return json.dumps(answer).encode()


class TestCryptomusKeepsTheContract(ProviderContract):
    provider_class = Cryptomus
    company_class = Company

    def payment(self, company: Any) -> PaymentKey:
        company.create(ORDER)
        return KEY

    def answer_with_word(self, key: PaymentKey, status: str) -> bytes:
        return changed(order_id=key.payment_id, payment_status=status, status=status)

    @pytest.mark.parametrize("value", [None, "", "  ", True, 1.5, [], {}, "два слова", "a b", "\0"])
    def test_every_fault_in_the_settings_is_named_at_once(self, value: object) -> None:
        """A setting that is not required may be absent."""
        keys = {setting.key for setting in Cryptomus.settings if setting.is_required}
        faulty = dict.fromkeys(keys, value) | {"appkey": "x", "colour": "x"}
        with pytest.raises(ConfigurationError) as caught:
            Cryptomus.check_settings(faulty)
        assert set(faulty) == {key for key in faulty if f"{key}: " in str(caught.value)}

    def wrong_settings(self, company: Any) -> list[Mapping[str, str]]:
        another = {**company.settings, "merchant_uuid": "11111111-385b-4670-8d06-064591096795"}
        return [*super().wrong_settings(company), another]


def look(provider: Cryptomus, company: Company, key: PaymentKey = KEY) -> Look:
    return provider.look(Call(key, Account(company.settings), Deadline.after(5)))


@pytest.mark.parametrize(
    ("status", "is_final", "expected"),
    [
        ("check", False, Standing.UNPAID),
        ("process", False, Standing.PAYING),
        ("confirm_check", False, Standing.PAYING),
        ("wrong_amount_waiting", False, Standing.PAYING),
        ("paid", True, Standing.CAPTURED),
        ("paid_over", True, Standing.CAPTURED),
        ("paid", False, Standing.STUCK),
        ("paid_over", False, Standing.STUCK),
        ("wrong_amount", True, Standing.STUCK),
        ("system_fail", True, Standing.STUCK),
        ("refund_fail", True, Standing.STUCK),
        ("locked", False, Standing.STUCK),
        ("refund_process", False, Standing.WORKING),
        ("refund_paid", True, Standing.UNDONE),
        ("cancel", True, Standing.UNDONE),
        ("cancel", False, Standing.UNPAID),
        ("fail", True, Standing.UNDONE),
        ("fail", False, Standing.UNPAID),
    ],
)
def test_each_documented_status_has_its_standing(
    company: Company, provider: Cryptomus, status: str, is_final: bool, expected: Standing
) -> None:
    company.create(ORDER, status, is_final=is_final)
    found = look(provider, company)
    assert expected is found.standing
    assert (status, None) == (found.provider_status, found.cancellation_id)


def test_the_recorded_look_is_read_exactly(company: Company, provider: Cryptomus) -> None:
    company.inject("answer", "look", body=recorded("look_cancelled"))
    expected = Look(
        Standing.UNDONE,
        amount=Decimal("15.00"),
        currency="USDT",
        provider_status="cancel",
        provider_payment_id="70b8db5c-b952-406d-af26-4e1c34c27f15",
        payment_url="https://pay.cryptomus.com/pay/70b8db5c-b952-406d-af26-4e1c34c27f15",
    )
    assert expected == look(provider, company)


@pytest.mark.parametrize("left_out", ["payment_status", "status", "is_final", "order_id"])
def test_one_of_the_two_status_fields_is_enough(
    company: Company, provider: Cryptomus, left_out: str
) -> None:
    company.inject("answer", "look", body=changed(**{left_out: None}))
    assert Standing.UNDONE is look(provider, company).standing


def test_two_statuses_that_differ_decide_nothing(company: Company, provider: Cryptomus) -> None:
    company.inject("answer", "look", body=changed(payment_status="cancel", status="paid"))
    assert Standing.WORKING is look(provider, company).standing


@pytest.mark.parametrize(
    "body",
    [
        changed(payment_status=None, status=None),
        changed(order_id="65bbe87b4098c17a31cff3e71e515244"),
        changed(is_final="yes"),
        changed(amount="a lot"),
        b'{"state": 0}',
        b'{"state": 0, "result": []}',
        b'{"state": 2, "message": "Payment was not found"}',
        b'{"state": true, "result": {}}',
        b'{"message": "Payment was not found"}',
    ],
)
def test_a_strange_answer_decides_nothing(
    company: Company, provider: Cryptomus, body: bytes
) -> None:
    company.inject("answer", "look", body=body)
    with pytest.raises(AnswerNotUnderstood):
        look(provider, company)


def test_a_success_that_came_with_an_error_status_is_no_answer(
    company: Company, provider: Cryptomus
) -> None:
    body = recorded("look_cancelled")
    company.inject("status_before", "look", status=422, body=body)
    with pytest.raises(AnswerNotUnderstood):
        look(provider, company)


@pytest.mark.parametrize("status", [200, 404, 422])
def test_not_found_is_known_by_its_message_whatever_the_http_status(
    company: Company, provider: Cryptomus, status: int
) -> None:
    body = recorded("look_not_found")
    company.inject("status_before", "look", status=status, body=body)
    assert Look(Standing.ABSENT) == look(provider, company)


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        ("forbidden", 422, ProviderCredentials(evidence="You are forbidden")),
        ("invalid", 422, ProviderRefused()),
        ("unavailable", 422, ProviderUnavailable(evidence="Server error")),
        ("server_error", 500, OutcomeUnknown(evidence="HTTP 500")),
    ],
)
def test_a_recorded_refusal_is_named_by_what_may_be_done_next(
    company: Company, provider: Cryptomus, outcome: str, status: int, expected: ConnectorError
) -> None:
    company.inject("status_before", "look", status=status, body=recorded(f"look_{outcome}"))
    with pytest.raises(type(expected)) as caught:
        look(provider, company)
    assert repr(expected) == repr(caught.value)
    assert expected.evidence == caught.value.evidence


def test_free_text_of_the_company_is_never_shown(company: Company, provider: Cryptomus) -> None:
    company.refusal = f"key {company.settings['payment_key']} is not welcome"
    with pytest.raises(ProviderRefused) as caught:
        look(provider, company)
    assert not caught.value.evidence


@pytest.mark.parametrize("status", [200, 400, 401, 403, 422])
def test_a_wrong_sign_is_a_matter_of_credentials_whatever_the_http_status(
    company: Company, provider: Cryptomus, status: int
) -> None:
    company.create(ORDER)
    company.sign_status = status
    wrong = Account({**company.settings, "payment_key": "another"})
    with pytest.raises(ProviderCredentials):
        provider.look(Call(KEY, wrong, Deadline.after(5)))
    with pytest.raises(ProviderCredentials):
        provider.probe(Call.about_nobody(wrong, Deadline.after(5)))


def test_the_sign_is_of_the_very_bytes_sent(company: Company, provider: Cryptomus) -> None:
    company.create(ORDER)
    look(provider, company)
    (call,) = company.calls
    text = base64.b64encode(call.body).decode() + company.settings["payment_key"]
    expected = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    assert expected == call.headers["sign"]
    assert company.settings["merchant_uuid"] == call.headers["merchant"]
    sent = {"order_id": ORDER}
    assert sent == call.json()
    line = "POST /v1/payment/info"
    assert line == f"{call.method} {call.path}"


def test_the_longest_payment_id_is_looked_up_as_it_is(
    company: Company, provider: Cryptomus
) -> None:
    key = PaymentKey("A-z_" * 32)
    company.create(key.payment_id, "process")
    assert Standing.PAYING is look(provider, company, key).standing


def test_the_probe_asks_after_an_order_that_cannot_exist(
    company: Company, provider: Cryptomus
) -> None:
    for _ in range(2):
        provider.probe(Call.about_nobody(Account(company.settings), Deadline.after(5)))
    first, second = (call.json()["order_id"] for call in company.calls_of("look"))
    assert first != second


def test_nothing_can_be_cancelled_nor_refunded_instead() -> None:
    assert not Cryptomus.cancellable
    assert not Cryptomus.can_refund
    assert Cryptomus.absent_is_proof


def test_a_payment_is_followed_through_its_life(company: Company, provider: Cryptomus) -> None:
    company.create(ORDER)
    standings = [look(provider, company).standing]
    for status in ("confirm_check", "paid", "refund_process", "refund_paid"):
        company.move(ORDER, status)
        standings.append(look(provider, company).standing)
    expected = ["UNPAID", "PAYING", "CAPTURED", "WORKING", "UNDONE"]
    assert expected == [standing.name for standing in standings]
    assert not company.effects
