"""The end of a payment's story: nothing goes wrong any more, and everything comes to its end."""

from connector.domain.operation import State
from tests.stateful.world import ZERO, PaymentHistory

ENDED = {State.DONE.value, State.MANUAL.value, State.FAILED.value}
STILL_UNPAID = ("create", State.WAITING.value)


def settle_down(world: PaymentHistory) -> None:
    """Let nothing go wrong any more, and see that everything comes to its end."""
    world.company.faults.clear()
    world.sink.faults.clear()
    world.before.clear()
    world.after.clear()
    world.restart()
    world.side.mood("at once")
    _let_all_end(world)
    world.check()
    _check_rows(world)
    for asked in world.told.unfinished():
        world.ask(asked)
        world.check()
    _let_all_end(world)
    for asked in world.told.unfinished():
        world.ask(asked)
    world.check()
    _check_rows(world)
    _check_the_end(world)


def _let_all_end(world: PaymentHistory) -> None:
    for _ in range(4):
        world.pass_time()
        if world.side.exists:
            world.change_money(world.side.finish)
            world.notify(world.side.notification())
        world.reconcile()
    world.rig.connector.callbacks.deliver_due()


def _check_rows(world: PaymentHistory) -> None:
    left = [one for one in world.states() if one[1] not in ENDED]
    if _may_stay_unpaid(world):
        left = [one for one in left if one != STILL_UNPAID]
    assert not left, left


def _may_stay_unpaid(world: PaymentHistory) -> bool:
    """Whether VTEX may hear "undefined" still: it knows of no end, and there is none it may know.

    Nobody paid, or not what was asked for; or VTEX wants gone what only a person can end.
    """
    side = world.side
    is_unpaid = not side.exists or side.is_unpaid or world.is_underpaid
    is_a_persons = bool(world.whole_cancels) and ("cancel", State.MANUAL.value) in world.states()
    return world.told.status != "approved" and (is_unpaid or is_a_persons)


def _check_the_end(world: PaymentHistory) -> None:
    told = world.told
    held, taken, returned = world.side.money
    is_over = told.is_cancelled or told.status == "denied"
    # A row of a refund tells of that refund alone.
    is_listed = State.MANUAL.value in {
        state for operation, state in world.states() if operation != "refund" or told.manual
    }
    if is_over:
        assert (held, taken) == (ZERO, returned) or is_listed, world.side.money
    elif world.whole_cancels:
        assert held == ZERO or is_listed, f"held, though cancelled: {world.side.money}"
    if told.of("settle") and not told.is_cancelled and taken and told.status == "approved":
        assert told.settled == taken, (told.settled, world.side.money)
    if not (told.is_cancelled and world.may_refund):
        assert told.refunded == returned, (told.refunds, world.side.money)
