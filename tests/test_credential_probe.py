"""Keys are tried without taking the places of payments."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest

from connector.credential_probe import TRIES_AT_ONCE
from connector.domain.errors import ProviderBusy, ProviderCredentials
from connector.domain.merchant import Merchant
from tests.companies.registry import (
    ANY,
    COMPANIES,
    WITH_TOKEN,
    YANDEX_PAY,
    CompanyEntry,
    provider_of,
)
from tests.rig import Rig


def merchant_of(company: Any, **changes: str) -> Merchant:
    return Merchant(0, "mystore", provider_of(company), {**company.settings, **changes})


@pytest.fixture
def company(rig: Rig) -> Iterator[Any]:
    with ANY.open() as company:
        rig.use(company)
        yield company


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_right_keys_pass_and_wrong_keys_do_not(rig: Rig, entry: CompanyEntry) -> None:
    with entry.open() as company:
        rig.use(company)
        rig.connector.probe.run(merchant_of(company))
        value = company.settings[entry.credential]
        wrong = value[:-1] + ("b" if value[-1] == "a" else "a")
        with pytest.raises(ProviderCredentials):
            rig.connector.probe.run(merchant_of(company, **{entry.credential: wrong}))
        assert not company.effects


def test_keys_that_were_only_tried_are_not_remembered(rig: Rig) -> None:
    """Strangers may have many keys tried."""
    [entry] = WITH_TOKEN
    with entry.open() as company:
        rig.use(company)
        for number in range(5):
            with pytest.raises(ProviderCredentials):
                rig.connector.probe.run(merchant_of(company, key_id=f"{number}"))
        rig.connector.probe.run(merchant_of(company))
        assert {} == rig.connector.providers[entry.name]._accesses


class Hanging:
    """A company that answers no call before it is told to."""

    def __init__(self, company: Any) -> None:
        self._company = company
        self._go_on = threading.Event()
        self.calls = threading.Semaphore(0)

    def __enter__(self) -> Self:
        self._company.hook = self._wait
        return self

    def __exit__(self, *_: object) -> None:
        self._company.hook = None
        self._go_on.set()

    def _wait(self, _: str, when: str) -> None:
        if when == "before":
            self.calls.release()
            self._go_on.wait(5)


def start(act: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_a_company_that_hangs_costs_a_bounded_number_of_tries(rig: Rig, company: Any) -> None:
    probe = rig.connector.probe
    with YANDEX_PAY.open() as other:
        rig.use(other)
        rig.use(company)
        probe = rig.connector.probe
        with Hanging(company) as hanging:
            merchant = merchant_of(company)
            tries = [start(lambda: probe.run(merchant)) for _ in range(TRIES_AT_ONCE)]
            for _ in tries:
                assert hanging.calls.acquire(timeout=5)
            with pytest.raises(ProviderBusy):
                probe.run(merchant)
            probe.run(merchant_of(other))
        for one in tries:
            one.join()
        probe.run(merchant)


def test_a_try_holds_a_place_of_its_company(rig: Rig, company: Any) -> None:
    provider = rig.connector.providers[ANY.name]
    bulkhead = provider._http.bulkhead
    free = bulkhead._free
    with Hanging(company) as hanging:
        trying = start(lambda: rig.connector.probe.run(merchant_of(company)))
        assert hanging.calls.acquire(timeout=5)
        assert free - 1 == bulkhead._free
    trying.join()
    assert free == bulkhead._free
