"""The keys that encrypt merchants' settings and VTEX's callback addresses."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from connector.domain.errors import ConfigurationError

KEY_FILE = "secret.key"
_WRONG_KEYS = (
    "CONNECTOR_SECRET_KEYS: none of the keys decrypts what is stored; "
    "give the keys it was stored with too"
)


class Vault:
    """Encrypts with the newest key, decrypts with any."""

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            self._fernet = MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            raise ConfigurationError(f"{KEY_FILE} in the data directory is damaged") from error

    def encrypt(self, settings: Mapping[str, str]) -> str:
        return self._fernet.encrypt(json.dumps(dict(settings)).encode()).decode()

    def decrypt(self, text: str) -> dict[str, str]:
        """Raises ConfigurationError when none of the keys fits."""
        try:
            plain: dict[str, str] = json.loads(self._fernet.decrypt(text.encode()))
        except InvalidToken:
            raise ConfigurationError(_WRONG_KEYS) from None
        return plain

    def seal(self, text: str) -> str:
        """Encrypt a text."""
        return self._fernet.encrypt(text.encode()).decode()

    def unseal(self, text: str) -> str:
        """Raises ConfigurationError when none of the keys fits."""
        try:
            return self._fernet.decrypt(text.encode()).decode()
        except InvalidToken:
            raise ConfigurationError(_WRONG_KEYS) from None


def open_vault(keys: Sequence[str], data_dir: Path) -> Vault:
    """Open with the configured keys, else with the one kept in the data directory.

    That one is made on first use, readable by its owner only; two processes that start at once
    get the same one.
    """
    return Vault(keys or [_kept_key(data_dir / KEY_FILE)])


def _kept_key(path: Path) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"CONNECTOR_DATA_DIR: {path.parent}: {error.strerror}") from error
    if not path.exists():
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(Fernet.generate_key())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_bytes().decode("ascii", "replace").strip()
