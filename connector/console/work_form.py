"""The form by which a person closes a row of the work."""

from typing import Any

from wtforms import Field, StringField, TextAreaField
from wtforms.validators import DataRequired, ValidationError

from connector.domain.note import MOST_CHARACTERS, NoteFault, fault_of
from connector.pages.forms import Form, not_too_long
from connector.pages.languages import lazy_gettext as _

# Characters of the longest name of a person.
MOST_OF_A_NAME = 100
_FAULTS = {
    NoteFault.TOO_LONG: _("Write at most 500 characters."),
    NoteFault.CARD_NUMBER: _(
        "This looks like the number of a card. Card numbers are never stored. Leave the number out."
    ),
}
_REQUIRED = DataRequired(_("Please fill in this field."))


def in_one_line(text: str | None) -> str:
    """Replace the ends of lines, and other space, by one space."""
    return " ".join((text or "").split())


def check_note(_form: Any, field: Field) -> None:
    if fault := fault_of(field.data):
        raise ValidationError(str(_FAULTS[fault]))


class CloseForm(Form):
    """Who did the work, and what was done."""

    who = StringField(
        _("Your name"),
        filters=[in_one_line],
        validators=[_REQUIRED, not_too_long(MOST_OF_A_NAME), check_note],
        render_kw={"autocomplete": "name", "maxlength": MOST_OF_A_NAME},
    )
    note = TextAreaField(
        _("What was done"),
        filters=[in_one_line],
        validators=[_REQUIRED, check_note],
        render_kw={"rows": 4, "maxlength": MOST_CHARACTERS},
    )
