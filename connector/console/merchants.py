"""The pages of the merchants: all of them, and one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import get_flashed_messages, render_template, request, url_for

from connector.console import merchants_actions, merchants_invite
from connector.console.merchants_words import CAPTURED, SETTINGS_FROM, shown
from connector.console.viewer import Viewer, viewer
from connector.domain.errors import NotFound
from connector.domain.merchant import Merchant
from connector.pages.routes import Pages
from connector.storage.admin_events import Detail
from connector.storage.merchant_list import ListedMerchant, MerchantList

if TYPE_CHECKING:
    from connector.app import Connector

ROWS_OF_A_PAGE = 50
# The newest events of a merchant. The command `merchants show --json` has all.
MOST_EVENTS = 50
# The longest text to search for is as long as a name.
MOST_CHARACTERS = 64


@dataclass(frozen=True)
class ShownSetting:
    """A setting of a merchant: no value, but its fingerprint, and its last change.

    None: the last change is before the newest events.
    """

    title: str
    fingerprint: str
    changed_at: float | None
    changed_by: str | None


def add_routes(routes: Pages, connector: "Connector") -> None:
    merchants = MerchantList(connector.database, connector.vault)
    find = partial(find_seen, merchants)
    routes.add_url_rule("/console/merchants", "merchants", partial(_show, connector, merchants))
    show_one = partial(_show_one, connector, merchants)
    routes.add_url_rule("/console/merchants/<name>", "merchant", show_one)
    merchants_actions.add_routes(routes, connector, merchants, find)
    merchants_invite.add_routes(routes, connector)


def find_seen(merchants: MerchantList, name: str) -> ListedMerchant:
    """Find a merchant that the viewer may see. Raises NotFound."""
    is_seen = viewer().may_see(name) and name == _plain(name)
    found = merchants.find(name) if is_seen else None
    if found is None:
        raise NotFound
    return found


def _show(connector: "Connector", merchants: MerchantList) -> str:
    text = request.args.get("q", "").strip()[:MOST_CHARACTERS]
    after = request.args.get("after", "")[:MOST_CHARACTERS]
    rows = merchants.page(
        ROWS_OF_A_PAGE + 1, after=_plain(after), text=text, merchant_id=_id(viewer())
    )
    page = rows[:ROWS_OF_A_PAGE]
    last = page[-1].stored.merchant.name if len(rows) > ROWS_OF_A_PAGE else None
    return render_template(
        "console/merchants.html",
        merchants=[shown(connector, one) for one in page],
        text=text,
        following=last and url_for(".merchants", q=text or None, after=last),
        captured=CAPTURED,
        settings_from=SETTINGS_FROM,
    )


def _plain(name: str) -> str:
    """Return a name that a database can compare. No merchant's name has other characters."""
    return "".join(
        character for character in name if character.isascii() and character.isprintable()
    )


def _id(person: Viewer) -> int | None:
    return person.merchant.id if person.merchant else None


def _show_one(connector: "Connector", merchants: MerchantList, name: str) -> str:
    listed = find_seen(merchants, name)
    merchant = listed.stored.merchant
    detail = connector.merchants.detail(name, MOST_EVENTS)
    return render_template(
        "console/merchants_one.html",
        merchant=shown(connector, listed),
        detail=detail,
        events=detail.events,
        settings=list(_settings(connector, merchant, detail)),
        tokens=merchants.tokens(merchant.id),
        checked=_checked(name),
        captured=CAPTURED,
        settings_from=SETTINGS_FROM,
        results=merchants_actions.RESULTS,
    )


def _settings(connector: "Connector", merchant: Merchant, detail: Detail) -> Iterator[ShownSetting]:
    provider = connector.providers.get(merchant.provider)
    titles = {one.key: one.title for one in provider.settings} if provider else {}
    for key, fingerprint in detail.fingerprints.items():
        last = next((event for event in detail.events if key in event.settings), None)
        at, actor = (last.at, last.actor) if last else (None, None)
        yield ShownSetting(titles.get(key, key), fingerprint, at, actor)


def _checked(name: str) -> Any:
    """Return what the last check of this merchant told, once. None: nothing new."""
    told: list[Any] = get_flashed_messages(category_filter=[merchants_actions.CHECK])
    return next((one for one in told if one["merchant"] == name), None)
