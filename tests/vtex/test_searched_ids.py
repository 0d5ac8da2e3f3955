"""VTEX's ids of the transaction and the order, by which people find a payment."""

import json
from typing import Any

import pytest

from connector.domain.operation import CreateRequest
from connector.vtex.orders import load_creation
from connector.vtex.schemas import load_cancellation
from tests.rig import Rig

# Two characters more than any id that is kept.
LONG = "1" * 129
# Texts that end a text in SQL, or that a database may not take.
ODD = "\0\ud800é'\""


def created(**fields: Any) -> CreateRequest:
    body = {"paymentId": "P1", "value": 1, "currency": "RUB", "paymentMethod": "Visa", **fields}
    return load_creation(7, body)


def recorded(rig: Rig, payment_id: str = "P1") -> tuple[Any, ...]:
    (row,) = rig.execute(
        "SELECT transaction_id, order_id FROM payments WHERE payment_id = :id", id=payment_id
    )
    return tuple(row)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("v96", "v96"), (" v96 ", "v96"), (96, "96"), ("1" * 128, "1" * 128)],
)
def test_an_id_is_kept_as_a_text(written: object, kept: str) -> None:
    request = created(transactionId=written, orderId=written)
    assert (kept, kept) == (request.transaction_id, request.order_id)


@pytest.mark.parametrize("written", [None, "", " ", LONG, True, 1.5, [], {"id": "v96"}])
def test_a_value_that_is_no_id_stops_nothing(written: object) -> None:
    request = created(transactionId=written, orderId=written)
    assert (None, None) == (request.transaction_id, request.order_id)
    body = {"paymentId": "P1", "requestId": "r", "transactionId": written}
    assert load_cancellation(7, body, "P1").transaction_id is None


def test_the_create_records_both_ids(rig_on_both: Rig) -> None:
    rig_on_both.add()
    rig_on_both.create("P1", transactionId="T1", orderId="O1")
    assert ("T1", "O1") == recorded(rig_on_both)


def test_any_characters_are_recorded_with_escapes(rig_on_both: Rig) -> None:
    rig_on_both.add()
    assert rig_on_both.create("P1", transactionId=ODD, orderId=ODD).status_code == 200
    escaped = json.dumps(ODD)[1:-1]
    assert (escaped, escaped) == recorded(rig_on_both)


def test_a_cancellation_before_the_create_names_the_transaction(rig_on_both: Rig) -> None:
    rig_on_both.add()
    rig_on_both.cancel("P1", transactionId="T1")
    assert ("T1", None) == recorded(rig_on_both)
    rig_on_both.create("P1", transactionId="T2", orderId="O1")
    assert ("T1", "O1") == recorded(rig_on_both)


def test_a_request_without_the_ids_leaves_them_as_they_are(rig_on_both: Rig) -> None:
    rig_on_both.add()
    rig_on_both.create("P1", transactionId="T1", orderId="O1")
    rig_on_both.settle("P1")
    rig_on_both.refund("P1", 10)
    assert ("T1", "O1") == recorded(rig_on_both)
