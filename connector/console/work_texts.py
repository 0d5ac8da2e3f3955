"""The texts about the work: for each kind, what happened, what to do, and what not to do."""

from dataclasses import dataclass, replace
from typing import Any

from connector.pages.languages import lazy_gettext as _


@dataclass(frozen=True)
class Advice:
    """Texts for a person. In each text `%(company)s` is the name of the company."""

    happened: Any
    do: Any
    avoid: Any


# What not to do.
_NOT_WHILE_OPEN = _(
    "Never return this money by hand while the refund is open: the buyer would get it twice. Do not"
    " close the row while %(company)s still works on it."
)
_NOT_UNSEEN = _(
    "Do not return money before %(company)s shows that it is still there. It may have been returned"
    " since. Do not close the row before that."
)
_NOT_BOTH = _(
    "Do not do both: if the money is returned at %(company)s and by a refund in VTEX, the buyer"
    " gets it twice."
)
_NOT_BY_TWO = _(
    "Do not return it before you have asked the shop: VTEX has told the shop the same. Only one of"
    " you may do it."
)
_NOT_SHIPPED = _("Do not ship the goods, and do not settle the payment.")
_NOT_FORGOTTEN = _(
    "Do not close the row before the payment is found: its money may still be held or taken."
)
_NOT_YET = _("Do not close the row while %(company)s still works on the payment.")

CAPTURED = Advice(
    _("The payment is to be cancelled, but its money is already taken."),
    _(
        "Find the payment in the console of %(company)s. Return the money there. If VTEX asked for"
        " the cancellation, a refund in VTEX does the same. Then close the row."
    ),
    _NOT_BOTH,
)
CAPTURED_AND_RETURNED_IN_PART = Advice(
    _("The payment is to be cancelled. Its money is taken, and a part is returned already."),
    _("Return the rest in the console of %(company)s. Then close the row."),
    _("Do not return the whole amount: a part is returned already."),
)
UNPAID = Advice(
    _(
        "The payment is to be cancelled. Nobody has paid it, and %(company)s cannot cancel an"
        " unpaid payment: it expires by itself."
    ),
    _(
        "Do nothing yet. The row closes by itself when the payment expires. If the buyer pays after"
        " all, return the money."
    ),
    _("Do not close the row while the buyer can still pay: nobody would notice the money."),
)
UNSUPPORTED = Advice(
    _("The payment is to be cancelled, but %(company)s cannot cancel it in its present state."),
    _(
        "Find the payment in the console of %(company)s. Release or return its money there. Then"
        " close the row."
    ),
    _NOT_UNSEEN,
)
PART = Advice(
    _("VTEX asked to cancel a part of the payment. %(company)s cancels whole payments only."),
    _(
        "If the money is only held, do nothing: when VTEX settles the rest, this part is released"
        " and the row closes. If the money is taken, return this part in the console of"
        " %(company)s."
    ),
    _("Do not return a part that is only held: it is released by itself, and nobody has it yet."),
)
UNKNOWN_ID = Advice(
    _("VTEX holds an id of this payment, but %(company)s does not know the payment."),
    _(
        "Look whether the merchant's settings name the right account, and the real one instead of"
        " the sandbox. Find the payment in the console of %(company)s, end it there, and close the"
        " row."
    ),
    _NOT_FORGOTTEN,
)
NO_LOOK = Advice(
    _("The ids of this payment are not enough to look it up at %(company)s."),
    _(
        "Find the payment in the console of %(company)s by its date and amount. Cancel it there."
        " Then close the row."
    ),
    _NOT_FORGOTTEN,
)
CANCEL_REFUSED = Advice(
    _("%(company)s refused the cancellation, or failed at it several times."),
    _("Cancel the payment in the console of %(company)s, and ask why it failed. Close the row."),
    _NOT_UNSEEN,
)
SETTLED_SINCE = Advice(
    _("VTEX asked to cancel the payment, and settled it later."),
    _(
        "Ask the shop what counts. If the payment is to be cancelled, return the money by a refund"
        " in VTEX. Then close the row."
    ),
    _NOT_BOTH,
)
ANOTHER_AMOUNT = Advice(
    _("The buyer paid another amount than VTEX asked for. Nothing is approved."),
    _(
        "VTEX cancels the payment soon, and held money is released then. Return money that was"
        " taken in the console of %(company)s. Find out why the price differs: the app was changed,"
        " or has a fault."
    ),
    _NOT_SHIPPED,
)
ANOTHER_ORDER = Advice(
    _(
        "A message of %(company)s names this payment, but the purchase shows another order. Nothing"
        " is approved."
    ),
    _(
        "Find the purchase in the console of %(company)s. If its order is this payment after all,"
        " settle or return it there, and tell the developers of the app."
    ),
    _NOT_SHIPPED,
)
SECOND_PURCHASE = Advice(
    _("The buyer paid twice in the app. The first purchase is the payment."),
    _("Return the second purchase in the console of %(company)s. Then close the row."),
    _("Do not return the first purchase: VTEX and the shop count on it."),
)

# The company's own word.
PAID_TWICE = Advice(
    _("%(company)s shows that the order was paid twice."),
    _("Find the order in the console of %(company)s. Return what is too much. Close the row."),
    _NOT_UNSEEN,
)
SPLIT = Advice(
    _("The payment is an order of %(company)s that the buyer pays in parts (Split)."),
    _("End the Split order in the console of %(company)s. Then close the row."),
    _NOT_UNSEEN,
)
ROLLED_BACK = Advice(
    _("The buyer paid during a rollback, and the money was not returned after that."),
    _("Return the money in the console of %(company)s. Then close the row."),
    _NOT_UNSEEN,
)
HOLD_WITHOUT_ID = Advice(
    _("The money is held by a purchase whose id VTEX does not send."),
    _("Cancel the purchase in the console of %(company)s. Then close the row."),
    _NOT_FORGOTTEN,
)
OTHER_ORDER_OF_IDS = Advice(
    _("The ids that VTEX sent name a purchase of another order."),
    _(
        "Find the right purchase in the console of %(company)s by its date and amount, and end it"
        " there. Then close the row."
    ),
    _("Do not touch the purchase that the ids name: it belongs to another buyer."),
)
CRYPTO_PAID = Advice(
    _("The buyer has paid at %(company)s, perhaps too much or too little."),
    _("Give the money back to a wallet address that the buyer confirms. Then close the row."),
    _("Do not send the money to the address from which it came: ask the buyer for an address."),
)
CRYPTO_LOCKED = Advice(
    _("%(company)s has locked the payment, or had a fault."),
    _("Ask %(company)s what became of the money. Return what is due, and close the row."),
    _NOT_UNSEEN,
)
STUCK = Advice(
    _("The payment is at %(company)s in a state that only a person can end. Its word is below."),
    _("Find the payment in the console of %(company)s. Ask what the word means, and end it there."),
    _NOT_UNSEEN,
)

# Refunds.
WALLET = Advice(
    _("The refund is made: the money is in the merchant's refund wallet at %(company)s."),
    _("Pay the buyer from that wallet, at an address that the buyer confirms. Close the row."),
    _("Do not close the row before the buyer is paid: nothing else reminds of it."),
)
REFUNDED_LATE = Advice(
    _("VTEX was told that this refund failed. It is done."),
    _("Tell the shop that the buyer has the money. Then close the row."),
    _("Do not refund it again, neither by hand nor in VTEX: the buyer would get it twice."),
)
NO_TRACE = Advice(
    _("The refund was sent, but %(company)s shows no trace of it."),
    _(
        "Look for the refund in the console of %(company)s. The connector goes on looking for a"
        " week. If the refund is certainly not there, return the money, and close the row."
    ),
    _NOT_WHILE_OPEN,
)
NOT_REFUNDED = Advice(
    _("The refund failed in the end, as VTEX was told."),
    _(
        "Let the shop refund again in VTEX, which is another request, or return the money in the"
        " console of %(company)s. Then close the row."
    ),
    _NOT_BOTH,
)
REFUND_IS_OPEN = Advice(
    _(
        "VTEX was told that this refund failed, or got no answer. The refund is under way at"
        " %(company)s, or may be."
    ),
    _("Tell the shop to wait. The connector goes on looking, and shows the end here."),
    _NOT_WHILE_OPEN,
)
CANNOT_REFUND = Advice(
    _("%(company)s cannot refund this payment for this merchant. VTEX has told the shop so."),
    _("Pay the buyer in another way, as agreed with the buyer. Then close the row."),
    _NOT_BY_TWO,
)
WHOLE_REFUNDS_ONLY = Advice(
    _("VTEX asked to refund a part. %(company)s refunds whole payments only."),
    _("Return the part in another way, as agreed with the buyer. Then close the row."),
    _NOT_BY_TWO,
)
REFUND_REFUSED = Advice(
    _("%(company)s refused the refund, or failed at it several times. VTEX has told the shop so."),
    _("Refund it in the console of %(company)s, and ask why it failed. Then close the row."),
    _NOT_BY_TWO,
)
REFUND_CREDENTIALS = Advice(
    _("%(company)s does not accept the merchant's keys, so nobody knows how the refund stands."),
    _("Correct the merchant's settings. Then look for the refund in the console of %(company)s."),
    _NOT_WHILE_OPEN,
)
REFUND_PENDING = Advice(
    _("%(company)s says that it has been working on the refund for a week."),
    _("Ask %(company)s when the refund ends. Tell the shop the outcome, and close the row."),
    _NOT_WHILE_OPEN,
)
REFUND_UNKNOWN = Advice(
    _("%(company)s did not say what became of the refund."),
    _(
        "Look for the refund in the console of %(company)s. Tell the shop the outcome, and close"
        " the row."
    ),
    _NOT_WHILE_OPEN,
)
OPEN_REFUND = Advice(
    _("The refund has not ended. The connector goes on looking for its end."),
    _("Do nothing yet. When a person must act, this row says so."),
    _NOT_WHILE_OPEN,
)

# Settlements, and what a week of looks did not finish.
EQUAL_PART = Advice(
    _(
        "VTEX asked twice to settle an equal part. VTEX was told of the first settlement, and the"
        " second was not made."
    ),
    _(
        "Ask the shop whether the order has two parts of this size. If so, the second was not"
        " taken, and %(company)s has released it: tell the shop. If not, it was a repeat. Close the"
        " row."
    ),
    _("Do not take the money a second time for a repeat of the same request."),
)
SETTLE_UNKNOWN = Advice(
    _("%(company)s did not say what became of the settlement."),
    _("Look in the console of %(company)s. Tell the shop the outcome. Then close the row."),
    _("Do not take the money by hand before you have seen that it is still held."),
)
CANCEL_UNKNOWN = Advice(
    _("%(company)s gave no clear answer, or refused, for a week."),
    _(
        "Find the payment in the console of %(company)s. If a cancelled payment still has a hold,"
        " release it. Then close the row."
    ),
    _NOT_UNSEEN,
)
CREDENTIALS = Advice(
    _("%(company)s does not accept the merchant's keys."),
    _(
        "Correct the merchant's settings. Then look in the console of %(company)s how the payment"
        " stands, end it there, and close the row."
    ),
    _NOT_UNSEEN,
)
CERTIFICATE = Advice(
    _("The certificate of %(company)s was not trusted for a week."),
    _(
        "Let the operator correct the certificate authorities. Then look in the console of"
        " %(company)s how the payment stands, end it there, and close the row."
    ),
    _NOT_UNSEEN,
)
REFUND_CERTIFICATE = replace(CERTIFICATE, avoid=_NOT_WHILE_OPEN)
PENDING = Advice(
    _("%(company)s says that it has been working on the payment for a week."),
    _("Ask %(company)s when it ends. Tell the shop the outcome, and close the row."),
    _NOT_YET,
)
