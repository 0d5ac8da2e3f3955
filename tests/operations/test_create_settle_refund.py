"""A payment's life, from its creation to its refund, at each company."""

import pytest

from connector.domain.deadline import Deadline
from tests.operations.lifetime import ALL, HELD, IN_PART, Lifetime, P, of

pytestmark = pytest.mark.slow


@of(*HELD)
class TestCreateAfterACancellation:
    def test_what_was_approved_is_denied_without_the_code_of_the_approval(
        self, scene: Lifetime
    ) -> None:
        scene.pay()
        approved = scene.create().get_json()
        scene.rig.cancel(P)
        denied = scene.create().get_json()

        assert ("approved", "denied") == (approved["status"], denied["status"])
        assert approved["code"]
        assert (None, None) == (denied["code"], denied["message"])

    def test_what_was_refunded_stays_as_it_was_approved(self, scene: Lifetime) -> None:
        scene.settled()
        approved = scene.create().get_json()
        scene.refund()
        assert 200 == scene.rig.cancel(P).status_code

        assert approved == scene.create().get_json()


@of(*ALL)
class TestCreate:
    def test_a_payment_waits_for_its_buyer(self, scene: Lifetime) -> None:
        told = scene.begin()

        assert ("undefined", P, None) == (
            told["status"],
            told["paymentId"],
            told["authorizationId"],
        )
        assert scene.entry.has_page is bool(told["paymentUrl"])
        assert (0, 0, 0) == scene.money

    def test_a_repeat_gives_the_same_payment(self, scene: Lifetime) -> None:
        first = scene.begin()
        again = scene.create().get_json()
        creations = [name for name in scene.company.effects if name.startswith("create:")]

        assert first == again
        assert creations == ([] if not scene.entry.has_page else [f"create:{P}"])
        assert all(scene.company.effects[name] == 1 for name in creations)

    def test_the_next_create_tells_that_the_buyer_paid(self, scene: Lifetime) -> None:
        first = scene.begin()
        scene.company.pay(P)
        if not scene.entry.has_page:
            scene.notify()
        paid = scene.create().get_json()

        assert "approved" == paid["status"]
        assert paid["authorizationId"]
        assert paid["tid"] == first["tid"] or not scene.entry.has_page
        assert paid == scene.create().get_json()

    def test_an_expired_payment_is_denied_and_stays_so(self, scene: Lifetime) -> None:
        scene.begin()
        if not scene.entry.has_page:
            scene.notify()
        if not scene.entry.has_page:
            scene.company.decline(P)
        else:
            scene.company.expire(P)

        assert ["denied", "denied"] == [scene.status, scene.status]

    def test_another_amount_for_the_same_payment_is_refused(self, scene: Lifetime) -> None:
        scene.begin()
        changed = scene.create(90)

        assert (422, "request-mismatch") == (changed.status_code, changed.get_json()["code"])
        assert "undefined" == scene.create("100.00").get_json()["status"]

    def test_a_cancelled_payment_is_never_created(self, scene: Lifetime) -> None:
        scene.rig.cancel(P)
        told = scene.create().get_json()
        is_known = not scene.entry.has_page

        assert ("undefined" if is_known else "denied") == told["status"]
        assert not scene.company.effects


@of(*ALL)
class TestNotification:
    def test_vtex_is_called_back_once_the_buyer_paid(self, scene: Lifetime) -> None:
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

    def test_a_repeated_message_does_nothing(self, scene: Lifetime) -> None:
        scene.begin()
        scene.company.pay(P)
        message = scene.company.notification(P)
        first = scene.rig.send_notification(scene.company, message)
        looks = len(scene.company.calls_of("look"))
        second = scene.rig.send_notification(scene.company, message)

        assert (200, 200) == (first.status_code, second.status_code)
        assert 1 == len(scene.sink.bodies)
        assert looks == len(scene.company.calls_of("look"))

    def test_vtex_that_knows_is_not_called_back(self, scene: Lifetime) -> None:
        scene.begin()
        if not scene.entry.has_page:
            scene.notify()
        scene.company.pay(P)
        scene.create()
        scene.notify()

        assert [] == scene.sink.bodies

    def test_money_after_a_cancellation_is_released_or_listed(self, scene: Lifetime) -> None:
        scene.begin()
        if not scene.entry.has_page:
            scene.notify()
        told = scene.rig.cancel(P)
        scene.company.pay(P)
        scene.notify()
        held, taken, returned = scene.money

        if scene.entry.is_held:
            assert (0, 0) == (held, taken - returned)
        else:
            assert told.status_code == 501 or 0 == taken - returned
        assert "approved" not in [body["status"] for body in scene.sink.bodies]
        assert "approved" != scene.status


@of(*ALL)
class TestSettle:
    def test_what_is_held_is_taken_once(self, scene: Lifetime) -> None:
        scene.pay()
        first, again, other = scene.settle(), scene.settle(), scene.settle(100, "settle-2")
        told, else_told = first.get_json(), other.get_json()

        assert (200, 100) == (first.status_code, told["value"])
        assert first.data == again.data
        assert {**told, "requestId": "settle-2"} == else_told
        assert (0, 100, 0) == scene.money

    def test_without_a_request_id_it_is_settled_too(self, scene: Lifetime) -> None:
        scene.pay()
        told = scene.settle(100, None).get_json()

        assert (100, "") == (told["value"], told["requestId"])
        assert told["settleId"]

    def test_what_nobody_paid_is_not_settled(self, scene: Lifetime) -> None:
        scene.begin()
        answer = scene.settle()
        told = answer.get_json()

        assert (500, None, 0) == (answer.status_code, told["settleId"], told["value"])
        assert not told["code"].endswith("-manually")

    def test_more_than_is_held_is_not_settled(self, scene: Lifetime) -> None:
        scene.pay()
        answer = scene.settle(101)

        if scene.entry.is_held:
            assert (500, "amount-too-large") == (answer.status_code, answer.get_json()["code"])
        else:
            assert 100 == answer.get_json()["value"]


@of(*ALL)
class TestRefund:
    def test_all_is_returned_once(self, scene: Lifetime) -> None:
        scene.settled()
        first = scene.refund()
        scene.finish()
        again = scene.refund()

        assert 200 == again.status_code, again.data
        assert first.status_code in {200, 500}
        assert first.data == again.data or first.get_json()["code"] == "refund-pending"
        assert 100 == again.get_json()["value"]
        assert (0, 100, 100) == scene.money

    def test_more_than_was_settled_is_never_returned(self, scene: Lifetime) -> None:
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

    def test_what_is_not_settled_is_not_returned(self, scene: Lifetime) -> None:
        scene.begin()
        answer = scene.refund()

        assert (500, "payment-not-approved") == (answer.status_code, answer.get_json()["code"])


@of(*IN_PART)
class TestInPart:
    def test_two_equal_refunds_are_two_and_one_request_is_one(self, scene: Lifetime) -> None:
        scene.settled()
        answers = [scene.refund(30, f"refund-{n}") for n in (1, 1, 2, 2)]

        assert [200] * 4 == [answer.status_code for answer in answers]
        assert answers[0].data == answers[1].data
        assert 2 == len({answer.get_json()["refundId"] for answer in answers})
        assert (0, 100, 60) == scene.money

    def test_a_third_that_passes_the_whole_is_refused(self, scene: Lifetime) -> None:
        scene.settled()
        answers = [scene.refund(40, f"refund-{n}") for n in range(3)]

        assert [200, 200, 500] == [answer.status_code for answer in answers]
        assert "amount-too-large" == answers[2].get_json()["code"]
        assert (0, 100, 80) == scene.money


@of(*[entry for entry in ALL if not entry.in_part])
def test_a_part_is_a_persons_where_the_company_returns_all_or_nothing(scene: Lifetime) -> None:
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
def test_what_is_cancelled_is_not_settled(scene: Lifetime) -> None:
    scene.pay()
    scene.rig.cancel(P)
    told = scene.settle().get_json()

    assert (None, 0) == (told["settleId"], told["value"])
    assert "denied" == scene.status


@of(*[entry for entry in HELD if entry.in_part])
def test_a_part_is_settled_and_of_that_no_more_is_returned(scene: Lifetime) -> None:
    scene.pay()
    settled = scene.settle(60)
    more = scene.refund(61, "refund-1")
    same = scene.refund(60, "refund-2")

    assert (200, 60) == (settled.status_code, settled.get_json()["value"])
    assert [500, 200] == [more.status_code, same.status_code]
    assert (0, 60, 60) == scene.money


@of(*ALL)
@pytest.mark.parametrize("fault", ["reset_before", "status_before", "truncated", "answer"])
def test_a_payment_that_cannot_be_looked_at_is_as_undecided_as_before(
    scene: Lifetime, fault: str
) -> None:
    first = scene.begin()
    if not scene.entry.has_page:
        scene.notify()
    before = scene.create().get_json()
    scene.company.inject(fault, "look")
    blind = scene.create()

    assert (200, before) == (blind.status_code, blind.get_json())
    assert first["status"] == before["status"] == "undefined"


@of(*HELD)
def test_a_part_is_not_cancelled_as_if_it_were_all(scene: Lifetime) -> None:
    scene.pay()
    part, whole = scene.rig.cancel(P, value=33.33), scene.rig.cancel(P, "request-2", value=100)

    assert (501, "cancel-manually") == (part.status_code, part.get_json()["code"])
    assert 200 == whole.status_code
    assert (0, 0, 0) == scene.money


@of(*[entry for entry in ALL if entry.refunds_run])
def test_a_refund_that_ended_is_told_whoever_looked_first(scene: Lifetime) -> None:
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


@of(*[entry for entry in HELD if entry.in_part])
def test_a_release_that_never_arrived_stands_in_no_refunds_way(scene: Lifetime) -> None:
    scene.pay()
    scene.company.inject("reset_before", scene.entry.writes["cancel"])
    cancelled = scene.rig.cancel(P)
    settled = scene.settle()
    refunded = scene.refund()

    assert (500, "outcome-unknown") == (cancelled.status_code, cancelled.get_json()["code"])
    assert [200, 200] == [settled.status_code, refunded.status_code]
    assert (0, 100, 100) == scene.money


@of(*ALL)
def test_what_is_not_approved_is_not_settled_though_it_is_paid(scene: Lifetime) -> None:
    """VTEX wants it gone, or the amount is another."""
    scene.begin()
    if not scene.entry.has_page:
        scene.notify()
    scene.rig.execute("UPDATE payments SET is_cancel_asked = true")
    scene.company.pay(P)
    answer = scene.settle()

    assert (500, "payment-not-approved") == (answer.status_code, answer.get_json()["code"])
