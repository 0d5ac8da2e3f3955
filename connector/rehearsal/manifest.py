"""The checks of a manifest (VTEX's API reference, "List payment provider manifest")."""

import re
from collections.abc import Mapping
from typing import Any

from connector.rehearsal.checks import fields, is_text, require

# Methods whose payments carry a card.
CARDS = frozenset(
    {
        "Visa",
        "Mastercard",
        "American Express",
        "Discover",
        "JCB",
        "Diners",
        "Elo",
        "Hipercard",
        "Aura",
        "Banricompras",
        "Credz",
        "Cabal",
        "Patagonia 365",
        "Cartes Bancaires (CB)",
        "VirtualDebitElo",
        "Visa Electron",
        "Maestro",
        "Mastercard Debit",
        "Débito Online",
        "Cobranded",
        "Privatelabels",
    }
)
OTHERS = frozenset(
    {
        "Apple Pay",
        "Google Pay",
        "Promissories",
        "Cash",
        "Pix",
        "Safetypay",
        "BankInvoice",
        "FichaDeposito",
        "Rapipago",
        "OXXO",
        "Voucher",
        "Bitcoin",
        "Venda Direta Credito",
        "Venda Direta Debito",
    }
)
_SPLITS = ("onAuthorize", "onCapture", "disabled")
_TYPES = ("text", "password", "select")
_VERSIONS = ("1.0.0", "2.0.0")
# Secrets: VTEX hides them when they are typed, and does not show them again.
_SECRET = re.compile(r"secret|token|password|private key|api key$", re.IGNORECASE)
# VTEX has fields of its own for these.
_VTEX_FIELDS = {"appkey", "apptoken"}
_MOST_METADATA, _LONGEST_METADATA = 3, 20


def check(body: Mapping[str, Any], method: str) -> None:
    """Check every rule, and that the method is listed. Raises Unmet."""
    names = methods(body)
    require(method in names, f"paymentMethods has no {method!r}")
    _check_custom_fields(_list(body, "customFields", is_required=False))
    _check_settle_delay(body.get("autoSettleDelay"))
    metadata = _list(body, "metadataFields", is_required=False)
    require(len(metadata) <= _MOST_METADATA, "metadataFields has more than 3")
    for name in metadata:
        is_short = is_text(name) and len(name) <= _LONGEST_METADATA
        require(is_short, f"metadataFields has {name!r}, not 1 to 20 characters")
    version = body.get("version", _VERSIONS[0])
    require(version in _VERSIONS, f"version is {version!r}, none of {_VERSIONS}")


def methods(body: Mapping[str, Any]) -> list[str]:
    """Return the names of the payment methods. Raises Unmet."""
    names = [_method(item) for item in _list(body, "paymentMethods")]
    require(names, "paymentMethods is empty")
    require(len(names) == len(set(names)), "paymentMethods has one name twice")
    return names


def _method(item: object) -> str:
    require(isinstance(item, Mapping), f"paymentMethods has {item!r}, not an object")
    method = dict(item) if isinstance(item, Mapping) else {}
    fields(method, {"name": "text", "allowsSplit": "text"})
    name, split = method["name"], method["allowsSplit"]
    require(split in _SPLITS, f"allowsSplit of {name} is {split!r}, none of {_SPLITS}")
    spelling = {_plain(method): method for method in CARDS | OTHERS}.get(_plain(name), name)
    require(name == spelling, f"paymentMethods has {name!r}, which VTEX spells {spelling!r}")
    return str(name)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).lower()


def _list(body: Mapping[str, Any], name: str, *, is_required: bool = True) -> list[Any]:
    require(name in body or not is_required, f"{name} is missing")
    value = body.get(name)
    value = [] if value is None and not is_required else value
    require(isinstance(value, list), f"{name} is {value!r}, not a list")
    return list(value or [])


def _check_custom_fields(items: list[Any]) -> None:
    names = [_custom_field(item) for item in items]
    require(len(names) == len(set(names)), "customFields has one name twice")


def _custom_field(item: Any) -> str:
    require(isinstance(item, Mapping), f"customFields has {item!r}, not an object")
    fields(item, {"name": "text", "type": "text"})
    name, kind, options = item["name"], item["type"], item.get("options")
    require(kind in _TYPES, f"type of {name} is {kind!r}, none of {_TYPES}")
    require(
        _plain(name) not in _VTEX_FIELDS, f"customFields has {name!r}, for which VTEX has a field"
    )
    is_hidden = kind == "password" or not _SECRET.search(name)
    require(is_hidden, f"{name} is a secret, so its type must be password, not {kind!r}")
    require(bool(options) == (kind == "select"), f"options of {name}: only for a select, and there")
    for option in options or []:
        require(isinstance(option, Mapping), f"options of {name} has {option!r}, not an object")
        fields(option, {"text": "text", "value": "text"})
    return str(name)


def _check_settle_delay(value: Any) -> None:
    if value is None:
        return
    require(isinstance(value, Mapping), f"autoSettleDelay is {value!r}, not an object")
    for name in ("minimum", "maximum"):
        hours = value.get(name)
        is_hours = isinstance(hours, str) and re.fullmatch(r"\d{1,4}", hours)
        require(is_hours, f"autoSettleDelay.{name} is {hours!r}, not a text of whole hours")
    is_range = int(value["minimum"]) <= int(value["maximum"])
    require(is_range, "autoSettleDelay.minimum is more than its maximum")
