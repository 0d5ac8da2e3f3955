"""`connector rehearse`: VTEX's test suite and configuration flow, played here first."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import click

from connector.cli.merchants import read_settings_file, settings_file
from connector.domain.errors import ConfigurationError
from connector.providers import discover

if TYPE_CHECKING:
    from connector.rehearsal.client import Keys
    from connector.rehearsal.player import Applicant, Stage
    from connector.rehearsal.run import Result

# The options whose files may be standard input.
_FILES = ("app_token_file", "invitation", "source")
# The code of an invitation in its link.
_INVITATION = re.compile(r"[?&]invitation=([\w-]+)")


@click.command()
@click.argument("url", required=False)
@click.option("--serve", is_flag=True, help="Rehearse a server of its own, gone afterwards.")
@click.option("--app-key", default="", help="A merchant's AppKey; empty without one, as VTEX's.")
@click.option("--app-token-file", type=click.File("r"), help="Its AppToken, or - for input.")
@click.option(
    "--invitation", type=click.File("r"), help="A file with an invitation, or - for input."
)
@click.option(
    "--account", default="rehearsal", show_default=True, help="The VTEX account that connects."
)
@click.option(
    "--provider", default="sandbox", show_default=True, help="The company that it connects."
)
@settings_file
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
def rehearse(url: str | None, *, serve: bool, is_json: bool, **options: Any) -> None:
    """Play VTEX's homologation test suite, and its configuration flow, against URL.

    The connector must have CONNECTOR_TEST_SUITE=on and take callbacks to this machine. To connect a
    merchant, it must have given an invitation, or CONNECTOR_SIGNUP=open. Exit status 1 when a case
    fails.
    """
    from connector.rehearsal.client import Keys  # noqa: PLC0415 - no other command needs it

    _check_options(url, options["cases"], options["callback_url"], serve=serve)
    _check_files(options)
    keys = Keys(options["app_key"], _read(options["app_token_file"]))
    with _stage(url, options, keys, _applicant(options)) as stage:
        is_success = _print(_results(stage, options), keys, is_json=is_json)
    if not is_success:
        raise SystemExit(1)


def _check_files(options: Mapping[str, Any]) -> None:
    from_input = [name for name in _FILES if options[name] and options[name].name == "<stdin>"]
    if len(from_input) > 1:
        raise ConfigurationError("-: only one option can read standard input; give files")


def _read(file: IO[str] | None) -> str:
    return file.read().strip() if file else ""


def _applicant(options: Mapping[str, Any]) -> "Applicant":
    """Return who connects in the configuration flow."""
    from connector.rehearsal.player import Applicant  # noqa: PLC0415 - as above

    text = _read(options["invitation"])
    link = _INVITATION.search(text)
    settings = read_settings_file(options["source"])
    invitation = link[1] if link else text
    return Applicant(options["account"], options["provider"], settings, invitation)


@contextmanager
def _stage(
    url: str | None, options: Mapping[str, Any], keys: "Keys", applicant: "Applicant"
) -> "Iterator[Stage]":
    """Listen for callbacks, and serve where there is no URL."""
    from connector.rehearsal.player import Stage  # noqa: PLC0415 - as above
    from connector.rehearsal.serving import served  # noqa: PLC0415 - likewise
    from connector.rehearsal.sink import Sink  # noqa: PLC0415 - likewise

    with Sink(options["callback_bind"], options["callback_url"]) as sink, ExitStack() as stack:
        if not url:
            url, code = stack.enter_context(served(sink.port, discover()))
            applicant = replace(applicant, invitation=code)
        yield Stage(url, sink, keys, applicant=applicant)


def _results(stage: "Stage", options: Mapping[str, Any]) -> "Iterator[Result]":
    from connector.rehearsal.run import rehearse as play  # noqa: PLC0415 - as above

    return play(stage, options["methods"], options["cases"], options["at_once"])


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

    played = []
    for result in results:
        played.append(result)
        if not is_json:
            click.echo("\n".join(report.lines(result, keys)))
    if is_json:
        click.echo(json.dumps([report.row(result, keys) for result in played], indent=2))
    else:
        click.echo(f"\n{report.summary(played)}")
    return all(result.is_success for result in played)
