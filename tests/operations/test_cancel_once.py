"""A request takes effect once, whatever is repeated."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from connector.domain.deadline import Deadline, now
from connector.domain.operation import CancelRequest, Lease
from connector.http_server import ARRIVED
from connector.outcomes import SCHEDULE
from connector.vtex.schemas import load_cancellation
from tests.clock import JumpingClock
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.rig import Rig, headers

pytestmark = pytest.mark.slow


@pytest.fixture
def tranzzo() -> Iterator[TranzzoCompany]:
    with TranzzoCompany() as company:
        company.create("P1")
        yield company


@pytest.fixture
def yandex() -> Iterator[YandexPayCompany]:
    with YandexPayCompany() as company:
        company.create("P1")
        yield company


def take_turn(rig: Rig, request_id: str) -> Lease:
    """Hold the payment as another process does."""
    other = Rig("", rig.connector.settings.data_dir)
    other.environment = rig.environment
    with other:
        asked = _asked(rig, request_id)
        lease = other.connector.requests.claim(asked, lease_seconds=23, first_look=60)
    assert isinstance(lease, Lease)
    return lease


def _asked(rig: Rig, request_id: str) -> CancelRequest:
    (entry,) = rig.connector.merchants.all()
    body = {"paymentId": "P1", "requestId": request_id}
    return load_cancellation(entry.merchant.id, body, "P1")


def test_a_repeat_gets_the_first_answer_byte_for_byte(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    first = rig_on_both.cancel("P1")

    answers = [rig_on_both.cancel("P1") for _ in range(3)]

    assert [first.data] * 3 == [answer.data for answer in answers]
    assert {"void:P1": 1} == tranzzo.effects


def test_a_final_answer_survives_a_restart(rig_on_both: Rig, tranzzo: TranzzoCompany) -> None:
    rig_on_both.add(tranzzo)
    first = rig_on_both.cancel("P1")
    rig_on_both.configure()

    answer = rig_on_both.cancel("P1")

    assert first.data == answer.data


def test_the_same_request_id_with_another_value_is_refused(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    rig_on_both.cancel("P1", value=1000)

    changed = rig_on_both.cancel("P1", value=900)
    same = rig_on_both.cancel("P1", value="1000.00")

    assert (422, "request-mismatch") == (changed.status_code, changed.get_json()["code"])
    assert 200 == same.status_code


def test_the_same_request_id_of_another_payment_is_another_request(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    tranzzo.create("P2")

    answers = [rig.cancel("P1"), rig.cancel("P2")]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert {"void:P1": 1, "void:P2": 1} == tranzzo.effects


def test_the_same_ids_of_another_merchant_are_another_request(
    rig: Rig, tranzzo: TranzzoCompany, yandex: YandexPayCompany
) -> None:
    rig.add(tranzzo, name="one")
    rig.add(yandex, name="two")

    answers = [rig.cancel("P1", merchant="one"), rig.cancel("P1", merchant="two")]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert (1, 1) == (sum(tranzzo.effects.values()), sum(yandex.effects.values()))


def test_a_failure_is_not_kept(rig_on_both: Rig, tranzzo: TranzzoCompany) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("status_before", "look", status=503)

    answers = [rig_on_both.cancel("P1"), rig_on_both.cancel("P1")]

    assert [500, 200] == [answer.status_code for answer in answers]


def test_an_unknown_outcome_is_looked_up_before_anything_is_sent_again(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("reset_after", "void")
    tranzzo.hide("void")
    first = rig_on_both.cancel("P1")
    tranzzo.show()
    tranzzo.calls.clear()

    second = rig_on_both.cancel("P1")

    assert "outcome-unknown" == first.get_json()["code"]
    assert 200 == second.status_code
    assert ["look"] == [call.operation for call in tranzzo.calls]
    assert tranzzo.orders["P1"][1]["operation_id"] == second.get_json()["cancellationId"]


def test_what_certainly_did_not_happen_is_sent_again_with_the_same_reference(
    rig_on_both: Rig, yandex: YandexPayCompany
) -> None:
    rig_on_both.add(yandex)
    yandex.inject("reset_before", "cancel")

    first, second = rig_on_both.cancel("P1"), rig_on_both.cancel("P1", "request-2")

    assert [500, 200] == [first.status_code, second.status_code]
    writes = yandex.calls_of("cancel")
    assert 2 == len(writes)
    assert 1 == len({call.headers["X-Request-Id"] for call in writes})
    assert 1 == len({call.body for call in writes})
    assert {"cancel:P1": 1} == yandex.effects


def test_a_rollback_and_a_cancel_of_one_order_have_references_of_their_own(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    rig.add(yandex)
    yandex.create("P1", state="paying")
    yandex.inject("reset_before", "rollback")
    rig.cancel("P1")
    yandex.pay("P1")

    answer = rig.cancel("P1")

    assert 200 == answer.status_code
    (rollback,), (cancel,) = yandex.calls_of("rollback"), yandex.calls_of("cancel")
    assert rollback.headers["X-Request-Id"] != cancel.headers["X-Request-Id"]


def test_an_unanswered_refund_without_a_key_is_not_repeated_until_it_has_surely_ended(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo, captured="refund")
    tranzzo.create("P1", state="captured")
    tranzzo.inject("reset_before", "refund")

    early = [rig_on_both.cancel("P1"), rig_on_both.cancel("P1")]
    rig_on_both.execute("UPDATE sends SET sent_at = sent_at - 23")
    late = rig_on_both.cancel("P1")

    assert ["outcome-unknown"] * 2 == [answer.get_json()["code"] for answer in early]
    assert 200 == late.status_code
    assert {"refund:P1": 1} == tranzzo.effects


def test_an_identical_request_in_flight_is_waited_for_and_shared(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("slow_after", "void", seconds=0.5)
    client, answers = rig_on_both.client, []

    def cancel() -> None:
        answers.append(client.application.test_client().post(**_post(rig_on_both)))

    threads = [threading.Thread(target=cancel) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [200] * 5 == [answer.status_code for answer in answers], [a.data for a in answers]
    assert 1 == len({answer.data for answer in answers})
    assert {"void:P1": 1} == tranzzo.effects


def _post(rig: Rig) -> dict[str, Any]:
    return {
        "path": "/payments/P1/cancellations",
        "json": {"paymentId": "P1", "requestId": "request-1"},
        "headers": headers(rig.merchants["shop"]),
    }


@pytest.mark.parametrize(
    ("request_id", "code"), [("request-1", "request-in-progress"), ("request-2", "payment-busy")]
)
def test_a_request_that_does_not_get_its_turn_says_so_at_the_deadline(
    rig_on_both: Rig, tranzzo: TranzzoCompany, request_id: str, code: str
) -> None:
    rig_on_both.add(tranzzo)
    rig_on_both.configure(CONNECTOR_ANSWER_SECONDS="0.5")
    take_turn(rig_on_both, "request-1")

    answer = rig_on_both.cancel("P1", request_id)

    assert (500, code) == (answer.status_code, answer.get_json()["code"])
    assert [] == tranzzo.calls


def test_a_turn_whose_lease_ended_is_taken_over(rig_on_both: Rig, tranzzo: TranzzoCompany) -> None:
    rig_on_both.add(tranzzo)
    take_turn(rig_on_both, "request-1")
    rig_on_both.let_leases_end()

    answer = rig_on_both.cancel("P1", "request-2")

    assert 200 == answer.status_code
    assert {"void:P1": 1} == tranzzo.effects


def test_no_write_is_started_in_the_last_quarter_of_the_answer_time(
    rig: Rig, tranzzo: TranzzoCompany, jumping_clock: JumpingClock
) -> None:
    rig.add(tranzzo)
    rig.configure(CONNECTOR_ANSWER_SECONDS="20", CONNECTOR_PROVIDER_SECONDS="20")
    tranzzo.at_look(1, lambda: jumping_clock.let_pass(15))

    late, in_time = rig.cancel("P1"), rig.cancel("P1")

    assert (500, "provider-unavailable") == (late.status_code, late.get_json()["code"])
    assert 200 == in_time.status_code
    assert 1 == len(tranzzo.calls_of("void"))


def test_the_deadline_bounds_the_whole_request(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    rig.configure(CONNECTOR_ANSWER_SECONDS="0.6")
    tranzzo.inject("drip", "look", seconds=5)
    deadline = Deadline.after(1.5)

    answer = rig.cancel("P1")

    assert "outcome-unknown" == answer.get_json()["code"]
    assert deadline.left() > 0


def test_the_schedule_is_a_minute_then_longer_then_daily_for_a_week() -> None:
    expected = (60, 300, 900, 3600, 14400, *[86400] * 7)

    assert expected == SCHEDULE


def test_each_attempt_leaves_an_event(rig_on_both: Rig, tranzzo: TranzzoCompany) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.inject("reset_after", "void")
    tranzzo.hide("void")
    rig_on_both.cancel("P1")
    tranzzo.show()
    rig_on_both.cancel("P1")

    told = rig_on_both.execute("SELECT state, code FROM events WHERE kind = 'told' ORDER BY id")

    assert [("unknown", "outcome-unknown"), ("done", None)] == [tuple(row) for row in told]


def test_a_persons_failed_refund_is_not_taken_for_ours(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo, captured="refund")
    tranzzo.create("P1", state="captured")
    tranzzo.refund_ends_in = "failure"
    (auth, *_) = tranzzo.orders["P1"]
    tranzzo._add("P1", "refund", "failure", "", str(auth["amount"]))
    tranzzo.refund_ends_in = "success"
    tranzzo.inject("reset_before", "refund")

    answers = [rig.cancel("P1"), rig.cancel("P1")]

    assert ["outcome-unknown"] * 2 == [answer.get_json()["code"] for answer in answers]
    assert 1 == len(tranzzo.calls_of("refund"))


def test_what_was_certainly_not_sent_is_sent_by_the_next_request_at_once(
    rig_on_both: Rig, tranzzo: TranzzoCompany
) -> None:
    rig_on_both.add(tranzzo, captured="refund")
    tranzzo.create("P1", state="captured")
    tranzzo.inject("status_before", "refund", status=429)

    answers = [rig_on_both.cancel("P1"), rig_on_both.cancel("P1")]

    assert ["provider-unavailable", None] == [answer.get_json()["code"] for answer in answers]
    assert {"refund:P1": 1} == tranzzo.effects


def test_an_unanswered_refund_stays_unanswered_when_its_repeat_is_not_sent(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo, captured="refund")
    tranzzo.create("P1", state="captured")
    tranzzo.inject("reset_before", "refund")
    rig.cancel("P1")
    rig.execute("UPDATE sends SET sent_at = sent_at - 23")
    tranzzo.inject("status_before", "refund", status=429)
    rig.cancel("P1")

    answer = rig.cancel("P1")

    assert "outcome-unknown" == answer.get_json()["code"]
    assert 2 == len(tranzzo.calls_of("refund"))


def test_what_the_company_refuses_is_sent_by_each_repeat_and_manual_from_the_third_on(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    rig.add(yandex)
    refusal = b'{"status": "fail", "reasonCode": "NOT_NOW"}'
    yandex.inject("status_before", "cancel", times=4, status=409, body=refusal)

    answers = [rig.cancel("P1") for _ in range(5)]

    assert [500, 500, 501, 501, 200] == [answer.status_code for answer in answers]
    writes = yandex.calls_of("cancel")
    assert 5 == len({call.headers["X-Request-Id"] for call in writes})
    assert {"cancel:P1": 1} == yandex.effects


def test_an_order_paid_twice_is_left_to_a_person(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    order = tranzzo.orders["P1"]
    order += [{**order[0], "operation_id": "other"}]
    tranzzo._add("P1", "void", "success", "1000", "10.00")

    answer = rig.cancel("P1")

    assert (501, {}) == (answer.status_code, tranzzo.effects)


def test_a_rolled_back_order_whose_money_is_still_on_its_way_is_not_yet_cancelled(
    rig: Rig, yandex: YandexPayCompany
) -> None:
    rig.add(yandex)
    yandex.create("P1", state="refunding")
    yandex.orders["P1"]["paymentStatus"] = "FAILED"

    answer = rig.cancel("P1")

    assert "cancel-pending" == answer.get_json()["code"]


def test_a_secret_that_a_company_repeats_is_not_passed_on(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    secret = tranzzo.settings["api_secret"]
    body = b'{"message": "x", "args": {"code": "%s"}}' % secret.encode()
    tranzzo.inject("status_before", "look", status=400, body=body)

    answer = rig.cancel("P1")

    assert secret not in answer.text
    assert [] == rig.execute("SELECT 1 FROM requests WHERE message LIKE :text", text=f"%{secret}%")


@pytest.mark.parametrize("fields", [{"authorizationId": "a"}, {"tid": "t"}])
def test_what_vtex_once_knew_of_a_payment_stays_known(
    rig_on_both: Rig, tranzzo: TranzzoCompany, fields: dict[str, str]
) -> None:
    rig_on_both.add(tranzzo)
    tranzzo.orders.clear()
    first = rig_on_both.cancel("P1", **fields)

    answers = [rig_on_both.cancel("P1", "request-2"), rig_on_both.cancel("P1")]

    assert 501 == first.status_code
    assert [501, 501] == [answer.status_code for answer in answers]


def test_a_full_bulkhead_costs_only_what_needs_a_call(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    tranzzo.create("P2")
    rig.cancel("P1")
    with ExitStack() as places:
        for _ in range(64):
            places.enter_context(rig.connector.providers["tranzzo"].slot())

        known, fresh = rig.cancel("P1", "request-2"), rig.cancel("P2")

    assert 200 == known.status_code
    assert (500, "provider-busy") == (fresh.status_code, fresh.get_json()["code"])
    assert 200 == rig.cancel("P2").status_code


def test_a_kept_answer_needs_no_provider(rig: Rig, tranzzo: TranzzoCompany) -> None:
    rig.add(tranzzo)
    first = rig.cancel("P1")
    rig.configure(CONNECTOR_PROVIDERS="sandbox")

    answers = rig.cancel("P1"), rig.cancel("P1", "request-2"), rig.cancel("P3")

    assert first.data == answers[0].data
    assert [200, 200, 500] == [answer.status_code for answer in answers]


def test_a_request_that_waited_for_a_thread_too_long_is_not_begun(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo)
    token = ARRIVED.set(now() - 19)
    try:
        answer = rig.cancel("P1")
    finally:
        ARRIVED.reset(token)

    assert (500, "provider-unavailable") == (answer.status_code, answer.get_json()["code"])
    assert [] == tranzzo.calls


def test_a_refused_repeat_of_an_unanswered_refund_leaves_the_first_one_open(
    rig: Rig, tranzzo: TranzzoCompany
) -> None:
    rig.add(tranzzo, captured="refund")
    tranzzo.create("P1", state="captured")
    tranzzo.inject("reset_before", "refund")
    rig.cancel("P1")
    rig.execute("UPDATE sends SET sent_at = sent_at - 23")
    body = b'{"message": "x", "args": {"code": "P-400"}}'
    tranzzo.inject("status_before", "refund", status=400, body=body)
    rig.cancel("P1")

    answer = rig.cancel("P1")

    assert "outcome-unknown" == answer.get_json()["code"]
    assert 2 == len(tranzzo.calls_of("refund"))
