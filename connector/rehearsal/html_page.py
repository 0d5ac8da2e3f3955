"""Reads a page as a browser without scripts does: its forms, its faults, its way on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str]
# An element with this ending of its id names the fault of the field before it.
FAULT = "-fault"
# The link that leads back to VTEX.
RETURN = "return"
_BUTTONS = {"submit", "button", "reset", "image"}
_CHOSEN = {"radio", "checkbox"}


@dataclass
class Field:
    """One field of a form. `choices` are the values of a select, or of radio buttons."""

    name: str
    kind: str
    value: str = ""
    choices: list[str] = field(default_factory=list)


@dataclass
class Form:
    """A form: its fields by name. An empty `action` means the page's own address."""

    action: str = ""
    method: str = "get"
    fields: dict[str, Field] = field(default_factory=dict)


@dataclass
class HtmlPage:
    """What is on a page. `refresh` is the address to which the page goes by itself."""

    language: str = ""
    title: str = ""
    text: str = ""
    forms: list[Form] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    labelled: set[str] = field(default_factory=set)
    refresh: str | None = None
    way_back: str | None = None


def read_page(text: str) -> HtmlPage:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    page = reader.page
    page.text = " ".join(page.text.split())
    page.title = " ".join(page.title.split())
    return page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = HtmlPage()
        # What the text of the innermost open element is added to.
        self._inside = ""
        self._fault = ("", "")
        self._select: Field | None = None
        self._starts: Mapping[str, Callable[[Attributes], None]] = {
            "html": self._html,
            "meta": self._meta,
            "form": self._form,
            "input": self._input,
            "textarea": self._textarea,
            "select": self._begin_select,
            "option": self._option,
            "label": self._label,
            "a": self._link,
        }

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self._inside = tag
        id_ = attributes.get("id", "")
        if id_.endswith(FAULT):
            self._fault = (tag, id_.removesuffix(FAULT))
            self.page.faults[self._fault[1]] = ""
        if tag in self._starts:
            self._starts[tag](attributes)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""
        if tag == self._fault[0]:
            self._fault = ("", "")
        if tag == "select":
            self._select = None

    def handle_data(self, text: str) -> None:
        if self._inside == "title":
            self.page.title += text
        elif self._inside not in {"script", "style"}:
            self.page.text += f" {text}"
        if self._inside == "textarea" and self.page.forms:
            *_, last = self.page.forms[-1].fields.values()
            last.value += text
        if self._fault[0]:
            self.page.faults[self._fault[1]] += text

    def _html(self, attributes: Attributes) -> None:
        self.page.language = attributes.get("lang", "")

    def _meta(self, attributes: Attributes) -> None:
        if attributes.get("http-equiv", "").lower() == "refresh":
            _, _, address = attributes.get("content", "").partition("=")
            self.page.refresh = address.strip().strip("'\"")

    def _form(self, attributes: Attributes) -> None:
        method = attributes.get("method", "get").lower()
        self.page.forms.append(Form(attributes.get("action", ""), method))

    def _input(self, attributes: Attributes) -> None:
        kind = attributes.get("type", "text").lower()
        found = self._add(attributes, kind)
        if found is None or kind in _BUTTONS:
            return
        value = attributes.get("value", "on" if kind in _CHOSEN else "")
        if kind not in _CHOSEN:
            found.value = value
            return
        found.choices.append(value)
        if "checked" in attributes:
            found.value = value

    def _textarea(self, attributes: Attributes) -> None:
        self._add(attributes, "textarea")

    def _begin_select(self, attributes: Attributes) -> None:
        self._select = self._add(attributes, "select")

    def _option(self, attributes: Attributes) -> None:
        if self._select is None:
            return
        value = attributes.get("value", "")
        is_first = not self._select.choices
        self._select.choices.append(value)
        if is_first or "selected" in attributes:
            self._select.value = value

    def _label(self, attributes: Attributes) -> None:
        self.page.labelled.add(attributes.get("for", ""))

    def _link(self, attributes: Attributes) -> None:
        if attributes.get("id") == RETURN:
            self.page.way_back = attributes.get("href", "")

    def _add(self, attributes: Attributes, kind: str) -> Field | None:
        """Return the field of this name. Radio buttons of one name are one field."""
        name = attributes.get("name", "")
        if not name or not self.page.forms:
            return None
        return self.page.forms[-1].fields.setdefault(name, Field(name, kind))
