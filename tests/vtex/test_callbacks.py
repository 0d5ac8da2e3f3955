"""News for VTEX: to the very bytes of its address, until it takes them, one sender at a time."""

import io
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from connector.bulkhead import CALLBACKS
from connector.storage.vault import open_vault
from connector.vtex import callbacks
from connector.vtex.callbacks import LEASE_SECONDS, PAUSES, Callbacks
from tests.rig import Rig, free_port, headers

# What requests or urllib3 would write anew: small hex digits, needless and missing escapes, dots.
ODD_TARGET = "/a/../b/%2f%7e~//c;d?an=shop&X-VTEX-signature=Rj%2a|tk{}^`[]'&x=%zz&&=?/"
# As VTEX's are.
TARGET = "/api/pvt/payment-provider/payments/P1/callback?an=shop&X-VTEX-signature=Rj%2atk"
APP_KEY, APP_TOKEN = "vtexappkey-own-ABCDEF", "own-vtex-app-token"


class Sink:
    """VTEX's end of a callback, on a raw socket: keeps each request as it came."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self.before: Callable[[], None] = lambda: None
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self.requests.append(self._read(connection))
            self.before()
            line = self.answers.pop(0) if self.answers else b"200 OK"
            head = b"HTTP/1.1 " + line + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            connection.sendall(head if line else b"")

    def _read(self, connection: socket.socket) -> bytes:
        read = b""
        while b"\r\n\r\n" not in read:
            read += connection.recv(65536)
        head, _, rest = read.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        )
        while len(rest) < length:
            rest += connection.recv(65536)
        return head + b"\r\n\r\n" + rest


@pytest.fixture
def sink() -> Iterator[Sink]:
    sink = Sink()
    yield sink
    sink.close()


class PaymentWithCallback:
    """A connector with one payment of its own, and a sink for what it tells of it."""

    def __init__(self, rig: Rig, sink: Sink) -> None:
        rig.configure(
            CONNECTOR_CALLBACK_HOSTS=sink.host,
            CONNECTOR_VTEX_APP_KEY=APP_KEY,
            CONNECTOR_VTEX_APP_TOKEN=APP_TOKEN,
        )
        self.rig, self.sink, self.credentials = rig, sink, rig.add()
        self.created = rig.client.post(
            "/payments",
            json={
                "paymentId": "P1",
                "value": 29.9,
                "currency": "RUB",
                "paymentMethod": "Visa",
                "card": {"number": "4444333322221111"},
            },
            headers=headers(self.credentials),
        )
        assert self.created.json
        assert self.created.json["status"] == "approved"
        self.due(f"http://{sink.host}{TARGET}")

    @property
    def callbacks(self) -> Callbacks:
        return self.rig.connector.callbacks

    def due(self, url: str | None = None, **values: Any) -> None:
        """Let a callback be due, with another address or without any change of it."""
        columns = {"callback_at": 1.0, **values}
        if url is not None:
            columns["callback"] = self.sealed(url)
        changes = ", ".join(f"{name} = :{name}" for name in columns)
        self.rig.execute(f"UPDATE payments SET {changes}", **columns)  # noqa: S608

    def sealed(self, url: str, payment_id: str = "P1") -> str:
        settings = self.rig.connector.settings
        vault = open_vault(settings.secret_keys, settings.data_dir)
        return vault.seal_callback(url, 1, payment_id)

    def due_in(self) -> float | None:
        """Seconds until the callback is due again, None when it is not."""
        ((at,),) = self.rig.execute("SELECT callback_at FROM payments")
        return None if at is None else float(at) - time.time()

    def deliver(self) -> bool:
        return self.callbacks.deliver(1, "P1")


@pytest.fixture
def shop(rig_on_both: Rig, sink: Sink) -> PaymentWithCallback:
    return PaymentWithCallback(rig_on_both, sink)


# What is sent.


def test_the_whole_answer_is_sent_to_the_very_bytes_of_the_address(
    shop: PaymentWithCallback,
) -> None:
    assert shop.deliver()
    (sent,) = shop.sink.requests
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"POST {TARGET} HTTP/1.1"
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert fields["host"] == shop.sink.host
    assert fields["content-type"] == "application/json"
    assert fields["x-vtex-api-appkey"] == APP_KEY.lower()
    assert fields["x-vtex-api-apptoken"] == APP_TOKEN
    assert json.loads(body) == shop.created.json
    assert shop.due_in() is None


def test_an_odd_address_is_kept_to_the_byte_and_gets_no_keys(
    shop: PaymentWithCallback, log: io.StringIO
) -> None:
    shop.due(f"http://{shop.sink.host}{ODD_TARGET}")
    assert shop.deliver()
    head = shop.sink.requests[-1].partition(b"\r\n\r\n")[0].decode()
    assert head.split("\r\n")[0] == f"POST {ODD_TARGET} HTTP/1.1"
    assert "x-vtex-api" not in head.lower()
    assert APP_TOKEN not in head
    assert "callback without keys: its path has another form" in log.getvalue()


@pytest.mark.parametrize(
    ("path", "has_keys"), [("/notify/P1?x=/payment-provider/y", False), ("/hook/P1", True)]
)
def test_our_keys_go_to_the_paths_that_are_named(
    shop: PaymentWithCallback, path: str, has_keys: bool
) -> None:
    shop.rig.configure(CONNECTOR_CALLBACK_PATHS="/hook/*, */payment-provider/*")
    shop.due(f"http://{shop.sink.host}{path}")
    assert shop.deliver()
    assert has_keys is (APP_TOKEN.encode() in shop.sink.requests[-1])


def test_an_address_without_a_path_is_sent_to_the_root(shop: PaymentWithCallback) -> None:
    for suffix, target in (("", "/"), ("?a=%2f", "/?a=%2f"), ("//x", "//x")):
        shop.due(f"http://{shop.sink.host}{suffix}")
        assert shop.deliver()
        assert shop.sink.requests[-1].startswith(f"POST {target} HTTP/1.1\r\n".encode())


def test_without_keys_of_ours_none_are_sent(shop: PaymentWithCallback) -> None:
    shop.rig.configure(CONNECTOR_VTEX_APP_KEY="", CONNECTOR_VTEX_APP_TOKEN="")
    assert shop.deliver()
    assert b"x-vtex-api" not in shop.sink.requests[0].partition(b"\r\n\r\n")[0].lower()


def test_the_merchants_keys_are_never_sent(shop: PaymentWithCallback) -> None:
    assert shop.deliver()
    assert shop.credentials.app_token.encode() not in shop.sink.requests[0]
    assert shop.credentials.app_key.encode() not in shop.sink.requests[0]


@pytest.mark.parametrize(
    ("status", "word"),
    [("DENIED", "denied"), ("CANCELLED", "denied"), ("SETTLED", "approved")],
)
def test_the_payment_is_told_as_it_stands_when_it_is_sent(
    shop: PaymentWithCallback, status: str, word: str
) -> None:
    shop.due(status=status)
    assert shop.deliver()
    assert json.loads(shop.sink.requests[0].partition(b"\r\n\r\n")[2])["status"] == word


def test_what_is_not_decided_is_not_told(shop: PaymentWithCallback) -> None:
    shop.due(status="PENDING")
    assert not shop.deliver()
    assert ([], None) == (shop.sink.requests, shop.due_in())


# When it is sent.


def test_what_was_taken_is_not_sent_again(shop: PaymentWithCallback) -> None:
    assert [True, False, False] == [shop.deliver() for _ in range(3)]
    assert shop.callbacks.deliver_due() == 0
    assert 1 == len(shop.sink.requests)


@pytest.mark.parametrize(
    "answer",
    [b"500 No", b"404 No", b"403 No", b"429 No", b"302 Found\r\nLocation: /x", b"199 No", b""],
)
def test_what_was_not_taken_is_due_again(shop: PaymentWithCallback, answer: bytes) -> None:
    shop.sink.answers = [answer]
    assert not shop.deliver()
    due_in = shop.due_in()
    assert due_in is not None
    assert 5 < due_in <= 10 + 1
    assert not shop.deliver()
    assert 1 == len(shop.sink.requests)
    shop.due()
    assert shop.deliver()
    assert 2 == len(shop.sink.requests)


@pytest.mark.parametrize("answer", [b"200 OK", b"201 Created", b"204 No Content"])
def test_any_success_is_taken(shop: PaymentWithCallback, answer: bytes) -> None:
    shop.sink.answers = [answer]
    assert shop.deliver()
    assert shop.due_in() is None


def test_a_callback_that_cannot_be_sent_is_due_again(shop: PaymentWithCallback) -> None:
    shop.rig.configure(CONNECTOR_CALLBACK_HOSTS=(host := f"127.0.0.1:{free_port()}"))
    shop.due(f"http://{host}/x")
    assert not shop.deliver()
    assert shop.due_in()


def test_the_pauses_grow_to_an_hour_and_end_after_a_day(shop: PaymentWithCallback) -> None:
    pauses = [10, 30, 60, 300, 900, *[3600] * 24]
    assert pauses == list(PAUSES)
    for tries, pause in enumerate(pauses[:7]):
        shop.sink.answers = [b"500 No"]
        shop.due(callback_attempts=tries)
        assert not shop.deliver()
        due_in = shop.due_in()
        assert due_in is not None
        assert pause - 5 < due_in <= pause + 1
    shop.sink.answers = [b"500 No"]
    shop.due(callback_attempts=len(pauses))
    assert not shop.deliver()
    assert shop.due_in() is None


def test_what_was_dropped_while_it_was_sent_stays_dropped(shop: PaymentWithCallback) -> None:
    shop.sink.answers = [b"500 No"]
    shop.sink.before = lambda: shop.due(callback_at=None)
    assert not shop.deliver()
    assert shop.due_in() is None


def test_two_senders_at_once_send_one(shop: PaymentWithCallback) -> None:
    shop.sink.before = lambda: time.sleep(0.3)
    others = [Rig(shop.rig.environment["CONNECTOR_DATABASE_URL"], _folder(shop)) for _ in range(7)]
    for other in others:
        other.configure(**shop.rig.environment)
    ready = threading.Barrier(len(others))
    taken: list[int] = []

    def send(rig: Rig) -> None:
        ready.wait()
        taken.append(rig.connector.callbacks.deliver_due())

    threads = [threading.Thread(target=send, args=(other,)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in others:
        other.connector.database.close()
    assert (1, 1) == (sum(taken), len(shop.sink.requests))


def _folder(shop: PaymentWithCallback) -> Any:
    return shop.rig.connector.settings.data_dir


def test_what_a_killed_sender_left_is_taken_up_after_its_lease(shop: PaymentWithCallback) -> None:
    assert shop.rig.connector.payments.take_callback(1, "P1", LEASE_SECONDS)
    due_in = shop.due_in()
    assert due_in is not None
    assert LEASE_SECONDS - 5 < due_in <= LEASE_SECONDS + 1
    assert not shop.deliver()
    shop.due()
    assert shop.callbacks.deliver_due() == 1
    assert 1 == len(shop.sink.requests)


def test_few_threads_wait_for_a_vtex_that_hangs_and_the_rest_is_due_again(
    shop: PaymentWithCallback,
) -> None:
    """Whoever tells VTEX of a payment holds a thread of its company's."""
    with ExitStack() as hanging:
        for _ in range(CALLBACKS):
            hanging.enter_context(shop.callbacks.http.bulkhead.slot())
        assert not shop.deliver()
        assert [] == shop.sink.requests
        assert shop.due_in() is not None
    assert shop.deliver()


def test_an_address_that_was_moved_from_another_payment_is_not_called(
    shop: PaymentWithCallback,
) -> None:
    shop.due()
    shop.rig.execute(
        "UPDATE payments SET callback = :callback",
        callback=shop.sealed(f"http://{shop.sink.host}{TARGET}", "P2"),
    )
    assert not shop.deliver()
    assert [] == shop.sink.requests


def test_everything_due_is_sent_a_bounded_number_each_round(
    shop: PaymentWithCallback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "MOST_IN_A_ROUND", 2)
    for number in range(2, 6):
        shop.rig.execute(
            "INSERT INTO payments (merchant_id, payment_id, status, sends, amount, currency, "
            "callback, callback_at, created_at, updated_at) SELECT merchant_id, :own, status, 0, "
            "amount, currency, :callback, :number, 1, 1 FROM payments WHERE payment_id = 'P1'",
            own=f"P{number}",
            callback=shop.sealed(f"http://{shop.sink.host}{TARGET}", f"P{number}"),
            number=float(number),
        )
    assert [2, 2, 1, 0] == [shop.callbacks.deliver_due() for _ in range(4)]
    told = [json.loads(one.partition(b"\r\n\r\n")[2])["paymentId"] for one in shop.sink.requests]
    assert ["P1", "P2", "P3", "P4", "P5"] == told


# Where it is not sent.


@pytest.mark.parametrize("path", ["/x?X-VTEX-signature=Rj6tk", "@evil.example/Rj6tk"])
def test_another_host_gets_nothing_and_is_not_logged(
    shop: PaymentWithCallback, log: io.StringIO, path: str
) -> None:
    other = Sink()
    shop.due(f"http://{other.host}{path}")
    assert not shop.deliver()
    assert ([], [], None) == (other.requests, shop.sink.requests, shop.due_in())
    assert "host is not allowed" in log.getvalue()
    assert "Rj6tk" not in log.getvalue()
    other.close()


@pytest.mark.parametrize("answer", [b"200 OK", b"500 No", b""])
def test_neither_the_address_nor_our_keys_are_logged(
    shop: PaymentWithCallback, log: io.StringIO, answer: bytes
) -> None:
    shop.sink.answers = [answer]
    shop.deliver()
    assert "provider call" in log.getvalue()
    shown = log.getvalue()
    words = ("signature", "Rj%2a", APP_KEY, APP_TOKEN)
    assert [] == [word for word in words if word in shown]


def test_the_address_is_stored_sealed(shop: PaymentWithCallback) -> None:
    ((callback,),) = shop.rig.execute("SELECT callback FROM payments")
    assert "vtex" not in callback.lower()
    assert shop.sink.host not in callback


def test_it_never_raises(shop: PaymentWithCallback) -> None:
    shop.due(callback="no seal of ours")
    assert not shop.deliver()
    assert shop.due_in()
    shop.rig.execute("ALTER TABLE payments RENAME TO gone")
    assert not shop.deliver()
    assert shop.callbacks.deliver_due() == 0
