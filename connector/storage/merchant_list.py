"""The merchants in a list, with the time of the last request of each, and its AppTokens' times."""

# ruff: noqa: S608 - only constants of this module are put in

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from connector.domain.merchant import SUITE_NAME
from connector.domain.operation import ASKED_BY_VTEX, Operation
from connector.storage.columns import Row, escaped
from connector.storage.database import Database
from connector.storage.stored_merchant import StoredMerchant, stored_from
from connector.storage.vault import Vault

# The index of a merchant's requests has the operation before the time. So the newest request is
# the newest of each operation.
_NEWEST = ", ".join(
    f"(SELECT max(created_at) FROM requests WHERE merchant_id = page.id"
    f" AND operation = '{operation}') AS {operation}_at"
    for operation in Operation
)


def _page(condition: str) -> str:
    return f"""
        SELECT page.*, {_NEWEST}
        FROM (SELECT * FROM merchants WHERE {condition} ORDER BY name LIMIT :most) AS page
        ORDER BY page.name"""


# `wanted` is a pattern in small letters.
LISTED = _page("""
    name > :after AND name != :suite AND (:merchant_id = 0 OR id = :merchant_id)
    AND lower(name || ' ' || provider || ' ' || coalesce(store, '')) LIKE :wanted ESCAPE '!'""")
NAMED = _page("name = :name AND name != :suite")
_TOKENS = """
    SELECT id, created_at, used_at, fetched_at FROM merchant_tokens
    WHERE merchant_id = :merchant_id ORDER BY id DESC"""


@dataclass(frozen=True)
class ListedMerchant:
    """A merchant. Instants are seconds since 1970; None: there was nothing yet.

    `asked_at` is when VTEX sent its last new request, and `notified_at` when the company sent its
    last new notification. Repeats are not new. `is_outdated`: the settings are not encrypted with
    the newest key.
    """

    stored: StoredMerchant
    is_outdated: bool
    asked_at: float | None
    notified_at: float | None


@dataclass(frozen=True)
class AppTokenTimes:
    """The times of a live AppToken. `id` is its row. That of a command counts as used at once."""

    id: int
    created_at: float
    used_at: float | None
    fetched_at: float | None


class MerchantList:
    """Lists the merchants for people. The merchant of VTEX's test suite is nobody's."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def page(
        self, most: int, *, after: str = "", text: str = "", merchant_id: int | None = None
    ) -> list[ListedMerchant]:
        """Return at most so many merchants whose names come after a name, in their order.

        `text` is a part of the name, of the provider or of the store. `merchant_id` limits the list
        to one merchant.
        """
        with self._database.read() as connection:
            rows = connection.all(
                LISTED,
                most=most,
                suite=SUITE_NAME,
                after=after,
                wanted=f"%{_pattern(text.lower())}%",
                merchant_id=merchant_id or 0,
            )
        return [self._listed(row) for row in rows]

    def find(self, name: str) -> ListedMerchant | None:
        with self._database.read() as connection:
            row = connection.first_row(NAMED, name=name, suite=SUITE_NAME, most=1)
        return None if row is None else self._listed(row)

    def tokens(self, merchant_id: int) -> list[AppTokenTimes]:
        """Return the times of the live AppTokens, the newest first."""
        with self._database.read() as connection:
            rows = connection.all(_TOKENS, merchant_id=merchant_id)
        return [AppTokenTimes(**row) for row in rows]

    def _listed(self, row: Row) -> ListedMerchant:
        return ListedMerchant(
            stored=stored_from(row, self._vault),
            is_outdated=not self._vault.is_newest(row["settings"], row["name"]),
            asked_at=_last(row, ASKED_BY_VTEX),
            notified_at=_last(row, set(Operation) - set(ASKED_BY_VTEX)),
        )


def _last(row: Mapping[str, float | None], operations: Collection[Operation]) -> float | None:
    times = [row[f"{operation}_at"] for operation in operations]
    return max((at for at in times if at is not None), default=None)


def _pattern(text: str) -> str:
    """Write a text for LIKE, so that each character stands for itself. No name has a control."""
    known = escaped(text) or ""
    return "".join(f"!{character}" if character in "!%_" else character for character in known)
