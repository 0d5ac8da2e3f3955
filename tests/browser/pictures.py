"""`make pictures`: draw a picture of every page into docs/pictures."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
        sizes = {"": WIDE, "-narrow": NARROW} if shown.rule.startswith(IN_FLOW) else {"": WIDE}
        for ending, size in sizes.items():
            page.set_viewport_size({**size, "height": LEAST_HEIGHT})
            page.screenshot(path=FOLDER / f"{shown.file}{ending}.png", full_page=True)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with filled_site() as site, chromium() as browser:
        visits = Visits(browser, site)
        for shown in PAGES:
            draw(visits, shown)
            print(FOLDER / f"{shown.file}.png")


if __name__ == "__main__":
    main()
