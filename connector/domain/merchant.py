"""A merchant, and its account at a provider."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CapturedPolicy(StrEnum):
    """What a cancellation does when the money is already captured."""

    MANUAL = "manual"
    REFUND = "refund"


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

    def account(self, *, sandbox: bool) -> Account:
        return Account(settings=self.settings, sandbox=sandbox)
