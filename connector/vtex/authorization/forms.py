"""The forms of the configuration flow: a company and an invitation, then the company's keys."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from wtforms import BooleanField, Field, PasswordField, SelectField, StringField
from wtforms.validators import InputRequired

from connector.pages.forms import FILL_IN, TOO_LONG, Form, optional, required
from connector.pages.languages import gettext
from connector.pages.languages import lazy_gettext as _
from connector.provider import MOST_ACCOUNT, Provider, Setting
from connector.signup import asked_settings

# The parameter of an invitation's link.
INVITATION = "invitation"
_LINK = re.compile(f"[?&]{INVITATION}=([A-Za-z0-9_-]+)")
# A browser neither offers nor keeps, corrects nor translates what is typed here.
_PLAIN = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "translate": "no"}


def _code_in(text: str | None) -> str:
    """Return the code of an invitation: a person may give the whole link."""
    found = _LINK.search(text or "")
    return found[1] if found else (text or "").strip()


class InvitedForm(Form):
    """A form that may ask for an invitation."""

    invitation = StringField(
        _("Invitation"), filters=[_code_in], validators=optional(), render_kw=_PLAIN
    )

    def blame(self, name: str, text: str) -> None:
        """Name a fault beside its field, or above the form if there is no such field."""
        if name in self:
            self[name].errors = [*self[name].errors, text]
        else:
            self.form_errors.append(text)


class CompanyForm(InvitedForm):
    """The first step."""

    provider = SelectField(_("Payment company"), validators=required(_("Choose a company.")))

    def offer(self, providers: Mapping[str, Provider], only: str | None) -> None:
        """Let a person choose one of the companies, or `only` this one if it is among them.

        A single company is chosen already.
        """
        names = [only] if only in providers else list(providers)
        choices = [(name, providers[name].title) for name in names if name]
        asked = [] if len(choices) == 1 else [("", gettext("Choose a company"))]
        self.provider.choices = [*asked, *choices]


class KeysForm(InvitedForm):
    """The second step. `keys_form` adds a field for each setting of the company."""

    _provider: ClassVar[Provider]
    agree = BooleanField(validators=[InputRequired(_("Tick this box to go on."))])

    @property
    def asked(self) -> list[tuple[Setting, Field]]:
        """Return the settings with their fields, in the company's order."""
        return [(setting, self[setting.key]) for setting in asked_settings(self._provider)]

    @property
    def settings(self) -> dict[str, str]:
        return {setting.key: field.data or "" for setting, field in self.asked}

    def validate(self, extra_validators: Any = None) -> bool:
        """Check all fields, so that a person sees all faults at once."""
        super().validate(extra_validators)
        for key, fault in self._provider.faults(self.settings).items():
            if not self[key].errors:
                self.blame(key, in_words(fault))
        return not self.errors


def keys_form(provider: Provider) -> type[KeysForm]:
    """Make the form for the keys of a company."""
    fields = {setting.key: _field(setting) for setting in asked_settings(provider)}
    return type("KeysForm", (KeysForm,), {"_provider": provider, **fields})


def _field(setting: Setting) -> Any:
    """Make the field of a setting. The value of a secret is never written into a page."""
    label, validators = _(setting.title), optional()
    if setting.options:
        choices = [("", "\u2013"), *((option, option) for option in setting.options)]
        return SelectField(label, choices=choices, validators=validators)
    kind = PasswordField if setting.is_secret else StringField
    return kind(label, validators=validators, render_kw=_PLAIN)


# The faults that every setting may have.
_FAULTS = {
    "missing": FILL_IN,
    "only printable ASCII, without spaces and line breaks, can be sent in a header or URL": _(
        "Only Latin letters, digits and signs, without spaces and line breaks."
    ),
    f"at most {MOST_ACCOUNT} characters": TOO_LONG,
}


def in_words(fault: str) -> str:
    """Write a fault of a setting as a sentence, in the reader's language if it is known."""
    text = str(_FAULTS.get(fault) or gettext(fault))
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
