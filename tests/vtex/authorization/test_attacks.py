"""Strangers, other sites and hostile texts on the pages of the flow."""

import re
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.pages.cookies import NAME
from tests.companies.registry import ANY, BY_NAME
from tests.rig import Rig, Served
from tests.signup.flow import RETURN_URL
from tests.vtex.authorization.merchant import Merchant, begin, credentials, invited, typed

pytestmark = pytest.mark.slow

COMPANY = ANY.name
MARKUP = "\"'><script>alert(1)</script>\0\x1b\u202e"
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_protected(answer: requests.Response) -> bool:
    """Whether no other site can show the page, send its forms, or learn its address."""
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert set(policy.values()) == {"'none'", "'self'"}
    assert ("'none'", "'none'") == (policy["default-src"], policy["frame-ancestors"])
    return all(answer.headers[name] == value for name, value in HEADERS.items())


def connected(rig: Rig) -> list[int]:
    return [row.id for row in rig.execute("SELECT id FROM merchants ORDER BY id")]


# Other sites.


def test_no_other_site_can_show_a_page_or_learn_its_address(
    flow_rig: Rig, merchant: Merchant, companies: dict[str, Any]
) -> None:
    code = invited(flow_rig)
    for path in ("/authorization/redirect?token=x", "/authorization/invitation?invitation=x"):
        assert is_protected(merchant.open(path).answer)
    assert is_protected(merchant.open(f"/authorization/invitation?invitation={code}").answer)
    assert is_protected(merchant.start().answer)
    assert is_protected(merchant.send({"provider": ""}).answer)
    merchant.send({"provider": COMPANY})
    assert merchant.answer.history[0].status_code == 303
    assert is_protected(merchant.answer.history[0])
    assert is_protected(merchant.answer)
    assert is_protected(merchant.give(typed(companies[COMPANY])).answer)
    assert merchant.code


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_form_that_another_site_sends_is_refused(
    flow_rig: Rig, merchant: Merchant, site: str
) -> None:
    before = connected(flow_rig)
    merchant.choose("sandbox", invited(flow_rig))
    merchant.send({"agree": "y"}, headers={"Sec-Fetch-Site": site})
    assert 400 == merchant.answer.status_code
    assert before == connected(flow_rig)


def test_a_form_without_the_browsers_own_proof_is_refused(flow_rig: Rig, server: Served) -> None:
    before, token = connected(flow_rig), begin(server)
    mine, stranger = (Merchant(server).start(token, provider="sandbox") for _ in range(2))
    sent = {**mine.filled(), "agree": "y"}
    for proof in ("", "x", stranger.filled()["csrf_token"]):
        assert (
            400
            == mine.session.post(
                mine.target, data={**sent, "csrf_token": proof}, timeout=30
            ).status_code
        )
    assert 400 == requests.post(mine.target, data=sent, timeout=30).status_code
    assert before == connected(flow_rig)


# Whoever began the flow.


def test_whoever_began_a_flow_gets_no_code_after_the_merchant_connected(
    flow_rig: Rig, server: Served
) -> None:
    token = begin(server)
    attacker = Merchant(server).start(token, provider="sandbox")
    merchant = Merchant(server).connect("sandbox", invited(flow_rig), token)
    for seen in (attacker.send({"agree": "y"}), Merchant(server).start(token)):
        assert 410 == seen.answer.status_code
        assert "connected in another browser" in seen.answer.text
        assert "authorizationCode" not in seen.answer.text
    assert merchant.start(token).code


def test_a_cookie_that_another_host_planted_is_not_the_browsers_secret(
    flow_rig: Rig, server: Served
) -> None:
    """Else its owner, who knows the secret, would get the code."""
    token, client = begin(server), flow_rig.client
    attacker = Merchant(server).start(token)
    (planted,) = [one for one in attacker.session.cookies if one.name == NAME]
    client.set_cookie(NAME, planted.value or "", domain="pay.example.com")
    page = client.get(
        "/authorization/redirect", query_string={"token": token}, base_url="https://pay.example.com"
    )
    (cookie,) = [text for text in page.headers.getlist("Set-Cookie") if NAME in text]
    assert cookie.startswith(f"__Host-{NAME}=")
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(
    "url",
    ["https://evil.example.com/", "https://mystore.myvtex.com@evil.example.com/", "//evil.example"],
)
def test_a_flow_that_would_lead_elsewhere_does_not_begin(server: Served, url: str) -> None:
    body = {"applicationId": "vtex", "returnUrl": url}
    answer = requests.post(f"{server.url}/authorization/token", json=body, timeout=30)
    assert 400 == answer.status_code
    assert "token" not in answer.json()


def test_guessed_and_used_codes_open_nothing(server: Served, flow_rig: Rig) -> None:
    code = Merchant(server).connect("sandbox", invited(flow_rig)).code
    for guessed in (code[:-1], code[:-1] + ("A" if code[-1] != "A" else "B"), code.swapcase()):
        assert 410 == credentials(server, guessed).status_code
    assert 200 == credentials(server, code).status_code
    flow_rig.execute("UPDATE merchant_tokens SET sealed = NULL, used_at = 1")
    assert 410 == credentials(server, code).status_code


# Hostile texts.


def test_markup_and_control_characters_stay_texts(
    flow_rig: Rig, merchant: Merchant, companies: dict[str, Any]
) -> None:
    merchant.start().send({"provider": COMPANY, "invitation": MARKUP})
    texts = [merchant.answer.text]
    merchant.send({"provider": MARKUP, "invitation": MARKUP})
    texts.append(merchant.answer.text)
    merchant.choose(COMPANY, invited(flow_rig))
    merchant.give(typed(companies[COMPANY], pos_id=MARKUP, api_key=MARKUP))
    texts.append(merchant.answer.text)
    texts.append(merchant.open(f"/authorization/redirect?token={MARKUP}&lang={MARKUP}").answer.text)
    texts.append(merchant.start(provider=MARKUP, lang=MARKUP, stay=MARKUP).answer.text)
    for text in texts:
        assert "<script" not in text
        assert "'><" not in text


@pytest.mark.parametrize("status", [400, 404, 422])
def test_what_a_company_says_stays_a_text(
    flow_rig: Rig, merchant: Merchant, companies: dict[str, Any], status: int
) -> None:
    company = companies[COMPANY]
    word = r"\u003cscript\u003e\u0000"
    body = f'{{"message": "{word}", "args": {{"code": "{word}"}}}}'.encode()
    company.inject("status_before", times=10, status=status, body=body)
    merchant.connect(company, invited(flow_rig))
    company.show()
    assert "<script" not in merchant.answer.text
    assert "\0" not in merchant.answer.text


@pytest.mark.parametrize("size", [40_000, 10_000_000])
def test_a_form_that_is_too_large_is_refused(flow_rig: Rig, merchant: Merchant, size: int) -> None:
    before = connected(flow_rig)
    merchant.choose("sandbox", invited(flow_rig))
    try:
        merchant.send({"agree": "y" * size})
        assert 413 == merchant.answer.status_code
        assert "The form is too large" in merchant.answer.text
    except requests.ConnectionError:
        assert size > 1_000_000
    assert before == connected(flow_rig)


# Secrets.


class Addresses:
    """The addresses to which a browser sent requests."""

    def __init__(self, merchant: Merchant) -> None:
        self.seen: list[str] = []
        self.pages: list[str] = []
        merchant.session.hooks["response"].append(self._note)

    def _note(self, answer: requests.Response, **_: Any) -> None:
        self.seen.append(answer.url)
        self.pages.append(answer.text)


@pytest.mark.parametrize("name", BY_NAME)
def test_secrets_are_in_no_page_no_address_no_log_and_no_row(
    server: Served, flow_rig: Rig, companies: dict[str, Any], name: str
) -> None:
    company, merchant = companies[name], Merchant(server)
    addresses, store = Addresses(merchant), f"secrets-{name}".replace("_", "-")
    code, token = invited(flow_rig, store), begin(server, f"https://{store}.myvtex.com/")
    given = typed(company)
    merchant.choose(name, code, token)
    wrong = {key: f"{value[:-6]}wrong{value[-1]}" for key, value in given.items()}
    merchant.give(wrong)
    merchant.give(given)
    pair = credentials(server, merchant.code).json()
    keys = [setting.key for setting in secrets_of(flow_rig, name)]
    assert keys
    secrets = [values[key] for key in keys for values in (given, wrong)]
    kept, codes = (kept_in(flow_rig, server), [merchant.code, token, code, pair["appToken"]])
    for text in (*secrets, *codes):
        assert text not in kept
    for text in (*secrets, pair["appToken"]):
        assert not [page for page in addresses.pages if text in page]
    for text in (*secrets, *codes[:1], code, pair["appToken"]):
        assert not [address for address in addresses.seen if text in address]


def secrets_of(rig: Rig, name: str) -> list[Any]:
    return [one for one in rig.connector.providers[name].settings if one.is_secret]


def kept_in(rig: Rig, server: Served) -> str:
    """Return the bytes of the database and the log, as a text."""
    folder = Path(rig.environment["CONNECTOR_DATA_DIR"])
    files = [*folder.glob("connector.db*"), server.log]
    assert len(files) >= 2
    return "".join(file.read_bytes().decode("latin-1") for file in files)


def test_the_browser_keeps_no_secret_but_the_invitation(
    flow_rig: Rig, merchant: Merchant, companies: dict[str, Any]
) -> None:
    code, given = invited(flow_rig), typed(companies[COMPANY])
    merchant.open(f"/authorization/invitation?invitation={code}").choose(COMPANY, code)
    merchant.send(given)
    cookies = {one.name: one for one in merchant.session.cookies}
    assert {NAME, "connector_invitation"} == set(cookies)
    assert code not in str(cookies[NAME].value)
    assert not [text for text in given.values() if text in str(list(cookies.values()))]
    merchant.give(given)
    assert {NAME} == {one.name for one in merchant.session.cookies}
    assert merchant.code not in str(list(merchant.session.cookies))
    assert not re.search(r"set-cookie", merchant.answer.text, re.IGNORECASE)


def test_the_way_back_does_not_tell_vtex_where_the_browser_was(
    flow_rig: Rig, merchant: Merchant
) -> None:
    merchant.connect("sandbox", invited(flow_rig))
    assert 'id="return"' in merchant.answer.text
    assert 'rel="noreferrer"' in merchant.answer.text
    assert "no-referrer" == merchant.answer.headers["Referrer-Policy"]
    assert (merchant.page.way_back or "").startswith(RETURN_URL)
