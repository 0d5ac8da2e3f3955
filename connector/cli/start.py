"""The first steps of every command: read the settings and build the connector."""

import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from connector import config, logs, providers
from connector.domain.errors import ConfigurationError

if TYPE_CHECKING:
    from connector.app import Connector


def read_settings() -> config.Settings:
    """Read the environment. Warn of variables that look like settings but are not."""
    names = providers.discover()
    settings = config.from_environment(os.environ, names)
    logs.configure(settings.log_level)
    mine = {name for name in os.environ if name.startswith("CONNECTOR_")}
    for name in sorted(mine - config.variables(names)):
        click.echo(f"warning: {name} is not a setting of this connector", err=True)
    return settings


def os_user() -> str:
    """Return the name of the person who runs this command, for the record.

    The name is the user of the process. `sudo` names the original user in a variable. That user can
    forge the variable, so its name is only added to the user of the process.
    """
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        # In a container a user often has no name.
        user = f"uid {uid}"
    before = os.environ.get("SUDO_USER", "")
    return f"{user} (sudo by {before})" if re.fullmatch(r"[\w.@-]{1,64}", before) else user


def open_connector(*, migrated: bool = True) -> "Connector":
    """Build the connector. Its database is closed when the command ends.

    Raises ConfigurationError if `migrated` is true and the tables are missing.
    """
    from connector.app import build  # noqa: PLC0415 - `serve` prepares the metrics first

    connector = build(read_settings(), threads=2)
    click.get_current_context().call_on_close(connector.database.close)
    connector.database.check_server()
    if migrated and not connector.database.is_ready():
        raise ConfigurationError("The database is not ready; run `connector migrate`")
    return connector


@contextmanager
def metrics_folder() -> Iterator[None]:
    """Make the folder for the metrics of all workers. Import the metrics' library after that.

    Workers are forked inside this block, and leave the block when they end. Only the process that
    made the folder removes it.
    """
    maker, folder = os.getpid(), tempfile.mkdtemp(prefix="connector-metrics-")
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
    try:
        yield
    finally:
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)
