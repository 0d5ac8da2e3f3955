import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connector.domain.errors import (
    AnswerNotUnderstood,
    ProviderCredentials,
    ProviderRefused,
)
from connector.domain.merchant import Account
from connector.domain.payment import Effect, Look, PaymentKey, Standing
from connector.providers.yandex_pay import YandexPay
from tests.companies.yandex_pay import YandexPayCompany
from tests.providers.contract import REFERENCE, CancelContract, ProviderPayment

ORDER = "B2F246B3CE46469FBDD23039868E95D0"
SAMPLE = PaymentKey("string")
OPERATION_ID = "c3073b9d-edd0-49f2-a28d-b7ded8ff9a8b"


def recorded(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.json").read_bytes()


def success(**content: Any) -> bytes:
    return json.dumps({"status": "success", "code": 200, "data": content}).encode()


def answer(status: str | None, *operations: dict[str, Any], **order: Any) -> bytes:
    shown = {"orderId": ORDER, "paymentStatus": status, "orderAmount": "10.00"} | order
    return success(order=shown, operations=list(operations))


def operation(kind: str, status: str | None, /, **values: Any) -> dict[str, Any]:
    return {
        "operationId": f"{kind}-{status}",
        "orderId": ORDER,
        "operationType": kind,
        "status": status,
        "amount": "10.00",
    } | values


class TestYandexPay(CancelContract):
    provider_class = YandexPay
    company_class = YandexPayCompany
    cancels = "cancel"

    def payment(self, company: Any) -> PaymentKey:
        return PaymentKey(company.create(ORDER))

    def answer_with_word(self, key: PaymentKey, status: str) -> bytes:
        return answer(status, orderId=key.payment_id)

    def look_at(self, scene: ProviderPayment, body: bytes, reference: str = "") -> Look:
        scene.company.inject("answer", "look", body=body)
        return scene.look(reference=reference)

    # What is sent.

    def test_calls_are_as_documented(self, scene: ProviderPayment) -> None:
        scene.cancel(scene.look())
        looked, cancelled = scene.company.calls
        path = f"/api/merchant/v1/orders/{ORDER}"
        assert (looked.method, looked.path, looked.body) == ("GET", path, b"")
        assert (cancelled.method, cancelled.path) == ("POST", f"{path}/cancel")
        assert cancelled.json() == {
            "reason": "Cancelled by the shop",
            "externalOperationId": REFERENCE,
        }
        assert cancelled.headers["Authorization"] == "Api-Key test-api-key-51c0d7"
        assert cancelled.headers["X-Request-Id"] == REFERENCE
        assert cancelled.headers["X-Request-Attempt"] == "0"
        assert cancelled.headers["Content-Type"] == "application/json"

    def test_every_look_has_its_own_request_id(self, scene: ProviderPayment) -> None:
        scene.look()
        scene.look()
        ids = {call.headers["X-Request-Id"] for call in scene.company.calls}
        assert len(ids - {REFERENCE}) == 2

    @pytest.mark.parametrize(
        ("shortest", "longest", "seconds"), [(1000, 1000, 0.8), (3500, 4000, 4), (7900, 8000, 60)]
    )
    def test_the_company_is_told_how_long_it_has(
        self, scene: ProviderPayment, shortest: int, longest: int, seconds: float
    ) -> None:
        scene.look(seconds=seconds)
        told = int(scene.company.calls[0].headers["X-Request-Timeout"])
        assert shortest <= told <= longest

    def test_an_order_id_is_quoted(self, scene: ProviderPayment) -> None:
        scene.look(PaymentKey("a/b c?d"))
        assert scene.company.calls[0].path == "/api/merchant/v1/orders/a%2Fb%20c%3Fd"

    def test_in_the_sandbox_the_key_is_the_merchant_id(self, scene: ProviderPayment) -> None:
        sandbox = Account(scene.account.settings, sandbox=True)
        assert scene.look(account=sandbox).standing is Standing.HELD
        assert scene.company.calls[0].path.startswith("/sandbox/")
        scene.probe(sandbox)

    # What a look says.

    @pytest.mark.parametrize(
        ("expected", "state"),
        [
            (Standing.UNPAID, "unpaid"),
            (Standing.PAYING, "paying"),
            (Standing.HELD, "held"),
            (Standing.WORKING, "voiding"),
            (Standing.WORKING, "capturing"),
            (Standing.CAPTURED, "captured"),
            (Standing.WORKING, "refunding"),
            (Standing.STUCK, "confirmed"),
            (Standing.UNDONE, "cancelled"),
            (Standing.UNDONE, "refunded"),
            (Standing.PARTLY_REFUNDED, "partly_refunded"),
            (Standing.UNDONE, "declined"),
            (Standing.UNDONE, "expired"),
        ],
    )
    def test_every_state_has_its_standing(
        self, scene: ProviderPayment, expected: Standing, state: str
    ) -> None:
        scene.company.create(ORDER, state=state)
        assert scene.look().standing is expected

    @pytest.mark.parametrize("status", [None, "null", ""])
    def test_no_status_is_unpaid(self, scene: ProviderPayment, status: str | None) -> None:
        assert self.look_at(scene, answer(status)).standing is Standing.UNPAID

    @pytest.mark.parametrize(
        ("expected", "status", "kind", "end"),
        [
            (Standing.HELD, "AUTHORIZED", "VOID", "FAIL"),
            (Standing.WORKING, "AUTHORIZED", "VOID", None),
            (Standing.WORKING, "AUTHORIZED", "VOID", "TOMORROW"),
            (Standing.WORKING, "AUTHORIZED", "VOID", "SUCCESS"),
            (Standing.WORKING, "AUTHORIZED", "CAPTURE", "SUCCESS"),
            (Standing.HELD, "AUTHORIZED", "CAPTURE", "FAIL"),
            (Standing.CAPTURED, "CAPTURED", "REFUND", "FAIL"),
            (Standing.WORKING, "CAPTURED", "REFUND", "SUCCESS"),
            (Standing.CAPTURED, "CAPTURED", "CAPTURE", "SUCCESS"),
            (Standing.UNDONE, "VOIDED", "VOID", "PENDING"),
            (Standing.WORKING, "FAILED", "VOID", "PENDING"),
            (Standing.WORKING, "FAILED", "VOID", "TOMORROW"),
            (Standing.STUCK, "FAILED", "VOID", "FAIL"),
            (Standing.UNDONE, "FAILED", "VOID", "SUCCESS"),
            (Standing.WORKING, "FAILED", "REFUND", "PENDING"),
            (Standing.STUCK, "FAILED", "REFUND", "FAIL"),
        ],
    )
    def test_an_operation_under_way_leaves_it_open(
        self, scene: ProviderPayment, expected: Standing, status: str, kind: str, end: str | None
    ) -> None:
        body = answer(status, operation("AUTHORIZE", "SUCCESS"), operation(kind, end))
        assert self.look_at(scene, body).standing is expected

    @pytest.mark.parametrize(
        ("other", "expected"), [("PENDING", Standing.WORKING), ("FAIL", Standing.UNDONE)]
    )
    def test_a_rollback_is_over_when_all_that_it_returns_is(
        self, scene: ProviderPayment, other: str, expected: Standing
    ) -> None:
        body = answer("FAILED", operation("VOID", "SUCCESS"), operation("REFUND", other))
        assert self.look_at(scene, body).standing is expected

    @pytest.mark.parametrize(("status", "kind"), [("AUTHORIZED", "VOID"), ("CAPTURED", "REFUND")])
    def test_failed_ends_are_counted(self, scene: ProviderPayment, status: str, kind: str) -> None:
        fails = [operation(kind, "FAIL"), operation(kind, "FAIL", externalOperationId=REFERENCE)]
        other = operation("CAPTURE", "FAIL")
        assert self.look_at(scene, answer(status, other, *fails), REFERENCE).failures == 2

    @pytest.mark.parametrize(
        ("expected", "status", "operations"),
        [
            ("VOID-SUCCESS", "VOIDED", [operation("VOID", "FAIL"), operation("VOID", "SUCCESS")]),
            ("ours", "VOIDED", [operation("AUTHORIZE", "SUCCESS", operationId="ours",
                externalOperationId=REFERENCE), operation("VOID", "SUCCESS")]),
            ("VOID-SUCCESS", "VOIDED", [operation("VOID", "SUCCESS"), operation("VOID", "FAIL",
                externalOperationId=REFERENCE)]),
            (None, "VOIDED", [operation("AUTHORIZE", "SUCCESS")]),
            ("last", "REFUNDED", [operation("REFUND", "SUCCESS"), operation("REFUND", "SUCCESS",
                operationId="last")]),
            (None, "FAILED", [operation("REFUND", "SUCCESS"), {"status": "SUCCESS"}]),
            (None, "AUTHORIZED", [operation("VOID", "FAIL")]),
        ],
    )  # fmt: skip
    def test_what_ended_a_payment_names_the_cancellation(
        self,
        scene: ProviderPayment,
        expected: str | None,
        status: str,
        operations: list[dict[str, Any]],
    ) -> None:
        assert (
            self.look_at(scene, answer(status, *operations), REFERENCE).cancellation_id == expected
        )

    def test_the_amount_is_the_orders_else_the_carts_else_what_was_authorized(
        self, scene: ProviderPayment
    ) -> None:
        authorized = operation("AUTHORIZE", "SUCCESS", amount="3.00")
        cart = {"total": {"amount": "2.00"}}
        full = answer("AUTHORIZED", authorized, cart=cart, orderAmount="1.00")
        assert self.look_at(scene, full).amount == Decimal("1.00")
        body = answer("AUTHORIZED", authorized, cart=cart, orderAmount=None)
        assert self.look_at(scene, body).amount == Decimal("2.00")
        body = answer("AUTHORIZED", authorized, orderAmount=None)
        assert self.look_at(scene, body).amount == Decimal("3.00")
        assert self.look_at(scene, answer("AUTHORIZED", orderAmount=None)).amount is None
        assert self.look_at(scene, full).currency == "RUB"

    @pytest.mark.parametrize(
        "body",
        [
            answer("VOIDED", orderId="another"),
            answer(None, orderId=None),
            answer("VOIDED", operation("VOID", "SUCCESS", orderId="another")),
            answer("VOIDED", operation("VOID", "SUCCESS", amount="ten")),
            answer("VOIDED").replace(b'"success"', b'"fail"'),
            success(),
            success(order={}),
            success(order=[]),
            b'{"status":"success","code":200}',
            b'{"status":"success","code":200,"data":"ok"}',
            b'{"data":{"order":{"paymentStatus":"VOIDED"}}}',
        ],
    )
    def test_what_is_not_this_order_tells_nothing(
        self, scene: ProviderPayment, body: bytes
    ) -> None:
        with pytest.raises(AnswerNotUnderstood):
            self.look_at(scene, body)

    # Our operation.

    @pytest.mark.parametrize("is_misprinted", [False, True])
    @pytest.mark.parametrize("state", ["held", "captured"])
    def test_our_operation_is_asked_after_where_the_order_does_not_show_it(
        self,
        scene: ProviderPayment,
        state: str,
        is_misprinted: bool,
    ) -> None:
        company = scene.company
        company.create(ORDER, state=state)
        company.prints_authorize = is_misprinted
        look = scene.look()
        sent = scene.cancel(look) if state == "held" else scene.refund(look)
        company.still_shows = look.provider_status
        seen = scene.look(reference=REFERENCE)
        assert (seen.standing, seen.cancellation_id) == (Standing.UNDONE, sent.id)
        assert scene.look().standing is look.standing

    @pytest.mark.parametrize("is_shown", [False, True])
    def test_our_pending_operation_is_awaited_and_its_failure_counted(
        self,
        scene: ProviderPayment,
        is_shown: bool,
    ) -> None:
        company = scene.company
        company.prints_authorize = True
        company.void_ends_in = "pending"
        assert scene.cancel(scene.look()).effect is Effect.ACCEPTED
        company.still_shows = None if is_shown else "AUTHORIZED"
        assert scene.look(reference=REFERENCE).standing is Standing.WORKING
        company.finish(ORDER, well=False)
        look = scene.look(reference=REFERENCE)
        assert (look.standing, look.failures) == (Standing.HELD, 1)
        assert scene.effects == 0
        assert len(company.calls_of("operation")) == (0 if is_shown else 2)

    def test_an_operation_that_never_arrived_changes_nothing(self, scene: ProviderPayment) -> None:
        look = scene.look(reference=REFERENCE)
        assert look == scene.look()
        assert len(scene.company.calls_of("operation")) == 1

    @pytest.mark.parametrize("state", ["unpaid", "paying", "cancelled", "declined", "confirmed"])
    def test_our_operation_is_not_asked_after_where_it_could_not_matter(
        self, scene: ProviderPayment, state: str
    ) -> None:
        scene.company.create(ORDER, state=state)
        scene.look(reference=REFERENCE)
        assert not scene.company.calls_of("operation")

    @pytest.mark.parametrize("kind", ["CAPTURE", "SUBMIT"])
    def test_what_took_the_money_is_no_cancellation(
        self, scene: ProviderPayment, kind: str
    ) -> None:
        own = operation(kind, "SUCCESS", externalOperationId=REFERENCE)
        look = self.look_at(scene, answer("AUTHORIZED", own), REFERENCE)
        assert (look.standing, look.cancellation_id) == (Standing.WORKING, None)

    @pytest.mark.parametrize(
        "body", [b'{"message":"no Route matched"}', b"<html>", b'{"status":"fail"}']
    )
    def test_a_proxys_404_does_not_say_that_our_operation_never_arrived(
        self, scene: ProviderPayment, body: bytes
    ) -> None:
        scene.company.inject("status_before", "operation", status=404, body=body)
        with pytest.raises(AnswerNotUnderstood):
            scene.look(reference=REFERENCE)

    def test_another_orders_operation_tells_nothing(self, scene: ProviderPayment) -> None:
        body = success(operation=operation("VOID", "SUCCESS", orderId="another"))
        scene.company.inject("answer", "operation", body=body)
        with pytest.raises(AnswerNotUnderstood):
            scene.look(reference=REFERENCE)

    # Errors.

    @pytest.mark.parametrize("status", [200, 400, 401, 404])
    def test_wrong_credentials_are_no_absence_at_any_http_status(
        self, scene: ProviderPayment, status: int
    ) -> None:
        body = recorded("error_authentication")
        scene.company.inject("status_before", "look", status=status, body=body)
        with pytest.raises(ProviderCredentials):
            scene.look()

    def test_an_absence_shows_the_companys_code(self, scene: ProviderPayment) -> None:
        assert scene.look(PaymentKey("x")) == Look(
            Standing.ABSENT, provider_status="ORDER_NOT_FOUND"
        )

    def test_another_readable_refusal_of_a_look_is_told_by_its_code(
        self, scene: ProviderPayment
    ) -> None:
        body = b'{"status":"fail","reasonCode":"OTHER","reason":"free text"}'
        scene.company.inject("status_before", "look", status=409, body=body)
        with pytest.raises(ProviderRefused) as caught:
            scene.look()
        assert caught.value.evidence == "OTHER"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"status":"fail"}',
            b'{"reasonCode":"ORDER_NOT_FOUND"}',
            b'{"status":"fail","reasonCode":"with a space"}',
            b'{"status":"fail","reasonCode":["ORDER_NOT_FOUND"]}',
            b'{"status":"success","reasonCode":"ORDER_NOT_FOUND"}',
            b'[{"status":"fail","reasonCode":"ORDER_NOT_FOUND"}]',
        ],
    )
    def test_a_404_not_quite_yandexs_is_no_absence(
        self, scene: ProviderPayment, body: bytes
    ) -> None:
        scene.company.inject("status_before", "look", status=404, body=body)
        with pytest.raises(AnswerNotUnderstood):
            scene.look()

    # What a write says.

    @pytest.mark.parametrize(
        ("expected", "end"),
        [(Effect.DONE, "success"), (Effect.FAILED, "failure"), (Effect.ACCEPTED, "pending")],
    )
    def test_a_cancellation_ends_as_its_operation_says(
        self, scene: ProviderPayment, expected: Effect, end: str
    ) -> None:
        scene.company.void_ends_in = end
        sent = scene.cancel(scene.look())
        assert sent.effect is expected
        assert (sent.id is not None) == (expected is Effect.DONE)

    def test_a_repeat_is_one_cancellation(self, scene: ProviderPayment) -> None:
        held = scene.look()
        assert scene.cancel(held) == scene.cancel(held)
        assert scene.company.effects == {f"cancel:{ORDER}": 1}

    @pytest.mark.parametrize("status", [400, 409, 422])
    def test_a_reference_that_was_used_is_looked_up(
        self, scene: ProviderPayment, status: int
    ) -> None:
        company, held = scene.company, scene.look()
        sent = scene.cancel(held)
        company.replayed.clear()
        company.duplicate_status = status
        assert scene.cancel(held).effect is Effect.ACCEPTED
        assert scene.look(reference=REFERENCE).cancellation_id == sent.id
        assert company.effects == {f"cancel:{ORDER}": 1}

    def test_a_cancellation_in_the_wrong_state_is_refused(self, scene: ProviderPayment) -> None:
        held = scene.look()
        scene.company.create(ORDER, state="captured")
        with pytest.raises(ProviderRefused) as caught:
            scene.cancel(held)
        assert caught.value.evidence == "WRONG_STATE"

    @pytest.mark.parametrize(
        "content", [{}, {"operation": {}}, {"operation": operation("VOID", "TOMORROW")}]
    )
    def test_an_odd_success_is_looked_up(
        self, scene: ProviderPayment, content: dict[str, Any]
    ) -> None:
        scene.company.inject("answer", "cancel", body=success(**content))
        assert scene.cancel(scene.look()).effect is Effect.ACCEPTED

    @pytest.mark.parametrize("state", ["unpaid", "paying"])
    def test_what_is_not_paid_is_rolled_back_and_reads_failed(
        self, scene: ProviderPayment, state: str
    ) -> None:
        scene.company.create(ORDER, state=state)
        sent = scene.cancel(scene.look())
        call = scene.company.calls_of("rollback")[0]
        assert call.path == f"/api/merchant/v1/orders/{ORDER}/rollback"
        assert call.body == b""
        assert call.headers["X-Request-Id"] == REFERENCE
        assert (sent.effect, sent.id) == (Effect.ACCEPTED, None)
        assert scene.look(reference=REFERENCE) == Look(
            Standing.UNDONE, amount=Decimal("10.00"), currency="RUB", provider_status="FAILED"
        )
        assert scene.company.effects == {f"rollback:{ORDER}": 1}

    def test_a_rollback_that_meets_a_payment_returns_it(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, state="paying")
        paying = scene.look()
        scene.company.pay(ORDER, "CAPTURED")
        scene.cancel(paying)
        assert scene.look().standing is Standing.UNDONE
        assert scene.company.effects == {f"rollback:{ORDER}": 1}

    def test_a_rollback_and_a_cancellation_are_two_requests_by_their_references(
        self, scene: ProviderPayment
    ) -> None:
        scene.company.create(ORDER, state="paying")
        paying = scene.look()
        scene.cancel(paying)
        scene.company.create(ORDER, state="held")
        assert scene.cancel(scene.look(), reference="another").effect is Effect.DONE
        assert scene.company.state(ORDER) == "cancelled"

    @pytest.mark.parametrize(
        ("end", "before", "after"),
        [
            ("pending", Standing.WORKING, Standing.UNDONE),
            ("failure", Standing.STUCK, Standing.STUCK),
            ("success", Standing.UNDONE, Standing.UNDONE),
        ],
    )
    def test_a_rollback_whose_hold_is_not_released_is_not_over(
        self, scene: ProviderPayment, end: str, before: Standing, after: Standing
    ) -> None:
        scene.company.rollback_ends_in = end
        scene.company.create(ORDER, state="paying")
        unpaid = scene.look()
        scene.company.pay(ORDER)
        scene.cancel(unpaid)
        assert scene.look().standing is before
        assert (scene.company.money(ORDER)[0] > 0) is (before is not Standing.UNDONE)
        scene.company.finish(ORDER)
        assert scene.look().standing is after

    def test_a_repeated_rollback_is_the_same_request(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, state="paying")
        paying = scene.look()
        scene.cancel(paying)
        scene.cancel(paying)
        ids = {call.headers["X-Request-Id"] for call in scene.company.calls_of("rollback")}
        assert len(ids) == 1
        assert scene.effects == 1

    def test_a_rollback_that_says_no_success_tells_nothing(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, state="paying")
        scene.company.inject("answer", "rollback", body=b'{"status":"pending"}')
        with pytest.raises(AnswerNotUnderstood):
            scene.cancel(scene.look())

    def test_a_refund_is_of_the_orders_amount_and_of_that_once(
        self, scene: ProviderPayment
    ) -> None:
        scene.company.create(ORDER, amount="123.45", state="captured")
        look = scene.look()
        sent = scene.refund(look)
        assert scene.refund(look) == sent
        call = scene.company.calls_of("refund")[0]
        assert call.path == f"/api/merchant/v2/orders/{ORDER}/refund"
        assert call.json() == {"refundAmount": "123.45", "externalOperationId": REFERENCE}
        assert call.headers["X-Request-Id"] == REFERENCE
        assert (sent.effect, sent.id) == (Effect.DONE, scene.look().cancellation_id)
        assert scene.company.effects == {f"refund:{ORDER}": 1}

    def test_a_second_refund_waits_for_the_first(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, state="captured")
        scene.company.refund_ends_in = "pending"
        look = scene.look()
        assert scene.refund(look).effect is Effect.ACCEPTED
        with pytest.raises(ProviderRefused) as caught:
            scene.refund(look, reference="another")
        assert caught.value.evidence == "ANOTHER_OPERATION_IN_PROGRESS"
        assert scene.look(reference=REFERENCE).standing is Standing.WORKING

    def test_without_an_amount_nothing_is_refunded(self, scene: ProviderPayment) -> None:
        with pytest.raises(ProviderRefused) as caught:
            scene.refund(Look(Standing.CAPTURED))
        assert caught.value.evidence == "no amount"
        assert not scene.company.calls

    # The documents' own samples.

    def test_a_recorded_order_is_read(self, scene: ProviderPayment) -> None:
        scene.company.inject("answer", "look", body=recorded("look_pending"))
        assert scene.look(SAMPLE) == Look(
            Standing.PAYING, amount=Decimal("123.45"), currency="RUB", provider_status="PENDING"
        )

    def test_a_recorded_cancellation_is_still_to_be_seen(self, scene: ProviderPayment) -> None:
        scene.key = SAMPLE
        scene.company.inject("answer", "cancel", body=recorded("cancel_pending"))
        sent = scene.cancel(Look(Standing.HELD))
        assert (sent.effect, sent.provider_status) == (Effect.ACCEPTED, "PENDING")

    @pytest.mark.parametrize(
        ("standing", "operation_id", "failures", "status"),
        [
            (Standing.WORKING, None, 0, b"PENDING"),
            (Standing.UNDONE, OPERATION_ID, 0, b"SUCCESS"),
            (Standing.HELD, None, 1, b"FAIL"),
        ],
    )
    def test_a_recorded_operation_is_ours_whatever_its_type(
        self, scene: ProviderPayment, standing: Standing, operation_id: str | None, failures: int,
        status: bytes,
    ) -> None:  # fmt: skip
        body = recorded("operation_pending").replace(b"PENDING", status)
        scene.company.create(SAMPLE.payment_id)
        scene.company.inject("answer", "operation", body=body)
        look = scene.look(SAMPLE, reference=REFERENCE)
        assert (look.standing, look.cancellation_id, look.failures) == (
            standing,
            operation_id,
            failures,
        )

    def test_a_recorded_rollback_is_accepted(self, scene: ProviderPayment) -> None:
        scene.company.inject("answer", "rollback", body=recorded("rollback_success"))
        assert scene.cancel(Look(Standing.PAYING)).effect is Effect.ACCEPTED
