"""No text of a page stands outside the catalogues, and no catalogue has a gap."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from jinja2 import Environment
from jinja2.lexer import TOKEN_DATA

from tests.pages.catalogues import CODES, PACKAGE, catalogue, texts

TEMPLATES = sorted(PACKAGE.glob("**/templates/**/*.html"))
# Attributes that a person reads or hears.
READ = {"alt", "aria-label", "content", "placeholder", "title", "value"}
# Words that are the same in every language.
NAMES = {"HTTP", "UTC", "VTEX", "CSV"}
# What stands in `content` of these elements is for browsers.
FOR_BROWSERS = {"width=device-width, initial-scale=1", "noindex", "light dark"}


class Texts(HTMLParser):
    """Collects the texts of a template that stand outside Jinja's marks."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, _: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found += [text for name, text in attributes if name in READ and text is not None]


def bare_texts(source: str) -> list[str]:
    """Return the words of a template that no catalogue has."""
    source = re.sub(r"{%-?\s*trans\b.*?{%-?\s*endtrans\s*-?%}", "", source, flags=re.DOTALL)
    lexed = Environment(autoescape=True).lex(source)
    html = "".join(text if kind == TOKEN_DATA else " " for _, kind, text in lexed)
    parser = Texts()
    parser.feed(html)
    words = [text for text in parser.found if text.strip() not in FOR_BROWSERS]
    return [
        word for text in words for word in re.findall(r"[^\W\d_]{2,}", text) if word not in NAMES
    ]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_has_no_text_of_its_own(path: Path) -> None:
    assert [] == bare_texts(path.read_text())


def test_a_bare_text_is_seen() -> None:
    assert ["Pay"] == bare_texts("<p>Pay {{ amount }}</p>")
    assert ["Find"] == bare_texts('<input placeholder="Find" name="q">')
    assert [] == bare_texts("<p>{% trans %}Pay{% endtrans %} {{ _('now') }} HTTP</p>")


@pytest.fixture(params=[f"{area} {code}" for area in sorted(texts()) for code in CODES])
def place(request: pytest.FixtureRequest) -> list[str]:
    """An area and a language."""
    return str(request.param).split()


def messages(place: list[str]) -> list[Message]:
    return [message for message in catalogue(*place) if message.id]


def test_a_catalogue_has_every_text_of_its_area(place: list[str]) -> None:
    translated = {message.id: message for message in messages(place)}
    assert texts()[place[0]] == set(translated)
    gaps = [text for text, message in translated.items() if not all(strings(message.string))]
    assert [] == gaps
    assert not any(message.fuzzy for message in translated.values())


@pytest.mark.parametrize("code", CODES)
def test_a_text_has_one_translation_in_all_areas(code: str) -> None:
    translations: dict[str, set[str]] = {}
    for area in texts():
        for message in messages([area, code]):
            translations.setdefault(str(message.id), set()).add(str(message.string))
    assert [] == [text for text, found in translations.items() if len(found) > 1]


def test_a_translation_has_the_same_values_as_the_text(place: list[str]) -> None:
    for message in messages(place):
        wanted = values(strings(message.id)[-1])
        assert all(values(text) == wanted for text in strings(message.string)), message.id


def strings(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def values(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))
