"""A payment's life, from its creation to its refund, at each company."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from connector.domain.deadline import Deadline
from connector.domain.operation import DueRequest
from tests.companies.cryptomus import Cryptomus
from tests.companies.rustore import RuStore
from tests.companies.tranzzo import TranzzoCompany
from tests.companies.yandex_pay import YandexPayCompany
from tests.operations.sink import Sink, sink
from tests.rig import Rig

P = "9E2D4A6B8C0F41D3A5B7C9E1F2039485"


@dataclass(frozen=True)
class Kind:
    """One company as one merchant uses it."""

    name: str
    stand_in: Any
    settings: dict[str, str] = field(default_factory=dict)
    is_held: bool = True
    has_page: bool = True
    in_part: bool = True
    currency: str = "RUB"
    database: str = "sqlite_url"

    def __str__(self) -> str:
        return self.name


KINDS = [
    Kind("tranzzo-auth", TranzzoCompany),
    Kind("tranzzo-on-postgresql", TranzzoCompany, database="fresh_postgres_url"),
    Kind("tranzzo-purchase", TranzzoCompany, {"stage": "purchase"}, is_held=False),
    Kind("yandex-two-stages", YandexPayCompany),
    Kind("yandex-one-stage", lambda: YandexPayCompany(one_stage=True), is_held=False),
    Kind("rustore", RuStore, has_page=False, in_part=False),
    Kind(
        "cryptomus",
        Cryptomus,
        {"refund_address": "TDD97yguPESTpcrJMqU6h2ozZbibv4Vaqm"},
        is_held=False,
        in_part=False,
        currency="USD",
    ),
]
HELD = [kind for kind in KINDS if kind.is_held]
IN_PART = [kind for kind in KINDS if kind.in_part]


@dataclass
class Scene:
    """A connector, one company's stand-in as its provider, and VTEX's callback address."""

    kind: Kind
    rig: Rig
    company: Any
    sink: Sink

    def create(self, value: Any = 100, **fields: Any) -> Any:
        currency = self.kind.currency
        url = self.sink.url
        return self.rig.create(P, value, currency=currency, callbackUrl=url, **fields)

    def begin(self, value: Any = 100) -> dict[str, Any]:
        """Create a payment; the buyer comes to where it is paid."""
        answer = self.create(value)
        assert 200 == answer.status_code, answer.data
        if not self.kind.has_page:
            self.company.start(P, amount=value)
        told: dict[str, Any] = answer.get_json()
        return told

    def pay(self, value: Any = 100) -> None:
        self.begin(value)
        self.company.pay(P)
        assert 200 == self.notify().status_code

    def settle(self, value: Any = 100, request_id: str | None = "settle-1") -> Any:
        return self.rig.settle(P, value, request_id)

    def settled(self, value: Any = 100) -> None:
        self.pay(value)
        assert 200 == self.settle(value).status_code

    def refund(self, value: Any = 100, request_id: str = "refund-1") -> Any:
        return self.rig.refund(P, value, request_id)

    def notify(self) -> Any:
        return self.rig.notify(self.company, P)

    @property
    def money(self) -> tuple[int, int, int]:
        held, taken, returned = self.company.money(P)
        return int(held), int(taken), int(returned)

    @property
    def status(self) -> str:
        answer: str = self.create().get_json()["status"]
        return answer

    def finish(self) -> None:
        self.company.finish(P)

    def due(self, operation: str) -> DueRequest:
        """Let reconcile's time come; return what it is to look at."""
        self.rig.make_due()
        found = self.rig.connector.requests.due(100)
        return next(due for due in found if due.request.operation == operation)


@pytest.fixture
def a_sink() -> Iterator[Sink]:
    with sink() as opened:
        yield opened


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, a_sink: Sink) -> Iterator[Scene]:
    kind: Kind = request.param
    url = request.getfixturevalue(kind.database)
    with kind.stand_in() as company, Rig(url, tmp_path) as rig:
        rig.add(company, **kind.settings)
        rig.configure(
            CONNECTOR_CALLBACK_HOSTS=a_sink.host,
            CONNECTOR_VTEX_APP_KEY="our-key",
            CONNECTOR_VTEX_APP_TOKEN="our-token",
            CONNECTOR_PUBLIC_URL="https://pay.example.com",
        )
        yield Scene(kind, rig, company, a_sink)


def of(*kinds: Kind) -> Any:
    return pytest.mark.parametrize("scene", kinds, indirect=True, ids=str)


@of(*HELD)
class TestCreateAfterACancellation:
    def test_what_was_approved_is_denied_without_the_code_of_the_approval(
        self, scene: Scene
    ) -> None:
        scene.pay()
        approved = scene.create().get_json()
        scene.rig.cancel(P)
        denied = scene.create().get_json()

        assert ("approved", "denied") == (approved["status"], denied["status"])
        assert approved["code"]
        assert (None, None) == (denied["code"], denied["message"])

    def test_what_was_refunded_stays_as_it_was_approved(self, scene: Scene) -> None:
        scene.settled()
        approved = scene.create().get_json()
        scene.refund()
        assert 200 == scene.rig.cancel(P).status_code

        assert approved == scene.create().get_json()


@of(*KINDS)
class TestCreate:
    def test_a_payment_waits_for_its_buyer(self, scene: Scene) -> None:
        told = scene.begin()

        assert ("undefined", P, None) == (
            told["status"],
            told["paymentId"],
            told["authorizationId"],
        )
        assert scene.kind.has_page is bool(told["paymentUrl"])
        assert (0, 0, 0) == scene.money

    def test_a_repeat_gives_the_same_payment(self, scene: Scene) -> None:
        first = scene.begin()
        again = scene.create().get_json()
        creations = [name for name in scene.company.effects if name.startswith("create:")]

        assert first == again
        assert creations == ([] if not scene.kind.has_page else [f"create:{P}"])
        assert all(scene.company.effects[name] == 1 for name in creations)

    def test_the_next_create_tells_that_the_buyer_paid(self, scene: Scene) -> None:
        first = scene.begin()
        scene.company.pay(P)
        if not scene.kind.has_page:
            scene.notify()
        paid = scene.create().get_json()

        assert "approved" == paid["status"]
        assert paid["authorizationId"]
        assert paid["tid"] == first["tid"] or not scene.kind.has_page
        assert paid == scene.create().get_json()

    def test_an_expired_payment_is_denied_and_stays_so(self, scene: Scene) -> None:
        scene.begin()
        if not scene.kind.has_page:
            scene.notify()
        if isinstance(scene.company, RuStore):
            scene.company.decline(P)
        else:
            scene.company.expire(P)

        assert ["denied", "denied"] == [scene.status, scene.status]

    def test_another_amount_for_the_same_payment_is_refused(self, scene: Scene) -> None:
        scene.begin()
        changed = scene.create(90)

        assert (422, "request-mismatch") == (changed.status_code, changed.get_json()["code"])
        assert "undefined" == scene.create("100.00").get_json()["status"]

    def test_a_cancelled_payment_is_never_created(self, scene: Scene) -> None:
        scene.rig.cancel(P)
        told = scene.create().get_json()
        is_known = isinstance(scene.company, RuStore)

        assert ("undefined" if is_known else "denied") == told["status"]
        assert not scene.company.effects


@of(*KINDS)
class TestNotification:
    def test_vtex_is_called_back_once_the_buyer_paid(self, scene: Scene) -> None:
        scene.pay()
        (told,) = scene.sink.bodies
        (call,) = scene.sink.calls

        assert told == scene.create().get_json()
        assert "approved" == told["status"]
        assert scene.sink.path == f"{call.path}?{call.query}"
        assert ("our-key", "our-token") == (
            call.headers["X-VTEX-API-AppKey"],
            call.headers["X-VTEX-API-AppToken"],
        )

    def test_a_repeated_message_does_nothing(self, scene: Scene) -> None:
        scene.begin()
        scene.company.pay(P)
        message = scene.company.notification(P)
        first = scene.rig.send_notification(scene.company, message)
        looks = len(scene.company.calls_of("look"))
        second = scene.rig.send_notification(scene.company, message)

        assert (200, 200) == (first.status_code, second.status_code)
        assert 1 == len(scene.sink.bodies)
        assert looks == len(scene.company.calls_of("look"))

    def test_vtex_that_knows_is_not_called_back(self, scene: Scene) -> None:
        scene.begin()
        if not scene.kind.has_page:
            scene.notify()
        scene.company.pay(P)
        scene.create()
        scene.notify()

        assert [] == scene.sink.bodies

    def test_money_after_a_cancellation_is_released_or_listed(self, scene: Scene) -> None:
        scene.begin()
        if not scene.kind.has_page:
            scene.notify()
        told = scene.rig.cancel(P)
        scene.company.pay(P)
        scene.notify()
        held, taken, returned = scene.money

        if scene.kind.is_held:
            assert (0, 0) == (held, taken - returned)
        else:
            assert told.status_code == 501 or 0 == taken - returned
        assert "approved" not in [body["status"] for body in scene.sink.bodies]
        assert "approved" != scene.status


@of(*KINDS)
class TestSettle:
    def test_what_is_held_is_taken_once(self, scene: Scene) -> None:
        scene.pay()
        first, again, other = scene.settle(), scene.settle(), scene.settle(100, "settle-2")
        told, else_told = first.get_json(), other.get_json()

        assert (200, 100) == (first.status_code, told["value"])
        assert first.data == again.data
        assert {**told, "requestId": "settle-2"} == else_told
        assert (0, 100, 0) == scene.money

    def test_without_a_request_id_it_is_settled_too(self, scene: Scene) -> None:
        scene.pay()
        told = scene.settle(100, None).get_json()

        assert (100, "") == (told["value"], told["requestId"])
        assert told["settleId"]

    def test_what_nobody_paid_is_not_settled(self, scene: Scene) -> None:
        scene.begin()
        answer = scene.settle()
        told = answer.get_json()

        assert (500, None, 0) == (answer.status_code, told["settleId"], told["value"])
        assert not told["code"].endswith("-manually")

    def test_more_than_is_held_is_not_settled(self, scene: Scene) -> None:
        scene.pay()
        answer = scene.settle(101)

        if scene.kind.is_held:
            assert (500, "amount-too-large") == (answer.status_code, answer.get_json()["code"])
        else:
            assert 100 == answer.get_json()["value"]


@of(*KINDS)
class TestRefund:
    def test_all_is_returned_once(self, scene: Scene) -> None:
        scene.settled()
        first = scene.refund()
        scene.finish()
        again = scene.refund()

        assert 200 == again.status_code, again.data
        assert first.status_code in {200, 500}
        assert first.data == again.data or first.get_json()["code"] == "refund-pending"
        assert 100 == again.get_json()["value"]
        assert (0, 100, 100) == scene.money

    def test_more_than_was_settled_is_never_returned(self, scene: Scene) -> None:
        scene.settled()
        scene.refund()
        scene.finish()
        scene.refund()
        more = scene.refund(1, "refund-2")

        assert (500, None, 0) == (
            more.status_code,
            more.get_json()["refundId"],
            more.get_json()["value"],
        )
        assert (0, 100, 100) == scene.money

    def test_what_is_not_settled_is_not_returned(self, scene: Scene) -> None:
        scene.begin()
        answer = scene.refund()

        assert (500, "payment-not-approved") == (answer.status_code, answer.get_json()["code"])


@of(*IN_PART)
class TestInPart:
    def test_two_equal_refunds_are_two_and_one_request_is_one(self, scene: Scene) -> None:
        scene.settled()
        answers = [scene.refund(30, f"refund-{n}") for n in (1, 1, 2, 2)]

        assert [200] * 4 == [answer.status_code for answer in answers]
        assert answers[0].data == answers[1].data
        assert 2 == len({answer.get_json()["refundId"] for answer in answers})
        assert (0, 100, 60) == scene.money

    def test_a_third_that_passes_the_whole_is_refused(self, scene: Scene) -> None:
        scene.settled()
        answers = [scene.refund(40, f"refund-{n}") for n in range(3)]

        assert [200, 200, 500] == [answer.status_code for answer in answers]
        assert "amount-too-large" == answers[2].get_json()["code"]
        assert (0, 100, 80) == scene.money


@of(*[kind for kind in KINDS if not kind.in_part])
def test_a_part_is_a_persons_where_the_company_returns_all_or_nothing(scene: Scene) -> None:
    scene.settled()
    answer = scene.refund(40)

    assert (501, "refund-manually", None, 0) == (
        answer.status_code,
        answer.get_json()["code"],
        answer.get_json()["refundId"],
        answer.get_json()["value"],
    )
    assert answer.data == scene.refund(40).data
    assert (0, 100, 0) == scene.money


@of(*HELD)
def test_what_is_cancelled_is_not_settled(scene: Scene) -> None:
    scene.pay()
    scene.rig.cancel(P)
    told = scene.settle().get_json()

    assert (None, 0) == (told["settleId"], told["value"])
    assert "denied" == scene.status


@of(*[kind for kind in HELD if kind.in_part])
def test_a_part_is_settled_and_of_that_no_more_is_returned(scene: Scene) -> None:
    scene.pay()
    settled = scene.settle(60)
    more = scene.refund(61, "refund-1")
    same = scene.refund(60, "refund-2")

    assert (200, 60) == (settled.status_code, settled.get_json()["value"])
    assert [500, 200] == [more.status_code, same.status_code]
    assert (0, 60, 60) == scene.money


@of(*KINDS)
@pytest.mark.parametrize("fault", ["reset_before", "status_before", "truncated", "answer"])
def test_a_payment_that_cannot_be_looked_at_is_as_undecided_as_before(
    scene: Scene, fault: str
) -> None:
    first = scene.begin()
    if not scene.kind.has_page:
        scene.notify()
    before = scene.create().get_json()
    scene.company.inject(fault, "look")
    blind = scene.create()

    assert (200, before) == (blind.status_code, blind.get_json())
    assert first["status"] == before["status"] == "undefined"


@of(*HELD)
def test_a_part_is_not_cancelled_as_if_it_were_all(scene: Scene) -> None:
    scene.pay()
    part, whole = scene.rig.cancel(P, value=33.33), scene.rig.cancel(P, "request-2", value=100)

    assert (501, "cancel-manually") == (part.status_code, part.get_json()["code"])
    assert 200 == whole.status_code
    assert (0, 0, 0) == scene.money


@of(*[kind for kind in KINDS if kind.stand_in is Cryptomus])
def test_a_refund_that_ended_is_told_whoever_looked_first(scene: Scene) -> None:
    scene.settled()
    scene.rig.cancel(P)
    assert "refund-pending" == scene.refund().get_json()["code"]
    scene.finish()
    scene.rig.connector.operations.reconcile(
        scene.rig.connector.merchants.find("shop").merchant, scene.due("cancel"), Deadline.after(9)
    )

    told = scene.refund().get_json()

    assert (100, None) == (told["value"], told["code"])
    assert "approved" == scene.status


@of(*[kind for kind in HELD if kind.in_part])
def test_a_release_that_never_arrived_stands_in_no_refunds_way(scene: Scene) -> None:
    scene.pay()
    scene.company.inject(
        "reset_before", "void" if scene.kind.stand_in is TranzzoCompany else "cancel"
    )
    cancelled = scene.rig.cancel(P)
    settled = scene.settle()
    refunded = scene.refund()

    assert (500, "outcome-unknown") == (cancelled.status_code, cancelled.get_json()["code"])
    assert [200, 200] == [settled.status_code, refunded.status_code]
    assert (0, 100, 100) == scene.money


@of(*KINDS)
def test_what_is_not_approved_is_not_settled_though_it_is_paid(scene: Scene) -> None:
    """VTEX wants it gone, or the amount is another."""
    scene.begin()
    if not scene.kind.has_page:
        scene.notify()
    scene.rig.execute("UPDATE payments SET is_cancel_asked = true")
    scene.company.pay(P)
    answer = scene.settle()

    assert (500, "payment-not-approved") == (answer.status_code, answer.get_json()["code"])
