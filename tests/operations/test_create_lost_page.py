"""A payment whose page was lost with the company's answer is ended, and VTEX is told so."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from connector.domain.deadline import Deadline
from connector.domain.errors import OutcomeUnknown, ProviderRefused
from connector.domain.merchant import Merchant
from connector.domain.operation import CreateRequest, Reply
from connector.domain.order import Order
from connector.domain.payment import (
    CreateResult,
    Effect,
    Look,
    PaymentKey,
    PaymentStatus,
    Standing,
    WriteResult,
)
from connector.http_client import HttpClient
from connector.provider import Call, Hosts
from connector.providers.sandbox import Sandbox
from tests.operations.assembly import operations_at
from tests.storage.store import Store


class LosesPages(Sandbox):
    """A company in this process: it creates every payment and never says where to pay it."""

    create_is_idempotent = False
    cancellable = frozenset({Standing.UNPAID})

    def __init__(self, failure: Exception) -> None:
        super().__init__(HttpClient("sandbox"), Hosts(Sandbox.url, Sandbox.url))
        self.failure = failure
        self.orders: dict[str, Standing] = {}

    def look(self, call: Call) -> Look:
        return Look(self.orders.get(call.payment.payment_id, Standing.ABSENT))

    def create(self, order: Order, call: Call) -> CreateResult:
        self.orders[order.payment_id] = Standing.UNPAID
        raise self.failure

    def cancel(self, call: Call) -> WriteResult:
        self.orders[call.payment.payment_id] = Standing.UNDONE
        return WriteResult(Effect.DONE)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    store = Store(sqlite_url)
    yield store
    store.database.close()


def created(store: Store, company: Sandbox) -> Reply:
    providers = {"sandbox": company}
    request = CreateRequest(
        1, PaymentKey("P1"), order=Order("P1", Decimal(10), "EUR"), callback_url="https://any"
    )
    operations = operations_at(store, providers)
    return operations.answer(Merchant(1, "shop", "sandbox", {}), request, Deadline.after(10))


def status(reply: Reply) -> str:
    told: str = json.loads(reply.body)["status"]
    return told


def test_a_payment_ended_after_a_lost_answer_is_denied_by_the_same_answer(store: Store) -> None:
    company = LosesPages(OutcomeUnknown())

    replies = [created(store, company) for _ in range(3)]

    assert (PaymentStatus.CANCELLED, Standing.UNDONE) == (
        store.known().status,
        company.orders["P1"],
    )
    assert ["denied"] * 3 == [status(reply) for reply in replies]


def test_a_payment_ended_after_a_refusal_is_denied_by_the_same_answer(store: Store) -> None:
    company = LosesPages(ProviderRefused())

    replies = [created(store, company) for _ in range(3)]

    assert (PaymentStatus.CANCELLED, Standing.UNDONE) == (
        store.known().status,
        company.orders["P1"],
    )
    assert ["denied"] * 3 == [status(reply) for reply in replies]
