"""What anybody can post to a webhook is refused before anything expensive is begun.

How much CPU that saves is measured by `make bench`.
"""

import json
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench.hostile import LARGE, SIGN, SMALL, filled, forms, jsons, tokens
from tests.companies.registry import BY_NAME, COMPANIES
from tests.rig import Rig


@pytest.fixture
def shops(rig: Rig) -> Rig:
    for entry in COMPANIES:
        rig.add(entry.open(), name=entry.name)
    # The merchants are read once, not for each message.
    assert 401 == rig.client.post("/payments/p/cancellations").status_code
    return rig


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of what the library's parsers were given."""
    lengths: list[int] = []
    for module, name in ((json, "loads"), (urllib.parse, "unquote")):
        monkeypatch.setattr(module, name, counted(getattr(module, name), lengths))
    return lengths


def counted(parser: Callable[..., Any], lengths: list[int]) -> Callable[..., Any]:
    def parse(text: Any, *arguments: Any, **options: Any) -> Any:
        lengths.append(len(text))
        return parser(text, *arguments, **options)

    return parse


def post(shops: Rig, provider: str, body: bytes) -> int:
    return shops.client.post(f"/webhooks/{provider}/{provider}", data=body).status_code


def named(bodies: Iterator[tuple[str, bytes]], *names: str) -> list[bytes]:
    return [body for what, body in bodies if what in names]


@pytest.mark.parametrize("provider", BY_NAME)
def test_a_message_beyond_32_kilobytes_is_not_parsed(
    shops: Rig, parsed: list[int], provider: str
) -> None:
    assert 413 == post(shops, provider, b"{" * (SMALL + 1))
    assert 413 != post(shops, provider, b"{" * SMALL)
    parsed.clear()
    for _, body in [*jsons(LARGE, SIGN), *forms(LARGE), *tokens(LARGE)]:
        if len(body) > SMALL:
            assert 413 == post(shops, provider, body)
    assert [] == parsed


@pytest.mark.parametrize("provider", ["cryptomus", "rustore"])
def test_json_of_many_members_or_great_depth_is_not_parsed(
    shops: Rig, parsed: list[int], provider: str
) -> None:
    bodies = named(
        jsons(SMALL, SIGN, '"payload":"AAAA"'), "members", "small objects", "exponents", "deep"
    )
    assert [400] * 4 == [post(shops, provider, body) for body in bodies]
    assert [] == parsed


@pytest.mark.parametrize("sign", ["", '"sign":""', f'"sign":"{"g" * 32}"', f'"sign":"{"0" * 31}"'])
def test_a_message_without_a_sign_of_its_form_is_not_parsed(
    shops: Rig, parsed: list[int], sign: str
) -> None:
    assert 401 == post(shops, "cryptomus", filled("x", SMALL, "{" + sign + '"a":"', '"}'))
    assert [] == parsed


def test_a_form_of_many_fields_or_escapes_is_not_decoded(shops: Rig, parsed: list[int]) -> None:
    names = ("fields", "separators", "percent signs", "half percent signs")
    bodies = named(forms(SMALL), *names)
    assert [400] * 4 == [post(shops, "tranzzo", body) for body in bodies]
    assert [] == parsed


def test_of_a_token_that_nobody_signed_only_its_header_is_parsed(
    shops: Rig, parsed: list[int]
) -> None:
    for _, body in tokens(SMALL):
        post(shops, "yandex_pay", body)
    assert parsed
    assert max(parsed) <= 1024
