"""The name of a person who looks at the console."""

import re

# The characters of names, addresses of mail and accounts, in any alphabet. A comma is none of them:
# a server joins repeated headers by commas.
_NAME = re.compile(r"[\w .@+'()/\\:|-]{1,64}")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def person_name(text: str) -> str | None:
    """Read a person's name, without the spaces around it. None: this is no name."""
    name = text.strip(" ")
    is_name = _NAME.fullmatch(name) and _LETTER_OR_DIGIT.search(name)
    return name if is_name else None


_MARK = "console: "


def actor_of(name: str) -> str:
    """Return the actor of what a person does in the console, for the record."""
    return f"{_MARK}{name}"


def name_of(actor: str) -> str:
    """Return the name of an actor: a person in the console, or whoever ran a command."""
    return actor.removeprefix(_MARK)
