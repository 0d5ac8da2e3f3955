"""The demo merchant, for a first try."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from connector.cli.console import BIND, link_for
from connector.cli.output import credentials
from connector.cli.start import os_user
from connector.domain.errors import ConfigurationError
from connector.domain.merchant import SUITE_PROVIDER, CapturedPolicy
from connector.domain.person import person_name
from connector.storage import private_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.app import Connector
    from connector.storage.stored_merchant import Credentials, StoredMerchant

NAME = "demo"
FILE = "demo.json"


def demo_credentials(connector: "Connector") -> dict[str, str]:
    """Return the stored credentials. If there are none, make the demo merchant or a new token."""
    if SUITE_PROVIDER not in connector.providers.sold:
        raise ConfigurationError(f"The demo needs {SUITE_PROVIDER} in CONNECTOR_PROVIDERS")
    path = connector.settings.data_dir / FILE
    stored, entries = _read_credentials(path), connector.merchants.all()
    if stored and stored["appKey"] in {entry.app_key for entry in entries}:
        return stored
    new = credentials(_new_credentials(connector, entries))
    private_files.make_folder(path.parent, "CONNECTOR_DATA_DIR")
    private_files.write(path, json.dumps(new).encode())
    return new


def console_lines(connector: "Connector", bind: str) -> str:
    """Make a link to the console. Return the lines that show the link, and how to get another."""
    name = person_name(os_user()) or NAME
    link = link_for(connector, name, None, bind)["link"]
    another = f"{sys.argv[0]} console link" + ("" if bind == BIND else f" --bind {bind}")
    return (
        "This link shows what happened to the payment. It opens once, within 10 minutes:"
        f"\n\n{link}\n\nAnother link: {another}\n"
    )


def _new_credentials(connector: "Connector", entries: "Iterable[StoredMerchant]") -> "Credentials":
    demo = next((entry.merchant for entry in entries if entry.merchant.name == NAME), None)
    if demo is None:
        policy = CapturedPolicy.MANUAL
        return connector.merchants.add(
            NAME, SUITE_PROVIDER, {}, sandbox=True, captured=policy, by=os_user()
        )
    if demo.provider != SUITE_PROVIDER:
        raise ConfigurationError(f"The merchant {NAME} is a real one; there can be no demo")
    return connector.merchants.rotate_token(NAME, by=os_user())


def _read_credentials(path: Path) -> dict[str, str] | None:
    try:
        stored = json.loads(private_files.read(path))
        return {name: str(stored[name]) for name in ("appKey", "appToken")}
    except (OSError, ValueError, LookupError, TypeError):
        return None
