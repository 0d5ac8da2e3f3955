"""The note of a person who finished the task of a request."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum

MOST_CHARACTERS = 500
# How many digits a card number has (ISO/IEC 7812-1).
CARD_DIGITS = range(13, 20)

# Digits, also with a space, a dash or a dot between them.
_DIGITS = re.compile(r"\d(?:[\s.-]?\d)*")


class NoteFault(StrEnum):
    """Why a note is refused. The value is the message of the command."""

    TOO_LONG = f"write at most {MOST_CHARACTERS} characters"
    CARD_NUMBER = "this looks like a card number, which is never stored; leave the number out"


def fault_of(note: str) -> NoteFault | None:
    if len(note) > MOST_CHARACTERS:
        return NoteFault.TOO_LONG
    return NoteFault.CARD_NUMBER if has_card_number(note) else None


def has_card_number(text: str) -> bool:
    """Whether a text has digits that a card number could have.

    Groups of digits beside each other are also read as one number.
    """
    groups = (re.findall(r"\d+", digits) for digits in _DIGITS.findall(text))
    return any(_is_card_number(number) for found in groups for number in _numbers(found))


def _numbers(groups: Sequence[str]) -> Iterator[str]:
    """Yield each number of neighbouring groups that is short enough for a card number."""
    for first in range(len(groups)):
        number = ""
        for group in groups[first:]:
            number += group
            if len(number) > CARD_DIGITS[-1]:
                break
            yield number


def _is_card_number(number: str) -> bool:
    """Whether the length and the check digit (Luhn's sum) are those of a card number."""
    if len(number) not in CARD_DIGITS:
        return False
    digits = [int(digit) for digit in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
