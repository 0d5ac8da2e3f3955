"""The side that calls us back: companies' notifications."""

import base64
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from flask import Blueprint, Response, g, request

from connector import context, http_server
from connector.bulkhead import Shares
from connector.domain.deadline import Deadline
from connector.domain.errors import (
    ConnectorError,
    NotAuthenticated,
    NotFound,
    ProviderBusy,
    UnknownMerchant,
)
from connector.domain.merchant import Merchant
from connector.domain.operation import NotificationRequest, Operation, Reply
from connector.domain.payment import Notification
from connector.operations.notify import Notify
from connector.provider import Message, Provider

log = logging.getLogger(__name__)

# What Yandex Pay appends to the address it is given (its page "webhook").
_SUFFIX = "/v1/webhook"
_TAKEN = Reply(200, b'{"status": "success"}')


@dataclass(frozen=True)
class Webhooks:
    """Takes notifications. `merchant` finds a merchant by its name, also a disabled one.

    The threads that read and prove messages are counted apart, in `receiving`: nonsense must not
    keep VTEX waiting. The threads that act on a proven message are counted with those of VTEX's
    requests, in `acting`.
    """

    merchant: Callable[[str], Merchant]
    providers: Mapping[str, Provider]
    notify: Notify
    answer_seconds: float
    receiving: Shares
    acting: Shares

    def receive(self, provider_name: str, merchant_name: str) -> Response:
        """POST /webhooks/<provider>/<merchant>: record what is proven, answer, then act on it.

        Some companies wait for seconds only (RuStore 3, its page "enable-notifications").
        """
        started = time.monotonic()
        g.provider, recorded = "", None
        context.add(operation=Operation.NOTIFICATION)
        try:
            merchant = self._merchant(provider_name, merchant_name)
            recorded, reply = self._record(merchant), _TAKEN
        except ConnectorError as error:
            http_server.note_failure(error)
            reply = _failure(error)
        payment_id = recorded.payment.payment_id if recorded else None
        http_server.note_answer(Operation.NOTIFICATION, payment_id, reply, g.provider, started)
        response = http_server.respond(reply)
        if recorded:
            response.call_on_close(context.bind(partial(self._act, merchant, recorded)))
        return response

    def _record(self, merchant: Merchant) -> NotificationRequest | None:
        """Read and prove the message; record what it says. None: it says nothing of a payment."""
        deadline = Deadline.after(self.answer_seconds, http_server.ARRIVED.get())
        g.provider = merchant.provider
        context.add(merchant=merchant.name or None, provider=merchant.provider)
        with self.receiving.place(merchant.provider):
            notification = self._read(merchant, deadline)
            recorded = self.notify.record(merchant, notification) if notification else None
        if recorded:
            context.add(payment_id=recorded.payment.payment_id, request_id=recorded.request_id)
        return recorded

    def _act(self, merchant: Merchant, recorded: NotificationRequest) -> None:
        """Act on a notification; reconcile does where the company's threads are taken."""
        try:
            with self.acting.place(merchant.provider):
                self.notify.act(merchant, recorded, Deadline.after(self.answer_seconds))
        except ProviderBusy as error:
            log.warning("a notification is left to reconcile", extra={"code": error.code})

    def _merchant(self, provider_name: str, merchant_name: str) -> Merchant:
        """Find the merchant, or a stand-in for it. Raises NotFound where there is no such provider.

        The stand-in hides from a stranger which merchants there are.
        """
        if provider_name not in self.providers:
            raise NotFound
        provider = self.providers[provider_name]
        try:
            merchant = self.merchant(merchant_name)
        except UnknownMerchant:
            return _nobody(provider)
        # Nothing can be proven with settings that are not complete.
        is_able = merchant.provider == provider_name and not provider.missing(merchant.settings)
        return merchant if is_able else _nobody(provider)

    def _read(self, merchant: Merchant, deadline: Deadline) -> Notification | None:
        """Believe the company's signature, else its sandbox's: both may know our address."""
        provider = self.providers[merchant.provider]
        body = http_server.body(http_server.MAX_NOTIFICATION_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        account = merchant.account(sandbox=merchant.sandbox)
        message = Message(body, headers, account, deadline)
        try:
            return provider.read_notification(message)
        except NotAuthenticated:
            if provider.sandbox_url is None:
                raise
            other = merchant.account(sandbox=not merchant.sandbox)
            return provider.read_notification(replace(message, account=other))


def _nobody(provider: Provider) -> Merchant:
    """Make a merchant with keys that nobody has: its messages are judged like any other's."""
    # 32 bytes in base64 have the form of every company's key.
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return Merchant(0, "", provider.name, {setting.key: key for setting in provider.settings})


def blueprint(webhooks: Webhooks) -> Blueprint:
    """Mount the addresses that the companies call. Each message must prove itself."""
    routes = Blueprint("webhooks", __name__)
    for suffix in ("", _SUFFIX):
        routes.add_url_rule(
            f"/webhooks/<provider_name>/<merchant_name>{suffix}",
            endpoint=f"receive{suffix.replace('/', '_')}",
            view_func=webhooks.receive,
            methods=["POST"],
            failure=_failure_body,
        )
    return routes


def _failure(error: ConnectorError) -> Reply:
    status = http_server.status_of(error)
    return Reply(status, _failure_body(error, status, {}), error.code)


def _failure_body(error: ConnectorError, _: int, __: Mapping[str, str]) -> bytes:
    return json.dumps({"code": error.code, "message": str(error)}).encode()
