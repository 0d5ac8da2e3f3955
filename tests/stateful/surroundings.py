"""What happens around VTEX's requests: the buyer, the company, the network, and time."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.stateful.asks import ASKS, BUYER, FAULTS
from tests.stateful.told import AMOUNT, Asked
from tests.stateful.world import PaymentHistory


class Surroundings(RuleBasedStateMachine):
    """Everything that happens but what VTEX asks. `world` is what it happens in."""

    world: PaymentHistory

    @property
    def side(self) -> Any:
        return self.world.side

    def tell(self) -> None:
        if self.side.exists:
            message = self.side.notification()
            self.world.messages.append(message)
            self.world.notify(message)

    def pay(self) -> None:
        if self.side.is_unpaid:
            self.world.change_money(self.side.pay)

    # The buyer.

    @precondition(lambda self: not self.world.entry.has_page)
    @rule()
    def start(self) -> None:
        self.side.start()

    @rule(way=st.sampled_from(BUYER))
    def buyer(self, way: str) -> None:
        self.world.change_money(getattr(self.side, way))

    @precondition(lambda self: self.side.exists)
    @rule()
    def pay_and_tell(self) -> None:
        self.world.change_money(self.side.pay)
        self.tell()

    @precondition(lambda self: self.side.is_unpaid)
    @rule()
    def underpay(self) -> None:
        """The company asks another amount of the buyer; so it shows it."""
        self.world.is_underpaid |= self.side.underpay(AMOUNT - 1)
        self.pay_and_tell()

    # The company.

    @rule(word=st.sampled_from(["at once", "later", "badly"]))
    def mood(self, word: str) -> None:
        self.side.mood(word)

    @rule(well=st.booleans())
    def finish(self, well: bool) -> None:
        self.world.change_money(lambda: self.side.finish(well=well))

    @precondition(lambda self: self.side.exists)
    @rule()
    def notification(self) -> None:
        self.tell()

    @precondition(lambda self: self.world.messages)
    @rule(number=st.integers(0, 20))
    def old_notification(self, number: int) -> None:
        messages = self.world.messages
        self.world.notify(messages[number % len(messages)])

    @precondition(lambda self: self.side.exists)
    @rule()
    def forged_notification(self) -> None:
        self.world.forge()

    # What goes wrong.

    @rule(fault=st.sampled_from(FAULTS), number=st.integers(0, 9))
    def fault(self, fault: dict[str, Any], number: int) -> None:
        self.world.company.inject(operation=self._operation(number), **fault)

    @rule(number=st.integers(0, 9))
    def lose_a_call_that_arrives_later(self, number: int) -> None:
        self.world.before[self._operation(number)] = self.world.lose

    @rule()
    def late_calls_arrive(self) -> None:
        self.world.arrive()

    @rule(number=st.integers(0, 9), way=st.sampled_from([*BUYER, "finish", "arrive"]))
    def something_happens_before_a_call(self, number: int, way: str) -> None:
        world = self.world
        act = (
            world.arrive
            if way == "arrive"
            else lambda: world.change_money(getattr(world.side, way))
        )
        world.before[self._operation(number)] = act

    @rule(asked=st.sampled_from(ASKS), number=st.integers(0, 9))
    def a_worker_stands_still_until_its_lease_is_anothers(self, asked: Asked, number: int) -> None:
        world = self.world
        world.after[self._operation(number)] = lambda: world.within(lambda: world.ask(asked))

    @precondition(lambda self: self.side.exists)
    @rule(number=st.integers(0, 9))
    def news_comes_within_a_call(self, number: int) -> None:
        self.world.after[self._operation(number)] = lambda: self.world.within(self.tell)

    @rule(method=st.sampled_from(["start_write", "record_outcome"]), is_done=st.booleans())
    def the_next_worker_dies(self, method: str, is_done: bool) -> None:
        self.world.die(method, is_done=is_done)

    @rule()
    def callbacks_fail(self) -> None:
        self.world.sink.inject("status_before", status=500)

    @rule()
    def restart(self) -> None:
        self.world.restart()

    # Time.

    @rule()
    def time_passes(self) -> None:
        self.world.pass_time()

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()

    def _operation(self, number: int) -> str:
        """One of the company's writes, or the next call whichever it is, or a look."""
        every = ["*", *self.world.entry.writes.values(), "look"]
        return every[number % len(every)]
