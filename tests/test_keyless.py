"""An endpoint that no AppKey opens is one module. What holds for every route holds for it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from connector import keyless
from connector.app import create_app
from connector.http_server import MAX_BODY_BYTES
from tests.rig import Rig

SCRATCH = """
from flask import Blueprint, Response, request

from connector.domain.errors import InvalidRequest


def blueprint(connector):
    routes = Blueprint("scratch", __name__)

    @routes.get("/scratch/<name>")
    def show(name):
        return Response(f"{name} on {connector.settings.public_url or 'loopback'}")

    @routes.post("/scratch/<name>")
    def change(name):
        if "agree" not in request.form:
            raise InvalidRequest("agree: required")
        return Response(request.form["agree"])

    @routes.get("/scratch/<name>/broken")
    def broken(name):
        raise RuntimeError(name)

    return routes
"""
PLAIN = ["status", "code", "message"]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put one more module into the folder; nothing else is changed."""
    (tmp_path / "scratch_of_a_test.py").write_text(SCRATCH)
    monkeypatch.setattr(keyless, "__path__", [*keyless.__path__, str(tmp_path)])


@pytest.fixture
def client(rig: Rig, request: pytest.FixtureRequest) -> Iterator[FlaskClient]:
    request.getfixturevalue("scratch")
    with create_app(rig.connector).test_client() as client:
        yield client


def test_it_is_mounted_by_being_there(client: FlaskClient) -> None:
    answer = client.get("/scratch/page")
    assert (200, "page on loopback") == (answer.status_code, answer.text)
    assert ("no-store", "nosniff") == (
        answer.headers["Cache-Control"],
        answer.headers["X-Content-Type-Options"],
    )


def test_without_the_module_it_is_not_there(rig: Rig) -> None:
    assert 404 == rig.client.get("/scratch/page").status_code


def test_head_is_answered_without_a_body(client: FlaskClient) -> None:
    answer = client.head("/scratch/page")
    assert (200, b"") == (answer.status_code, answer.data)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_it_does_not_have_is_refused(client: FlaskClient, method: str) -> None:
    answer = client.open("/scratch/page", method=method)
    assert (405, PLAIN) == (answer.status_code, list(json.loads(answer.data)))
    assert {"GET", "HEAD", "POST"} == set(answer.allow)


def test_its_failures_are_plain(client: FlaskClient) -> None:
    answer = client.post("/scratch/page", data={"other": "1"})
    assert {"status": 400, "code": "invalid-request", "message": "agree: required"} == answer.json


def test_its_faults_are_plain(client: FlaskClient) -> None:
    answer = client.get("/scratch/page/broken")
    assert (500, "internal-error") == (answer.status_code, (answer.json or {})["code"])
    assert PLAIN == list(json.loads(answer.data))


def form_of(length: int) -> dict[str, str]:
    return {"agree": "x" * (length - len("agree="))}


def test_its_body_is_read_up_to_the_size_of_every_body(client: FlaskClient) -> None:
    assert 200 == client.post("/scratch/page", data=form_of(MAX_BODY_BYTES)).status_code


@pytest.mark.parametrize("more", [2, 100_000])
def test_a_larger_body_is_refused(client: FlaskClient, more: int) -> None:
    answer = client.post("/scratch/page", data=form_of(MAX_BODY_BYTES + more))
    message = "The body is too large."
    assert {"status": 413, "code": "invalid-request", "message": message} == answer.json
