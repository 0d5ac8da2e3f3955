"""A connector for tests: in this process, or served by processes of its own."""

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import requests
from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from connector import config, providers
from connector.app import Connector, build, create_app
from connector.domain.merchant import CapturedPolicy, SettingsFrom
from connector.storage.stored_merchant import Credentials
from tests.companies.registry import BY_NAME, provider_of

SECRET_KEY = Fernet.generate_key().decode()
FIELDS = ["paymentId", "cancellationId", "code", "message", "requestId"]


def headers(credentials: Credentials, family: str = "VTEX") -> dict[str, str]:
    return {
        f"X-{family}-API-AppKey": credentials.app_key,
        f"X-{family}-API-AppToken": credentials.app_token,
    }


def creation(payment_id: str, value: Any = 100, **fields: Any) -> dict[str, Any]:
    """What VTEX sends to create a payment, in the shape of its OpenAPI file's example."""
    address = {"country": "RUS", "street": "Street", "number": "1", "complement": None}
    address |= {"neighborhood": "Centre", "postalCode": "1", "city": "City", "state": "ST"}
    buyer = {"id": "b", "firstName": "John", "lastName": "Doe", "document": "0", "phone": "+70"}
    buyer |= {"documentType": "CPF", "email": "john@example.com"}
    return {
        "reference": "32478982",
        "orderId": "v32478982",
        "shopperInteraction": "ecommerce",
        "transactionId": "D3AA1FC8372E430E8236649DB5EBD08E",
        "paymentId": payment_id,
        "paymentMethod": "Promissories",
        "paymentMethodCustomCode": None,
        "merchantName": "mystore",
        "value": value,
        "currency": "RUB",
        "installments": 1,
        "deviceFingerprint": "12ade389087fe",
        "card": dict.fromkeys(("holder", "number", "csc", "expiration", "document")),
        "miniCart": {
            "shippingValue": 0,
            "taxValue": 0,
            "buyer": buyer,
            "shippingAddress": address,
            "billingAddress": address,
            "items": [{"id": "1", "name": "Product", "price": value, "quantity": 1, "discount": 0}],
        },
        "url": "https://admin.example.com/orders/v32478982",
        "callbackUrl": "https://gateway.vtexpayments.com.br/callback?an=mystore&X-VTEX-signature=s",
        "returnUrl": "https://mystore.example.com/checkout/order/v32478982",
        **fields,
    }


class Vtex:
    """What VTEX asks, whoever carries it: `post` is given the path, the body and the merchant."""

    def post(self, path: str, body: Any, merchant: str = "shop", **options: Any) -> Any:
        raise NotImplementedError

    def create(
        self, payment_id: str, value: Any = 100, merchant: str = "shop", **fields: Any
    ) -> Any:
        return self.post("/payments", creation(payment_id, value, **fields), merchant)

    def settle(
        self,
        payment_id: str,
        value: Any = 100,
        request_id: str | None = "settle-1",
        merchant: str = "shop",
        **fields: Any,
    ) -> Any:
        body = {"paymentId": payment_id, "requestId": request_id, "value": value, **fields}
        return self.post(f"/payments/{payment_id}/settlements", body, merchant)

    def refund(
        self,
        payment_id: str,
        value: Any = 100,
        request_id: str = "refund-1",
        merchant: str = "shop",
        **fields: Any,
    ) -> Any:
        body = {"paymentId": payment_id, "requestId": request_id, "value": value, **fields}
        return self.post(f"/payments/{payment_id}/refunds", body, merchant)


class Rig(Vtex):
    """A connector on a database, with the companies' stand-ins as its providers.

    `merchants` holds the credentials by merchant name. `variables` are environment variables.
    """

    def __init__(self, database_url: str, data_dir: Path, **variables: str) -> None:
        self.environment = {
            "CONNECTOR_DATABASE_URL": database_url,
            "CONNECTOR_DATA_DIR": str(data_dir),
            "CONNECTOR_SECRET_KEYS": SECRET_KEY,
            "CONNECTOR_METRICS_BIND": "off",
            "CONNECTOR_PROVIDERS": ",".join(["sandbox", *BY_NAME]),
            **variables,
        }
        self.merchants: dict[str, Credentials] = {}
        self._connector: Connector | None = None
        self._app: Flask | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connector:
            self._connector.database.close()

    @property
    def connector(self) -> Connector:
        if self._connector is None:
            settings = config.from_environment(self.environment, providers.discover())
            self._connector = build(settings)
        return self._connector

    def configure(self, **variables: str) -> None:
        """Set environment variables and begin anew with them, as a restart does."""
        self.environment |= variables
        if self._connector:
            self._connector.database.close()
        self._connector = self._app = None

    def add(
        self,
        company: Any = None,
        *,
        name: str = "shop",
        provider: str = "sandbox",
        captured: str = "manual",
        sandbox: bool = False,
        settings_from: str = "connector",
        **more: str,
    ) -> Credentials:
        """Add a merchant of a company's stand-in, or of the sandbox provider."""
        settings: Mapping[str, str] = {}
        if company is not None:
            provider, settings = provider_of(company), {**company.settings, **more}
            self.use(company)
        self.merchants[name] = self.connector.merchants.add(
            name,
            provider,
            settings,
            sandbox=sandbox,
            captured=CapturedPolicy(captured),
            settings_from=SettingsFrom(settings_from),
        )
        return self.merchants[name]

    def use(self, company: Any) -> None:
        """Point the company's provider at its stand-in."""
        name = provider_of(company).upper()
        variables = {f"CONNECTOR_{name}_URL": company.url}
        if hasattr(company, "sandbox_url"):
            variables[f"CONNECTOR_{name}_SANDBOX_URL"] = company.sandbox_url
        self.configure(**variables)

    @property
    def client(self) -> FlaskClient:
        if self._app is None:
            self._app = create_app(self.connector)
        return self._app.test_client()

    def post(self, path: str, body: Any, merchant: str = "shop", **options: Any) -> TestResponse:
        return self.client.post(
            path,
            data=json.dumps(body),
            headers=headers(self.merchants[merchant]) | options.get("headers", {}),
            content_type="application/json",
            # To its end, and what follows it, unless the caller goes away before.
            buffered=options.get("buffered", True),
        )

    def post_unsent(self, path: str, payment_id: str, callback_url: str) -> Any:
        """Create a payment as VTEX does, and die before the answer is sent."""
        body = creation(payment_id, callbackUrl=callback_url)
        answer = self.post(path, body, buffered=False)
        return json.loads(b"".join(answer.response))

    def notify(self, company: Any, payment_id: str, merchant: str = "shop") -> TestResponse:
        """Post a company's message about a payment, as it is now."""
        return self.send_notification(company, company.notification(payment_id), merchant)

    def send_notification(
        self, company: Any, message: tuple[bytes, dict[str, str]], merchant: str = "shop"
    ) -> TestResponse:
        body, its_headers = message
        path = f"/webhooks/{provider_of(company)}/{merchant}"
        # Buffered, so that what follows the answer has been done, too.
        return self.client.post(path, data=body, headers=its_headers, buffered=True)

    def cancel(
        self,
        payment_id: str,
        request_id: str = "request-1",
        *,
        merchant: str = "shop",
        client: FlaskClient | None = None,
        **fields: Any,
    ) -> TestResponse:
        """Post a cancellation as VTEX does."""
        return (client or self.client).post(
            f"/payments/{payment_id}/cancellations",
            data=json.dumps({"paymentId": payment_id, "requestId": request_id, **fields}),
            headers=headers(self.merchants[merchant]),
            content_type="application/json",
            # To its end, and what follows it.
            buffered=True,
        )

    def execute(self, sql: str, **values: Any) -> list[Any]:
        """Run SQL on the connector's database, beside it."""
        with self.connector.database.engine.connect() as connection:
            result = connection.execute(text(sql), values)
            return list(result) if result.returns_rows else []

    def let_leases_end(self) -> None:
        """Let as much time pass as a killed worker's lease lasts."""
        self.execute("UPDATE payments SET lease_until = 1 WHERE lease_until IS NOT NULL")

    def make_due(self) -> None:
        """Let as much time pass as reconcile waits."""
        self.execute("UPDATE requests SET next_look_at = 1 WHERE next_look_at IS NOT NULL")

    def let_callbacks_be_due(self) -> None:
        """Let as much time pass as a callback waits."""
        self.execute("UPDATE payments SET callback_at = 1 WHERE callback_at IS NOT NULL")

    def reconcile(self) -> int:
        self.make_due()
        return self.connector.reconciler.run_once()

    def states(self) -> list[str]:
        return [row.state.value for row in self.connector.requests.rows()]


class Served(Vtex):
    """`connector serve` in processes of its own, on a free port unless one is given.

    `script` is run in the place of the command, to plant a crash. `stderr` is a file descriptor
    for the log, in the place of the file `log`. `in_a_terminal` gives it a group of processes of
    its own, as a terminal does. `is_killed` says that the test kills it: what it runs is not
    measured then, because a process that is killed may leave half a file of what it measured.
    """

    def __init__(
        self,
        rig: Rig,
        *,
        port: int | None = None,
        workers: int = 1,
        threads: int = 64,
        reconcile: bool = False,
        script: list[str] | None = None,
        stderr: int | None = None,
        in_a_terminal: bool = False,
        is_killed: bool = False,
        **variables: str,
    ) -> None:
        self.rig = rig
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = script or ["-m", "connector.cli"]
        self._arguments = [sys.executable, *command, "serve", "--bind", f"127.0.0.1:{self.port}"]
        self._arguments += ["--workers", str(workers), "--threads", str(threads)]
        self._arguments += [] if reconcile else ["--no-reconcile"]
        # A server that a test kills leaves its metrics' folder behind.
        temporary = {"TMPDIR": rig.environment["CONNECTOR_DATA_DIR"]}
        self._environment = {**os.environ, **temporary, **rig.environment, **variables}
        self._is_killed = is_killed
        if is_killed:
            self._environment.pop("COVERAGE_PROCESS_CONFIG", None)
        self._stderr = stderr
        self._in_a_terminal = in_a_terminal
        self.log = Path(rig.environment["CONNECTOR_DATA_DIR"]) / f"server-{self.port}.log"

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._arguments,
                env=self._environment,
                stdout=log,
                stderr=log if self._stderr is None else self._stderr,
                start_new_session=self._in_a_terminal,
            )
        self._wait_until_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self._kill()

    def kill(self) -> None:
        """Kill the master and its workers at once."""
        assert self._is_killed
        self._kill()

    def _kill(self) -> None:
        for process in [*psutil.Process(self.process.pid).children(recursive=True), self.process]:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children()

    def kill_workers(self) -> None:
        """Kill the workers; the master starts new ones."""
        assert self._is_killed
        for worker in self.workers():
            with suppress(psutil.NoSuchProcess):
                worker.send_signal(signal.SIGKILL)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with suppress(requests.ConnectionError):
                if requests.get(f"{self.url}/livez", timeout=5).ok:
                    return
            time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def cancel(
        self,
        payment_id: str,
        request_id: str = "request-1",
        *,
        merchant: str = "shop",
        wait: float = 30,
        **fields: Any,
    ) -> requests.Response:
        """Post a cancellation as VTEX does, on a connection of its own."""
        return requests.post(
            f"{self.url}/payments/{payment_id}/cancellations",
            json={"paymentId": payment_id, "requestId": request_id, **fields},
            headers=headers(self.rig.merchants[merchant]),
            timeout=wait,
        )

    def post(
        self, path: str, body: Any, merchant: str = "shop", **options: Any
    ) -> requests.Response:
        credentials = headers(self.rig.merchants[merchant])
        return requests.post(
            f"{self.url}{path}", json=body, headers=credentials, timeout=options.get("wait", 30)
        )

    def notify(self, company: Any, payment_id: str, merchant: str = "shop") -> requests.Response:
        """Post a company's message about a payment, as it is now."""
        body, its_headers = company.notification(payment_id)
        path = f"/webhooks/{provider_of(company)}/{merchant}"
        return requests.post(f"{self.url}{path}", data=body, headers=its_headers, timeout=30)


# Ports of servers that are about to start. They are below those that the system gives away by
# itself (on Linux from 32768 on), which a connection could have by the time the server starts.
# Each of pytest's processes has its own.
PORTS = 4000


def ports_of_this_process() -> Iterator[int]:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw4").removeprefix("gw")) % 5
    first, start = 10_000 + number * PORTS, random.randrange(PORTS)
    return (first + (start + count) % PORTS for count in itertools.count())


_ports = ports_of_this_process()


def free_port() -> int:
    for port in _ports:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError
