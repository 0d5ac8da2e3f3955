"""The one place where the parts meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flask import Flask, Response

from connector import bulkhead, context, http_server, metrics, webhooks
from connector.config import Settings
from connector.domain.operation import Operation
from connector.enabled import Enabled, enable, http_client_of
from connector.idempotency import IdempotentRunner
from connector.merchants import Directory
from connector.operations.cancel import CancelJob
from connector.operations.cancellation_value import SeeUnit
from connector.operations.create import AnsweredCreateJob
from connector.operations.job import Job
from connector.operations.notify import NotificationJob, Notify
from connector.operations.operations import Operations
from connector.operations.reconcile import Reconciler
from connector.operations.refund import RefundJob
from connector.operations.settle import SettleJob
from connector.peers import Refusals
from connector.storage.database import Database
from connector.storage.merchants import Merchants
from connector.storage.payments import Payments
from connector.storage.requests import Requests
from connector.storage.stories import Stories
from connector.storage.vault import open_vault
from connector.vtex import answers, routes
from connector.vtex.callbacks import Callbacks
from connector.vtex.manifest import manifest
from connector.vtex.provider_fields import ProviderFields

DEFAULT_THREADS = 64
# Of a replica that answers as it should: taking it away would make of a lost count a lost answer.
_UNCOUNTED = "ok, but metrics are not counted; the log says why"


@dataclass(frozen=True)
class Connector:
    """The parts, put together for one process."""

    settings: Settings
    database: Database
    merchants: Merchants
    payments: Payments
    requests: Requests
    stories: Stories
    directory: Directory
    providers: Enabled
    operations: Operations
    notify: Notify
    callbacks: Callbacks
    reconciler: Reconciler
    requesting: bulkhead.Shares
    notifying: bulkhead.Shares


def build(settings: Settings, *, threads: int = DEFAULT_THREADS) -> Connector:
    """Put the parts together; `threads` is how many operations at one company run at once."""
    database = Database(
        settings.database_url, verify=settings.database_tls, ca_file=settings.ca_file
    )
    vault = open_vault(settings.secret_keys, settings.data_dir)
    merchants, payments, requests = (
        Merchants(database, vault),
        Payments(database),
        Requests(database),
    )
    directory = Directory(merchants, suite=settings.test_suite)
    enabled = enable(settings, slots=threads)
    callbacks = Callbacks(
        payments,
        http_client_of("vtex", settings, bulkhead.CALLBACKS),
        directory.by_id,
        enabled,
        vault.open_callback,
        settings.callback_hosts,
        settings.callback_paths,
        settings.vtex_app_key,
        settings.vtex_app_token,
    )
    sealing = vault.seal_callback, merchants.see_unit
    operations = _operations(settings, requests, payments, enabled, callbacks, *sealing)
    notify = Notify(enabled, payments, requests, operations.reconcile)
    return Connector(
        settings=settings,
        database=database,
        merchants=merchants,
        payments=payments,
        requests=requests,
        stories=Stories(database),
        directory=directory,
        providers=enabled,
        operations=operations,
        notify=notify,
        callbacks=callbacks,
        reconciler=Reconciler(
            requests,
            operations.reconcile,
            directory.by_id,
            settings.answer_seconds,
            callbacks.deliver_due,
        ),
        requesting=bulkhead.Shares(enabled, bulkhead.share(threads), waiting=bulkhead.WAITING),
        notifying=bulkhead.Shares(enabled, bulkhead.NOTIFICATIONS, waiting=0),
    )


def _operations(
    settings: Settings,
    requests: Requests,
    payments: Payments,
    enabled: Enabled,
    callbacks: Callbacks,
    seal: Callable[[str, int, str], str],
    see_unit: SeeUnit,
) -> Operations:
    manual_status = settings.manual_status
    create = partial(
        AnsweredCreateJob,
        payments=payments,
        render_payment=answers.render_creation(enabled),
        seal=seal,
        public_url=settings.public_url,
    )
    cancel = partial(
        CancelJob,
        render=answers.render_cancellation(manual_status),
        value_unit=settings.cancel_value_unit,
        see_unit=see_unit,
    )
    jobs: Mapping[Operation, Callable[..., Job]] = {
        Operation.CREATE: create,
        Operation.CANCEL: cancel,
        Operation.SETTLE: partial(SettleJob, render=answers.render_settlement()),
        Operation.REFUND: partial(RefundJob, render=answers.render_refund(manual_status)),
        Operation.NOTIFICATION: partial(NotificationJob, deliver=callbacks.deliver),
    }
    return Operations(IdempotentRunner(requests, settings.lease_seconds), enabled, jobs)


def create_app(connector: Connector) -> Flask:
    """Make the WSGI application."""
    app = Flask("connector", static_folder=None)
    # A path that is nearly right is wrong: a redirect would be answered in HTML.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.after_request(partial(http_server.end, Refusals()))
    app.before_request(partial(http_server.begin, connector.settings.proxies))
    app.teardown_request(lambda _: context.begin())
    routes.answer_errors(app)
    operations, settings = connector.operations, connector.settings
    app.register_blueprint(
        routes.blueprint(
            routes.Endpoints(
                directory=connector.directory,
                fields=ProviderFields(
                    connector.directory, connector.merchants, connector.providers
                ),
                payments=connector.payments,
                manifest=manifest(connector.providers.sold.values()),
                operations=operations,
                shares=connector.requesting,
                answer_seconds=settings.answer_seconds,
            )
        )
    )
    app.register_blueprint(
        webhooks.blueprint(
            webhooks.Webhooks(
                connector.directory.by_name,
                connector.providers,
                connector.notify,
                settings.answer_seconds,
                receiving=connector.notifying,
                acting=connector.requesting,
            )
        )
    )
    _add_open_routes(app, connector)
    return app


def _add_open_routes(app: Flask, connector: Connector) -> None:
    """Mount what anybody may ask: health, and the description of the rest."""

    def livez() -> Response:
        return _status("ok", 200)

    def readyz() -> Response:
        if connector.database.is_ready():
            return _status("ok" if metrics.are_counted() else _UNCOUNTED, 200)
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
