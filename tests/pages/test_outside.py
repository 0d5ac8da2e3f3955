"""A text from outside stays a text on a page, and is seen whole."""

import pytest

from connector.pages.languages import ABSENT
from connector.pages.outside import outside, plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("abc", "abc"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("\"><img src=x onerror='x'>", "&#34;&gt;&lt;img src=x onerror=&#39;x&#39;&gt;"),
        ("{{ 7 * 7 }}", "{{ 7 * 7 }}"),
        ("a\0b\nc\x85", "a\\u0000b\\u000ac\\u0085"),
        ("\ud800", "\\ud800"),
        ("abc\u202etxt\u2066\u200f", "abc\\u202etxt\\u2066\\u200f"),
        ("line\u2028line", "line\\u2028line"),
        ("\U000e0041", "\\ue0041"),
        ("Замовлення № 7 é 訂單", "Замовлення № 7 é 訂單"),
        ("two words", "two words"),
        (7, "7"),
    ],
)
def test_a_text_from_outside_is_shown_as_it_is(text: object, shown: str) -> None:
    assert f"<bdi>{shown}</bdi>" == outside(text)


@pytest.mark.parametrize("text", [None, ""])
def test_a_text_that_is_not_there_is_a_dash(text: str | None) -> None:
    assert ABSENT == outside(text)


def test_every_character_can_be_sent() -> None:
    """A page is sent in UTF-8, which has no lone surrogates."""
    for code in (*range(0x3000), *range(0xD700, 0xE100), *range(0xFE00, 0x10100), 0x10FFFF):
        assert plain(chr(code)).encode()
