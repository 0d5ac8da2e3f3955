"""`connector rehearse`: VTEX's test suite, played here first."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from connector.domain.errors import ConfigurationError
from connector.providers import discover

if TYPE_CHECKING:
    from connector.rehearsal.client import Keys
    from connector.rehearsal.run import Result


@click.command()
@click.argument("url", required=False)
@click.option("--serve", is_flag=True, help="Rehearse a server of its own, gone afterwards.")
@click.option("--app-key", default="", help="A merchant's AppKey; empty without one, as VTEX's.")
@click.option("--app-token-file", type=click.File("r"), help="Its AppToken, or - for input.")
@click.option("--method", "methods", multiple=True, help="Only this payment method.")
@click.option("--case", "cases", multiple=True, help="Only this case.")
@click.option("--json", "is_json", is_flag=True, help="Print JSON.")
@click.option(
    "--callback-bind",
    default="127.0.0.1:0",
    show_default=True,
    metavar="HOST:PORT",
    help="Where callbacks arrive.",
)
@click.option("--callback-url", default="", help="How URL reaches that, where it is elsewhere.")
@click.option(
    "--at-once", default=8, show_default=True, type=click.IntRange(1), help="Cases at once."
)
def rehearse(
    url: str | None,
    app_key: str,
    app_token_file: Any,
    methods: tuple[str, ...],
    cases: tuple[str, ...],
    callback_bind: str,
    callback_url: str,
    at_once: int,
    *,
    serve: bool,
    is_json: bool,
) -> None:
    """Play VTEX's homologation test suite against the connector at URL.

    The connector must have CONNECTOR_TEST_SUITE=on and take callbacks to this machine. Exit
    status 1 when a case fails.
    """
    from connector.rehearsal.client import Keys  # noqa: PLC0415 - no other command needs it
    from connector.rehearsal.player import Stage  # noqa: PLC0415 - likewise
    from connector.rehearsal.run import rehearse as play  # noqa: PLC0415 - likewise
    from connector.rehearsal.serving import served  # noqa: PLC0415 - likewise
    from connector.rehearsal.sink import Sink  # noqa: PLC0415 - likewise

    _check_options(url, cases, callback_url, serve=serve)
    keys = Keys(app_key, app_token_file.read().strip() if app_token_file else "")
    with ExitStack() as stack:
        sink = stack.enter_context(Sink(callback_bind, callback_url))
        base = stack.enter_context(served(sink.port, discover())) if serve else url or ""
        results = play(Stage(base, sink, keys), methods, cases, at_once)
        is_success = _print(results, keys, is_json=is_json)
    if not is_success:
        raise SystemExit(1)


def _check_options(
    url: str | None, cases: tuple[str, ...], callback_url: str, *, serve: bool
) -> None:
    from connector.rehearsal.run import chosen, is_local  # noqa: PLC0415 - as above

    if bool(url) is serve:
        raise ConfigurationError("URL: give the base URL of a connector, or --serve")
    if url and not url.startswith(("https://", "http://")):
        raise ConfigurationError(f"URL: {url} is no https or http URL")
    is_called_back = any(case.has_callback for case in chosen(cases))
    if url and not is_local(url) and is_called_back and not callback_url:
        raise ConfigurationError(
            "--callback-url: give the address at which the connector reaches this machine, or "
            "with --case only cases without a callback"
        )


def _print(results: "Iterator[Result]", keys: "Keys", *, is_json: bool) -> bool:
    """Print each result as it comes, and return whether all succeeded."""
    from connector.rehearsal import report  # noqa: PLC0415 - as above

    found = []
    for result in results:
        found.append(result)
        if not is_json:
            click.echo("\n".join(report.lines(result, keys)))
    if is_json:
        click.echo(json.dumps([report.row(result, keys) for result in found], indent=2))
    else:
        click.echo(f"\n{report.summary(found)}")
    return all(result.is_success for result in found)
