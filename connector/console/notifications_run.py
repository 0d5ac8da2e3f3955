"""Run a kept notification once more. It looks first, as reconcile does."""

import re
from collections.abc import Container
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect, render_template, request, url_for

from connector import context
from connector.bulkhead import Bulkhead
from connector.console.actions import place_in
from connector.console.viewer import actor, viewer
from connector.console.work_query import is_row_id, seen_merchant_id
from connector.console.work_words import STATES, TONES, story_address, titles
from connector.domain.deadline import Deadline
from connector.domain.errors import NotFound
from connector.domain.operation import NotificationRequest, Operation, State
from connector.domain.page_errors import StaleForm
from connector.pages.languages import lazy_gettext as _
from connector.pages.routes import Pages
from connector.storage.notification_list import NotificationList, Notified

if TYPE_CHECKING:
    from connector.app import Connector

COMMAND = "console run notification"
RUNNING = _("It runs at this moment. Load the page again in a minute.")
CLOSED = _(
    "A person closed work of this payment, and may have returned the money. If the notification ran"
    " again, the money could be returned twice."
)

OFF = _("This company is switched off here, so nobody can be asked.")


def add_routes(
    routes: Pages, connector: "Connector", notifications: NotificationList, actions: Bulkhead
) -> None:
    run = partial(_run, connector, notifications, actions)
    address = "/console/notifications/run/<row_id>"
    routes.add_url_rule(address, "run", run, methods=["GET", "POST"])


def obstacle(providers: Container[str], notified: Notified) -> Any:
    """Return why a notification cannot run. None: it can. `providers` are switched on."""
    if notified.request.provider not in providers:
        return OFF
    if notified.request.state is State.RUNNING:
        return RUNNING
    return CLOSED if notified.is_closed else None


def _run(
    connector: "Connector", notifications: NotificationList, actions: Bulkhead, row_id: str
) -> Any:
    """Show a notification, or run it."""
    seen_id = seen_merchant_id()
    notified = notifications.find(row_id, seen_id) if is_row_id(row_id) else None
    if notified is None:
        raise NotFound
    why = obstacle(connector.providers, notified)
    if request.method == "GET":
        return _page(notified, why)
    if why is OFF:
        return _page(notified, why), 409
    attempts = _number(request.form.get("attempts", ""))
    if attempts is None:
        raise StaleForm
    _run_once(connector, notifications, place_in(actions), notified, attempts)
    return redirect(url_for(".run", row_id=row_id, seen=attempts), 303)


def _run_once(
    connector: "Connector",
    notifications: NotificationList,
    place: AbstractContextManager[None],
    notified: Notified,
    attempts: int,
) -> None:
    """Run a notification, unless it ran since the person saw it.

    The row is due from here on. If this process ends before the run, or another request has the
    payment's lease, reconcile runs the notification.
    """
    merchant = connector.directory.by_id(notified.merchant_id)
    with place:
        due = notifications.make_due(notified.id, attempts)
        if due is None or not isinstance(due.request, NotificationRequest):
            return
        _record(connector, notified)
        deadline = Deadline.after(connector.settings.answer_seconds)
        connector.notify.act(merchant, due.request, deadline)


def _record(connector: "Connector", notified: Notified) -> None:
    row = notified.request
    context.add(
        operation=Operation.NOTIFICATION,
        merchant=row.merchant,
        provider=row.provider,
        payment_id=row.payment_id,
        request_id=row.request_id,
    )
    connector.merchants.record(
        row.merchant, actor(viewer()), COMMAND, payment=row.payment_id, request=row.request_id
    )


def _page(notified: Notified, why: Any) -> str:
    before = _number(request.args.get("seen", ""))
    return render_template(
        "console/notifications_run.html",
        notified=notified,
        obstacle=why,
        has_run=before is not None and notified.request.attempts > before,
        is_left=before is not None and notified.request.attempts == before,
        states=STATES,
        tones=TONES,
        story_address=story_address,
        titles=titles(),
    )


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None
