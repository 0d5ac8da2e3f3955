"""The found payments as a file for spreadsheets."""

import csv
import io
from decimal import Decimal

import pytest

from connector.console import payment_csv, payments
from connector.console.payment_csv import _amount, _cell
from tests.console.visitor import Visitor
from tests.rig import Rig

FILE = "/console/payments.csv"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


@pytest.fixture
def shop(rig: Rig) -> Rig:
    rig.add()
    rig.add(name="other")
    rig.create("P1", "10.50", orderId="O1", transactionId="T1")
    rig.settle("P1", 10.5)
    rig.create("P2", 20, merchant="other", orderId='a "b", c\nd', currency="EUR")
    return rig


def test_the_file_has_the_found_payments(shop: Rig) -> None:
    answer = Visitor(shop).get(FILE)
    assert (200, "text/csv; charset=utf-8") == (answer.status_code, answer.content_type)
    assert 'attachment; filename="payments.csv"' == answer.headers["Content-Disposition"]
    assert "no-store" == answer.headers["Cache-Control"]
    second, first = rows(answer.text)
    assert ("shop", "sandbox", "P1", "T1", "O1") == tuple(first.values())[1:6]
    assert ("10.50", "RUB") == (first["amount"], first["currency"])
    assert first["createdAt"].endswith("+00:00")
    assert ("other", "P2", "EUR") == (second["merchant"], second["paymentId"], second["currency"])
    # RFC 4180: lines end with CR LF, and a quote is doubled.
    assert '"a ""b"", c\\u000ad"' in answer.text
    assert answer.text.count("\r\n") == answer.text.count("\n") == 3


def test_the_file_has_the_conditions_of_the_page(shop: Rig) -> None:
    visitor = Visitor(shop)
    assert ["P1"] == [row["paymentId"] for row in rows(visitor.get(FILE, q="O1").text)]
    assert ["P2"] == [row["paymentId"] for row in rows(visitor.get(FILE, merchant="other").text)]
    assert [] == rows(visitor.get(FILE, status="DENIED").text)
    page = visitor.text("/console/payments", q="O1", merchant="shop")
    assert 'href="/console/payments.csv?q=O1&amp;merchant=shop"' in page
    assert ["P1"] == [row["paymentId"] for row in rows(Visitor(shop, "shop").get(FILE).text)]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\nx"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert not _cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_formula_of_vtexs_is_a_text_in_the_file(rig: Rig) -> None:
    rig.add()
    rig.create("-P1", orderId="=HYPERLINK(1)", transactionId="a=b")
    (row,) = rows(Visitor(rig).get(FILE).text)
    assert ("'-P1", "'=HYPERLINK(1)", "a=b") == (
        row["paymentId"],
        row["orderId"],
        row["transactionId"],
    )


def test_any_characters_can_be_sent(rig: Rig) -> None:
    rig.add()
    rig.create("P1", orderId="\ud800\0\u202eé")
    (row,) = rows(Visitor(rig).get(FILE).text)
    assert "\\ud800\\u0000\\u202eé" == row["orderId"]


@pytest.mark.parametrize(
    ("value", "text"),
    [("1E+3", "1000"), ("0E-8", "0.00000000"), ("10.50", "10.50"), ("1E-7", "0.0000001")],
)
def test_an_amount_has_no_exponent(value: str, text: str) -> None:
    assert text == _amount(Decimal(value))


def test_the_file_ends_at_its_longest(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payments, "MOST_ROWS", 3)
    monkeypatch.setattr(payment_csv, "_ROWS_OF_A_PART", 2)
    rig.add()
    for number in range(5):
        rig.create(f"P{number}")
    visitor = Visitor(rig)
    assert ["P4", "P3", "P2"] == [row["paymentId"] for row in rows(visitor.get(FILE).text)]
    assert "the newest 3 found payments at most" in visitor.text("/console/payments")


def test_a_file_is_read_while_it_is_sent_and_few_at_a_time(
    shop: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(payment_csv, "MOST_DOWNLOADS", 1)
    visitor = Visitor(shop)
    first = visitor.begin(FILE)
    assert 200 == first.status_code
    busy = visitor.get(FILE)
    assert (429, "1") == (busy.status_code, busy.headers["Retry-After"])
    first.close()
    assert 200 == visitor.get(FILE).status_code
