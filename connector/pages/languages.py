"""The language of a page: its texts, its amounts and its times.

A text of a page is written in English, as an argument of `gettext`, `ngettext` or `lazy_gettext`.
The catalogues in `translations/<area>/<language>.po` hold the other languages.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from babel import Locale
from babel.dates import format_datetime
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal
from babel.support import LazyProxy, Translations
from flask import Response, g, request
from markupsafe import Markup, escape

from connector.pages import cookies

TRANSLATIONS = Path(__file__).parent / "translations"
# Each language by its code in addresses and in `Accept-Language`, with its own name.
LANGUAGES = {
    "en": "English",
    "ru": "Русский",
    "uk": "Українська",
    "es": "Español",
    "pt-BR": "Português (Brasil)",
}
DEFAULT = "en"
# What a page shows instead of a value that does not exist.
ABSENT = "\u2013"
COOKIE = "lang"
_LETTERS_BEFORE_DIGITS = re.compile(r"(?<=[^\W\d_])(?=\d)")
# Seconds for which a browser remembers the language: a year.
COOKIE_SECONDS = 365 * 24 * 3600


def current() -> str:
    """Return the language of this request: the chosen one, or the best that the browser names."""
    if "language" not in g:
        chosen = (request.args.get("lang"), request.cookies.get(COOKIE))
        known = next((code for code in chosen if code in LANGUAGES), None)
        g.language = known or request.accept_languages.best_match(LANGUAGES, DEFAULT)
    code: str = g.language
    return code


def remember(response: Response) -> None:
    """Keep the language that the address names in a cookie."""
    code = request.args.get("lang")
    if code in LANGUAGES:
        secure = cookies.is_secure()
        response.set_cookie(
            COOKIE, code, COOKIE_SECONDS, secure=secure, httponly=True, samesite="Lax"
        )


def links() -> list[tuple[str, str, str]]:
    """Return each language's code and name, and the address of this page in that language."""
    return [(code, name, _address_in(code)) for code, name in LANGUAGES.items()]


def _address_in(code: str) -> str:
    return f"{quote(request.path)}?{urlencode({**request.args, 'lang': code})}"


def gettext(text: str) -> str:
    return str(_translations(current()).gettext(text))


def ngettext(one: str, many: str, count: int) -> str:
    return str(_translations(current()).ngettext(one, many, count))


def lazy_gettext(text: str) -> Any:
    """Return a text that is translated when a page shows it, for what is made without a request."""
    return LazyProxy(gettext, text, enable_cache=False)


def locale() -> Locale:
    return Locale.parse(current(), sep="-")


def amount(value: Decimal | None, currency: str | None = None) -> str:
    """Write an amount with all its decimals, in units of the currency."""
    if value is None:
        return ABSENT
    if not currency:
        return format_decimal(value, locale=locale(), decimal_quantization=False)
    text = format_currency(
        value, currency, locale=locale(), currency_digits=False, decimal_quantization=False
    )
    # As CLDR asks, and Babel does not: "RUB 5", but "$5".
    return _LETTERS_BEFORE_DIGITS.sub("\u00a0", text)


def instant(seconds: float | None) -> Markup:
    """Write a moment, in seconds since 1970, as an element `time`."""
    if seconds is None:
        return escape(ABSENT)
    moment = datetime.fromtimestamp(seconds, UTC)
    text = f"{format_datetime(moment, 'medium', locale=locale())} UTC"
    iso = moment.isoformat(timespec="seconds")
    return Markup('<time datetime="{}">{}</time>').format(iso, text)


@cache
def _translations(code: str) -> Translations:
    """Read the catalogues of a language. The English texts are in the pages themselves."""
    paths = sorted(TRANSLATIONS.glob(f"*/{code.replace('-', '_')}.po"))
    catalogues = [_compiled(read_catalogue(path)) for path in paths]
    # The first catalogue brings the language's rule for plurals.
    whole = catalogues[0] if catalogues else Translations()
    for catalogue in catalogues[1:]:
        whole.merge(catalogue)
    return whole


def read_catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem, abort_invalid=True)


def _compiled(catalogue: Catalog) -> Translations:
    file = BytesIO()
    write_mo(file, catalogue)
    file.seek(0)
    return Translations(file)
