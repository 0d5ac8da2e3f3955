"""A person without a mouse."""

from playwright.sync_api import Locator, Page

# More stops than any of our pages has.
MOST_STOPS = 60


class Keyboard:
    """Walks over a page with the keyboard alone."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def press(self, *keys: str) -> None:
        for key in keys:
            self._page.keyboard.press(key)

    def walk_to(self, element: Locator) -> "Keyboard":
        """Go on with Tab until the element has the focus, and can be seen to have it."""
        for _ in range(MOST_STOPS):
            self.press("Tab")
            if element.evaluate("one => one === document.activeElement"):
                assert element.evaluate("one => getComputedStyle(one).outlineStyle") != "none"
                return self
        raise AssertionError(f"no key leads to {element}")

    def type(self, text: str) -> None:
        self._page.keyboard.insert_text(text)
