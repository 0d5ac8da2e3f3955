"""Who connects which merchant, with which keys, and what VTEX gets."""

from typing import Any

import pytest

from connector.domain import authorization as told
from connector.domain.errors import ConfigurationError, UnknownMerchant
from connector.domain.merchant import CapturedPolicy, SettingsFrom
from connector.signup import asked_settings
from tests.companies.registry import BY_NAME, YANDEX_PAY
from tests.signup.flow import Person, cancel, settings_of

OTHER_STORE = "https://other.myvtex.com/return"


@pytest.mark.usefixtures("at_once")
def test_from_token_to_the_first_cancellation(person: Person, company: Any) -> None:
    made = person.connect(company, invitation=person.invited("mystore"))
    assert (made.is_new, made.is_proven) == (True, True)
    assert made.merchant == f"mystore-{made.provider}"
    pair = person.gateway.pair(made.code)
    assert pair == person.gateway.pair(made.code)
    company.put("P1", BY_NAME[made.provider].cancellables[0].state)
    assert 401 != cancel(person.rig, pair)
    assert 410 == person.gateway.credentials(made.code).status_code
    (entry,) = person.rig.connector.merchants.all()
    assert settings_of(company) == entry.merchant.settings
    assert (entry.merchant.captured, entry.merchant.settings_from, entry.merchant.sandbox) == (
        CapturedPolicy.MANUAL,
        SettingsFrom.CONNECTOR,
        False,
    )


@pytest.mark.usefixtures("at_once")
def test_a_payment_of_the_sandbox_is_really_cancelled(person: Person) -> None:
    made = person.connect(invitation=person.invited())
    assert 200 == cancel(person.rig, person.gateway.pair(made.code))


def test_the_way_back_is_the_flows_own(person: Person) -> None:
    made = person.connect(invitation=person.invited(), return_url=OTHER_STORE)
    assert (made.return_url, made.merchant) == (OTHER_STORE, "other-sandbox")


# Who may connect.


def test_a_first_connection_needs_an_invitation(person: Person, company: Any) -> None:
    with pytest.raises(told.InvitationNeeded):
        person.connect(company)
    assert [] == person.merchants()
    assert [] == company.calls


def test_open_to_all_needs_none(person: Person, tranzzo: Any) -> None:
    person.rig.configure(CONNECTOR_SIGNUP="open")
    person.rig.use(tranzzo)
    assert person.connect(tranzzo).is_new


def test_off_connects_nobody(person: Person) -> None:
    token = person.gateway.begin()
    invitation = person.invited()
    person.rig.configure(CONNECTOR_SIGNUP="off")
    for ask in (
        lambda: person.connect(token=token, invitation=invitation),
        lambda: person.signup.flow(token),
        lambda: person.signup.connected(token),
        lambda: person.signup.invitation(invitation),
    ):
        with pytest.raises(told.SignUpOff):
            ask()


def test_an_invitation_makes_one_merchant(person: Person, tranzzo: Any) -> None:
    invitation = person.invited()
    person.connect(tranzzo, invitation=invitation)
    with pytest.raises(told.InvitationEnded):
        person.connect(tranzzo, invitation=invitation, return_url=OTHER_STORE)
    assert 1 == len(person.merchants())
    (used,) = person.rig.connector.invitations.all()
    assert (used.merchant, used.used_at is None) == ("mystore-tranzzo", False)


@pytest.mark.parametrize("how", ["unknown", "expired", "revoked"])
def test_an_invitation_that_is_not_good_makes_none(person: Person, how: str) -> None:
    invitation = person.invited()
    if how == "expired":
        with person.rig.connector.database.write() as connection:
            connection.run("UPDATE invitations SET expires_at = 1")
    if how == "revoked":
        person.rig.connector.invitations.revoke(1, by="operator")
    given = "x" * 43 if how == "unknown" else invitation
    with pytest.raises(told.InvitationEnded):
        person.connect(invitation=given)
    assert [] == person.merchants()


@pytest.mark.parametrize(("store", "provider"), [("other", None), (None, "tranzzo")])
def test_an_invitation_of_another_is_refused_and_stays_good(
    person: Person, store: str | None, provider: str | None
) -> None:
    invitation = person.invited(store, provider)
    with pytest.raises(told.InvitationOfAnother):
        person.connect(invitation=invitation)
    assert [] == person.merchants()
    assert person.signup.invitation(invitation).used_at is None


def test_to_read_an_invitation_changes_nothing(person: Person) -> None:
    invitation = person.invited("mystore", "sandbox")
    found = {person.signup.invitation(invitation) for _ in range(3)}
    (one,) = found
    assert (one.store, one.provider, one.actor) == ("mystore", "sandbox", "operator")
    assert ["sandbox"] == [offered.name for offered in person.signup.offered(one)]
    assert len(person.signup.offered()) == len(BY_NAME) + 1
    assert person.connect(invitation=invitation).is_new


def test_a_company_that_is_switched_off_is_not_offered(person: Person, tranzzo: Any) -> None:
    person.rig.configure(CONNECTOR_PROVIDERS="sandbox")
    assert ["sandbox"] == [offered.name for offered in person.signup.offered()]
    with pytest.raises(told.ProviderNotOffered):
        person.connect(tranzzo, invitation=person.invited())


# Which keys.


def test_keys_that_the_company_refuses_are_not_stored(person: Person, company: Any) -> None:
    key = BY_NAME[provider_name(company)].credential
    invitation = person.invited()
    with pytest.raises(told.KeysRefused) as caught:
        person.connect(company, invitation=invitation, **{key: wrong(company, key)})
    assert caught.value.word
    assert [] == person.merchants()
    assert [] == [one for one in company.settings.values() if one in caught.value.word]
    # The person may correct the keys in the same flow, with the same invitation.
    assert person.connect(company, invitation=invitation).is_new


def provider_name(company: Any) -> str:
    return next(name for name, entry in BY_NAME.items() if type(company) is entry.stand_in)


def wrong(company: Any, key: str) -> str:
    """Return a key of the right form that the company does not know."""
    value: str = company.settings[key]
    return value[:-1] + ("a" if value[-1] != "a" else "b")


def test_every_fault_of_a_setting_is_named(person: Person, tranzzo: Any) -> None:
    with pytest.raises(told.SettingsFaulty) as caught:
        person.connect(tranzzo, invitation=person.invited(), api_key="", pos_id="a b")
    assert ["api_key", "pos_id"] == sorted(caught.value.faults)
    assert [] == tranzzo.calls


def test_a_company_that_cannot_be_reached_may_be_connected_with_a_warning(
    person: Person, company: Any
) -> None:
    company.inject("reset_before", times=9)
    made = person.connect(company, invitation=person.invited())
    assert (made.is_new, made.is_proven) == (True, False)
    assert 1 == len(person.merchants())


def test_a_company_that_hangs_costs_only_its_own_tries(person: Person, tranzzo: Any) -> None:
    person.rig.configure(CONNECTOR_PROVIDER_SECONDS="0.5", CONNECTOR_ANSWER_SECONDS="1")
    tranzzo.inject("slow_before", seconds=1.0)
    assert not person.connect(tranzzo, invitation=person.invited()).is_proven


def test_where_money_goes_is_no_setting_of_the_pages(person: Person) -> None:
    provider = person.rig.connector.providers["cryptomus"]
    assert "refund_address" not in {setting.key for setting in asked_settings(provider)}
    with BY_NAME["cryptomus"].open() as company:
        person.rig.use(company)
        person.connect(company, invitation=person.invited())
        given = {**settings_of(company), "refund_address": company.settings["merchant_uuid"]}
        with pytest.raises(UnknownMerchant):
            person.rig.connector.merchants.find("refund")
        (entry,) = person.rig.connector.merchants.all()
        assert "refund_address" not in entry.merchant.settings
        assert given.keys() - entry.merchant.settings.keys() == {"refund_address"}


# Connecting again.


def test_connecting_again_finds_the_merchant(person: Person, company: Any) -> None:
    first = person.connect(company, invitation=person.invited())
    first_pair = person.gateway.pair(first.code)
    again = person.connect(company)
    pair = person.gateway.pair(again.code)
    assert (again.merchant, again.is_new, again.is_proven) == (first.merchant, False, True)
    assert (pair[0], pair[1] == first_pair[1]) == (first_pair[0], False)
    assert 1 == len(person.merchants())


@pytest.mark.usefixtures("at_once")
def test_both_tokens_are_live_and_the_payments_stay(person: Person) -> None:
    first = person.gateway.pair(person.connect(invitation=person.invited()).code)
    assert 200 == cancel(person.rig, first, "P1")
    second = person.gateway.pair(person.connect().code)
    for number, pair in enumerate((first, second)):
        assert 200 == cancel(person.rig, pair, f"P2-{number}")
    assert 3 == len(person.rig.execute("SELECT DISTINCT payment_id FROM payments"))
    assert 1 == len(person.rig.execute("SELECT DISTINCT merchant_id FROM payments"))


def test_new_keys_replace_the_stored_keys_and_can_be_undone(person: Person, tranzzo: Any) -> None:
    made = person.connect(tranzzo, invitation=person.invited())
    before = person.merchants()[0].settings
    tranzzo.settings = {**tranzzo.settings, "api_key": "another-key-4711"}
    again = person.connect(tranzzo)
    assert (again.merchant, again.is_new) == (made.merchant, False)
    assert {**before, "api_key": "another-key-4711"} == person.merchants()[0].settings
    stored = person.rig.connector.merchants
    assert before == stored.replaced(made.merchant, None)[1]
    event = next(one for one in stored.detail(made.merchant).events if one.is_undoable)
    assert ("update", "VTEX account mystore") == (event.command, event.actor)
    assert ["api_key"] == list(event.settings)


def test_what_the_person_cannot_give_stays(person: Person) -> None:
    with BY_NAME["cryptomus"].open() as company:
        person.rig.use(company)
        made = person.connect(company, invitation=person.invited())
        stored = person.rig.connector.merchants
        whole = {**stored.find(made.merchant).merchant.settings, "refund_fee": "customer"}
        stored.update(made.merchant, whole)
        person.connect(company)
        assert "customer" == stored.find(made.merchant).merchant.settings["refund_fee"]


def test_another_store_is_a_merchant_of_its_own(person: Person, tranzzo: Any) -> None:
    first = person.connect(tranzzo, invitation=person.invited())
    with pytest.raises(told.InvitationNeeded):
        person.connect(tranzzo, return_url=OTHER_STORE)
    second = person.connect(tranzzo, return_url=OTHER_STORE, invitation=person.invited())
    assert ("mystore-tranzzo", "other-tranzzo") == (first.merchant, second.merchant)
    pairs = {person.gateway.pair(one.code)[0] for one in (first, second)}
    assert 2 == len(pairs)


def test_a_workspace_is_the_same_store(person: Person) -> None:
    first = person.connect(invitation=person.invited())
    second = person.connect(return_url="https://dev--mystore.myvtex.com/admin")
    assert (first.merchant, second.is_new) == (second.merchant, False)


def test_a_merchant_of_a_command_is_found_by_its_store(person: Person, tranzzo: Any) -> None:
    own = person.rig.add(tranzzo)
    person.rig.connector.merchants.update("shop", store="mystore")
    made = person.connect(tranzzo)
    assert ("shop", False) == (made.merchant, made.is_new)
    assert own.app_key == person.gateway.pair(made.code)[0]


def test_without_a_store_it_is_not_found(person: Person, tranzzo: Any) -> None:
    person.rig.add(tranzzo)
    with pytest.raises(told.InvitationNeeded):
        person.connect(tranzzo)


def test_a_disabled_merchant_stays_disabled(person: Person, tranzzo: Any) -> None:
    made = person.connect(tranzzo, invitation=person.invited())
    person.rig.connector.merchants.disable(made.merchant)
    with pytest.raises(told.MerchantDisabled):
        person.connect(tranzzo, invitation=person.invited())
    (entry,) = person.rig.connector.merchants.all()
    assert (entry.is_disabled, 410) == (True, person.gateway.credentials(made.code).status_code)


@pytest.mark.parametrize("change", ["disabled", "new keys"])
def test_what_changes_while_the_keys_are_tried_counts(
    person: Person, tranzzo: Any, change: str
) -> None:
    made = person.connect(tranzzo, invitation=person.invited())
    stored = person.rig.connector.merchants
    other = {**person.merchants()[0].settings, "endpoints_key": "of-a-command-4711"}

    def meanwhile(*_: object) -> None:
        tranzzo.hook = None
        if change == "disabled":
            stored.disable(made.merchant)
        else:
            stored.update(made.merchant, other)

    tranzzo.hook = meanwhile
    if change == "disabled":
        with pytest.raises(told.MerchantDisabled):
            person.connect(tranzzo)
        return
    person.connect(tranzzo)
    # The newer change is this one; the command's can be brought back.
    assert other == stored.replaced(made.merchant, None)[1]


def test_settings_that_no_key_decrypts_are_not_replaced(person: Person, tranzzo: Any) -> None:
    person.connect(tranzzo, invitation=person.invited())
    with person.rig.connector.database.write() as connection:
        connection.run("UPDATE merchants SET settings = 'gAAAA'")
    with pytest.raises(ConfigurationError):
        person.connect(tranzzo)


def test_unproven_keys_do_not_replace_proven_keys(person: Person, tranzzo: Any) -> None:
    person.connect(tranzzo, invitation=person.invited())
    before = person.merchants()
    tranzzo.inject("reset_before", times=9)
    with pytest.raises(told.KeysUnproven):
        person.connect(tranzzo, api_key="another-key-4711")
    assert before == person.merchants()
    # The stored keys, typed again, are no danger.
    assert not person.connect(tranzzo).is_proven


def test_keys_that_the_company_refuses_connect_nobody_again(person: Person, tranzzo: Any) -> None:
    person.connect(tranzzo, invitation=person.invited())
    before = person.merchants()
    with pytest.raises(told.KeysRefused):
        person.connect(tranzzo, api_key="another-key-4711")
    assert before == person.merchants()


def test_a_stranger_cannot_put_keys_of_another_account_in_the_place_of_a_merchants(
    person: Person,
) -> None:
    """Yandex Pay accepts the stranger's key, and no call names the merchant."""
    with YANDEX_PAY.open() as company:
        person.rig.use(company)
        person.connect(company, invitation=person.invited())
        before = person.merchants()
        company.settings = {**company.settings, "api_key": "the-key-of-a-stranger"}
        for mode in ("invite", "open"):
            person.rig.configure(CONNECTOR_SIGNUP=mode)
            with pytest.raises(told.InvitationNeeded):
                person.connect(company)
        assert before == person.merchants()
        person.connect(company, invitation=person.invited("mystore"))
        assert "the-key-of-a-stranger" == person.merchants()[0].settings["api_key"]


# Names.


def test_a_name_that_is_taken_gets_a_number(person: Person) -> None:
    for name in ("mystore-sandbox", "mystore-sandbox-2"):
        person.rig.add(name=name)
    assert "mystore-sandbox-3" == person.connect(invitation=person.invited()).merchant


def test_the_name_is_one_for_commands_and_addresses(person: Person) -> None:
    host = ".".join(["a-very-long-label"] * 6) + ".example.com"
    person.rig.configure(CONNECTOR_RETURN_HOSTS=host)
    url = f"https://{host}/back"
    name = person.connect(invitation=person.invited(), return_url=url).merchant
    assert name.replace("-", "").isalnum()
    assert len(name) <= 64
    assert (host, name) == tuple(person.rig.execute("SELECT store, name FROM merchants")[0])


# Submitting again.


def test_a_second_submit_gives_the_same_pair_with_another_code(
    person: Person, tranzzo: Any
) -> None:
    token = person.gateway.begin()
    first = person.connect(tranzzo, token=token, invitation=person.invited())
    again = person.connect(tranzzo, token=token)
    loaded = person.signup.connected(token)
    assert 3 == len({one.code for one in (first, again, loaded)})
    assert 1 == len({person.gateway.pair(one.code) for one in (first, again, loaded)})
    assert {first.merchant} == {one.merchant for one in (again, loaded)}
    assert 1 == len(person.merchants())


@pytest.mark.usefixtures("at_once")
def test_after_the_first_use_a_flow_is_done(person: Person) -> None:
    token = person.gateway.begin()
    made = person.connect(token=token, invitation=person.invited())
    pair = person.gateway.pair(made.code)
    assert 200 == cancel(person.rig, pair)
    assert 410 == person.gateway.credentials(made.code).status_code
    for ask in (lambda: person.connect(token=token), lambda: person.signup.connected(token)):
        with pytest.raises(told.AuthorizationDone):
            ask()


@pytest.mark.usefixtures("at_once")
def test_a_flow_whose_token_later_flows_ended_is_not_called_done(person: Person) -> None:
    token = person.gateway.begin()
    made = person.connect(token=token, invitation=person.invited())
    for _ in range(2):
        person.connect()
    assert 410 == person.gateway.credentials(made.code).status_code
    with pytest.raises(told.AuthorizationEnded) as ended:
        person.signup.connected(token)
    assert told.AuthorizationEnded is ended.type


def test_a_flow_that_has_ended_connects_nobody(person: Person) -> None:
    token = person.gateway.begin()
    with person.rig.connector.database.write() as connection:
        connection.run("UPDATE authorizations SET expires_at = 1")
    for one in (token, "x" * 43, ""):
        with pytest.raises(told.AuthorizationEnded):
            person.connect(token=one or "none", invitation=person.invited())
    assert [] == person.merchants()


def test_a_flow_tries_a_bounded_number_of_keys(person: Person, tranzzo: Any) -> None:
    token = person.gateway.begin()
    invitation = person.invited()
    refused = []
    for number in range(12):
        try:
            person.connect(
                tranzzo, token=token, invitation=invitation, api_key=f"guess-{number}-4711"
            )
        except Exception as error:  # noqa: BLE001 - the kinds are under test
            refused.append(type(error).__name__)
    assert ["KeysRefused"] * 10 + ["TooManyRequests"] * 2 == refused
    assert person.connect(tranzzo, invitation=invitation).is_new
