"""The two endpoints that VTEX's gateway calls, as a client meets them."""

import json
from typing import Any

import pytest

from connector.peers import Quota
from connector.vtex.authorization import endpoints
from tests.rig import Rig
from tests.signup.flow import RETURN_URL, Gateway, Person
from tests.vtex.openapi import OURS, VTEX_CONTRACT, answer_of, faults

TOKEN, CREDENTIALS = "/authorization/token", "/authorization/credentials"
FAILURE = ["status", "code", "message"]
BODY = {"applicationId": "vtex", "returnUrl": RETURN_URL}


@pytest.fixture
def person(rig: Rig) -> Person:
    """A person on SQLite: the other tests of this folder use both databases."""
    return Person(rig)


def contracts() -> list[Any]:
    return [one for one in (OURS, VTEX_CONTRACT) if one]


def test_a_token_is_as_both_contracts_say(gateway: Gateway) -> None:
    answer = gateway.token()
    assert (200, ["applicationId", "token"]) == (answer.status_code, list(answer.get_json()))
    assert ("vtex", 43) == (answer.get_json()["applicationId"], len(answer.get_json()["token"]))
    for contract in contracts():
        assert [] == faults(contract, answer_of(contract, TOKEN, 200), answer.get_json())
    assert "application/json" == answer.content_type


def test_the_pair_is_as_both_contracts_say(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    answer = person.gateway.credentials(made.code)
    fields = ["applicationId", "appKey", "appToken"]
    assert (200, fields) == (answer.status_code, list(answer.get_json()))
    for contract in contracts():
        described = answer_of(contract, CREDENTIALS, 200, "get")
        assert [] == faults(contract, described, answer.get_json())


@pytest.mark.parametrize("application", ["vtex", "other", "é", "x" * 256])
def test_the_application_is_echoed(person: Person, application: str) -> None:
    client = person.rig.client
    answer = client.post(TOKEN, json={**BODY, "applicationId": application})
    assert application == answer.get_json()["applicationId"]
    code = person.connect(invitation=person.invited()).code
    query = {"applicationId": application, "authorizationCode": code}
    assert application == client.get(CREDENTIALS, query_string=query).get_json()["applicationId"]


@pytest.mark.parametrize("family", ["VTEX", "PROVIDER"])
@pytest.mark.parametrize("keys", [("", ""), ("wrong", "wrong"), ("{{appKey}}", "{{appToken}}")])
def test_keys_in_the_request_are_ignored(
    person: Person, family: str, keys: tuple[str, str]
) -> None:
    names = (f"X-{family}-API-AppKey", f"X-{family}-API-AppToken")
    headers = dict(zip(names, keys, strict=True)) | {"X-VTEX-API-Is-TestSuite": "true"}
    assert 200 == person.rig.client.post(TOKEN, json=BODY, headers=headers).status_code
    query = {
        "applicationId": "vtex",
        "authorizationCode": person.connect(invitation=person.invited()).code,
    }
    answer = person.rig.client.get(CREDENTIALS, query_string=query, headers=headers)
    assert 200 == answer.status_code


def test_each_token_is_another(gateway: Gateway) -> None:
    assert 20 == len({gateway.begin() for _ in range(20)})


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "applicationId"),
        ({**BODY, "applicationId": ""}, "applicationId"),
        ({**BODY, "applicationId": 7}, "applicationId"),
        ({**BODY, "applicationId": "x" * 257}, "applicationId"),
        ({"applicationId": "vtex"}, "returnUrl"),
        ({**BODY, "returnUrl": "http://mystore.myvtex.com/"}, "returnUrl"),
        ({**BODY, "returnUrl": "https://evil.example/"}, "returnUrl"),
        ({**BODY, "returnUrl": "https://user@mystore.myvtex.com/"}, "returnUrl"),
        ({**BODY, "returnUrl": RETURN_URL + "x" * 2048}, "returnUrl"),
        ({**BODY, "returnUrl": {"url": RETURN_URL}}, "returnUrl"),
    ],
)
def test_a_wrong_body_is_refused_and_the_field_is_named(
    rig: Rig, body: dict[str, Any], named: str
) -> None:
    answer = rig.client.post(TOKEN, json=body)
    assert (400, FAILURE) == (answer.status_code, list(answer.get_json()))
    assert answer.get_json()["code"] == "invalid-request"
    assert answer.get_json()["message"].startswith(f"{named}: ")
    assert [] == faults(OURS, answer_of(OURS, TOKEN, 400), answer.get_json())
    assert [] == rig.execute("SELECT * FROM authorizations")


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"applicationId"', "application/json", 400),
        (b"[" * 10_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (json.dumps(BODY).encode(), "text/plain", 415),
        (json.dumps(BODY | {"x": "x" * 16 * 1024}).encode(), "application/json", 413),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(
    rig: Rig, content: bytes, content_type: str, status: int
) -> None:
    answer = rig.client.post(TOKEN, data=content, content_type=content_type)
    assert (status, FAILURE) == (answer.status_code, list(answer.get_json()))
    assert [] == faults(OURS, answer_of(OURS, TOKEN, status), answer.get_json())
    assert [] == rig.execute("SELECT * FROM authorizations")


def test_other_members_are_ignored(rig: Rig) -> None:
    answer = rig.client.post(TOKEN, json={**BODY, "store": "other", "token": "mine"})
    assert (200, "vtex") == (answer.status_code, answer.get_json()["applicationId"])
    assert [("mystore",)] == rig.execute("SELECT store FROM authorizations")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 400),
        ({"applicationId": "vtex"}, 400),
        ({"applicationId": "vtex", "authorizationCode": ""}, 400),
        ({"applicationId": "vtex", "authorizationCode": "x" * 257}, 400),
        ({"authorizationCode": "x"}, 400),
        ({"applicationId": "vtex", "authorizationCode": "x"}, 410),
        ({"applicationId": "vtex", "authorizationCode": "\x00"}, 410),
        ({"applicationId": "vtex", "authorizationCode": "é' OR 1=1 --"}, 410),
    ],
)
def test_a_wrong_code_gets_nothing(rig: Rig, query: dict[str, str], status: int) -> None:
    answer = rig.client.get(CREDENTIALS, query_string=query)
    assert (status, FAILURE) == (answer.status_code, list(answer.get_json()))
    described = answer_of(OURS, CREDENTIALS, status, "get")
    assert [] == faults(OURS, described, answer.get_json())


def test_nobody_can_tell_an_unknown_code_from_one_that_has_ended(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    person.rig.execute("UPDATE authorization_codes SET expires_at = 1")
    ended, unknown = (person.gateway.credentials(code) for code in (made.code, "x" * 43))
    assert (410, ended.data) == (unknown.status_code, unknown.data)
    assert ended.status_code == unknown.status_code
    assert dict(ended.headers) == dict(unknown.headers)


def test_a_token_is_no_code_and_a_code_is_no_token(person: Person) -> None:
    token = person.gateway.begin()
    made = person.connect(token=token, invitation=person.invited())
    assert 410 == person.gateway.credentials(token).status_code
    with pytest.raises(Exception, match="unknown or has ended"):
        person.signup.flow(made.code)


@pytest.mark.parametrize("path", [TOKEN, CREDENTIALS])
def test_a_wrong_method_is_refused(rig: Rig, path: str) -> None:
    method = "GET" if path == TOKEN else "POST"
    answer = rig.client.open(path, method=method)
    assert (405, FAILURE) == (answer.status_code, list(answer.get_json()))


def test_off_begins_no_flow_and_still_gives_what_was_connected(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    person.rig.configure(CONNECTOR_SIGNUP="off")
    answer = person.gateway.token()
    assert (403, "signup-off") == (answer.status_code, answer.get_json()["code"])
    assert [] == faults(OURS, answer_of(OURS, TOKEN, 403), answer.get_json())
    assert 200 == person.gateway.credentials(made.code).status_code


# Floods.


@pytest.mark.parametrize("path", [TOKEN, CREDENTIALS])
def test_a_flood_is_told_when_to_come_again_and_harms_nobody_else(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(endpoints, "BURST", 5)
    gateway = Gateway(rig)

    def ask(peer: str) -> Any:
        return gateway.token(peer=peer) if path == TOKEN else gateway.credentials("x", peer=peer)

    statuses = [ask("192.0.2.1").status_code for _ in range(8)]
    assert [429] * 3 == statuses[5:]
    refused = ask("192.0.2.1")
    assert (FAILURE, "1") == (list(refused.get_json()), refused.headers["Retry-After"])
    assert "too-many-requests" == refused.get_json()["code"]
    method = "post" if path == TOKEN else "get"
    described = answer_of(OURS, path, 429, method)
    assert [] == faults(OURS, described, refused.get_json())
    assert statuses[0] == ask("192.0.2.2").status_code


def test_vtexs_gateway_may_call_often() -> None:
    quota = Quota(endpoints.BURST, endpoints.REFILL_SECONDS)
    for _ in range(100):
        quota.take("192.0.2.1")


def test_an_answer_is_logged_without_its_values(
    person: Person, log_lines: list[dict[str, Any]]
) -> None:
    token = person.gateway.begin()
    made = person.connect(token=token, invitation=person.invited())
    pair = person.gateway.pair(made.code)
    person.gateway.credentials("x" * 43)
    told = [
        (line["operation"], line["http_status"], line.get("reason"))
        for line in log_lines
        if line["event"] == "answer"
    ]
    assert told == [
        ("authorization token", 200, None),
        ("authorization credentials", 200, None),
        ("authorization credentials", 410, "AuthorizationEnded"),
    ]
    text = json.dumps(log_lines)
    assert [] == [one for one in (token, made.code, *pair, RETURN_URL) if one in text]
