"""Finds the merchant of VTEX's request: by one of two header families, or by the suite's mark."""

from typing import Protocol

from connector.domain.merchant import Merchant
from connector.merchants import Directory

# VTEX sends the second family to connectors of its own platform, the first to all others.
HEADER_FAMILIES = ("X-VTEX-API", "X-PROVIDER-API")
# Characters of an AppKey that are shown, enough to tell merchants apart.
SHOWN_CHARACTERS = 6
# VTEX's test suite marks its requests with this header.
SUITE_MARK = "X-VTEX-API-Is-TestSuite"


class Headers(Protocol):
    """A request's headers. Capital and small letters in a name are the same."""

    def get(self, key: str, default: str) -> str: ...


def authenticate(directory: Directory, headers: Headers) -> Merchant:
    """Find the merchant of a request. The test suite's mark counts before any credentials.

    Raises SuiteOff, NotAuthenticated, ConfigurationError.
    """
    if _is_marked(headers):
        return directory.of_suite()
    return directory.by_keys(*_credentials(headers))


def is_of_suite(directory: Directory, headers: Headers) -> bool:
    """Whether the test suite sent a request, and this server takes its requests."""
    return directory.has_suite and _is_marked(headers)


def shown_key(headers: Headers) -> str | None:
    """Return the part of an AppKey that the log may show.

    An AppKey is no secret, but a merchant could have put the AppToken in its place.
    """
    return _credentials(headers)[0][:SHOWN_CHARACTERS] or None


def _is_marked(headers: Headers) -> bool:
    """Whether the mark says true, in capital or small letters.

    A header that came twice has a comma between its two values.
    """
    values = headers.get(SUITE_MARK, "").split(",")
    return all(value.strip().lower() == "true" for value in values)


def _credentials(headers: Headers) -> tuple[str, str]:
    """Take both keys from one family of headers: the first whole pair, else the first half pair.

    In VTEX's own collection, a request has a half pair of one family and a whole pair of the other.
    """
    pairs = [
        (headers.get(f"{family}-AppKey", ""), headers.get(f"{family}-AppToken", ""))
        for family in HEADER_FAMILIES
    ]
    return next((pair for rule in (all, any) for pair in pairs if rule(pair)), ("", ""))
