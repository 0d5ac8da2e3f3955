"""The pages of the configuration flow: a person chooses a company, gives its keys, and goes back.

Anybody can begin a flow and send its link to a merchant. So each page says first which VTEX account
asks, and the way back is shown only to the browser that connected.
"""

from contextlib import suppress
from functools import partial
from urllib.parse import urlencode, urlsplit

from flask import Response, g, make_response, redirect, render_template, request

from connector.bulkhead import PAGES
from connector.domain.authorization import (
    Connected,
    Flow,
    Invitation,
    InvitationEnded,
    NotConnected,
)
from connector.domain.merchant import SignUp, notification_url
from connector.pages.routes import Pages
from connector.peers import Quota
from connector.provider import Provider
from connector.signup import MerchantSignUp, Submission
from connector.vtex.authorization import browser, return_url
from connector.vtex.authorization.faults import tell
from connector.vtex.authorization.forms import INVITATION, CompanyForm, KeysForm, keys_form

# Pages that one caller may load at once, and the seconds after which it may load one more. Many
# people may have one address: an office has, and all merchants have behind a proxy that is not in
# CONNECTOR_PROXIES.
BURST, REFILL_SECONDS = 240, 0.25
# Seconds after which the last page goes on: if there is something to copy, and if there is not.
READING_SECONDS, SEEING_SECONDS = 30, 5
# The parameter with which the last page does not go on by itself.
STAY = "stay"


def blueprint(signup: MerchantSignUp, public_url: str) -> Pages:
    """Make the pages. Companies send notifications to addresses below `public_url`."""
    quota = Quota(BURST, REFILL_SECONDS)
    routes = Pages("authorization_pages", __name__, places=PAGES, admit=lambda: quota.take(g.peer))
    steps = Steps(signup, public_url)
    path = "/authorization/redirect"
    routes.add_url_rule(path, "redirect", steps.show, methods=["GET", "POST"])
    show = partial(show_invitation, signup)
    routes.add_url_rule("/authorization/invitation", "invitation", show, methods=["GET"])
    return routes


class Steps:
    """The steps of a flow. The address of a step has the flow's token, and the chosen company."""

    def __init__(self, signup: MerchantSignUp, public_url: str) -> None:
        self._signup = signup
        self._public_url = public_url

    def show(self) -> Response:
        """GET and POST /authorization/redirect: the step that the flow has reached."""
        token = request.args.get("token", "")
        flow = self._signup.flow(token)
        if flow.is_connected:
            return self._end(flow, self._signup.connected(token, browser.secret()))
        offered = {provider.name: provider for provider in self._signup.offered()}
        provider = offered.get(request.args.get("provider", ""))
        if provider is None:
            return self._choose_company(flow, offered)
        return self._give_keys(flow, provider)

    def _choose_company(self, flow: Flow, offered: dict[str, Provider]) -> Response:
        form = CompanyForm(data={INVITATION: browser.invitation()})
        if self._signup.mode is SignUp.OPEN:
            del form.invitation
        known = self._known(_code_of(form))
        # Who chooses another company is told that the invitation does not fit.
        form.offer(offered, known.provider if known and request.method != "POST" else None)
        if form.is_right() and self._is_invited(flow, form, offered):
            return self._chosen(form, known)
        return _page("company", flow=flow, form=form)

    def _known(self, code: str) -> Invitation | None:
        with suppress(InvitationEnded):
            return self._signup.invitation(code) if code else None
        return None

    def _is_invited(self, flow: Flow, form: CompanyForm, offered: dict[str, Provider]) -> bool:
        """Whether nothing is known to be wrong with the invitation. Else the form names it."""
        name = form.provider.data
        try:
            self._signup.check_invitation(flow, name, _code_of(form))
        except NotConnected as error:
            tell(form, offered[name], error)
        return not form.errors

    def _chosen(self, form: CompanyForm, known: Invitation | None) -> Response:
        response = make_response(redirect(address(provider=form.provider.data), 303))
        if known:
            browser.keep(response, _code_of(form), known)
        else:
            browser.forget(response)
        return response

    def _give_keys(self, flow: Flow, provider: Provider) -> Response:
        form = keys_form(provider)(data={INVITATION: browser.invitation()})
        if form.is_right():
            try:
                return self._end(flow, self._connect(form, provider))
            except NotConnected as error:
                tell(form, provider, error)
        name = self._signup.next_name(flow, provider.name)
        url = self._notification_url(provider, name)
        return _page("keys", flow=flow, form=form, provider=provider, notification_url=url)

    def _connect(self, form: KeysForm, provider: Provider) -> Connected:
        return self._signup.connect(
            Submission(
                request.args["token"],
                provider.name,
                form.settings,
                _code_of(form),
                browser.secret(),
            )
        )

    def _end(self, flow: Flow, connected: Connected) -> Response:
        """Show the way back to VTEX.

        It is a page that goes on by itself: after a form, Chromium follows no redirect to another
        site if the Content-Security-Policy has `form-action 'self'`.
        """
        if not connected.is_proven:
            browser.doubt(flow)
        provider, is_doubted = self._signup.provider(connected.provider), browser.is_doubted(flow)
        is_reading = is_doubted or provider.notification_place
        seconds = READING_SECONDS if is_reading else SEEING_SECONDS
        back = return_url.with_code(connected.return_url, connected.code)
        response = _page(
            "connected",
            flow=flow,
            provider=provider,
            is_doubted=is_doubted,
            back=back,
            seconds=seconds,
            refresh="" if STAY in request.args else f"{seconds}; url={back}",
            notification_url=self._notification_url(provider, connected.merchant),
        )
        browser.forget(response)
        return response

    def _notification_url(self, provider: Provider, merchant: str) -> str:
        if not provider.notification_place:
            return ""
        return notification_url(self._public_url, provider.name, merchant) or ""


def show_invitation(signup: MerchantSignUp) -> Response:
    """GET /authorization/invitation: who invites, and how to go on in VTEX's Admin.

    The browser keeps the code, so that nobody has to type it.
    """
    code = request.args.get(INVITATION, "")
    known = signup.invitation(code)
    titles = [provider.title for provider in signup.offered(known)]
    company = titles[0] if len(titles) == 1 else ""
    response = _page("invitation", code=code, invitation=known, company=company)
    browser.keep(response, code, known)
    return response


def address(**changes: str) -> str:
    """Return the address of a step of this flow, for a link on its pages. No value is empty.

    The address is relative, because a proxy may serve these pages below a prefix.
    """
    kept = {name: request.args.get(name, "") for name in ("token", "provider")}
    values = {"applicationId": "vtex", **kept, **changes}
    return f"?{urlencode({name: value for name, value in values.items() if value})}"


def _code_of(form: CompanyForm | KeysForm) -> str:
    return form.invitation.data or "" if INVITATION in form else ""


def _page(name: str, **values: object) -> Response:
    browser.secret()
    flow = values.get("flow")
    host = urlsplit(flow.return_url).hostname if isinstance(flow, Flow) else ""
    return make_response(
        render_template(f"authorization/{name}.html", address=address, host=host, **values)
    )
