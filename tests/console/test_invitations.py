"""Inviting a merchant in the console."""

import re
from typing import Any

import pytest

from connector.domain.authorization import Invitation
from tests.console.people import Person, sign_in
from tests.console.test_merchants import field_of
from tests.console.test_overview import text_of
from tests.rig import Rig

PAGE = "/console/invitations"


def invitations(rig: Rig) -> list[Invitation]:
    return rig.connector.invitations.all()


def send(person: Person, **fields: Any) -> Any:
    known = {"newest": field_of(person.get(PAGE).text, "newest"), "company": "", "days": 7}
    return person.post(PAGE, page=PAGE, **known | fields)


def test_an_invitation_is_shown_once_with_its_link(desk: Rig, operator: Person) -> None:
    desk.configure(CONNECTOR_PUBLIC_URL="https://pay.example.com/p")
    operator = sign_in(desk)
    answer = send(operator, store=" MyStore ", company="tranzzo", days=3)
    code = field_of(answer.text, "code")
    link = f"https://pay.example.com/p/authorization/invitation?invitation={code}"
    assert (200, link) == (answer.status_code, field_of(answer.text, "link"))
    assert "no-store" == answer.headers["Cache-Control"]
    assert "CONNECTOR_PUBLIC_URL" not in answer.text
    made = desk.connector.invitations.find(code)
    assert ("mystore", "tranzzo", "console: Olga") == (made.store, made.provider, made.actor)
    assert 3 * 86400 == pytest.approx(made.expires_at - made.created_at, abs=1)
    page = operator.get(PAGE).text
    assert code not in page
    assert "mystore Tranzzo still good until" in text_of(page)


def test_the_link_has_the_address_of_the_page_if_there_is_no_other(
    desk: Rig, operator: Person
) -> None:
    answer = send(operator)
    assert field_of(answer.text, "link").startswith("http://localhost/authorization/invitation?")
    assert "CONNECTOR_PUBLIC_URL is not set" in answer.text
    (made,) = invitations(desk)
    assert (None, None) == (made.store, made.provider)


def test_reloading_the_answer_makes_no_other_invitation(desk: Rig, operator: Person) -> None:
    newest = field_of(operator.get(PAGE).text, "newest")
    assert 200 == send(operator, newest=newest).status_code
    again = send(operator, newest=newest)
    assert 409 == again.status_code
    assert "this form was used already" in again.text
    assert 1 == len(invitations(desk))
    assert 200 == send(operator, newest=field_of(again.text, "newest")).status_code


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"store": "my store"}, "store-fault"),
        ({"store": "\0"}, "store-fault"),
        ({"company": "nobody"}, "company-fault"),
        ({"days": 0}, "days-fault"),
        ({"days": 366}, "days-fault"),
        ({"days": ""}, "days-fault"),
        ({"days": "x"}, "days-fault"),
    ],
)
def test_a_fault_is_named_beside_its_field(
    desk: Rig, operator: Person, fields: dict[str, object], fault: str
) -> None:
    answer = send(operator, **fields)
    assert 400 == answer.status_code
    assert f'id="{fault}"' in answer.text
    assert [] == invitations(desk)


def test_an_invitation_is_revoked(desk: Rig, operator: Person) -> None:
    send(operator)
    (made,) = invitations(desk)
    for _ in range(2):
        answer = operator.post(f"{PAGE}/{made.id}/revoke", page=PAGE)
        assert (303, PAGE) == (answer.status_code, answer.location)
    assert "has ended" in text_of(operator.get(PAGE).text)
    assert "/revoke" not in operator.get(PAGE).text
    actors = desk.execute("SELECT actor, command FROM admin_events ORDER BY id")
    assert [("console: Olga", "invite"), ("console: Olga", "revoke")] == actors[-2:]


def test_nobody_invites_while_signing_up_is_off(desk: Rig) -> None:
    desk.configure(CONNECTOR_SIGNUP="off")
    operator = sign_in(desk)
    page = operator.get(PAGE).text
    assert "CONNECTOR_SIGNUP is off" in page
    assert not re.search(r'name="store"', page)


def test_a_merchants_person_cannot_invite(desk: Rig) -> None:
    desk.add(name="shop")
    desk.connector.invitations.add(None, None, 7, "somebody")
    owner = sign_in(desk, "Petra", "shop")
    assert 404 == owner.get(PAGE).status_code
    shop = "/console/merchants/shop"
    assert 404 == owner.post(PAGE, page=shop, newest=1, days=7).status_code
    assert 404 == owner.post(f"{PAGE}/1/revoke", page=shop).status_code
    (made,) = invitations(desk)
    assert made.expires_at > made.created_at + 6 * 86400


@pytest.mark.parametrize("number", ["0", "99999999999999999999", "x"])
def test_a_number_of_no_invitation_changes_nothing(operator: Person, number: str) -> None:
    answer = operator.post(f"{PAGE}/{number}/revoke", page=PAGE)
    assert answer.status_code in {303, 404}
