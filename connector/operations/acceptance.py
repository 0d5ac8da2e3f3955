"""Refuse an order that a provider cannot take, before the payment is recorded."""

from connector.domain.errors import CardNotTaken, InvalidRequest, NoSandbox, UnsupportedCurrency
from connector.domain.order import Order
from connector.provider import Provider


def check_order(order: Order, provider: Provider, *, is_sandbox: bool) -> None:
    """Raises InvalidRequest, whose message tells VTEX or the shop what to change."""
    if order.carries_card and not provider.takes_cards:
        (method, *_) = provider.payment_methods
        raise CardNotTaken(f"Send no card: use the payment method {method}, which redirects")
    if provider.currencies is not None and order.currency not in provider.currencies:
        raise UnsupportedCurrency(f"The currency {order.currency} is not supported")
    if order.amount != round(order.amount, provider.decimals):
        raise InvalidRequest(f"value: at most {provider.decimals} decimals")
    if is_sandbox and not provider.has_sandbox:
        raise NoSandbox
