"""A page of the console, as a person reads it."""

import html
import re

from tests.console.people import Person


def text(person: Person, path: str) -> str:
    """Return the HTML of a page that exists."""
    answer = person.get(path)
    assert (200, "text/html; charset=utf-8") == (answer.status_code, answer.content_type)
    return answer.text


def seen(page: str) -> str:
    """Return the text of a page, without marks."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
