"""The one place where the parts meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Flask

from connector import bulkhead, keyless, webhooks
from connector.config import Settings
from connector.domain.operation import Operation
from connector.enabled import Enabled, enable, http_client_of
from connector.http_routes import application
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
    app = application(connector.settings.proxies)
    for blueprint in (_vtex(connector), _webhooks(connector), *keyless.blueprints(connector)):
        app.register_blueprint(blueprint)
    return app


def _vtex(connector: Connector) -> Blueprint:
    fields = ProviderFields(connector.directory, connector.merchants, connector.providers)
    seconds = connector.settings.answer_seconds
    shared = routes.Shared(connector.directory, fields, connector.requesting, seconds)
    shown = manifest(connector.providers.sold.values())
    return routes.blueprint(shared, connector.operations.answer, connector.payments.find, shown)


def _webhooks(connector: Connector) -> Blueprint:
    return webhooks.blueprint(
        webhooks.Webhooks(
            connector.directory.by_name,
            connector.providers,
            connector.notify,
            connector.settings.answer_seconds,
            receiving=connector.notifying,
            acting=connector.requesting,
        )
    )
