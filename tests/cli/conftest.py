import logging
import os
from collections.abc import Iterator

import pytest

from tests.cli.shell import Operator
from tests.rig import Rig


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The commands set the logs up for their own process."""
    named = {name: logging.getLogger(name) for name in (None, "connector", "gunicorn.error")}
    before = {name: (logger.level, list(logger.handlers)) for name, logger in named.items()}
    yield
    for name, (level, handlers) in before.items():
        named[name].setLevel(level)
        named[name].handlers = handlers


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
