"""The side that calls us back: companies' notifications."""

import base64
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from flask import Blueprint, Response, request

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
from connector.metrics import count_answer
from connector.operations.notify import Notify
from connector.provider import Provider

log = logging.getLogger(__name__)

# What Yandex Pay appends to the address it is given (its page "webhook").
_SUFFIX = "/v1/webhook"
_TAKEN = Reply(200, b'{"status": "success"}')


@dataclass(frozen=True)
class Webhooks:
    """Takes notifications. `merchant` finds a merchant by its name, a disabled one too.

    To read and to prove a message has shares of its own, `receiving`: whoever sends us nonsense
    must not keep VTEX waiting. To act on one is as much work as VTEX's requests: `acting`.
    """

    merchant: Callable[[str], Merchant]
    providers: Mapping[str, Provider]
    notify: Notify
    answer_seconds: float
    receiving: Shares
    acting: Shares

    def receive(self, provider_name: str, merchant_name: str) -> Response:
        """POST /webhooks/<provider>/<merchant>: nothing is believed before it is proven.

        The company is answered when the notification is recorded: some wait for seconds only
        (RuStore 3, its page "enable-notifications"). The connector acts on it after the answer.
        """
        started = time.monotonic()
        deadline = Deadline.after(self.answer_seconds, http_server.ARRIVED.get())
        provider, kept = "", None
        context.add(operation=Operation.NOTIFICATION)
        reply = _TAKEN
        try:
            merchant = self._merchant(provider_name, merchant_name)
            provider = merchant.provider
            context.add(merchant=merchant.name or None, provider=provider)
            with self.receiving.place(provider):
                notification = self._read(merchant, deadline)
                kept = self.notify.record(merchant, notification) if notification else None
            if kept:
                context.add(payment_id=kept.payment.payment_id, request_id=kept.request_id)
        except ConnectorError as error:
            http_server.note_failure(error)
            reply = _failure(error)
        count_answer(Operation.NOTIFICATION, provider, reply.status)
        payment_id = kept.payment.payment_id if kept else None
        http_server.log_answer(Operation.NOTIFICATION, payment_id, reply, provider, started)
        response = http_server.respond(reply)
        if kept:
            response.call_on_close(context.bind(partial(self._act, merchant, kept)))
        return response

    def _act(self, merchant: Merchant, kept: NotificationRequest) -> None:
        """Act on a notification; reconcile does where the company's threads are taken."""
        try:
            with self.acting.place(merchant.provider):
                self.notify.act(merchant, kept, Deadline.after(self.answer_seconds))
        except ProviderBusy as error:
            log.warning("a notification is left to reconcile", extra={"code": error.code})

    def _merchant(self, provider_name: str, merchant_name: str) -> Merchant:
        """Find the merchant, or a stand-in for it. Raises NotFound where there is no such provider.

        Whoever may not know which merchants there are learns nothing from the answer.
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
        provider = self.providers[merchant.provider]
        body = http_server.body(http_server.MAX_NOTIFICATION_BYTES)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._proven(provider, merchant, body, headers, deadline)

    def _proven(
        self,
        provider: Provider,
        merchant: Merchant,
        body: bytes,
        headers: Mapping[str, str],
        deadline: Deadline,
    ) -> Notification | None:
        """Believe the company's signature, else its sandbox's: both may know our address."""
        for sandbox in (merchant.sandbox, not merchant.sandbox):
            account = merchant.account(sandbox=sandbox)
            try:
                return provider.read_notification(body, headers, account, deadline)
            except NotAuthenticated:
                if provider.sandbox_url is None or sandbox is not merchant.sandbox:
                    raise
        raise AssertionError


def _nobody(provider: Provider) -> Merchant:
    """Make a merchant for which nothing can be proven: its messages are judged like any other's."""
    # 32 bytes in base64 fit every company's key.
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return Merchant(0, "", provider.name, {setting.key: key for setting in provider.settings})


def blueprint(webhooks: Webhooks) -> Blueprint:
    """Mount what the companies call; each message proves itself."""
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
