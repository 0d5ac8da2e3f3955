"""`connector console`: links to sign in, and the sessions that they begin."""

import json
from typing import TYPE_CHECKING, Any

import click

from connector.cli.output import as_json, instant, print_rows
from connector.cli.start import open_connector, os_user
from connector.domain.errors import ConfigurationError
from connector.domain.person import person_name
from connector.storage.console_access import ConsoleAccess

if TYPE_CHECKING:
    from connector.app import Connector

BIND = "127.0.0.1:8080"


@click.group()
def console() -> None:
    """Let people into the console, and end their sessions."""


def _name(_: click.Context, __: click.Parameter, text: str | None) -> str:
    name = person_name(os_user() if text is None else text)
    if name is None:
        raise ConfigurationError("--name: use 1 to 64 letters, digits, spaces and . @ + - _ ' ( )")
    return name


@console.command("link")
@click.option("--merchant", default=None, help="Show this merchant only; without it, all.")
@click.option("--name", default=None, callback=_name, help="Who gets the link; you, without it.")
@click.option(
    "--bind",
    default=BIND,
    show_default=True,
    metavar="HOST:PORT",
    help="Without CONNECTOR_PUBLIC_URL.",
)
@as_json
def make_link(merchant: str | None, name: str, bind: str, *, is_json: bool) -> None:
    """Print a link that signs a person in once, within 10 minutes.

    With --merchant the person sees only that merchant, also while the merchant is disabled.
    """
    link = link_for(open_connector(), name, merchant, bind)
    if is_json:
        click.echo(json.dumps(link))
        return
    whom = f"the merchant {merchant}" if merchant else "all merchants"
    click.echo(
        f"{link['link']}\n\nIt signs in {name}, for {whom}: once, until {link['expiresAt']}, "
        "at a server with CONNECTOR_CONSOLE=on."
    )


def link_for(connector: "Connector", name: str, merchant: str | None, bind: str) -> dict[str, Any]:
    """Make a link. Raises UnknownMerchant."""
    merchant_id = _merchant_id(connector, merchant)
    code, expires_at = ConsoleAccess(connector.database).make_link(name, merchant_id, by=os_user())
    address = connector.settings.public_url or f"http://{bind}"
    return {
        "link": f"{address}/console/sign-in?code={code}",
        "name": name,
        "merchant": merchant,
        "expiresAt": instant(expires_at),
    }


def _merchant_id(connector: "Connector", name: str | None) -> int | None:
    return None if name is None else connector.merchants.find(name).merchant.id


@console.command("sessions")
@as_json
def sessions(*, is_json: bool) -> None:
    """List the sessions that are live."""
    rows = [
        {
            "session": session.id,
            "name": session.name,
            "merchant": session.merchant,
            "createdAt": instant(session.created_at),
            "seenAt": instant(session.seen_at),
            "endsAt": instant(session.ends_at),
        }
        for session in ConsoleAccess(open_connector().database).sessions()
    ]
    print_rows(rows, is_json=is_json)


@console.command("revoke")
@click.argument("session", type=click.IntRange(1), required=False)
@click.option("--merchant", default=None, help="Every session of this merchant's people.")
@click.option("--all", "is_all", is_flag=True, help="Every session.")
@as_json
def revoke(session: int | None, merchant: str | None, *, is_all: bool, is_json: bool) -> None:
    """End a session at once.

    With --merchant or --all, every session ends, and every link that is still good.
    """
    if [session is not None, merchant is not None, is_all].count(True) != 1:
        raise ConfigurationError("Give the number of a session, or --merchant NAME, or --all")
    connector = open_connector()
    merchant_id = _merchant_id(connector, merchant)
    access = ConsoleAccess(connector.database)
    revoked = access.revoke(by=os_user(), session_id=session, merchant_id=merchant_id)
    if session and not revoked:
        raise ConfigurationError(
            f"There is no live session {session}; `connector console sessions` lists the sessions"
        )
    names = {entry.merchant.id: entry.merchant.name for entry in connector.merchants.all()}
    rows = [
        {"session": one.id, "name": one.name, "merchant": names.get(one.merchant_id or 0)}
        for one in revoked
    ]
    print_rows(rows, is_json=is_json)
