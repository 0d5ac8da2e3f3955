"""Where our keys may be sent."""

import pytest

from connector.vtex.addresses import Address, is_allowed, is_of_form, read
from connector.vtex.callbacks import HOSTS, PATHS


@pytest.mark.parametrize(
    "url",
    [
        "https://gatewayqa.vtexpayments.com.br/api/pvt/x?accountName=a&X-VTEX-signature=b",
        "https://shop.vtexpayments.com.br",
        "https://a.b.vtexpayments.com/x",
        "https://SHOP.MyVtex.Com/x?y",
        "HTTPS://shop.myvtex.com:443/",
        "https://shop.myvtex.com?x=//evil.example",
    ],
)
def test_vtexs_own_hosts_are_allowed(url: str) -> None:
    assert is_allowed(url, (*HOSTS, "*.myvtex.com"))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "http://shop.myvtex.com/x",
        "ftp://shop.myvtex.com/x",
        "//shop.myvtex.com/x",
        "https:/shop.myvtex.com/x",
        "https:shop.myvtex.com/x",
        "https://myvtex.com/x",
        "https://evilmyvtex.com/x",
        "https://shop.myvtex.com.evil.example/x",
        "https://shop.myvtex.com./x",
        "https://.myvtex.com/x",
        "https://shop..myvtex.com/x",
        "https://-.myvtex.com/x",
        "https://shop.myvtex.com:8443/x",
        "https://shop.myvtex.com:/x",
        "https://shop.myvtex.com:443:443/x",
        "https://evil.example/shop.myvtex.com",
        "https://evil.example?shop.myvtex.com",
        "https://evil.example#.myvtex.com",
        "https://shop.myvtex.com/x#y",
        "https://shop.myvtex.com@evil.example/x",
        "https://user:word@shop.myvtex.com/x",
        "https://evil.example\\.myvtex.com/x",
        "https://evil.example\\@shop.myvtex.com/x",
        "https://evil.example%2f.myvtex.com/x",
        "https://evil.example%00.myvtex.com/x",
        "https://evil.example\t.myvtex.com/x",
        "https://evil.example\n.myvtex.com/x",
        " https://shop.myvtex.com/x",
        "https://shop.myvtex.com/x\n",
        "https://shop.myvtex.com/x y",
        "https://shop.myvtex.com/й",
        "https://\uff53hop.myvtex.com/x",
        "https://shop\u3002myvtex.com/x",
        "https://127.0.0.1/x",
        "https://2130706433/x",
        "https://0x7f.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "http://127.0.0.1/x",
        "http://localhost/x",
        "https://169.254.169.254/latest",
    ],
)
def test_no_other_host_is(url: str) -> None:
    assert not is_allowed(url, HOSTS)


@pytest.mark.parametrize(
    ("url", "host", "is_it"),
    [
        ("https://a.example/x", "a.example", True),
        ("https://a.example/x", "A.Example", True),
        ("https://b.a.example/x", "a.example", False),
        ("https://b.a.example/x", "*.a.example", True),
        ("https://b.a.example:8443/x", "*.a.example", False),
        ("https://b.a.example:8443/x", "*.a.example:8443", True),
        ("https://b.a.example/x", "*.a.example:8443", False),
        ("http://127.0.0.1:8000/x", "127.0.0.1:8000", True),
        ("http://[::1]:8000/x", "[::1]:8000", True),
        ("http://localhost/x", "localhost", True),
        ("http://localhost:8000/x", "localhost", False),
        ("http://127.0.0.1:8000/x", "localhost:8000", False),
        ("http://a.example/x", "a.example:80", False),
        ("http://a.localhost/x", "*.localhost", False),
        ("https://a.example/x", "*", False),
        ("https://a.example/x", "*.", False),
        ("https://a.example/x", "https://a.example", False),
        ("https://a.example/x", "", False),
    ],
)
def test_a_host_may_have_a_star_and_a_port(url: str, host: str, is_it: bool) -> None:
    assert is_allowed(url, (host,)) is is_it


def test_an_address_is_read_in_small_letters() -> None:
    assert read("HTTPS://Shop.Example:8443/X?Y") == Address("https", "shop.example", 8443, "/X")


HOST = "https://gateway.vtexpayments.com.br"
# The paths of VTEX's pages, after its host.
GATEWAY = "/api/pvt/payment-provider/transactions/D3AA1FC8372E/payments/8B3BA2F43525"
QUERY = "accountName=a&X-VTEX-signature=b"


@pytest.mark.parametrize(
    "path",
    [
        f"{GATEWAY}/callback?{QUERY}",
        f"{GATEWAY}/notification?{QUERY}",
        f"{GATEWAY}/retry",
        "/payment-provider/x",
        "/a.b/~c/payment-provider/d/",
        f"{GATEWAY}/x?..//%2f/..;",
    ],
)
def test_vtexs_own_paths_get_our_keys(path: str) -> None:
    assert is_of_form(HOST + path, PATHS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        f"?{GATEWAY}",
        f"/some-path/to-notify?x={GATEWAY}/callback",
        "/some-path/to-notify/status-changes?an=mystore",
        "/payment-provider",
        "/xpayment-provider/x",
        "/payment-providerx/x",
        "/Payment-Provider/x",
        "/payment-provider/../x",
        "/payment-provider/./x",
        "/payment-provider/..",
        "/payment-provider/.",
        "/../payment-provider/x",
        "/payment-provider/%2e%2e/x",
        "/payment-provider/%2E./x",
        "/payment-provider/..%2fx",
        "/payment-provider%2fx",
        "/%70ayment-provider/x",
        "/payment-provider/..;/x",
        "/payment-provider/;x/y",
        "/payment-provider//x",
        "//payment-provider/x",
        "/x//payment-provider/y",
        "/payment-provider\\x",
        "/payment-provider/..\\x",
        "/payment-provider/x:y@evil.example",
        "/payment-provider/x*",
        "/payment-provider/" + "x" * 2000,
        "/payment-provider/x#y",
    ],
)
def test_no_other_path_does(path: str) -> None:
    assert not is_of_form(HOST + path, PATHS)


@pytest.mark.parametrize(
    ("path", "form", "is_it"),
    [
        ("/a/b", "/a/b", True),
        ("/a/b/c", "/a/b", False),
        ("/x/a/b", "/a/b", False),
        ("/a/x/y/b", "/a/*/b", True),
        ("/a/b", "/a/*/b", False),
        ("/aXb", "/a.b", False),
        ("/a", "*", True),
        ("", "*", True),
        ("/a/../b", "*", False),
        ("/a", "", False),
    ],
)
def test_a_path_may_have_stars(path: str, form: str, is_it: bool) -> None:
    assert is_of_form(HOST + path, (form,)) is is_it


def test_no_store_is_allowed_by_itself() -> None:
    assert not is_allowed("https://any-store.myvtex.com/x", HOSTS)
