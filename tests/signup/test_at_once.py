"""Several submits at the same time end with one merchant."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from connector.domain.authorization import Connected
from tests.signup.flow import Person

# As many as one flow may try.
MANY = 10


def all_at_once(acts: list[Callable[[], Connected]]) -> list[Connected | str]:
    """Do all at the same time. Return what each gave, or the name of its failure."""
    results: list[Connected | str] = []
    ready = threading.Barrier(len(acts))

    def run(act: Callable[[], Connected]) -> None:
        ready.wait()
        try:
            results.append(act())
        except Exception as error:  # noqa: BLE001 - the kinds are under test
            results.append(type(error).__name__)

    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def connecting(person: Person, **given: Any) -> Callable[[], Connected]:
    return lambda: person.connect(**given)


def test_one_flow_submitted_many_times_gives_one_pair(person: Person) -> None:
    given = {"token": person.gateway.begin(), "invitation": person.invited("mystore")}
    made = all_at_once([connecting(person, **given)] * MANY)
    connected = [one for one in made if isinstance(one, Connected)]
    assert [] == [one for one in made if isinstance(one, str)]
    assert MANY == len(connected)
    assert 1 == sum(one.is_new for one in connected)
    codes = [one.code for one in connected]
    statuses = [person.gateway.credentials(code) for code in codes]
    pairs = {answer.data for answer in statuses if answer.status_code == 200}
    assert (1, 1) == (len(pairs), len(person.merchants()))
    assert 1 == len(person.rig.execute("SELECT id FROM merchant_tokens"))


def test_many_flows_of_one_account_make_one_merchant(person: Person) -> None:
    person.rig.configure(CONNECTOR_SIGNUP="open")
    tokens = [person.gateway.begin() for _ in range(MANY)]
    made = all_at_once([connecting(person, token=token) for token in tokens])
    connected = [one for one in made if isinstance(one, Connected)]
    assert (MANY, 1) == (len(connected), sum(one.is_new for one in connected))
    assert {"mystore-sandbox"} == {one.merchant for one in connected}
    assert 1 == len(person.merchants())


def test_one_invitation_used_by_many_makes_one_merchant(person: Person) -> None:
    invitation = person.invited()
    urls = [f"https://store-{number}.myvtex.com/" for number in range(MANY)]
    tokens = [person.gateway.begin(url) for url in urls]
    made = all_at_once([connecting(person, token=token, invitation=invitation) for token in tokens])
    kinds = Counter(one if isinstance(one, str) else "connected" for one in made)
    assert {"connected": 1, "InvitationEnded": MANY - 1} == kinds
    assert 1 == len(person.merchants())


def test_many_stores_at_once_get_a_merchant_each(person: Person) -> None:
    person.rig.configure(CONNECTOR_SIGNUP="open")
    urls = [f"https://store-{number}.myvtex.com/" for number in range(MANY)]
    tokens = [person.gateway.begin(url) for url in urls]
    made = all_at_once([connecting(person, token=token) for token in tokens])
    connected = [one for one in made if isinstance(one, Connected)]
    assert MANY == len({one.merchant for one in connected})


@pytest.mark.parametrize("is_one_flow", [True, False])
def test_a_faster_submit_may_use_up_the_invitation_of_both(
    person: Person, monkeypatch: pytest.MonkeyPatch, is_one_flow: bool
) -> None:
    """It comes between the slower one's look for the merchant and its look at the invitation."""
    connecting, invitation = person.signup._connecting, person.invited("mystore")
    slow = person.gateway.begin()
    fast = slow if is_one_flow else person.gateway.begin()
    look, made = connecting.merchant_of, []

    def look_and_be_overtaken(*given: Any) -> Any:
        found = look(*given)
        monkeypatch.setattr(connecting, "merchant_of", look)
        made.append(person.connect(token=fast, invitation=invitation))
        return found

    monkeypatch.setattr(connecting, "merchant_of", look_and_be_overtaken)
    made.append(person.connect(token=slow, invitation=invitation))
    assert [True, False] == [one.is_new for one in made]
    assert 1 == len({one.merchant for one in made}) == len(person.merchants())
