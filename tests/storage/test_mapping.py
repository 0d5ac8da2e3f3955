"""A column is named in its table, its migration, the domain value and the mapping."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Table

import connector
from connector.domain.operation import CancelRequest, NotificationRequest, Request
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.story import Kind, Step
from connector.domain.write import Write, WriteState
from connector.storage import tables
from connector.storage.mapping import (
    PAYMENT_COLUMNS,
    PAYMENT_READ_COLUMNS,
    REQUEST_COLUMNS,
    STEP_COLUMNS,
    WRITE_COLUMNS,
    due_from,
    payment_from,
    payment_values,
    request_values,
    step_from,
    step_values,
    write_from,
    write_values,
)

SOURCE = Path(inspect.getfile(connector)).parent
# Columns of `payments` that are no part of a `Payment`: what tells its row from others, the lease,
# the counters and the times.
LEASE = {"lease_claim", "lease_token", "lease_until"}
OF_THE_ROW = {"merchant_id", "payment_id", "sends", "callback_attempts", "created_at", "updated_at"}
# VTEX's ids by which people search.
SEARCHED = {"transaction_id", "order_id"}
# What the statements about the attempts of a request, and about its reply, write.
ATTEMPTS = {
    *("state", "code", "message", "reason", "reference", "attempts", "looks", "next_look_at"),
    *("reply_status", "reply_body", "created_at", "updated_at"),
}
# Texts that hold what would end a text in SQL or in JSON, and what a database may not take.
ODD = "\0\ud800é'\"\\u0041"

PAYMENT = Payment(
    PaymentKey(
        "P1", f"authorization {ODD}", f"company's {ODD}", f"memo {ODD}", uses_payment_id=True
    ),
    PaymentStatus.SETTLED,
    sandbox=True,
    amount=Decimal("10.50"),
    currency="UAH",
    payment_url=f"https://pay.example/{ODD}",
    code=f"code {ODD}",
    message=f"message {ODD}",
    cancellation_id=f"cancellation {ODD}",
    settled=Decimal("0.10"),
    is_cancel_asked=True,
    is_manual=True,
    callback_address="sealed",
    is_callback_due=True,
)
WRITE = Write("refund", 2, "reference", WriteState.LOST, 1.5, 3, "claim", Decimal(1), Decimal(2))
STEP = Step(
    *(Kind.TOLD, 2, "refund", "reference", Decimal("1.10"), ODD, 500, "manual", "code", "message"),
    *("reason", ODD, 1.5, "cancel", ODD, ODD),
)


def of(table: Table) -> set[str]:
    return set(table.columns.keys())


def test_every_column_of_a_payment_is_mapped() -> None:
    assert of(tables.payments) - LEASE - OF_THE_ROW - SEARCHED == set(PAYMENT_READ_COLUMNS)
    assert {"uses_payment_id", "callback_at"} == {*PAYMENT_READ_COLUMNS} - {*PAYMENT_COLUMNS}


def test_every_column_of_a_write_a_step_and_a_request_is_mapped() -> None:
    assert of(tables.sends) - {"merchant_id", "payment_id", "sent_at"} == set(WRITE_COLUMNS)
    assert of(tables.events) - {"id", "request", "at"} == set(STEP_COLUMNS)
    assert of(tables.requests) - ATTEMPTS == set(REQUEST_COLUMNS)


@pytest.mark.parametrize("value", [PAYMENT, PAYMENT.key, WRITE, STEP], ids=type)
def test_the_examples_leave_no_field_as_it_is_by_default(value: Any) -> None:
    same = [field.name for field in fields(value) if getattr(value, field.name) == field.default]
    assert [] == same


def test_what_is_written_is_what_is_read() -> None:
    of_statements = {"uses_payment_id": 1, "callback_at": 1.5}
    assert PAYMENT == payment_from("P1", {**payment_values(PAYMENT), **of_statements})
    assert WRITE == write_from({**write_values(WRITE), "age": 1.5})
    request_id = request_values(CancelRequest(1, PaymentKey("P1"), ODD))["request_id"]
    request = {"at": 1.5, "operation": "cancel", "request_id": request_id}
    assert STEP == step_from({**step_values(STEP), **request})


def test_a_payment_of_which_nothing_is_known_is_read_as_it_was_written() -> None:
    payment = Payment(PaymentKey("P1"))
    of_statements = {"uses_payment_id": 0, "callback_at": None}
    assert payment == payment_from("P1", {**payment_values(payment), **of_statements})


@pytest.mark.parametrize(
    "request_",
    [
        CancelRequest(7, PaymentKey("P1"), ODD, Decimal("10.50"), sandbox=True),
        NotificationRequest(7, PaymentKey("P1"), "message"),
        NotificationRequest(7, PaymentKey("P1"), purchase=PaymentKey("P1", ODD, "invoice")),
    ],
)
def test_a_request_is_read_as_it_was_written(request_: Request) -> None:
    state = {"looks": 3, "state": "waiting", "next_look_at": 1.5}
    due = due_from({**request_values(request_), **state})
    assert (request_, 3, "waiting", 1.5) == (due.request, due.looks, due.state, due.at)


def texts(module: Path) -> Iterator[str]:
    """Give the texts of a module, without its docstrings."""
    tree = ast.parse(module.read_text())
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
    documented = [node for node in ast.walk(tree) if isinstance(node, holders)]
    docstrings = {id(node.body[0].value) for node in documented if ast.get_docstring(node)}  # type: ignore[attr-defined]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield str(node.value)


# Those that no other table has, and that no statement treats in a way of its own.
ELSEWHERE = of(tables.requests) | of(tables.sends) | of(tables.events) | of(tables.merchants)
RARE = sorted({*PAYMENT_COLUMNS} - ELSEWHERE - {"callback", "status"})


def test_there_are_columns_that_only_payments_have() -> None:
    assert {"settled", "payment_url", "memo", "is_manual"} <= set(RARE)


@pytest.mark.parametrize("column", RARE)
def test_a_column_is_named_in_its_table_and_in_the_mapping_only(column: str) -> None:
    named = re.compile(rf"\b{column}\b")
    modules = [path for path in SOURCE.glob("storage/*.py") if any(map(named.search, texts(path)))]
    assert ["mapping.py", "tables.py"] == sorted(path.name for path in modules)
