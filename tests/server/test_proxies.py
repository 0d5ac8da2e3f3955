"""The proxies of docs/running.md, as they stand there; each runs where it is installed."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.rig import Served, free_port, headers
from tests.server.cancellations import HELD, Cancellations

pytestmark = pytest.mark.slow

DOCUMENT = Path(__file__).parents[2] / "docs" / "running.md"
NAME = "payments.example.com"
SLOW = 100
# Seconds in which an honest cancellation is answered, whoever else is connected.
HONEST_SECONDS = 3


def documented(language: str) -> str:
    [found] = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return str(found)


def make_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.DNSName("localhost")])
    day = timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - day)
        .not_valid_after(datetime.now(UTC) + day)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "public.pem").write_bytes(public)
    (folder / "private.pem").write_bytes(private)
    (folder / "both.pem").write_bytes(public + private)


def nginx(folder: Path, port: int, connector: int) -> list[str]:
    server = documented("nginx")
    for old, new in {
        "listen 443": f"listen 127.0.0.1:{port}",
        f"/etc/ssl/{NAME}.pem": f"{folder}/public.pem",
        f"/etc/ssl/{NAME}.key": f"{folder}/private.pem",
        "127.0.0.1:8080": f"127.0.0.1:{connector}",
    }.items():
        assert old in server
        server = server.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    # Its workers write longer bodies to files; as root they would be somebody else's.
    owner = "user root;" if os.geteuid() == 0 else ""
    around = f"{owner} daemon off; pid {folder}/pid; error_log {folder}/errors; events {{}}"
    (folder / "conf").write_text(f"{around} http {{ access_log {folder}/log; {paths}\n{server} }}")
    return ["nginx", "-p", str(folder), "-e", f"{folder}/errors", "-c", str(folder / "conf")]


def caddy(folder: Path, port: int, connector: int) -> list[str]:
    server = documented("caddyfile")
    certificate = f"\ttls {folder}/public.pem {folder}/private.pem\n"
    for old, new in {
        "{\n\tservers": f"{{\n\tadmin off\n\tstorage file_system {folder}\n\tservers",
        f"{NAME} {{\n": f"https://localhost:{port} {{\n{certificate}",
        "127.0.0.1:8080": f"127.0.0.1:{connector}",
    }.items():
        assert old in server
        server = server.replace(old, new, 1)
    server = server.replace("\tservers", "\tauto_https disable_redirects\n\tservers", 1)
    (folder / "Caddyfile").write_text(server)
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def haproxy(folder: Path, port: int, connector: int) -> list[str]:
    server = documented("haproxy")
    for old, new in {
        "bind :443": f"bind 127.0.0.1:{port}",
        f"/etc/haproxy/{NAME}.pem": f"{folder}/both.pem",
        "127.0.0.1:8080": f"127.0.0.1:{connector}",
    }.items():
        assert old in server
        server = server.replace(old, new)
    (folder / "haproxy.cfg").write_text(server)
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]


PROXIES = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}


@pytest.fixture(scope="module")
def scene(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cancellations]:
    folder = tmp_path_factory.mktemp("proxies")
    copy(sqlite_template, folder / "connector.db")
    with Cancellations(f"sqlite:///{folder}/connector.db", folder, [HELD]) as made:
        yield made


@pytest.fixture(scope="module")
def server(scene: Cancellations) -> Iterator[Served]:
    with Served(scene.rig, threads=8) as served:
        yield served


@pytest.fixture(params=PROXIES)
def port(request: pytest.FixtureRequest, server: Served, tmp_path: Path) -> Iterator[int]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    make_certificate(tmp_path)
    port = free_port()
    command = PROXIES[request.param](tmp_path, port, server.port)
    with (tmp_path / "said").open("w") as said:
        proxy = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_for(port)
        yield port
    finally:
        proxy.terminate()
        proxy.wait(10)


def wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise AssertionError


def cancel(
    scene: Cancellations, port: int, trusted: Path, body_bytes: int = 0
) -> requests.Response:
    payment = scene.make(HELD)
    body = f'{{"paymentId": "{payment.id}", "requestId": "request-1"}}'.ljust(body_bytes)
    answer = requests.post(
        f"https://localhost:{port}/payments/{payment.id}/cancellations",
        data=body,
        headers=headers(scene.rig.merchants[HELD.name]) | {"Content-Type": "application/json"},
        verify=str(trusted),
        timeout=HONEST_SECONDS,
    )
    if answer.status_code == 200:
        assert scene.truth(HELD, payment, "request-1") == answer.json()
    return answer


def slow_client(stack: ExitStack, port: int, trusted: Path) -> None:
    """Send a head and a part of the body, and no more."""
    context = ssl.create_default_context(cafile=str(trusted))
    plain = stack.enter_context(socket.create_connection(("127.0.0.1", port), 10))
    client = stack.enter_context(context.wrap_socket(plain, server_hostname="localhost"))
    client.sendall(
        b"POST /payments/P-1/cancellations HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )


def test_a_proxy_keeps_slow_clients_from_the_connector(
    scene: Cancellations, server: Served, port: int, tmp_path: Path
) -> None:
    trusted = tmp_path / "public.pem"
    assert 200 == cancel(scene, port, trusted).status_code
    assert 200 == cancel(scene, port, trusted, 200 * 1024).status_code
    with ExitStack() as stack:
        for _ in range(SLOW):
            slow_client(stack, port, trusted)
        assert 200 == cancel(scene, port, trusted).status_code
        [worker] = server.workers()
        here = [one for one in worker.net_connections() if one.laddr.port == server.port]
        assert len(here) < SLOW / 4


def test_a_proxy_passes_on_what_vtex_and_the_companies_call(
    scene: Cancellations, port: int, tmp_path: Path
) -> None:
    trusted = tmp_path / "public.pem"

    def status(method: str, path: str) -> int:
        url = f"https://localhost:{port}{path}"
        return requests.request(method, url, verify=str(trusted), timeout=5).status_code

    assert 200 == status("GET", "/manifest")
    assert 401 == status("POST", "/payments")
    assert 400 == status("POST", "/webhooks/tranzzo/shop")
    # The merchant's browser, and what VTEX asks before it has a key.
    assert 400 == status("POST", "/authorization/token")
    assert 410 == status("GET", "/authorization/redirect?token=unknown")
    assert 200 == status("GET", "/pages/style.css")
    assert [404] * 3 == [status("GET", path) for path in ("/livez", "/metrics", "/paymentsx")]
    # Caddy may end the connection behind the status.
    with suppress(requests.exceptions.ChunkedEncodingError):
        assert 413 == cancel(scene, port, trusted, 300 * 1024).status_code
