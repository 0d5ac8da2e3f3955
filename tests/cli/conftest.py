import os
from collections.abc import Iterator

import pytest

from tests.cli.shell import Operator, logging_as_it_was
from tests.rig import Rig


@pytest.fixture(autouse=True)
def quiet_again() -> Iterator[None]:
    with logging_as_it_was():
        yield


@pytest.fixture(autouse=True)
def no_other_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("CONNECTOR_"):
            monkeypatch.delenv(name)


@pytest.fixture
def operator(rig: Rig) -> Operator:
    return Operator(rig)


@pytest.fixture
def operator_on_both(rig_on_both: Rig) -> Operator:
    return Operator(rig_on_both)
