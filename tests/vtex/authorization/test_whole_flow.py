"""From VTEX's token to the first cancellation, on the pages, at every company."""

import time
from typing import Any

import pytest
import requests

from connector.providers import discover
from tests.companies.registry import BY_NAME, COMPANIES
from tests.rig import Rig, Served
from tests.signup.flow import RETURN_URL, headers_of
from tests.vtex.authorization.conftest import PUBLIC_URL
from tests.vtex.authorization.merchant import Merchant, begin, credentials, invited

pytestmark = pytest.mark.slow


def pair(server: Served, code: str) -> tuple[str, str]:
    answer = credentials(server, code)
    assert answer.status_code == 200, answer.text
    return answer.json()["appKey"], answer.json()["appToken"]


def cancel(server: Served, keys: tuple[str, str], payment_id: str, **known: str) -> int:
    """Cancel a payment as VTEX does. All servers know a new merchant after 5 seconds."""
    body = {"paymentId": payment_id, "requestId": f"of {payment_id}", **known}
    url = f"{server.url}/payments/{payment_id}/cancellations"
    until = time.monotonic() + 5
    while True:
        answer = requests.post(url, json=body, headers=headers_of(keys), timeout=30)
        if answer.status_code != 401 or time.monotonic() > until:
            return answer.status_code
        time.sleep(0.1)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_merchant_connects_and_vtex_cancels_a_payment(
    server: Served, flow_rig: Rig, companies: dict[str, Any], merchant: Merchant, name: str
) -> None:
    company = companies[name]
    merchant.connect(company, invited(flow_rig))
    keys = pair(server, merchant.code)
    assert keys == pair(server, merchant.code)
    [cancellable, *_] = BY_NAME[name].cancellables
    known = company.put(f"of-{name}", cancellable.state)
    assert cancel(server, keys, f"of-{name}", **known) in {200, 501}
    assert 410 == credentials(server, merchant.code).status_code


def test_the_sandbox_needs_no_keys_and_goes_on_quickly(
    server: Served, flow_rig: Rig, merchant: Merchant
) -> None:
    merchant.connect("sandbox", invited(flow_rig))
    assert '"5; url=' in merchant.answer.text
    assert 200 == cancel(server, pair(server, merchant.code), "of-the-sandbox")


@pytest.mark.parametrize("entry", COMPANIES, ids=str)
def test_the_last_page_shows_what_the_company_must_be_told(
    flow_rig: Rig, companies: dict[str, Any], merchant: Merchant, entry: Any
) -> None:
    store = f"told-{entry.name}".replace("_", "-")
    token = begin(merchant.server, f"https://{store}.myvtex.com/")
    merchant.connect(companies[entry.name], invited(flow_rig, store), token)
    address = f"{PUBLIC_URL}/webhooks/{entry.name}/{store}-{entry.name}"
    is_told = bool(discover()[entry.name].notification_place)
    assert is_told == (f'value="{address}" readonly' in merchant.answer.text)
    assert ('"30; url=' if is_told else '"5; url=') in merchant.answer.text


def test_connecting_again_needs_no_invitation_and_is_the_same_merchant(
    server: Served, flow_rig: Rig, companies: dict[str, Any]
) -> None:
    company = companies["tranzzo"]
    token = begin(server, "https://again.myvtex.com/")
    first = Merchant(server).connect(company, invited(flow_rig, "again"), token)
    token = begin(server, "https://again.myvtex.com/")
    second = Merchant(server).connect(company, "", token)
    one, two = pair(server, first.code), pair(server, second.code)
    assert one[0] == two[0]
    assert one[1] != two[1]


@pytest.mark.parametrize(
    ("return_url", "before", "after"),
    [
        (RETURN_URL, RETURN_URL, ""),
        (
            "https://mystore.myvtex.com/x?authorizationCode=&a=%20b&c#d?authorizationCode=",
            "https://mystore.myvtex.com/x?authorizationCode=",
            "&a=%20b&c#d?authorizationCode=",
        ),
        (
            'https://mystore.myvtex.com/?q=<"\'>&#"><script>',
            "https://mystore.myvtex.com/?q=<\"'>&authorizationCode=",
            '#"><script>',
        ),
    ],
)
def test_the_way_back_is_the_return_url_with_the_code(
    server: Served, flow_rig: Rig, merchant: Merchant, return_url: str, before: str, after: str
) -> None:
    merchant.connect("sandbox", invited(flow_rig), begin(server, return_url))
    assert merchant.page.way_back == f"{before}{merchant.code}{after}"
    assert "<script" not in merchant.answer.text
