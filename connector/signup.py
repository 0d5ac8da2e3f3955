"""Who may connect a company's account to a VTEX store; tries the keys; finds or makes the merchant.

The pages of VTEX's configuration flow call this. Nobody is trusted here: anybody can begin a flow,
for any store. So the keys must prove whose account it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from connector.credential_probe import CredentialProbe
from connector.domain.authorization import (
    Connected,
    Flow,
    Invitation,
    InvitationEnded,
    InvitationNeeded,
    InvitationOfAnother,
    KeysRefused,
    KeysUnproven,
    MerchantDisabled,
    ProbesBusy,
    ProviderNotOffered,
    SettingsFaulty,
    SignUpOff,
)
from connector.domain.errors import (
    ConfigurationError,
    ConnectorError,
    ProviderBusy,
    ProviderCredentials,
    ProviderRefused,
)
from connector.domain.merchant import Merchant, SignUp
from connector.enabled import Enabled
from connector.peers import SITES_BITS, Quota, customer_network
from connector.provider import Provider, Setting
from connector.storage.authorizations import Authorizations
from connector.storage.connecting import Connecting, Keys, OvertakenBySomebody
from connector.storage.invitations import Invitations
from connector.storage.stored_merchant import Credentials, StoredMerchant, digest

# Keys that a flow may try at once, and the seconds after which it may try more.
TRIES_OF_FLOW, TRY_SECONDS = 10, 20.0
# Times that a connection is begun anew because another one was faster.
MOST_ROUNDS = 5


@dataclass(frozen=True)
class Submission:
    """What a person gave on the pages: a company, its settings, and perhaps an invitation's code.

    A setting that is empty counts as not given. `browser` is a secret of the person's browser.
    """

    token: str = field(repr=False)
    provider: str
    settings: Mapping[str, str] = field(repr=False)
    invitation: str = field(default="", repr=False)
    browser: str = field(default="", repr=False)


class MerchantSignUp:
    """Connects merchants. `mode` says who may connect."""

    def __init__(
        self,
        mode: SignUp,
        providers: Enabled,
        probe: CredentialProbe,
        authorizations: Authorizations,
        invitations: Invitations,
        connecting: Connecting,
    ) -> None:
        self.mode = mode
        self._providers = providers
        self._probe = probe
        self._authorizations = authorizations
        self._invitations = invitations
        self._connecting = connecting
        self._quota = Quota(TRIES_OF_FLOW, TRY_SECONDS)

    # What VTEX asks.

    def begin(self, return_url: str, store: str, peer: str) -> str:
        """Begin a flow that leads to a checked returnUrl. Return the flow's token.

        `peer` is the address of the caller. Raises SignUpOff, TooManyRequests.
        """
        self._check_mode()
        return self._authorizations.begin(return_url, store, customer_network(peer, SITES_BITS))

    def credentials(self, code: str) -> Credentials:
        """Return the AppKey and AppToken for a code. Raises AuthorizationEnded."""
        return self._authorizations.credentials(code)

    # What the pages ask.

    def flow(self, token: str) -> Flow:
        """Find a live flow. Nothing changes. Raises SignUpOff, AuthorizationEnded."""
        self._check_mode()
        return self._authorizations.find(token)

    def invitation(self, code: str) -> Invitation:
        """Find an invitation that is good. Nothing changes. Raises SignUpOff, InvitationEnded."""
        self._check_mode()
        return self._invitations.find(code)

    def offered(self, invitation: Invitation | None = None) -> list[Provider]:
        """Return the companies that a person may choose, with an invitation or without."""
        name = invitation and invitation.provider
        return [one for one in self._providers.sold.values() if name in {None, one.name}]

    def provider(self, name: str) -> Provider:
        """Return a company by its name. Raises ProviderUnavailable if it is switched off."""
        return self._providers[name]

    def check_invitation(self, flow: Flow, provider: str, code: str) -> None:
        """Say early what certainly is wrong with an invitation, or with having none.

        Raises InvitationNeeded, InvitationEnded, InvitationOfAnother.
        """
        is_needed = self.mode is SignUp.INVITE and not self._connecting.has_merchant(
            flow.store, provider
        )
        if code or is_needed:
            self._usable(flow, provider, code)

    def next_name(self, flow: Flow, provider: str) -> str:
        """Return the name that a new merchant of this flow would probably get."""
        return self._connecting.next_name(flow.store, provider)

    def connected(self, token: str, browser: str = "") -> Connected:
        """Return the way back to VTEX from a connected flow, each time with a new code.

        Whoever began the flow knows its token, so only the `browser` that connected it gets a code.
        Raises SignUpOff, AuthorizationEnded, AuthorizationDone, AuthorizationElsewhere, also for a
        flow that is not connected.
        """
        self._check_mode()
        flow, code = self._authorizations.again(token, browser)
        return Connected(flow.merchant or "", flow.provider or "", flow.return_url, code)

    def connect(self, submission: Submission) -> Connected:
        """Connect the merchant of a flow. A repeat for a connected flow changes nothing.

        Raises SignUpOff, AuthorizationEnded, AuthorizationDone, AuthorizationElsewhere,
        TooManyRequests and each NotConnected.
        """
        tries = _Tries(self._probe, lambda: self._quota.take(digest(submission.token)))
        # A submit that was faster may have used up the invitation of this one.
        expected: tuple[type[ConnectorError], ...] = (OvertakenBySomebody, InvitationEnded)
        for _ in range(MOST_ROUNDS):
            flow = self.flow(submission.token)
            if flow.is_connected:
                return self.connected(submission.token, submission.browser)
            try:
                return self._connect(flow, submission, tries)
            except expected as error:
                if isinstance(error, InvitationEnded):
                    expected = (OvertakenBySomebody,)
        raise ProbesBusy

    def _check_mode(self) -> None:
        if self.mode is SignUp.OFF:
            raise SignUpOff

    def _connect(self, flow: Flow, submission: Submission, tries: "_Tries") -> Connected:
        provider = self._providers.sold.get(submission.provider)
        if provider is None:
            raise ProviderNotOffered
        keys = Keys(provider.name, _checked(provider, submission.settings))
        seen = self._connecting.merchant_of(flow.store, keys)
        if seen is None:
            return self._make(flow, submission, keys, tries)
        return self._renew(flow, submission, keys, seen, tries)

    def _make(self, flow: Flow, submission: Submission, keys: Keys, tries: "_Tries") -> Connected:
        """Make a merchant. If the company cannot be reached, nobody knows if the keys work."""
        is_needed = self.mode is SignUp.INVITE
        invitation = self._usable(flow, keys.provider, submission.invitation) if is_needed else None
        is_proven = tries.prove(Merchant(0, flow.store, keys.provider, keys.settings))
        name, code = self._connecting.make(submission.token, keys, invitation, submission.browser)
        return Connected(
            name, keys.provider, flow.return_url, code, is_new=True, is_proven=is_proven
        )

    def _renew(
        self,
        flow: Flow,
        submission: Submission,
        keys: Keys,
        seen: StoredMerchant,
        tries: "_Tries",
    ) -> Connected:
        """Connect a merchant again. Only keys that are proven replace its keys."""
        _check_usable(seen)
        before = seen.merchant.settings
        keys = replace(keys, settings={**before, **keys.settings})
        is_changed = keys.settings != before
        is_needed = is_changed and not self._providers[keys.provider].probe_proves_account
        invitation = self._usable(flow, keys.provider, submission.invitation) if is_needed else None
        is_proven = tries.prove(replace(seen.merchant, settings=keys.settings))
        if is_changed and not is_proven:
            raise KeysUnproven
        name, code = self._connecting.renew(
            submission.token, keys, seen, invitation, submission.browser
        )
        return Connected(name, keys.provider, flow.return_url, code, is_proven=is_proven)

    def _usable(self, flow: Flow, provider: str, code: str) -> str:
        """Return the code of an invitation that is good for this store and company.

        Raises InvitationNeeded, InvitationEnded, InvitationOfAnother.
        """
        if not code:
            raise InvitationNeeded
        if not self.invitation(code).fits(flow.store, provider):
            raise InvitationOfAnother
        return code


class _Tries:
    """Tries each set of keys once, even if a connection is begun anew.

    `count` counts a try. It raises TooManyRequests after too many.
    """

    def __init__(self, probe: CredentialProbe, count: Callable[[], None]) -> None:
        self._probe = probe
        self._count = count
        self._proven: dict[tuple[bool, frozenset[tuple[str, str]]], bool] = {}

    def prove(self, merchant: Merchant) -> bool:
        """Say whether the keys work. No: the company could not be asked.

        Raises KeysRefused, ProbesBusy, TooManyRequests.
        """
        key = (merchant.sandbox, frozenset(merchant.settings.items()))
        if key not in self._proven:
            self._proven[key] = self._try(merchant)
        return self._proven[key]

    def _try(self, merchant: Merchant) -> bool:
        self._count()
        try:
            self._probe.run(merchant)
        except ProviderBusy as error:
            raise ProbesBusy from error
        except (ProviderCredentials, ProviderRefused) as error:
            raise KeysRefused(merchant.redacted(error.evidence)) from error
        except ConnectorError:
            return False
        return True


def asked_settings(provider: type[Provider] | Provider) -> list[Setting]:
    """Return the settings that a person may give on the pages: none that says where money goes."""
    return [setting for setting in provider.settings if not setting.is_payout]


def _checked(provider: Provider, given: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that are given. Raises SettingsFaulty with every fault."""
    asked = {setting.key for setting in asked_settings(provider)}
    faults = provider.faults({key: value for key, value in given.items() if key in asked})
    if faults:
        raise SettingsFaulty(faults)
    return provider.check_settings({key: value for key, value in given.items() if key in asked})


def _check_usable(seen: StoredMerchant) -> None:
    if seen.is_disabled:
        raise MerchantDisabled
    if not seen.is_readable:
        raise ConfigurationError("No key of this server decrypts the settings of this merchant")
