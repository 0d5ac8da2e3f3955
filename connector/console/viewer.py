"""Who looks at the console, and what this person may see."""

from dataclasses import dataclass

from flask import g

from connector.domain.merchant import Merchant
from connector.domain.person import actor_of


@dataclass(frozen=True)
class Viewer:
    """A person who is signed in. Without a merchant the person is an operator, who sees all.

    `until` is the second at which the session ends if the person asks for nothing more. None: a
    proxy knows the person, and there is no session of ours.
    """

    name: str
    merchant: Merchant | None = None
    until: float | None = None

    @property
    def is_operator(self) -> bool:
        return self.merchant is None

    def may_see(self, merchant: str) -> bool:
        """Whether the person may see the rows of a merchant, by its name."""
        return self.merchant is None or self.merchant.name == merchant


def viewer() -> Viewer:
    """Return the viewer of this request. The sign-in has set it before any page is made."""
    current: Viewer = g.viewer
    return current


def actor(person: Viewer) -> str:
    """Return the actor of what this person does, for the record."""
    return actor_of(person.name)
