"""The list of merchants: its pages, the last request of each, and AppTokens that end no other."""

from collections.abc import Iterator

import pytest

from connector.domain.page_errors import AlreadyRotated
from connector.storage import merchant_list
from connector.storage.merchant_list import MerchantList
from connector.storage.merchants import Merchants
from connector.storage.stored_merchant import digest
from tests.storage.plans import add_many_requests, plan, wholly_read
from tests.storage.store import Store, asked, told
from tests.storage.test_overview import add


@pytest.fixture
def merchants(store: Store) -> Merchants:
    return store.merchants


@pytest.fixture
def listed(store: Store) -> Iterator[MerchantList]:
    return MerchantList(store.database, store.vault)


def names(listed: MerchantList, most: int = 50, **filters: object) -> list[str]:
    return [one.stored.merchant.name for one in listed.page(most, **filters)]  # type: ignore[arg-type]


def test_merchants_are_listed_by_name_in_pages(listed: MerchantList) -> None:
    assert ["other", "shop"] == names(listed)
    assert ["other"] == names(listed, 1)
    assert ["shop"] == names(listed, 1, after="other")
    assert [] == names(listed, after="shop")


def test_a_merchants_person_gets_only_that_merchant(listed: MerchantList) -> None:
    assert ["shop"] == names(listed, merchant_id=1)
    assert [] == names(listed, merchant_id=1, text="other")
    assert [] == names(listed, merchant_id=3)


@pytest.mark.parametrize("text", ["SHO", "shop", "tranz", "my-store", "Shop Tranzzo"])
def test_a_merchant_is_found_by_name_provider_and_store(
    store: Store, listed: MerchantList, text: str
) -> None:
    store.run("UPDATE merchants SET provider = 'tranzzo', store = 'my-store' WHERE id = 1")
    assert ["shop"] == names(listed, text=text)


@pytest.mark.parametrize("text", ["%", "_", "!", "sh%p", "s_op", "\0"])
def test_no_character_has_a_meaning_of_its_own(listed: MerchantList, text: str) -> None:
    assert [] == names(listed, text=text)


def test_the_last_request_and_notification_are_those_of_the_merchant(
    store: Store, listed: MerchantList
) -> None:
    (other, shop) = listed.page(50)
    assert (None, None) == (shop.asked_at, shop.notified_at)
    add(store, "create", age=300)
    add(store, "refund", age=200)
    add(store, "settle", age=250)
    add(store, "notification", age=100)
    (other, shop) = listed.page(50)
    assert shop.asked_at is not None
    assert shop.notified_at == pytest.approx(shop.asked_at + 100)
    assert (None, None) == (other.asked_at, other.notified_at)
    found = listed.find("shop")
    assert found
    assert found.asked_at == shop.asked_at
    assert listed.find("nobody") is None


def test_a_real_request_and_notification_count(store: Store, listed: MerchantList) -> None:
    store.end(store.lease(asked()))
    store.requests.record_notification(told())
    found = listed.find("shop")
    assert found
    assert found.asked_at
    assert found.notified_at


def test_outdated_encryption_is_told(store: Store, listed: MerchantList) -> None:
    assert not listed.page(50)[0].is_outdated
    store.run("UPDATE merchants SET settings = 'x' WHERE id = 2")
    other, shop = listed.page(50)
    assert (True, False) == (other.is_outdated, shop.is_outdated)
    assert not other.stored.is_readable


@pytest.mark.parametrize("statement", [merchant_list.LISTED, merchant_list.NAMED])
def test_the_last_requests_are_read_from_their_index(store: Store, statement: str) -> None:
    add_many_requests(store.database)
    values = {"after": "", "wanted": "%", "name": "shop", "suite": "", "merchant_id": 1, "most": 51}
    read = plan(store.database, statement, **values)
    assert "requests_" in read
    assert set() == wholly_read(read)


# AppTokens


def live(merchants: Merchants) -> tuple[str, ...]:
    (entry,) = (one for one in merchants.all() if one.merchant.name == "shop")
    return entry.digests


def test_a_page_makes_one_token_however_often_it_is_sent(
    merchants: Merchants, listed: MerchantList
) -> None:
    (first,) = listed.tokens(1)
    merchants.rotate_token("shop", newest=first.id)
    before = listed.tokens(1)
    for _ in range(3):
        with pytest.raises(AlreadyRotated):
            merchants.rotate_token("shop", newest=first.id)
    assert before == listed.tokens(1)
    assert ["rotate-token", "add"] == [one.command for one in merchants.detail("shop").events]


def test_tokens_that_nobody_saw_end_no_token_that_vtex_uses(
    merchants: Merchants, listed: MerchantList
) -> None:
    """Whoever misses the answers, and rotates again and again, does not lock VTEX out."""
    (used,) = live(merchants)
    made = [
        merchants.rotate_token("shop", newest=listed.tokens(1)[0].id).app_token for _ in range(5)
    ]
    assert {used, *map(digest, made[-2:])} == set(live(merchants))
    merchants.note_use(1, digest(made[-1]))
    merchants.rotate_token("shop", newest=listed.tokens(1)[0].id)
    assert used not in live(merchants)
    assert digest(made[-1]) in live(merchants)


def test_the_times_of_tokens_are_told(merchants: Merchants, listed: MerchantList) -> None:
    merchants.rotate_token("shop", newest=listed.tokens(1)[0].id)
    newest, first = listed.tokens(1)
    assert newest.id > first.id
    assert (None, None) == (newest.used_at, newest.fetched_at)
    assert first.used_at == pytest.approx(first.created_at, abs=1)
