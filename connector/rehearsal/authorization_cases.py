"""The cases of the configuration flow. VTEX's suite has none of them."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.rehearsal.authorization import FAULTY, FlowPlayer
from connector.rehearsal.checks import require

# What follows the address to which VTEX's Admin wants the merchant back. VTEX's papers have the
# first two. The code must not change any other byte.
_QUERIES = (
    "?authorizationCode=",
    "?authorizationCode=&otherparams=1",
    "",
    "?a=%2f+%7E&&b#/providers?authorizationCode=",
)
# Addresses that are not the Admin's of any VTEX account.
_FOREIGN = (
    "",
    None,
    "https://shop.example.com/?authorizationCode=",
    "https://myvtex.com.example.com/",
    "https://shop.myvtex.com@example.com/",
    "https://example.com\\@shop.myvtex.com/",
    "http://shop.myvtex.com/?authorizationCode=",
    "//shop.myvtex.com/",
    "https://shop.myvtex.com/" + "a" * 2048,
)
_LANGUAGES = ("en", "ru", "uk", "es", "pt-BR")
# As long as a token or a code is. Nobody has it.
_UNKNOWN = "rehearsal" + "0" * 34
# The statuses of a page for a form that another site sent.
_REFUSED = frozenset({400, 403})


@dataclass(frozen=True)
class FlowCase:
    """One line of the report. The flow has no payment method, and no callback."""

    name: str
    play: Callable[[FlowPlayer], None]
    has_callback: bool = False


def _connect(player: FlowPlayer) -> None:
    """The whole flow, to the first cancellation with the new keys."""
    code = player.connect(f"{player.applicant.admin}{_QUERIES[0]}")
    keys = player.credentials(code)
    player.use(keys)
    player.credentials_in_vain(code)


def _connect_again(player: FlowPlayer) -> None:
    """The same account of the same store is the same merchant. The AppTokens are both live."""
    url = f"{player.applicant.admin}{_QUERIES[0]}"
    first, second = (player.credentials(player.connect(url)) for _ in range(2))
    require(first.app_key == second.app_key, "connecting again gave another AppKey")
    require(first.app_token != second.app_token, "connecting again gave the same AppToken")
    player.use(second)
    player.use(first)


def _return_urls(player: FlowPlayer) -> None:
    """The code goes into the returnUrl. All else of it stays as it is."""
    for query in _QUERIES[1:]:
        player.connect(player.applicant.admin + query)


def _foreign(player: FlowPlayer) -> None:
    """The flow never leads to an address that is not VTEX's."""
    player.begin(player.applicant.admin)
    for url in _FOREIGN:
        player.begin_in_vain(url)


def _ended(player: FlowPlayer) -> None:
    """An unknown token shows a page that leads nowhere. An unknown code opens nothing."""
    player.begin(player.applicant.admin)
    page = player.show(_UNKNOWN, status=410).page
    require(not page.forms, "the page of an ended flow has a form")
    require(page.refresh is None and page.way_back is None, "the page of an ended flow leads on")
    player.credentials_in_vain(_UNKNOWN)


def _languages(player: FlowPlayer) -> None:
    """The page speaks each language, and keeps the one that was chosen."""
    token = player.begin(player.applicant.admin)
    texts = set()
    for language in _LANGUAGES:
        player.show(token, language)
        page = player.show(token).page
        require(page.language == language, f"lang is {page.language!r}, not {language!r}")
        texts.add(page.text)
    require(len(texts) == len(_LANGUAGES), "the page has the same text in two languages")


def _faults(player: FlowPlayer) -> None:
    """A form that is sent empty comes back, and names what is missing."""
    seen = player.show(player.begin(player.applicant.admin))
    hidden = {name: one.value for name, one in seen.form.fields.items() if one.kind == "hidden"}
    again = player.send(seen, hidden, FAULTY)
    require(again.page.faults, "the page names no fault")
    unknown = set(again.page.faults) - set(again.form.fields)
    require(not unknown, f"there is a fault of {', '.join(unknown)}, but no such field")


def _forged(player: FlowPlayer) -> None:
    """A form without the page's hidden fields comes from another site, and is refused."""
    seen = player.show(player.begin(player.applicant.admin))
    page = player.send(seen, {"agree": "y"}, _REFUSED).page
    require(page.refresh is None, "a form of another site led on")


FLOW = (
    FlowCase("authorization", _connect),
    FlowCase("authorization-again", _connect_again),
    FlowCase("authorization-return", _return_urls),
    FlowCase("authorization-foreign", _foreign),
    FlowCase("authorization-ended", _ended),
    FlowCase("authorization-languages", _languages),
    FlowCase("authorization-faults", _faults),
    FlowCase("authorization-forged", _forged),
)
