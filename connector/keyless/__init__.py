"""What no AppKey opens, beside VTEX's manifest: one module each, and nothing else lives here.

A module is found by being here. It has `blueprint`, which makes its routes of the connector's
parts, and its routes are described in openapi.yaml, with `security: []`.
"""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

from flask import Blueprint


def blueprints(connector: Any) -> Iterator[Blueprint]:
    """Make the routes of every module in this folder."""
    for module in pkgutil.iter_modules(__path__):
        yield importlib.import_module(f"{__name__}.{module.name}").blueprint(connector)
