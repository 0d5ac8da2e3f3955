"""Plays the cases and yields the result of each."""

import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from connector.domain.errors import ConfigurationError
from connector.rehearsal import manifest
from connector.rehearsal.cases import ANY, CASES, Case, kind_of
from connector.rehearsal.checks import Unmet, require
from connector.rehearsal.client import LOOPBACK, Caller, Exchange
from connector.rehearsal.forms import FULL
from connector.rehearsal.player import Player, Stage

_HTTPS = 443


@dataclass(frozen=True)
class Result:
    """One line of the report. A success has no `fault`. A failure has its last `exchange`."""

    case: str
    method: str
    reading: str
    is_beyond: bool
    seconds: float
    fault: str = ""
    exchange: Exchange | None = None

    @property
    def is_success(self) -> bool:
        return not self.fault


def chosen(names: Iterable[str]) -> list[Case]:
    """Return the cases of these names, or all cases if there is no name.

    Raises ConfigurationError for an unknown name.
    """
    cases = {case.name: case for case in CASES}
    chosen_names = list(names)
    unknown = [name for name in chosen_names if name not in cases]
    if unknown:
        raise ConfigurationError(f"--case {unknown[0]}: there are {', '.join(cases)}")
    return [cases[name] for name in chosen_names] or list(CASES)


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK


def rehearse(
    stage: Stage, methods: Iterable[str], names: Iterable[str], at_once: int = 8
) -> Iterator[Result]:
    """Play the cases, some at once. Without `methods`, take all methods of the manifest.

    A case is played with the methods of its kind. If both cases and methods are named, each named
    case is played with each named method.
    """
    cases, listed = chosen(names), list(methods)
    is_named = bool(listed) and len(cases) < len(CASES)
    if not is_local(stage.url):
        yield _result("address", "", "", _address(stage.url))
    if not listed:
        caller = Caller(stage.url, stage.keys, FULL.marker, stage.times.answer)
        first = _result("manifest", "", "", lambda: listed.extend(_methods(caller)), caller)
        if not listed:
            yield first
    with ThreadPoolExecutor(at_once) as pool:
        parts = _parts(cases, listed, is_named=is_named)
        for play in [pool.submit(_play, stage, *part) for part in parts]:
            yield play.result()


def _parts(
    cases: Iterable[Case], methods: Iterable[str], *, is_named: bool
) -> Iterator[tuple[Case, str, int]]:
    """Say which case is played with which method and reading."""
    for method in methods:
        for case in cases:
            if is_named or case.kind in {ANY, kind_of(method)}:
                yield from ((case, method, index) for index in range(len(case.readings)))


def _methods(caller: Caller) -> list[str]:
    return manifest.methods(caller.get("manifest", "/manifest").body)


def _play(stage: Stage, case: Case, method: str, index: int) -> Result:
    reading = case.readings[index]
    player = Player(stage, method, reading, is_escaped=case.is_escaped)
    name = reading.name if len(case.readings) > 1 else ""
    return _result(
        case.name, method, name, lambda: case.play(player), player.caller, is_beyond=case.is_beyond
    )


def _result(
    case: str,
    method: str,
    reading: str,
    play: Callable[[], None],
    caller: Caller | None = None,
    *,
    is_beyond: bool = False,
) -> Result:
    started = time.monotonic()
    fault = ""
    try:
        play()
    except Unmet as error:
        fault = str(error)
    seconds = time.monotonic() - started
    exchange = caller.last if caller and fault else None
    return Result(case, method, reading, is_beyond, seconds, fault, exchange)


def _address(url: str) -> Callable[[], None]:
    """Check that VTEX could call it: https, on its port, by a name (API reference, overview)."""

    def play() -> None:
        parts = urlsplit(url)
        require(parts.scheme == "https", f"{url} is not https")
        require((parts.port or _HTTPS) == _HTTPS, f"{url} is not on port {_HTTPS}")
        require(not _is_number(parts.hostname or ""), f"{url} has no domain name")

    return play


def _is_number(host: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False
