"""What companies sent, what was made of it, and the callbacks to VTEX."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import render_template, request, url_for

from connector.bulkhead import Bulkhead
from connector.console import notifications_callback, notifications_run
from connector.console.viewer import viewer
from connector.console.work_query import ROWS_OF_A_PAGE, Query, read_query, write_place
from connector.console.work_words import STATES, TONES, story_address, titles
from connector.pages.routes import Pages
from connector.storage.callback_list import CallbackList
from connector.storage.notification_list import NotificationList, Notified

if TYPE_CHECKING:
    from connector.app import Connector

# What people may start at a time in a worker, so that the pages go on answering.
ACTIONS = 2


def add_routes(routes: Pages, connector: "Connector") -> None:
    notifications = NotificationList(connector.database)
    callbacks = CallbackList(connector.database)
    actions = Bulkhead(ACTIONS)
    show = partial(_show, connector, notifications, callbacks)
    routes.add_url_rule("/console/notifications", "notifications", show)
    notifications_run.add_routes(routes, connector, notifications, actions)
    notifications_callback.add_routes(routes, connector, callbacks, actions)


def _show(
    connector: "Connector", notifications: NotificationList, callbacks: CallbackList
) -> tuple[str, int]:
    """Show the lists. An address that goes on in one list shows that list alone."""
    query, before = read_query(connector.directory.by_name), _before()
    parts: dict[str, Any] = {}
    if not query.faults and before is None:
        parts |= _notified(notifications, query)
    if not query.faults and query.after is None:
        parts |= _sent(callbacks, query, before)
    if not query.faults and before is None and query.after is None:
        parts["due"] = callbacks.due(ROWS_OF_A_PAGE, query.merchant_id)
    parts["run_obstacle"] = partial(notifications_run.obstacle, connector.providers)
    page = render_template("console/notifications.html", query=query, **parts, **words())
    return page, query.status


def _before() -> int | None:
    """Return the step before which sent callbacks are shown. None: the newest are shown."""
    text = request.args.get("sent", "")
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _notified(notifications: NotificationList, query: Query) -> dict[str, Any]:
    rows = notifications.page(ROWS_OF_A_PAGE + 1, query.after, query.merchant_id)
    shown: list[Notified] = rows[:ROWS_OF_A_PAGE]
    more = write_place(shown[-1].place) if len(rows) > len(shown) else None
    return {"notified": shown, "older": more and _address(query, after=more)}


def _sent(callbacks: CallbackList, query: Query, before: int | None) -> dict[str, Any]:
    page = callbacks.sent(ROWS_OF_A_PAGE, before, query.merchant_id)
    more = page.following
    return {"sent": page.sent, "older_sent": more and _address(query, sent=more)}


def _address(query: Query, **place: Any) -> str:
    merchant = query.name if viewer().is_operator and query.name else None
    return url_for(".notifications", merchant=merchant, **place)


def words() -> dict[str, Any]:
    return {
        "states": STATES,
        "tones": TONES,
        "story_address": story_address,
        "titles": titles(),
    }
