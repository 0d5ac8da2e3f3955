import re
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from cryptography.fernet import Fernet

from connector.domain.errors import ConfigurationError, MerchantExists, UnknownMerchant
from connector.domain.merchant import CapturedPolicy, Merchant, SettingsFrom
from connector.storage.database import Database
from connector.storage.merchants import Merchants
from connector.storage.stored_merchant import Credentials, StoredMerchant, digest
from connector.storage.vault import Vault

SETTINGS = {"pos_id": "pos-1", "api_secret": "a-very-secret-word-4711"}
OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    database = Database(
        migrated_url.replace("postgresql://", "postgresql+psycopg://"), pool_size=60
    )
    yield database
    database.close()


@pytest.fixture
def merchants(database: Database) -> Merchants:
    return Merchants(database, Vault([OLD]))


def add(merchants: Merchants, name: str = "shop") -> Credentials:
    return merchants.add(name, "tranzzo", SETTINGS, sandbox=True, captured=CapturedPolicy.REFUND)


def raw_contents(url: str) -> bytes:
    """Everything the database holds, as whoever steals it sees it."""
    if url.startswith("sqlite"):
        files = Path(urlsplit(url).path).parent.glob("connector.db*")
        return b"".join(path.read_bytes() for path in files)
    held = []
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in tables.fetchall():
            rows = connection.execute(f"SELECT * FROM {table}")  # noqa: S608
            held.append(repr(rows.fetchall()).encode())
    return b"".join(held)


def test_a_merchant_is_found_as_it_was_added(merchants: Merchants) -> None:
    made = add(merchants)
    expected = Merchant(1, "shop", "tranzzo", SETTINGS, True, CapturedPolicy.REFUND)  # noqa: FBT003
    assert StoredMerchant(expected, made.app_key, is_disabled=False) == merchants.find("shop")
    (listed,) = merchants.all()
    assert (expected, (digest(made.app_token),)) == (listed.merchant, listed.digests)


def test_keys_and_tokens_are_random_and_fit_for_a_header(merchants: Merchants) -> None:
    made = [add(merchants, f"shop-{number}") for number in range(20)]
    assert 40 == len({one.app_key for one in made} | {one.app_token for one in made})
    for one in made:
        assert re.fullmatch(r"[0-9a-f]{32}", one.app_key)
        # 43 characters of base64 are 256 bits.
        assert re.fullmatch(r"[A-Za-z0-9_-]{43}", one.app_token)


def test_a_name_is_given_once(merchants: Merchants) -> None:
    first = add(merchants)
    with pytest.raises(MerchantExists, match="shop"):
        add(merchants)
    (entry,) = merchants.all()
    assert (first.app_key, 1) == (entry.app_key, len(entry.digests))


def test_of_twenty_who_add_one_name_one_succeeds(merchants: Merchants) -> None:
    found: list[str] = []

    def run() -> None:
        try:
            add(merchants)
            found.append("added")
        except MerchantExists:
            found.append("refused")

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {"added": 1, "refused": 19} == Counter(found)
    (entry,) = merchants.all()
    assert 1 == len(entry.digests)


def test_nothing_secret_is_readable_in_the_database(
    merchants: Merchants, migrated_url: str
) -> None:
    made = add(merchants)
    second = merchants.rotate_token("shop")
    merchants.update("shop", SETTINGS | {"api_secret": "the-next-secret-4712"})
    held = raw_contents(migrated_url)
    assert made.app_key.encode() in held
    for secret in (made.app_token, second.app_token, *SETTINGS.values(), "the-next-secret-4712"):
        assert secret.encode() not in held


def test_an_update_replaces_the_settings_and_nothing_else(merchants: Merchants) -> None:
    made = add(merchants)
    merchants.update("shop", {"api_secret": "new"})
    (entry,) = merchants.all()
    assert {"api_secret": "new"} == entry.merchant.settings
    assert (made.app_key, (digest(made.app_token),)) == (entry.app_key, entry.digests)


@pytest.mark.parametrize(
    ("changes", "settings", "sandbox", "captured"),
    [
        ({}, SETTINGS, True, "refund"),
        ({"sandbox": False}, SETTINGS, False, "refund"),
        ({"captured": CapturedPolicy.MANUAL}, SETTINGS, True, "manual"),
        ({"settings": {}}, {}, True, "refund"),
        ({"settings": {"a": "b"}, "sandbox": False}, {"a": "b"}, False, "refund"),
    ],
)
def test_an_update_leaves_what_is_not_given(
    merchants: Merchants, changes: Any, settings: Any, sandbox: bool, captured: str
) -> None:
    made = add(merchants)
    add(merchants, "zoo")
    merchants.update("shop", **changes)
    changed = Merchant(1, "shop", "tranzzo", settings, sandbox, CapturedPolicy(captured))
    assert StoredMerchant(changed, made.app_key, is_disabled=False) == merchants.find("shop")
    other = Merchant(2, "zoo", "tranzzo", SETTINGS, True, CapturedPolicy.REFUND)  # noqa: FBT003
    assert other == merchants.find("zoo").merchant


def test_a_rotation_keeps_the_last_two_tokens(merchants: Merchants) -> None:
    tokens = [add(merchants).app_token]
    for _ in range(3):
        tokens.append(merchants.rotate_token("shop").app_token)
        (entry,) = merchants.all()
        assert {digest(token) for token in tokens[-2:]} == set(entry.digests)


# The VTEX account and the account at the company.


@pytest.fixture
def with_accounts(database: Database) -> Merchants:
    return Merchants(database, Vault([OLD]), {"tranzzo": "pos_id"})


def add_to_store(
    merchants: Merchants, name: str, pos_id: str | None, origin: SettingsFrom
) -> Credentials:
    settings = {"pos_id": pos_id} if pos_id else {}
    return merchants.add(
        name,
        "tranzzo",
        settings,
        sandbox=False,
        captured=CapturedPolicy.MANUAL,
        settings_from=origin,
        store="mystore",
    )


def test_fields_of_vtexs_change_the_account(with_accounts: Merchants) -> None:
    add_to_store(with_accounts, "shop", None, SettingsFrom.VTEX)
    assert with_accounts.find("shop").account is None
    assert with_accounts.take_fields("shop", {"pos_id": "pos-2"})
    assert "pos-2" == with_accounts.find("shop").account


def test_fields_of_vtexs_that_name_the_account_of_another_stop_nothing(
    with_accounts: Merchants,
) -> None:
    """The merchant works with them, but it is found by its name only."""
    add_to_store(with_accounts, "shop", "pos-1", SettingsFrom.CONNECTOR)
    add_to_store(with_accounts, "second", "pos-2", SettingsFrom.VTEX)
    assert with_accounts.take_fields("second", {"pos_id": "pos-1"})
    found = with_accounts.find("second")
    assert ("pos-1", None) == (found.merchant.settings["pos_id"], found.account)
    assert "pos-1" == with_accounts.find("shop").account


def test_an_account_is_the_same_in_capitals(with_accounts: Merchants) -> None:
    add_to_store(with_accounts, "shop", "pos-1", SettingsFrom.CONNECTOR)
    with pytest.raises(MerchantExists):
        add_to_store(with_accounts, "second", "POS-1", SettingsFrom.CONNECTOR)
    assert "pos-1" == with_accounts.find("shop").account


def test_two_merchants_without_an_account_are_no_conflict(with_accounts: Merchants) -> None:
    for name in ("shop", "second"):
        add_to_store(with_accounts, name, None, SettingsFrom.VTEX)
    add_to_store(with_accounts, "third", "pos-1", SettingsFrom.CONNECTOR)
    with pytest.raises(MerchantExists, match="mystore"):
        add_to_store(with_accounts, "fourth", "pos-1", SettingsFrom.CONNECTOR)


def test_a_disabled_merchant_stays_with_its_settings(merchants: Merchants) -> None:
    add(merchants)
    merchants.disable("shop")
    merchants.disable("shop")
    (entry,) = merchants.all()
    assert (True, SETTINGS) == (entry.is_disabled, entry.merchant.settings)


def test_a_merchant_is_enabled_with_all_that_it_had(merchants: Merchants) -> None:
    add(merchants)
    add(merchants, "other")
    before = merchants.all()
    merchants.enable("shop")
    merchants.disable("shop")
    merchants.disable("other")
    for _ in range(2):
        merchants.enable("shop")
    other, shop = merchants.all()
    assert (before[1], True) == (shop, other.is_disabled)


@pytest.mark.parametrize("verb", ["find", "rotate_token", "disable", "enable"])
def test_a_name_that_is_not_there_is_said(merchants: Merchants, verb: str) -> None:
    with pytest.raises(UnknownMerchant, match="nobody"):
        getattr(merchants, verb)("nobody")
    with pytest.raises(UnknownMerchant, match="nobody"):
        merchants.update("nobody", {})
    assert [] == merchants.all()


def test_every_change_of_any_merchant_changes_the_revision(merchants: Merchants) -> None:
    seen = [merchants.revision()]
    add(merchants)
    seen.append(merchants.revision())
    add(merchants, "other")
    seen.append(merchants.revision())
    for name in ("shop", "other", "shop"):
        for change in (
            lambda name=name: merchants.update(name, SETTINGS),
            lambda name=name: merchants.rotate_token(name),
            lambda name=name: merchants.disable(name),
            lambda name=name: merchants.enable(name),
            lambda name=name: merchants.update(name, sandbox=False),
        ):
            change()
            seen.append(merchants.revision())
    assert len(seen) == len(set(seen))
    assert seen[-1] == merchants.revision()


def test_a_new_key_reads_what_the_old_one_wrote(database: Database, merchants: Merchants) -> None:
    add(merchants)
    rotated = Merchants(database, Vault([NEW, OLD]))
    assert SETTINGS == rotated.find("shop").merchant.settings
    rotated.update("shop", SETTINGS)
    assert SETTINGS == Merchants(database, Vault([NEW])).find("shop").merchant.settings


def test_a_wrong_key_is_a_matter_of_the_configuration(
    database: Database, merchants: Merchants
) -> None:
    name = add(merchants).merchant
    with_another_key = Merchants(database, Vault([NEW]))
    with pytest.raises(ConfigurationError, match=f"CONNECTOR_SECRET_KEYS.*{name}"):
        with_another_key.check_keys()


def test_a_wrong_key_costs_only_the_merchants_that_need_another(
    database: Database, merchants: Merchants
) -> None:
    add(merchants)
    with_another_key = Merchants(database, Vault([NEW]))
    with_another_key.update("shop", {"api_key": "new"})
    add(merchants, name="second")
    found = {entry.merchant.name: entry.is_readable for entry in with_another_key.all()}
    assert {"shop": True, "second": False} == found


def test_a_token_of_any_characters_has_a_digest() -> None:
    assert "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" == digest("abc")
    assert 3 == len({digest(text) for text in ("\xe9", "\ud800", "")})


def test_nothing_secret_is_shown_by_a_merchant(merchants: Merchants) -> None:
    add(merchants)
    (entry,) = merchants.all()
    for shown in (repr(entry.merchant), repr(entry.merchant.account(sandbox=True))):
        assert not [value for value in SETTINGS.values() if value in shown]
