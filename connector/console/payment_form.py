"""The form by which people find payments. Its values stand in the address of the page."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from wtforms import StringField, ValidationError

from connector.domain.errors import UnknownMerchant
from connector.domain.merchant import Merchant
from connector.domain.payment import PaymentStatus
from connector.pages.forms import Form, not_too_long
from connector.pages.languages import lazy_gettext as _
from connector.storage.payment_search import Filters

MOST_CHARACTERS = 256
DAY_SECONDS = 24 * 3600.0
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FindMerchant = Callable[[str], Merchant]


def _trimmed(text: str | None) -> str:
    return (text or "").strip()


def _is_day(text: str) -> bool:
    return _DAY.fullmatch(text) is not None


def _seconds(text: str) -> float:
    """Read a day or a moment, in UTC unless it names its offset. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _check_time(_: Any, field: StringField) -> None:
    try:
        _seconds(field.data or "1970-01-01")
    except (ValueError, OverflowError):
        raise ValidationError(TIME_FAULT) from None


TIME_FAULT = _("Write a day as 2026-01-31, or a moment as 2026-01-31T15:00.")
_TRIMMED = (_trimmed,)


class SearchForm(Form):
    """The conditions of a search. The form changes nothing, so it needs no proof of its origin."""

    class Meta(Form.Meta):  # noqa: D106 - it is documented by WTForms
        csrf = False

    q = StringField(_("Id"), [not_too_long(MOST_CHARACTERS)], filters=_TRIMMED)
    merchant = StringField(_("Merchant"), [not_too_long(MOST_CHARACTERS)], filters=_TRIMMED)
    status = StringField(_("Status"), filters=_TRIMMED)
    since = StringField(_("Since"), [_check_time], filters=_TRIMMED)
    until = StringField(_("Until"), [_check_time], filters=_TRIMMED)

    def __init__(self, values: Any, find_merchant: FindMerchant, own: Merchant | None) -> None:
        """Read the values of an address. `own` is the only merchant that the viewer may see."""
        super().__init__(formdata=values)
        self._find_merchant = find_merchant
        self._own = own
        self._merchant_id: int | None = None
        for field in (self.since, self.until):
            # A browser offers a calendar, and shows no moment there.
            field.render_kw = {"type": "date"} if _is_day(field.data or "1970-01-01") else {}

    def validate_status(self, field: StringField) -> None:
        if field.data and field.data not in set(PaymentStatus):
            raise ValidationError(_("Choose one of these statuses."))

    def validate_merchant(self, field: StringField) -> None:
        """Find the merchant. A merchant's person cannot ask for any."""
        if self._own or not field.data:
            return
        try:
            self._merchant_id = self._find_merchant(field.data).id
        except UnknownMerchant:
            raise ValidationError(_("There is no merchant of this name.")) from None

    def filters(self) -> Filters:
        """Return the conditions. The form must be valid."""
        status, until = self.status.data, self.until.data
        end_of_day = DAY_SECONDS if until and _is_day(until) else 0.0
        return Filters(
            id=self.q.data or "",
            # A merchant's person sees only that merchant, also if nothing was checked before.
            merchant_id=self._own.id if self._own else self._merchant_id,
            status=PaymentStatus(status) if status else None,
            since=_seconds(self.since.data) if self.since.data else 0.0,
            until=_seconds(until) + end_of_day if until else math.inf,
        )

    def values(self) -> dict[str, Any]:
        """Return the values that are not empty, for an address with the same conditions."""
        asked = {field.name: field.data for field in self if field.data}
        if self._own:
            asked.pop("merchant", None)
        return asked
