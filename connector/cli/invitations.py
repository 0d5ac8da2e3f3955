"""`connector merchants invite` and its companions: who may connect without a command."""

import json
from typing import Any

import click

from connector.cli.output import as_json, instant, print_rows
from connector.cli.start import open_connector, os_user
from connector.domain.authorization import (
    MOST_DAYS,
    STORE,
    USUAL_DAYS,
    Invitation,
    invitation_link,
)
from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SignUp

# Where `make run` serves.
_LOOPBACK_URL = "http://127.0.0.1:8080"


def store_name(_: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Read the name of a VTEX account. Capital letters count as small letters, as in a host."""
    if text is None:
        return None
    if not STORE.fullmatch(text.lower()):
        option = parameter.opts[0]
        raise ConfigurationError(f"{option}: give the name of a VTEX account, as in its address")
    return text.lower()


@click.command()
@click.option("--account", "store", callback=store_name, help="Good for this VTEX account only.")
@click.option("--provider", default=None, help="Good for this company only.")
@click.option("--days", default=USUAL_DAYS, show_default=True, type=click.IntRange(1, MOST_DAYS))
@as_json
def invite(store: str | None, provider: str | None, days: int, *, is_json: bool) -> None:
    """Print a link by which a merchant connects itself, once. The link is shown this once."""
    connector = open_connector()
    settings = connector.settings
    if provider is not None and provider not in connector.providers.sold:
        names = ", ".join(sorted(connector.providers.sold))
        raise ConfigurationError(
            f"--provider {provider}: not in CONNECTOR_PROVIDERS, which has {names}"
        )
    if settings.signup is SignUp.OFF:
        raise ConfigurationError("CONNECTOR_SIGNUP is off, so nobody can use an invitation")
    if not settings.public_url and not is_json:
        click.echo(
            "warning: CONNECTOR_PUBLIC_URL is not set: the link is of this machine", err=True
        )
    code, made = connector.invitations.add(store, provider, days, by=os_user())
    link = invitation_link(settings.public_url or _LOOPBACK_URL, code)
    row = {"link": link, "code": code, **_limits(made), "expiresAt": instant(made.expires_at)}
    _print(row, is_json=is_json)


@click.command("invitations")
@as_json
def list_invitations(*, is_json: bool) -> None:
    """List the invitations, the newest first, without their codes."""
    rows = [_row(made) for made in open_connector().invitations.all()]
    print_rows(rows, is_json=is_json)


@click.command("revoke-invitation")
@click.argument("number", type=int)
@as_json
def revoke(number: int, *, is_json: bool) -> None:
    """End an invitation that nobody has used yet."""
    open_connector().invitations.revoke(number, by=os_user())
    print_rows([{"invitation": number, "revoked": True}], is_json=is_json)


def _print(row: dict[str, Any], *, is_json: bool) -> None:
    if is_json:
        click.echo(json.dumps(row))
        return
    for name, value in row.items():
        click.echo(f"{name:9}  {'any' if value is None else value}")
    click.echo("\nSend the link to the merchant now: it is not shown again.")


def _limits(made: Invitation) -> dict[str, str | None]:
    return {"account": made.store, "provider": made.provider}


def _row(made: Invitation) -> dict[str, Any]:
    return {
        "invitation": made.id,
        **_limits(made),
        "by": made.actor,
        "createdAt": instant(made.created_at),
        "expiresAt": instant(made.expires_at),
        "usedAt": None if made.used_at is None else instant(made.used_at),
        "merchant": made.merchant,
    }
