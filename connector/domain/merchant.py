"""A merchant, and its account at a provider."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connector.domain.money import ValueUnit

# In characters. Keys are much longer.
SHORTEST_SECRET = 8
# The merchant of VTEX's test suite. No other merchant can have this name. This merchant has no
# settings. Its provider is no company, so it is switched on only if a setting names it.
SUITE_NAME = "(test suite)"
SUITE_PROVIDER = "sandbox"


def notification_url(public_url: str, provider: str, merchant: str) -> str | None:
    """Return a merchant's address for notifications, by the merchant's name.

    None if nobody outside can reach this connector.
    """
    return f"{public_url}/webhooks/{provider}/{merchant}" if public_url else None


class CapturedPolicy(StrEnum):
    """The action of a cancellation when the money is already captured."""

    MANUAL = "manual"
    REFUND = "refund"


class SettingsFrom(StrEnum):
    """The source of a merchant's settings: a command of ours, or VTEX's requests."""

    CONNECTOR = "connector"
    VTEX = "vtex"


class SignUp(StrEnum):
    """Who may connect a company's account to a VTEX store without a command of the operator's."""

    INVITE = "invite"
    """Merchants with an invitation, and merchants that were connected before."""
    OPEN = "open"
    OFF = "off"


@dataclass(frozen=True)
class Account:
    """The values that a provider needs to act for a merchant, in the sandbox or not."""

    settings: Mapping[str, str] = field(repr=False)
    sandbox: bool = False


@dataclass(frozen=True)
class Merchant:
    """One shop's configuration."""

    id: int
    name: str
    provider: str
    settings: Mapping[str, str] = field(repr=False)
    sandbox: bool = False
    captured: CapturedPolicy = CapturedPolicy.MANUAL
    settings_from: SettingsFrom = SettingsFrom.CONNECTOR
    # The units in which VTEX certainly wrote the value of a cancellation.
    units_seen: frozenset[ValueUnit] = frozenset()

    def redacted(self, text: str, public_values: Collection[str] = ()) -> str:
        """Remove the settings from a text. A company may repeat them in its answer.

        A very short setting, such as an app's number, stays: it is no secret, and it may be part of
        any word. The `public_values` stay, too: they are options that anybody may choose.
        """
        for value in self.settings.values():
            if len(value) >= SHORTEST_SECRET and value not in public_values:
                text = text.replace(value, "...")
        return text

    def account(self, *, sandbox: bool) -> Account:
        return Account(settings=self.settings, sandbox=sandbox)
