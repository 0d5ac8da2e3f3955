"""The suite's cases by kind of payment method, and our additional cases from VTEX's papers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from connector.rehearsal import manifest
from connector.rehearsal.checks import done, failed, page, require
from connector.rehearsal.forms import (
    APPROVED_LATER,
    BARE,
    DENIED,
    DENIED_LATER,
    FULL,
    VALUE,
    Reading,
)
from connector.rehearsal.player import FAILURES, Player

ANY, CARD, INVOICE, REDIRECT = "any", "card", "invoice", "redirect"
# In units. Two parts and the rest are the whole amount.
_PART = Decimal("30.10")
_REST = VALUE - 2 * _PART
_LEAST = Decimal("0.01")


@dataclass(frozen=True)
class Case:
    """One line of the report. The case is played with payment methods of `kind`."""

    name: str
    kind: str
    play: Callable[[Player], None]
    is_beyond: bool = False
    readings: tuple[Reading, ...] = (BARE, FULL)
    has_callback: bool = False
    is_escaped: bool = False


def kind_of(method: str) -> str:
    """Say how the suite treats a payment method."""
    if method in manifest.CARDS:
        return CARD
    return INVOICE if method == "BankInvoice" else REDIRECT


def _manifest(player: Player) -> None:
    manifest.check(player.caller.get("manifest", "/manifest").body, player.method)


def _approved(player: Player) -> None:
    player.create("approved")
    settle_id = player.settle()
    player.refund(player.refund_of(settle_id))


def _denied(player: Player) -> None:
    player.create("denied", DENIED)


def _cancellation(player: Player) -> None:
    player.create("approved")
    player.cancel()


def _later(number: str | None, status: str, *, has_page: bool = False) -> Callable[[Player], None]:
    def play(player: Player) -> None:
        answer = player.create("undefined", number)
        if has_page:
            page(answer)
        player.expect_callback(status)

    return play


def _cancel_repeated(player: Player) -> None:
    """The same request gets the same bytes."""
    player.create("approved")
    body = player.cancellation()
    first, again = player.cancel(body), player.cancel(body)
    require(first.content == again.content, f"the repeat was answered otherwise: {first.body}")


def _cancel_again(player: Player) -> None:
    """Another request finds the payment cancelled."""
    player.create("approved")
    first, again = player.cancel(), player.cancel()
    ids = [answer.body["cancellationId"] for answer in (first, again)]
    require(ids[0] == ids[1], f"cancellationId is {ids[1]!r}, but was {ids[0]!r}")


def _cancel_bare(player: Player) -> None:
    """A cancellation with only the two ids succeeds."""
    player.create("approved")
    player.cancel({"paymentId": player.payment_id, "requestId": player.reading.new_id()})


def _cancel_first(player: Player) -> None:
    """A payment that is cancelled before it is created is not created."""
    player.cancel()
    player.create("denied")


def _cancel_undecided(player: Player) -> None:
    """A payment that is cancelled before it is decided is never approved."""
    player.create("undefined", APPROVED_LATER)
    player.cancel()
    player.create_again("denied")
    player.expect_no_approval()
    player.create_again("denied")


def _cancel_settled(player: Player) -> None:
    """If the cancellation succeeds, the money went back, and no refund is possible after it."""
    player.create("approved")
    settle_id = player.settle()
    sent = player.cancellation()
    answer = player.caller.post("cancel", player.path("cancellations"), sent, FAILURES)
    if answer.body.get("cancellationId") is None:
        failed(answer.body, sent, "cancellationId")
        require(answer.body["code"], "a failure without a code")
        player.refund(player.refund_of(settle_id))
        return
    done(answer.body, sent, "cancellationId")
    player.refund_in_vain(player.refund_of(settle_id))


def _settle_cancelled(player: Player) -> None:
    player.create("approved")
    player.cancel()
    player.settle_in_vain()


def _create_repeated(player: Player) -> None:
    """A repeated create makes no second payment. A settlement does not undo the approval."""
    player.create("approved")
    player.create_again("approved")
    settle_id = player.settle()
    player.create_again("approved")
    player.refund(player.refund_of(settle_id))


def _refunds(player: Player) -> None:
    """Two equal refunds are two, a repeat is none, and no refund exceeds the settled amount."""
    player.create("approved")
    settle_id = player.settle()
    first, second = player.refund_of(settle_id, _PART), player.refund_of(settle_id, _PART)
    ids = [player.refund(first), player.refund(second), player.refund(second)]
    require(ids[0] != ids[1], f"two refunds have one refundId, {ids[0]!r}")
    require(ids[1] == ids[2], f"refundId is {ids[2]!r}, but was {ids[1]!r}")
    player.refund(player.refund_of(settle_id, _REST))
    player.refund_in_vain(player.refund_of(settle_id, _LEAST))


def _headers(player: Player) -> None:
    """Both families of headers work, in capital and small letters."""
    player.create("approved", family="x-provider-api")
    player.cancel(family="X-PROVIDER-API")


def _nobody(player: Player) -> None:
    """Without the suite's header and without credentials nothing is done."""
    player.caller.post_as_nobody("create", "/payments", player.order())


def _opaque_id(player: Player) -> None:
    """A requestId is any text."""
    player.create("approved")
    request_id = f"2026-02-03T04:05:06-0300 {player.reading.new_id()}"
    player.cancel({"paymentId": player.payment_id, "requestId": request_id})


def _two_ids(player: Player) -> None:
    """If the body names another payment than the path, nothing changes."""
    player.create("approved")
    body = {**player.cancellation(), "paymentId": player.reading.new_id()}
    answer = player.caller.post("cancel", player.path("cancellations"), body, {400})
    cancellation_id = answer.body.get("cancellationId")
    fault = f"cancellationId is {cancellation_id!r}: another payment was cancelled"
    require(cancellation_id is None, fault)
    player.settle()


SUITE = (
    Case("manifest", ANY, _manifest, readings=(FULL,)),
    Case("approved", CARD, _approved),
    Case("denied", CARD, _denied),
    Case("cancellation", CARD, _cancellation),
    Case("async-approved", CARD, _later(APPROVED_LATER, "approved"), has_callback=True),
    Case("async-denied", CARD, _later(DENIED_LATER, "denied"), has_callback=True),
    Case("bank-invoice", INVOICE, _later(None, "approved", has_page=True), has_callback=True),
    Case("redirect", REDIRECT, _later(None, "approved", has_page=True), has_callback=True),
)


def _case_beyond_suite(name: str, play: Callable[[Player], None], **values: bool) -> Case:
    return Case(name, CARD, play, is_beyond=True, readings=(FULL,), **values)


BEYOND = (
    _case_beyond_suite("cancel-repeated", _cancel_repeated),
    _case_beyond_suite("cancel-again", _cancel_again),
    _case_beyond_suite("cancel-bare", _cancel_bare),
    _case_beyond_suite("cancel-first", _cancel_first),
    _case_beyond_suite("cancel-undecided", _cancel_undecided, has_callback=True),
    _case_beyond_suite("cancel-settled", _cancel_settled),
    _case_beyond_suite("settle-cancelled", _settle_cancelled),
    _case_beyond_suite("create-repeated", _create_repeated),
    _case_beyond_suite("partial-refunds", _refunds),
    _case_beyond_suite("header-families", _headers),
    _case_beyond_suite("no-credentials", _nobody),
    _case_beyond_suite("opaque-request-id", _opaque_id),
    _case_beyond_suite("two-payment-ids", _two_ids),
    _case_beyond_suite(
        "callback-bytes", _later(APPROVED_LATER, "approved"), has_callback=True, is_escaped=True
    ),
)
CASES = SUITE + BEYOND
