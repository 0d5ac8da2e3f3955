import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connector.domain.errors import ConfigurationError
from connector.storage.vault import Vault, open_vault

SETTINGS = {"api_key": "a-very-secret-key", "pos_id": "п-1"}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
READ_THE_KEY = """
import sys
from pathlib import Path
from connector.storage.vault import open_vault
print("ready", flush=True)
sys.stdin.readline()
open_vault((), Path(sys.argv[1]))
print((Path(sys.argv[1]) / "secret.key").read_text(), end="")
"""


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_what_is_encrypted_is_decrypted(tmp_path: Path) -> None:
    vault = open_vault([OLD], tmp_path)
    assert SETTINGS == vault.decrypt(vault.encrypt(SETTINGS))


def test_the_encrypted_text_shows_nothing() -> None:
    text = Vault([OLD]).encrypt(SETTINGS)
    assert text.isascii()
    for word in ("secret", "api_key", "pos_id"):
        assert word not in text
    assert text != Vault([OLD]).encrypt(SETTINGS)


@pytest.mark.parametrize("text", ["", "https://shop.vtexpayments.com.br/callback?a=1&b=é", "\0"])
def test_a_text_that_was_sealed_is_unsealed(text: str) -> None:
    vault = Vault([OLD])
    sealed = vault.seal(text)
    assert text == vault.unseal(sealed)
    assert sealed.isascii()
    assert "vtexpayments" not in sealed
    assert sealed != vault.seal(text)


def test_a_new_key_seals_and_the_old_one_still_unseals() -> None:
    sealed = Vault([OLD]).seal("address")
    both = Vault([NEW, OLD])
    assert "address" == both.unseal(sealed)
    assert "address" == Vault([NEW]).unseal(both.seal("address"))


BROKEN = ["", "no token", "gAAAAA", "\u00e9"]


@pytest.mark.parametrize("text", [*BROKEN, pytest.param(Vault([NEW]).seal("a"), id="another")])
def test_what_no_key_unseals_is_a_matter_of_the_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault([OLD]).unseal(text)
    assert "CONNECTOR_SECRET_KEYS" in str(caught.value)
    assert OLD not in str(caught.value)


def test_a_new_key_comes_first_and_the_old_one_still_reads() -> None:
    kept = Vault([OLD]).encrypt(SETTINGS)
    both = Vault([NEW, OLD])
    assert SETTINGS == both.decrypt(kept)
    assert SETTINGS == Vault([NEW]).decrypt(both.encrypt(SETTINGS))


ANOTHERS = pytest.param(Vault([NEW]).encrypt(SETTINGS), id="another")


@pytest.mark.parametrize("text", [*BROKEN[:3], ANOTHERS])
def test_what_no_key_reads_is_a_matter_of_the_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault([OLD]).decrypt(text)
    assert "CONNECTOR_SECRET_KEYS" in str(caught.value)
    assert OLD not in str(caught.value)


def test_a_changed_text_is_not_read() -> None:
    text = Vault([OLD]).encrypt(SETTINGS)
    changed = text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]
    with pytest.raises(ConfigurationError):
        Vault([OLD]).decrypt(changed)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    kept = open_vault((), folder).encrypt(SETTINGS)
    key = folder / "secret.key"
    assert 0o600 == key.stat().st_mode & 0o777
    assert 0o700 == folder.stat().st_mode & 0o777
    assert ["secret.key"] == names_in(folder)
    assert SETTINGS == open_vault((), folder).decrypt(kept)


def test_the_kept_key_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        open_vault((), tmp_path)
    finally:
        os.umask(before)
    assert 0o600 == (tmp_path / "secret.key").stat().st_mode & 0o777


def test_no_key_is_made_where_keys_are_given(tmp_path: Path) -> None:
    open_vault([OLD], tmp_path)
    assert [] == names_in(tmp_path)


def test_processes_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", READ_THE_KEY, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen(command, **pipes) for _ in range(6)]  # type: ignore[call-overload]
    for process in started:
        assert process.stdout.readline() == b"ready\n"
    for process in started:
        process.stdin.write(b"\n")
        process.stdin.flush()
    ends = [process.communicate() for process in started]
    kept = (tmp_path / "secret.key").read_bytes()
    assert [(kept, b"")] * 6 == ends
    assert ["secret.key"] == names_in(tmp_path)


def test_threads_that_start_at_once_get_one_key(tmp_path: Path) -> None:
    """As two containers do whose processes have the same number."""
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        ready = threading.Barrier(8)
        kept: list[str] = []
        failures: list[BaseException] = []

        def run(
            folder: Path = folder,
            ready: threading.Barrier = ready,
            kept: list[str] = kept,
            failures: list[BaseException] = failures,
        ) -> None:
            ready.wait()
            try:
                kept.append(open_vault((), folder).encrypt(SETTINGS))
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == failures
        assert [SETTINGS] * 8 == [open_vault((), folder).decrypt(text) for text in kept]


@pytest.mark.parametrize("content", ["", "no key", "A" * 44])
def test_a_damaged_key_file_is_a_matter_of_the_configuration(tmp_path: Path, content: str) -> None:
    (tmp_path / "secret.key").write_text(content)
    with pytest.raises(ConfigurationError, match=r"secret\.key"):
        open_vault((), tmp_path)
