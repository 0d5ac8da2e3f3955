"""Every secret through every path; then all that was shown is searched for it."""

import base64
import hmac
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests
from click.testing import CliRunner

from connector.app import create_app
from connector.cli import main
from connector.storage.stored_merchant import Credentials
from tests import postgres
from tests.companies.registry import (
    ANY,
    COMPANIES,
    WITH_TOKEN,
    CompanyEntry,
    entry_of,
    provider_of,
)
from tests.rig import SECRET_KEY, Rig, Served, headers

pytestmark = pytest.mark.slow

CARD, CVV = "4111111111111111", "cvv-737-cvv"
TABLES = ("merchants", "merchant_tokens", "payments", "requests", "sends", "events")
FAULTS = (
    "reset_before",
    "reset_after",
    "truncated",
    "slow_after",
    "drip",
    "drip_headers",
)
STATUSES = (200, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503)
# Where a company may write what it was sent: every field a provider reads, alone and nested.
NAMES = (
    "code",
    "message",
    "reason",
    "reasonCode",
    "status",
    "status_code",
    "error",
    "state",
    "method",
    "paymentStatus",
    "invoiceStatus",
    "payment_status",
    "currency",
    "payment_id",
    "operation_id",
    "operationId",
    "order_id",
    "orderId",
)


def secrets_of(company: Any) -> list[str]:
    """What of a merchant's settings must not be shown, and what is made of it and sent."""
    kept = {"pos_id", "merchant_id", "app_id", "key_id", "merchant_uuid"}
    own = [value for key, value in company.settings.items() if key not in kept]
    tokens = list(getattr(company, "tokens", ()))
    sent = [
        call.headers[name]
        for call in company.calls
        for name in ("sign", "X-API-Auth")
        if name in call.headers
    ]
    signatures = [call.json()["signature"] for call in company.calls if call.operation == "token"]
    return [*own, *tokens, *sent, *signatures]


class Shown:
    """Collects all that anybody may see, and searches it."""

    def __init__(self, log: io.StringIO) -> None:
        self.log = log
        self.texts: list[str] = []

    def add(self, answer: Any) -> None:
        self.texts.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")

    def everything(self) -> str:
        return "\n".join([self.log.getvalue(), *self.texts])

    def found(self, secrets: list[str]) -> set[str]:
        """Return the secrets that are shown, as they are or as somebody may write them."""
        text = self.everything()
        assert secrets
        return {secret for secret in secrets if any(form in text for form in forms(secret))}


def forms(secret: str) -> list[str]:
    assert len(secret) >= 8
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    return [secret, json.dumps(secret)[1:-1], quote(secret, safe=""), encoded]


@pytest.fixture
def shown(log: io.StringIO) -> Shown:
    return Shown(log)


def dump(rig: Rig) -> str:
    """Every column of every table."""
    return repr([rig.execute(f"SELECT * FROM {table}") for table in TABLES])  # noqa: S608


def payment(company: Any, name: str) -> dict[str, str]:
    """Make a payment that can be cancelled; return what VTEX knows of it."""
    entry = entry_of(company)
    made: dict[str, str] = company.put(name, entry.cancellables[0].state)
    return made


def assert_urls_are_clean(company: Any, secrets: list[str]) -> None:
    urls = "\n".join(f"{call.path}?{call.query}" for call in company.calls)
    assert urls
    assert [] == [secret for secret in secrets if any(form in urls for form in forms(secret))]


@pytest.fixture(params=COMPANIES, ids=str)
def company(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param.open() as company:
        yield company


# The search itself.


def test_a_secret_that_is_shown_is_found(shown: Shown) -> None:
    logging.getLogger("connector").info("told: a-secret-word")
    logging.getLogger("connector").info("told", extra={"code": "another-secret"})
    secrets = ["a-secret-word", "another-secret", "third-secret"]
    assert {"a-secret-word", "another-secret"} == shown.found(secrets)
    shown.texts.append(base64.b64encode(b"third-secret").decode())
    assert set(secrets) == shown.found(secrets)


def test_a_log_line_has_no_values_of_libraries_and_no_text_of_exceptions(shown: Shown) -> None:
    try:
        raise ValueError("a-secret-word")  # noqa: TRY301 - what is logged is under test
    except ValueError:
        logging.getLogger("connector").exception("failed")
    logging.getLogger("urllib3").warning("Retrying %s", "another-secret")
    logging.getLogger("gunicorn.error").error("Error in %s", "third-secret")
    logging.getLogger("connector").info("told", extra={"authorization": "fourth-secret"})
    secrets = ["a-secret-word", "another-secret", "third-secret", "fourth-secret"]
    assert set() == shown.found(secrets)
    lines = [json.loads(line) for line in shown.log.getvalue().splitlines()]
    assert ["failed", "Retrying %s", "Error in %s", "told"] == [line["event"] for line in lines]
    assert "ValueError" == lines[0]["error"]


# Through the companies.


def test_no_fault_of_a_company_shows_a_secret(rig: Rig, company: Any, shown: Shown) -> None:
    rig.configure(CONNECTOR_PROVIDER_SECONDS="0.3", CONNECTOR_ANSWER_SECONDS="1.5")
    own = rig.add(company)
    client = rig.client
    shown.add(rig.cancel("ok", client=client, **payment(company, "ok")))
    for kind in FAULTS:
        company.inject(kind, seconds=0.5)
        shown.add(rig.cancel(kind, client=client, **payment(company, kind)))
    for status in STATUSES:
        name = f"status-{status}"
        company.inject("status_before", status=status, body=b"<html>no</html>", times=2)
        shown.add(rig.cancel(name, client=client, **payment(company, name)))
    company.faults.clear()
    rig.reconcile()
    secrets = [*secrets_of(company), own.app_token, SECRET_KEY]
    shown.texts.append(dump(rig))
    assert set() == shown.found(secrets)
    assert_urls_are_clean(company, secrets)
    assert len(company.calls) > len(FAULTS) + len(STATUSES)
    assert '"event": "provider call"' in shown.log.getvalue()


def echoes(told: str) -> list[bytes]:
    """Return answers that repeat a text wherever a provider may read it."""
    flat = dict.fromkeys(NAMES, told)
    nested = {"args": {"code": told}, "order": flat, "operation": flat, "operations": [flat]}
    refusal = {"state": 1, "code": "ERROR", "message": told, "reasonCode": told}
    listed = {**flat, "method": "auth", "amount": 1}
    good = {"status": "success", "data": {"order": flat, "operations": [flat]}}
    purchase = {"code": "OK", "body": {"invoiceStatus": told, "jwe": "x", "ttl": 900}}
    invoice = {"state": 0, "result": {**flat, "is_final": False, "amount": "1"}}
    answers = [
        {**flat, **nested},
        {"message": told, "args": {"code": told}},
        {"status": "fail", "reasonCode": told, "reason": told},
        {**flat, "state": 1},
        refusal,
        [listed],
        [{**listed, "status": "success", "status_code": told}],
        good,
        purchase,
        invoice,
    ]
    return [json.dumps(answer).encode() for answer in answers] + [told.encode()]


def test_a_company_that_repeats_a_secret_does_not_make_us_repeat_it(
    rig: Rig, company: Any, shown: Shown
) -> None:
    """In the field of an error code a key looks like a code: it must be known to be none."""
    own = rig.add(company)
    client = rig.client
    secrets = [value for value in secrets_of(company) if len(value) < 200]
    calls = 0
    for number, secret in enumerate(secrets):
        for answer, body in enumerate(echoes(secret)):
            for status in (200, 400, 404):
                name = f"echo-{number}-{answer}-{status}"
                known = payment(company, name)
                company.inject("status_before", "look", status=status, body=body)
                shown.add(rig.cancel(name, client=client, **known))
                calls += 1
    shown.texts.append(dump(rig))
    assert set() == shown.found([*secrets_of(company), own.app_token, SECRET_KEY])
    assert len(company.calls) >= calls


def test_probes_show_no_secret(rig: Rig, company: Any, shown: Shown) -> None:
    rig.add(company)
    secrets = secrets_of(company)
    for secret in secrets:
        for body in echoes(secret)[1:5]:
            company.inject("status_before", status=400, body=body)
            result = CliRunner(env=rig.environment).invoke(main, ["check", "--json"])
            shown.texts.append(result.output + repr(result.exception))
    assert set() == shown.found(secrets)


# Through bad requests.

BODY = {"paymentId": "P1", "requestId": "request-1"}


def bad_bodies(own: Credentials) -> list[bytes]:
    told = f"{own.app_token} {CARD} {CVV}"
    fields = ["value", "sandboxMode", "authorizationId", "tid", "paymentId"]
    wrong = [{**BODY, field: wrong} for field in fields for wrong in ([told], {"x": told})]
    wrong += [{**BODY, "value": told}, {**BODY, "sandboxMode": told}, {**BODY, "paymentId": told}]
    return [json.dumps(body).encode() for body in wrong] + [
        told.encode(),
        f'{{"paymentId": {told}'.encode(),
        f'{{"card": "{CARD}", "x": 1e99999999999999999999}}'.encode(),
        json.dumps([told]).encode(),
    ]


def test_a_bad_request_is_not_repeated_back(rig: Rig, shown: Shown) -> None:
    own = rig.add()
    client = rig.client
    path = "/payments/P1/cancellations"
    stranger = {"X-VTEX-API-AppKey": CARD, "X-VTEX-API-AppToken": f"wrong-{own.app_token}"}
    for body in bad_bodies(own):
        for sent in (headers(own), stranger, headers(own) | {"X-Card": CARD, "Cookie": CVV}):
            for content_type in ("application/json", "text/plain"):
                shown.add(client.post(path, data=body, headers=sent, content_type=content_type))
    for address in (f"/payments/{CARD} {own.app_token}/cancellations", f"/{CARD}/{CVV}"):
        shown.add(client.post(address, data=b"{}", headers=headers(own)))
        shown.add(client.get(address, query_string={"token": own.app_token}))
    assert set() == shown.found([own.app_token, CARD, CVV])
    assert [[], []] == [
        rig.execute("SELECT * FROM requests"),
        rig.execute("SELECT * FROM payments"),
    ]


def test_what_a_request_has_besides_is_neither_kept_nor_logged(
    rig: Rig, tmp_path: Path, shown: Shown
) -> None:
    own = rig.add()
    card = {"number": CARD, "csc": CVV}
    told = [{"name": "card", "value": CARD}]
    shown.add(rig.cancel("P1", card=card, merchantSettings=told, connectorMetadata=told))
    shown.texts.append(dump(rig))
    files = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    shown.texts.append(files.decode("latin-1"))
    assert set() == shown.found([CARD, CVV, own.app_token])
    assert b"P1" in files


def test_a_fault_of_ours_shows_no_secret(
    rig: Rig, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose text is made of them, as a driver's may be."""
    own = rig.add()
    rig.cancel("P1")
    client = rig.client
    rig.execute("UPDATE requests SET value = :value", value=f"{CARD}, {CVV}")
    shown.add(rig.cancel("P1", client=client))
    assert "internal-error" in shown.texts[-1]
    rig.execute("ALTER TABLE payments RENAME TO gone")
    shown.add(rig.cancel("P2", client=client, card=CARD))
    assert "storage-unavailable" in shown.texts[-1]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"{own.app_token} {CARD} {SECRET_KEY}")

    monkeypatch.setattr(hmac, "compare_digest", fail)
    shown.texts.append(
        client.post("/payments/P3/cancellations", data=b"{}", headers=headers(own)).text
    )
    monkeypatch.undo()
    assert "internal-error" in shown.texts[-1]
    assert '"error": "RuntimeError"' in shown.log.getvalue()
    assert set() == shown.found([own.app_token, CARD, CVV, SECRET_KEY])


# Through the commands.


def test_no_command_shows_a_secret(rig: Rig, company: Any, shown: Shown, tmp_path: Path) -> None:
    provider = provider_of(company)
    rig.use(company)
    tokens = []

    def run(*arguments: str, stdin: str | None = None) -> Any:
        result = CliRunner(env=rig.environment).invoke(main, list(arguments), input=stdin)
        shown.texts.append(result.output + repr(result.exception))
        return result

    settings = json.dumps(company.settings)
    add = ("merchants", "add", "shop", "--provider", provider, "--settings", "-", "--json")
    made = run(*add, stdin=settings)
    tokens.append(json.loads(made.stdout)["appToken"])
    shown.texts.pop()
    rotated = run("merchants", "rotate-token", "shop", "--json")
    tokens.append(json.loads(rotated.stdout)["appToken"])
    shown.texts.pop()
    run(*add, stdin=settings)
    run(*add, stdin=settings[:-1])
    run(*add, stdin=json.dumps({**company.settings, "colour": "x"}))
    for value in company.settings.values():
        wrong = json.dumps(dict.fromkeys(company.settings, f"{value} {value}"))
        run("merchants", "update", "shop", "--settings", "-", "--json", stdin=wrong)
    run("merchants", "update", "shop", "--settings", "-", stdin=settings)
    for arguments in (
        ["merchants", "list"],
        ["merchants", "list", "--json"],
        ["operations", "list", "--json"],
        ["check"],
        ["check", "--json"],
        ["reconcile", "--once"],
        ["merchants", "disable", "shop"],
        ["migrate"],
    ):
        assert 0 == run(*arguments).exit_code
    shown.texts.append(dump(rig))
    files = b"".join(path.read_bytes() for path in tmp_path.glob("connector.db*"))
    shown.texts.append(files.decode("latin-1"))
    assert set() == shown.found([*secrets_of(company), *tokens, SECRET_KEY])


def test_a_wrong_environment_is_told_without_its_secrets(rig: Rig, shown: Shown) -> None:
    word = "a-secret-word-4711"
    for name, value in {
        "CONNECTOR_SECRET_KEYS": f"{SECRET_KEY},{word}",
        "CONNECTOR_DATABASE_URL": f"mysql://user:{word}@host/name",
        "CONNECTOR_TRANZZO_URL": f"https://user:{word}@host/x",
        "CONNECTOR_PUBLIC_URL": f"http://{word}",
    }.items():
        result = CliRunner(env=rig.environment | {name: value}).invoke(main, ["check"])
        assert 1 == result.exit_code
        assert name in result.output
        shown.texts.append(result.output + repr(result.exception))
    assert set() == shown.found([word, SECRET_KEY])


# A whole server, to its last line.


@pytest.mark.parametrize("entry", [ANY, *WITH_TOKEN], ids=str)
def test_a_served_connector_logs_no_secret_to_its_end(
    postgres_url: str, postgres_template: str, tmp_path: Path, entry: CompanyEntry
) -> None:
    url = postgres.new_database(postgres_url, postgres_template)
    password = urlsplit(url).password or ""
    with entry.open() as company, Rig(url, tmp_path) as rig:
        own = rig.add(company)
        with Served(rig, workers=1, CONNECTOR_LOG_LEVEL="DEBUG", reconcile=True) as served:
            told = [served.cancel("P1", **payment(company, "P1")).text]
            company.inject("reset_after")
            told.append(served.cancel("P2", **payment(company, "P2")).text)
            path = f"{served.url}/payments/P1/cancellations"
            for body in bad_bodies(own):
                answer = requests.post(path, data=body, headers=headers(own), timeout=10)
                told.append(answer.text)
            # The database goes away while it serves.
            postgres.drop_database(postgres_url, url)
            gone = served.cancel("P4")
            assert 500 == gone.status_code
            told.append(gone.text)
        text = served.log.read_text() + "".join(told)
    secrets = [*secrets_of(company), own.app_token, SECRET_KEY, password, CARD, CVV]
    assert [] == [secret for secret in secrets if any(form in text for form in forms(secret))]
    assert '"event": "answer"' in text
    assert [] == [line for line in served.log.read_text().splitlines() if not line.startswith("{")]


def test_the_application_has_no_debugger_and_no_secret_in_its_settings(rig: Rig) -> None:
    own = rig.add()
    app = create_app(rig.connector)
    assert not app.debug
    assert not app.testing
    shown = f"{app.config} {rig.connector!r} {rig.connector.settings!r}"
    assert not [secret for secret in (own.app_token, SECRET_KEY) if secret in shown]
