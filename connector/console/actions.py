"""What people may start at a time."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector.bulkhead import Bulkhead
from connector.domain.errors import ProviderBusy
from connector.domain.page_errors import TooManyRequests


@contextmanager
def place_in(actions: Bulkhead) -> Iterator[None]:
    """Hold one of the places. Raises TooManyRequests if no place is free."""
    place = actions.slot()
    try:
        place.__enter__()
    except ProviderBusy:
        raise TooManyRequests from None
    try:
        yield
    finally:
        place.__exit__(None, None, None)
