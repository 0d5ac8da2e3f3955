"""Which returnUrl is allowed, whose it is, and where the code goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config import RETURN_HOSTS
from connector.domain.authorization import ReturnUrlRefused
from connector.vtex import addresses
from connector.vtex.authorization import return_url

CODE = "kWnB3m0eX4Yl2T7p9sUvQ1zR6cH8jLfDgA5oIiEwKtM"
BASE = "https://mystore.myvtex.com"

ALLOWED = [
    f"{BASE}/admin/provider-return?authorizationCode=",
    f"{BASE}",
    f"{BASE}/a?x=1#/b?c=d",
    "https://MyStore.MyVTEX.com:443/",
    "https://dev--mystore.myvtex.com/",
    "https://mystore.vtexpayments.com.br/provider?an=mystore",
    "https://storevtex.vtexpayments.com/return?authorizationCode=&otherparams=1",
    BASE + "/" + "x" * (return_url.MOST_URL - len(BASE) - 1),
]


@pytest.mark.parametrize("url", ALLOWED)
def test_an_address_of_vtexs_is_allowed(url: str) -> None:
    assert url == return_url.checked(url, RETURN_HOSTS)


REFUSED = [
    None,
    "",
    7,
    ["https://mystore.myvtex.com"],
    "mystore.myvtex.com",
    "http://mystore.myvtex.com/",
    "http://127.0.0.1/",
    "ftp://mystore.myvtex.com/",
    "javascript:alert(1)//mystore.myvtex.com/",
    "//mystore.myvtex.com/",
    "https:/mystore.myvtex.com/",
    "https:///mystore.myvtex.com/",
    "https://evil.example/",
    "https://myvtex.com/",
    "https://evilmyvtex.com/",
    "https://mystore.myvtex.com.evil.example/",
    "https://evil.example/mystore.myvtex.com/",
    "https://evil.example?mystore.myvtex.com",
    "https://evil.example#.myvtex.com",
    "https://evil.example\\.myvtex.com/",
    "https://evil.example\\@mystore.myvtex.com/",
    "https://user@mystore.myvtex.com/",
    "https://user:password@mystore.myvtex.com/",
    "https://mystore.myvtex.com@evil.example/",
    "https://mystore.myvtex.com:8443/",
    "https://mystore.myvtex.com:443@evil.example/",
    "https://mystore.myvtex.com./",
    "https://-mystore.myvtex.com/",
    "https://.myvtex.com/",
    "https://my store.myvtex.com/",
    "https://mystore.myvtex.com/a b",
    "https://mystore.myvtex.com/\r\nSet-Cookie: a=b",
    "https://mystore.myvtex.com/\x00",
    "https://mystore.myvtex.com/#\x1b[2J",
    "https://mystore.myvtex.com/é",
    "https://mystore.myvtеx.com/",  # noqa: RUF001 - a Cyrillic letter
    " https://mystore.myvtex.com/",
    "https://[::1]/",
    ALLOWED[-1] + "x",
]


@pytest.mark.parametrize("url", REFUSED)
def test_any_other_address_is_refused_and_the_field_is_named(url: object) -> None:
    with pytest.raises(ReturnUrlRefused, match=r"^returnUrl: "):
        return_url.checked(url, RETURN_HOSTS)


def test_the_operator_may_name_other_hosts() -> None:
    hosts = ("shop.example.com", "127.0.0.1:8081")
    for url in ("https://shop.example.com/back", "http://127.0.0.1:8081/back"):
        assert url == return_url.checked(url, hosts)
    for url in (BASE, "http://127.0.0.1:8082/", "http://shop.example.com/back"):
        with pytest.raises(ReturnUrlRefused):
            return_url.checked(url, hosts)


@pytest.mark.parametrize(
    ("host", "store"),
    [
        ("mystore.myvtex.com", "mystore"),
        ("MyStore.myvtex.com", "mystore"),
        ("dev--mystore.myvtex.com", "mystore"),
        ("a--b--mystore.myvtex.com", "mystore"),
        ("mystore.vtexpayments.com", "mystore"),
        ("mystore.vtexpayments.com.br", "mystore"),
        ("mystore.vtexcommercestable.com.br", "mystore"),
        ("mystore.vtexcommercebeta.com.br", "mystore"),
        ("evil.mystore.myvtex.com", "mystore"),
        ("mystore.evil.myvtex.com", "evil"),
        ("shop.example.com", "shop.example.com"),
        ("mystore.myvtex.com.example.com", "mystore.myvtex.com.example.com"),
        ("127.0.0.1:8081", "127.0.0.1"),
    ],
)
def test_the_store_is_read_from_the_host(host: str, store: str) -> None:
    assert store == return_url.store_of(f"https://{host}/admin?an=other#x")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        # Filled in.
        (f"{BASE}/r?authorizationCode=", f"{BASE}/r?authorizationCode=CODE"),
        (f"{BASE}/r?authorizationCode=&b=2", f"{BASE}/r?authorizationCode=CODE&b=2"),
        (f"{BASE}/r?a=1&authorizationCode=&b=2", f"{BASE}/r?a=1&authorizationCode=CODE&b=2"),
        (f"{BASE}/r?a=1&authorizationCode=#f", f"{BASE}/r?a=1&authorizationCode=CODE#f"),
        (f"{BASE}/r?authorizationCode", f"{BASE}/r?authorizationCode=CODE"),
        # Added.
        (BASE, f"{BASE}?authorizationCode=CODE"),
        (f"{BASE}/", f"{BASE}/?authorizationCode=CODE"),
        (f"{BASE}/r?", f"{BASE}/r?authorizationCode=CODE"),
        (f"{BASE}/r?a=1", f"{BASE}/r?a=1&authorizationCode=CODE"),
        (f"{BASE}/r?a=1&", f"{BASE}/r?a=1&authorizationCode=CODE"),
        (f"{BASE}/r#f", f"{BASE}/r?authorizationCode=CODE#f"),
        (f"{BASE}/r?#f", f"{BASE}/r?authorizationCode=CODE#f"),
        (f"{BASE}/r#/a?b=1", f"{BASE}/r?authorizationCode=CODE#/a?b=1"),
        # Names that only look like it.
        (f"{BASE}/r?xauthorizationCode=", f"{BASE}/r?xauthorizationCode=&authorizationCode=CODE"),
        (f"{BASE}/r?authorizationCodes=", f"{BASE}/r?authorizationCodes=&authorizationCode=CODE"),
        (f"{BASE}/r?authorizationcode=", f"{BASE}/r?authorizationcode=&authorizationCode=CODE"),
        (f"{BASE}/authorizationCode=", f"{BASE}/authorizationCode=?authorizationCode=CODE"),
        (f"{BASE}/r#authorizationCode=", f"{BASE}/r?authorizationCode=CODE#authorizationCode="),
        (f"{BASE}/r?a=authorizationCode=", f"{BASE}/r?a=authorizationCode=&authorizationCode=CODE"),
        # What must not be rewritten.
        (f"{BASE}/%7e?a=%2f+b&&=", f"{BASE}/%7e?a=%2f+b&&=&authorizationCode=CODE"),
        # The code of an earlier flow, and every place where a reader may look.
        (f"{BASE}/r?authorizationCode=old&b=2", f"{BASE}/r?authorizationCode=CODE&b=2"),
        (
            f"{BASE}/r?authorizationCode=&authorizationCode=old",
            f"{BASE}/r?authorizationCode=CODE&authorizationCode=CODE",
        ),
    ],
)
def test_the_code_is_filled_in_or_added_and_all_else_stays(url: str, expected: str) -> None:
    assert expected.replace("CODE", CODE) == return_url.with_code(url, CODE)


PARTS = st.text(alphabet=[chr(code) for code in range(0x21, 0x7F) if chr(code) not in "#?&"])


@given(PARTS, st.lists(PARTS), PARTS)
def test_with_any_other_query_the_code_is_added_and_the_host_stays(
    path: str, parameters: list[str], fragment: str
) -> None:
    others = [one for one in parameters if not one.startswith("authorizationCode")]
    url = f"{BASE}/{path}?{'&'.join(others)}#{fragment}"
    written = return_url.with_code(url, CODE)
    # Without the added characters it is what it was.
    added = f"authorizationCode={CODE}"
    assert url in {written.replace(f"&{added}", "", 1), written.replace(added, "", 1)}
    location = written.partition("#")[0]
    address = addresses.read(location)
    assert address is not None
    assert ("mystore.myvtex.com", 1) == (address.host, location.count(CODE))
