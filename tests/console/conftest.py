import pytest

from tests.console.people import Person, sign_in, stranger
from tests.rig import Rig


@pytest.fixture
def desk(rig: Rig) -> Rig:
    """A connector with the console, on SQLite."""
    rig.configure(CONNECTOR_CONSOLE="on")
    return rig


@pytest.fixture
def desk_on_both(rig_on_both: Rig) -> Rig:
    """A connector with the console: the test runs once on each kind of database."""
    rig_on_both.configure(CONNECTOR_CONSOLE="on")
    return rig_on_both


@pytest.fixture
def operator(desk: Rig) -> Person:
    """An operator who is signed in, and sees all merchants. Add merchants to `desk` before."""
    return sign_in(desk)


@pytest.fixture
def nobody(desk: Rig) -> Person:
    return stranger(desk)
