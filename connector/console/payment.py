"""The page of one payment: its head, its money, and its story."""

from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import redirect, render_template, url_for

from connector.console.payment_look import COMMAND, Looks
from connector.console.payment_money import WIDTH, money_of
from connector.console.payment_story import Story
from connector.console.payment_words import STANDS, STATUSES, TONES, title_of
from connector.console.viewer import actor, viewer
from connector.domain.errors import NotFound, UnknownMerchant
from connector.domain.merchant import Merchant
from connector.domain.payment import is_payment_id
from connector.domain.person import name_of
from connector.pages.languages import amount
from connector.pages.routes import Pages
from connector.storage.payment_history import PaymentHistories, PaymentHistory

if TYPE_CHECKING:
    from connector.app import Connector

ADDRESS = "/console/payments/<merchant>/<payment_id>"
# A page shows the first steps of a longer story, and the newest events of people.
MOST_STEPS, MOST_EVENTS = 1000, 50


def add_routes(routes: Pages, connector: "Connector") -> None:
    histories = PaymentHistories(connector.database)
    looks = Looks(connector)
    routes.add_url_rule(ADDRESS, "payment", partial(_show, connector, histories))
    routes.add_url_rule(
        f"{ADDRESS}/look", "look", partial(_look, connector, looks), methods=["POST"]
    )


def _show(
    connector: "Connector", histories: PaymentHistories, merchant: str, payment_id: str
) -> str:
    shop = _seen_merchant(connector, merchant, payment_id)
    history = histories.find(shop.id, payment_id, MOST_EVENTS)
    if history is None:
        raise NotFound
    return _rendered(connector, shop, history)


def _seen_merchant(connector: "Connector", name: str, payment_id: str) -> Merchant:
    """Find the merchant of a payment. Raises NotFound, also if the viewer may not see the merchant.

    PostgreSQL compares no text with a zero character, so only what can be an id is searched.
    """
    if not (viewer().may_see(name) and is_payment_id(payment_id)):
        raise NotFound
    try:
        return connector.directory.by_name(name)
    except UnknownMerchant:
        raise NotFound from None


def _rendered(connector: "Connector", shop: Merchant, history: PaymentHistory) -> str:
    payment = history.payment
    company = title_of(connector.providers, shop.provider)
    story = Story(company, payment.currency)
    steps = connector.stories.steps(shop.name, payment.key.payment_id, MOST_STEPS + 1)
    money = money_of(payment, history.writes)
    return render_template(
        "console/payment.html",
        shop=shop,
        history=history,
        payment=payment,
        company=company,
        stands=STANDS[payment.status],
        status=STATUSES[payment.status],
        tone=TONES[payment.status],
        parts=money.parts() if money else [],
        width=WIDTH,
        amount_there=_amount_there,
        name_of=name_of,
        look=next((event for event in history.events if event.command == COMMAND), None),
        story=story,
        steps=story.told(steps[:MOST_STEPS], history.events),
        most_steps=MOST_STEPS if len(steps) > MOST_STEPS else None,
    )


def _amount_there(value: str, currency: str | None) -> str:
    """Write an amount of a recorded look."""
    return amount(Decimal(value), currency)


def _look(connector: "Connector", looks: Looks, merchant: str, payment_id: str) -> Any:
    shop = _seen_merchant(connector, merchant, payment_id)
    payment = connector.payments.find(shop.id, payment_id)
    if payment is None:
        raise NotFound
    looks.look(actor(viewer()), shop, payment)
    address = url_for(".payment", merchant=merchant, payment_id=payment_id, _anchor="look")
    return redirect(address, 303)
