"""The one place where the parts meet."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Flask

from connector import bulkhead, console, keyless, providers, webhooks
from connector.config import Settings
from connector.credential_probe import CredentialProbe
from connector.domain.operation import Operation
from connector.enabled import Enabled, enable, http_client_of
from connector.http_routes import application
from connector.idempotency import IdempotentRunner
from connector.merchants import Directory
from connector.operations.cancel import CancelJob
from connector.operations.create import CreateJob
from connector.operations.job import Job
from connector.operations.notify import NotificationJob, Notify
from connector.operations.operations import Operations
from connector.operations.reconcile import Reconciler
from connector.operations.refund import RefundJob
from connector.operations.settle import SettleJob
from connector.pages import cookies
from connector.pages import routes as pages
from connector.signup import MerchantSignUp
from connector.storage.authorizations import Authorizations
from connector.storage.connecting import Connecting
from connector.storage.database import Database
from connector.storage.invitations import Invitations
from connector.storage.merchants import Merchants
from connector.storage.payments import Payments
from connector.storage.requests import Requests
from connector.storage.stories import Stories
from connector.storage.vault import Vault, open_vault
from connector.vtex import answers, routes
from connector.vtex.authorization import endpoints, steps
from connector.vtex.callbacks import Callbacks, Destinations
from connector.vtex.manifest import manifest
from connector.vtex.provider_fields import ProviderFields

DEFAULT_THREADS = 64


@dataclass(frozen=True)
class Stores:
    """What is kept: the database, by what it keeps, and the keys of what is encrypted in it."""

    database: Database
    vault: Vault
    merchants: Merchants
    payments: Payments
    requests: Requests
    stories: Stories
    authorizations: Authorizations
    invitations: Invitations


@dataclass(frozen=True)
class Connector(Stores):
    """The parts, put together for one process."""

    settings: Settings
    directory: Directory
    providers: Enabled
    operations: Operations
    notify: Notify
    callbacks: Callbacks
    reconciler: Reconciler
    requesting: bulkhead.Shares
    notifying: bulkhead.Shares
    probe: CredentialProbe
    signup: MerchantSignUp


def build(settings: Settings, *, threads: int = DEFAULT_THREADS) -> Connector:
    """Put the parts together; `threads` is how many operations at one company run at once."""
    stores = _open_stores(settings)
    directory = Directory(stores.merchants, suite=settings.test_suite)
    enabled = enable(settings, slots=threads)
    callbacks = _callbacks(settings, stores, directory, enabled)
    operations = _operations(settings, stores, enabled, callbacks)
    requesting = bulkhead.Shares(enabled, bulkhead.share(threads), waiting=bulkhead.WAITING)
    probe = CredentialProbe(enabled, requesting, settings.answer_seconds)
    return Connector(
        **vars(stores),
        settings=settings,
        directory=directory,
        providers=enabled,
        operations=operations,
        notify=Notify(enabled, stores.payments, stores.requests, operations.reconcile),
        callbacks=callbacks,
        reconciler=_reconciler(settings, stores, directory, operations, callbacks),
        requesting=requesting,
        notifying=bulkhead.Shares(enabled, bulkhead.NOTIFICATIONS, waiting=0),
        probe=probe,
        signup=_signup(settings, stores, enabled, probe),
    )


def _open_stores(settings: Settings) -> Stores:
    verify, ca_file = settings.database_tls, settings.ca_file
    database = Database(settings.database_url, verify=verify, ca_file=ca_file)
    vault = open_vault(settings.secret_keys, settings.data_dir)
    return Stores(
        database,
        vault,
        Merchants(database, vault, _account_keys()),
        Payments(database),
        Requests(database),
        Stories(database),
        Authorizations(database, vault),
        Invitations(database),
    )


def _account_keys() -> dict[str, str]:
    """Return the key of the setting that names an account, for each company that has one."""
    keys = {name: kind.account_key() for name, kind in providers.discover().items()}
    return {name: key for name, key in keys.items() if key}


def _signup(
    settings: Settings, stores: Stores, enabled: Enabled, probe: CredentialProbe
) -> MerchantSignUp:
    authorizations = stores.authorizations
    writer = stores.merchants.writer
    connecting = Connecting(stores.database, stores.vault, writer, authorizations)
    return MerchantSignUp(
        settings.signup, enabled, probe, authorizations, stores.invitations, connecting
    )


def _callbacks(
    settings: Settings, stores: Stores, directory: Directory, enabled: Enabled
) -> Callbacks:
    destinations = Destinations(
        settings.callback_hosts,
        settings.callback_paths,
        settings.vtex_app_key,
        settings.vtex_app_token,
    )
    return Callbacks(
        stores.payments,
        http_client_of("vtex", settings, bulkhead.CALLBACKS),
        directory.by_id,
        enabled,
        stores.vault.open_callback,
        destinations,
    )


def _reconciler(
    settings: Settings,
    stores: Stores,
    directory: Directory,
    operations: Operations,
    callbacks: Callbacks,
) -> Reconciler:
    return Reconciler(
        stores.requests,
        operations.reconcile,
        directory.by_id,
        settings.answer_seconds,
        callbacks.deliver_due,
        stores.authorizations.purge,
    )


def _operations(
    settings: Settings, stores: Stores, enabled: Enabled, callbacks: Callbacks
) -> Operations:
    manual_status = settings.manual_status
    jobs: Mapping[Operation, Callable[..., Job]] = {
        Operation.CREATE: _create_job(settings, stores, enabled),
        Operation.CANCEL: _cancel_job(settings, stores),
        Operation.SETTLE: partial(SettleJob, render=answers.render_settlement()),
        Operation.REFUND: partial(RefundJob, render=answers.render_refund(manual_status)),
        Operation.NOTIFICATION: partial(NotificationJob, deliver=callbacks.deliver),
    }
    return Operations(IdempotentRunner(stores.requests, settings.lease_seconds), enabled, jobs)


def _create_job(settings: Settings, stores: Stores, enabled: Enabled) -> Callable[..., Job]:
    return partial(
        CreateJob,
        payments=stores.payments,
        render_payment=answers.render_creation(enabled),
        seal=stores.vault.seal_callback,
        public_url=settings.public_url,
    )


def _cancel_job(settings: Settings, stores: Stores) -> Callable[..., Job]:
    return partial(
        CancelJob,
        render=answers.render_cancellation(settings.manual_status),
        value_unit=settings.cancel_value_unit,
        record_unit=stores.merchants.record_unit,
    )


def create_app(connector: Connector) -> Flask:
    """Make the WSGI application."""
    app = application(connector.settings.proxies)
    cookies.prepare(app, connector.settings.public_url, connector.vault.cookie_keys())
    pages.prepare(app)
    authorization = endpoints.blueprint(connector.signup, connector.settings.return_hosts)
    pages_of_flow = steps.blueprint(connector.signup, connector.settings.public_url)
    protocol = (_vtex(connector), authorization, pages_of_flow, _webhooks(connector))
    for blueprint in (*protocol, *keyless.blueprints(connector)):
        app.register_blueprint(blueprint)
    if connector.settings.console:
        app.register_blueprint(console.blueprint(connector))
    return app


def _vtex(connector: Connector) -> Blueprint:
    has_secrets = connector.settings.provider_fields
    fields = ProviderFields(
        connector.directory, connector.merchants, connector.providers, takes_secrets=has_secrets
    )
    seconds = connector.settings.answer_seconds
    shared = routes.Shared(connector.directory, fields, connector.requesting, seconds)
    shown = manifest(connector.providers.sold.values(), has_secrets=has_secrets)
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
