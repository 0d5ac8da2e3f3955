"""What a merchant sees and is told, step by step."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from connector.pages.languages import LANGUAGES
from tests.companies.registry import ANY, BY_NAME, COMPANIES, CompanyEntry
from tests.rig import Rig, Served
from tests.vtex.authorization.merchant import Merchant, begin, credentials, invited, typed

pytestmark = pytest.mark.slow

NEEDED = "A first connection needs an invitation."
NEEDED_FOR_NEW_KEYS = "A first connection needs an invitation, and so do new keys"
OF_ANOTHER = "This invitation is for another VTEX account, or for another company."
ENDED = "This invitation is unknown, was used, or has ended."
FILL_IN = "Please fill in this field."
WARNING = "Go on only if you yourself pressed"
COMPANY = ANY.name


@pytest.fixture
def company(companies: dict[str, Any]) -> Any:
    """Any company that has secrets, and nothing wrong with it."""
    company = companies[COMPANY]
    yield company
    company.show()


def merchants_of(rig: Rig, store: str) -> list[str]:
    rows = rig.execute("SELECT name FROM merchants WHERE store = :store", store=store)
    return [row.name for row in rows]


def token_of(server: Served, store: str) -> str:
    return begin(server, f"https://{store}.myvtex.com/?authorizationCode=")


# Which store asks.


def test_every_step_says_in_large_letters_which_vtex_account_asks(
    flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    large = '<p class="store"><bdi>mystore</bdi></p>'
    merchant.start()
    assert merchant.answer.text.index(large) < merchant.answer.text.index("<form")
    assert merchant.answer.text.index(WARNING) < merchant.answer.text.index("<form")
    merchant.choose(COMPANY, invited(flow_rig))
    assert merchant.answer.text.index(large) < merchant.answer.text.index("<form")
    assert WARNING in merchant.answer.text
    assert large in merchant.give(typed(company)).answer.text


def test_the_whole_host_is_the_name_of_a_store_in_the_operators_own_domain(
    flow_rig: Rig,
) -> None:
    with Served(flow_rig, threads=4, CONNECTOR_RETURN_HOSTS="admin.shop.example.com") as server:
        shown = Merchant(server).start(begin(server, "https://admin.shop.example.com/x"))
        assert '<p class="store"><bdi>admin.shop.example.com</bdi></p>' in shown.answer.text


@pytest.mark.parametrize("token", ["x", "A" * 43, "\0", "é" * 500, "' OR 1=1 --"])
def test_an_unknown_token_leads_nowhere(merchant: Merchant, token: str) -> None:
    leads_nowhere(merchant.start(token))


def test_no_token_leads_nowhere(merchant: Merchant) -> None:
    leads_nowhere(merchant.open("/authorization/redirect?applicationId=vtex"))


def test_an_ended_token_leads_nowhere(flow_rig: Rig, merchant: Merchant, company: Any) -> None:
    merchant.choose(COMPANY, invited(flow_rig))
    flow_rig.execute("UPDATE authorizations SET expires_at = 1 WHERE merchant_id IS NULL")
    leads_nowhere(merchant.give(typed(company)))


def leads_nowhere(merchant: Merchant) -> None:
    assert 410 == merchant.answer.status_code
    assert "Start again in VTEX&#39;s Admin" in merchant.answer.text
    assert (None, None) == (merchant.page.refresh, merchant.page.way_back)
    assert [] == merchant.page.forms


# The first step: a company and an invitation.


def test_a_company_must_be_chosen(merchant: Merchant) -> None:
    assert {"provider": "Choose a company."} == merchant.start().send().faults
    assert merchant.send({"provider": "nobody"}).faults


@pytest.mark.parametrize("made_up", ["x", "A" * 43, "<script>", "\0"])
def test_a_wrong_invitation_is_named_beside_its_field_and_stays(
    merchant: Merchant, made_up: str
) -> None:
    merchant.start().send({"provider": COMPANY, "invitation": f" {made_up} "})
    assert merchant.faults["invitation"].startswith(ENDED)
    assert merchant.filled() | {"provider": COMPANY, "invitation": made_up} == merchant.filled()
    assert "<script" not in merchant.answer.text


def test_a_first_connection_without_an_invitation_is_told_at_once(
    server: Served, merchant: Merchant
) -> None:
    merchant.start(token_of(server, "nobody-yet")).send({"provider": COMPANY})
    assert merchant.faults["invitation"].startswith(NEEDED)


def test_an_invitation_for_another_store_or_company_is_refused(
    flow_rig: Rig, merchant: Merchant
) -> None:
    other, *_ = [name for name in BY_NAME if name != COMPANY]
    for code in (invited(flow_rig, "another"), invited(flow_rig, None, other)):
        merchant.start().send({"provider": COMPANY, "invitation": code})
        assert {"invitation": OF_ANOTHER} == merchant.faults


def test_an_invitation_for_a_company_leaves_no_other_choice(
    flow_rig: Rig, merchant: Merchant
) -> None:
    code = invited(flow_rig, None, COMPANY)
    merchant.open(f"/authorization/invitation?invitation={code}")
    assert [COMPANY] == merchant.start().fields["provider"].choices
    assert "agree" in merchant.send().fields


def test_the_link_of_an_invitation_may_be_given_in_place_of_its_code(
    flow_rig: Rig, merchant: Merchant
) -> None:
    link = f"https://pay.example.com/authorization/invitation?invitation={invited(flow_rig)}"
    assert "agree" in merchant.start().send({"provider": COMPANY, "invitation": link}).fields


def test_an_open_connector_asks_for_no_invitation(flow_rig: Rig, company: Any) -> None:
    with Served(flow_rig, threads=4, CONNECTOR_SIGNUP="open") as server:
        merchant = Merchant(server).start(token_of(server, "open"))
        assert "invitation" not in merchant.fields
        merchant.send({"provider": COMPANY}).give(typed(company))
        assert 200 == credentials(server, merchant.code).status_code


def test_a_connector_where_nobody_may_connect_says_so(flow_rig: Rig, server: Served) -> None:
    token, code = begin(server), invited(flow_rig)
    with Served(flow_rig, threads=4, CONNECTOR_SIGNUP="off") as closed:
        for merchant in (
            Merchant(closed).start(token),
            Merchant(closed).open(f"/authorization/invitation?invitation={code}"),
        ):
            assert 403 == merchant.answer.status_code
            assert "cannot be connected here" in merchant.answer.text


# The second step: the company's keys.


def test_a_setting_that_says_where_money_goes_is_not_asked_for(
    flow_rig: Rig, merchant: Merchant
) -> None:
    merchant.choose("cryptomus", invited(flow_rig))
    assert "payment_key" in merchant.fields
    assert "refund_address" not in merchant.fields
    given = {"merchant_uuid": "", "payment_key": "", "refund_address": "T" * 34}
    assert "refund_address" not in merchant.send(given).faults


def test_every_fault_is_named_beside_its_field_and_what_was_typed_stays(
    flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    merchant.choose(COMPANY, invited(flow_rig))
    given = typed(company, pos_id="two words", api_key="short-secret", api_secret="")
    merchant.send(given)
    assert {"pos_id", "api_secret", "agree"} == set(merchant.faults)
    assert FILL_IN == merchant.faults["api_secret"]
    assert merchant.faults["pos_id"].startswith("Only Latin letters")
    assert "two words" == merchant.filled()["pos_id"]
    assert {"", *merchant.filled()} == {"", *merchant.fields} - {"agree"}
    for secret in (given["api_key"], given["endpoints_key"]):
        assert secret not in merchant.answer.text


def test_secrets_are_password_fields_that_no_browser_fills_in(
    flow_rig: Rig, merchant: Merchant
) -> None:
    text = merchant.choose(COMPANY, invited(flow_rig)).answer.text
    for name in ("api_key", "api_secret", "endpoints_key"):
        (field,) = re.findall(rf"<input [^>]*name=\"{name}\"[^>]*>", text)
        assert 'type="password"' in field
        assert 'autocomplete="off"' in field
        assert 'value=""' in field


def test_keys_that_the_company_refuses_are_told_with_its_word_and_where_the_right_ones_stand(
    flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    code = invited(flow_rig, "refused")
    merchant.choose(COMPANY, code, token_of(merchant.server, "refused"))
    wrong = typed(company, api_key="wrong-api-key-0123456789")
    merchant.give(wrong)
    assert {"api_key", "api_secret", "endpoints_key"} == set(merchant.faults)
    assert "Its answer: S-404." in merchant.page.text
    assert "gives each project four values" in merchant.page.text
    secrets = [wrong[key] for key in ("api_key", "api_secret", "endpoints_key")]
    assert not [secret for secret in secrets if secret in merchant.answer.text]
    assert [] == merchants_of(flow_rig, "refused")
    merchant.give(typed(company))
    assert ["refused-tranzzo"] == merchants_of(flow_rig, "refused")


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_every_company_has_a_word_for_wrong_keys(
    flow_rig: Rig, merchant: Merchant, companies: dict[str, Any], entry: CompanyEntry
) -> None:
    given = typed(companies[entry.name])
    wrong = given[entry.credential][::-1]
    merchant.choose(entry.name, invited(flow_rig)).give({**given, entry.credential: wrong})
    assert "Its answer: " in merchant.page.text
    assert "HTTP 40" not in merchant.page.text


def test_a_company_that_cannot_be_reached_is_saved_with_a_warning(
    flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    company.inject("reset_before", times=100)
    token = token_of(merchant.server, "unreached")
    merchant.connect(company, invited(flow_rig, "unreached"), token)
    for _ in range(2):
        assert "saved but not tried" in merchant.answer.text
        assert '"30; url=' in merchant.answer.text
        assert 200 == credentials(merchant.server, merchant.code).status_code
        merchant.start(token)


def test_keys_of_a_merchant_that_exists_are_not_replaced_untried(
    server: Served, flow_rig: Rig, company: Any
) -> None:
    first = Merchant(server).connect(
        company, invited(flow_rig, "renewed"), token_of(server, "renewed")
    )
    assert first.code
    company.inject("reset_before", times=100)
    second = Merchant(server).choose(COMPANY, "", token_of(server, "renewed"))
    second.give(typed(company, api_key="another-api-key-0123456789"))
    assert "the new keys could not be tried" in second.answer.text
    assert second.page.refresh is None
    company.show()
    assert second.give(typed(company)).code


def test_an_invitation_that_was_used_meanwhile_can_be_replaced(
    server: Served, flow_rig: Rig, company: Any
) -> None:
    code = invited(flow_rig, None)
    slow = Merchant(server).choose(COMPANY, code, token_of(server, "slow"))
    Merchant(server).connect(company, code, token_of(server, "quick"))
    slow.give(typed(company))
    assert slow.faults["invitation"].startswith(ENDED)
    assert "text" == slow.fields["invitation"].kind
    slow.send({**typed(company), "agree": "y", "invitation": invited(flow_rig, "slow")})
    assert ["slow-tranzzo"] == merchants_of(flow_rig, "slow")


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_new_keys_that_do_not_show_whose_they_are_need_an_invitation(
    server: Served, flow_rig: Rig, companies: dict[str, Any], entry: CompanyEntry
) -> None:
    company, store = companies[entry.name], f"new-keys-{entry.name}".replace("_", "-")
    Merchant(server).connect(company, invited(flow_rig, store), token_of(server, store))
    again = Merchant(server).choose(entry.name, "", token_of(server, store))
    given = typed(company)
    again.give({**given, entry.credential: given[entry.credential][::-1]})
    if flow_rig.connector.providers[entry.name].probe_proves_account:
        assert "Its answer: " in again.page.text
    else:
        assert again.faults["invitation"].startswith(NEEDED_FOR_NEW_KEYS)
        assert "text" == again.fields["invitation"].kind


def test_a_disabled_merchant_is_told_whom_to_ask(
    server: Served, flow_rig: Rig, company: Any
) -> None:
    token = token_of(server, "disabled")
    Merchant(server).connect(company, invited(flow_rig, "disabled"), token)
    flow_rig.connector.merchants.disable("disabled-tranzzo")
    again = Merchant(server).choose(COMPANY, "", token_of(server, "disabled"))
    assert "This account is switched off here" in again.give(typed(company)).answer.text


# Back, reload, twice at once.


def test_reloading_each_step_and_going_back_changes_nothing(
    server: Served, flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    token = token_of(server, "reloaded")
    merchant.choose(COMPANY, invited(flow_rig, "reloaded"), token)
    step = merchant.answer.url
    for address in (step, f"{server.url}/authorization/redirect?token={token}", step):
        assert merchant.open(address).page.forms
    assert merchant.fields["invitation"].value
    sent = {**merchant.filled(), **typed(company), "agree": "y"}
    codes = {merchant.send(sent).code}
    codes.add(merchant.open(step).code)
    codes.add(merchant.start(token).code)
    again = merchant.session.post(step, data=sent, timeout=30)
    assert 200 == again.status_code
    assert "Tranzzo is connected" in again.text
    assert 3 == len(codes)
    assert 1 == len({credentials(server, code).text for code in codes})
    assert ["reloaded-tranzzo"] == merchants_of(flow_rig, "reloaded")


def test_a_form_that_is_sent_twice_at_once_makes_one_merchant(
    server: Served, flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    merchant.choose(COMPANY, invited(flow_rig, "twice"), token_of(server, "twice"))
    sent = {**merchant.filled(), **typed(company), "agree": "y"}
    barrier = threading.Barrier(2)
    company.hook = lambda _, when: when == "before" and barrier.wait(10)

    def send(_: int) -> requests.Response:
        return requests.post(
            merchant.target, data=sent, cookies=merchant.session.cookies, timeout=30
        )

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(send, range(2)))
    assert [200, 200] == [answer.status_code for answer in answers]
    assert all("Tranzzo is connected" in answer.text for answer in answers)
    assert ["twice-tranzzo"] == merchants_of(flow_rig, "twice")


def test_a_connection_that_vtex_uses_is_at_its_end(
    server: Served, flow_rig: Rig, merchant: Merchant, company: Any
) -> None:
    token = token_of(server, "used")
    merchant.connect(company, invited(flow_rig, "used"), token)
    flow_rig.execute("UPDATE merchant_tokens SET sealed = NULL, used_at = 1")
    merchant.start(token)
    assert 410 == merchant.answer.status_code
    assert "VTEX uses the connection already" in merchant.answer.text
    assert merchant.page.way_back is None


def test_a_person_may_stay_on_the_last_page(flow_rig: Rig, merchant: Merchant) -> None:
    merchant.connect("sandbox", invited(flow_rig))
    (address,) = re.findall(r'href="(\?[^"]*stay=1)"', merchant.answer.text)
    stayed = merchant.open(merchant.answer.url.partition("?")[0] + address.replace("&amp;", "&"))
    assert stayed.page.refresh is None
    assert (
        200 == credentials(merchant.server, (stayed.page.way_back or "").split("=")[-1]).status_code
    )


# Invitations and languages.


def test_the_page_of_an_invitation_says_who_invites_whom_and_how_to_go_on(
    flow_rig: Rig, merchant: Merchant
) -> None:
    code = invited(flow_rig, "mystore", COMPANY)
    merchant.open(f"/authorization/invitation?invitation={code}")
    for text in ("operator", "mystore", "Tranzzo", "Authorize via OAuth"):
        assert text in merchant.page.text
    assert f'value="{code}" readonly' in merchant.answer.text
    (cookie,) = [one for one in merchant.session.cookies if "invitation" in one.name]
    assert (code, "/authorization") == (cookie.value, cookie.path)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert code == merchant.start().fields["invitation"].value


@pytest.mark.parametrize("code", ["", "x", "\0", "<b>"])
def test_an_invitation_that_is_not_good_is_gone(merchant: Merchant, code: str) -> None:
    merchant.session.get(
        f"{merchant.server.url}/authorization/invitation", params={"invitation": code}
    )
    answer = merchant.session.get(
        f"{merchant.server.url}/authorization/invitation", params={"invitation": code}, timeout=30
    )
    assert 410 == answer.status_code
    assert "This invitation is unknown" in answer.text
    assert "connector_invitation" not in merchant.session.cookies


def test_an_invitation_is_good_once(flow_rig: Rig, merchant: Merchant, company: Any) -> None:
    code = invited(flow_rig, "once")
    merchant.connect(company, code, token_of(merchant.server, "once"))
    assert "connector_invitation" not in merchant.session.cookies
    merchant.open(f"/authorization/invitation?invitation={code}")
    assert 410 == merchant.answer.status_code


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_flow_stays_in_the_chosen_language(
    server: Served, flow_rig: Rig, company: Any, language: str
) -> None:
    token = token_of(server, f"in-{language.lower()}")
    merchant = Merchant(server, language="en" if language != "en" else "ru")
    merchant.start(token, lang=language)
    seen = [merchant.page.language]
    merchant.start(token)
    seen.append(merchant.page.language)
    merchant.send({"provider": COMPANY, "invitation": invited(flow_rig, f"in-{language.lower()}")})
    seen.append(merchant.page.language)
    merchant.send(typed(company, pos_id=""))
    seen.append(merchant.page.language)
    is_english = FILL_IN in merchant.faults["pos_id"]
    assert is_english == (language == "en")
    merchant.give(typed(company))
    assert [language] * 5 == [*seen, merchant.page.language]
    assert merchant.code
