"""The `connector` command."""

import json
import threading
import uuid
from typing import Any

import click

from connector.cli.check import advice, is_failure, results, warnings
from connector.cli.console import console
from connector.cli.demo import console_lines, demo_credentials
from connector.cli.merchants import merchants
from connector.cli.operations import operations
from connector.cli.output import as_json, print_rows
from connector.cli.rehearse import rehearse
from connector.cli.start import metrics_folder, open_connector, os_user, read_settings
from connector.domain.errors import ConnectorError
from connector.storage.tables import REVISION


class Command(click.Group):
    """Prints a ConnectorError as one message on standard error, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ConnectorError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=Command)
def main() -> None:
    """VTEX's Payment Provider Protocol, for the companies in CONNECTOR_PROVIDERS.

    It is configured by the environment; `docs/reference.md` has the table.
    """


@main.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1))
@click.option("--threads", default=64, show_default=True, type=click.IntRange(1))
@click.option("--no-reconcile", is_flag=True, help="Leave it to `connector reconcile`.")
def serve(bind: str, workers: int, threads: int, *, no_reconcile: bool) -> None:
    """Answer VTEX."""
    settings = read_settings()
    with metrics_folder():
        from connector import server  # noqa: PLC0415 - it imports the metrics' library

        server.serve(settings, bind, workers, threads, reconcile=not no_reconcile)


@main.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from connector.storage.migrate import migrate as run  # noqa: PLC0415 - no other command needs Alembic

    connector = open_connector(migrated=False)
    was_ready = connector.database.is_ready()
    run(connector.database)
    if not was_ready:
        connector.merchants.record(None, os_user(), "migrate", revision=REVISION)
    click.echo("migrated")


@main.command()
@click.option("--once", is_flag=True, help="Look at what is due now, then end.")
def reconcile(*, once: bool) -> None:
    """Finish what nobody repeats any more."""
    reconciler = open_connector().reconciler
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
    connector = open_connector(migrated=False)
    rows = results(connector, merchant)
    print_rows(rows, is_json=is_json)
    is_ready = rows[1]["result"] == "ok"
    texts = warnings(connector.settings) + (advice(connector, merchant) if is_ready else [])
    for warning in [] if is_json else texts:
        click.echo(f"warning: {warning}", err=True)
    if any(is_failure(row) for row in rows):
        raise SystemExit(1)


@main.command()
@click.option("--bind", default="127.0.0.1:8080", show_default=True, metavar="HOST:PORT")
def demo(bind: str) -> None:
    """Make the demo merchant once, and print a line that cancels a payment of it.

    Its AppToken is kept beside the database, readable by its owner only: it moves no money.
    With CONNECTOR_CONSOLE=on a link to the console is printed, too.
    """
    from connector.server import check_port  # noqa: PLC0415 - no other command needs it

    check_port(bind)
    connector = open_connector()
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
    if connector.settings.console:
        click.echo(console_lines(connector, bind))


for command in (merchants, operations, console, rehearse):
    main.add_command(command)
