"""`make pictures`: draw a picture of every page into docs/pictures."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import ViewportSize

from connector.storage.database import Database
from connector.storage.migrate import migrate
from tests.browser.chromium import chromium
from tests.browser.pages import PAGES, Shown
from tests.browser.site import Site
from tests.browser.visits import NARROW, WIDE, Visits

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
# Pixels. A page that is longer is shown whole.
LEAST_HEIGHT = 480
# A merchant may well connect with a telephone.
IN_FLOW = "/authorization/"
# What the documents show is in the repository, so it is small: the top of a page, with its height.
SHOWN = {
    "keys": 860,
    "connected": 860,
    "overview": 860,
    "payments": 800,
    "payment-returned-in-part": 1200,
    "work": 860,
}
SHOWN_WIDTH = 1140


@contextmanager
def filled_site() -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/connector.db"
        database = Database(url)
        migrate(database)
        database.close()
        with Site(url, Path(folder)) as site:
            site.fill()
            yield site


def draw(visits: Visits, shown: Shown) -> None:
    with visits.window(shown.viewer) as page:
        shown.way(visits.site, page)
        for name, size in sizes(shown).items():
            page.set_viewport_size(size)
            page.screenshot(path=FOLDER / f"{name}.png", full_page=name not in SHOWN)


def sizes(shown: Shown) -> dict[str, ViewportSize]:
    """Return the pictures of a page, by their names, with the window of each."""
    if shown.file in SHOWN:
        return {shown.file: {"width": SHOWN_WIDTH, "height": SHOWN[shown.file]}}
    drawn: dict[str, ViewportSize] = {shown.file: {**WIDE, "height": LEAST_HEIGHT}}
    if shown.rule.startswith(IN_FLOW):
        drawn[f"{shown.file}-narrow"] = {**NARROW, "height": LEAST_HEIGHT}
    return drawn


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with filled_site() as site, chromium() as browser:
        visits = Visits(browser, site)
        for shown in PAGES:
            draw(visits, shown)
            print(FOLDER / f"{shown.file}.png")


if __name__ == "__main__":
    main()
