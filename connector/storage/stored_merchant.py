"""What a merchant is as stored, and as VTEX's Admin needs it."""

import hashlib
from dataclasses import dataclass

from connector.domain.merchant import Merchant


@dataclass(frozen=True)
class Credentials:
    """What VTEX's Admin needs. The AppToken is known only here and now."""

    merchant: str
    provider: str
    app_key: str
    app_token: str


@dataclass(frozen=True)
class StoredMerchant:
    """A merchant as stored, with how it is recognised: `digests` are SHA-256 in hex.

    One whose settings none of our keys decrypts is not readable, and has none. `fields_differ`
    names the settings for which VTEX last sent other values than are stored.
    """

    merchant: Merchant
    app_key: str
    is_disabled: bool
    digests: tuple[str, ...] = ()
    is_readable: bool = True
    fields_differ: tuple[str, ...] = ()


def digest(token: str) -> str:
    """Hash an AppToken. It has 256 random bits, so that one plain round is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
