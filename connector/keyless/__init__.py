"""Endpoints that need no AppKey, except VTEX's manifest. Each has one module in this folder.

Every module of this folder is loaded. Its function `blueprint` makes the routes from the parts of
the connector. openapi.yaml describes the routes, with `security: []`.
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
