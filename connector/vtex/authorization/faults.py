"""What a person is told whose store was not connected, and beside which field."""

from collections.abc import Mapping
from typing import Any

from connector.domain.authorization import (
    InvitationEnded,
    InvitationNeeded,
    InvitationOfAnother,
    KeysRefused,
    KeysUnproven,
    MerchantDisabled,
    NotConnected,
    ProbesBusy,
    ProviderNotOffered,
    SettingsFaulty,
)
from connector.pages.languages import gettext
from connector.pages.languages import lazy_gettext as _
from connector.pages.outside import plain
from connector.provider import Provider
from connector.signup import asked_settings
from connector.vtex.authorization.forms import INVITATION, InvitedForm, in_words

# Where the company does not show whose keys they are.
_NEEDED_FOR_NEW_KEYS = _(
    "A first connection needs an invitation, and so do new keys of this company. Ask the person "
    "who runs this connector for an invitation."
)
# No field: above the form.
FORM = ""
_TOLD: Mapping[type[NotConnected], tuple[str, Any]] = {
    InvitationNeeded: (
        INVITATION,
        _(
            "A first connection needs an invitation. Ask the person who runs this connector for an "
            "invitation."
        ),
    ),
    InvitationEnded: (
        INVITATION,
        _("This invitation is unknown, was used, or has ended. Ask for a new invitation."),
    ),
    InvitationOfAnother: (
        INVITATION,
        _("This invitation is for another VTEX account, or for another company."),
    ),
    KeysUnproven: (
        FORM,
        _(
            "The company cannot be reached, so the new keys could not be tried. Nothing was "
            "changed. Try again in some minutes."
        ),
    ),
    ProbesBusy: (
        FORM,
        _("Too many keys of this company are tried at this moment. Try again in a minute."),
    ),
    MerchantDisabled: (
        FORM,
        _("This account is switched off here. Ask the person who runs this connector."),
    ),
    ProviderNotOffered: ("provider", _("This company is not offered here. Choose another one.")),
}


def tell(form: InvitedForm, provider: Provider, error: NotConnected) -> None:
    """Name what went wrong in the form."""
    if isinstance(error, SettingsFaulty):
        for key, fault in error.faults.items():
            form.blame(key, in_words(fault))
    elif isinstance(error, KeysRefused):
        _tell_refusal(form, provider, error.word)
    elif isinstance(error, InvitationNeeded) and not provider.probe_proves_account:
        form.blame(INVITATION, str(_NEEDED_FOR_NEW_KEYS))
    else:
        field, text = _TOLD[type(error)]
        form.blame(field, str(text))


def _tell_refusal(form: InvitedForm, provider: Provider, word: str) -> None:
    """Repeat the company's word. It does not say which key is wrong."""
    values = {"company": provider.title, "word": plain(word)}
    text = gettext(
        "%(company)s refused these keys. Its answer: %(word)s. Copy each value from the company's "
        "console again; below each name you read where it stands."
    )
    form.blame(FORM, text % values)
    for setting in asked_settings(provider):
        if setting.is_secret:
            form.blame(setting.key, gettext("Refused: this value, or another one of these."))
