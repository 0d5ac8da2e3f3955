"""A note says what a person did. It never holds a card number."""

import pytest

from connector.domain.note import MOST_CHARACTERS, NoteFault, fault_of, has_card_number

# Test numbers of card companies, with 13, 15, 16 and 19 digits.
CARDS = ["4222222222222", "378282246310005", "4111111111111111", "6304000000000000000"]


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("form", ["{}", "card {}.", "a{}b", "7 {}", "{}-1", "1.5 {} 2026"])
def test_a_card_number_is_seen_in_any_surroundings(card: str, form: str) -> None:
    assert has_card_number(form.format(card))


@pytest.mark.parametrize(
    "card",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "4111.1111.1111.1111",
        "4111\u00a01111\n1111\t1111",
        "Paid to 4111 1111 1111 1111 on 26 11 2026",
        "\u0664\u0661\u0661\u0661" + "\u0661" * 12,
    ],
)
def test_a_card_number_is_seen_in_any_spelling(card: str) -> None:
    assert NoteFault.CARD_NUMBER is fault_of(card)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # a wrong check digit
        "411111111111",  # 12 digits
        "0" * 20,
        "Returned 1 000.00 RUB on 2026-11-26 in the console",
        "9E2D4A6B8C0F41D3A5B7C9E1F2039485",
        "4111, 1111, 1111, 1111",
    ],
)
def test_other_numbers_are_taken(text: str) -> None:
    assert fault_of(text) is None


def test_a_note_has_an_end() -> None:
    assert fault_of("é" * MOST_CHARACTERS) is None
    assert NoteFault.TOO_LONG is fault_of("é" * (MOST_CHARACTERS + 1))
