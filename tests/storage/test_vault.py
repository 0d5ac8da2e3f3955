import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from connector.domain.errors import ConfigurationError
from connector.storage import private_files
from connector.storage.database import Database
from connector.storage.vault import Vault, open_vault

SETTINGS = {"api_key": "a-very-secret-key", "pos_id": "п-1"}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
READ_THE_KEY = """
import sys
from pathlib import Path
from connector.storage import private_files
from connector.storage.database import Database
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
    assert SETTINGS == vault.decrypt(vault.encrypt(SETTINGS, "shop"), "shop")


def test_the_encrypted_text_shows_nothing() -> None:
    text = Vault([OLD]).encrypt(SETTINGS, "shop")
    assert text.isascii()
    for word in ("secret", "api_key", "pos_id"):
        assert word not in text
    assert text != Vault([OLD]).encrypt(SETTINGS, "shop")


@pytest.mark.parametrize("text", ["", "https://shop.vtexpayments.com.br/callback?a=1&b=é", "\0"])
def test_a_text_that_was_sealed_is_unsealed(text: str) -> None:
    vault = Vault([OLD])
    sealed = vault.seal(text, "owner")
    assert text == vault.unseal(sealed, "owner")
    assert sealed.isascii()
    assert "vtexpayments" not in sealed
    assert sealed != vault.seal(text, "owner")


def test_a_new_key_seals_and_the_old_one_still_unseals() -> None:
    sealed = Vault([OLD]).seal("address", "owner")
    both = Vault([NEW, OLD])
    assert "address" == both.unseal(sealed, "owner")
    assert "address" == Vault([NEW]).unseal(both.seal("address", "owner"), "owner")


BROKEN = ["", "no token", "gAAAAA", "\u00e9"]


@pytest.mark.parametrize(
    "text", [*BROKEN, pytest.param(Vault([NEW]).seal("a", "owner"), id="another")]
)
def test_what_no_key_unseals_is_a_matter_of_the_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault([OLD]).unseal(text, "owner")
    assert "CONNECTOR_SECRET_KEYS" in str(caught.value)
    assert OLD not in str(caught.value)


def test_a_new_key_comes_first_and_the_old_one_still_reads() -> None:
    kept = Vault([OLD]).encrypt(SETTINGS, "shop")
    both = Vault([NEW, OLD])
    assert SETTINGS == both.decrypt(kept, "shop")
    assert SETTINGS == Vault([NEW]).decrypt(both.encrypt(SETTINGS, "shop"), "shop")


ANOTHERS = pytest.param(Vault([NEW]).encrypt(SETTINGS, "shop"), id="another")


@pytest.mark.parametrize("text", [*BROKEN[:3], ANOTHERS])
def test_what_no_key_reads_is_a_matter_of_the_configuration(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Vault([OLD]).decrypt(text, "shop")
    assert "CONNECTOR_SECRET_KEYS" in str(caught.value)
    assert OLD not in str(caught.value)


def test_a_changed_text_is_not_read() -> None:
    text = Vault([OLD]).encrypt(SETTINGS, "shop")
    changed = text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]
    with pytest.raises(ConfigurationError):
        Vault([OLD]).decrypt(changed, "shop")


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    kept = open_vault((), folder).encrypt(SETTINGS, "shop")
    key = folder / "secret.key"
    assert 0o600 == key.stat().st_mode & 0o777
    assert 0o700 == folder.stat().st_mode & 0o777
    assert ["secret.key"] == names_in(folder)
    assert SETTINGS == open_vault((), folder).decrypt(kept, "shop")


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


@pytest.mark.slow
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
                kept.append(open_vault((), folder).encrypt(SETTINGS, "shop"))
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [] == failures
        assert [SETTINGS] * 8 == [open_vault((), folder).decrypt(text, "shop") for text in kept]


@pytest.mark.parametrize("content", ["", "no key", "A" * 44])
def test_a_damaged_key_file_is_a_matter_of_the_configuration(tmp_path: Path, content: str) -> None:
    private_files.write(tmp_path / "secret.key", content.encode())
    with pytest.raises(ConfigurationError, match=r"secret\.key"):
        open_vault((), tmp_path)


# A text is its owner's alone.


@pytest.mark.parametrize("owner", ["", "shop2", "sho", "SHOP", "settings of shop"])
def test_what_is_moved_to_another_owner_is_not_decrypted(owner: str) -> None:
    vault = Vault([NEW, OLD])
    with pytest.raises(ConfigurationError, match="CONNECTOR_SECRET_KEYS"):
        vault.decrypt(vault.encrypt(SETTINGS, "shop"), owner)


def test_a_bound_text_does_not_pass_for_one_of_an_older_version() -> None:
    vault = Vault([OLD])
    bound = vault.encrypt(SETTINGS, "shop")
    with pytest.raises(ConfigurationError):
        vault.decrypt(bound.removeprefix("2."), "shop")


def test_a_callback_is_of_its_merchant_and_its_payment() -> None:
    vault = Vault([OLD])
    sealed = vault.seal_callback("https://vtex", 1, "P1")
    assert "https://vtex" == vault.open_callback(sealed, 1, "P1")
    for merchant_id, payment_id in ((2, "P1"), (1, "P2"), (11, "P1")):
        with pytest.raises(ConfigurationError):
            vault.open_callback(sealed, merchant_id, payment_id)


def test_what_an_older_version_wrote_is_read_until_it_is_written_anew() -> None:
    vault = Vault([NEW, OLD])
    older = Fernet(OLD).encrypt(json.dumps(SETTINGS).encode()).decode()
    assert SETTINGS == vault.decrypt(older, "shop")
    assert "https://vtex" == vault.open_callback(
        Fernet(OLD).encrypt(b"https://vtex").decode(), 1, "P"
    )
    texts = [older, Vault([OLD]).encrypt(SETTINGS, "shop"), vault.encrypt(SETTINGS, "zoo")]
    assert [False] * 3 == [vault.is_newest(text, "shop") for text in texts]
    assert vault.is_newest(vault.encrypt(SETTINGS, "shop"), "shop")


# Fingerprints


def test_a_fingerprint_tells_values_settings_and_keys_apart() -> None:
    vault = Vault([OLD])
    assert vault.fingerprint("api_key", "a") == vault.fingerprint("api_key", "a")
    made = [
        vault.fingerprint("api_key", "a"),
        vault.fingerprint("api_key", "b"),
        vault.fingerprint("pos_id", "a"),
        Vault([NEW]).fingerprint("api_key", "a"),
    ]
    assert 4 == len(set(made))
    assert [12] * 4 == [len(one) for one in made]


def test_a_fingerprint_made_with_an_older_key_still_fits() -> None:
    older = Vault([OLD]).fingerprint("api_key", "a")
    vault = Vault([NEW, OLD])
    assert vault.fits(older, "api_key", "a")
    assert not vault.fits(older, "api_key", "b")
    assert not Vault([NEW]).fits(older, "api_key", "a")


# Files that others could read or put there


def test_a_key_file_that_others_may_read_is_refused_with_what_to_run(tmp_path: Path) -> None:
    open_vault((), tmp_path)
    key = tmp_path / "secret.key"
    for mode in (0o640, 0o604, 0o660):
        key.chmod(mode)
        with pytest.raises(ConfigurationError, match=f"chmod 600 {key}"):
            open_vault((), tmp_path)
    key.chmod(0o400)
    open_vault((), tmp_path)


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_in_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "data"
    open_vault((), folder)
    folder.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"chmod go-w {folder}"):
        open_vault((), folder)
    folder.chmod(0o755)
    open_vault((), folder)


def test_a_key_file_that_is_a_link_is_refused(tmp_path: Path) -> None:
    open_vault((), tmp_path / "other")
    (tmp_path / "data").mkdir(0o700)
    for target in (tmp_path / "other" / "secret.key", tmp_path / "nothing"):
        link = tmp_path / "data" / "secret.key"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        with pytest.raises(ConfigurationError, match="it is a link"):
            open_vault((), tmp_path / "data")


def test_a_key_file_that_is_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret.key", 0o600)
    with pytest.raises(ConfigurationError, match="it is no file"):
        open_vault((), tmp_path)


def test_what_belongs_to_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_vault((), tmp_path)
    # As root can do: the same files, seen by somebody else.
    monkeypatch.setattr("connector.storage.private_files._ROOT", -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ConfigurationError, match="belongs to user"):
        open_vault((), tmp_path)


def test_a_lock_that_an_older_version_left_readable_is_closed(tmp_path: Path) -> None:
    lock = tmp_path / "connector.db.lock"
    lock.touch(0o644)
    Database(f"sqlite:///{tmp_path}/connector.db").close()
    assert 0o600 == lock.stat().st_mode & 0o777


@pytest.mark.parametrize("plant", ["link", "open"])
def test_a_lock_that_others_planted_is_refused(tmp_path: Path, plant: str) -> None:
    lock = tmp_path / "connector.db.lock"
    if plant == "link":
        lock.symlink_to(tmp_path / "elsewhere")
    else:
        lock.touch()
        lock.chmod(0o666)
    with pytest.raises(ConfigurationError, match="lock"):
        Database(f"sqlite:///{tmp_path}/connector.db")
    assert not (tmp_path / "elsewhere").exists()
