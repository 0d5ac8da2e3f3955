"""The demo merchant, for a first try."""

import json
import os
from typing import TYPE_CHECKING

from connector.cli.output import credentials
from connector.domain.errors import ConnectorError
from connector.domain.merchant import CapturedPolicy

if TYPE_CHECKING:
    from connector.app import Connector

NAME = "demo"
FILE = "demo.json"


def demo_credentials(connector: "Connector") -> dict[str, str]:
    path = connector.settings.data_dir / FILE
    known = {entry.app_key for entry in connector.merchants.entries()}
    if path.exists():
        kept: dict[str, str] = json.loads(path.read_text())
        if kept["appKey"] in known:
            return kept
    try:
        made = connector.merchants.add(
            NAME, "sandbox", {}, sandbox=True, captured=CapturedPolicy.MANUAL
        )
    except ConnectorError:
        made = connector.merchants.rotate_token(NAME)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        json.dump(credentials(made), file)
    return credentials(made)
