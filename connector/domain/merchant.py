"""A merchant, and its account at a provider."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from connector.domain.money import ValueUnit

# Characters; keys are much longer.
SHORTEST_SECRET = 8
# The merchant of VTEX's test suite: no other can have this name, and it has no settings. And the
# provider that plays it: no company, so that it is on only where it is named.
SUITE_NAME = "(test suite)"
SUITE_PROVIDER = "sandbox"


class CapturedPolicy(StrEnum):
    """What a cancellation does when the money is already captured."""

    MANUAL = "manual"
    REFUND = "refund"


class SettingsFrom(StrEnum):
    """Whose word counts: what a command stored, or what VTEX sends with its requests."""

    CONNECTOR = "connector"
    VTEX = "vtex"


@dataclass(frozen=True)
class Account:
    """What a provider needs to act for a merchant: settings, and whether in its sandbox."""

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
    # In which units VTEX was seen to write the value of a cancellation.
    units_seen: frozenset[ValueUnit] = frozenset()

    def redacted(self, text: str, public_values: Collection[str] = ()) -> str:
        """Take the settings out of a text that a company may have repeated them in.

        A very short setting, such as an app's number, is no secret and could be any word, and
        so are the `known` ones, which anybody may choose.
        """
        for value in self.settings.values():
            if len(value) >= SHORTEST_SECRET and value not in public_values:
                text = text.replace(value, "...")
        return text

    def account(self, *, sandbox: bool) -> Account:
        return Account(settings=self.settings, sandbox=sandbox)
