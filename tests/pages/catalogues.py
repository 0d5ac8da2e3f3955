"""The texts of the pages, and their catalogues.

`python -m tests.pages.catalogues` adds the new texts to the catalogues, and removes the unused.
"""

from functools import cache
from io import BytesIO
from itertools import product
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

import connector
from connector.pages.languages import LANGUAGES, TRANSLATIONS, read_catalogue

PACKAGE = Path(connector.__file__).parent
CODES = [code.replace("-", "_") for code in LANGUAGES if code != "en"]
# The texts of an area stand in these files, by the beginnings of their paths. The first that fits
# counts.
AREAS = (
    ("console/templates/console/payment", "payments"),
    ("console/payment", "payments"),
    ("console/templates/console/work", "work"),
    ("console/work", "work"),
    ("console/templates/console/notifications", "work"),
    ("console/notifications", "work"),
    ("console/templates/console/merchants", "merchants"),
    ("console/merchants", "merchants"),
    ("console/templates/console/overview", "overview"),
    ("console/overview", "overview"),
    ("console/", "signin"),
    ("vtex/authorization/", "flow"),
    ("providers/", "flow"),
    ("pages/", "common"),
)
# Lines of a catalogue's head that say nothing.
_OF_THE_DAY = (
    *('"POT-Creation-Date', '"PO-Revision-Date', '"Generated-By', '"Project-Id-Version'),
    *('"Report-Msgid-Bugs-To', '"Last-Translator', '"Language-Team'),
)
METHODS = [("**/templates/**.html", "jinja2"), ("**.py", "python")]
KEYWORDS = {
    "_": None,
    "gettext": None,
    "lazy_gettext": None,
    "ngettext": (1, 2),
    "_n": (1, 2),
    "for_people": None,
}


@cache
def texts() -> dict[str, set[str | tuple[str, ...]]]:
    """Return the texts of the pages, by area."""
    found: dict[str, set[str | tuple[str, ...]]] = {area: set() for _, area in AREAS}
    for file, _, message, _, _ in extract_from_dir(
        str(PACKAGE), METHODS, {"**/templates/**.html": {"newstyle_gettext": "true"}}, KEYWORDS
    ):
        area = next((area for start, area in AREAS if file.startswith(start)), None)
        if area and message:
            found[area].add(message)
    return found


def catalogue(area: str, code: str) -> Catalog:
    path = TRANSLATIONS / area / f"{code}.po"
    return read_catalogue(path) if path.exists() else Catalog(locale=code)


def update() -> None:
    """Write the catalogues anew. A new text has no translation until a person writes one."""
    wanted = texts()
    for area, code in product(wanted, CODES):
        old = catalogue(area, code)
        new = Catalog(locale=code, header_comment=_head(area), fuzzy=False)
        for message in sorted(wanted[area], key=str):
            known = old.get(message if isinstance(message, str) else message[0])
            new.add(message, string=known.string if known else None)
        path = TRANSLATIONS / area / f"{code}.po"
        path.parent.mkdir(exist_ok=True)
        file = BytesIO()
        write_po(file, new, omit_header=False, width=100)
        lines = file.getvalue().decode().split("\n")
        path.write_text("\n".join(line for line in lines if not _is_of_the_day(line)))


def _head(area: str) -> str:
    return f"# The texts of the area {area}."


def _is_of_the_day(line: str) -> bool:
    return line.startswith(_OF_THE_DAY)


if __name__ == "__main__":
    update()
