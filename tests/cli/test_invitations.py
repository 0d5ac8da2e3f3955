"""`connector merchants invite`, the list of invitations, and the VTEX account of a merchant."""

import json
from datetime import UTC, datetime

import pytest

from tests.cli.shell import SETTINGS, Operator, warnings

INVITATION = ["link", "code", "account", "provider", "expiresAt"]


def invite(operator: Operator, *arguments: str) -> dict[str, str]:
    made: dict[str, str] = operator.json("merchants", "invite", *arguments)
    return made


def test_an_invitation_is_a_link_with_a_code(operator_on_both: Operator) -> None:
    operator_on_both.rig.configure(CONNECTOR_PUBLIC_URL="https://pay.example.com/vtex")
    made = invite(operator_on_both, "--account", "MyStore", "--provider", "tranzzo")
    assert INVITATION == list(made)
    page = "https://pay.example.com/vtex/authorization/invitation"
    assert made["link"] == f"{page}?invitation={made['code']}"
    assert (made["account"], made["provider"], len(made["code"])) == ("mystore", "tranzzo", 43)
    left = datetime.fromisoformat(made["expiresAt"]) - datetime.now(UTC)
    assert 6.99 < left.total_seconds() / 86400 < 7.01


def test_an_invitation_may_be_for_anybody(operator: Operator) -> None:
    made = invite(operator, "--days", "1")
    assert (made["account"], made["provider"]) == (None, None)
    found = operator.rig.connector.signup.invitation(made["code"])
    assert found.fits("any", "tranzzo")


def test_without_a_public_address_the_link_is_of_this_machine(operator: Operator) -> None:
    result = operator.run("merchants", "invite")
    assert "http://127.0.0.1:8080/authorization/invitation?invitation=" in result.stdout
    assert ["CONNECTOR_PUBLIC_URL"] == [line.split()[1] for line in warnings(result)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--account", "my store"), "--account: give the name of a VTEX account"),
        (("--account", ""), "--account: give the name of a VTEX account"),
        (("--account", "https://mystore.myvtex.com"), "--account: give the name"),
        (("--provider", "no-such"), "--provider no-such: not in CONNECTOR_PROVIDERS"),
    ],
)
def test_a_wrong_invitation_is_refused(
    operator: Operator, arguments: tuple[str, ...], message: str
) -> None:
    assert message in operator.fails("merchants", "invite", *arguments)
    assert [] == operator.json("merchants", "invitations")


@pytest.mark.parametrize("days", ["0", "-1", "366", "x"])
def test_an_invitation_ends_within_a_year(operator: Operator, days: str) -> None:
    assert operator.run("merchants", "invite", "--days", days).exit_code == 2


def test_nobody_is_invited_where_nobody_may_connect(operator: Operator) -> None:
    assert "CONNECTOR_SIGNUP" in operator.fails("merchants", "invite", CONNECTOR_SIGNUP="off")


def test_the_list_shows_who_was_invited_and_no_code(operator_on_both: Operator) -> None:
    operator = operator_on_both
    made = [invite(operator), invite(operator, "--account", "mystore", "--provider", "sandbox")]
    result = operator.run("merchants", "invitations", "--json")
    newest, oldest = json.loads(result.stdout)
    assert (newest["account"], newest["provider"], newest["usedAt"]) == ("mystore", "sandbox", None)
    assert (oldest["account"], oldest["merchant"]) == (None, None)
    assert [] == [one["code"] for one in made if one["code"] in result.stdout]


def test_an_invitation_can_be_ended_once(operator_on_both: Operator) -> None:
    operator = operator_on_both
    code = invite(operator)["code"]
    (listed,) = operator.json("merchants", "invitations")
    number = str(listed["invitation"])
    operator.json("merchants", "revoke-invitation", number)
    with pytest.raises(Exception, match="unknown"):
        operator.rig.connector.signup.invitation(code)
    assert "still good" in operator.fails("merchants", "revoke-invitation", number)
    commands = operator.rig.execute("SELECT command FROM admin_events ORDER BY id")
    assert ["invite", "revoke"] == [row.command for row in commands]


# The VTEX account of a merchant.


def test_a_merchant_may_be_given_its_store(operator_on_both: Operator) -> None:
    operator = operator_on_both
    operator.add_tranzzo()
    shown = operator.json("merchants", "show", "shop")
    assert (shown["store"], shown["account"]) == (None, None)
    operator.json("merchants", "update", "shop", "--store", "MyStore")
    shown = operator.json("merchants", "show", "shop")
    assert (shown["store"], shown["account"]) == ("mystore", SETTINGS["pos_id"])
    assert {"store": "mystore"} == shown["events"][0]["options"]


def test_the_account_follows_the_settings(operator_on_both: Operator) -> None:
    operator = operator_on_both
    given = json.dumps(SETTINGS)
    add = ("merchants", "add", "shop", "--provider", "tranzzo", "--settings", "-")
    operator.json(*add, "--store", "mystore", stdin=given)
    operator.json("merchants", "update", "shop", "--settings", "-", stdin='{"pos_id": "pos-2"}')
    shown = operator.json("merchants", "show", "shop")
    assert (shown["store"], shown["account"]) == ("mystore", "pos-2")
    operator.json("merchants", "restore", "shop")
    assert "pos-1" == operator.json("merchants", "show", "shop")["account"]


def test_two_merchants_cannot_have_one_account_in_one_store(operator_on_both: Operator) -> None:
    operator = operator_on_both
    given = json.dumps(SETTINGS)
    add = ("merchants", "add", "--provider", "tranzzo", "--settings", "-", "--store", "mystore")
    operator.json(*add, "shop", stdin=given)
    assert "mystore" in operator.fails(*add, "second", stdin=given)
    other = json.dumps(SETTINGS | {"pos_id": "pos-2"})
    operator.json(*add, "second", stdin=other)
    message = operator.fails("merchants", "update", "second", "--settings", "-", stdin=given)
    assert "shop is already the merchant of this account" in message
    assert "pos-2" == operator.json("merchants", "show", "second")["account"]
    operator.json(
        "merchants",
        "add",
        "third",
        "--provider",
        "tranzzo",
        "--settings",
        "-",
        "--store",
        "other",
        stdin=given,
    )
