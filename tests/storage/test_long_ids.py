"""An id of any length is stored, because an id that cannot be stored would stop a cancellation."""

import random
import string

from connector.domain.operation import CancelRequest
from connector.domain.payment import PaymentKey
from tests.storage.store import Store

# No database can compress these characters much.
LONG = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=100_000))


def test_a_long_id_of_a_company_does_not_stop_a_cancellation(store: Store) -> None:
    key = PaymentKey("P1", authorization_id=LONG, provider_payment_id=LONG[::-1])
    lease = store.lease(CancelRequest(1, key, "C1"))
    assert key == lease.payment.key
