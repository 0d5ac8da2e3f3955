"""The rehearsal of the configuration flow, against a stand-in that is right or wrong in one way."""

from collections.abc import Iterator
from typing import Any

import pytest

from connector.rehearsal.authorization_cases import FLOW
from connector.rehearsal.client import Keys
from connector.rehearsal.html_page import read_page
from connector.rehearsal.player import Applicant, Stage, Times
from connector.rehearsal.report import lines, row, summary
from connector.rehearsal.run import Result, rehearse
from connector.rehearsal.sink import Sink
from tests.rehearsed_flow import INVITATION, RehearsedFlow

pytestmark = pytest.mark.slow

INVITED = Applicant(invitation=INVITATION)
NAMES = [case.name for case in FLOW]


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as found:
        yield found


def play(
    connector: RehearsedFlow, sink: Sink, *names: str, applicant: Applicant = INVITED
) -> list[Result]:
    stage = Stage(connector.url, sink, times=Times(live=0.3), applicant=applicant)
    return list(rehearse(stage, [], names or NAMES))


def fault_of(connector: RehearsedFlow, sink: Sink, name: str, **values: Any) -> str:
    (result,) = play(connector, sink, name, **values)
    assert (result.case, result.skipped) == (name, "")
    return result.fault


def test_a_connector_with_the_flow_passes(sink: Sink) -> None:
    with RehearsedFlow() as connector:
        results = play(connector, sink)
    assert NAMES == [result.case for result in results]
    assert [("", "")] * len(NAMES) == [(one.fault, one.skipped) for one in results]


DEFECTS = [
    ("echoes nothing", "authorization", "applicationId is 'other', not 'vtex'"),
    ("names no account", "authorization", "does not name the VTEX account rehearsal"),
    ("has two forms", "authorization", "the page has 2 forms, not 1"),
    ("sends by get", "authorization", "sent by get, not by post"),
    ("sends the form elsewhere", "authorization", "not to the page's own address"),
    ("never ends", "authorization", "no way back to VTEX after 12 pages"),
    ("forgets the code", "authorization", "the way back has no authorizationCode"),
    ("links elsewhere", "authorization", "lead to two addresses"),
    ("tells where it was", "authorization", "Referrer-Policy is ''"),
    ("answers in text", "authorization", "no page"),
    ("gives the pair once", "authorization", "HTTP status 410, not 200"),
    ("gives dead keys", "authorization", "not live"),
    ("keeps the pair", "authorization", "HTTP status 200, not 400"),
    ("forgets the store", "authorization-again", "gave another AppKey"),
    ("gives one token", "authorization-again", "the same AppToken"),
    ("ends the old token", "authorization-again", "not live"),
    ("appends the code", "authorization-return", "the way back is"),
    ("escapes anew", "authorization-return", "the way back is"),
    ("trusts every address", "authorization-foreign", "HTTP status 200, not 400 or 422"),
    ("shows an ended flow", "authorization-ended", "HTTP status 200, not 410"),
    ("hides an end", "authorization-ended", "HTTP status 200, not 410"),
    ("knows every code", "authorization-ended", "HTTP status 200, not 400"),
    ("speaks English", "authorization-languages", "lang is 'en', not 'ru'"),
    ("forgets the language", "authorization-languages", "lang is 'en', not 'ru'"),
    ("translates nothing", "authorization-languages", "the same text in two languages"),
    ("names no fault", "authorization-faults", "the page names no fault"),
    ("names an unknown field", "authorization-faults", "a fault of tick"),
    ("believes every form", "authorization-forged", "HTTP status 409, not 400 or 403"),
]


@pytest.mark.parametrize(("defect", "case", "fault"), DEFECTS)
def test_a_wrong_flow_fails(sink: Sink, defect: str, case: str, fault: str) -> None:
    with RehearsedFlow(defect) as connector:
        assert fault in fault_of(connector, sink, case)


def test_every_case_can_fail() -> None:
    assert {case for _, case, _ in DEFECTS} == set(NAMES)


@pytest.mark.parametrize(("defect", "status"), [("has no flow", 404), ("is off", 403)])
def test_a_connector_without_the_flow_fails_only_if_the_flow_is_asked_for(
    sink: Sink, defect: str, status: int
) -> None:
    reason = f"the flow is not offered: POST /authorization/token answers {status}"
    with RehearsedFlow(defect) as connector:
        assert reason == fault_of(connector, sink, "authorization")
        results = list(rehearse(Stage(connector.url, sink), [], []))
    of_flow = [result for result in results if result.case in NAMES]
    assert [(True, reason)] * len(NAMES) == [(one.is_success, one.skipped) for one in of_flow]
    assert "8 not played" in summary(results)
    assert ["skipped", "authorization"] == lines(of_flow[0], Keys())[0].split()[:2]
    assert reason in lines(of_flow[0], Keys())[1]
    assert (reason, False) == (
        row(of_flow[0], Keys())["skipped"],
        row(of_flow[0], Keys())["success"],
    )


@pytest.mark.parametrize(
    ("applicant", "fault"),
    [
        (Applicant(), "the flow needs an invitation: give --invitation"),
        (Applicant(invitation="another"), "the page refuses invitation: An invitation is needed"),
        (Applicant(provider="tranzzo"), "the page offers sandbox, acme: give --provider"),
    ],
)
def test_what_a_merchant_lacks_is_named(sink: Sink, applicant: Applicant, fault: str) -> None:
    with RehearsedFlow() as connector:
        assert fault in fault_of(connector, sink, "authorization", applicant=applicant)


def test_keys_that_the_company_refuses_are_named_with_the_pages_words(sink: Sink) -> None:
    applicant = Applicant(provider="acme", settings={"api_key": "wrong"}, invitation=INVITATION)
    with RehearsedFlow() as connector:
        fault = fault_of(connector, sink, "authorization", applicant=applicant)
    assert fault == "the page refuses api_key: The company refuses it"


def test_the_report_shows_no_secret_of_a_merchant(sink: Sink) -> None:
    settings = {"api_key": "a-long-secret"}
    applicant = Applicant(provider="acme", settings=settings, invitation=INVITATION)
    for defect in ("keeps the pair", "appends the code", "tells where it was", "gives dead keys"):
        with RehearsedFlow(defect) as connector:
            results = play(connector, sink, applicant=applicant)
            shown = "\n".join(str(row(result, Keys())) for result in results)
            flows, pairs = connector.flows, connector.codes
        assert "exchange': {" in shown
        secrets = [INVITATION, *settings.values(), *flows, *pairs]
        secrets += [token for pair in pairs.values() for token in pair.values()]
        assert [] == [secret for secret in secrets if secret in shown]


def test_the_flow_is_played_only_if_no_method_is_named(sink: Sink) -> None:
    with RehearsedFlow() as connector:
        stage = Stage(connector.url, sink, applicant=INVITED)
        played = {result.case for result in rehearse(stage, ["Visa"], [])}
    assert "approved" in played
    assert not played & set(NAMES)


def test_a_page_is_read_as_a_browser_reads_it() -> None:
    page = read_page("""
        <!doctype html><html lang=ru><title> A <!-- no --> title </title><style>p {}</style>
        <meta http-equiv=Refresh content="5; URL='https://a.example/?b=1&amp;c=2'">
        <input name="outside"><form method=POST action="?a=1&amp;b=2">
        <input type=hidden name=proof value="&quot;x&quot;"><input name=text><input>
        <input type=checkbox name=agree><input type=radio name=way value=1>
        <input type=radio name=way value=2 checked><select name=one><option value=a>A
        <option value=b selected>B</select><option value=c><textarea name=long>1
2</textarea><button name=go value=y>Go</button></form>
        <p id="text-fault">Too <b>long</b></p> and <a id=return href=/back>back</a>""")
    assert ("ru", "A title") == (page.language, page.title)
    assert ("https://a.example/?b=1&c=2", "/back") == (page.refresh, page.way_back)
    assert {"text": "Too long"} == page.faults
    assert "p {}" not in page.text
    (form,) = page.forms
    assert ("?a=1&b=2", "post") == (form.action, form.method)
    values = {name: field.value for name, field in form.fields.items()}
    assert values == {
        "proof": '"x"',
        "text": "",
        "agree": "",
        "way": "2",
        "one": "b",
        "long": "1\n2",
    }
    assert (["on"], ["1", "2"], ["a", "b"]) == tuple(
        form.fields[name].choices for name in ("agree", "way", "one")
    )
