"""The operations at a store, without the rest of the app."""

from collections.abc import Mapping
from functools import partial

from connector.domain.operation import Operation
from connector.idempotency import IdempotentRunner
from connector.operations.cancel import CancelJob
from connector.operations.create import CreateJob
from connector.operations.operations import Operations
from connector.operations.refund import RefundJob
from connector.operations.settle import SettleJob
from connector.provider import Provider
from connector.vtex import answers
from tests.storage.store import Store


def operations_at(
    store: Store, providers: Mapping[str, Provider], lease_seconds: float = 23
) -> Operations:
    create = partial(
        CreateJob,
        payments=store.payments,
        render_payment=answers.render_creation(providers),
    )
    return Operations(
        IdempotentRunner(store.requests, lease_seconds),
        providers,
        {
            Operation.CREATE: create,
            Operation.CANCEL: partial(CancelJob, render=answers.render_cancellation(501)),
            Operation.SETTLE: partial(SettleJob, render=answers.render_settlement()),
            Operation.REFUND: partial(RefundJob, render=answers.render_refund(501)),
        },
    )
