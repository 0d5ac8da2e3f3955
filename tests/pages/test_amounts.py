"""An amount is written as its reader writes amounts, with all its decimals."""

from decimal import Decimal

import pytest
from flask import Flask

from connector.pages import languages


@pytest.mark.parametrize(
    ("language", "value", "currency", "text"),
    [
        ("en", "1234.5", "RUB", "RUB\xa01,234.50"),
        ("en", "-5", "RUB", "-RUB\xa05.00"),
        ("en", "5", "USD", "$5.00"),
        ("en", "0.000001", "USD", "$0.000001"),
        ("ru", "1234.5", "RUB", "1\xa0234,50\xa0₽"),
        ("uk", "5", "UAH", "5,00\xa0₴"),
        ("es", "5", "UAH", "5,00\xa0UAH"),
        ("pt-BR", "5", "BRL", "R$\xa05,00"),
        ("pt-BR", "5", "RUB", "RUB\xa05,00"),
    ],
)
def test_an_amount_is_written_in_the_readers_way(
    language: str, value: str, currency: str, text: str
) -> None:
    with Flask(__name__).test_request_context(f"/?lang={language}"):
        assert text == languages.amount(Decimal(value), currency)
