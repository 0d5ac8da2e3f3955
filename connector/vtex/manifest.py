"""GET /manifest: the payment methods, and the Provider Fields that VTEX's Admin asks for.

Source: VTEX's OpenAPI file, Success-Manifest. `version` is left out, because this connector speaks
the default version.
"""

import json
from collections.abc import Iterable
from typing import Any

from connector.provider import Provider, Setting


def manifest(providers: Iterable[Provider], *, has_secrets: bool = True) -> bytes:
    """Write the manifest of the enabled providers, with or without fields for their secrets."""
    enabled = list(providers)
    names = dict.fromkeys(name for provider in enabled for name in provider.payment_methods)
    return json.dumps(
        {
            "paymentMethods": [{"name": name, "allowsSplit": "disabled"} for name in names],
            "customFields": [
                _field(provider, setting)
                for provider in enabled
                for setting in provider.settings
                if not setting.is_payout and (has_secrets or not setting.is_secret)
            ],
        }
    ).encode()


def field_name(provider: Provider, setting: Setting) -> str:
    """Return the name of a setting's Provider Field. If the name changes, VTEX loses the value."""
    return f"{provider.title} {setting.title}"


def _field(provider: Provider, setting: Setting) -> dict[str, Any]:
    field: dict[str, Any] = {"name": field_name(provider, setting), "type": _field_type(setting)}
    if setting.options:
        field["options"] = [{"text": option, "value": option} for option in setting.options]
    return field


def _field_type(setting: Setting) -> str:
    if setting.is_secret:
        return "password"
    return "select" if setting.options else "text"
