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
# How a text begins that only its owner's keys decrypt. What older versions wrote begins otherwise.
_BOUND = "2."
# Hex digits of a fingerprint: enough to tell two values of one setting apart.
FINGERPRINT_DIGITS = 12
_WRONG_KEYS = (
    "CONNECTOR_SECRET_KEYS: none of the keys decrypts what is stored; "
    "give the keys it was stored with too"
)


class Vault:
    """Encrypts with the newest key, decrypts with any.

    Each owner has keys of its own, derived from these: a text that was moved to another owner's
    row is not decrypted there.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
            self._keys = [base64.urlsafe_b64decode(key) for key in keys]
            self._printers = [_derived(key, "fingerprints") for key in self._keys]
        except ValueError as error:
            raise ConfigurationError(f"{KEY_FILE} in the data directory is damaged") from error

    def encrypt(self, settings: Mapping[str, str], merchant: str) -> str:
        """Encrypt a merchant's settings."""
        return self.seal(json.dumps(dict(settings)), _settings_of(merchant))

    def decrypt(self, text: str, merchant: str) -> dict[str, str]:
        """Raises ConfigurationError when none of the keys fits, or they are another merchant's."""
        plain = self.unseal(text, _settings_of(merchant))
        try:
            read: dict[str, str] = json.loads(plain)
        except ValueError:
            # An address that an older version wrote, and somebody moved here.
            raise ConfigurationError(_WRONG_KEYS) from None
        return read

    def seal_callback(self, url: str, merchant_id: int, payment_id: str) -> str:
        """Encrypt the address at which VTEX wants news of a payment."""
        return self.seal(url, _callback_of(merchant_id, payment_id))

    def open_callback(self, text: str, merchant_id: int, payment_id: str) -> str:
        """Raises ConfigurationError when none of the keys fits, or it is another payment's."""
        return self.unseal(text, _callback_of(merchant_id, payment_id))

    def seal(self, text: str, owner: str) -> str:
        """Encrypt a text for its owner."""
        return _BOUND + self._of(owner).encrypt(text.encode()).decode()

    def unseal(self, text: str, owner: str) -> str:
        """Raises ConfigurationError when none of the keys fits, or the text is another owner's."""
        bound = text.startswith(_BOUND)
        fernet = self._of(owner) if bound else self._fernet
        try:
            return fernet.decrypt(text.removeprefix(_BOUND).encode()).decode()
        except InvalidToken:
            raise ConfigurationError(_WRONG_KEYS) from None

    def is_newest(self, text: str, merchant: str) -> bool:
        """Whether settings are bound to their merchant, by the newest key."""
        try:
            newest = Fernet(_derived(self._keys[0], _settings_of(merchant)))
            newest.decrypt(text.removeprefix(_BOUND).encode())
        except InvalidToken:
            return False
        return text.startswith(_BOUND)

    def fingerprint(self, name: str, value: str) -> str:
        """Tell two values of a setting apart without showing them.

        Without the keys a value cannot be found by trying.
        """
        return _fingerprint(self._printers[0], name, value)

    def fits(self, fingerprint: str, name: str, value: str) -> bool:
        """Whether a fingerprint, made with any of the keys, is of this value."""
        return fingerprint in {_fingerprint(key, name, value) for key in self._printers}

    def _of(self, owner: str) -> MultiFernet:
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
    keyed = hmac.new(key, f"{name}\0{value}".encode(), hashlib.sha256)
    return keyed.hexdigest()[:FINGERPRINT_DIGITS]


def open_vault(keys: Sequence[str], data_dir: Path) -> Vault:
    """Open with the configured keys, else with the one kept in the data directory.

    That one is made on first use, readable by its owner only; two processes that start at once
    get the same one.
    """
    return Vault(keys or [_kept_key(data_dir / KEY_FILE)])


def _kept_key(path: Path) -> str:
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
