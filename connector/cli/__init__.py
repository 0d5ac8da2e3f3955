"""The `connector` command."""

import json
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from connector import config, logs, providers
from connector.cli.check import results, warnings
from connector.cli.demo import demo_credentials
from connector.cli.output import operation, print_credentials, print_rows
from connector.cli.rehearse import rehearse
from connector.domain.errors import ConfigurationError, ConnectorError, UnknownMerchant
from connector.domain.merchant import CapturedPolicy
from connector.domain.operation import State
from connector.provider import Provider

if TYPE_CHECKING:
    from connector.app import Connector

# A merchant's name stands in URLs and on the command line.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

as_json = click.option("--json", "is_json", is_flag=True, help="Print JSON.")
settings_file = click.option(
    "--settings",
    "source",
    type=click.File("r", encoding="utf-8"),
    help="A JSON file with the provider's settings, or - for standard input.",
)


def _known_name(_: click.Context, __: click.Parameter, name: str) -> str:
    if not NAME.fullmatch(name):
        raise UnknownMerchant(f"There is no merchant named {name!a}")
    return name


merchant_name = click.argument("name", callback=_known_name)


class Command(click.Group):
    """Failures of ours are one message on standard error and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Command)
def main() -> None:
    """VTEX connector for Tranzzo, Yandex Pay, RuStore and Cryptomus.

    It is configured by the environment; the README has the table.
    """


@main.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option("--threads", default=64, show_default=True, type=click.IntRange(1))
@click.option("--no-reconcile", is_flag=True, help="Leave it to `connector reconcile`.")
def serve(bind: str, workers: int, threads: int, *, no_reconcile: bool) -> None:
    """Answer VTEX."""
    settings = _settings()
    with tempfile.TemporaryDirectory(prefix="connector-metrics-") as folder:
        # The workers' metrics meet in this folder; the library reads its name when imported.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        from connector import server  # noqa: PLC0415 - after the line above

        server.serve(settings, bind, workers, threads, reconcile=not no_reconcile)


@main.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from connector.storage.migrate import migrate as run  # noqa: PLC0415 - no other command needs Alembic

    run(_connector(migrated=False).database)
    click.echo("migrated")


@main.group()
def merchants() -> None:
    """Add, change and list merchants."""


@merchants.command("add")
@click.argument("name")
@click.option("--provider", required=True)
@settings_file
@click.option("--sandbox", is_flag=True, help="Its payments are made in the provider's sandbox.")
@click.option(
    "--captured",
    type=click.Choice([policy.value for policy in CapturedPolicy]),
    default=CapturedPolicy.MANUAL.value,
    show_default=True,
    help="What a cancellation does once the money is captured.",
)
@as_json
def add(
    name: str, provider: str, source: Any, captured: str, *, sandbox: bool, is_json: bool
) -> None:
    """Add a merchant and print its AppKey and AppToken; the token is shown this once."""
    connector = _connector()
    if not NAME.fullmatch(name):
        raise ConfigurationError("NAME: use 1 to 64 letters, digits, - and _")
    settings = _checked(connector, provider, _read(source))
    # With another key than the others' this one would be the only one that can be read.
    connector.merchants.check_keys()
    made = connector.merchants.add(
        name, provider, settings, sandbox=sandbox, captured=CapturedPolicy(captured)
    )
    print_credentials(made, is_json=is_json)


@merchants.command("list")
@as_json
def list_merchants(*, is_json: bool) -> None:
    """List the merchants, without anything secret."""
    rows = [
        {
            "merchant": entry.merchant.name,
            "provider": entry.merchant.provider,
            "appKey": entry.app_key,
            "sandbox": entry.merchant.sandbox,
            "captured": entry.merchant.captured.value,
            "disabled": entry.is_disabled,
        }
        for entry in _connector().merchants.entries()
    ]
    print_rows(rows, is_json=is_json)


@merchants.command("update")
@merchant_name
@settings_file
@as_json
def update(name: str, source: Any, *, is_json: bool) -> None:
    """Change settings; those not in the file stay as they are.

    They are encrypted anew with the newest key, also when the file holds none: {}.
    """
    connector = _connector()
    merchant = connector.merchants.entry(name).merchant
    if source is None:
        raise ConfigurationError("--settings FILE: give the settings that are to change")
    given = _read(source)
    settings = _checked(connector, merchant.provider, {**merchant.settings, **given})
    connector.merchants.update(name, settings)
    print_rows([{"merchant": name, "updated": ", ".join(sorted(given))}], is_json=is_json)


@merchants.command("rotate-token")
@merchant_name
@as_json
def rotate_token(name: str, *, is_json: bool) -> None:
    """Print a new AppToken; the previous one stays valid until the next rotation."""
    print_credentials(_connector().merchants.rotate_token(name), is_json=is_json)


@merchants.command("disable")
@merchant_name
@as_json
def disable(name: str, *, is_json: bool) -> None:
    """Refuse a merchant's requests; what was begun for it is still finished."""
    _connector().merchants.disable(name)
    print_rows([{"merchant": name, "disabled": True}], is_json=is_json)


@main.group()
def operations() -> None:
    """Show what happened."""


@operations.command("list")
@click.option("--state", type=click.Choice([state.value for state in State]), default=None)
@click.option("--merchant", default=None)
@as_json
def list_operations(state: str | None, merchant: str | None, *, is_json: bool) -> None:
    """List what VTEX asked for; `--state manual` is what a person must do."""
    found = _connector().requests.rows(state=state or "", merchant=merchant or "")
    print_rows([operation(row) for row in found], is_json=is_json)


@main.command()
@click.option("--once", is_flag=True, help="Look at what is due now, then end.")
def reconcile(*, once: bool) -> None:
    """Finish what nobody repeats any more."""
    reconciler = _connector().reconciler
    if once:
        click.echo(f"{reconciler.run_once()} looked at")
    else:
        reconciler.run(threading.Event())


@main.command()
@click.option("--merchant", default=None, help="Only this one.")
@as_json
def check(merchant: str | None, *, is_json: bool) -> None:
    """Check the configuration, the database and each merchant's credentials.

    The credentials are tried with a call that changes nothing. Exit status 1 when anything fails.
    """
    connector = _connector(migrated=False)
    rows = results(connector, merchant)
    print_rows(rows, is_json=is_json)
    for warning in [] if is_json else warnings(connector.settings):
        click.echo(f"warning: {warning}", err=True)
    if any(row["result"] != "ok" for row in rows):
        raise SystemExit(1)


@main.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
def demo(bind: str) -> None:
    """Make the demo merchant once, and print a line that cancels a payment of it.

    Its AppToken is kept beside the database, readable by its owner only: it moves no money.
    """
    from connector.server import check_port  # noqa: PLC0415 - no other command needs it

    check_port(bind)
    connector = _connector()
    demo_merchant = demo_credentials(connector)
    payment_id = uuid.uuid4().hex.upper()
    body = json.dumps({"paymentId": payment_id, "requestId": uuid.uuid4().hex.upper()})
    click.echo(
        "\nOnce it serves, this cancels a payment at the sandbox; again, it gives the same bytes:"
        f"\n\ncurl -s http://{bind}/payments/{payment_id}/cancellations"
        f" -H 'X-VTEX-API-AppKey: {demo_merchant['appKey']}'"
        f" -H 'X-VTEX-API-AppToken: {demo_merchant['appToken']}'"
        f" -H 'Content-Type: application/json' -d '{body}'\n"
    )


main.add_command(rehearse)


def _settings() -> config.Settings:
    known = providers.discover()
    settings = config.from_environment(os.environ, known)
    logs.configure(settings.log_level)
    mine = {name for name in os.environ if name.startswith("CONNECTOR_")}
    for name in sorted(mine - config.variables(known)):
        click.echo(f"warning: {name} is not a setting of this connector", err=True)
    return settings


def _connector(*, migrated: bool = True) -> "Connector":
    from connector.app import build  # noqa: PLC0415 - `serve` prepares the metrics first

    connector = build(_settings(), threads=2)
    click.get_current_context().call_on_close(connector.database.close)
    if migrated and not connector.database.is_ready():
        raise ConfigurationError("The database is not ready; run `connector migrate`")
    return connector


def _read(source: Any) -> Mapping[str, Any]:
    if source is None:
        return {}
    try:
        values = json.load(source)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError("--settings FILE: not JSON; give an object of texts") from error
    if not isinstance(values, dict):
        raise ConfigurationError("--settings FILE: give a JSON object of texts")
    return values


def _checked(connector: "Connector", name: str, values: Mapping[str, Any]) -> dict[str, str]:
    provider: Provider | None = dict(connector.providers).get(name)
    if provider is None:
        known = ", ".join(sorted(connector.providers))
        raise ConfigurationError(f"--provider {name}: there are {known}")
    try:
        return provider.check_settings(values)
    except ConfigurationError as error:
        raise ConfigurationError(f"--settings FILE: {error.message}") from error
