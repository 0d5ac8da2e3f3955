"""The one place where the parts meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask, Response

from connector import http_client, metrics, providers
from connector.config import Settings
from connector.domain.errors import ConfigurationError, ProviderUnavailable
from connector.idempotency import Once
from connector.operations.cancel import Cancel
from connector.operations.reconcile import Reconciler
from connector.provider import Hosts, Provider
from connector.storage.database import Database
from connector.storage.merchants import Merchants
from connector.storage.requests import Requests
from connector.storage.vault import open_vault
from connector.vtex import routes
from connector.vtex.auth import Directory

DEFAULT_THREADS = 64
# Threads beyond those that one company's operations may take, as a share: they answer for the
# other companies while that one hangs.
SPARE_SHARE = 1 / 8
LEAST_SPARE = 2


def all_threads(threads: int) -> int:
    """Count the threads of a process in which one company may take `threads`."""
    return threads + max(LEAST_SPARE, int(threads * SPARE_SHARE))


class Enabled(dict[str, Provider]):
    """The providers of CONNECTOR_PROVIDERS, by name."""

    def __missing__(self, name: str) -> Provider:
        raise ProviderUnavailable("The provider is switched off in this connector")


@dataclass(frozen=True)
class Connector:
    """The parts, put together for one process."""

    settings: Settings
    database: Database
    merchants: Merchants
    requests: Requests
    directory: Directory
    providers: Mapping[str, Provider]
    cancel: Cancel
    reconciler: Reconciler


def build(settings: Settings, *, threads: int = DEFAULT_THREADS) -> Connector:
    """Put the parts together; `threads` is how many operations at one company run at once."""
    database = Database(settings.database_url)
    merchants = Merchants(database, open_vault(settings.secret_keys, settings.data_dir))
    requests = Requests(database)
    directory = Directory(merchants)
    enabled = build_providers(settings, slots=threads)
    cancel = Cancel(
        Once(requests, lease=settings.lease_seconds),
        enabled,
        routes.render_cancellation(settings.manual_status),
        settings.cancel_value_unit,
    )
    return Connector(
        settings=settings,
        database=database,
        merchants=merchants,
        requests=requests,
        directory=directory,
        providers=enabled,
        cancel=cancel,
        reconciler=Reconciler(requests, cancel, directory.merchant, settings.answer_seconds),
    )


def build_providers(settings: Settings, *, slots: int) -> Enabled:
    found = providers.discover()
    _check_paths(settings, found)
    enabled = Enabled()
    for name in settings.providers:
        kind = found[name]
        http = http_client.HttpClient(
            name,
            seconds=settings.provider_seconds,
            slots=slots,
            measure=metrics.measure_call,
        )
        enabled[name] = kind(http, _hosts(kind, settings))
    return enabled


def _check_paths(settings: Settings, found: Mapping[str, type[Provider]]) -> None:
    """Refuse a base URL without the documented path.

    A company answers a wrong path much as it answers for an unknown payment, which would then
    count as cancelled.
    """
    faults = []
    for kind, urls in (("URL", settings.urls), ("SANDBOX_URL", settings.sandbox_urls)):
        for name, url in urls.items():
            documented = found[name].url if kind == "URL" else _sandbox_url(found[name])
            path = urlsplit(documented).path
            if not url.endswith(path):
                faults.append(f"CONNECTOR_{name.upper()}_{kind}: the path must end in {path}")
    if faults:
        raise ConfigurationError("\n".join(faults))


def _sandbox_url(kind: type[Provider]) -> str:
    return kind.sandbox_url or kind.url


def _hosts(kind: type[Provider], settings: Settings) -> Hosts:
    """A company without a sandbox host of its own has both in one place."""
    url = settings.urls.get(kind.name, kind.url)
    sandbox_url = kind.sandbox_url or url
    return Hosts(url, settings.sandbox_urls.get(kind.name, sandbox_url))


def create_app(connector: Connector) -> Flask:
    """Make the WSGI application."""
    app = Flask("connector", static_folder=None)
    # A path that is nearly right is wrong: a redirect would be answered in HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    routes.answer_errors(app)
    endpoints = routes.Endpoints(
        connector.directory, connector.cancel, connector.settings.answer_seconds
    )
    app.register_blueprint(routes.blueprint(endpoints))
    _add_open_routes(app, connector)
    return app


def _add_open_routes(app: Flask, connector: Connector) -> None:
    """Mount what anybody may ask: health, and the description of the rest."""

    def livez() -> Response:
        return _status("ok", 200)

    def readyz() -> Response:
        if connector.database.is_ready():
            return _status("ok", 200)
        return _status("the database does not answer or is not migrated", 503)

    def openapi() -> Response:
        return Response(openapi_document(), mimetype="application/yaml")

    for path, view in (("/livez", livez), ("/readyz", readyz), ("/openapi.yaml", openapi)):
        app.add_url_rule(path, view_func=view, methods=["GET"], provide_automatic_options=False)


def _status(text: str, status: int) -> Response:
    return Response(text, status, mimetype="text/plain")


def openapi_document() -> bytes:
    """Read openapi.yaml: beside the package in a checkout, inside it when installed."""
    here = Path(__file__).parent
    for folder in (here, here.parent):
        if (folder / "openapi.yaml").exists():
            return (folder / "openapi.yaml").read_bytes()
    raise FileNotFoundError("openapi.yaml")
