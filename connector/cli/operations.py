"""`connector operations`: what happened, and what a person must do."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from connector.cli.output import as_json, cell, print_operations
from connector.cli.start import open_connector, os_user
from connector.cli.story import print_story
from connector.domain.errors import ConfigurationError, UnknownMerchant
from connector.domain.note import fault_of
from connector.domain.operation import ListedRequest, State
from connector.domain.payment import is_payment_id
from connector.operations.closing import Closing, obstacle

if TYPE_CHECKING:
    from connector.app import Connector
    from connector.storage.stories import Stories

# Rows that an error names. Nobody would read more.
MOST_NAMED = 10


def _payment_id(_: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or is_payment_id(value):
        return value
    is_option = isinstance(parameter, click.Option)
    label = parameter.opts[0] if is_option else str(parameter.name).upper()
    raise ConfigurationError(f"{label}: VTEX's are 1 to 128 letters, digits, - and _")


def _note(_: click.Context, __: click.Parameter, value: str) -> str:
    if fault := fault_of(value):
        raise ConfigurationError(f"--note: {fault}")
    return value


@click.group()
def operations() -> None:
    """Show requests, and close the rows whose work a person has done."""


@operations.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), default=None)
@click.option("--merchant", default=None)
@click.option("--payment", callback=_payment_id, default=None, help="VTEX's paymentId.")
@as_json
def list_operations(
    state: str | None, merchant: str | None, payment: str | None, *, is_json: bool
) -> None:
    """List what VTEX asked for; `--state manual` is what a person must do."""
    rows = open_connector().requests.rows(
        state=state or "", merchant=merchant or "", payment_id=payment or ""
    )
    print_operations(rows, is_json=is_json)


@operations.command("show")
@click.argument("payment", callback=_payment_id)
@click.option("--merchant", default=None, help="Whose, where several have a payment of this id.")
@as_json
def show(payment: str, merchant: str | None, *, is_json: bool) -> None:
    """Tell a payment's story, oldest first: what was asked, sent, answered and told."""
    stories = open_connector().stories
    print_story(stories.steps(_merchant_of(stories, payment, merchant), payment), is_json=is_json)


def _merchant_of(stories: "Stories", payment: str, merchant: str | None) -> str:
    """Find the merchant of a payment. Raises ConfigurationError, which says what to give."""
    merchants = stories.merchants(payment)
    if merchant in merchants or (len(merchants) == 1 and merchant is None):
        return merchant or merchants[0]
    if not merchants:
        raise ConfigurationError(f"PAYMENT: there is none of the id {payment}")
    named = ", ".join(map(ascii, merchants))
    if merchant is None:
        raise ConfigurationError(
            f"--merchant: several have a payment of this id; give one of {named}"
        )
    raise ConfigurationError(
        f"--merchant: {merchant!a} has no such payment; those that have: {named}"
    )


@operations.command("close")
@click.argument("merchant")
@click.argument("payment_id", callback=_payment_id)
@click.option("--request", "request_id", default=None, help="Only the row of this requestId.")
@click.option("--note", callback=_note, default="", help="What was done, for the story.")
@as_json
def close(
    merchant: str, payment_id: str, request_id: str | None, note: str, *, is_json: bool
) -> None:
    """Close a row of `operations list --state manual`: a person did what it asked for.

    Reconcile does not look at the row again. The answer to VTEX and the payment's record do not
    change. If VTEX repeats the request, the connector looks again, unless its answer was final.
    """
    connector = open_connector()
    merchant_id = _merchant_id(connector, merchant)
    rows = _rows(connector, merchant, payment_id)
    wanted = _manual(rows, request_id)
    who = os_user()
    record = connector.merchants.record
    closing = Closing(connector.requests, record, who, "operations close", who)
    for row in wanted:
        closing.close(merchant_id, row, note)
    ids = {(row.operation, row.request_id) for row in wanted}
    rows = connector.requests.rows(merchant=merchant, payment_id=payment_id)
    closed = [row for row in rows if (row.operation, row.request_id) in ids]
    print_operations(closed, is_json=is_json)


def _rows(connector: "Connector", merchant: str, payment_id: str) -> Sequence[ListedRequest]:
    """Find a payment's rows. If there are none, raises ConfigurationError with the list's rows."""
    if rows := connector.requests.rows(merchant=merchant, payment_id=payment_id):
        return rows
    listed = connector.requests.rows(merchant=merchant, state=State.MANUAL.value)
    raise ConfigurationError(
        f"PAYMENT_ID: {merchant} has no operation of {payment_id}; "
        f"on the operator's list there is {_names_of(listed)}"
    )


def _merchant_id(connector: "Connector", name: str) -> int:
    """Find the id of any merchant, even the test suite's merchant."""
    ids = {entry.merchant.name: entry.merchant.id for entry in connector.merchants.all()}
    if name not in ids:
        raise UnknownMerchant(f"There is no merchant named {name!a}")
    return ids[name]


def _manual(rows: Sequence[ListedRequest], request_id: str | None) -> list[ListedRequest]:
    """Choose the rows to close. Several rows need a `request_id` that names their request."""
    candidates = [row for row in rows if request_id in {None, row.request_id}]
    if not candidates:
        raise ConfigurationError(f"--request: there is {_names_of(rows)}")
    manual = [row for row in candidates if not obstacle(row)]
    if not manual:
        raise ConfigurationError(f"Nothing to close: there is {_names_of(candidates)}")
    if len(manual) > 1 and request_id is None:
        raise ConfigurationError(f"--request: say which; there is {_names_of(manual)}")
    return manual


def _names_of(rows: Sequence[ListedRequest]) -> str:
    """Name rows in a message. `cell` escapes texts of VTEX, so that no terminal obeys them."""
    named = [
        f"{row.operation} of {row.payment_id}, request {cell(row.request_id) or '-'}, {row.state}"
        for row in rows[:MOST_NAMED]
    ]
    more = len(rows) - MOST_NAMED
    return "; ".join([*named, *([f"and {more} more"] if more > 0 else [])]) or "nothing"
