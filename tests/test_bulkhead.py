"""The threads that one company may hold of a worker."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from connector.bulkhead import (
    COMMON,
    NOTIFICATIONS,
    PAGES,
    ROOMS,
    WAITING,
    Shares,
    all_threads,
    share,
)
from connector.domain.errors import ProviderBusy


@pytest.mark.parametrize(("threads", "of_one"), [(1, 3), (8, 10), (16, 18), (64, 72)])
def test_a_company_has_an_eighth_more_threads_than_operations(threads: int, of_one: int) -> None:
    assert of_one == share(threads)
    expected = 4 * (of_one + NOTIFICATIONS) + WAITING + ROOMS * PAGES + COMMON
    assert expected == all_threads(4, threads)


def test_a_company_without_a_thread_left_is_refused_and_no_other_is() -> None:
    shares = Shares(["acme", "other"], 2, waiting=1)
    with shares.place("acme"), shares.place("acme"):
        with pytest.raises(ProviderBusy), shares.place("acme"):
            pytest.fail("a third thread")
        with shares.place("other"), shares.place("switched off"):
            pass
    with shares.place("acme"):
        pass


def test_companies_that_are_switched_off_share_what_one_has() -> None:
    shares = Shares(["acme"], 2, waiting=0)
    with ExitStack() as held:
        held.enter_context(shares.place("one"))
        held.enter_context(shares.place("another"))
        with pytest.raises(ProviderBusy), shares.place("a third"):
            pytest.fail("a third thread")
        held.enter_context(shares.place("acme"))


def test_a_thread_is_waited_for_while_the_company_answers_by_as_many_as_may_wait() -> None:
    shares = Shares(["acme", "other"], 1, waiting=1)
    with ThreadPoolExecutor() as pool:
        with shares.place("acme"), shares.place("other"):
            waits = pool.submit(held, shares, "acme")
            time.sleep(0.1)
            for company in ("acme", "other"):
                began = time.monotonic()
                assert not held(shares, company)
                assert time.monotonic() - began < 0.1
        assert waits.result()


def held(shares: Shares, company: str) -> bool:
    try:
        with shares.place(company):
            return True
    except ProviderBusy:
        return False


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_thread_is_given_back_whatever_happens(error: type[BaseException]) -> None:
    shares = Shares(["acme"], 1, waiting=0)
    for _ in range(3):
        with pytest.raises(error), shares.place("acme"):
            raise error
