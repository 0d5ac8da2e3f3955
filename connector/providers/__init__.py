"""The payment companies: one module each, nothing else lives here."""

import importlib
import inspect
import pkgutil

from connector.provider import Provider


def discover() -> dict[str, type[Provider]]:
    """Find the provider class of every module in this folder, by its name.

    Raises RuntimeError for a module without exactly one, or whose class is not named after it.
    """
    found: dict[str, type[Provider]] = {}
    for module in pkgutil.iter_modules(__path__):
        loaded = importlib.import_module(f"{__name__}.{module.name}")
        classes = [
            member
            for _, member in inspect.getmembers(loaded, inspect.isclass)
            if issubclass(member, Provider) and member.__module__ == loaded.__name__
        ]
        if len(classes) != 1 or classes[0].name != module.name:
            message = f"{loaded.__name__} must hold one Provider with name = {module.name!r}"
            raise RuntimeError(message)
        found[module.name] = classes[0]
    return found
