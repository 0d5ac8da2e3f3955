"""The words of payments, as a support person reads them."""

from collections.abc import Mapping
from typing import Any

from connector.domain.payment import PaymentStatus
from connector.pages.languages import lazy_gettext as _
from connector.provider import Provider

STATUSES: Mapping[str, Any] = {
    PaymentStatus.PENDING: _("waiting for the buyer"),
    PaymentStatus.APPROVED: _("approved"),
    PaymentStatus.DENIED: _("denied"),
    PaymentStatus.CANCELLED: _("cancelled"),
    PaymentStatus.SETTLED: _("money taken"),
    PaymentStatus.REFUNDED: _("money returned"),
}
# Where a payment of each status stands.
STANDS: Mapping[str, Any] = {
    PaymentStatus.PENDING: _("The buyer has not paid yet, or nobody has confirmed it yet."),
    PaymentStatus.APPROVED: _(
        "The buyer has paid. The money waits until VTEX takes it, or cancels the payment."
    ),
    PaymentStatus.DENIED: _("The payment was denied. No money is held."),
    PaymentStatus.CANCELLED: _("The payment is cancelled. The shop keeps no money of it."),
    PaymentStatus.SETTLED: _("The money is taken for the shop."),
    PaymentStatus.REFUNDED: _("All the money went back to the buyer."),
}
# The colours of the statuses. The colour only repeats the word.
TONES: Mapping[str, str] = {
    PaymentStatus.PENDING: "wait",
    PaymentStatus.APPROVED: "wait",
    PaymentStatus.DENIED: "bad",
    PaymentStatus.CANCELLED: "",
    PaymentStatus.SETTLED: "good",
    PaymentStatus.REFUNDED: "",
}


def title_of(providers: Mapping[str, Provider], name: str) -> str:
    """Return a company's name for people. A provider that is switched off has its short name."""
    # `get` does not raise, although `providers[name]` does.
    provider = providers.get(name)
    return provider.title if provider else name
