"""What an address of the console asks for: a merchant, and a place in a list."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import request

from connector.console.viewer import viewer
from connector.domain.errors import UnknownMerchant
from connector.domain.merchant import Merchant
from connector.pages.languages import lazy_gettext as _
from connector.storage.work_list import Place

ROWS_OF_A_PAGE = 50
NO_MERCHANT = _("There is no merchant of this name.")
NO_PLACE = _("This address is not whole, so the list begins at its beginning.")
_ROW_ID = r"[0-9a-f]{64}"
_PLACE = re.compile(rf"([0-9]{{1,12}}(?:\.[0-9]{{1,9}})?)~({_ROW_ID})")


@dataclass(frozen=True)
class Query:
    """The rows that an address asks for.

    Without `merchant_id` the rows are those of all merchants. `name` is the wanted merchant as it
    was written. `faults` name what the address should say instead, by its parameter.
    """

    name: str
    merchant_id: int | None
    after: Place | None
    faults: dict[str, Any]

    @property
    def status(self) -> int:
        return 400 if self.faults else 200


def read_query(find: Callable[[str], Merchant]) -> Query:
    """Read the parameters `merchant` and `after`. A merchant's person sees that merchant only."""
    text, own = request.args.get("after", ""), viewer().merchant
    after, faults = read_place(text), dict[str, Any]()
    if text and after is None:
        faults["after"] = NO_PLACE
    if own is not None:
        return Query(own.name, own.id, after, faults)
    name = request.args.get("merchant", "").strip()
    merchant_id = _id_of(find, name)
    if name and merchant_id is None:
        faults["merchant"] = NO_MERCHANT
    return Query(name, merchant_id, after, faults)


def _id_of(find: Callable[[str], Merchant], name: str) -> int | None:
    try:
        return find(name).id if name else None
    except UnknownMerchant:
        return None


def seen_merchant_id() -> int | None:
    """Return the id of the only merchant whose rows the viewer may see. None: of all."""
    own = viewer().merchant
    return own.id if own else None


def is_row_id(text: str) -> bool:
    """Whether a text of an address has the form of a claim's id."""
    return bool(re.fullmatch(_ROW_ID, text))


def write_place(place: Place) -> str:
    """Write a place for an address. It gives no right to see a row."""
    return f"{place.at!r}~{place.id}"


def read_place(text: str) -> Place | None:
    """Read a place. None: nobody wrote it here."""
    match = _PLACE.fullmatch(text)
    place = Place(float(match[1]), match[2]) if match else None
    return place if place and write_place(place) == text else None
