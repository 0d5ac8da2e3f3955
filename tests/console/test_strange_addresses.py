"""An address with characters that no id has: both databases say that there is no such page."""

import pytest

from tests.console.people import sign_in
from tests.console.walk import filled, rules
from tests.rig import Rig

STRANGE = ("\0", "a\0b", "\u202e", "9" * 30, "%", "'")
QUERIES = ("q", "merchant", "status", "after", "since", "until")


def test_strange_ids_in_every_address_are_not_found(desk_on_both: Rig) -> None:
    desk_on_both.add(name="toyshop")
    person = sign_in(desk_on_both)
    addresses = {
        address
        for rule in rules(desk_on_both)
        if rule.arguments and "path:" not in rule.rule
        for address in filled(rule, STRANGE, ("toyshop",))
    }
    assert len(addresses) > 20
    for address in sorted(addresses):
        found = {person.get(address).status_code, person.post(address).status_code}
        assert found <= {404, 405}, address


@pytest.mark.parametrize("query", QUERIES)
def test_strange_texts_in_a_query_are_answered(desk_on_both: Rig, query: str) -> None:
    person = sign_in(desk_on_both)
    pages = [rule.rule for rule in rules(desk_on_both) if not rule.arguments]
    for page in pages:
        for text in STRANGE:
            assert person.get(page, query_string={query: text}).status_code < 500
