"""A configuration flow, played as VTEX's gateway and as the person who connects a merchant."""

from typing import Any

from werkzeug.test import TestResponse

from connector.domain.authorization import Connected
from connector.domain.merchant import Merchant
from connector.signup import MerchantSignUp, Submission
from tests.companies.registry import provider_of
from tests.rig import Rig

RETURN_URL = "https://mystore.myvtex.com/admin/provider-return?authorizationCode="


def settings_of(company: Any, **changes: str) -> dict[str, str]:
    """Return what a person types for a company: no setting that says where money goes."""
    given = {**company.settings, **changes}
    return {key: value for key, value in given.items() if key != "refund_address"}


class Gateway:
    """VTEX's gateway, beside a rig."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def token(self, return_url: Any = RETURN_URL, peer: str = "192.0.2.1") -> TestResponse:
        body = {"applicationId": "vtex", "returnUrl": return_url}
        return self.rig.client.post(
            "/authorization/token", json=body, environ_base={"REMOTE_ADDR": peer}
        )

    def credentials(self, code: str, peer: str = "192.0.2.1") -> TestResponse:
        query = {"applicationId": "vtex", "authorizationCode": code}
        return self.rig.client.get(
            "/authorization/credentials", query_string=query, environ_base={"REMOTE_ADDR": peer}
        )

    def begin(self, return_url: str = RETURN_URL) -> str:
        token: str = self.token(return_url).get_json()["token"]
        return token

    def pair(self, code: str) -> tuple[str, str]:
        answer = self.credentials(code)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["appKey"], answer.get_json()["appToken"]


class Person:
    """A person on the pages of a flow."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.gateway = Gateway(rig)

    @property
    def signup(self) -> MerchantSignUp:
        return self.rig.connector.signup

    def invited(self, store: str | None = None, provider: str | None = None) -> str:
        code, _ = self.rig.connector.invitations.add(store, provider, days=7, by="operator")
        return code

    def connect(
        self,
        company: Any = None,
        *,
        token: str = "",
        invitation: str = "",
        return_url: str = RETURN_URL,
        **changes: str,
    ) -> Connected:
        """Connect a company's account, or the sandbox. Without a token, in a new flow."""
        provider = provider_of(company) if company else "sandbox"
        settings = settings_of(company, **changes) if company else {}
        token = token or self.gateway.begin(return_url)
        return self.signup.connect(Submission(token, provider, settings, invitation))

    def merchants(self) -> list[Merchant]:
        return [entry.merchant for entry in self.rig.connector.merchants.all()]


def headers_of(pair: tuple[str, str]) -> dict[str, str]:
    return {"X-VTEX-API-AppKey": pair[0], "X-VTEX-API-AppToken": pair[1]}


def cancel(rig: Rig, pair: tuple[str, str], payment_id: str = "P1") -> int:
    """Cancel a payment with a pair of keys, as VTEX does. Return the HTTP status."""
    body = {"paymentId": payment_id, "requestId": f"request of {payment_id}"}
    path = f"/payments/{payment_id}/cancellations"
    return rig.client.post(path, json=body, headers=headers_of(pair), buffered=True).status_code
