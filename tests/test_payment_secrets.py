"""Every secret through a payment's whole life; then all that was shown is searched for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.companies.registry import VARIANTS, provider_of
from tests.operations.lifetime import Lifetime, P, lifetime, of
from tests.rig import Rig
from tests.sink import Sink
from tests.test_cancel_secrets import (
    CARD,
    CVV,
    FAULTS,
    STATUSES,
    Shown,
    dump,
    secrets_of,
    shown,
)

pytestmark = pytest.mark.slow

__all__ = ["shown"]  # a fixture

OUR_KEY, OUR_TOKEN = "our-own-app-key", "our-own-app-token"
SIGNATURE = "callback-signature-8d1f"
BUYER = {"email": "buyer-7f@example.com", "phone": "+79990001122"}
CARD_FIELDS = {"holder": "Holder Of Card", "number": CARD, "csc": CVV, "document": None}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as opened:
        opened.path = f"/callback?X-VTEX-signature={SIGNATURE}"
        yield opened


@pytest.fixture
def scene(request: pytest.FixtureRequest, rig: Rig, sink: Sink) -> Iterator[Lifetime]:
    variables = {
        "CONNECTOR_VTEX_APP_KEY": OUR_KEY,
        "CONNECTOR_VTEX_APP_TOKEN": OUR_TOKEN,
        "CONNECTOR_PUBLIC_URL": "https://pay.example.com",
        "CONNECTOR_ANSWER_SECONDS": "2",
        "CONNECTOR_PROVIDER_SECONDS": "0.4",
    }
    with lifetime(request.param, rig, sink, **variables) as scene:
        yield scene


def live(scene: Lifetime, shown: Shown, payment_id: str = P) -> None:
    """A payment from its creation to its refund, with all that VTEX sends."""
    mini_cart = {"buyer": BUYER, "items": [{"id": "1", "name": "A", "price": 100, "quantity": 1}]}
    settings = [
        {"name": f"{name} field", "value": value} for name, value in scene.company.settings.items()
    ]
    asked: dict[str, Any] = {
        "currency": scene.entry.currency,
        "callbackUrl": scene.sink.url,
        "miniCart": mini_cart,
        "merchantSettings": settings,
    }
    refused = scene.rig.create(payment_id, **asked, card=CARD_FIELDS)
    assert (400, "card-not-taken") == (refused.status_code, refused.get_json()["code"])
    shown.add(refused)
    shown.add(scene.rig.create(payment_id, **asked))
    if not scene.entry.has_page:
        scene.company.start(payment_id, amount=100)
    scene.company.pay(payment_id)
    message = scene.company.notification(payment_id)
    shown.add(scene.rig.send_notification(scene.company, (message[0][:-1] + b"A", message[1])))
    shown.add(scene.rig.send_notification(scene.company, message))
    shown.add(scene.rig.settle(payment_id, merchantSettings=settings))
    shown.add(scene.rig.refund(payment_id, merchantSettings=settings))
    shown.add(scene.rig.cancel(payment_id))


def secrets(scene: Lifetime) -> list[str]:
    hidden = [one for one in secrets_of(scene.company) if one not in scene.entry.settings.values()]
    holder = CARD_FIELDS["holder"]
    return [*hidden, OUR_KEY, OUR_TOKEN, SIGNATURE, CARD, CVV, holder, *BUYER.values()]


@of(*VARIANTS)
def test_a_payments_whole_life_shows_no_secret(scene: Lifetime, shown: Shown) -> None:
    live(scene, shown)
    scene.rig.reconcile()

    assert "approved" == scene.sink.bodies[0]["status"]
    assert set() == shown.found(secrets(scene))
    assert "answer" in shown.log.getvalue()


@of(*VARIANTS)
def test_nothing_secret_is_stored_in_the_clear(scene: Lifetime, shown: Shown) -> None:
    live(scene, shown)
    stored = dump(scene.rig)

    assert P in stored
    assert [] == [secret for secret in secrets(scene) if secret in stored]


@of(*VARIANTS)
@pytest.mark.parametrize(
    "card",
    [
        CARD_FIELDS,
        {"number": CARD},
        {"number": int(CARD)},
        {"number": {"value": CARD}},
        {"numberToken": f"#vtex#{CARD}"},
        CARD,
        int(CARD),
        [{"number": CARD}],
    ],
)
def test_a_card_for_a_company_is_refused_and_nothing_of_it_kept(
    scene: Lifetime, shown: Shown, card: object
) -> None:
    answer = scene.rig.create(P, currency=scene.entry.currency, card=card)

    assert (400, "card-not-taken") == (answer.status_code, answer.get_json()["code"])
    (method, *_) = scene.rig.connector.providers[provider_of(scene.company)].payment_methods
    assert f"the payment method {method}" in answer.get_json()["message"]
    shown.add(answer)
    assert set() == shown.found([CARD, CVV, "Holder Of Card"])
    for table in ("payments", "requests", "events"):
        assert [] == scene.rig.execute(f"SELECT * FROM {table}")  # noqa: S608 - names above
    assert [] == scene.company.calls


@of(*VARIANTS)
@pytest.mark.parametrize(
    "fields",
    [
        {"card": {"Number": CARD, "pan": CARD}},
        {"card": {"card": {"number": CARD}}},
        {"Card": {"number": CARD}, "cardNumber": CARD, "payments": [{"card": {"number": CARD}}]},
        {"miniCart": {"card": CARD, "buyer": {"card": CARD}}},
    ],
)
def test_a_card_number_under_no_name_of_vtexs_goes_nowhere(
    scene: Lifetime, shown: Shown, fields: dict[str, Any]
) -> None:
    shown.add(scene.rig.create(P, currency=scene.entry.currency, **fields))
    sent = b"".join(call.body for call in scene.company.calls)
    shown.texts += [dump(scene.rig), sent.decode("latin-1")]
    assert set() == shown.found([CARD])


@of(*VARIANTS)
@pytest.mark.parametrize("word", [None, "null", ""])
def test_a_card_of_nulls_is_none(scene: Lifetime, word: str | None) -> None:
    card = dict.fromkeys(("holder", "number", "csc"), word) | {"expiration": {"month": word}}
    assert 200 == scene.rig.create(P, currency=scene.entry.currency, card=card).status_code


@of(*VARIANTS)
@pytest.mark.parametrize("operation", ["create", "look", "capture", "refund", "callback"])
def test_no_fault_shows_a_secret(scene: Lifetime, shown: Shown, operation: str) -> None:
    """Whatever goes wrong, and whatever the other side repeats of what it was sent."""
    company = scene.sink if operation == "callback" else scene.company
    mirror = " ".join(secrets(scene)).encode()
    for number, fault in enumerate(FAULTS):
        company.inject(fault, operation, seconds=0.6, body=mirror)
        live_or_not(scene, shown, f"F{number}")
    for status in STATUSES:
        company.inject("status_before", operation, status=status, body=mirror)
        live_or_not(scene, shown, f"S{status}")
    scene.rig.let_callbacks_be_due()
    scene.rig.reconcile()

    assert set() == shown.found(secrets(scene))


def live_or_not(scene: Lifetime, shown: Shown, payment_id: str) -> None:
    try:
        live(scene, shown, payment_id)
    except KeyError:
        # A create that failed left the stand-in without a payment to pay.
        assert "500" in shown.texts[-1] or "denied" in shown.texts[-1]
