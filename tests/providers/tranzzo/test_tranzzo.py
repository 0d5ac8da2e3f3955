import json
from pathlib import Path
from typing import Any

import pytest

from connector.domain.errors import AnswerNotUnderstood, ProviderCredentials, ProviderRefused
from connector.domain.payment import Effect, Look, PaymentKey, Standing
from connector.providers.tranzzo import Tranzzo
from tests.companies.tranzzo import TranzzoCompany
from tests.providers.contract import REFERENCE, CancelContract, ProviderPayment

ORDER = "B2F246B3CE46469FBDD23039868E95D0"
SAMPLE = PaymentKey("123")
PAYMENT_ID = "9b1392a5-d030-4e85-b02d-9b7191ea2a5e"
OPERATION_ID = "5f2a0c1e-8d3b-4f7a-9c55-1f0e6a7b2d31"


def recorded(name: str) -> bytes:
    return (Path(__file__).parent / f"{name}.json").read_bytes()


def operation(method: str, status: str, /, **values: Any) -> dict[str, Any]:
    return {
        "order_id": ORDER,
        "payment_id": PAYMENT_ID,
        "operation_id": f"{method}-{status}",
        "mode": "hosted",
        "method": method,
        "status": status,
        "amount": 10,
        "currency": "UAH",
    } | values


class TestTranzzo(CancelContract):
    provider_class = Tranzzo
    company_class = TranzzoCompany
    cancels = "void"

    def payment(self, company: Any) -> PaymentKey:
        return PaymentKey(company.create(ORDER))

    def answer_with_word(self, key: PaymentKey, status: str) -> bytes:
        return json.dumps([operation("auth", status, order_id=key.payment_id)]).encode()

    def look_at(self, scene: ProviderPayment, *operations: dict[str, Any]) -> Look:
        scene.company.orders[ORDER] = list(operations)
        return scene.look()

    # What is sent.

    def test_calls_are_as_documented(self, scene: ProviderPayment) -> None:
        scene.cancel(scene.look())
        looked, voided = scene.company.calls
        keys = scene.company.settings
        assert ("GET", f"/api/v1/pos/{keys['pos_id']}/orders/{ORDER}", b"") == (
            looked.method,
            looked.path,
            looked.body,
        )
        assert (voided.method, voided.path) == ("POST", "/api/v1/void")
        assert voided.json() == {
            "pos_id": keys["pos_id"],
            "order_id": ORDER,
            "order_currency": "UAH",
            "comment": REFERENCE,
        }
        assert voided.headers["X-API-Auth"] == f"CPAY {keys['api_key']}:{keys['api_secret']}"
        assert voided.headers["X-API-Key"] == keys["endpoints_key"]
        assert voided.headers["Content-Type"] == "application/json"

    def test_an_unpaid_order_is_cancelled_under_the_singular_path(
        self, scene: ProviderPayment
    ) -> None:
        scene.company.create(ORDER, state="unpaid")
        sent = scene.cancel(scene.look())
        call = scene.company.calls_of("cancel")[0]
        pos_id = scene.company.settings["pos_id"]
        assert call.path == f"/api/v1/pos/{pos_id}/order/{ORDER}/cancel"
        assert call.body == b""
        assert sent.effect is Effect.DONE
        assert sent.id == scene.look().cancellation_id
        assert scene.company.effects == {f"cancel:{ORDER}": 1}

    def test_a_uuid_loses_its_dashes_to_fit(self, scene: ProviderPayment) -> None:
        dashed = "b2f246b3-ce46-469f-bdd2-3039868e95d0"
        scene.company.create(dashed)
        scene.look(PaymentKey(dashed))
        assert scene.company.calls[0].path.endswith("/orders/b2f246b3ce46469fbdd23039868e95d0")

    @pytest.mark.parametrize("payment_id", ["a" * 33, "a-b" * 12, "x" * 128])
    def test_an_order_id_too_long_cannot_be_there(
        self, scene: ProviderPayment, payment_id: str
    ) -> None:
        assert scene.look(PaymentKey(payment_id)) == Look(Standing.ABSENT)
        assert not scene.company.calls

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
            (Standing.CAPTURED, "paid"),
            (Standing.WORKING, "refunding"),
            (Standing.PARTLY_REFUNDED, "partly_refunded"),
            (Standing.UNDONE, "refunded"),
            (Standing.UNDONE, "voided"),
            (Standing.UNDONE, "cancelled"),
            (Standing.UNDONE, "declined"),
            (Standing.UNDONE, "expired"),
        ],
    )
    def test_every_state_has_its_standing(
        self, scene: ProviderPayment, expected: Standing, state: str
    ) -> None:
        scene.company.create(ORDER, state=state)
        assert scene.look().standing is expected
        assert scene.company.state(ORDER) == state

    def test_amount_and_currency_are_the_payments(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, amount="123.45")
        look = scene.look()
        assert (str(look.amount), look.currency) == ("123.45", "UAH")
        assert look.provider_status == "auth success 1002"

    @pytest.mark.parametrize(
        ("expected", "operations"),
        [
            (Standing.HELD, [("auth", "failure"), ("auth", "success")]),
            (Standing.PAYING, [("auth", "failure"), ("auth", "pending"), ("auth", "init")]),
            (Standing.UNPAID, [("auth", "failure"), ("purchase", "init")]),
            (Standing.UNDONE, [("auth", "failure"), ("auth", "failure")]),
            (Standing.WORKING, [("auth", "tomorrow"), ("auth", "success")]),
            (Standing.WORKING, [("auth", "success"), ("void", "tomorrow")]),
            (Standing.WORKING, [("auth", "success"), ("void", "success"), ("capture", "pending")]),
            (Standing.WORKING, [("auth", "success"), ("payout", "success")]),
            (Standing.WORKING, [("payout", "success")]),
            (Standing.HELD, [("auth", "success"), ("payout", "failure")]),
            (Standing.HELD, [("auth", "success"), ("capture", "failure")]),
            (Standing.UNDONE, [("auth", "success"), ("void", "failure"), ("void", "success")]),
            (Standing.CAPTURED, [("auth", "success"), ("void", "success"), ("capture", "success")]),
            (Standing.CAPTURED, [("purchase", "success"), ("refund", "failure")]),
            (Standing.UNDONE, [("auth", "success"), ("capture", "success"), ("refund", "success")]),
        ],
    )
    def test_operations_together_tell_where_a_payment_stands(
        self, scene: ProviderPayment, expected: Standing, operations: list[tuple[str, str]]
    ) -> None:
        look = self.look_at(scene, *(operation(*one) for one in operations))
        assert look.standing is expected

    def test_a_part_that_was_captured_is_wholly_refunded_by_that_part(
        self, scene: ProviderPayment
    ) -> None:
        paid = operation("auth", "success"), operation("capture", "success", amount=4)
        refund = operation("refund", "success", amount=4)
        assert self.look_at(scene, *paid, refund).standing is Standing.UNDONE
        refund = operation("refund", "success", amount="3.99")
        assert self.look_at(scene, *paid, refund).standing is Standing.PARTLY_REFUNDED

    def test_several_refunds_add_up(self, scene: ProviderPayment) -> None:
        parts = [operation("refund", "success", amount="2.50", operation_id=n) for n in "abcd"]
        look = self.look_at(scene, operation("purchase", "success"), *parts)
        assert (look.standing, look.cancellation_id) == (Standing.UNDONE, "d")
        look = self.look_at(scene, operation("purchase", "success"), *parts[:3])
        assert (look.standing, look.cancellation_id) == (Standing.PARTLY_REFUNDED, None)

    @pytest.mark.parametrize("missing", ["purchase", "refund"])
    def test_a_refund_is_not_whole_where_an_amount_is_not_shown(
        self, scene: ProviderPayment, missing: str
    ) -> None:
        operations = [operation("purchase", "success"), operation("refund", "success")]
        for one in operations:
            if one["method"] == missing:
                del one["amount"]
        assert self.look_at(scene, *operations).standing is Standing.PARTLY_REFUNDED

    def test_failed_ends_are_counted(self, scene: ProviderPayment) -> None:
        fails = [operation("void", "failure")] * 2
        assert self.look_at(scene, operation("auth", "success"), *fails).failures == 2
        fails = [operation("refund", "failure")] * 3
        assert self.look_at(scene, operation("purchase", "success"), *fails).failures == 3

    def test_an_order_that_is_not_hosted_is_not_cancelled_unpaid(
        self, scene: ProviderPayment
    ) -> None:
        look = self.look_at(scene, operation("auth", "init", mode="direct"))
        assert look.standing is Standing.WORKING
        look = self.look_at(scene, operation("auth", "init", mode=None))
        assert look.standing is Standing.UNPAID

    def test_what_ended_a_payment_names_the_cancellation(self, scene: ProviderPayment) -> None:
        held = operation("auth", "success")
        look = self.look_at(scene, operation("auth", "failure", status_code="6007"))
        assert look.cancellation_id == PAYMENT_ID
        assert self.look_at(scene, held).cancellation_id is None
        look = self.look_at(scene, held, operation("void", "success"))
        assert look.cancellation_id == "void-success"

    def test_a_single_operation_may_come_without_its_list(self, scene: ProviderPayment) -> None:
        body = json.dumps(operation("auth", "success")).encode()
        scene.company.inject("answer", "look", body=body)
        assert scene.look().standing is Standing.HELD

    @pytest.mark.parametrize(
        "operations",
        [
            [],
            [operation("auth", "success", order_id="another")],
            [operation("auth", "success"), operation("void", "success", order_id="another")],
            [operation("auth", "success", status=None)],
            [operation("auth", "success", method=None)],
            [operation("auth", "success", status=["success"])],
            [operation("auth", "success", amount="ten")],
            [operation("void", "success")],
            [[]],
        ],
    )
    def test_a_list_that_is_not_this_orders_tells_nothing(
        self, scene: ProviderPayment, operations: list[Any]
    ) -> None:
        with pytest.raises(AnswerNotUnderstood):
            self.look_at(scene, *operations)

    # Errors.

    @pytest.mark.parametrize("status", [200, 400, 401, 404])
    def test_wrong_credentials_are_no_absence_at_any_http_status(
        self, scene: ProviderPayment, status: int
    ) -> None:
        body = recorded("error_credentials")
        scene.company.inject("status_before", "look", status=status, body=body, times=2)
        with pytest.raises(ProviderCredentials):
            scene.look()
        with pytest.raises(ProviderCredentials):
            scene.probe()

    def test_an_absence_shows_the_companys_code(self, scene: ProviderPayment) -> None:
        assert Look(Standing.ABSENT, provider_status="P-404") == scene.look(PaymentKey("unknown"))

    def test_another_readable_refusal_of_a_look_is_told_by_its_code(
        self, scene: ProviderPayment
    ) -> None:
        body = b'{"message":"some free text","args":{"code":"P-400"}}'
        scene.company.inject("status_before", "look", status=400, body=body)
        with pytest.raises(ProviderRefused) as caught:
            scene.look()
        assert caught.value.evidence == "P-400"

    @pytest.mark.parametrize(
        "body",
        [
            b'{"message":"free text","args":{"code":"with a space"}}',
            b'{"message":"","args":{"code":"P-404"}}',
            b'{"args":{"code":"P-404"}}',
            b'{"message":["P"],"args":{"code":"P-404"}}',
            b'{"message":"free text","args":"P-404"}',
            b'[{"message":"free text","args":{"code":"P-404"}}]',
        ],
    )
    def test_a_404_not_quite_tranzzos_is_no_absence(
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
    def test_a_void_ends_as_its_status_says(
        self, scene: ProviderPayment, expected: Effect, end: str
    ) -> None:
        scene.company.void_ends_in = end
        sent = scene.cancel(scene.look())
        assert sent.effect is expected
        assert (sent.id is not None) == (expected is Effect.DONE)

    def test_a_failed_void_leaves_the_hold_and_is_counted(self, scene: ProviderPayment) -> None:
        scene.company.void_ends_in = "failure"
        scene.cancel(scene.look())
        look = scene.look()
        assert (look.standing, look.failures) == (Standing.HELD, 1)
        assert scene.effects == 0

    def test_a_void_under_way_is_awaited(self, scene: ProviderPayment) -> None:
        scene.company.void_ends_in = "pending"
        scene.cancel(scene.look())
        assert scene.look().standing is Standing.WORKING
        scene.company.finish(ORDER)
        assert scene.look().standing is Standing.UNDONE
        assert scene.company.effects == {f"void:{ORDER}": 1}

    def test_a_second_void_is_refused(self, scene: ProviderPayment) -> None:
        held = scene.look()
        scene.cancel(held)
        with pytest.raises(ProviderRefused) as caught:
            scene.cancel(held)
        assert caught.value.evidence == "P-400"
        assert scene.company.effects == {f"void:{ORDER}": 1}

    def test_a_cancellation_that_meets_a_payment_is_refused(self, scene: ProviderPayment) -> None:
        scene.company.create(ORDER, state="unpaid")
        unpaid = scene.look()
        scene.company.pay(ORDER)
        with pytest.raises(ProviderRefused):
            scene.cancel(unpaid)
        assert scene.look().standing is Standing.HELD

    @pytest.mark.parametrize(("status", "code"), [("failure", "2010"), ("pending", None)])
    def test_a_cancellation_without_its_proof_is_looked_up(
        self, scene: ProviderPayment, status: str, code: str | None
    ) -> None:
        scene.company.create(ORDER, state="unpaid")
        body = json.dumps([operation("auth", status, status_code=code)]).encode()
        scene.company.inject("answer", "cancel", body=body)
        sent = scene.cancel(scene.look())
        assert (sent.effect, sent.id) == (Effect.ACCEPTED, None)

    def test_the_payments_own_success_is_no_void(self, scene: ProviderPayment) -> None:
        body = json.dumps(operation("auth", "success")).encode()
        scene.company.inject("answer", "void", body=body)
        assert scene.cancel(scene.look()).effect is Effect.ACCEPTED

    def test_a_void_without_an_id_is_done_all_the_same(self, scene: ProviderPayment) -> None:
        body = json.dumps(operation("void", "success", operation_id=None)).encode()
        scene.company.inject("answer", "void", body=body)
        sent = scene.cancel(scene.look())
        assert (sent.effect, sent.id) == (Effect.DONE, None)

    def test_another_orders_void_tells_nothing(self, scene: ProviderPayment) -> None:
        body = json.dumps(operation("void", "success", order_id="another")).encode()
        scene.company.inject("answer", "void", body=body)
        with pytest.raises(AnswerNotUnderstood):
            scene.cancel(scene.look())

    @pytest.mark.parametrize(
        ("call", "standing"), [("cancel", Standing.UNPAID), ("void", Standing.HELD)]
    )
    def test_an_empty_list_in_answer_to_a_write_tells_nothing(
        self, scene: ProviderPayment, call: str, standing: Standing
    ) -> None:
        scene.company.inject("answer", call, body=b"[]")
        with pytest.raises(AnswerNotUnderstood):
            scene.cancel(Look(standing, currency="UAH"))

    @pytest.mark.parametrize("state", ["captured", "paid"])
    def test_a_refund_is_of_all_and_of_that_once(self, scene: ProviderPayment, state: str) -> None:
        scene.company.create(ORDER, state=state)
        look = scene.look()
        sent = scene.refund(look)
        with pytest.raises(ProviderRefused):
            scene.refund(look)
        assert "refund_amount" not in scene.company.calls_of("refund")[0].json()
        assert (Effect.DONE, scene.look().cancellation_id) == (sent.effect, sent.id)
        assert scene.company.effects == {f"refund:{ORDER}": 1}

    def test_without_a_currency_nothing_is_sent(self, scene: ProviderPayment) -> None:
        for write in (scene.cancel, scene.refund):
            with pytest.raises(ProviderRefused):
                write(Look(Standing.HELD))
        assert not scene.company.calls

    # The documents' own samples.

    def test_the_documented_cancellation_is_done(self, scene: ProviderPayment) -> None:
        scene.key = SAMPLE
        scene.company.inject("answer", "cancel", body=recorded("cancel_success"))
        sent = scene.cancel(Look(Standing.UNPAID))
        assert (sent.effect, sent.id) == (Effect.DONE, PAYMENT_ID)

    @pytest.mark.parametrize(
        ("effect", "operation_id", "sample"),
        [(Effect.DONE, OPERATION_ID, "void_success"), (Effect.FAILED, None, "void_failure")],
    )
    def test_a_recorded_void_is_read(
        self, scene: ProviderPayment, effect: Effect, operation_id: str | None, sample: str
    ) -> None:
        scene.key = SAMPLE
        scene.company.inject("answer", "void", body=recorded(sample))
        sent = scene.cancel(Look(Standing.HELD, currency="UAH"))
        assert (effect, operation_id) == (sent.effect, sent.id)

    def test_a_recorded_refund_is_read(self, scene: ProviderPayment) -> None:
        scene.key = SAMPLE
        scene.company.inject("answer", "refund", body=recorded("refund_success"))
        sent = scene.refund(Look(Standing.CAPTURED, currency="UAH"))
        assert (sent.effect, sent.id) == (Effect.DONE, OPERATION_ID)

    @pytest.mark.parametrize(
        ("standing", "cancellation_id", "sample"),
        [
            (Standing.UNPAID, None, "look_unpaid"),
            (Standing.HELD, None, "look_held"),
            (Standing.UNDONE, OPERATION_ID, "look_voided"),
            (Standing.UNDONE, PAYMENT_ID, "cancel_success"),
        ],
    )
    def test_a_recorded_order_is_read(
        self, scene: ProviderPayment, standing: Standing, cancellation_id: str | None, sample: str
    ) -> None:
        scene.company.inject("answer", "look", body=recorded(sample))
        look = scene.look(SAMPLE)
        assert (standing, cancellation_id) == (look.standing, look.cancellation_id)

    # Settings.

    @pytest.mark.parametrize("pos_id", ["../orders", "a/b", "a?b", "a%2Fb", "a.b"])
    def test_a_pos_id_cannot_lead_elsewhere(self, company: Any, pos_id: str) -> None:
        with pytest.raises(Exception, match="pos_id: give the POS_ID"):
            Tranzzo.check_settings(company.settings | {"pos_id": pos_id})
