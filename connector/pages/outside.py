"""Texts from outside, on a page: of VTEX, of companies, and of people."""

import unicodedata

from markupsafe import Markup, escape

from connector.pages.languages import ABSENT

# Categories of characters that show nothing, turn the direction of a line, or exist in no encoding:
# controls, formats, lone surrogates, private and unassigned characters, separators of lines.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def outside(text: object) -> Markup:
    """Write a text as an element of its own direction. Unseen characters become escapes."""
    if text is None or text == "":
        return escape(ABSENT)
    return Markup("<bdi>{}</bdi>").format(plain(str(text)))


def plain(text: str) -> str:
    """Write a text without unseen characters: each becomes an escape of its number."""
    return text if text.isprintable() else "".join(map(_seen, text))


def _seen(character: str) -> str:
    if unicodedata.category(character) not in _UNSEEN:
        return character
    return f"\\u{ord(character):04x}"
