"""One configuration flow: the steps of VTEX, and of the merchant in a browser."""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlencode

from connector.rehearsal.browser import Browser, Seen
from connector.rehearsal.checks import NotPlayed, Unmet, WrongStatus, echoed, fields, require
from connector.rehearsal.client import Answer, Caller, Exchange, Keys
from connector.rehearsal.forms import FULL
from connector.rehearsal.html_page import Field, Form
from connector.rehearsal.player import FAILURES, Stage

APPLICATION = "vtex"
# The statuses of a connector without the flow, or with a flow that is switched off.
_NOT_OFFERED = frozenset({403, 404, 405})
# The statuses of a page that shows faults, and of an answer to a code that is not good any more.
FAULTY = frozenset({200, 400, 409, 422})
_GONE = frozenset({400, 403, 404, 410})
# An AppToken is used if it is not refused.
_NOT_LIVE = 401
_USED = FAILURES | {_NOT_LIVE}
# Seconds.
_PAUSE = 0.25
# Pages that a merchant sees until the last one, at most.
_MOST_STEPS = 12
_CODE = re.compile(r"authorizationCode=([\w-]+)")
# Characters. Shorter settings are no secrets, and may be a part of any word.
_SHORTEST_SECRET = 8


class FlowPlayer:
    """Plays VTEX and a merchant. Every step raises Unmet, or NotPlayed."""

    def __init__(self, stage: Stage) -> None:
        self.applicant = applicant = stage.applicant
        self._stage = stage
        self._vtex = self._caller(Keys())
        self._browser = Browser(stage.url.rstrip("/"))
        self._actor: Caller | Browser = self._vtex
        # Whether the merchant types the invitation. A merchant that connects again needs none.
        self._is_invited = False
        self._secrets = {applicant.invitation, *_long(applicant.settings.values())}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()

    @property
    def last(self) -> Exchange | None:
        """The last exchange, without secrets."""
        last = self._actor.last
        if last is None:
            return None
        request, answer = self.masked(last.request), self.masked(last.answer)
        return replace(last, request=request, answer=answer)

    def masked(self, text: str) -> str:
        for secret in filter(None, self._secrets):
            text = text.replace(secret, "***")
        return text

    # VTEX's calls.

    def begin(self, return_url: str) -> str:
        """Ask for a token, as VTEX does when a merchant presses the button."""
        sent = {"applicationId": APPLICATION, "returnUrl": return_url}
        try:
            answer = self._post_token(sent, frozenset({200}))
        except WrongStatus as error:
            if error.status in _NOT_OFFERED:
                text = f"the flow is not offered: POST /authorization/token answers {error.status}"
                raise NotPlayed(text) from error
            raise
        _check(answer.body, "token")
        return self._secret(answer.body["token"])

    def begin_in_vain(self, return_url: object) -> None:
        """Check that a returnUrl is refused."""
        sent = {"applicationId": APPLICATION, "returnUrl": return_url}
        body = self._post_token(sent, frozenset({400, 422})).body
        require("token" not in body, f"a token for the returnUrl {str(return_url)[:80]!r}")

    def _post_token(self, sent: Mapping[str, Any], expected: frozenset[int]) -> Answer:
        self._actor = self._vtex
        family = "X-PROVIDER-API"
        return self._vtex.post("token", "/authorization/token", sent, expected, family)

    def credentials(self, code: str) -> Keys:
        """Fetch the AppKey and AppToken, as VTEX does with a code. A repeat gets the same bytes."""
        answer = self._get_credentials(code, frozenset({200}))
        _check(answer.body, "appKey", "appToken")
        keys = Keys(self._secret(answer.body["appKey"]), self._secret(answer.body["appToken"]))
        again = self._get_credentials(code, frozenset({200}))
        require(answer.content == again.content, "the repeat was answered otherwise")
        return keys

    def credentials_in_vain(self, code: str) -> None:
        """Check that a code is good no more."""
        body = self._get_credentials(code, _GONE).body
        require(not {"appKey", "appToken"} & set(body), "an AppToken for a code that has ended")

    def _get_credentials(self, code: str, expected: frozenset[int]) -> Answer:
        self._actor = self._vtex
        query = urlencode({"applicationId": APPLICATION, "authorizationCode": code})
        return self._vtex.get("credentials", f"/authorization/credentials?{query}", expected)

    def use(self, keys: Keys) -> None:
        """Cancel a payment that nobody created, with the merchant's keys.

        Until all servers know a new merchant, its keys may be refused.
        """
        caller = self._actor = self._caller(keys)
        until = time.monotonic() + self._stage.times.live
        payment_id = FULL.new_id()
        body = {"paymentId": payment_id, "requestId": FULL.new_id()}
        path = f"/payments/{payment_id}/cancellations"
        while caller.post("cancel", path, body, _USED).status == _NOT_LIVE:
            require(time.monotonic() < until, "the AppKey and AppToken are not live")
            time.sleep(_PAUSE)

    # The merchant's browser.

    def show(self, token: str, language: str = "", status: int = 200) -> Seen:
        """Open the page to which VTEX's Admin sends the merchant."""
        self._actor = self._browser
        query = {"applicationId": APPLICATION, "token": token}
        chosen = {"lang": language} if language else {}
        return self._browser.open(
            f"/authorization/redirect?{urlencode({**query, **chosen})}", status
        )

    def connect(self, return_url: str) -> str:
        """Go through all pages, and check the way back. Return the code."""
        seen = self.show(self.begin(return_url))
        account = self.applicant.account
        require(account in seen.page.text, f"the page does not name the VTEX account {account}")
        for _ in range(_MOST_STEPS):
            if seen.page.refresh is not None:
                return self._way_back(seen, return_url)
            seen = self._next(seen)
        raise Unmet(f"no way back to VTEX after {_MOST_STEPS} pages")

    def send(self, seen: Seen, values: Mapping[str, str], statuses: frozenset[int]) -> Seen:
        """Send a form with the values of the page's hidden fields, and with these."""
        self._actor = self._browser
        return self._browser.send(seen, values, statuses)

    def _next(self, seen: Seen) -> Seen:
        """Fill in the form of a page, and send it."""
        seen = self.send(seen, self._filled(seen.form), FAULTY)
        faults = dict(seen.page.faults)
        if "invitation" in faults and not self._is_invited:
            self._is_invited = True
            del faults["invitation"]
            if not self.applicant.invitation:
                raise NotPlayed("the flow needs an invitation: give --invitation")
        told = "; ".join(f"{name}: {' '.join(text.split())}" for name, text in faults.items())
        require(not faults, f"the page refuses {told}")
        return seen

    def _filled(self, form: Form) -> dict[str, str]:
        values = {name: self._value(field) for name, field in form.fields.items()}
        return {name: value for name, value in values.items() if value is not None}

    def _value(self, field: Field) -> str | None:
        """Return what the merchant gives for a field. None: nothing is sent."""
        applicant = self.applicant
        if field.kind == "hidden":
            return field.value
        if field.name == "invitation":
            return applicant.invitation if self._is_invited else ""
        if field.name == "provider":
            return _company(field, applicant.provider)
        if field.kind == "checkbox":
            return field.choices[0]
        return str(applicant.settings.get(field.name, field.value))

    def _way_back(self, seen: Seen, return_url: str) -> str:
        """Check the address to which the last page leads, and return its code."""
        address = seen.page.refresh
        require(address == seen.page.way_back, "the link and the refresh lead to two addresses")
        found = _CODE.search(address or "")
        require(found, "the way back has no authorizationCode")
        code = self._secret(found[1] if found else "")
        wanted = with_code(return_url, code)
        require(address == wanted, f"the way back is {address}, not {wanted}")
        return code

    def _secret(self, text: str) -> str:
        self._secrets.add(text)
        return text

    def _caller(self, keys: Keys) -> Caller:
        return Caller(self._stage.url, keys, "", self._stage.times.answer)


def with_code(return_url: str, code: str) -> str:
    """Write a code into a returnUrl: into its empty `authorizationCode`, or at the query's end."""
    written = f"authorizationCode={code}"
    address, mark, fragment = return_url.partition("#")
    path, _, query = address.partition("?")
    parts = query.split("&") if query else []
    is_there = "authorizationCode=" in parts
    filled = [written if part == "authorizationCode=" else part for part in parts]
    return f"{path}?{'&'.join(filled if is_there else [*parts, written])}{mark}{fragment}"


def _check(body: Mapping[str, Any], *names: str) -> None:
    fields(body, dict.fromkeys(("applicationId", *names), "text"))
    echoed(body, "applicationId", APPLICATION)


def _company(field: Field, provider: str) -> str:
    """Return the value that chooses a company. Raises NotPlayed if the page does not offer it."""
    if field.choices and provider not in field.choices:
        offered = ", ".join(filter(None, field.choices))
        raise NotPlayed(f"the page offers {offered}: give --provider and --settings")
    return provider


def _long(values: Iterable[str]) -> set[str]:
    return {value for value in values if len(value) >= _SHORTEST_SECRET}
