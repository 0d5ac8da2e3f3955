"""The page on which people find payments."""

import re
from typing import Any

import pytest

from connector.console import payments
from connector.console.payments import read_position, write_position
from connector.storage.payment_search import Position
from tests.console.visitor import Visitor, ids
from tests.rig import Rig

LIST = "/console/payments"
MARKUP = "<script>alert(1)</script>"


@pytest.fixture
def shops(rig_on_both: Rig) -> Rig:
    """Two merchants; each has a created payment and a cancelled payment."""
    for name in ("shop", "other"):
        rig_on_both.add(name=name)
    for name in ("shop", "other"):
        rig_on_both.create(f"{name}-1", 10, merchant=name, orderId="O1", transactionId=f"T-{name}")
        rig_on_both.cancel(f"{name}-2", merchant=name)
    return rig_on_both


def faults(page: str) -> dict[str, str]:
    """Return the faults that a page names, by their fields."""
    return dict(re.findall(r'class="fault" id="(\w+)-fault">([^<]+)', page))


def links(page: str, words: str) -> list[str]:
    """Return the addresses of the links with these words."""
    found = re.findall(r'<a [^>]*href="([^"]+)"[^>]*>([^<]+)</a>', page)
    return [address.replace("&amp;", "&") for address, text in found if text == words]


def test_an_operator_sees_the_payments_of_all_merchants_the_newest_first(shops: Rig) -> None:
    page = Visitor(shops).text(LIST)
    assert ["other-2", "other-1", "shop-2", "shop-1"] == ids(page)
    assert 'data-status="CANCELLED"' in page
    assert 'href="/console/payments/shop/shop-1"' in page


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"q": "shop-1"}, ["shop-1"]),
        ({"q": "  T-other "}, ["other-1"]),
        ({"q": "O1"}, ["other-1", "shop-1"]),
        ({"q": "O1", "merchant": "shop"}, ["shop-1"]),
        ({"q": "O1", "status": "CANCELLED"}, []),
        ({"merchant": "other"}, ["other-2", "other-1"]),
        ({"status": "CANCELLED"}, ["other-2", "shop-2"]),
        ({"merchant": "shop", "status": "CANCELLED"}, ["shop-2"]),
        ({"since": "2020-01-01"}, ["other-2", "other-1", "shop-2", "shop-1"]),
        ({"until": "2020-01-01"}, []),
        ({"since": "9999-12-31"}, []),
        ({"until": "9999-12-31"}, ["other-2", "other-1", "shop-2", "shop-1"]),
        ({"since": "2020-01-01T00:00+05:00", "until": "2020-01-01T00:00Z"}, []),
        ({"q": "%"}, []),
        ({"q": "\0"}, []),
        ({"q": "'; DROP TABLE payments"}, []),
    ],
)
def test_each_condition_limits_what_is_found(
    shops: Rig, asked: dict[str, str], found: list[str]
) -> None:
    page = Visitor(shops).text(LIST, **asked)
    assert found == ids(page)
    assert ("No payment fits" in page) == (not found)


def test_a_day_until_which_is_searched_counts_whole(rig: Rig) -> None:
    rig.add()
    rig.create("P1")
    rig.execute("UPDATE payments SET created_at = 1767225600.0 + 86399")
    visitor = Visitor(rig)
    for asked, found in (
        ({"since": "2026-01-01", "until": "2026-01-01"}, ["P1"]),
        ({"since": "2026-01-02"}, []),
        ({"until": "2025-12-31"}, []),
        ({"until": "2026-01-01T23:59:59"}, []),
        ({"until": "2026-01-01T23:59:59.5"}, ["P1"]),
    ):
        assert found == ids(visitor.text(LIST, **asked)), asked


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("q", "x" * 257, "too long"),
        ("merchant", "nobody", "no merchant of this name"),
        ("merchant", "x" * 257, "too long"),
        ("status", "PAID", "one of these statuses"),
        ("status", MARKUP, "one of these statuses"),
        ("since", "yesterday", "Write a day as 2026-01-31"),
        ("since", "2026-02-30", "Write a day"),
        ("until", "\0", "Write a day"),
        ("until", "10000-01-01", "Write a day"),
        ("after", "nonsense", "not whole"),
    ],
)
def test_what_cannot_be_read_is_named_beside_its_field(
    shops: Rig, name: str, value: str, fault: str
) -> None:
    for path in (LIST, "/console/payments.csv"):
        answer = Visitor(shops).get(path, **{name: value, "q": value if name == "q" else "shop-1"})
        if name == "after" and path != LIST:
            continue
        assert 400 == answer.status_code
        assert [name] == list(faults(answer.text))
        assert fault in faults(answer.text)[name]
        assert MARKUP not in answer.text
        if name != "after":
            assert f'aria-describedby="{name}-fault' in answer.text


@pytest.mark.parametrize("asked", [{}, {"q": "O1"}, {"status": "PENDING"}, {"merchant": "shop"}])
def test_pages_follow_each_other_with_the_same_conditions(
    shops: Rig, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    for number in range(2, 8):
        shops.create(f"more-{number}", orderId="O1")
    whole = ids(Visitor(shops).text(LIST, **asked))
    monkeypatch.setattr(payments, "ROWS_OF_A_PAGE", 3)
    visitor, shown, address = Visitor(shops), [], LIST
    page = visitor.text(address, **asked)
    shown += ids(page)
    while following := links(page, "Older payments"):
        assert 3 == len(ids(page))
        page = visitor.text(following[0])
        shown += ids(page)
    assert whole == shown
    assert len(set(shown)) == len(shown) >= 6


def test_exactly_one_page_has_no_next_page(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payments, "ROWS_OF_A_PAGE", 2)
    rig.add()
    for number in range(2):
        rig.create(f"P{number}")
    assert [] == links(Visitor(rig).text(LIST), "Older payments")


def test_a_merchants_person_sees_only_that_merchant_whatever_is_asked(shops: Rig) -> None:
    visitor = Visitor(shops, "shop")
    own = ["shop-2", "shop-1"]
    assert own == ids(visitor.text(LIST))
    assert own == ids(visitor.text(LIST, merchant="other"))
    assert own == ids(visitor.text(LIST, merchant="nobody"))
    assert [] == ids(visitor.text(LIST, q="other-1"))
    assert [] == ids(visitor.text(LIST, q="T-other"))
    assert ["shop-1"] == ids(visitor.text(LIST, q="O1"))
    # The position of another merchant's payment.
    after = write_position(Position(4e9, 2, "other-1"))
    assert own == ids(visitor.text(LIST, after=after))
    for asked in ({}, {"merchant": "other"}, {"q": "O1"}):
        assert "other-" not in visitor.text(LIST, **asked)
        assert "other-" not in visitor.get("/console/payments.csv", **asked).text


def test_a_person_of_a_merchant_is_not_told_which_merchants_exist(shops: Rig) -> None:
    visitor = Visitor(shops, "shop")
    pages = {
        re.sub("<time.*?</time>", "", visitor.text(LIST, merchant=name, lang="en")).replace(
            name, ""
        )
        for name in ("other", "nobody")
    }
    assert 1 == len(pages)


@pytest.mark.parametrize(
    "position",
    [
        Position(1.5, 1, "P1"),
        Position(1767225600.123456, 2**31 - 1, "x" * 128),
        Position(0.0, 1, "-"),
    ],
)
def test_a_position_is_read_as_it_was_written(position: Position) -> None:
    assert position == read_position(write_position(position))


@pytest.mark.parametrize(
    "position",
    [
        Position(float("nan"), 1, "P1"),
        Position(float("inf"), 1, "P1"),
        Position(1.5, 2**63, "P1"),
        Position(1.5, -1, "P1"),
        Position(1.5, 0, "P1"),
        Position(1.5, 1, ""),
        Position(1.5, 1, "é"),
    ],
)
def test_a_position_that_no_payment_has_is_not_read(position: Position) -> None:
    assert read_position(write_position(position)) is None


@pytest.mark.parametrize(
    "text", ["", "x", "é", "====", "MS41IDEgUDE\n", "MS41IDEgUDE=", "M" * 4000]
)
def test_a_position_that_nobody_wrote_is_not_read(text: str) -> None:
    assert read_position(text) is None


def test_texts_from_outside_are_only_texts(rig: Rig) -> None:
    rig.add()
    rig.create("P1", orderId=f"{MARKUP}\0\u202e", transactionId=MARKUP)
    for page in (Visitor(rig).text(LIST), Visitor(rig).text(LIST, q=MARKUP)):
        assert MARKUP not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u0000\\u202e" in page
        assert ["P1"] == ids(page)


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("en", "cancelled"),
        ("ru", "отменён"),
        ("uk", "скасовано"),
        ("es", "cancelado"),
        ("pt-BR", "cancelado"),
    ],
)
def test_the_page_is_in_the_readers_language(shops: Rig, language: str, word: str) -> None:
    page = Visitor(shops).text(LIST, status="CANCELLED", lang=language)
    assert f'<html lang="{language}">' in page
    assert word in page


def test_values_that_are_repeated_in_an_address_change_nothing(shops: Rig) -> None:
    answer: Any = Visitor(shops).get(f"{LIST}?q=shop-1&q=other-1&after=&after=&status=&lang=xx")
    assert (200, ["shop-1"]) == (answer.status_code, ids(answer.text))
