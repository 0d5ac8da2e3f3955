"""The keys that encrypt merchants' settings and VTEX's callback addresses."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from connector.domain.errors import ConfigurationError
from connector.storage import private_files

KEY_FILE = "secret.key"
# A text that only its owner's keys decrypt begins so. Texts of older versions have no such prefix.
_OWNED_PREFIX = "2."
# Hex digits of a fingerprint: enough to tell two values of one setting apart.
FINGERPRINT_DIGITS = 12
_WRONG_KEYS = (
    "CONNECTOR_SECRET_KEYS: none of the keys decrypts what is stored; "
    "give the keys it was stored with too"
)


class Vault:
    """Encrypts with the newest key, and decrypts with any key.

    Each owner of a text has its own keys, derived from these keys. If somebody moves a text to the
    row of another owner, it cannot be decrypted there.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
            self._keys = [base64.urlsafe_b64decode(key) for key in keys]
            self._fingerprint_keys = [_derived(key, "fingerprints") for key in self._keys]
        except ValueError as error:
            raise ConfigurationError(f"{KEY_FILE} in the data directory is damaged") from error

    def encrypt(self, settings: Mapping[str, str], merchant: str) -> str:
        """Encrypt a merchant's settings."""
        return self.seal(json.dumps(dict(settings)), _settings_of(merchant))

    def decrypt(self, text: str, merchant: str) -> dict[str, str]:
        """Raises ConfigurationError when no key fits, or the settings are another merchant's."""
        plain = self.unseal(text, _settings_of(merchant))
        try:
            settings: dict[str, str] = json.loads(plain)
        except ValueError:
            # Somebody moved an address of an older version to this column.
            raise ConfigurationError(_WRONG_KEYS) from None
        return settings

    def seal_callback(self, url: str, merchant_id: int, payment_id: str) -> str:
        """Encrypt the address for VTEX's callbacks about a payment."""
        return self.seal(url, _callback_of(merchant_id, payment_id))

    def open_callback(self, text: str, merchant_id: int, payment_id: str) -> str:
        """Raises ConfigurationError when no key fits, or the address is another payment's."""
        return self.unseal(text, _callback_of(merchant_id, payment_id))

    def seal(self, text: str, owner: str) -> str:
        """Encrypt a text for its owner."""
        return _OWNED_PREFIX + self._keys_of(owner).encrypt(text.encode()).decode()

    def unseal(self, text: str, owner: str) -> str:
        """Raises ConfigurationError when no key fits, or the text is another owner's."""
        is_owned = text.startswith(_OWNED_PREFIX)
        fernet = self._keys_of(owner) if is_owned else self._fernet
        try:
            return fernet.decrypt(text.removeprefix(_OWNED_PREFIX).encode()).decode()
        except InvalidToken:
            raise ConfigurationError(_WRONG_KEYS) from None

    def cookie_keys(self) -> list[str]:
        """Return the keys that sign the cookies of pages, the newest first."""
        return [_derived(key, "cookies").decode() for key in self._keys]

    def is_newest(self, text: str, merchant: str) -> bool:
        """Whether the newest key encrypted the settings, for this merchant."""
        try:
            newest = Fernet(_derived(self._keys[0], _settings_of(merchant)))
            newest.decrypt(text.removeprefix(_OWNED_PREFIX).encode())
        except InvalidToken:
            return False
        return text.startswith(_OWNED_PREFIX)

    def fingerprint(self, name: str, value: str) -> str:
        """Return a fingerprint, by which values of a setting can be compared but not read.

        Without the keys nobody can find a value by trial.
        """
        return _fingerprint(self._fingerprint_keys[0], name, value)

    def fits(self, fingerprint: str, name: str, value: str) -> bool:
        """Whether a fingerprint belongs to this value, made with any of the keys."""
        return fingerprint in {_fingerprint(key, name, value) for key in self._fingerprint_keys}

    def _keys_of(self, owner: str) -> MultiFernet:
        return MultiFernet([Fernet(_derived(key, owner)) for key in self._keys])


def _settings_of(merchant: str) -> str:
    return f"settings of {merchant}"


def _callback_of(merchant_id: int, payment_id: str) -> str:
    return f"callback of {merchant_id}/{payment_id}"


def _derived(key: bytes, owner: str) -> bytes:
    """Derive a key for one purpose (RFC 5869)."""
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=owner.encode()).derive(key)
    return base64.urlsafe_b64encode(derived)


def _fingerprint(key: bytes, name: str, value: str) -> str:
    mac = hmac.new(key, f"{name}\0{value}".encode(), hashlib.sha256)
    return mac.hexdigest()[:FINGERPRINT_DIGITS]


def open_vault(keys: Sequence[str], data_dir: Path) -> Vault:
    """Make a vault from the configured keys, or from the key in the data directory.

    The first use makes that key, which only its owner may read. Two processes that start at the
    same time get the same key.
    """
    return Vault(keys or [_key_in(data_dir / KEY_FILE)])


def _key_in(path: Path) -> str:
    private_files.make_folder(path.parent, "CONNECTOR_DATA_DIR")
    if not path.is_symlink() and not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        private_files.write_new(draft, Fernet.generate_key())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return private_files.read(path).decode("ascii", "replace").strip()
