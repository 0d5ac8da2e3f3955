"""What the first step of the pages can say before any key is typed."""

import pytest

from connector.domain.authorization import InvitationEnded, InvitationNeeded, InvitationOfAnother
from tests.signup.flow import RETURN_URL, Person

OTHER_STORE = "https://another.myvtex.com/?authorizationCode="


def check(person: Person, code: str = "", return_url: str = RETURN_URL) -> None:
    flow = person.signup.flow(person.gateway.begin(return_url))
    person.signup.check_invitation(flow, "sandbox", code)


def test_only_a_store_that_is_connected_to_the_company_may_come_without_an_invitation(
    person: Person,
) -> None:
    with pytest.raises(InvitationNeeded):
        check(person)
    person.connect(invitation=person.invited())
    check(person)
    with pytest.raises(InvitationNeeded):
        check(person, return_url=OTHER_STORE)


def test_an_invitation_that_is_given_must_be_good(person: Person) -> None:
    check(person, person.invited("mystore", "sandbox"))
    with pytest.raises(InvitationEnded):
        check(person, "x")
    for store, provider in (("another", None), (None, "tranzzo")):
        with pytest.raises(InvitationOfAnother):
            check(person, person.invited(store, provider))


def test_the_name_of_the_next_merchant_is_known_before_it_connects(person: Person) -> None:
    for name in ("mystore-sandbox", "mystore-sandbox-2"):
        flow = person.signup.flow(person.gateway.begin())
        assert name == person.signup.next_name(flow, "sandbox")
        person.rig.add(name=name)
