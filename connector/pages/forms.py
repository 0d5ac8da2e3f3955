"""The forms of the pages."""

from typing import Any

from flask_wtf import FlaskForm
from wtforms import Field
from wtforms.i18n import get_translations
from wtforms.validators import InputRequired, Length, Optional

from connector.pages.languages import current, lazy_gettext

# Characters of the longest field. A private key has some thousand.
MOST_CHARACTERS = 8192
FILL_IN = lazy_gettext("Please fill in this field.")
TOO_LONG = lazy_gettext("This text is too long.")


class Form(FlaskForm):
    """A form whose own messages are in the reader's language."""

    class Meta(FlaskForm.Meta):  # noqa: D106 - it is documented by WTForms
        def get_translations(self, form: Any) -> Any:
            """Return the messages that come with WTForms. Other messages are in our catalogues."""
            code = current()
            return get_translations([code.replace("-", "_"), code.split("-")[0]])

    def __init__(self, **values: Any) -> None:
        """Fill the form with what was sent, else with `data`."""
        super().__init__(**values)  # type: ignore[no-untyped-call]

    def is_right(self) -> bool:
        """Whether the form was sent, and has no fault."""
        return bool(self.validate_on_submit())  # type: ignore[no-untyped-call]


def required(message: Any = FILL_IN) -> list[Any]:
    """Return the validators of a field that must not be empty."""
    return [InputRequired(message), not_too_long()]


def optional() -> list[Any]:
    return [Optional(), not_too_long()]


def not_too_long(most: int = MOST_CHARACTERS) -> Length:
    return Length(max=most, message=TOO_LONG)


def fault_id(field: Field) -> str:
    """Return the id of the element that names a field's fault."""
    return f"{field.name}-fault"


def described(field: Field, hint: str) -> dict[str, str]:
    """Return the attributes that tie an input to its hint and its fault, for a screen reader."""
    hints = [f"{field.name}-hint"] if hint else []
    faults = [fault_id(field)] if field.errors else []
    attributes = {"aria-invalid": "true"} if faults else {}
    if described_by := " ".join([*faults, *hints]):
        attributes["aria-describedby"] = described_by
    return attributes
