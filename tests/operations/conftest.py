from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.operations.lifetime import ON_POSTGRESQL, Lifetime, lifetime
from tests.rig import Rig
from tests.sink import Sink

OURS = {
    "CONNECTOR_VTEX_APP_KEY": "our-key",
    "CONNECTOR_VTEX_APP_TOKEN": "our-token",
    "CONNECTOR_PUBLIC_URL": "https://pay.example.com",
}


@pytest.fixture
def scene(request: pytest.FixtureRequest, tmp_path: Path, sink: Sink) -> Iterator[Lifetime]:
    is_postgresql = request.param is ON_POSTGRESQL
    url = request.getfixturevalue("fresh_postgres_url" if is_postgresql else "sqlite_url")
    with Rig(url, tmp_path) as rig, lifetime(request.param, rig, sink, **OURS) as scene:
        yield scene
