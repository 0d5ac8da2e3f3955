"""Every page, in every language: nothing to complain of, for nobody."""

import pytest

from connector.app import create_app
from connector.pages.languages import LANGUAGES
from tests.browser.pages import NO_PAGES, PAGES, Shown
from tests.browser.seen import Faults, check_axe, check_width
from tests.browser.site import Site
from tests.browser.visits import NARROW, WIDE, Visits

# The same colours as in a wide window.
SLOW = ("color-contrast",)
# A4 in CSS pixels.
PAPER = {"width": 794, "height": 1123}


def test_every_route_that_answers_a_page_is_in_the_table(site: Site) -> None:
    rules = create_app(site.rig.connector).url_map.iter_rules()
    routes = {rule.rule for rule in rules if getattr(rule, "mimetype", "") == "text/html"}
    assert routes == {page.rule for page in PAGES} | NO_PAGES


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_nobody_has_a_fault_to_find(visits: Visits, shown: Shown, language: str) -> None:
    with visits.window(shown.viewer, locale=language, java_script_enabled=True) as page:
        faults = Faults(page.context, shown.statuses)
        shown.way(visits.site, page)
        assert page.locator("html").get_attribute("lang") == language
        for width, excused in ((WIDE, ()), (NARROW, SLOW)):
            page.set_viewport_size(width)
            check_width(page)
            check_axe(page, {*shown.excused, *excused})
        faults.check()


@pytest.mark.parametrize("shown", PAGES, ids=str)
def test_dark_and_on_paper_all_can_be_read(visits: Visits, shown: Shown) -> None:
    options = {"color_scheme": "dark", "java_script_enabled": True}
    with visits.window(shown.viewer, **options) as page:
        shown.way(visits.site, page)
        check_axe(page, shown.excused)
        page.emulate_media(media="print")
        page.set_viewport_size(PAPER)
        check_axe(page, shown.excused)
        check_width(page)
