"""Plays the cases and yields the result of each."""

import ipaddress
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from connector.domain.errors import ConfigurationError
from connector.rehearsal import manifest
from connector.rehearsal.authorization import FlowPlayer
from connector.rehearsal.authorization_cases import FLOW, FlowCase
from connector.rehearsal.cases import ANY, CASES, Case, kind_of
from connector.rehearsal.checks import NotPlayed, Unmet, require
from connector.rehearsal.client import LOOPBACK, Caller, Exchange
from connector.rehearsal.forms import FULL
from connector.rehearsal.player import Player, Stage

_HTTPS = 443


@dataclass(frozen=True)
class Result:
    """One line of the report. A success has no `fault`. A failure has its last `exchange`.

    A case that could not be played here has the reason as `skipped`.
    """

    case: str
    method: str
    reading: str
    is_beyond: bool
    seconds: float
    fault: str = ""
    exchange: Exchange | None = None
    skipped: str = ""

    @property
    def is_success(self) -> bool:
        return not self.fault


def chosen(names: Iterable[str]) -> list[Case | FlowCase]:
    """Return the cases of these names, or all cases if there is no name.

    Raises ConfigurationError for an unknown name.
    """
    cases: dict[str, Case | FlowCase] = {case.name: case for case in (*CASES, *FLOW)}
    chosen_names = list(names)
    unknown = [name for name in chosen_names if name not in cases]
    if unknown:
        raise ConfigurationError(f"--case {unknown[0]}: there are {', '.join(cases)}")
    return [cases[name] for name in chosen_names] or list(cases.values())


def is_local(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK


def rehearse(
    stage: Stage, methods: Iterable[str], names: Iterable[str], at_once: int = 8
) -> Iterator[Result]:
    """Play the cases, some at once. Without `methods`, take all methods of the manifest.

    A case is played with the methods of its kind. If both cases and methods are named, each named
    case is played with each named method. The configuration flow has no method: its cases are
    played last, if they are named, or if nothing is.
    """
    names, listed = list(names), list(methods)
    cases = chosen(names)
    if not is_local(stage.url):
        yield _result("address", "", "", _address(stage.url))
    flows = [case for case in cases if isinstance(case, FlowCase) and (names or not listed)]
    payments = [case for case in cases if isinstance(case, Case)]
    is_named = bool(listed) and len(payments) < len(CASES)
    if payments and not listed:
        listed, first = _read_manifest(stage)
        if not listed:
            yield first
            return
    yield from _play_all(stage, _parts(payments, listed, is_named=is_named), at_once)
    yield from (_flow(stage, case, is_asked=bool(names)) for case in flows)


def _read_manifest(stage: Stage) -> tuple[list[str], Result]:
    """Return the methods of the manifest, and how it was answered."""
    caller, found = Caller(stage.url, stage.keys, FULL.marker, stage.times.answer), list[str]()
    return found, _result("manifest", "", "", lambda: found.extend(_methods(caller)), caller)


def _play_all(
    stage: Stage, parts: Iterable[tuple[Case, str, int]], at_once: int
) -> Iterator[Result]:
    with ThreadPoolExecutor(at_once) as pool:
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


def _flow(stage: Stage, case: FlowCase, *, is_asked: bool) -> Result:
    """Play a case of the configuration flow. A case that is asked for must be possible."""
    with FlowPlayer(stage) as player:
        result = _result(case.name, "", "", lambda: case.play(player), player, is_beyond=True)
        result = replace(result, fault=player.masked(result.fault))
    if result.skipped and is_asked:
        return replace(result, fault=result.skipped, skipped="")
    return result


def _result(
    case: str,
    method: str,
    reading: str,
    play: Callable[[], None],
    caller: Caller | FlowPlayer | None = None,
    *,
    is_beyond: bool = False,
) -> Result:
    started = time.monotonic()
    fault = skipped = ""
    try:
        play()
    except Unmet as error:
        fault = str(error)
    except NotPlayed as error:
        skipped = str(error)
    seconds = time.monotonic() - started
    exchange = caller.last if caller and fault else None
    return Result(case, method, reading, is_beyond, seconds, fault, exchange, skipped)


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
