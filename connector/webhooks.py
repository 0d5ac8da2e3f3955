"""Receives the notifications of the payment companies."""

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

# Yandex Pay appends this to the merchant's address (its page "webhook").
_SUFFIX = "/v1/webhook"
_SUCCESS = Reply(200, b'{"status": "success"}')


@dataclass(frozen=True)
class Webhooks:
    """Takes notifications. `merchant` finds a merchant by its name, even a disabled merchant.

    `receiving` counts the threads that read and prove messages, apart from all others: false
    messages must not keep VTEX waiting. `acting` counts the threads that act on a proven message,
    together with the threads of VTEX's requests.
    """

    merchant: Callable[[str], Merchant]
    providers: Mapping[str, Provider]
    notify: Notify
    answer_seconds: float
    receiving: Shares
    acting: Shares

    def receive(self, provider_name: str, merchant_name: str) -> Response:
        """POST /webhooks/<provider>/<merchant>: record a proven message, answer it, then act on it.

        Some companies wait only seconds for the answer (RuStore 3, page "enable-notifications").
        """
        started = time.monotonic()
        g.provider, notification_request = "", None
        context.add(operation=Operation.NOTIFICATION)
        try:
            merchant = self._merchant(provider_name, merchant_name)
            notification_request, reply = self._record(merchant), _SUCCESS
        except ConnectorError as error:
            http_server.note_failure(error)
            reply = _failure(error)
        payment_id = notification_request.payment.payment_id if notification_request else None
        http_server.note_answer(Operation.NOTIFICATION, payment_id, reply, g.provider, started)
        response = http_server.respond(reply)
        if notification_request:
            response.call_on_close(context.bind(partial(self._act, merchant, notification_request)))
        return response

    def _record(self, merchant: Merchant) -> NotificationRequest | None:
        """Read, prove and record the message. None: the message is about no payment."""
        deadline = Deadline.after(self.answer_seconds, http_server.ARRIVED.get())
        g.provider = merchant.provider
        context.add(merchant=merchant.name or None, provider=merchant.provider)
        with self.receiving.place(merchant.provider):
            notification = self._read(merchant, deadline)
            notification_request = (
                self.notify.record(merchant, notification) if notification else None
            )
        if notification_request:
            context.add(
                payment_id=notification_request.payment.payment_id,
                request_id=notification_request.request_id,
            )
        return notification_request

    def _act(self, merchant: Merchant, notification_request: NotificationRequest) -> None:
        """Act on a notification. If all threads of the company are busy, reconcile acts later."""
        try:
            with self.acting.place(merchant.provider):
                self.notify.act(merchant, notification_request, Deadline.after(self.answer_seconds))
        except ProviderBusy as error:
            log.warning("a notification is left to reconcile", extra={"code": error.code})

    def _merchant(self, provider_name: str, merchant_name: str) -> Merchant:
        """Find the merchant, or make a stand-in. Raises NotFound if there is no such provider.

        Because of the stand-in, a stranger cannot find out which merchants exist.
        """
        if provider_name not in self.providers:
            raise NotFound
        provider = self.providers[provider_name]
        try:
            merchant = self.merchant(merchant_name)
        except UnknownMerchant:
            return _stand_in(provider)
        # Incomplete settings cannot prove a message.
        can_prove = merchant.provider == provider_name and not provider.missing(merchant.settings)
        return merchant if can_prove else _stand_in(provider)

    def _read(self, merchant: Merchant, deadline: Deadline) -> Notification | None:
        """Prove the message with the merchant's account, else with its other account.

        The company and its sandbox may both know our address.
        """
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


def _stand_in(provider: Provider) -> Merchant:
    """Make a merchant whose keys nobody has. Its messages are read and refused like all others."""
    # 32 bytes in base64 have the form of every company's key.
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return Merchant(0, "", provider.name, {setting.key: key for setting in provider.settings})


def blueprint(webhooks: Webhooks) -> Blueprint:
    """Register the addresses that the companies call. Each message must prove itself."""
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
