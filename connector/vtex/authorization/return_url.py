"""The returnUrl of a configuration flow: which is allowed, whose it is, and where the code goes."""

import re
from collections.abc import Sequence

from connector.domain.authorization import ReturnUrlRefused
from connector.vtex import addresses

# Characters. VTEX's own have some hundred.
MOST_URL = 2048
# VTEX's families of hosts. The label before the family is the VTEX account.
_FAMILIES = (
    "myvtex.com",
    "vtexpayments.com",
    "vtexpayments.com.br",
    "vtexcommercestable.com.br",
    "vtexcommercebeta.com.br",
)
# A host `workspace--account` shows a workspace of an account.
_WORKSPACE_MARK = "--"
_FRAGMENT = re.compile(r"[!-~]*")
_CODE = re.compile(r"(?<![^&])authorizationCode(?:=[^&]*)?(?![^&])")


def checked(url: object, hosts: Sequence[str]) -> str:
    """Return a returnUrl that VTEX may give. Raises ReturnUrlRefused, which says what is wrong."""
    if not isinstance(url, str) or not url:
        raise ReturnUrlRefused("returnUrl: required, a text")
    if len(url) > MOST_URL:
        raise ReturnUrlRefused(f"returnUrl: at most {MOST_URL} characters")
    location, _, fragment = url.partition("#")
    if addresses.read(location) is None or not _FRAGMENT.fullmatch(fragment):
        raise ReturnUrlRefused("returnUrl: give an https URL in ASCII, without a user name")
    if not addresses.is_allowed(location, hosts):
        raise ReturnUrlRefused("returnUrl: its host is not in CONNECTOR_RETURN_HOSTS")
    return url


def store_of(url: str) -> str:
    """Return the VTEX account to which a checked returnUrl leads.

    In an operator's own host no account can be read. Then the whole host is the account's name.
    """
    address = addresses.read(url.partition("#")[0])
    if address is None:
        raise ReturnUrlRefused
    for family in _FAMILIES:
        if address.host.endswith(f".{family}"):
            label = address.host.removesuffix(f".{family}").rpartition(".")[2]
            return label.rpartition(_WORKSPACE_MARK)[2]
    return address.host


def with_code(url: str, code: str) -> str:
    """Write the code as `authorizationCode` into the query. All else stays byte for byte.

    A value that is already there is the code of an earlier flow: VTEX's Admin may have begun this
    flow at the address to which the earlier flow led back. So the new code takes its place.
    """
    location, hash_mark, fragment = url.partition("#")
    path, _, query = location.partition("?")
    written = f"authorizationCode={code}"
    query, count = _CODE.subn(lambda _: written, query)
    if not count:
        query += f"&{written}" if query and not query.endswith("&") else written
    return f"{path}?{query}{hash_mark}{fragment}"
