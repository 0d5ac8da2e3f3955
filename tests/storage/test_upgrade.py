"""A database that a released connector used keeps everything, and goes on."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

import connector.storage
from connector.domain.attempt_end import AttemptEnd
from connector.domain.operation import (
    CallbackChange,
    CancelRequest,
    Lease,
    Outcome,
    Reply,
    State,
    StoredReply,
)
from connector.domain.payment import Payment, PaymentKey, PaymentStatus
from connector.domain.write import Write, WriteState
from connector.storage.database import Database
from connector.storage.migrate import migrate
from connector.storage.payments import Payments
from connector.storage.requests import Requests

# What a connector of revision 0001 left: a cancelled payment with a kept reply, and one whose
# release was sent and never answered.
ROWS_OF_0001: dict[str, list[dict[str, Any]]] = {
    "merchants": [
        {
            "name": "shop",
            "provider": "sandbox",
            "app_key": "key",
            "settings": "sealed",
            "sandbox": False,
            "captured": "manual",
            "disabled": False,
            "revision": 1,
            "created_at": 1.5,
            "updated_at": 2.5,
        }
    ],
    "merchant_tokens": [{"merchant_id": 1, "digest": "digest", "created_at": 1.5}],
    "payments": [
        {
            "merchant_id": 1,
            "payment_id": "P1",
            "authorization_id": "\\u00e9",
            "provider_payment_id": "tid",
            "status": "CANCELLED",
            "sandbox": True,
            "cancellation_id": "cancellation-1",
            "sends": 1,
            "created_at": 1.5,
            "updated_at": 2.5,
        },
        {
            "merchant_id": 1,
            "payment_id": "P2",
            "status": "PENDING",
            "sandbox": False,
            "sends": 1,
            "lease_claim": "a killed worker's",
            "lease_token": "token",
            "lease_until": 2.5,
            "created_at": 1.5,
            "updated_at": 2.5,
        },
    ],
    "requests": [
        {
            "id": CancelRequest(1, PaymentKey("P1"), "\0").claim_id,
            "merchant_id": 1,
            "operation": "cancel",
            "payment_id": "P1",
            "request_id": "\\u0000",
            "sandbox": True,
            "value": "10.00",
            "state": "done",
            "message": "Cancelled",
            "reference": "reference-1",
            "attempts": 2,
            "reply_status": 200,
            "reply_body": b"any \xff bytes",
            "looks": 1,
            "created_at": 1.5,
            "updated_at": 2.5,
        },
        {
            "id": CancelRequest(1, PaymentKey("P2"), "request-2").claim_id,
            "merchant_id": 1,
            "operation": "cancel",
            "payment_id": "P2",
            "request_id": "request-2",
            "sandbox": False,
            "state": "running",
            "reference": "reference-2",
            "attempts": 1,
            "looks": 0,
            "next_look_at": 3.5,
            "created_at": 1.5,
            "updated_at": 2.5,
        },
    ],
    "sends": [
        {
            "merchant_id": 1,
            "payment_id": payment_id,
            "action": "release",
            "number": 1,
            "reference": reference,
            "state": state,
            "failures_before": 2,
            "sent_at": 2.5,
        }
        for payment_id, reference, state in (
            ("P1", "reference-1", "done"),
            ("P2", "reference-2", "open"),
        )
    ],
    "events": [
        {
            "request": CancelRequest(1, PaymentKey("P1"), "\0").claim_id,
            "at": 2.5,
            "state": "done",
            "message": "Cancelled",
        }
    ],
}


def insert(database: Database, table: str, row: dict[str, Any]) -> None:
    columns, values = ", ".join(row), ", ".join(f":{name}" for name in row)
    with database.write() as connection:
        connection.run(f"INSERT INTO {table} ({columns}) VALUES ({values})", **row)  # noqa: S608


def kept_of_0001(database: Database) -> dict[str, list[Any]]:
    """Read the rows back, in the columns that were written."""
    found = {}
    for table, rows in ROWS_OF_0001.items():
        columns = ", ".join(dict.fromkeys(name for row in rows for name in row))
        with database.read() as connection:
            found[table] = connection.all(f"SELECT {columns} FROM {table} ORDER BY 1, 2")  # noqa: S608
    return found


@pytest.fixture
def old_database(database_url: str) -> Iterator[Database]:
    """A database of revision 0001 that was in use."""
    database = Database(database_url.replace("postgresql://", "postgresql+psycopg://"))
    upgrade_to(database, "0001")
    for table, rows in ROWS_OF_0001.items():
        for row in rows:
            insert(database, table, row)
    yield database
    database.close()


def upgrade_to(database: Database, revision: str) -> None:
    config = Config()
    folder = Path(connector.storage.__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder))
    config.attributes["engine"] = database.engine
    command.upgrade(config, revision)


def test_an_upgrade_keeps_every_row(old_database: Database) -> None:
    before = kept_of_0001(old_database)
    assert not old_database.is_ready()
    migrate(old_database)
    assert before == kept_of_0001(old_database)
    assert {table: len(rows) for table, rows in ROWS_OF_0001.items()} == {
        table: len(rows) for table, rows in before.items()
    }
    assert old_database.is_ready()


def test_merchants_that_were_there_take_no_settings_from_requests(old_database: Database) -> None:
    migrate(old_database)
    with old_database.read() as connection:
        assert {"settings_from": "connector", "fields_seen": None} == connection.first_row(
            "SELECT settings_from, fields_seen FROM merchants"
        )
        assert [] == connection.all("SELECT * FROM admin_events")


def test_what_was_cancelled_before_an_upgrade_is_still_answered(old_database: Database) -> None:
    migrate(old_database)
    requests, payments = Requests(old_database), Payments(old_database)
    kept = StoredReply(Reply(200, b"any \xff bytes"), Decimal("10.00"))
    repeat = CancelRequest(1, PaymentKey("P1"), "\0")
    assert (
        kept
        == requests.stored_reply(repeat)
        == requests.claim(repeat, lease_seconds=60, first_look=60)
    )
    assert payments.find(1, "P1") == Payment(
        PaymentKey("P1", "é", "tid"),
        PaymentStatus.CANCELLED,
        sandbox=True,
        cancellation_id="cancellation-1",
    )
    assert [] == payments.due_callbacks(10)


def test_what_was_open_before_an_upgrade_is_finished_after_it(old_database: Database) -> None:
    migrate(old_database)
    requests, payments = Requests(old_database), Payments(old_database)
    (due,) = requests.due(10)
    assert CancelRequest(1, PaymentKey("P2"), "request-2") == due.request
    lease = requests.claim_due(due.request, lease_seconds=60)
    assert isinstance(lease, Lease)
    (send,) = lease.writes
    assert Write("release", 1, "reference-2", WriteState.OPEN, send.age, 2) == send
    requests.start_write(lease, send, lease.payment, {})
    end = AttemptEnd(
        Outcome(State.DONE, None, "Cancelled", is_final=True),
        lease.payment.moved(PaymentStatus.CANCELLED),
        Reply(200, b"{}"),
        write_states={("release", 1): WriteState.DONE},
        looks=1,
        callback_change=CallbackChange.DROPPED,
    )
    requests.record_outcome(lease, end)
    known = payments.find(1, "P2")
    assert known
    assert PaymentStatus.CANCELLED is known.status
    assert requests.stored_reply(due.request) == StoredReply(Reply(200, b"{}"), None)


@pytest.mark.parametrize("status", [501, 200])
def test_an_answer_for_a_person_that_was_kept_before_an_upgrade_is_not_kept_after_it(
    old_database: Database, status: int
) -> None:
    body = b'{"paymentId": "P6", "code": "cancel-manually", "message": "..."}'
    asked = CancelRequest(1, PaymentKey("P6"), "cancel-manually")
    row = {**ROWS_OF_0001["requests"][0], "id": asked.claim_id, "payment_id": "P6"}
    row |= {"request_id": asked.request_id, "state": "manual", "reply_status": status}
    insert(old_database, "payments", {**ROWS_OF_0001["payments"][1], "payment_id": "P6"})
    insert(old_database, "requests", {**row, "reply_body": body})
    of_another = CancelRequest(1, PaymentKey("P7"), "cancel-manually")
    insert(old_database, "payments", {**ROWS_OF_0001["payments"][0], "payment_id": "P7"})
    row |= {"id": of_another.claim_id, "payment_id": "P7", "state": "done", "reply_status": 200}
    done = b'{"code": null, "requestId": "cancel-manually"}'
    insert(old_database, "requests", {**row, "reply_body": done})
    migrate(old_database)
    requests, payments = Requests(old_database), Payments(old_database)
    assert requests.stored_reply(asked) is None
    assert requests.stored_reply(of_another) == StoredReply(Reply(200, done), Decimal("10.00"))
    lease = requests.claim(asked, lease_seconds=60, first_look=60)
    assert isinstance(lease, Lease)
    assert (True, True) == (lease.is_listed, lease.payment.is_manual)
    known = payments.find(1, "P7")
    assert known
    assert not known.is_manual


def test_any_cancellation_id_kept_by_revision_0001_is_read(old_database: Database) -> None:
    """It was kept as the company wrote it, without escapes."""
    told = {"P3": 'a "quoted" one', "P4": "back\\slash", "P5": "tab\t", "P6": "é"}
    for payment_id, cancellation_id in told.items():
        row = {**ROWS_OF_0001["payments"][0], "payment_id": payment_id}
        insert(old_database, "payments", {**row, "cancellation_id": cancellation_id})
    migrate(old_database)
    payments = Payments(old_database)
    known = {payment_id: payments.find(1, payment_id) for payment_id in told}
    assert told == {name: one and one.cancellation_id for name, one in known.items()}


def test_a_connector_of_revision_0001_still_writes_beside_a_newer_one(
    old_database: Database,
) -> None:
    migrate(old_database)
    insert(old_database, "payments", {**ROWS_OF_0001["payments"][0], "payment_id": "P9"})
    insert(old_database, "sends", {**ROWS_OF_0001["sends"][0], "payment_id": "P9"})
    lease = Requests(old_database).claim(
        CancelRequest(1, PaymentKey("P9"), "request-9"), lease_seconds=60, first_look=60
    )
    assert isinstance(lease, Lease)
    assert (False, False) == (lease.payment.is_cancel_asked, lease.payment.is_created)
    assert ["done"] == [send.state for send in lease.writes]
