import time
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from connector.domain import errors, exact
from connector.domain.deadline import Deadline
from connector.domain.errors import ConnectorError
from connector.domain.merchant import Account, CapturedPolicy, Merchant
from connector.domain.money import ValueUnit, is_whole
from connector.domain.operation import (
    REQUESTS,
    CancelRequest,
    CreateRequest,
    Operation,
    RefundRequest,
    derive_cancellation_id,
    derive_refund_id,
    derive_settle_id,
    write_reference,
)
from connector.domain.payment import Look, Payment, PaymentKey, PaymentStatus, Standing

AUTO, CENTS, UNITS = ValueUnit.AUTO, ValueUnit.CENTS, ValueUnit.UNITS


# Money.


@pytest.mark.parametrize(
    ("value", "amount", "whole_in"),
    [
        ("10.00", "10.00", {AUTO, UNITS}),
        ("10", "10.00", {AUTO, UNITS}),
        ("10.0", "10", {AUTO, UNITS}),
        ("1E+1", "10", {AUTO, UNITS}),
        ("1000", "10.00", {AUTO, CENTS}),
        ("1000.00", "10", {AUTO, CENTS}),
        ("29.90", "29.9", {AUTO, UNITS}),
        ("2990", "29.90", {AUTO, CENTS}),
        ("0", "0", {AUTO, CENTS, UNITS}),
        ("-0", "0", {AUTO, CENTS, UNITS}),
        ("9.99", "10.00", set()),
        ("999", "10.00", set()),
        ("1001", "10.00", set()),
        ("0.10", "10.00", set()),
        ("100000", "10.00", set()),
        ("0", "10.00", set()),
        ("10", "0", set()),
        ("-10", "10", set()),
        ("10.000000000000000000000000000001", "10", set()),
        ("1E+400", "10", set()),
        ("100000000000000000000.01", "100000000000000000000.01", {AUTO, UNITS}),
    ],
)
@pytest.mark.parametrize("unit", list(ValueUnit))
def test_a_value_is_the_whole_in_some_units(
    value: str, amount: str, whole_in: set[ValueUnit], unit: ValueUnit
) -> None:
    assert (unit in whole_in) is is_whole(Decimal(value), Decimal(amount), unit)


@pytest.mark.parametrize("unit", list(ValueUnit))
@pytest.mark.parametrize(
    ("value", "amount"), [(None, Decimal(10)), (Decimal(3), None), (None, None)]
)
def test_what_cannot_be_compared_is_the_whole(
    value: Decimal | None, amount: Decimal | None, unit: ValueUnit
) -> None:
    assert is_whole(value, amount, unit)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0.10", "0.10"),
        ("29.90", "29.90"),
        ("10.00", "10"),
        ("10", "10"),
        ("1E+3", "1000"),
        ("1E-7", "0.0000001"),
        ("-0.50", "-0.50"),
        ("0", "0"),
        ("12345678901234.123456", "12345678901234.123456"),
        ("123456789012345678901234567890.12", "123456789012345678901234567890.12"),
    ],
)
def test_a_number_is_written_with_its_digits_and_no_exponent(number: str, written: str) -> None:
    assert written == exact.dumps(Decimal(number))
    assert Decimal(number) == exact.loads(exact.dumps({"value": [Decimal(number)]}))["value"][0]  # type: ignore[index,call-overload]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_not_written(number: str) -> None:
    with pytest.raises(ValueError, match="not a number"):
        exact.dumps({"value": Decimal(number)})


def test_a_float_is_not_written() -> None:
    with pytest.raises(TypeError, match="not exact"):
        exact.dumps([{"value": 0.1}])


def test_anything_else_is_written_as_json() -> None:
    value = {"a": [1, True, None, "é\0"], "b": {"c": ()}}
    assert {"a": [1, True, None, "é\0"], "b": {"c": []}} == exact.loads(exact.dumps(value))


# Time.


def test_a_deadline_runs_out_and_stays_so() -> None:
    deadline = Deadline.after(0.1)
    assert 0.05 < deadline.left() <= 0.1
    time.sleep(0.12)
    assert 0.0 == deadline.left()
    assert not deadline.allows_a_write()


@pytest.mark.parametrize(
    ("left", "allowed"), [(1.0, True), (0.5, True), (0.26, True), (0.24, False), (0.0, False)]
)
def test_in_the_last_quarter_no_write_is_started(left: float, allowed: bool) -> None:
    deadline = Deadline(at=time.monotonic() + left * 100, total=100.0)
    assert allowed is deadline.allows_a_write()


def test_a_deadline_within_another_is_the_earlier_of_both() -> None:
    deadline = Deadline.after(10)
    assert 0.9 < deadline.within(1).left() <= 1
    assert 9.9 < deadline.within(60).left() <= 10
    assert 10.0 == deadline.within(1).total
    assert 0.0 == deadline.within(-1).left()


# Identifiers. What was sent to companies and told to VTEX must be derived alike for ever.


def asked(**changed: Any) -> CancelRequest:
    values = {"merchant_id": 7, "payment": PaymentKey("P1"), "request_id": "request-1"}
    return CancelRequest(**{**values, **changed})  # type: ignore[arg-type]


def test_our_cancellation_id_never_changes() -> None:
    expected = "eb563ab51ebb5823ae12aecb6631fa51"
    assert expected == derive_cancellation_id(7, "F5C1A4E20D3B4E07B7E871F5B5BC9F91")


def test_a_claim_id_never_changes() -> None:
    expected = "7d275d43a6ede22fcea2369d8a7e607511b0bd5af4f593f58f1e1101833c2d1d"
    assert expected == asked().claim_id


def test_our_ids_of_a_settlement_and_a_refund_never_change() -> None:
    assert "bfc31f2093fa5e24a178cae3da4015ad" == derive_settle_id(
        7, "F5C1A4E20D3B4E07B7E871F5B5BC9F91"
    )
    refund = RefundRequest(7, PaymentKey("P1"), "request-1")
    assert "8d17f83130475b6c87dc16c103f66e84" == derive_refund_id(refund.claim_id)


def test_a_payment_is_settled_under_one_id_and_refunded_under_one_for_each_request() -> None:
    refunds = [RefundRequest(7, PaymentKey("P1"), f"request-{number}") for number in (1, 2)]
    ids = {derive_refund_id(request.claim_id) for request in refunds}
    ids |= {derive_settle_id(7, "P1"), derive_settle_id(7, "P2"), derive_settle_id(1, "P1")}
    ids |= {derive_cancellation_id(7, "P1")}
    assert 6 == len(ids)


def test_a_claim_is_of_its_operation_only() -> None:
    claims = {kind(7, PaymentKey("P1"), "request-1").claim_id for kind in REQUESTS.values()}
    assert len(Operation) == len(claims)
    assert asked().claim_id in claims


def test_every_operation_has_its_request() -> None:
    assert list(Operation) == list(REQUESTS)
    assert list(Operation) == [kind.operation for kind in REQUESTS.values()]


def test_a_reference_never_changes() -> None:
    claim_id = asked().claim_id
    assert "c181064b-bcd5-50da-8ae3-7d27d3da2b2b" == write_reference(claim_id, "release", 1)
    assert "70821ba8-941d-532d-b6a4-d96f53b27484" == write_reference(claim_id, "refund", 2)


@pytest.mark.parametrize("strange", ["\0", "\ud800", "💳" * 256, "é", "e\u0301"])
def test_a_claim_id_is_made_of_any_request_id(strange: str) -> None:
    assert 64 == len(asked(request_id=strange).claim_id)


def test_claim_ids_are_distinct() -> None:
    requests = [
        asked(merchant_id=merchant_id, payment=PaymentKey(payment_id), request_id=request_id)
        for merchant_id, payment_id, request_id in product(
            [1, 11, 111],
            ["1", "11", "P", "p", "P-1", "P_1"],
            [
                "1",
                "11",
                "r",
                "R",
                " ",
                "r ",
                "\0",
                "\0\0",
                "1\0",
                "\x001",
                "\ud800",
                "é",
                "e\u0301",
            ],
        )
    ]
    assert len(requests) == len({request.claim_id for request in requests})


def test_only_who_when_and_what_makes_the_claim() -> None:
    same = [
        asked(),
        asked(value=Decimal(3)),
        asked(sandbox=True),
        asked(payment=PaymentKey("P1", "authorization", "tid")),
    ]
    assert 1 == len({request.claim_id for request in same})


def test_references_and_cancellation_ids_are_distinct() -> None:
    references = {
        write_reference(claim_id, action, number)
        for claim_id, action, number in product(
            ["a", "b"], ["release", "refund", "cancel"], [1, 2, 3, 11]
        )
    }
    assert 24 == len(references)
    own = {
        derive_cancellation_id(merchant_id, payment) for merchant_id in (1, 11) for payment in "PpQ"
    }
    assert 6 == len(own)


@pytest.mark.parametrize(
    ("key", "was_authorized"),
    [
        (PaymentKey("P"), False),
        (PaymentKey("P", "", ""), False),
        (PaymentKey("P", "authorization"), True),
        (PaymentKey("P", None, "tid"), True),
    ],
)
def test_an_id_of_the_company_proves_an_authorization(
    key: PaymentKey, was_authorized: bool
) -> None:
    assert was_authorized is key.was_authorized


# Payments.


@pytest.mark.parametrize("standing", list(Standing))
def test_a_payment_is_approved_or_denied_only_where_its_standing_is_clear(
    standing: Standing,
) -> None:
    clear = {
        Standing.HELD: PaymentStatus.APPROVED,
        Standing.CAPTURED: PaymentStatus.APPROVED,
        Standing.PARTLY_REFUNDED: PaymentStatus.APPROVED,
        Standing.UNDONE: PaymentStatus.DENIED,
    }
    assert clear.get(standing, PaymentStatus.PENDING) is Look(standing).verdict


def test_a_payment_without_an_amount_was_not_created_here() -> None:
    payment = Payment(PaymentKey("P1"))
    assert not payment.is_created
    assert Payment(PaymentKey("P1"), amount=Decimal(0)).is_created


def test_vtexs_address_for_news_is_not_shown() -> None:
    address = "https://shop.vtexpayments.com.br/callback?X-VTEX-signature=any"
    payment = Payment(PaymentKey("P1"), callback_address=address)
    request = CreateRequest(1, PaymentKey("P1"), callback_url=address)
    assert "signature" not in repr(payment) + repr(request)


# Merchants and errors.


def test_a_merchants_account_is_in_the_sandbox_that_is_asked_for() -> None:
    merchant = Merchant(1, "shop", "tranzzo", {"key": "a-secret"}, captured=CapturedPolicy.REFUND)
    assert Account({"key": "a-secret"}, sandbox=True) == merchant.account(sandbox=True)
    assert "a-secret" not in repr(merchant) + repr(merchant.account(sandbox=False))


def all_errors() -> list[type[ConnectorError]]:
    found = [error for error in vars(errors).values() if isinstance(error, type)]
    return [error for error in found if issubclass(error, ConnectorError)]


@pytest.mark.parametrize("error", all_errors())
def test_an_error_says_in_its_docstring_what_to_do(error: type[ConnectorError]) -> None:
    assert error.__doc__
    assert str(error()) == error.__doc__.strip().split("\n")[0]
    assert "own words (word)" == str(error("own words", evidence="word"))
