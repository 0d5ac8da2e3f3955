"""Whoever began a flow knows its token, but only the browser that connected it gets a code."""

import pytest

from connector.domain.authorization import AuthorizationElsewhere
from connector.signup import Submission
from tests.signup.flow import Person


def test_only_the_browser_that_connected_a_flow_gets_a_code(person: Person) -> None:
    token = person.gateway.begin()
    made = Submission(token, "sandbox", {}, person.invited(), browser="the merchant's")
    code = person.signup.connect(made).code
    again = person.signup.connected(token, "the merchant's").code
    assert person.gateway.pair(code) == person.gateway.pair(again)
    for browser in ("", "another"):
        with pytest.raises(AuthorizationElsewhere):
            person.signup.connected(token, browser)
        with pytest.raises(AuthorizationElsewhere):
            person.signup.connect(Submission(token, "sandbox", {}, person.invited(), browser))


def test_a_flow_that_is_not_connected_has_no_code_for_anybody(person: Person) -> None:
    with pytest.raises(AuthorizationElsewhere):
        person.signup.connected(person.gateway.begin(), "")
