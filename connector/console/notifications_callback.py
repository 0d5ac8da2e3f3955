"""One payment's callback to VTEX: its tries, and a try at once."""

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect, render_template, request, url_for

from connector.bulkhead import Bulkhead
from connector.console.actions import place_in
from connector.console.viewer import actor, viewer
from connector.console.work_words import story_address
from connector.domain.errors import NotFound, UnknownMerchant
from connector.domain.payment import is_payment_id
from connector.pages.routes import Pages
from connector.storage.callback_list import CallbackList, DueCallback

if TYPE_CHECKING:
    from connector.app import Connector

COMMAND = "console send callback"
# Tries of one callback that are shown. Until a day is over there are 29.
MOST_TRIES = 100


def add_routes(
    routes: Pages, connector: "Connector", callbacks: CallbackList, actions: Bulkhead
) -> None:
    send = partial(_send, connector, callbacks, actions)
    address = "/console/notifications/callback/<merchant>/<payment_id>"
    routes.add_url_rule(address, "callback", send, methods=["GET", "POST"])


def _send(
    connector: "Connector",
    callbacks: CallbackList,
    actions: Bulkhead,
    merchant: str,
    payment_id: str,
) -> Any:
    """Show a callback, or send it."""
    callback = _found(connector, callbacks, merchant, payment_id)
    if request.method == "GET":
        return _page(callbacks, callback)
    tries = callbacks.sent_of(callback.merchant_id, payment_id, 1)
    if callback.at is not None:
        with place_in(actions):
            record = connector.merchants.record
            record(merchant, actor(viewer()), COMMAND, payment=payment_id)
            connector.callbacks.send_now(callback.merchant_id, payment_id)
    last = tries[0].id if tries else 0
    address = url_for(".callback", merchant=merchant, payment_id=payment_id, last=last)
    return redirect(address, 303)


def _found(
    connector: "Connector", callbacks: CallbackList, merchant: str, payment_id: str
) -> DueCallback:
    """Find a callback that the viewer may see. Raises NotFound."""
    if not (viewer().may_see(merchant) and is_payment_id(payment_id)):
        raise NotFound
    try:
        merchant_id = connector.directory.by_name(merchant).id
    except UnknownMerchant:
        raise NotFound from None
    callback = callbacks.one(merchant_id, payment_id)
    if callback is None:
        raise NotFound
    return callback


def _page(callbacks: CallbackList, callback: DueCallback) -> str:
    """Show the tries. `last` in the address is the last try before this person sent one."""
    text = request.args.get("last", "")
    last = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
    tries = callbacks.sent_of(callback.merchant_id, callback.payment_id, MOST_TRIES)
    newest = next((one for one in tries[:1] if last is not None and one.id > last), None)
    return render_template(
        "console/notifications_callback.html",
        callback=callback,
        tries=tries,
        newest=newest,
        was_not_sent=last is not None and newest is None,
        story_address=story_address,
    )
