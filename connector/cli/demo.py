"""The demo merchant, for a first try."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from connector.cli.output import credentials
from connector.cli.start import os_user
from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SUITE_PROVIDER, CapturedPolicy
from connector.storage import private_files

if TYPE_CHECKING:
    from connector.app import Connector

NAME = "demo"
FILE = "demo.json"


def demo_credentials(connector: "Connector") -> dict[str, str]:
    """Return the kept credentials, or make the merchant or a new token of it."""
    if SUITE_PROVIDER not in connector.providers.sold:
        raise ConfigurationError(f"The demo needs {SUITE_PROVIDER} in CONNECTOR_PROVIDERS")
    path = connector.settings.data_dir / FILE
    known = {entry.app_key: entry for entry in connector.merchants.all()}
    kept = _kept(path)
    if kept and kept["appKey"] in known:
        return kept
    named = [entry for entry in known.values() if entry.merchant.name == NAME]
    if named and named[0].merchant.provider != SUITE_PROVIDER:
        raise ConfigurationError(f"The merchant {NAME} is a real one; there can be no demo")
    if named:
        made = connector.merchants.rotate_token(NAME, by=os_user())
    else:
        policy = CapturedPolicy.MANUAL
        made = connector.merchants.add(
            NAME, SUITE_PROVIDER, {}, sandbox=True, captured=policy, by=os_user()
        )
    private_files.make_folder(path.parent, "CONNECTOR_DATA_DIR")
    private_files.write(path, json.dumps(credentials(made)).encode())
    return credentials(made)


def _kept(path: Path) -> dict[str, str] | None:
    try:
        kept = json.loads(private_files.read(path))
        return {name: str(kept[name]) for name in ("appKey", "appToken")}
    except (OSError, ValueError, LookupError, TypeError):
        return None
