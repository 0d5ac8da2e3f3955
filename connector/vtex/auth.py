"""Whose a request of VTEX's is: its two families of headers, and the mark of the test suite."""

from typing import Protocol

from connector.domain.merchant import Merchant
from connector.merchants import Directory

# VTEX sends the second family to connectors of its own platform, the first to all others.
FAMILIES = ("X-VTEX-API", "X-PROVIDER-API")
# Characters of an AppKey that are shown, enough to tell merchants apart.
SHOWN = 6
# VTEX's test suite marks its requests with this header.
SUITE_MARK = "X-VTEX-API-Is-TestSuite"


class Headers(Protocol):
    """A request's headers, found whatever their case."""

    def get(self, key: str, default: str) -> str: ...


def authenticate(directory: Directory, headers: Headers) -> Merchant:
    """Find the merchant of a request. The test suite's mark decides before any credentials do.

    Raises SuiteOff, NotAuthenticated, ConfigurationError.
    """
    if _is_marked(headers):
        return directory.of_suite()
    return directory.by_keys(*_credentials(headers))


def is_of_suite(directory: Directory, headers: Headers) -> bool:
    """Whether a request is the test suite's, and the suite is let in."""
    return directory.has_suite and _is_marked(headers)


def shown_key(headers: Headers) -> str | None:
    """Return the part of an AppKey that the log may show.

    An AppKey is no secret, but a merchant could have put the AppToken in its place.
    """
    return _credentials(headers)[0][:SHOWN] or None


def _is_marked(headers: Headers) -> bool:
    """Whether the mark says true, in any case. A header that came twice has a comma in it."""
    words = headers.get(SUITE_MARK, "").split(",")
    return all(word.strip().lower() == "true" for word in words)


def _credentials(headers: Headers) -> tuple[str, str]:
    """Take both keys from one family of headers: the first whole pair, else the first half pair.

    VTEX's own collection of requests has half a pair of one family beside the whole of the other.
    """
    pairs = [
        (headers.get(f"{family}-AppKey", ""), headers.get(f"{family}-AppToken", ""))
        for family in FAMILIES
    ]
    return next((pair for rule in (all, any) for pair in pairs if rule(pair)), ("", ""))
