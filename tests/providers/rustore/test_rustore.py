import base64
import dataclasses
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connector.domain.deadline import Deadline
from connector.domain.errors import (
    AnswerNotUnderstood,
    ConfigurationError,
    ConnectorError,
    NotDone,
    OutcomeUnknown,
    OutOfTime,
    ProviderCredentials,
    ProviderRefused,
    ProviderUnavailable,
)
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Standing, WriteResult
from connector.provider import Call
from connector.providers.rustore import RuStore
from tests.companies.rustore import Purchase, new_key
from tests.companies.rustore import RuStore as Company
from tests.providers.contract import ALWAYS, CancelContract

HERE = Path(__file__).parent
PAYMENT = "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
PURCHASE = "3aa0c7bd-964e-4562-b218-fe365adb4ae3"
HELD = Look(Standing.HELD, provider_status="PAID")
UNSEEN = Look(Standing.UNSEEN)
# Another key than the merchant's.
STRANGER = new_key()


def recorded(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def changed(**values: Any) -> bytes:
    """Return the recorded look with some values of its body changed, None for taken out."""
    answer = json.loads(recorded("look_confirmed"))
    answer["body"] |= values
    answer["body"] = {name: v for name, v in answer["body"].items() if v is not None}
    return json.dumps(answer).encode()


def refusal(message: str, code: str = "ERROR") -> bytes:
    return json.dumps({"code": code, "message": message, "body": None}).encode()


def key_of(purchase: Purchase) -> PaymentKey:
    return PaymentKey(purchase.order_id, purchase.purchase_id, purchase.invoice_id)


class TestRuStoreKeepsTheContract(CancelContract):
    provider_class = RuStore
    company_class = Company
    cancels = "cancel"

    def payment(self, company: Any) -> PaymentKey:
        return key_of(company.create())

    def absent(self, company: Any) -> PaymentKey:
        return PaymentKey(PAYMENT, PURCHASE, "99999999")

    def answer_with_word(self, key: PaymentKey, status: str) -> bytes:
        return changed(invoiceId=key.provider_payment_id, appId=1704024, invoiceStatus=status)

    def wrong_settings(self, company: Any) -> list[Mapping[str, str]]:
        return [
            {**company.settings, "private_key": STRANGER},
            {**company.settings, "private_key": "bm90IGEga2V5"},
            {**company.settings, "key_id": "9999"},
        ]

    def secrets(self, company: Any) -> list[str]:
        return [*super().secrets(company), STRANGER, *company.tokens]

    @pytest.fixture(autouse=True)
    def token(self, request: pytest.FixtureRequest) -> None:
        """Fetch the token before the cases that count the time of one call."""
        if "slow" in request.node.name:
            request.getfixturevalue("scene").probe()


def look(provider: RuStore, key: PaymentKey, account: Account, seconds: float = 5) -> Look:
    return provider.look(Call(key, account, Deadline.after(seconds)))


def cancel(
    provider: RuStore, key: PaymentKey, account: Account, found: Look = HELD, seconds: float = 5
) -> WriteResult:
    return provider.cancel(Call(key, account, Deadline.after(seconds), "unused", found))


def refund(provider: RuStore, key: PaymentKey, account: Account) -> WriteResult:
    found = Look(Standing.CAPTURED, provider_status="CONFIRMED")
    return provider.refund(Call(key, account, Deadline.after(5), "unused", found))


class TestLook:
    @pytest.mark.parametrize("spelling", [str.upper, str.lower])
    @pytest.mark.parametrize(
        ("status", "standing"),
        [
            ("CREATED", Standing.UNPAID),
            ("EXECUTED", Standing.PAYING),
            ("PAID", Standing.HELD),
            ("EXECUTING", Standing.WORKING),
            ("CONFIRMED", Standing.CAPTURED),
            ("CONSUMED", Standing.CAPTURED),
            ("REFUNDING", Standing.WORKING),
            ("CANCELLED", Standing.UNDONE),
            ("REJECTED", Standing.UNDONE),
            ("EXPIRED", Standing.UNDONE),
            ("REVERSED", Standing.UNDONE),
            ("REFUNDED", Standing.UNDONE),
        ],
    )
    def test_each_documented_status_has_its_standing(
        self, company: Company, provider: RuStore, status: str, standing: Standing, spelling: Any
    ) -> None:
        company.shape = ""
        purchase = company.create(status=spelling(status))
        ended_by = purchase.purchase_id if standing is Standing.UNDONE else None
        expected = Look(standing, cancellation_id=ended_by, provider_status=status)
        assert expected == look(provider, key_of(purchase), Account(company.settings))

    @pytest.mark.parametrize("shape", ["current", "older"])
    def test_the_amount_is_shown_in_kopecks_in_the_older_shape_too(
        self, company: Company, provider: RuStore, account: Account, shape: str
    ) -> None:
        company.shape = shape
        purchase = company.start(PAYMENT, "1234.50")
        expected = Look(Standing.UNPAID, Decimal("1234.50"), "RUB", provider_status="CREATED")
        assert expected == look(provider, key_of(purchase), account)

    @pytest.mark.parametrize(
        ("order", "amount", "currency"),
        [
            ({}, None, None),
            ({"orderId": PAYMENT, "orderNumber": "17", "itemCode": "cart"}, None, None),
            ({"orderId": None, "amountCurrent": None, "currency": ""}, None, None),
            ({"amountCurrent": 123450, "amountCreate": 150000}, "1234.50", None),
            ({"amountCreate": "123450", "currency": "rub"}, "1234.50", "RUB"),
            ({"order_id": PAYMENT, "amount": 1}, "0.01", None),
            ({"amountCurrent": 0, "amountCreate": 100}, "0", None),
        ],
    )
    def test_what_is_shown_of_an_order_is_read(
        self,
        company: Company,
        provider: RuStore,
        account: Account,
        order: dict[str, Any],
        amount: str | None,
        currency: str | None,
    ) -> None:
        purchase = company.start(PAYMENT)
        purchase.order = order
        found = look(provider, key_of(purchase), account)
        expected = (amount and Decimal(amount), currency)
        assert expected == (found.amount, found.currency)
        assert Standing.UNPAID is found.standing

    @pytest.mark.parametrize("status", ["CREATED", "PAID", "CONFIRMED", "REVERSED", "tomorrows"])
    @pytest.mark.parametrize("shape", ["current", "older"])
    def test_the_purchase_of_another_order_is_marked(
        self, company: Company, provider: RuStore, account: Account, shape: str, status: str
    ) -> None:
        company.shape = shape
        purchase = company.create("B" * 32, status)
        key = dataclasses.replace(key_of(purchase), payment_id=PAYMENT)
        found = look(provider, key, account)
        assert (True, status.upper()) == (found.is_another, found.provider_status)
        assert not look(provider, key_of(purchase), account).is_another

    @pytest.mark.parametrize(
        "order",
        ["cart", ["cart"], {"amountCurrent": True}, {"amountCurrent": "1,5"}, {"orderId": {}}],
    )
    def test_an_order_that_cannot_be_read_is_no_answer(
        self, company: Company, provider: RuStore, account: Account, order: Any
    ) -> None:
        purchase = company.create()
        purchase.order = order
        with pytest.raises(AnswerNotUnderstood):
            look(provider, key_of(purchase), account)

    def test_the_recorded_look_is_read_exactly(self, company: Company, provider: RuStore) -> None:
        company.inject("answer", "look", body=recorded("look_confirmed"))
        account = Account({**company.settings, "app_id": "3399750"})
        found = look(provider, PaymentKey(PAYMENT, PURCHASE, "12345"), account)
        expected = Look(Standing.CAPTURED, provider_status="CONFIRMED")
        assert expected == found

    def test_a_cyrillic_ok_and_an_invoice_id_in_text_are_read(
        self, company: Company, provider: RuStore
    ) -> None:
        company.inject("answer", "look", body=recorded("look_created"))
        account = Account({**company.settings, "app_id": "3399750"})
        found = look(provider, PaymentKey(PAYMENT, None, "12345"), account)
        expected = Look(Standing.UNPAID, provider_status="CREATED")
        assert expected == found

    @pytest.mark.parametrize("unusable", ["", None, "../x", "a b", "a:b", "ж", "1" * 65, "7\n"])
    def test_without_a_usable_invoice_a_purchase_is_unseen_and_nothing_is_asked(
        self, company: Company, provider: RuStore, account: Account, unusable: str | None
    ) -> None:
        expected = Look(Standing.UNSEEN)
        assert expected == look(provider, PaymentKey(PAYMENT, PURCHASE, unusable), account)
        assert not company.calls

    @pytest.mark.parametrize("unusable", ["", None, "../x", "a b"])
    def test_without_any_usable_id_a_payment_is_absent_and_nothing_is_asked(
        self, company: Company, provider: RuStore, account: Account, unusable: str | None
    ) -> None:
        expected = Look(Standing.ABSENT)
        assert expected == look(provider, PaymentKey(PAYMENT, unusable, unusable), account)
        assert not company.calls

    def test_absence_here_is_no_proof(self) -> None:
        assert not RuStore.absent_is_proof

    @pytest.mark.parametrize("purchase_id", [None, "../x"])
    def test_a_hold_whose_purchase_is_not_known_is_stuck_but_may_end_by_itself(
        self, company: Company, provider: RuStore, account: Account, purchase_id: str | None
    ) -> None:
        key = dataclasses.replace(key_of(company.create()), authorization_id=purchase_id)
        expected = Look(Standing.STUCK, Decimal(100), "RUB", provider_status="PAID")
        assert expected == look(provider, key, account)

    @pytest.mark.parametrize("status", [200, 400, 404])
    @pytest.mark.parametrize(
        "body",
        [
            refusal("Purchase not found"),
            refusal("Purchase not found", "NOT_FOUND"),
            refusal("Nothing here", "NOT_FOUND"),
        ],
    )
    def test_not_found_is_known_by_code_or_message_whatever_the_http_status(
        self, company: Company, provider: RuStore, account: Account, status: int, body: bytes
    ) -> None:
        company.inject("status_before", "look", status=status, body=body)
        expected = Look(Standing.ABSENT)
        assert expected == look(provider, PaymentKey(PAYMENT, PURCHASE, "4567"), account)

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (refusal("Forbidden"), ProviderCredentials(evidence="Forbidden")),
            (refusal("Something went wrong"), OutcomeUnknown(evidence="Something went wrong")),
            (refusal("Call +7 900 000", "BAD_REQUEST"), ProviderRefused(evidence="BAD_REQUEST")),
            (changed(invoiceId=12346), AnswerNotUnderstood(evidence="another invoiceId")),
            (changed(appId=3399751), AnswerNotUnderstood(evidence="another appId")),
            (changed(invoiceStatus=None), AnswerNotUnderstood(evidence="no invoiceStatus")),
            (changed(invoiceStatus=["PAID"]), AnswerNotUnderstood),
            (b'{"code": "OK", "body": []}', AnswerNotUnderstood),
            (b'{"code": "OK"}', AnswerNotUnderstood(evidence="no invoiceStatus")),
            (b'{"code": "FINE", "body": {}}', AnswerNotUnderstood(evidence="HTTP 200")),
        ],
    )
    def test_any_other_answer_is_named_by_what_may_be_done_next(
        self, company: Company, provider: RuStore, body: bytes, expected: Any
    ) -> None:
        company.inject("answer", "look", body=body)
        account = Account({**company.settings, "app_id": "3399750"})
        kind = expected if isinstance(expected, type) else type(expected)
        with pytest.raises(kind) as caught:
            look(provider, PaymentKey(PAYMENT, PURCHASE, "12345"), account)
        assert kind is type(caught.value)
        assert getattr(expected, "evidence", "") in caught.value.evidence

    def test_an_ok_that_came_with_an_error_status_is_no_answer(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        body = recorded("look_confirmed")
        company.inject("status_before", "look", status=404, body=body)
        with pytest.raises(AnswerNotUnderstood):
            look(provider, PaymentKey(PAYMENT, PURCHASE, "12345"), account)


class TestCancel:
    def test_the_colon_of_the_path_is_sent_as_it_is(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create()
        cancel(provider, key_of(purchase), account)
        (call,) = company.calls_of("cancel")
        expected = f"PUT /public/applications/1704024/purchases/{purchase.purchase_id}:cancel"
        assert expected == f"{call.method} {call.path}"
        assert not call.body

    @pytest.mark.parametrize("is_cyrillic", [False, True])
    def test_a_cancelled_purchase_gives_its_own_id(
        self, company: Company, provider: RuStore, account: Account, is_cyrillic: bool
    ) -> None:
        company.is_cyrillic = is_cyrillic
        purchase = company.create()
        sent = cancel(provider, key_of(purchase), account)
        assert (Effect.DONE, purchase.purchase_id) == (sent.effect, sent.id)
        assert company.state(purchase.purchase_id) == "REVERSED"
        assert Counter({f"cancel:{purchase.purchase_id}": 1}) == company.effects

    def test_the_recorded_success_is_read(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("answer", "cancel", body=recorded("cancel_done"))
        expected = WriteResult(Effect.DONE, PURCHASE, "OK")
        assert expected == cancel(provider, PaymentKey(PAYMENT, PURCHASE), account, UNSEEN)

    def test_an_unseen_purchase_is_cancelled_by_its_purchase_id_alone(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create()
        key = PaymentKey(purchase.order_id, purchase.purchase_id)
        found = look(provider, key, account)
        assert found.standing in provider.cancellable
        cancel(provider, key, account, found)
        assert company.state(purchase.order_id) == "REVERSED"

    @pytest.mark.parametrize("refusal_status", [200, 400, 404, 409, 422])
    @pytest.mark.parametrize("status", ["CREATED", "EXECUTED", "CONFIRMED", "REVERSED"])
    def test_a_purchase_in_another_state_is_refused_and_stays_as_it_is(
        self, company: Company, provider: RuStore, status: str, refusal_status: int
    ) -> None:
        company.refusal_status = refusal_status
        purchase = company.create(status=status)
        with pytest.raises(ProviderRefused) as caught:
            cancel(provider, key_of(purchase), Account(company.settings))
        assert caught.value.evidence == "Purchase status must be PAID"
        assert status == company.state(purchase.purchase_id)
        assert not company.effects

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (recorded("cancel_refused"), ProviderRefused(evidence="Purchase status must be PAID")),
            (refusal("Purchase not found"), ProviderRefused(evidence="Purchase not found")),
            (refusal("Forbidden"), ProviderCredentials(evidence="Forbidden")),
            (refusal("Something went wrong"), OutcomeUnknown(evidence="Something went wrong")),
            (refusal("Call +7 900 000"), ProviderRefused(evidence="ERROR")),
            (b'{"code": "", "message": "no"}', AnswerNotUnderstood(evidence="HTTP 400")),
            (b"no", AnswerNotUnderstood(evidence="HTTP 400, not JSON")),
        ],
    )
    def test_a_refusal_is_named_by_what_may_be_done_next(
        self, company: Company, provider: RuStore, body: bytes, expected: ConnectorError
    ) -> None:
        company.inject("status_before", "cancel", status=400, body=body)
        with pytest.raises(type(expected)) as caught:
            cancel(provider, PaymentKey(PAYMENT, PURCHASE), Account(company.settings), UNSEEN)
        assert (type(expected), expected.evidence) == (type(caught.value), caught.value.evidence)
        assert len(company.calls_of("cancel")) == 1

    def test_an_ok_that_came_with_an_error_status_may_be_done(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        body = recorded("cancel_done")
        company.inject("status_before", "cancel", status=400, body=body)
        with pytest.raises(AnswerNotUnderstood):
            cancel(provider, PaymentKey(PAYMENT, PURCHASE), account)

    @pytest.mark.parametrize("verb", [cancel, refund])
    def test_nothing_is_sent_without_a_usable_id(
        self, company: Company, provider: RuStore, account: Account, verb: Any
    ) -> None:
        with pytest.raises(ProviderRefused):
            verb(provider, PaymentKey(PAYMENT, "../x", "../x"), account)
        assert not company.calls

    def test_no_write_is_started_in_the_last_quarter_however_long_the_token_took(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        key = key_of(company.create())
        company.inject("slow_before", "token", seconds=0.5)
        deadline = Deadline(at=time.monotonic() + 10.3, total=40)
        assert deadline.allows_a_write()
        with pytest.raises(OutOfTime):
            provider.cancel(Call(key, account, deadline, "unused", HELD))
        assert not company.calls_of("cancel")


class TestRefund:
    def test_a_captured_payment_is_refunded_once_however_often_it_is_asked(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create(status="CONFIRMED")
        for _ in range(3):
            sent = refund(provider, key_of(purchase), account)
            assert (Effect.ACCEPTED, purchase.purchase_id) == (sent.effect, sent.id)
        assert Counter({f"refund:{purchase.invoice_id}": 1}) == company.effects
        assert Standing.UNDONE is look(provider, key_of(purchase), account).standing

    def test_it_goes_by_the_invoice_alone(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create(status="CONFIRMED")
        sent = refund(provider, PaymentKey(PAYMENT, None, purchase.invoice_id), account)
        assert sent.id is None
        (call,) = company.calls_of("refund")
        expected = f"PATCH /public/applications/1704024/invoices/{purchase.invoice_id}"
        assert expected == f"{call.method} {call.path}"

    @pytest.mark.parametrize(
        ("name", "word"),
        [("refund_done", "OK"), ("refund_already", "Invoice has already been refunded")],
    )
    def test_the_recorded_answers_leave_the_refunds_end_to_a_look(
        self, company: Company, provider: RuStore, account: Account, name: str, word: str
    ) -> None:
        company.inject("answer", "refund", body=recorded(name))
        expected = WriteResult(Effect.ACCEPTED, PURCHASE, word)
        assert expected == refund(provider, PaymentKey(PAYMENT, PURCHASE, "4567"), account)

    @pytest.mark.parametrize(
        ("message", "expected"),
        [
            ("Cannot refund now. Try again later", ProviderUnavailable),
            ("Refund amount cannot exceed payment amount", ProviderRefused),
            ("Invoice cannot be refunded", ProviderRefused),
            ("Invoice status must be CONFIRMED", ProviderRefused),
            ("Forbidden", ProviderCredentials),
            ("Something went wrong", OutcomeUnknown),
        ],
    )
    def test_each_documented_refusal_is_named_by_what_may_be_done_next(
        self, company: Company, provider: RuStore, message: str, expected: type[ConnectorError]
    ) -> None:
        company.inject("status_before", "refund", status=400, body=refusal(message))
        with pytest.raises(expected) as caught:
            refund(provider, PaymentKey(PAYMENT, PURCHASE, "4567"), Account(company.settings))
        assert (expected, message) == (type(caught.value), caught.value.evidence)


class TestToken:
    def test_it_is_asked_for_as_documented_and_sent_with_each_call(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        look(provider, key_of(company.create()), account)
        asked, looked = company.calls
        line = "POST /public/auth/"
        assert line == f"{asked.method} {asked.path}"
        assert {"keyId", "timestamp", "signature"} == set(asked.json())
        assert company.key_id == asked.json()["keyId"]
        assert set(company.tokens) == {looked.headers["Public-Token"]}

    def test_the_recorded_token_is_sent_as_it_came(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("answer", "token", body=recorded("token_issued"))
        company.inject("answer", "look", body=refusal("Purchase not found"))
        look(provider, PaymentKey(PAYMENT, PURCHASE, "4567"), account)
        (call,) = company.calls_of("look")
        assert json.loads(recorded("token_issued"))["body"]["jwe"] == call.headers["Public-Token"]

    def test_many_threads_share_one_fetch(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("slow_after", "token", seconds=0.2)
        keys = [key_of(company.create()) for _ in range(20)]
        start = threading.Barrier(len(keys))

        def ask(key: PaymentKey) -> Standing:
            start.wait()
            return look(provider, key, account).standing

        with ThreadPoolExecutor(len(keys)) as pool:
            assert {Standing.HELD} == set(pool.map(ask, keys))
        assert len(company.calls_of("token")) == 1

    def test_many_threads_share_one_fetch_when_their_token_has_expired(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        keys = [key_of(company.create()) for _ in range(20)]
        look(provider, keys[0], account)
        company.expire_tokens()
        company.inject("slow_after", "token", seconds=0.2)
        with ThreadPoolExecutor(len(keys)) as pool:
            sent = list(pool.map(lambda key: cancel(provider, key, account), keys))
        assert {Effect.DONE} == {one.effect for one in sent}
        assert len(company.calls_of("token")) == 2
        assert {1} == set(company.effects.values())
        assert len(keys) == len(company.effects)

    @pytest.mark.parametrize("kind", ["slow_before", "slow_after", "drip", "drip_headers"])
    def test_a_hung_fetch_ends_at_the_deadline_for_all_who_wait_for_it(
        self, company: Company, provider: RuStore, account: Account, kind: str
    ) -> None:
        company.inject(kind, "token", seconds=3, times=ALWAYS)
        key = key_of(company.create())

        def fail(_: int) -> float:
            started = time.monotonic()
            with pytest.raises(NotDone):
                cancel(provider, key, account, seconds=0.5)
            return time.monotonic() - started

        with ThreadPoolExecutor(5) as pool:
            assert max(pool.map(fail, range(5))) < 2
        assert not company.calls_of("cancel")

    def test_who_waits_for_anothers_fetch_waits_to_its_own_deadline_only(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("slow_before", "token", seconds=2)
        key = key_of(company.create())
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(look, provider, key, account)
            while not company.calls_of("token"):
                time.sleep(0.01)
            started = time.monotonic()
            with pytest.raises(OutOfTime):
                look(provider, key, account, seconds=0.2)
            assert time.monotonic() - started < 1.5
            assert Standing.HELD is first.result().standing
        assert len(company.calls_of("token")) == 1

    def test_one_merchants_hung_fetch_holds_up_no_other(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        key = key_of(company.create())
        look(provider, key, account)
        company.inject("slow_before", "token", seconds=2)
        other = Account({**company.settings, "key_id": "9999"})
        with ThreadPoolExecutor(1) as pool:
            hung = pool.submit(look, provider, key, other)
            while len(company.calls_of("token")) < 2:
                time.sleep(0.01)
            started = time.monotonic()
            assert Standing.HELD is look(provider, key, account).standing
            assert time.monotonic() - started < 1.5
            assert isinstance(hung.exception(), ProviderCredentials)

    def test_a_waiter_fetches_for_itself_when_the_first_fetch_failed(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("reset_before", "token")
        key = key_of(company.create())
        with pytest.raises(ProviderUnavailable):
            look(provider, key, account)
        assert Standing.HELD is look(provider, key, account).standing

    @pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncated", "status_after"])
    @pytest.mark.parametrize("verb", [look, cancel])
    def test_a_lost_token_says_nothing_of_the_call_which_was_not_sent(
        self, company: Company, provider: RuStore, account: Account, kind: str, verb: Any
    ) -> None:
        company.inject(kind, "token", status=502)
        with pytest.raises(ProviderUnavailable):
            verb(provider, key_of(company.create()), account)
        assert {"token"} == {call.operation for call in company.calls}

    @pytest.mark.parametrize(
        "body",
        [
            b"<html></html>",
            b"{}",
            b'{"code": "OK"}',
            b'{"code": "OK", "body": {"jwe": "a\\nb", "ttl": 900}}',
            b'{"code": "OK", "body": {"jwe": "abc", "ttl": "long"}}',
            refusal("Something went wrong"),
        ],
    )
    def test_an_answer_without_a_token_leaves_the_call_unsent(
        self, company: Company, provider: RuStore, account: Account, body: bytes
    ) -> None:
        company.inject("answer", "token", body=body)
        with pytest.raises(ProviderUnavailable):
            cancel(provider, key_of(company.create()), account)
        assert not company.calls_of("cancel")

    @pytest.mark.parametrize(
        ("ttl", "seconds"), [(900, 800), (450, 350), (109, 109 / 9), (9, 1), (0, 0)]
    )
    def test_it_is_used_until_100_seconds_before_its_end_but_for_a_ninth_of_its_life_at_least(
        self, company: Company, provider: RuStore, ttl: float, seconds: float
    ) -> None:
        company.ttl = ttl
        token = provider._access(Account(company.settings)).token(Deadline.after(5))
        assert pytest.approx(seconds) == token.until - token.at

    def test_a_life_that_is_not_given_is_the_documented_one(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("answer", "token", body=b'{"code": "OK", "body": {"jwe": "a.b"}}')
        token = provider._access(account).token(Deadline.after(5))
        assert pytest.approx(800) == token.until - token.at

    def test_one_that_is_due_is_renewed_before_a_call(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.ttl = 0.9
        key = key_of(company.create())
        look(provider, key, account)
        time.sleep(0.15)
        look(provider, key, account)
        expected = ["token", "look", "token", "look"]
        assert expected == [call.operation for call in company.calls]

    @pytest.mark.parametrize("status", [200, 400, 401])
    @pytest.mark.parametrize("verb", [look, cancel])
    def test_an_expired_one_is_fetched_anew_and_the_call_repeated_once(
        self, company: Company, provider: RuStore, account: Account, status: int, verb: Any
    ) -> None:
        company.expired_status = status
        key = key_of(company.create())
        look(provider, key, account)
        company.expire_tokens()
        company.calls.clear()
        verb(provider, key, account)
        name = verb.__name__
        expected = [name, "token", name]
        assert expected == [call.operation for call in company.calls]
        assert sum(company.effects.values()) == (verb is cancel)

    def test_a_401_to_a_token_just_issued_is_not_tried_again(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.inject("status_before", "look", status=401, times=ALWAYS)
        with pytest.raises(ProviderCredentials):
            look(provider, key_of(company.create()), account)
        expected = ["token", "look"]
        assert expected == [call.operation for call in company.calls]

    def test_a_company_that_takes_no_token_is_asked_twice_and_no_more(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        body = recorded("refund_expired_token")
        company.inject("status_before", "look", status=400, body=body, times=ALWAYS)
        with pytest.raises(ProviderCredentials) as caught:
            look(provider, key_of(company.create()), account)
        assert caught.value.evidence == "Jwe token is expired"
        expected = ["token", "look", "token", "look"]
        assert expected == [call.operation for call in company.calls]

    def test_a_key_that_got_more_rights_is_asked_for_a_new_token(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        company.forbidden = {"cancel"}
        key = key_of(company.create())
        with pytest.raises(ProviderCredentials):
            cancel(provider, key, account)
        assert len(company.calls_of("cancel")) == 1
        company.forbidden = set()
        cancel(provider, key, account)
        assert len(company.calls_of("token")) == 2

    @pytest.mark.parametrize("minutes", [-2, 2])
    def test_a_wrong_clock_is_named(
        self, company: Company, provider: RuStore, account: Account, minutes: int
    ) -> None:
        company.clock_offset = timedelta(minutes=minutes)
        for ask in (look, cancel):
            with pytest.raises(ProviderCredentials) as caught:
                ask(provider, key_of(company.create()), account)
            assert "clock" in caught.value.evidence

    @pytest.mark.parametrize("status", [200, 400])
    def test_the_recorded_answer_about_the_clock_is_read(
        self, company: Company, provider: RuStore, account: Account, status: int
    ) -> None:
        body = recorded("token_clock")
        company.inject("status_before", "token", status=status, body=body)
        with pytest.raises(ProviderCredentials) as caught:
            provider.probe(Call.about_nobody(account, Deadline.after(5)))
        assert "clock" in caught.value.evidence

    def test_the_probe_always_asks_for_a_new_one_and_leaves_none(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        for expected in (1, 2):
            provider.probe(Call.about_nobody(account, Deadline.after(5)))
            assert expected == len(company.calls_of("token"))
        look(provider, key_of(company.create()), account)
        assert len(company.calls_of("token")) == 3


class TestSandbox:
    def test_it_has_its_own_payments_and_the_same_tokens(
        self, company: Company, provider: RuStore, account: Account
    ) -> None:
        purchase = company.create(sandbox=True)
        test_account = dataclasses.replace(account, sandbox=True)
        expected = Look(Standing.ABSENT)
        assert expected == look(provider, key_of(purchase), account)
        cancel(provider, key_of(purchase), test_account)
        assert company.state(purchase.purchase_id, sandbox=True) == "REVERSED"
        assert len(company.calls_of("token")) == 1
        (call,) = company.calls_of("cancel")
        assert call.path.startswith("/public/sandbox/applications/")


class TestSettings:
    def elliptic(self) -> str:
        der = ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return base64.b64encode(der).decode()

    def faults(self, company: Company, **values: str) -> str:
        with pytest.raises(ConfigurationError) as caught:
            RuStore.check_settings({**company.settings, **values})
        return str(caught.value)

    @pytest.mark.parametrize("app_id", ["com.example", "12a", "-1", "1/2", "١٢٣"])
    def test_the_application_id_is_digits(self, company: Company, app_id: str) -> None:
        assert self.faults(company, app_id=app_id).startswith("app_id: ")

    def test_the_private_keys_fault_is_named(self, company: Company) -> None:
        cut = company.settings["private_key"][:400]
        assert "not base64" in self.faults(company, private_key="MII*")
        assert "of an unencrypted PKCS#8" in self.faults(company, private_key=cut)
        assert "not an RSA key" in self.faults(company, private_key=self.elliptic())
        assert cut not in self.faults(company, private_key=cut)

    @pytest.mark.parametrize(
        "key",
        ["secret", base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode()],
    )
    def test_the_notification_key_is_32_bytes_in_base64(self, company: Company, key: str) -> None:
        message = self.faults(company, notification_key=key)
        assert message.startswith("notification_key: ")
        assert key not in message

    def test_what_is_no_secret_may_be_shown(self) -> None:
        shown = {setting.key for setting in RuStore.settings if not setting.is_secret}
        expected = {"app_id", "key_id"}
        assert expected == shown
