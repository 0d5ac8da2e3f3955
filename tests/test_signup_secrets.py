"""Every secret of a configuration flow; then all that was shown or kept is searched for it."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import main
from connector.domain.authorization import NotConnected
from connector.signup import Submission
from tests.companies.registry import BY_NAME, COMPANIES, provider_of
from tests.rig import SECRET_KEY, Rig, Served
from tests.signup.flow import RETURN_URL, Gateway, Person, cancel, settings_of
from tests.storage.test_merchants import raw_contents
from tests.test_cancel_secrets import Shown, echoes, secrets_of
from tests.vtex.authorization.merchant import Merchant, begin, credentials, invited, typed

pytestmark = pytest.mark.slow

URL = RETURN_URL + "&session=a-session-of-the-admin"


@pytest.fixture
def shown(log: io.StringIO) -> Shown:
    return Shown(log)


@pytest.fixture(params=COMPANIES, ids=str)
def company(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param.open() as company:
        yield company


def contents(rig: Rig) -> str:
    """Everything in the database, as whoever steals it sees it."""
    url = rig.environment["CONNECTOR_DATABASE_URL"]
    return raw_contents(url.replace("postgresql+psycopg", "postgresql")).decode("latin-1")


def test_nothing_secret_of_a_flow_is_kept_or_logged(
    rig_on_both: Rig, company: Any, shown: Shown
) -> None:
    rig, person = rig_on_both, Person(rig_on_both)
    rig.use(company)
    invitation, token = person.invited("mystore"), person.gateway.begin(URL)
    made = person.connect(company, token=token, invitation=invitation)
    again = person.signup.connected(token)
    pair = person.gateway.pair(made.code)
    secrets = [*secrets_of(company), token, made.code, again.code, invitation, pair[1]]
    secrets += [SECRET_KEY, "a-session-of-the-admin"]
    # The AppToken is there only encrypted, before it is used and after.
    shown.texts.append(contents(rig))
    cancel(rig, pair)
    shown.texts.append(contents(rig))
    assert pair[0] in shown.texts[0]
    assert set() == shown.found(secrets)


def test_no_failure_of_a_flow_shows_a_secret(rig: Rig, company: Any, shown: Shown) -> None:
    """Whatever the company says, also if it repeats the keys."""
    person = Person(rig)
    rig.configure(CONNECTOR_PROVIDER_SECONDS="0.3", CONNECTOR_ANSWER_SECONDS="1.5")
    rig.use(company)
    given = settings_of(company)
    told = 0
    for secret in [one for one in secrets_of(company) if len(one) < 200]:
        for body in echoes(secret)[1:5]:
            company.faults.clear()
            company.inject("status_before", status=400, body=body, times=2)
            token, invitation = person.gateway.begin(), person.invited()
            try:
                submission = Submission(token, provider_of(company), given, invitation)
                person.signup.connect(submission)
            except NotConnected as error:
                shown.texts.append(f"{error} {error!r} {vars(error)}")
                told += 1
    assert told
    shown.texts.append(contents(rig))
    assert set() == shown.found([*secrets_of(company), SECRET_KEY])


def test_no_bad_request_of_a_flow_is_repeated_back(rig: Rig, shown: Shown) -> None:
    gateway, secret = Gateway(rig), "a-secret-word-4711"
    for url in (f"https://{secret}.example/", f"https://u:{secret}@mystore.myvtex.com/", secret):
        shown.add(gateway.token(url))
    shown.add(rig.client.post("/authorization/token", json={"applicationId": [secret]}))
    shown.add(gateway.credentials(secret))
    shown.add(rig.client.get(f"/authorization/credentials?{secret}={secret}"))
    for path in ("redirect", "invitation"):
        answer = rig.client.get(f"/authorization/{path}?token={secret}x&invitation={secret}x")
        assert answer.status_code == 410
    assert set() == shown.found([secret])


def test_no_command_shows_an_invitation_again(rig: Rig, shown: Shown) -> None:
    runner = CliRunner(env=rig.environment)
    made = json.loads(runner.invoke(main, ["merchants", "invite", "--json"]).stdout)
    Person(rig).connect(invitation=made["code"])
    for command in (["invitations"], ["list"], ["show", "mystore-sandbox"]):
        for form in ([], ["--json"]):
            result = runner.invoke(main, ["merchants", *command, *form])
            assert result.exit_code == 0
            shown.texts.append(result.output)
    shown.texts.append(contents(rig))
    assert set() == shown.found([made["code"]])


def test_on_the_pages_only_the_way_back_has_the_code(rig: Rig, shown: Shown) -> None:
    with BY_NAME["tranzzo"].open() as company:
        rig.use(company)
        with Served(rig, threads=8) as server:
            token, invitation = begin(server, URL), invited(rig)
            merchant = Merchant(server).choose("tranzzo", invitation, token)
            wrong = {**typed(company), "api_key": "a-wrong-api-key-4711"}
            shown.texts.append(merchant.give(wrong).answer.text)
            merchant.give(typed(company))
            code, page = merchant.code, merchant.answer.text
            pair = credentials(server, code).json()
            shown.texts += [page, server.log.read_text()]
            secrets = [*secrets_of(company), "a-wrong-api-key-4711", pair["appToken"], SECRET_KEY]
            assert set() == shown.found(secrets)
            assert 2 == page.count(code)
            flows = [token, code, invitation]
            assert [] == [one for one in flows if one in server.log.read_text()]
            referrers = {one.headers["Referrer-Policy"] for one in merchant.answer.history}
            assert {"no-referrer"} >= referrers
            assert "no-referrer" == merchant.answer.headers["Referrer-Policy"]


def test_a_fault_of_ours_in_a_flow_shows_no_secret(
    rig: Rig, shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    person, client = Person(rig), rig.client
    made = person.connect(invitation=person.invited())
    _, app_token = person.gateway.pair(made.code)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(f"{app_token} {made.code} {SECRET_KEY}")

    query = {"applicationId": "vtex", "authorizationCode": made.code}
    for name in ("credentials", "begin"):
        monkeypatch.setattr(rig.connector.authorizations, name, fail, raising=True)
    shown.add(client.get("/authorization/credentials", query_string=query))
    body = {"applicationId": "vtex", "returnUrl": URL}
    shown.add(client.post("/authorization/token", json=body))
    assert 2 == "".join(shown.texts).count("internal-error")
    assert '"error": "RuntimeError"' in shown.log.getvalue()
    assert set() == shown.found([app_token, made.code, SECRET_KEY, "a-session-of-the-admin"])
