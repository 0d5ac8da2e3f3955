"""Every standing of a payment at every company, and what VTEX is told of it."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.companies.registry import BY_NAME
from tests.rig import FIELDS, Rig

pytestmark = pytest.mark.slow

# What VTEX knows of a payment that another connector made.
KNOWN = {"authorizationId": "auth-1", "tid": "tid-1"}


@dataclass(frozen=True)
class Case:
    """A payment in `state` (None: unknown there), and what a cancellation of it comes to.

    `effect` is what moves at the company.
    """

    company: str
    state: str | None
    status: int
    code: str | None
    effect: str = ""
    captured: str = "manual"
    fields: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        extra = "-".join(self.fields)
        return f"{self.company}-{self.state}-{self.captured}-{extra}"


def done(company: str, state: str | None, effect: str = "", **values: Any) -> Case:
    return Case(company, state, 200, None, effect, **values)


def manual(company: str, state: str | None, **values: Any) -> Case:
    return Case(company, state, 501, "cancel-manually", **values)


def pending(company: str, state: str | None, **values: Any) -> Case:
    return Case(company, state, 500, "cancel-pending", **values)


CASES = [
    done("tranzzo", "unpaid", "cancel"),
    pending("tranzzo", "paying"),
    done("tranzzo", "held", "void"),
    pending("tranzzo", "voiding"),
    pending("tranzzo", "capturing"),
    manual("tranzzo", "captured"),
    manual("tranzzo", "paid"),
    done("tranzzo", "captured", "refund", captured="refund"),
    done("tranzzo", "paid", "refund", captured="refund"),
    pending("tranzzo", "refunding"),
    manual("tranzzo", "partly_refunded"),
    manual("tranzzo", "partly_refunded", captured="refund"),
    done("tranzzo", "refunded"),
    done("tranzzo", "voided"),
    done("tranzzo", "cancelled"),
    done("tranzzo", "declined"),
    done("tranzzo", "expired"),
    done("tranzzo", None),
    manual("tranzzo", None, fields=KNOWN),
    manual("tranzzo", None, fields={"tid": "tid-1"}),
    done("tranzzo", None, fields={"authorizationId": "", "tid": None}),
    done("yandex_pay", "unpaid", "rollback"),
    done("yandex_pay", "paying", "rollback"),
    done("yandex_pay", "held", "cancel"),
    pending("yandex_pay", "voiding"),
    pending("yandex_pay", "capturing"),
    manual("yandex_pay", "captured"),
    done("yandex_pay", "captured", "refund", captured="refund"),
    pending("yandex_pay", "refunding", captured="refund"),
    manual("yandex_pay", "confirmed"),
    manual("yandex_pay", "confirmed", captured="refund"),
    manual("yandex_pay", "partly_refunded"),
    done("yandex_pay", "refunded"),
    done("yandex_pay", "cancelled"),
    done("yandex_pay", "declined"),
    done("yandex_pay", "expired"),
    done("yandex_pay", None),
    manual("yandex_pay", None, fields=KNOWN),
    manual("rustore", "CREATED"),
    pending("rustore", "EXECUTED"),
    done("rustore", "PAID", "cancel"),
    manual("rustore", "CONFIRMED"),
    done("rustore", "CONFIRMED", "refund", captured="refund"),
    done("rustore", "CANCELLED"),
    done("rustore", "REJECTED"),
    done("rustore", "EXPIRED"),
    done("rustore", "REVERSED"),
    done("rustore", "REFUNDED"),
    manual("rustore", None),
    manual("rustore", None, fields={"tid": "9999"}),
    manual("cryptomus", "check"),
    pending("cryptomus", "process"),
    pending("cryptomus", "confirm_check"),
    pending("cryptomus", "wrong_amount_waiting"),
    manual("cryptomus", "paid"),
    manual("cryptomus", "paid_over"),
    manual("cryptomus", "paid", captured="refund"),
    manual("cryptomus", "wrong_amount"),
    manual("cryptomus", "system_fail"),
    manual("cryptomus", "locked"),
    manual("cryptomus", "refund_fail"),
    pending("cryptomus", "refund_process"),
    done("cryptomus", "cancel"),
    done("cryptomus", "fail"),
    done("cryptomus", "refund_paid"),
    done("cryptomus", None),
    manual("cryptomus", None, fields=KNOWN),
]
# A dashed UUID: Tranzzo gets it without its dashes.
PAYMENT_ID = "0b9f8a9c-6f0d-4c7e-8f5a-2f6f1f0c9d11"


@dataclass
class PaymentToCancel:
    """One payment at one company."""

    rig: Rig
    company: Any
    fields: dict[str, Any]

    def cancel(self, request_id: str = "request-1", **fields: Any) -> Any:
        return self.rig.cancel(PAYMENT_ID, request_id, **{**self.fields, **fields})

    def effects(self) -> list[str]:
        return [name.split(":")[0] for name in self.company.effects.elements()]


def arrange(stack: ExitStack, rig: Rig, case: Case) -> PaymentToCancel:
    company = stack.enter_context(BY_NAME[case.company].open())
    rig.add(company, captured=case.captured)
    known = company.put(PAYMENT_ID, case.state) if case.state else {}
    return PaymentToCancel(rig, company, {**case.fields, **known})


def test_every_company_has_its_cases() -> None:
    assert {case.company for case in CASES} == set(BY_NAME)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("case", CASES, ids=str)
def test_vtex_is_told_the_truth_and_the_effect_is_one(
    rig: Rig, stack: ExitStack, case: Case
) -> None:
    scene = arrange(stack, rig, case)
    before = sum(scene.company.effects.values())

    answer = scene.cancel()

    body = answer.get_json()
    assert (case.status, case.code) == (answer.status_code, body["code"])
    assert list(body) == FIELDS
    assert bool(body["cancellationId"]) == (case.status == 200)
    assert ([case.effect] if case.effect else []) == scene.effects()[before:]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_repeat_is_answered_alike_and_moves_nothing(
    rig: Rig, stack: ExitStack, case: Case
) -> None:
    scene = arrange(stack, rig, case)
    first = scene.cancel()
    effects, calls = dict(scene.company.effects), len(scene.company.calls)

    repeat = scene.cancel()

    assert (first.status_code, first.data) == (repeat.status_code, repeat.data)
    assert effects == scene.company.effects
    if not (case.company == "rustore" and "tid" not in case.fields and case.state is None):
        assert (case.status != 200) == (len(scene.company.calls) > calls)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.status == 200 and not case.fields], ids=str
)
def test_another_request_of_a_cancelled_payment_makes_no_call(
    rig: Rig, stack: ExitStack, case: Case
) -> None:
    scene = arrange(stack, rig, case)
    first = scene.cancel().get_json()
    calls = len(scene.company.calls)

    other = scene.cancel("request-2")

    assert 200 == other.status_code
    assert first | {"requestId": "request-2"} == other.get_json()
    assert calls == len(scene.company.calls)


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in CASES
        if case.state in {"unpaid", "held", "captured", "PAID"}
        and (case.effect or case.captured == "manual")
    ],
    ids=str,
)
@pytest.mark.parametrize("value", [1, "5.00", 999])
def test_a_part_is_left_to_a_person_and_nothing_is_sent(
    rig: Rig, stack: ExitStack, case: Case, value: Any
) -> None:
    scene = arrange(stack, rig, case)
    before = dict(scene.company.effects)

    answer = scene.cancel(value=value)

    assert (501, "cancel-manually") == (answer.status_code, answer.get_json()["code"])
    assert before == scene.company.effects
    assert answer.data == scene.cancel(value=value).data


@pytest.mark.parametrize("value", [10, 10.00, "10.00", "10,00", 1000, "1000"])
def test_the_whole_value_in_units_or_cents_is_the_whole(
    rig: Rig, stack: ExitStack, value: Any
) -> None:
    scene = arrange(stack, rig, done("tranzzo", "held"))

    answer = scene.cancel(value=value)

    assert 200 == answer.status_code


@pytest.mark.parametrize(
    ("unit", "value", "status"),
    [("cents", 1000, 200), ("cents", 10, 501), ("units", 10, 200), ("units", 1000, 501)],
)
def test_the_unit_of_the_value_can_be_narrowed(
    rig: Rig, stack: ExitStack, unit: str, value: int, status: int
) -> None:
    rig.configure(CONNECTOR_CANCEL_VALUE_UNIT=unit)
    scene = arrange(stack, rig, done("yandex_pay", "held"))

    answer = scene.cancel(value=value)

    assert status == answer.status_code


def test_the_manual_answer_can_be_given_with_200(rig: Rig, stack: ExitStack) -> None:
    rig.configure(CONNECTOR_MANUAL_STATUS="200")
    scene = arrange(stack, rig, manual("cryptomus", "paid"))

    answer = scene.cancel()

    body = answer.get_json()
    assert (200, "cancel-manually", None) == (
        answer.status_code,
        body["code"],
        body["cancellationId"],
    )


@pytest.mark.parametrize(
    ("case", "shown"),
    [
        (done("tranzzo", "unpaid"), lambda made: made[0]["payment_id"]),
        (done("tranzzo", "held"), lambda made: made[1]["operation_id"]),
    ],
    ids=["unpaid", "held"],
)
def test_tranzzos_id_of_the_cancellation_is_the_one_its_order_shows(
    rig: Rig, stack: ExitStack, case: Case, shown: Any
) -> None:
    scene = arrange(stack, rig, case)

    answer = scene.cancel().get_json()

    (made,) = scene.company.orders.values()
    assert shown(made) == answer["cancellationId"]


def test_yandex_pays_id_of_the_cancellation_is_its_operations(rig: Rig, stack: ExitStack) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "held"))

    answer = scene.cancel().get_json()

    operations = scene.company.operations[PAYMENT_ID]
    assert operations[-1]["operationId"] == answer["cancellationId"]


def test_rustores_id_of_the_cancellation_is_the_purchases(rig: Rig, stack: ExitStack) -> None:
    scene = arrange(stack, rig, done("rustore", "PAID"))

    answer = scene.cancel().get_json()

    assert scene.fields["authorizationId"] == answer["cancellationId"]


def test_a_rustore_purchase_without_its_invoice_is_cancelled_blind(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("rustore", "PAID"))
    del scene.fields["tid"]

    answer = scene.cancel()

    assert 200 == answer.status_code
    assert ["cancel"] == scene.effects()


@pytest.mark.parametrize("state", ["CONFIRMED", "REVERSED", "CREATED"])
def test_an_ambiguous_blind_refusal_is_left_to_a_person(
    rig: Rig, stack: ExitStack, state: str
) -> None:
    scene = arrange(stack, rig, done("rustore", state))
    del scene.fields["tid"]

    answer = scene.cancel()

    assert (501, []) == (answer.status_code, scene.effects())


def test_a_rustore_hold_without_its_purchase_id_is_left_to_a_person(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("rustore", "PAID"))
    del scene.fields["authorizationId"]

    answer = scene.cancel()

    assert (501, []) == (answer.status_code, scene.effects())


def test_a_payment_id_too_long_for_tranzzo_was_never_created_there(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("tranzzo", None))

    answers = [rig.cancel("x" * 33), rig.cancel("x" * 34, authorizationId="a")]

    assert [200, 501] == [answer.status_code for answer in answers]
    assert [] == scene.company.calls


@pytest.mark.parametrize("company", ["tranzzo", "yandex_pay"])
def test_an_end_that_failed_is_sent_again_with_a_new_reference_three_times_at_most(
    rig: Rig, stack: ExitStack, company: str
) -> None:
    scene = arrange(stack, rig, done(company, "held"))
    scene.company.void_ends_in = "failure"

    answers = [scene.cancel() for _ in range(5)]

    assert [500, 500, 501, 501, 501] == [answer.status_code for answer in answers]
    assert "provider-refused" == answers[0].get_json()["code"]
    writes = [call for call in scene.company.calls if call.operation in {"void", "cancel"}]
    assert 3 == len(writes)
    assert 3 == len({call.body for call in writes})


@pytest.mark.parametrize("company", ["tranzzo", "yandex_pay"])
def test_an_end_that_failed_once_succeeds_with_the_next(
    rig: Rig, stack: ExitStack, company: str
) -> None:
    scene = arrange(stack, rig, done(company, "held"))
    scene.company.void_ends_in = "failure"
    scene.cancel()
    scene.company.void_ends_in = "success"

    answer = scene.cancel()

    assert 200 == answer.status_code
    assert 1 == len(scene.effects())


@pytest.mark.parametrize("company", ["tranzzo", "yandex_pay"])
def test_an_end_that_is_still_running_is_waited_for_not_sent_again(
    rig: Rig, stack: ExitStack, company: str
) -> None:
    scene = arrange(stack, rig, done(company, "held"))
    scene.company.void_ends_in = "pending"

    first, second = scene.cancel(), scene.cancel()
    scene.company.finish(PAYMENT_ID)
    third = scene.cancel()

    codes = [answer.get_json()["code"] for answer in (first, second, third)]
    assert ["cancel-pending", "cancel-pending", None] == codes
    assert 1 == len([call for call in scene.company.calls if call.operation in {"void", "cancel"}])


def test_a_hold_that_turns_captured_meanwhile_is_refunded_by_policy(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "held", captured="refund"))

    def capture(operation: str, when: str) -> None:
        if (operation, when) == ("cancel", "before"):
            scene.company.create(PAYMENT_ID, state="captured")
            scene.company.hook = None

    scene.company.hook = capture

    answers = [scene.cancel(), scene.cancel()]

    assert [500, 200] == [answer.status_code for answer in answers]
    assert ["refund"] == scene.effects()


def test_a_buyer_who_pays_during_the_rollback_is_refunded_by_it(rig: Rig, stack: ExitStack) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "paying"))

    def pay(operation: str, when: str) -> None:
        if (operation, when) == ("rollback", "before"):
            scene.company.pay(PAYMENT_ID, "CAPTURED")

    scene.company.hook = pay

    answer = scene.cancel()

    assert 200 == answer.status_code
    assert "FAILED" == scene.company.orders[PAYMENT_ID]["paymentStatus"]


@pytest.mark.parametrize("flag", [True, "true"])
def test_a_payment_not_yet_recorded_is_sought_in_the_sandbox_when_vtex_says_so(
    rig: Rig, stack: ExitStack, flag: Any
) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "held"))

    answer = scene.cancel(sandboxMode=flag)

    assert 200 == answer.status_code
    assert all(call.path.startswith("/sandbox/") for call in scene.company.calls)


def test_a_recorded_payment_stays_where_it_was(rig: Rig, stack: ExitStack) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "held"))
    scene.company.void_ends_in = "pending"
    scene.cancel(sandboxMode=True)

    scene.cancel(sandboxMode=False)

    assert all(call.path.startswith("/sandbox/") for call in scene.company.calls)


def test_a_merchant_of_the_sandbox_is_served_there(rig: Rig, stack: ExitStack) -> None:
    company = stack.enter_context(BY_NAME["rustore"].open())
    rig.add(company, sandbox=True)
    made = company.create(PAYMENT_ID, "PAID", sandbox=True)

    answer = rig.cancel(PAYMENT_ID, authorizationId=made.purchase_id, tid=made.invoice_id)

    assert 200 == answer.status_code
    assert "REVERSED" == company.state(made.purchase_id, sandbox=True)


def test_an_order_that_vanishes_after_something_was_sent_is_no_success(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("tranzzo", "held"))
    scene.company.inject("reset_before", "void")
    scene.cancel()
    scene.company.orders.clear()

    answer = scene.cancel()

    assert (500, "outcome-unknown") == (answer.status_code, answer.get_json()["code"])


def test_a_payment_that_is_not_in_the_sandbox_may_still_be_a_real_one(
    rig: Rig, stack: ExitStack
) -> None:
    scene = arrange(stack, rig, done("yandex_pay", "held"))
    orders = scene.company.orders
    held = orders.pop(PAYMENT_ID)

    test = scene.cancel(sandboxMode=True)
    orders[PAYMENT_ID] = held
    real = scene.cancel("request-2")

    assert [200, 200] == [test.status_code, real.status_code]
    assert ["cancel"] == scene.effects()
