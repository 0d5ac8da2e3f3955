"""Floods of the configuration flow: honest cancellations and other people's flows go on."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import requests

from connector.bulkhead import PAGES
from connector.credential_probe import ALL_TRIES, TRIES_AT_ONCE
from connector.vtex.authorization import endpoints, steps
from tests.companies.registry import COMPANIES, provider_of
from tests.rig import Served
from tests.server.cancellations import HELD, OTHER_HELD, Cancellations
from tests.server.test_hostile import HONEST_SECONDS, cancel_honestly
from tests.server.test_hung_companies import hung, wait_until
from tests.vtex.authorization.merchant import Merchant, begin, invited, typed

pytestmark = [pytest.mark.slow, pytest.mark.alone]

KINDS = [HELD, OTHER_HELD]
# Callers at once, more than there are threads for pages; and seconds of a flood.
CALLERS, SECONDS = 3 * PAGES, 4
FLOODER = {"X-Forwarded-For": "203.0.113.66"}
JSON = {"applicationId": "vtex", "returnUrl": "https://flood.myvtex.com/"}
# How a flood asks each endpoint that is open to all.
FLOODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a token": ("POST", "/authorization/token", {"json": JSON}),
    "a page": ("GET", "/authorization/redirect?token=x", {}),
    "a form": ("POST", "/authorization/redirect?token=x", {"data": {"agree": "y"}}),
    "a large form": ("POST", "/authorization/redirect?token=x", {"data": {"agree": "y" * 30_000}}),
    "an invitation": ("GET", "/authorization/invitation?invitation=x", {}),
    "credentials": ("GET", "/authorization/credentials?applicationId=x&authorizationCode=x", {}),
}


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("floods")
    copy(sqlite_template, folder / "connector.db")
    url = f"sqlite:///{folder}/connector.db"
    with Cancellations(url, folder, KINDS, CONNECTOR_PROXIES="127.0.0.1/32") as made:
        yield made


@pytest.fixture(scope="module")
def server(scene: Cancellations) -> Iterator[Served]:
    with Served(scene.rig, threads=8, is_killed=True, CONNECTOR_PROVIDER_SECONDS="17") as served:
        yield served
        served.kill()


@contextmanager
def flooded(server: Served, method: str, path: str, **sent: Any) -> Iterator[list[Any]]:
    """Ask again and again, by many callers of one address; yield the answers' heads."""
    heads: list[Any] = []

    def ask() -> None:
        with requests.Session() as session:
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                url = f"{server.url}{path}"
                answer = session.request(method, url, headers=FLOODER, timeout=30, **sent)
                heads.append((answer.status_code, answer.headers.get("Retry-After")))

    threads = [threading.Thread(target=ask) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield heads
    finally:
        for thread in threads:
            thread.join()


def in_time(act: Callable[[], Any]) -> Any:
    started = time.monotonic()
    done = act()
    assert time.monotonic() - started < HONEST_SECONDS
    return done


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_an_open_endpoint_keeps_nobody_else_waiting(
    scene: Cancellations, server: Served, name: str
) -> None:
    method, path, sent = FLOODS[name]
    with flooded(server, method, path, **sent) as heads:
        for _ in range(3):
            cancel_honestly(scene, server)
        merchant = Merchant(server)
        token = in_time(lambda: begin(server))
        in_time(lambda: merchant.connect("sandbox", invited(scene.rig), token))
        assert merchant.code
    refused = [seconds for status, seconds in heads if status == 429]
    assert refused
    assert all(seconds and int(seconds) >= 1 for seconds in refused)
    assert {status for status, _ in heads} <= {200, 400, 410, 429}
    assert len(heads) - len(refused) < 2 * max(endpoints.BURST, steps.BURST)


def test_a_flood_leaves_a_bounded_number_of_rows(scene: Cancellations, server: Served) -> None:
    scene.rig.execute("DELETE FROM authorizations WHERE store = 'flood'")
    started = time.monotonic()
    with flooded(server, "POST", "/authorization/token", json=JSON):
        pass
    refilled = (time.monotonic() - started) / endpoints.REFILL_SECONDS
    rows = scene.rig.execute("SELECT count(*) AS found FROM authorizations WHERE store = 'flood'")
    assert 0 < rows[0].found <= endpoints.BURST + refilled + 1


def test_a_company_that_hangs_holds_few_of_the_pages_places(
    scene: Cancellations, server: Served
) -> None:
    """Its tries are refused at once when there are too many; other companies are tried on."""
    company, other = (scene.company(kind) for kind in KINDS)
    entry = next(one for one in COMPANIES if one.name == provider_of(company))
    merchants = [
        Merchant(server).choose(
            entry.name, invited(scene.rig, None), begin(server, f"https://s{number}.myvtex.com/")
        )
        for number in range(2 * PAGES)
    ]
    threads = [
        threading.Thread(target=merchant.give, args=(typed(company),)) for merchant in merchants
    ]
    with hung(scene, [HELD]) as (one,):
        for thread in threads:
            thread.start()
        wait_until(lambda: one.waiting == TRIES_AT_ONCE)
        wait_until(lambda: sum(thread.is_alive() for thread in threads) == TRIES_AT_ONCE)
        assert TRIES_AT_ONCE < ALL_TRIES < PAGES
        token = begin(server, "https://living.myvtex.com/")
        living = in_time(lambda: Merchant(server).connect(other, invited(scene.rig, None), token))
        assert living.code
    for thread in threads:
        thread.join()
    told = [merchant.answer.text for merchant in merchants]
    busy = [text for text in told if "Too many keys of this company" in text]
    assert len(merchants) - TRIES_AT_ONCE == len(busy)
    cancel_honestly(scene, server)
