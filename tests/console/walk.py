"""All pages and forms of the console, as a person finds them, and as somebody may guess them."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import quote, unquote, urljoin, urlsplit

from werkzeug.routing import Rule

from connector.app import create_app
from tests.console.people import Person
from tests.rig import Rig

HOME = "/console/"
# A crawl that finds more pages than this goes round in a circle.
MOST_PAGES = 400


@dataclass
class Form:
    """A form that posts: its address, and each field with its first value."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Reader(HTMLParser):
    """Reads the links and the forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form = Form("")
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "a":
            self.links.append(given.get("href", ""))
        if tag == "form":
            self._form = Form(given.get("action", ""))
            if given.get("method", "").lower() == "post":
                self.forms.append(self._form)
        if tag in {"input", "textarea", "button"} and "name" in given:
            self._form.fields.setdefault(given["name"], given.get("value") or "a text")
        if tag == "select":
            self._select = given.get("name", "")
        if tag == "option":
            self._form.fields.setdefault(self._select, given.get("value", ""))


def rules(rig: Rig) -> list[Rule]:
    """Return every route of the console, whoever made it."""
    found = create_app(rig.connector).url_map.iter_rules()
    return [rule for rule in found if rule.rule.startswith("/console")]


def filled(rule: Rule, values: Sequence[str], fillers: Sequence[str]) -> Iterator[str]:
    """Write a route's address with each value in each place, and fillers in the other places."""
    parts = re.split(r"<[^>]+>", rule.rule)
    places = len(parts) - 1
    for place, value in itertools.product(range(places), values):
        for others in itertools.product(fillers, repeat=places - 1):
            chosen = [*others[:place], value, *others[place:]]
            escaped = [quote(one, safe="") for one in chosen]
            yield "".join(itertools.chain(*zip(parts, escaped, strict=False))) + parts[-1]


def crawl(person: Person) -> dict[str, Reader]:
    """Read every page that a person can reach from the first page."""
    found: dict[str, Reader] = {}
    waiting = [HOME]
    while waiting:
        path = waiting.pop()
        answer = person.get(path)
        found[path] = Reader(answer.text if answer.mimetype == "text/html" else "")
        near = [urljoin(path, link) for link in found[path].links]
        waiting += [one for one in dict.fromkeys(near) if is_new(one, found) and one not in waiting]
        assert len(found) < MOST_PAGES
    return found


def is_new(address: str, found: dict[str, Reader]) -> bool:
    parts = urlsplit(address)
    return parts.path.startswith("/console") and "lang=" not in parts.query and address not in found


def forms(pages: dict[str, Reader]) -> list[Form]:
    """Return each form once, with its whole address."""
    found: dict[str, Form] = {}
    for path, page in pages.items():
        for form in page.forms:
            action = urljoin(path, form.action)
            found.setdefault(f"{action} {sorted(form.fields.items())}", Form(action, form.fields))
    return [form for form in found.values() if not form.action.startswith("/console/sign-")]


def without_what_was_asked(page: str, address: str) -> str:
    """Return a page's text without the texts of its own address, which a page may repeat."""
    parts = urlsplit(address)
    asked = re.split(r"[/?&=]", unquote(f"{parts.path}?{parts.query}"))
    for text in sorted(filter(None, asked), key=len, reverse=True):
        page = page.replace(text, "") if len(text) > 3 else page
    return page
