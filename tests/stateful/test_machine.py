"""Whatever VTEX, the buyers, the companies and the network do, in whatever order: told is true.

More and other runs, by hand, of all companies or of one:

    STATEFUL_EXAMPLES=2000 STATEFUL_STEPS=40 pytest tests/stateful -k tranzzo-auth --timeout 3600

With these variables every run draws other examples; hypothesis prints the shortest that fails.
"""

import itertools
import os
from decimal import Decimal
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.companies.registry import VARIANTS, CompanyEntry
from tests.sink import Sink
from tests.stateful.asks import (
    ASKS,
    BEGINNINGS,
    CANCELS,
    CREATE,
    FAULTS,
    REFUNDS,
    SETTLES,
    TROUBLED,
)
from tests.stateful.end import settle_down
from tests.stateful.quick_rig import quick_rig
from tests.stateful.surroundings import Surroundings
from tests.stateful.told import AMOUNT, Asked
from tests.stateful.world import PaymentHistory

pytestmark = pytest.mark.usefixtures("unmeasured")

# Of one company 50 examples of 25 steps take 3 to 12 s, so the six stay below 50 s.
EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "50"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "25"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    derandomize="STATEFUL_EXAMPLES" not in os.environ,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Machine(Surroundings):
    """One payment, from VTEX's side."""

    def __init__(self, world: PaymentHistory) -> None:
        super().__init__()
        self.world = world
        self.is_begun = False
        self.hasty = 0

    @initialize(merchant=st.sampled_from(["manual", "refund"]), steps=st.sampled_from(BEGINNINGS))
    def begin(self, merchant: str, steps: list[str]) -> None:
        """Go some of the usual way, so that no example stays at its beginning."""
        self.world.merchant = merchant
        self.is_begun = True
        for step in steps:
            getattr(self, step)()

    def settle_all(self) -> None:
        self.world.ask(SETTLES[0])

    def cancel_all(self) -> None:
        self.world.ask(CANCELS[0])

    def cancel_within_a_look(self) -> None:
        self.world.after["look"] = lambda: self.world.within(self.cancel_all)

    # VTEX.

    @rule()
    def create(self) -> None:
        self.world.ask(CREATE)

    @rule()
    def create_with_another_value(self) -> None:
        asked = Asked("create", "", AMOUNT - 1)
        if self.world.told.status is not None:
            self.world.ask(asked)
            self.world.told.asked.discard(asked)

    @rule(asked=st.sampled_from(CANCELS))
    def cancel(self, asked: Asked) -> None:
        self.world.ask(asked)

    @rule(asked=st.sampled_from(SETTLES))
    def settle(self, asked: Asked) -> None:
        self.world.ask(asked)

    @rule(asked=st.sampled_from(REFUNDS))
    def refund(self, asked: Asked) -> None:
        self.world.ask(asked)

    @precondition(lambda self: self.world.told.asked)
    @rule(number=st.integers(0, 20))
    def repeat(self, number: int) -> None:
        """VTEX repeats what it has no final answer to, or has one."""
        known = self.world.told.unfinished() or sorted(self.world.told.asked, key=str)
        self.world.ask(known[number % len(known)])

    @precondition(lambda self: self.world.told.kept)
    @rule(number=st.integers(0, 20))
    def ask_for_another_value(self, number: int) -> None:
        kept = sorted(self.world.told.kept)
        operation, request_id = kept[number % len(kept)]
        asked, calls = Asked(operation, request_id, Decimal(17)), len(self.world.company.calls)
        self.world.ask(asked)
        self.world.told.asked.discard(asked)
        assert calls == len(self.world.company.calls)

    @rule(
        asked=st.sampled_from(TROUBLED),
        fault=st.sampled_from(FAULTS),
        is_look=st.booleans(),
        is_later=st.booleans(),
    )
    def ask_in_trouble_and_repeat(
        self, asked: Asked, fault: dict[str, Any], is_look: bool, is_later: bool
    ) -> None:
        """The usual trouble: the very call that matters goes wrong, and VTEX asks again."""
        for operation in ["look"] if is_look else self.world.entry.writes.values():
            self.world.company.inject(operation=operation, **fault)
        self.world.ask(asked)
        self.world.company.faults.clear()
        if is_later:
            self.world.pass_time()
        self.world.ask(asked)

    @rule(
        asked=st.sampled_from(ASKS),
        method=st.sampled_from(["start_write", "record_outcome"]),
        is_done=st.booleans(),
    )
    def ask_a_dying_worker_and_repeat(self, asked: Asked, method: str, is_done: bool) -> None:
        self.world.die(method, is_done=is_done)
        self.world.ask(asked)
        self.world.ask(asked)

    @rule(asked=st.sampled_from(TROUBLED), other=st.sampled_from(TROUBLED))
    def one_takes_the_others_turn(self, asked: Asked, other: Asked) -> None:
        """The first stands still after its look until the other has done its work."""
        world = self.world
        world.after["look"] = lambda: world.within(lambda: world.ask(other))
        world.ask(asked)

    @rule(asked=st.sampled_from(ASKS))
    def the_answer_is_lost_on_its_way(self, asked: Asked) -> None:
        self.world.ask(asked, is_heard=False)

    def begin_in_haste(self) -> None:
        """What takes a real fraction of a second happens in a few examples, once in each."""
        self.hasty = 2

    @precondition(lambda self: self.hasty == 2)
    @rule(asked=st.sampled_from(ASKS), other=st.sampled_from(ASKS))
    def one_waits_for_the_others_turn_in_vain(self, asked: Asked, other: Asked) -> None:
        self.hasty -= 1
        world = self.world
        world.after["*"] = lambda: world.within(lambda: world.ask_in_haste(other))
        world.ask(asked)

    @precondition(lambda self: self.hasty)
    @rule(asked=st.sampled_from(TROUBLED))
    def a_company_is_slow(self, asked: Asked) -> None:
        """Each write takes effect, but its answer comes too late."""
        self.hasty = 0
        for operation in self.world.entry.writes.values():
            self.world.company.inject("slow_after", operation, seconds=0.5)
        self.world.let_a_dead_workers_lease_end()
        self.world.ask_in_haste(asked)
        self.world.company.faults.clear()

    @invariant()
    def all_that_vtex_was_told_is_true(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        with self.world.rig:
            if self.is_begun:
                settle_down(self.world)
        self.world.rig.file.unlink()


@pytest.mark.parametrize("entry", VARIANTS, ids=str)
def test_vtex_is_told_the_truth_about_the_money(
    entry: CompanyEntry, sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A start reads the machine's certificates, for longer than all the rest of it takes.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    numbers, pristine = itertools.count(1), tmp_path / "pristine.db"
    copy(sqlite_template, pristine)
    with entry.open(**entry.hardest) as company, Sink() as its_sink:
        rig = quick_rig(pristine, company, its_sink)
        for captured in ("manual", "refund"):
            rig.add(company, name=captured, captured=captured, **entry.settings)
        rig.configure()

        def machine() -> Machine:
            path = tmp_path / f"{next(numbers)}.db"
            copy(pristine, path)
            fresh = quick_rig(path, company, its_sink)
            fresh.merchants = rig.merchants
            return Machine(PaymentHistory(entry, fresh, company, its_sink, f"{next(numbers):032X}"))

        run_state_machine_as_test(machine, settings=SETTINGS)
