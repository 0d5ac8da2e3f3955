"""Every page, in every language: nothing to complain of, for nobody."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page

from connector.app import create_app
from connector.pages.languages import DEFAULT, LANGUAGES
from tests.browser.pages import NO_PAGES, PAGES, Shown
from tests.browser.seen import Faults, check_axe, check_width
from tests.browser.site import Site
from tests.browser.visits import NARROW, WIDE, Visits

# What a language cannot change, and takes axe-core most of its time.
COLOURS = "color-contrast"
OTHER_LANGUAGES = [code for code in LANGUAGES if code != DEFAULT]
# A4 in CSS pixels.
PAPER = {"width": 794, "height": 1123}


def test_every_route_that_answers_a_page_is_in_the_table(site: Site) -> None:
    rules = create_app(site.rig.connector).url_map.iter_rules()
    routes = {rule.rule for rule in rules if getattr(rule, "mimetype", "") == "text/html"}
    assert routes == {page.rule for page in PAGES} | NO_PAGES


@contextmanager
def looked_at(visits: Visits, shown: Shown, language: str, *excused: str) -> Iterator[Page]:
    """Show a page, in a wide and in a narrow window, where scripts may run if there are any."""
    with visits.window(shown.viewer, locale=language, java_script_enabled=True) as page:
        faults = Faults(page.context, shown.statuses)
        shown.way(visits.site, page)
        assert page.locator("html").get_attribute("lang") == language
        for width in (WIDE, NARROW):
            page.set_viewport_size(width)
            check_width(page)
            check_axe(page, [*shown.excused, *excused])
        yield page
        faults.check()


@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_in_light_in_dark_and_on_paper_there_is_no_fault(visits: Visits, shown: Shown) -> None:
    with looked_at(visits, shown, DEFAULT) as page:
        page.emulate_media(color_scheme="dark")
        check_axe(page, shown.excused)
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        check_width(page)
        check_axe(page, shown.excused)


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_in_every_language_there_is_no_fault(visits: Visits, shown: Shown, language: str) -> None:
    with looked_at(visits, shown, language, COLOURS):
        pass
