"""Reads a company's JSON by type. Raises AnswerNotUnderstood for an unreadable value."""

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from connector.domain.errors import (
    AnswerNotUnderstood,
    ConnectorError,
    ProviderCredentials,
    ProviderRefused,
)

# https, or plain http to this machine. A user name or a space is not allowed, because a browser
# could then read another host in the URL.
_PAGE_URL = re.compile(
    r"(https://[A-Za-z0-9.:-]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?)([/?#]\S*)?"
)


class Fields:
    """A JSON object that a company sent.

    A missing, null or empty value is absent. A value of a wrong type raises AnswerNotUnderstood.
    """

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise AnswerNotUnderstood(evidence="not an object")
        self._value = value

    def text(self, name: str) -> str | None:
        """Return a text. A whole number becomes a text."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise AnswerNotUnderstood(evidence=f"{name} is no text")
        return str(value)

    def decimal(self, name: str) -> Decimal | None:
        """Return a number. A text that is a number becomes a number."""
        value = self._value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            raise AnswerNotUnderstood(evidence=f"{name} is no number")
        try:
            number = Decimal(value)
        except InvalidOperation as error:
            raise AnswerNotUnderstood(evidence=f"{name} is no number") from error
        if not number.is_finite():
            raise AnswerNotUnderstood(evidence=f"{name} is no number")
        return number

    def flag(self, name: str) -> bool | None:
        value = self._value.get(name)
        if value is not None and not isinstance(value, bool):
            raise AnswerNotUnderstood(evidence=f"{name} is neither true nor false")
        return value

    def page_url(self, name: str) -> str | None:
        """Return the URL of a page, or None if a buyer cannot safely open it."""
        url = self.text(name)
        return url if url and _PAGE_URL.fullmatch(url) else None

    def object(self, name: str) -> "Fields":
        """Return an object. An absent object is empty."""
        value = self._value.get(name)
        return Fields({} if value is None else value)

    def objects(self, name: str) -> "list[Fields]":
        """Return a list of objects. An absent list is empty."""
        return objects(self._value.get(name) or [])


def objects(value: object) -> list[Fields]:
    """Read a JSON array of objects."""
    if not isinstance(value, list):
        raise AnswerNotUnderstood(evidence="not a list")
    return [Fields(item) for item in value]


def refused_word(read: Callable[..., object], *values: Any) -> str:
    """Return the word of a refusal that `read` finds, or an empty text if it finds none."""
    try:
        read(*values)
    except (ProviderCredentials, ProviderRefused) as error:
        return error.evidence
    except ConnectorError:
        return ""
    return ""


def safe_code(value: str | None) -> str:
    """Return a company's status or error code if it is safe to show, else an empty text.

    Free text is not shown: it may repeat what we sent to the company, keys included.
    """
    return value if value and re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value) else ""
