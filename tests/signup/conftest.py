import pytest

from tests.rig import Rig
from tests.signup.flow import Gateway, Person


@pytest.fixture
def person(rig_on_both: Rig) -> Person:
    return Person(rig_on_both)


@pytest.fixture
def gateway(person: Person) -> Gateway:
    return person.gateway
