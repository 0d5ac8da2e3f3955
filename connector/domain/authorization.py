"""VTEX's configuration flow: how long its parts live, and why a merchant cannot connect."""

import re
from dataclasses import dataclass, field

from connector.domain.errors import ConnectorError, InvalidRequest

# Seconds in which a merchant can connect. Meanwhile merchants fetch keys from another console.
TOKEN_SECONDS = 60 * 60.0
# The name of a VTEX account, or the host of a store in CONNECTOR_RETURN_HOSTS.
STORE = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
# Days of the longest invitation, and of the usual one.
MOST_DAYS, USUAL_DAYS = 365, 7
# Seconds in which VTEX can fetch an AppKey and AppToken with a code.
CODE_SECONDS = 10 * 60.0


@dataclass(frozen=True)
class Flow:
    """A configuration flow that VTEX began for the VTEX account `store`.

    When a merchant is connected, `merchant` and `provider` are set; `token_id`, the row of its
    AppToken; and `browser`, the SHA-256 of a secret of the browser that did it. Instants are
    seconds since 1970.
    """

    id: int
    store: str
    return_url: str = field(repr=False)
    expires_at: float
    token_id: int | None = None
    merchant: str | None = None
    provider: str | None = None
    browser: str | None = field(default=None, repr=False)

    @property
    def is_connected(self) -> bool:
        return self.token_id is not None


@dataclass(frozen=True)
class Invitation:
    """An invitation to connect. None for `store` or `provider` means: any.

    Instants are seconds since 1970.
    """

    id: int
    store: str | None
    provider: str | None
    actor: str
    created_at: float
    expires_at: float
    used_at: float | None = None
    merchant: str | None = None

    def fits(self, store: str, provider: str) -> bool:
        return self.store in {None, store} and self.provider in {None, provider}


def invitation_link(url: str, code: str) -> str:
    """Return the link by which a merchant connects itself. `url` is that of this connector."""
    return f"{url.rstrip('/')}/authorization/invitation?invitation={code}"


@dataclass(frozen=True)
class Connected:
    """A connected merchant, and the way back to VTEX's Admin: the `return_url` with the `code`.

    `is_proven` is false if the company could not be reached, so that nobody knows if the keys work.
    """

    merchant: str
    provider: str
    return_url: str = field(repr=False)
    code: str = field(repr=False)
    is_new: bool = False
    is_proven: bool = True


# What VTEX, or a browser, is told.


class SignUpOff(ConnectorError):
    """Merchants cannot connect themselves here: CONNECTOR_SIGNUP is off."""

    code = "signup-off"


class ReturnUrlRefused(InvalidRequest):
    """The returnUrl is not an address of VTEX's."""


class AuthorizationEnded(ConnectorError):
    """This authorization is unknown or has ended; start again in VTEX's Admin."""

    code = "authorization-ended"


class AuthorizationDone(AuthorizationEnded):
    """The merchant is connected, and VTEX already uses its keys."""


class AuthorizationElsewhere(AuthorizationEnded):
    """The merchant was connected in another browser; go on there, or start again in the Admin."""


# What a person is told who cannot connect now.


class NotConnected(ConnectorError):
    """The merchant was not connected."""

    code = "not-connected"


class ProviderNotOffered(NotConnected):
    """The connector does not offer this company."""


class SettingsFaulty(NotConnected):
    """Settings are missing or wrong. `faults` has a text for each key of a wrong setting."""

    def __init__(self, faults: dict[str, str]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{key}: {fault}" for key, fault in faults.items()))


class KeysRefused(NotConnected):
    """The company refused the keys.

    `word` is the company's word, without secrets.
    """

    def __init__(self, word: str) -> None:
        self.word = word
        super().__init__(evidence=word)


class KeysUnproven(NotConnected):
    """The company cannot be reached, so the new keys cannot be tried; the present keys stay."""


class ProbesBusy(NotConnected):
    """Too many keys of this company are being tried; try again in a minute."""


class InvitationNeeded(NotConnected):
    """A first connection needs an invitation of the operator's."""


class InvitationEnded(NotConnected):
    """The invitation is unknown, was used, or has ended."""


class InvitationOfAnother(NotConnected):
    """The invitation is for another VTEX account, or for another company."""


class MerchantDisabled(NotConnected):
    """The operator disabled this merchant; ask the operator to enable it."""
