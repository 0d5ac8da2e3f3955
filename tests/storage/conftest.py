from collections.abc import Iterator

import pytest

from tests.storage.store import Store


@pytest.fixture
def store(migrated_url: str) -> Iterator[Store]:
    """Each test runs once on each kind of database."""
    store = Store(migrated_url)
    yield store
    store.database.close()
